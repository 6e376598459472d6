"""A speech language model that reads a voice and is guided (Chatterbox's), run by onnxruntime.

Each text is two rows of the graph: one that reads the text, one that reads only where it would
stand. The logits are those of the first, moved away from those of the second. A graph of its own
makes vectors of a voice, which come before the text.
"""

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mamtra.errors import ConfigError, ModelError
from mamtra.runtime.guided_state import GuidedState
from mamtra.runtime.onnx.session import open_session
from mamtra.runtime.onnx.speech_model import OnnxSpeechModel
from mamtra.runtime.onnx.state import Given, check_ids, check_prompts
from mamtra.speech_lm.conditioning_config import ConditioningConfig
from mamtra.speech_lm.prompt import Segment, SpeakerPrompt, check_length, check_voice
from mamtra.speech_lm.vocabulary import SpeechVocabulary

VOICE_GRAPH = "speech_lm.voice.onnx"
NOWHERE = 0  # the learned position of ids that have none
UNREAD = 0  # the vector of text that is not read


class GuidedOnnxModel:
    """A guided speech model from its graphs.

    Args:
        path: of the language model's graph; that of the voice lies beside it.
        threads: that compute.
        streams: that are expected at once.

    Raises:
        ModelError: a graph is missing or damaged.
    """

    fixed_width = False
    steps_first_rows = True
    reading = None

    def __init__(self, path: Path, threads: int = 1, streams: int = 1) -> None:
        self._beneath = OnnxSpeechModel(path, threads, streams=2 * streams)
        if self._beneath.conditioning is None:
            raise ModelError(f"{str(path)!r} reads no voices, but the model's config.json says so")
        self._sizes = ConditioningConfig(**self._beneath.conditioning)
        self._first_spoken = NOWHERE + 1 + self._sizes.text_positions
        self._voices: Any = open_session(path.with_name(VOICE_GRAPH), threads)

    @property
    def vocabulary(self) -> SpeechVocabulary:
        """The speech ids."""
        return self._beneath.vocabulary

    @property
    def text_vocabulary(self) -> int:
        """Number of text ids that it has an embedding for."""
        return self._beneath.text_vocabulary

    def new_state(self, batch: int, capacity_hint: int = 0) -> GuidedState:
        """An empty state for so many rows."""
        beneath = self._beneath.new_state(2 * batch, capacity_hint)
        return GuidedState(beneath, [0] * batch, [0] * batch)

    def _guided(self, logits: Float[np.ndarray, "halves ids"]) -> Float[np.ndarray, "batch ids"]:
        """The logits of each row from those of its two."""
        told, untold = logits[0::2], logits[1::2]
        return told + np.float32(self._sizes.guidance) * (told - untold)

    def _vectors(self, voice: SpeakerPrompt) -> Float[np.ndarray, "vectors dim"]:
        """Zeros, then the vectors of a voice.

        Raises:
            VoiceError: the voice does not fit the model.
        """
        check_voice(voice, self._sizes, self.vocabulary.size)
        given = {
            "speaker": np.array(voice.speaker, np.float32),
            "prompt": np.array(voice.prompt, np.int64),
            "emotion": np.array(voice.emotion, np.float32),
        }
        return self._voices.run(["voice"], given)[0]

    def _places(self, segments: Sequence[Segment]) -> list[int]:
        """Learned positions of a row's ids; speech is counted from 1, the start mark stands at 0.

        Raises:
            GenerationError: text or speech is longer than the model has positions for.
        """
        check_length("text", count_of(segments, "text"), self._sizes.text_positions)
        check_length("speech", 1 + count_of(segments, "speech"), self._sizes.speech_positions)
        counted = {"text": count(NOWHERE + 1), "speech": count(self._first_spoken + 1)}
        return [
            next(counted[part.kind]) if part.kind in counted else NOWHERE
            for part in segments
            for _ in part.ids
        ]

    def _both(self, segments: Sequence[Segment]) -> list[Given]:
        """What the two rows of a text read.

        Raises:
            ConfigError: it does not begin with a voice.
        """
        voice, first = segments[0].voice, self._beneath.first
        if voice is None:
            raise ConfigError("this model reads a voice first; begin with conditioned(...)")
        vectors, places = self._vectors(voice), self._places(segments)
        nothing = first["voice"] + UNREAD
        of_voice = range(nothing + 1, first["voice"] + len(vectors))
        rows = list[Given]()
        for muted in (False, True):
            ids = list(of_voice)
            for part in segments[1:]:
                unread = muted and part.kind == "text"
                start = first[part.kind]
                ids += [nothing if unread else start + id_ for id_ in part.ids]
            rows.append(Given(ids, places, vectors))
        return rows

    def read(
        self, rows: Sequence[Sequence[Segment]], state: GuidedState
    ) -> Float[np.ndarray, "batch ids"]:
        """Read each row's prompt; logits of the id that follows each row's last one.

        Raises:
            ConfigError: a row does not begin with a voice, or the rows do not fit the state.
            VoiceError: a voice does not fit the model.
            GenerationError: text or speech is longer than the model has positions for.
        """
        check_prompts(len(rows), len(state.positions))
        halves = [half for segments in rows for half in self._both(segments)]
        logits = self._beneath.read_given(halves, state.beneath)
        state.positions = state.beneath.positions[0::2]
        state.spoken = [count_of(segments, "speech") for segments in rows]
        return self._guided(logits)

    def step(self, ids: Sequence[int], state: GuidedState) -> Float[np.ndarray, "batch ids"]:
        """Continue each row, or the first rows, by one speech id; logits of the next.

        Raises:
            ConfigError: the ids do not fit the state.
            GenerationError: speech is longer than the model has positions for.
        """
        going = len(ids)
        check_ids(going, len(state.positions))
        # a row without a text was set to position 0, and stays there
        rows = zip(state.spoken[:going], state.positions[:going], strict=True)
        spoken = [said + 1 if position else 0 for said, position in rows]
        check_length("speech", 1 + max(spoken), self._sizes.speech_positions)
        state.spoken[:going] = spoken
        state.beneath.positions = [position for position in state.positions for _ in range(2)]
        logits = self._beneath.step(
            [id_ for id_ in ids for _ in range(2)],
            state.beneath,
            [self._first_spoken + each for each in spoken for _ in range(2)],
        )
        state.positions = state.beneath.positions[0::2]
        return self._guided(logits)

    def looked(
        self, segments: Sequence[Segment], speech: Sequence[int], state: GuidedState, row: int
    ) -> Float[np.ndarray, "speech positions"]:
        """No head is known that follows the text."""
        del segments, speech, state, row
        raise ConfigError("this model has no reading head")


def count_of(segments: Sequence[Segment], kind: str) -> int:
    """How many ids of a kind there are."""
    return sum(len(segment.ids) for segment in segments if segment.kind == kind)
