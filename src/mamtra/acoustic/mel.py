"""Log-mel features as a torch module, for training; ``audio/log_mel.py`` says what they are."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mamtra.audio.log_mel import FLOOR, POWER_GUARD, MelConfig, mel_filters


class LogMel(nn.Module):
    """Log-mel features of a clip; has no weights to learn."""

    filters: Tensor
    hann: Tensor

    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("filters", torch.from_numpy(mel_filters(config)), persistent=False)
        self.register_buffer("hann", torch.hann_window(config.window), persistent=False)

    def forward(
        self, samples: Float[Tensor, "batch samples"]
    ) -> Float[Tensor, "batch bins frames"]:
        """Natural logarithm of mel magnitudes; ``samples // hop`` frames."""
        config = self.config
        margin = (config.n_fft - config.hop) // 2
        padded = nn.functional.pad(samples.float()[:, None], (margin, margin), "reflect")[:, 0]
        spectrum = torch.stft(
            padded,
            config.n_fft,
            config.hop,
            config.window,
            self.hann,
            center=False,
            return_complex=True,
        )
        magnitude = (spectrum.real.square() + spectrum.imag.square() + POWER_GUARD).sqrt()
        return (self.filters @ magnitude).clamp(min=FLOOR).log()
