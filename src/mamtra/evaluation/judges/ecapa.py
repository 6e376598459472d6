"""ECAPA-TDNN over the hidden states of WavLM, as Seed-TTS-eval compares voices.

The network of microsoft/UniSpeech (downstreams/speaker_verification): a weighted sum of WavLM's
hidden states, normalised over time, three squeezed and excited Res2 blocks, attentive statistics.
Names of modules are those of the published weights. Axes: b batch, c channels, t time.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

DILATIONS = (2, 3, 4)
SCALE = 8  # parts of a Res2 convolution
ATTENTION, SQUEEZED = 128, 128  # channels
LEAST_VARIANCE = 1e-9
SHIFT = 1e-6  # added to the features before they are normalised


@dataclass(frozen=True, slots=True, kw_only=True)
class EcapaConfig:
    """Sizes; defaults are the published weights'.

    Attributes:
        hidden: channels of WavLM.
        states: hidden states of WavLM: one for the input of each layer, one for the output.
        wavlm: of transformers' WavLMConfig, beyond its defaults.
    """

    hidden: int = 1024
    states: int = 25
    channels: int = 512
    pooled: int = 1536
    width: int = 256
    wavlm: dict[str, Any] = field(
        default_factory=lambda: {
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
            "feat_extract_norm": "layer",
            "do_stable_layer_norm": True,
        }
    )


class ConvReluNorm(nn.Module):
    """Convolution, ReLU, batch norm, in this order."""

    def __init__(self, given: int, made: int, kernel: int = 1, padding: int = 0) -> None:
        super().__init__()
        self.conv = nn.Conv1d(given, made, kernel, padding=padding)
        self.bn = nn.BatchNorm1d(made)

    def forward(self, value: Float[Tensor, "b c t"]) -> Float[Tensor, "b d t"]:
        """Convolve."""
        return self.bn(self.conv(value).relu())


class Res2(nn.Module):
    """Channels in parts: each part's convolution also sees what the part before it became."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.part = channels // SCALE
        self.convs = nn.ModuleList(
            nn.Conv1d(self.part, self.part, 3, padding=dilation, dilation=dilation)
            for _ in range(SCALE - 1)
        )
        self.bns = nn.ModuleList(nn.BatchNorm1d(self.part) for _ in range(SCALE - 1))

    def forward(self, value: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        """Convolve part by part; the last part passes as it is."""
        parts = value.split(self.part, dim=1)
        made: list[Tensor] = []
        for part, conv, norm in zip(parts, self.convs, self.bns, strict=False):
            made.append(norm(conv(part + made[-1] if made else part).relu()))
        return torch.cat([*made, parts[-1]], dim=1)


class SqueezeExcite(nn.Module):
    """Weighs channels by what they hold on the whole."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(channels, SQUEEZED)
        self.linear2 = nn.Linear(SQUEEZED, channels)

    def forward(self, value: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        """Weigh."""
        weights = self.linear2(self.linear1(value.mean(2)).relu()).sigmoid()
        return value * weights[..., None]


class Block(nn.Module):
    """One block with its way around."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.Conv1dReluBn1 = ConvReluNorm(channels, channels)
        self.Res2Conv1dReluBn = Res2(channels, dilation)
        self.Conv1dReluBn2 = ConvReluNorm(channels, channels)
        self.SE_Connect = SqueezeExcite(channels)

    def forward(self, value: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        """Transform and add."""
        inner = self.Conv1dReluBn2(self.Res2Conv1dReluBn(self.Conv1dReluBn1(value)))
        return value + self.SE_Connect(inner)


class StatisticsPool(nn.Module):
    """Mean and deviation over time, weighed by attention of each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear1 = nn.Conv1d(channels, ATTENTION, 1)
        self.linear2 = nn.Conv1d(ATTENTION, channels, 1)

    def forward(self, value: Float[Tensor, "b c t"]) -> Float[Tensor, "b d"]:
        """Pool."""
        weights = self.linear2(self.linear1(value).tanh()).softmax(2)
        mean = (weights * value).sum(2)
        variance = (weights * value.square()).sum(2) - mean.square()
        return torch.cat([mean, variance.clamp(min=LEAST_VARIANCE).sqrt()], dim=1)


class Ecapa(nn.Module):
    """From WavLM's hidden states to the voice."""

    def __init__(self, config: EcapaConfig) -> None:
        super().__init__()
        channels = config.channels
        self.feature_weight = nn.Parameter(torch.zeros(config.states))
        self.instance_norm = nn.InstanceNorm1d(config.hidden)
        self.layer1 = ConvReluNorm(config.hidden, channels, kernel=5, padding=2)
        self.layer2, self.layer3, self.layer4 = (
            Block(channels, dilation) for dilation in DILATIONS
        )
        self.conv = nn.Conv1d(len(DILATIONS) * channels, config.pooled, 1)
        self.pooling = StatisticsPool(config.pooled)
        self.bn = nn.BatchNorm1d(2 * config.pooled)
        self.linear = nn.Linear(2 * config.pooled, config.width)

    def forward(self, states: Float[Tensor, "s b t c"]) -> Float[Tensor, "b d"]:
        """The voice of each row."""
        weights = self.feature_weight.softmax(0)
        mixed = torch.einsum("s, s b t c -> b c t", weights, states) + SHIFT
        made = [self.layer1(self.instance_norm(mixed))]
        for block in (self.layer2, self.layer3, self.layer4):
            made.append(block(made[-1]))
        pooled = self.pooling(self.conv(torch.cat(made[1:], dim=1)).relu())
        return self.linear(self.bn(pooled))
