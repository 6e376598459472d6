"""Speech tokens and a speaker's vector in, mel features out.

The token encoder expects a mel frame; with ``steps`` set, flow matching refines the expectation
into a sharp one, as in CosyVoice 2, and may continue a prompt whose tokens and mel features are
given. With ``steps=0`` (nano) the expectation is the answer, and the encoder itself hears the
speaker.

In chunks: ``DecoderStream`` collects tokens and hands out the frames that no later token can
change.
"""

from dataclasses import dataclass, field

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from mamtra.acoustic.flow_matching import flow
from mamtra.acoustic.token_encoder import TokenEncoder, TokenEncoderConfig, inside
from mamtra.acoustic.velocity import Condition, Velocity, VelocityConfig
from mamtra.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """Sizes of the decoder; defaults are CosyVoice 2's.

    Attributes:
        encoder: sizes of the token encoder.
        velocity: sizes of the velocity network, None without flow matching.
        speaker_dim: width of the speaker's vector.
        steps: Euler steps of the flow; 0 takes what the encoder expects.
        guidance: strength of classifier-free guidance.
        mel_offset, mel_scale: mean and spread that the networks do not have to learn.
    """

    encoder: TokenEncoderConfig | dict[str, int] = field(default_factory=TokenEncoderConfig)
    velocity: VelocityConfig | dict[str, int] | None = field(default_factory=VelocityConfig)
    bins: int = 80
    speaker_dim: int = 192
    steps: int = 10
    guidance: float = 0.7
    mel_offset: float = 0.0
    mel_scale: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.encoder, dict):
            object.__setattr__(self, "encoder", TokenEncoderConfig(**self.encoder))
        if isinstance(self.velocity, dict):
            object.__setattr__(self, "velocity", VelocityConfig(**self.velocity))
        if self.steps and self.velocity is None:
            raise ConfigError(
                f"steps={self.steps} needs a velocity network; give its sizes or 0 steps"
            )
        heard = self.sizes_of_encoder.speaker_dim
        if heard not in (0, self.speaker_dim):
            raise ConfigError(
                f"the encoder hears a speaker vector of {heard} and the decoder is given one of "
                f"{self.speaker_dim}; make them equal or the encoder's 0"
            )

    @property
    def sizes_of_encoder(self) -> TokenEncoderConfig:
        """The encoder's config, whichever way it was given."""
        assert isinstance(self.encoder, TokenEncoderConfig)
        return self.encoder

    @property
    def sizes_of_velocity(self) -> VelocityConfig | None:
        """The velocity network's config, whichever way it was given."""
        assert not isinstance(self.velocity, dict)
        return self.velocity


@dataclass(slots=True, kw_only=True)
class Prompt:
    """What was said before, by the voice to be continued.

    Attributes:
        tokens: speech tokens of the prompt.
        mel: its mel features, at least partly known.
    """

    tokens: Int[Tensor, "1 tokens"]
    mel: Float[Tensor, "1 bins frames"]


class Decoder(nn.Module):
    """Mel features for speech tokens."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        sizes = config.sizes_of_velocity
        self.encoder = TokenEncoder(config.sizes_of_encoder)
        self.mean_head = nn.Linear(config.sizes_of_encoder.dim, config.bins)
        self.speaker = nn.Linear(config.speaker_dim, sizes.speaker_bins) if sizes else None
        self.velocity = Velocity(sizes) if sizes else None

    def expect(
        self,
        tokens: Int[Tensor, "batch tokens"],
        speaker: Float[Tensor, "batch speaker_dim"],
        lengths: Int[Tensor, "batch"] | None = None,
        *,
        chunked: bool = False,
        final: bool = True,
    ) -> Float[Tensor, "batch bins frames"]:
        """What the encoder expects, in float32 and before offset and scale."""
        heard = normalize(speaker, dim=-1) if self.encoder.config.speaker_dim else None
        hidden = self.encoder(tokens, heard, lengths, chunked=chunked, final=final)
        head = self.mean_head
        mean = linear(hidden.float(), head.weight.float(), head.bias.float())
        return rearrange(mean, "b t m -> b m t")

    def condition(
        self,
        mean: Float[Tensor, "batch bins frames"],
        speaker: Float[Tensor, "batch speaker_dim"],
        given: Float[Tensor, "batch bins frames"],
        frames: Int[Tensor, "batch"],
    ) -> Condition:
        """What the velocity network is told; ``frames`` of a row are real."""
        assert self.speaker is not None
        return Condition(
            content=inside(frames, mean.shape[-1]),
            mean=mean,
            speaker=self.speaker(normalize(speaker, dim=-1).to(self.speaker.weight.dtype)),
            given=given,
        )

    def refined(
        self,
        mean: Float[Tensor, "batch bins frames"],
        speaker: Float[Tensor, "batch speaker_dim"],
        noise: Float[Tensor, "1 bins noise_frames"],
        prompt: Prompt | None,
        chunked: bool,
    ) -> Float[Tensor, "batch bins frames"]:
        """The end of the flow that starts in the noise."""
        assert self.velocity is not None
        config, frames = self.config, mean.shape[-1]
        if noise.shape[-1] < frames:
            raise ConfigError(
                f"{frames} mel frames are more than the {noise.shape[-1]} of the noise; "
                f"split the text into shorter pieces"
            )
        given = torch.zeros_like(mean)
        if prompt is not None:
            known = min(prompt.mel.shape[-1], frames)
            given[..., :known] = (prompt.mel[..., :known] - config.mel_offset) / config.mel_scale
        known = self.condition(
            mean, speaker, given, torch.full((mean.shape[0],), frames, device=mean.device)
        )
        start = noise[..., :frames].to(mean).expand_as(mean)
        return flow(
            self.velocity,
            start,
            known,
            steps=config.steps,
            guidance=config.guidance,
            chunked=chunked,
        )

    def forward(
        self,
        tokens: Int[Tensor, "batch tokens"],
        speaker: Float[Tensor, "batch speaker_dim"],
        prompt: Prompt | None = None,
        noise: Float[Tensor, "1 bins noise_frames"] | None = None,
        *,
        chunked: bool = False,
        final: bool = True,
    ) -> Float[Tensor, "batch bins frames"]:
        """Mel features of the new tokens.

        Args:
            tokens: the speech tokens to say.
            speaker: the speaker's vector, of any length.
            prompt: what was said before.
            noise: where the flow starts (``fixed_noise``), prompt included; not used with 0 steps.
            chunked: attention ends with each step's own chunk, as in streaming.
            final: no more tokens will come; otherwise the last ones only give context.

        Raises:
            ConfigError: the flow needs noise, or more of it.
        """
        config = self.config
        before = 0
        if prompt is not None:
            before = prompt.mel.shape[-1]
            said = prompt.tokens.expand(tokens.shape[0], -1)
            tokens = torch.cat([said.to(tokens.dtype), tokens], dim=1)
        mel = self.expect(tokens, speaker, chunked=chunked, final=final)
        if config.steps:
            if noise is None:
                raise ConfigError("this decoder starts in noise; give it fixed_noise(bins)")
            mel = self.refined(mel, speaker, noise, prompt, chunked)
        return mel[..., before:] * config.mel_scale + config.mel_offset


@dataclass(slots=True, kw_only=True)
class DecoderStream:
    """An utterance that arrives in pieces; the joined output equals one chunked pass.

    Frames are handed out chunk by chunk: a chunk is ready when its tokens and the lookahead are
    there. Each piece is computed together with everything before it, so the work grows with the
    square of the length.

    Attributes:
        tokens: what has arrived.
        frames: how many frames were handed out.
    """

    speaker: Float[Tensor, "1 speaker_dim"]
    prompt: Prompt | None = None
    noise: Float[Tensor, "1 bins noise_frames"] | None = None
    tokens: list[int] = field(default_factory=list)
    frames: int = 0

    def ready(self, decoder: Decoder, final: bool) -> int:
        """Tokens whose frames can be handed out now."""
        config = decoder.config.sizes_of_encoder
        if final:
            return len(self.tokens)
        before = 0 if self.prompt is None else self.prompt.tokens.shape[1]
        visible = before + len(self.tokens) - config.lookahead_tokens
        return max(0, visible // config.chunk_tokens * config.chunk_tokens - before)

    def drop(self, decoder: Decoder, count: int) -> None:
        """Forget the last tokens, as far as no frame that was handed out has seen them."""
        config = decoder.config.sizes_of_encoder
        heard = self.frames // config.frames_per_token
        seen = heard + config.lookahead_tokens if heard else 0
        del self.tokens[max(len(self.tokens) - count, min(seen, len(self.tokens))) :]

    def push(
        self, decoder: Decoder, tokens: list[int], final: bool = False
    ) -> Float[Tensor, "1 bins frames"]:
        """Take tokens, give the frames that are ready; ``final`` gives the rest.

        Args:
            decoder: the decoder, the same for every piece.
            tokens: new speech tokens, any number.
            final: no more will come.
        """
        config = decoder.config.sizes_of_encoder
        self.tokens.extend(tokens)
        ready = self.ready(decoder, final)
        wanted = ready * config.frames_per_token - self.frames
        if wanted <= 0:
            return torch.zeros(1, decoder.config.bins, 0, device=self.speaker.device)
        used = self.tokens if final else self.tokens[: ready + config.lookahead_tokens]
        ids = torch.tensor([used], dtype=torch.long, device=self.speaker.device)
        mel = decoder(ids, self.speaker, self.prompt, self.noise, chunked=True, final=final)
        piece = mel[..., self.frames : self.frames + wanted]
        self.frames += wanted
        return piece
