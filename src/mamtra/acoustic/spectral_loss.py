"""How far one sound is from another, measured on short-time spectra of several sizes.

Long windows see harmonics, short ones see when things happen; agreeing in all leaves little room to
differ audibly. Phase is not compared: two sounds that differ only there mostly sound alike.
"""

import torch
from jaxtyping import Float
from torch import Tensor

RESOLUTIONS = ((256, 64), (512, 128), (1024, 256), (2048, 512))  # window and hop, in samples
FLOOR = 3e-4  # magnitudes below are silence


def magnitudes(
    samples: Float[Tensor, "batch samples"], n_fft: int, hop: int
) -> Float[Tensor, "batch frequencies frames"]:
    """Magnitudes of the short-time spectrum, of unit scale whatever the window."""
    window = torch.hann_window(n_fft, device=samples.device)
    spectrum = torch.stft(samples, n_fft, hop, window=window, return_complex=True)
    power = spectrum.real.square() + spectrum.imag.square()
    return (power / window.square().sum() + FLOOR**2).sqrt()


def spectral_distance(
    made: Float[Tensor, "batch samples"],
    wanted: Float[Tensor, "batch samples"],
    resolutions: tuple[tuple[int, int], ...] = RESOLUTIONS,
) -> Float[Tensor, ""]:
    """Mean over the resolutions of log-magnitude distance and spectral convergence."""
    total = made.new_zeros(())
    for n_fft, hop in resolutions:
        ours, theirs = magnitudes(made, n_fft, hop), magnitudes(wanted, n_fft, hop)
        convergence = (ours - theirs).norm() / theirs.norm().clamp(min=1e-6)
        total = total + (ours.log() - theirs.log()).abs().mean() + convergence
    return total / len(resolutions)


def loudness_distance(
    made: Float[Tensor, "batch samples"], wanted: Float[Tensor, "batch samples"], hop: int
) -> Float[Tensor, ""]:
    """Mean difference of the logarithm of the power of pieces of ``hop`` samples."""

    def loudness(samples: Tensor) -> Tensor:
        return (samples.unfold(-1, hop, hop).square().mean(-1) + FLOOR**2).log()

    return (loudness(made) - loudness(wanted)).abs().mean()
