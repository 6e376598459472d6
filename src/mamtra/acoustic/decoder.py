"""Speech tokens and a speaker's vector in, mel features out.

The token encoder expects a mel frame; with ``steps`` set, flow matching refines the expectation
into a sharp one, as in CosyVoice, and may continue a prompt whose tokens and mel features are
given. With ``steps=0`` (nano) the expectation is the answer, and the encoder itself hears the
speaker.

In chunks: ``runtime/decoder_stream.py`` collects tokens and hands out the frames that no later
token can change.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from mamtra.acoustic.causal_memory import CausalMemory, EncoderMemory
from mamtra.acoustic.decoder_config import DecoderConfig, DiffusionTransformerConfig, VelocityConfig
from mamtra.acoustic.diffusion_transformer import DiffusionTransformer
from mamtra.acoustic.flow_matching import flow
from mamtra.acoustic.token_encoder import PlainTokenEncoder, TokenEncoder, length_mask
from mamtra.acoustic.velocity import Condition, Velocity
from mamtra.errors import ConfigError


@dataclass(slots=True, kw_only=True)
class Prompt:
    """What was said before, by the voice to be continued.

    Attributes:
        tokens: speech tokens of the prompt.
        mel: its mel features, at least partly known.
    """

    tokens: Int[Tensor, "1 tokens"]
    mel: Float[Tensor, "1 bins frames"]


def velocity_network(
    sizes: VelocityConfig | DiffusionTransformerConfig | None,
) -> Velocity | DiffusionTransformer | None:
    """The network that these sizes describe; None without flow matching."""
    match sizes:
        case DiffusionTransformerConfig():
            return DiffusionTransformer(sizes)
        case VelocityConfig():
            return Velocity(sizes)
        case None:
            return None


class Decoder(nn.Module):
    """Mel features for speech tokens."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        sizes = config.velocity
        encoder = config.encoder
        self.encoder = PlainTokenEncoder(encoder) if encoder.plain else TokenEncoder(encoder)
        self.mean_head = None if encoder.plain else nn.Linear(encoder.dim, config.bins)
        self.speaker = nn.Linear(config.speaker_dim, sizes.speaker_bins) if sizes else None
        self.velocity = velocity_network(sizes)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.encoder.embedding.weight.device

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
        if isinstance(self.encoder, PlainTokenEncoder):
            return self.mean(self.encoder(tokens, lengths, final=final))
        heard = self.heard(speaker)
        return self.mean(self.encoder(tokens, heard, lengths, chunked=chunked, final=final))

    def expect_next(
        self,
        tokens: Int[Tensor, "batch tokens"],
        speaker: Float[Tensor, "batch speaker_dim"],
        kept: int,
        memory: EncoderMemory,
    ) -> Float[Tensor, "batch bins frames"]:
        """The same of a stream's next chunk; arguments as for ``TokenEncoder.go_on``."""
        if isinstance(self.encoder, PlainTokenEncoder):
            return self.mean(self.encoder.go_on(tokens, kept, memory))
        return self.mean(self.encoder.go_on(tokens, self.heard(speaker), kept, memory))

    def heard(
        self, speaker: Float[Tensor, "batch speaker_dim"]
    ) -> Float[Tensor, "batch speaker_dim"] | None:
        """The speaker's direction, for an encoder that hears it."""
        return normalize(speaker, dim=-1) if self.encoder.config.speaker_dim else None

    def mean(self, hidden: Float[Tensor, "batch frames dim"]) -> Float[Tensor, "batch bins frames"]:
        """Mel features of the encoder's vectors, in float32."""
        mean, head = hidden.float(), self.mean_head
        if head is not None:
            mean = linear(mean, head.weight.float(), head.bias.float())
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
            content=length_mask(frames, mean.shape[-1]),
            mean=mean,
            speaker=self.speaker(normalize(speaker, dim=-1).to(self.speaker.weight.dtype)),
            given=given,
        )

    def given(self, prompt: Prompt | None, frames: int) -> Float[Tensor, "1 bins frames"]:
        """The prompt's mel features as the flow takes them, and zeros behind."""
        config = self.config
        given = torch.zeros(1, config.bins, frames, device=self.device)
        if prompt is not None:
            known = min(prompt.mel.shape[-1], frames)
            given[..., :known] = (prompt.mel[..., :known] - config.mel_offset) / config.mel_scale
        return given

    def refined(
        self,
        mean: Float[Tensor, "batch bins frames"],
        speaker: Float[Tensor, "batch speaker_dim"],
        noise: Float[Tensor, "1 bins noise_frames"],
        prompt: Prompt | None,
        chunked: bool,
    ) -> Float[Tensor, "batch bins frames"]:
        """The end of the flow that starts in the noise."""
        frames = mean.shape[-1]
        if noise.shape[-1] < frames:
            raise ConfigError(
                f"{frames} mel frames are more than the {noise.shape[-1]} of the noise; "
                f"split the text into shorter pieces"
            )
        given = self.given(prompt, frames).to(mean).expand_as(mean)
        start = noise[..., :frames].to(mean).expand_as(mean)
        return self.follow(mean, speaker, start, given, chunked=chunked)

    def follow(
        self,
        mean: Float[Tensor, "batch bins frames"],
        speaker: Float[Tensor, "batch speaker_dim"],
        start: Float[Tensor, "batch bins frames"],
        given: Float[Tensor, "batch bins frames"],
        *,
        chunked: bool = False,
        memories: Sequence[CausalMemory] | None = None,
    ) -> Float[Tensor, "batch bins frames"]:
        """The end of the flow, before offset and scale; as ``flow_matching.flow``."""
        assert self.velocity is not None
        real = torch.full((mean.shape[0],), mean.shape[-1], device=mean.device)
        return flow(
            self.velocity,
            start,
            self.condition(mean, speaker, given, real),
            steps=self.config.steps,
            guidance=self.config.guidance,
            chunked=chunked,
            memories=memories,
            mean_flow=self.config.mean_flow,
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
            noise: where the flow starts, prompt included; not used with 0 steps.
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
                raise ConfigError("this decoder starts in noise; give it some for every mel frame")
            mel = self.refined(mel, speaker, noise, prompt, chunked)
        return mel[..., before:] * config.mel_scale + config.mel_offset
