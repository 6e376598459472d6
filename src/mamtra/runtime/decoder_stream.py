"""A decoder's stream: speech tokens arrive in any pieces, mel features leave chunk by chunk.

A chunk is ready when its tokens and the lookahead are there. Each is computed together with all
that came before, so the work grows with the square of an utterance's length; the joined features
equal one pass with ``chunked=True``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from mamtra.runtime.protocols import Decoder, DecoderSizes, EncodedPrompt


@dataclass(slots=True, kw_only=True)
class DecoderStream:
    """One utterance on its way through a decoder.

    Attributes:
        voice: the voice that speaks.
        noise: where the flow starts, None for a decoder without one.
        tokens: what has arrived.
        frames: mel frames that were handed out.
    """

    voice: EncodedPrompt
    noise: Float[np.ndarray, "bins noise_frames"] | None = None
    tokens: list[int] = field(default_factory=list[int])
    frames: int = 0

    def ready(self, sizes: DecoderSizes, final: bool) -> int:
        """Tokens whose frames can be handed out now."""
        if final:
            return len(self.tokens)
        before = len(self.voice.tokens) if sizes.flow else 0
        visible = before + len(self.tokens) - sizes.lookahead_tokens
        return max(0, visible // sizes.chunk_tokens * sizes.chunk_tokens - before)

    def drop(self, sizes: DecoderSizes, count: int) -> None:
        """Forget the last tokens, as far as no frame that was handed out depends on them."""
        spoken = self.frames // sizes.frames_per_token
        used = spoken + sizes.lookahead_tokens if spoken else 0
        del self.tokens[max(len(self.tokens) - count, min(used, len(self.tokens))) :]

    def push(
        self, decoder: Decoder, tokens: Sequence[int], final: bool = False
    ) -> Float[np.ndarray, "bins frames"]:
        """Take tokens, any number, and give the frames that are ready.

        Args:
            decoder: the same for every piece.
            tokens: new speech tokens.
            final: no more will come, so that all frames are ready.
        """
        sizes = decoder.sizes
        self.tokens.extend(tokens)
        ready = self.ready(sizes, final)
        count = ready * sizes.frames_per_token - self.frames
        if count <= 0:
            return np.zeros((sizes.bins, 0), np.float32)
        used = self.tokens if final else self.tokens[: ready + sizes.lookahead_tokens]
        mel = decoder.decode(used, self.voice, self.noise, chunked=True, final=final)
        piece = mel[:, self.frames : self.frames + count]
        self.frames += count
        return piece
