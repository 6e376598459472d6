"""What speaking asks of an engine: speech model, decoder, vocoder and voice encoder, in numpy
arrays and plain values.

``runtime/torch`` and other engines implement these protocols; ``generation``, ``voice`` and
``synthesis`` know nothing else of an engine. Rules that hold for all of them:

- arrays are float32 unless said otherwise, and belong to the caller: an engine never changes one
  that it handed out;
- randomness comes from outside, as arrays of noise, so that engines agree;
- memory is an argument: an engine holds weights and buffers, a state belongs to one utterance or
  one running batch;
- one thread at a time calls an engine, but for the decoder and the vocoder of one that has
  ``acoustic_threads`` (``exclusive`` sees to it).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from mamtra.audio.clip import Audio
from mamtra.runtime.sizes import DecoderSizes, VocoderSizes
from mamtra.speech_lm.prompt import Segment
from mamtra.speech_lm.reading import ReadingConfig
from mamtra.speech_lm.vocabulary import SpeechVocabulary


@runtime_checkable
class State(Protocol):
    """What a speech model remembers of the ids that each row of a batch has read.

    Attributes:
        positions: ids that each row has read. A row without a text is set to position 0 between
            steps, so that its memory does not grow.
    """

    positions: list[int]

    @property
    def nbytes(self) -> int:
        """Bytes held now by all rows, spare capacity included."""
        ...

    def keep_rows(self, rows: list[int]) -> None:
        """Keep only these rows, in this order."""
        ...

    def copy_row(self, row: int, other: Any, other_row: int = 0) -> None:
        """Overwrite a row with a row of another state of the same model."""
        ...


@runtime_checkable
class SpeechModel(Protocol):
    """The speech language model: reads text ids, gives logits of speech ids."""

    @property
    def vocabulary(self) -> SpeechVocabulary:
        """The speech ids; ``vocabulary.size`` is the width of the logits."""
        ...

    @property
    def text_vocabulary(self) -> int:
        """Number of text ids that it has an embedding for."""
        ...

    @property
    def fixed_width(self) -> bool:
        """Whether a change of the number of rows is expensive, as for recorded CUDA graphs."""
        ...

    @property
    def steps_first_rows(self) -> bool:
        """Whether ``step`` may be given fewer ids than the state has rows: the first ones go on."""
        ...

    def new_state(self, batch: int, capacity_hint: int = 0) -> State:
        """An empty state for so many rows.

        Args:
            batch: rows.
            capacity_hint: ids for which room is made in advance; more may be read.
        """
        ...

    def read(self, rows: Sequence[Sequence[Segment]], state: Any) -> Float[np.ndarray, "batch ids"]:
        """Continue each row by segments; logits of the id that follows each row's last one.

        Rows may bring different numbers of ids, each at least one. Updates ``state`` in place.
        """
        ...

    def step(self, ids: Sequence[int], state: Any) -> Float[np.ndarray, "batch ids"]:
        """Continue each row by one speech id; logits of the next. Updates ``state`` in place."""
        ...

    @property
    def reading(self) -> ReadingConfig | None:
        """The head that follows the text; None where none is known."""
        ...

    def looked(
        self, segments: Sequence[Segment], speech: Sequence[int], state: Any, row: int
    ) -> Float[np.ndarray, "speech positions"]:
        """How the reading head looked at the prompt as each speech id was drawn.

        Only for models that have a ``reading`` head.

        Args:
            segments: the prompt that a row has read.
            speech: the ids that were drawn after it, at least one; the last one may be unread.
            state: of the batch.
            row: of the text.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodedPrompt:
    """A recording as models know it; a decoder speaks in its voice.

    Attributes:
        tokens: int64 speech tokens, 25 a second; may be empty.
        mel: log-mel features in the form of the model's decoder, two frames for each token.
        speaker: the speaker vector.
    """

    tokens: Int[np.ndarray, " tokens"]
    mel: Float[np.ndarray, "bins frames"]
    speaker: Float[np.ndarray, " width"]


@runtime_checkable
class Decoder(Protocol):
    """Speech tokens and a voice in, mel features out. ``DecoderStream`` makes a stream of it."""

    @property
    def sizes(self) -> DecoderSizes:
        """The numbers that streaming and voices have to fit."""
        ...

    def decode(
        self,
        tokens: Sequence[int],
        voice: EncodedPrompt,
        noise: Float[np.ndarray, "bins noise_frames"] | None,
        *,
        chunked: bool = False,
        final: bool = True,
    ) -> Float[np.ndarray, "bins frames"]:
        """Mel features of the tokens, without those of the voice's prompt.

        Args:
            tokens: speech tokens to say.
            voice: the voice; its prompt is continued by a decoder with ``sizes.flow``.
            noise: where the flow starts, at least as long as prompt and tokens together; None
                without ``sizes.flow``.
            chunked: attention ends with each step's own chunk, as in streaming.
            final: no more tokens will come; otherwise the last ``lookahead_tokens`` only give
                context and bring no frames.
        """
        ...


@runtime_checkable
class ChunkDecoder(Protocol):
    """A decoder that goes on from a state instead of decoding each group from the first token."""

    def new_state(
        self, voice: EncodedPrompt, noise: Float[np.ndarray, "bins noise_frames"] | None
    ) -> Any:
        """The state before the first token; None where the whole has to be decoded each time."""
        ...

    def decode_chunks(
        self, tokens: Sequence[int], state: Any, *, final: bool
    ) -> Float[np.ndarray, "bins frames"]:
        """The frames that the state has not given yet. Updates ``state`` in place.

        Args:
            tokens: all tokens of the utterance so far.
            state: of this utterance.
            final: no more tokens will come; otherwise only whole chunks are made.
        """
        ...


@runtime_checkable
class Vocoder(Protocol):
    """Mel features and noise in, samples out."""

    @property
    def sizes(self) -> VocoderSizes:
        """The numbers that noise and features have to fit."""
        ...

    def speak(
        self, mel: Float[np.ndarray, "bins frames"], noise: Float[np.ndarray, "noises samples"]
    ) -> Float[np.ndarray, " samples"]:
        """Samples of mel features, all at once; noise is as ``sizes`` say, one value a sample."""
        ...

    def new_state(self) -> Any:
        """The state before the first chunk of a stream."""
        ...

    def speak_chunk(
        self,
        mel: Float[np.ndarray, "bins frames"],
        noise: Float[np.ndarray, "noises samples"],
        state: Any,
        *,
        last: bool = False,
    ) -> Float[np.ndarray, " spoken"]:
        """The samples that no later frame can change; with ``last`` all that are left.

        The joined chunks equal ``speak`` of the joined features. Updates ``state`` in place. There
        may be no frames in ``mel``, as with ``last`` at the end of a stream.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedModel:
    """The parts of one model that speak, as one engine runs them.

    Attributes:
        acoustic_threads: how many threads may use decoder and vocoder at once, beside the one that
            uses the speech model; 0 where one thread at a time may use any part.
    """

    speech_model: SpeechModel
    decoder: Decoder
    vocoder: Vocoder
    acoustic_threads: int = 0


@runtime_checkable
class VoiceEncoder(Protocol):
    """A recording in, all that a voice is made of out."""

    @property
    def rate_hz(self) -> int:
        """Samples a second of the sound that its mel features describe."""
        ...

    def tokens(self, audio: Audio) -> Int[np.ndarray, " tokens"]:
        """Speech tokens alone, int64, no more than there are two mel frames for."""
        ...

    def encode(self, audio: Audio) -> EncodedPrompt:
        """Speech tokens, mel features and speaker vector."""
        ...
