"""A decoder with a flow, chunk after chunk, without starting again from the first frame.

Token encoder and flow go on from memories of the chunks before. With all earlier frames held the
joined chunks equal one chunked pass over the whole, but for the first new chunk, which is shorter;
with a bounded number they do not, but work and memory no longer grow.

The prompt's own chunks depend on the voice alone, so a state that has read them can be copied for
every utterance in that voice. Chunks are laid so that one ends where the prompt's last tokens begin
to look into new speech (``chunk_borders.py``).
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mamtra.acoustic.causal_memory import CausalMemory, EncoderMemory
from mamtra.acoustic.chunk_borders import ChunkBorders
from mamtra.acoustic.decoder import Decoder, Prompt
from mamtra.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecoderState:
    """What a decoder remembers of an utterance.

    Attributes:
        encoded: the token encoder's memory.
        memories: of each Euler step.
        speaker: the speaker's vector.
        prompt: what was said before, if anything.
        noise: where the flow starts, prompt included.
    """

    encoded: EncoderMemory
    memories: list[CausalMemory]
    speaker: Float[Tensor, "1 speaker_dim"]
    prompt: Prompt | None
    noise: Float[Tensor, "1 bins noise_frames"]

    @property
    def frames(self) -> int:
        """Mel frames that were made, those of the prompt included."""
        return self.memories[0].frames

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.encoded.nbytes + sum(memory.nbytes for memory in self.memories)

    def copy(self) -> "DecoderState":
        """Another that goes on from the same frames."""
        memories = [memory.copy() for memory in self.memories]
        return replace(self, encoded=self.encoded.copy(), memories=memories)


def new_state(
    decoder: Decoder,
    speaker: Float[Tensor, "1 speaker_dim"],
    prompt: Prompt | None,
    noise: Float[Tensor, "1 bins noise_frames"],
    context: int | None = None,
) -> DecoderState:
    """The state before the first new token; the chunks that lie within the prompt are read.

    Args:
        decoder: one with a flow.
        speaker: the speaker's vector.
        prompt: what was said before.
        noise: where the flow starts, prompt included.
        context: frames that attention sees before a chunk; None for all.

    Raises:
        ConfigError: the decoder has no flow, or the context is no whole number of chunks.
    """
    velocity = decoder.velocity
    if velocity is None:
        raise ConfigError("this decoder has no flow, so nothing to remember; decode it as a whole")
    if context is not None and (context < 1 or context % velocity.config.chunk_frames):
        raise ConfigError(
            f"a context of {context} frames is no whole number of chunks of "
            f"{velocity.config.chunk_frames}"
        )
    state = DecoderState(
        encoded=EncoderMemory.empty(decoder.config.encoder.frames_per_token, context),
        memories=[CausalMemory(context) for _ in range(decoder.config.steps)],
        speaker=speaker,
        prompt=prompt,
        noise=noise,
    )
    if prompt is not None:
        decode_chunks(decoder, prompt.tokens[:, :0], state, final=False)
    return state


@torch.inference_mode()
def decode_chunks(
    decoder: Decoder, tokens: Int[Tensor, "1 tokens"], state: DecoderState, *, final: bool
) -> Float[Tensor, "1 bins frames"]:
    """The mel features of the tokens that were not handed out before.

    Args:
        decoder: the one of the state.
        tokens: all new tokens so far, from the first.
        state: is moved on.
        final: no more tokens will come; otherwise only whole chunks are made whose lookahead is
            there.

    Raises:
        ConfigError: there is less noise than frames.
    """
    config, velocity = decoder.config, decoder.velocity
    assert velocity is not None
    encoder, before, prompt_tokens = config.encoder, 0, 0
    if state.prompt is not None:
        before, prompt_tokens = state.prompt.mel.shape[-1], state.prompt.tokens.shape[1]
        tokens = torch.cat([state.prompt.tokens.to(tokens.dtype), tokens], 1)
    borders = ChunkBorders.of(encoder, prompt_tokens)
    end = borders.readable(tokens.shape[1], final)
    made: list[Tensor] = [state.noise[..., :0]]
    if end > state.frames:
        if state.noise.shape[-1] < end:
            raise ConfigError(
                f"{end} mel frames are more than the {state.noise.shape[-1]} of the noise; "
                f"split the text into shorter pieces"
            )
        given = decoder.given(state.prompt, end)
        while (start := state.frames) < end:
            here = slice(start, min(borders.after(start), end))
            first, last = (frame // encoder.frames_per_token for frame in (start, here.stop))
            seen = tokens[:, first : last + borders.lookahead]
            mean = decoder.expect_next(seen, state.speaker, last - first, state.encoded)
            mel = decoder.follow(
                mean,
                state.speaker,
                state.noise[..., here].to(mean),
                given[..., here],
                memories=state.memories,
            )
            made.append(mel[..., max(0, before - start) :])
    return torch.cat(made, -1) * config.mel_scale + config.mel_offset
