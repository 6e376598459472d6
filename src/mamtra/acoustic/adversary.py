"""Small judges of sound that train the vocoder: each looks at complex spectra of one window length.

Least squares between real and made sound, and agreement of the judges' inner features, as in many
vocoders since 2019 (arXiv 1910.06711, 2010.05646). Used in training only.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import leaky_relu

WINDOWS = (256, 640, 1280)  # samples; hops are a quarter
LEAK = 0.1
COMPRESSION = 0.3  # exponent of the magnitudes that a judge sees


def complex_spectrum(
    samples: Float[Tensor, "batch samples"], window: int
) -> Float[Tensor, "batch 2 frames frequencies"]:
    """Real and imaginary parts, magnitudes compressed, so that quiet parts are seen as well."""
    hann = torch.hann_window(window, device=samples.device)
    spectrum = torch.stft(samples, window, window // 4, window=hann, return_complex=True)
    parts = torch.stack([spectrum.real, spectrum.imag], 1).mT
    power = parts.square().sum(1, keepdim=True) / hann.square().sum()
    return parts * hann.square().sum() ** -0.5 * (power + 1e-6) ** ((COMPRESSION - 1) / 2)


class SpectrumJudge(nn.Module):
    """Convolutions over time and frequency; a high output means real."""

    def __init__(self, window: int, channels: int = 24) -> None:
        super().__init__()
        self.window = window
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(2, channels, (3, 9), (1, 2), padding=(1, 4)),
                nn.Conv2d(channels, channels, (3, 9), (1, 2), padding=(1, 4)),
                nn.Conv2d(channels, channels, (3, 9), (1, 2), padding=(1, 4)),
                nn.Conv2d(channels, channels, (3, 3), padding=(1, 1)),
            ]
        )
        self.output = nn.Conv2d(channels, 1, (3, 3), padding=(1, 1))

    def forward(self, samples: Float[Tensor, "batch samples"]) -> list[Tensor]:
        """The features of every layer; the last are the judgements."""
        hidden = complex_spectrum(samples, self.window).to(self.output.weight.dtype)
        found = []
        for conv in self.convs:
            hidden = leaky_relu(conv(hidden), LEAK)
            found.append(hidden)
        return [*found, self.output(hidden)]


class Adversary(nn.Module):
    """A judge for each window length."""

    def __init__(self, windows: Sequence[int] = WINDOWS) -> None:
        super().__init__()
        self.judges = nn.ModuleList(SpectrumJudge(window) for window in windows)

    def forward(self, samples: Float[Tensor, "batch samples"]) -> list[list[Tensor]]:
        """The features of every judge."""
        return [judge(samples) for judge in self.judges]

    def losses(
        self, made: Float[Tensor, "batch samples"], wanted: Float[Tensor, "batch samples"]
    ) -> dict[str, Tensor]:
        """What the judges have to lower and what the maker has to, apart from each other.

        Returns:
            ``judges``: squared distance of the judges' answers from 1 for real and 0 for made
            sound; ``fooled``: of the answers to made sound from 1; ``features``: mean difference
            of inner features, relative to their size.
        """
        real, fake = self(wanted), self(made.detach())
        frozen = {name: weight.detach() for name, weight in self.named_parameters()}
        seen: list[list[Tensor]] = functional_call(self, frozen, (made,))
        zero = made.new_zeros(())
        judged, fooled, features = zero, zero, zero
        for true, false, ours in zip(real, fake, seen, strict=True):
            judged = judged + (true[-1].float() - 1).square().mean()
            judged = judged + false[-1].float().square().mean()
            fooled = fooled + (ours[-1].float() - 1).square().mean()
            for theirs, mine in zip(true[:-1], ours[:-1], strict=True):
                goal = theirs.detach().float()
                distance = (mine.float() - goal).abs().mean()
                features = features + distance / goal.abs().mean().clamp(min=1e-4)
        count = len(real)
        return {
            "judges": judged / count,
            "fooled": fooled / count,
            "features": features / count,
        }
