"""A decoder's stream: speech tokens arrive in any pieces, mel features leave chunk by chunk.

A chunk is ready when its tokens and the lookahead are there. Each is computed together with all
that came before; the joined features equal one pass with ``chunked=True``.

A decoder without a flow speaks far faster than its sound is played, so its chunks leave in groups
that double (1, 2, 4, ...): the first sound comes as early, and what was decoded before is decoded
again a few times only. The groups depend on the tokens alone, never on the time or on other
utterances, so that the same tokens give the same features to the bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from mamtra.acoustic.chunk_borders import ChunkBorders
from mamtra.runtime.protocols import ChunkDecoder, Decoder, EncodedPrompt
from mamtra.runtime.sizes import DecoderSizes


@dataclass(slots=True, kw_only=True)
class DecoderStream:
    """One utterance on its way through a decoder.

    Attributes:
        voice: the voice that speaks.
        noise: where the flow starts, None for a decoder without one.
        tokens: what has arrived.
        frames: mel frames that were handed out.
        state: what a decoder that goes on from one remembers.
    """

    voice: EncodedPrompt
    noise: Float[np.ndarray, "bins noise_frames"] | None = None
    tokens: list[int] = field(default_factory=list[int])
    frames: int = 0
    state: Any = None

    def end_of_group(self, sizes: DecoderSizes, spoken: int) -> int:
        """Where the group ends that begins after so many tokens, by the number of tokens."""
        before = len(self.voice.tokens) if sizes.flow else 0
        if sizes.goes_on:
            return ChunkBorders.of(sizes, before).following(before + spoken) - before
        chunks = (before + spoken) // sizes.chunk_tokens
        chunks += 1 if sizes.flow else chunks + 1
        return chunks * sizes.chunk_tokens - before

    def ready(self, sizes: DecoderSizes) -> int:
        """Tokens whose frames can be handed out while more may come."""
        spoken, visible = 0, len(self.tokens) - sizes.lookahead_tokens
        while (end := self.end_of_group(sizes, spoken)) <= visible:
            spoken = end
        return spoken

    def waits(self, sizes: DecoderSizes) -> bool:
        """Whether frames are ready that were not handed out."""
        return self.ready(sizes) * sizes.frames_per_token > self.frames

    def complete(self, sizes: DecoderSizes) -> bool:
        """Whether the frames of all tokens were handed out."""
        return self.frames == len(self.tokens) * sizes.frames_per_token

    def drop(self, sizes: DecoderSizes, count: int) -> None:
        """Forget the last tokens, as far as no frame that was ready depends on them."""
        spoken = self.ready(sizes)
        used = spoken + sizes.lookahead_tokens if spoken else 0
        del self.tokens[max(len(self.tokens) - count, min(used, len(self.tokens))) :]

    def next_group(
        self, decoder: Decoder, final: bool = False
    ) -> Float[np.ndarray, "bins frames"] | None:
        """The frames of the next group of chunks; None if no more are ready.

        Args:
            decoder: the same for every piece.
            final: no more tokens will come, so that all frames are ready.
        """
        sizes = decoder.sizes
        spoken = self.frames // sizes.frames_per_token
        end = self.end_of_group(sizes, spoken)
        last = end > self.ready(sizes)
        if last:
            end = len(self.tokens)
        if (last and not final) or end <= spoken:
            return None
        used = self.tokens if last else self.tokens[: end + sizes.lookahead_tokens]
        if self.state is None and isinstance(decoder, ChunkDecoder):
            self.state = decoder.new_state(self.voice, self.noise)
        if self.state is not None and isinstance(decoder, ChunkDecoder):
            group = decoder.decode_chunks(used, self.state, final=last)
        else:
            mel = decoder.decode(used, self.voice, self.noise, chunked=True, final=last)
            group = mel[:, self.frames : end * sizes.frames_per_token]
        self.frames += group.shape[1]
        return group

    def push(
        self, decoder: Decoder, tokens: Sequence[int], final: bool = False
    ) -> Float[np.ndarray, "bins frames"]:
        """Take tokens, any number, and give the frames that are ready."""
        self.tokens.extend(tokens)
        groups = [np.zeros((decoder.sizes.bins, 0), np.float32)]
        while (group := self.next_group(decoder, final)) is not None:
            groups.append(group)
        return np.concatenate(groups, axis=1)


def decode_whole(
    decoder: Decoder,
    tokens: Sequence[int],
    voice: EncodedPrompt,
    noise: Float[np.ndarray, "bins noise_frames"] | None,
    *,
    chunked: bool = False,
) -> Float[np.ndarray, "bins frames"]:
    """Mel features of all tokens of an utterance at once, as the decoder does it soonest.

    A decoder that remembers goes on from the voice's prompt, which it read before, in the chunks of
    a stream; any other sees everything in one pass, or with ``chunked`` as far as a stream would.
    """
    state = decoder.new_state(voice, noise) if isinstance(decoder, ChunkDecoder) else None
    if state is not None and isinstance(decoder, ChunkDecoder):
        return decoder.decode_chunks(tokens, state, final=True)
    return decoder.decode(tokens, voice, noise, chunked=chunked)
