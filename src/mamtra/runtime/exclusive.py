"""A loaded model that any number of threads may use: one call at a time goes through to the engine.

Engines work in buffers of their own, so two calls at once would mix what they say. States are
arguments and results are copies, so between two calls nothing is shared: streams interleave, and
each says what it says alone. Decoder and vocoder of an engine that holds nothing but weights need
no lock.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from mamtra.runtime.protocols import (
    ChunkDecoder,
    Decoder,
    DecoderSizes,
    EncodedPrompt,
    LoadedModel,
    SpeechModel,
    State,
    Vocoder,
    VocoderSizes,
)
from mamtra.speech_lm.prompt import Segment
from mamtra.speech_lm.reading import ReadingConfig
from mamtra.speech_lm.vocabulary import SpeechVocabulary


class ExclusiveSpeechModel:
    """A speech model behind a lock."""

    def __init__(self, wrapped: SpeechModel, lock: threading.Lock) -> None:
        self.wrapped, self._lock = wrapped, lock

    @property
    def vocabulary(self) -> SpeechVocabulary:
        """The speech ids."""
        return self.wrapped.vocabulary

    @property
    def text_vocabulary(self) -> int:
        """Number of text ids that it has an embedding for."""
        return self.wrapped.text_vocabulary

    @property
    def fixed_width(self) -> bool:
        """Whether a change of the number of rows is expensive."""
        return self.wrapped.fixed_width

    @property
    def steps_first_rows(self) -> bool:
        """Whether a step may leave out the last rows."""
        return self.wrapped.steps_first_rows

    def new_state(self, batch: int, capacity_hint: int = 0) -> State:
        """An empty state for so many rows."""
        with self._lock:
            return self.wrapped.new_state(batch, capacity_hint)

    def read(self, rows: Sequence[Sequence[Segment]], state: Any) -> Float[np.ndarray, "batch ids"]:
        """Continue each row by segments; logits of the next id."""
        with self._lock:
            return self.wrapped.read(rows, state)

    def step(self, ids: Sequence[int], state: Any) -> Float[np.ndarray, "batch ids"]:
        """Continue each row by one speech id; logits of the next."""
        with self._lock:
            return self.wrapped.step(ids, state)

    @property
    def reading(self) -> ReadingConfig | None:
        """The head that follows the text; None where none is known."""
        return self.wrapped.reading

    def looked(
        self, segments: Sequence[Segment], speech: Sequence[int], state: Any, row: int
    ) -> Float[np.ndarray, "speech positions"]:
        """How the reading head looked at the prompt as each speech id was drawn."""
        with self._lock:
            return self.wrapped.looked(segments, speech, state, row)


class ExclusiveDecoder:
    """A decoder behind a lock."""

    def __init__(self, wrapped: Decoder, lock: threading.Lock) -> None:
        self.wrapped, self._lock = wrapped, lock

    @property
    def sizes(self) -> DecoderSizes:
        """The numbers that streaming and voices have to fit."""
        return self.wrapped.sizes

    def decode(
        self,
        tokens: Sequence[int],
        voice: EncodedPrompt,
        noise: Float[np.ndarray, "bins noise_frames"] | None,
        *,
        chunked: bool = False,
        final: bool = True,
    ) -> Float[np.ndarray, "bins frames"]:
        """Mel features of the tokens."""
        with self._lock:
            return self.wrapped.decode(tokens, voice, noise, chunked=chunked, final=final)


class ExclusiveChunkDecoder:
    """A decoder that goes on from states, behind a lock."""

    def __init__(self, wrapped: Any, lock: threading.Lock) -> None:
        self.wrapped, self._lock = wrapped, lock
        self.decode = ExclusiveDecoder(wrapped, lock).decode

    @property
    def sizes(self) -> DecoderSizes:
        """The numbers that streaming and voices have to fit."""
        return self.wrapped.sizes

    def new_state(
        self, voice: EncodedPrompt, noise: Float[np.ndarray, "bins noise_frames"] | None
    ) -> Any:
        """The state before the first token."""
        with self._lock:
            return self.wrapped.new_state(voice, noise)

    def decode_chunks(
        self, tokens: Sequence[int], state: Any, *, final: bool
    ) -> Float[np.ndarray, "bins frames"]:
        """The frames that the state has not given yet."""
        with self._lock:
            return self.wrapped.decode_chunks(tokens, state, final=final)


class ExclusiveVocoder:
    """A vocoder behind a lock."""

    def __init__(self, wrapped: Vocoder, lock: threading.Lock) -> None:
        self.wrapped, self._lock = wrapped, lock

    @property
    def sizes(self) -> VocoderSizes:
        """The numbers that noise and features have to fit."""
        return self.wrapped.sizes

    def speak(
        self, mel: Float[np.ndarray, "bins frames"], noise: Float[np.ndarray, "noises samples"]
    ) -> Float[np.ndarray, " samples"]:
        """Samples of mel features, all at once."""
        with self._lock:
            return self.wrapped.speak(mel, noise)

    def new_state(self) -> Any:
        """The state before the first chunk of a stream."""
        with self._lock:
            return self.wrapped.new_state()

    def speak_chunk(
        self,
        mel: Float[np.ndarray, "bins frames"],
        noise: Float[np.ndarray, "noises samples"],
        state: Any,
        *,
        last: bool = False,
    ) -> Float[np.ndarray, " spoken"]:
        """The samples that no later frame can change."""
        with self._lock:
            return self.wrapped.speak_chunk(mel, noise, state, last=last)


def exclusive(model: LoadedModel) -> LoadedModel:
    """The same model, safe to be used by any number of threads."""
    lock = threading.Lock()
    speech_model = ExclusiveSpeechModel(model.speech_model, lock)
    if model.acoustic_threads:
        return replace(model, speech_model=speech_model)
    states = isinstance(model.decoder, ChunkDecoder)
    guard = ExclusiveChunkDecoder if states else ExclusiveDecoder
    return LoadedModel(
        speech_model=speech_model,
        decoder=guard(model.decoder, lock),
        vocoder=ExclusiveVocoder(model.vocoder, lock),
    )
