"""The vocoder, its pitch, its excitation and its stream."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mamtra.acoustic.mel import LogMel
from mamtra.acoustic.pitch import track_pitch
from mamtra.acoustic.source import HarmonicSource, cycles_at_samples
from mamtra.acoustic.spectral_loss import loudness_distance, spectral_distance
from mamtra.acoustic.vocoder import Vocoder, VocoderConfig
from mamtra.acoustic.vocoder_stream import (
    VocoderState,
    ahead_frames,
    exact_frames,
    new_state,
    speak_chunk,
)
from mamtra.errors import ConfigError
from mamtra.recipes.nano.vocoder import NANO_MEL, NANO_VOCODER

SMALL_NANO = replace(NANO_VOCODER, channels=16, pitch_channels=16)
# phases add up, so a last bit of pitch grows with the samples: fewer of them in a frame
SMALL_FILTER = replace(SMALL_NANO, rate_hz=16_000, n_fft=320, hop=80)
SMALL_HIFT = VocoderConfig(channels=16, pitch_channels=16)
FRAMES = 90


def vocoder_of(config: VocoderConfig) -> Vocoder:
    """A vocoder with random weights and a pitch in the range of speech."""
    torch.manual_seed(0)
    vocoder = Vocoder(config).eval().requires_grad_(False)
    vocoder.pitch.output.bias.fill_(150 / config.pitch_scale_hz)
    return vocoder


def mel_and_noise(vocoder: Vocoder, batch: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    mel = torch.randn(batch, vocoder.config.bins, FRAMES, generator=generator) - 4
    return mel, vocoder.draw_noise(batch, FRAMES, generator)


def streamed(
    vocoder: Vocoder, mel: Tensor, noise: Tensor, cuts: list[int], state: VocoderState
) -> list[Tensor]:
    hop, pieces = vocoder.config.mel_hop, []
    for start, end in zip([0, *cuts], [*cuts, mel.shape[-1]], strict=True):
        piece = noise[..., start * hop : end * hop]
        last = end == mel.shape[-1]
        pieces.append(speak_chunk(vocoder, mel[..., start:end], state, piece, last=last))
    return pieces


@pytest.mark.parametrize("config", [SMALL_FILTER, SMALL_HIFT], ids=["filter", "spectrum"])
@pytest.mark.parametrize("cuts", [[45], [1, 2, 50, 51], [30, 60]])
def test_pieces_equal_the_whole(config: VocoderConfig, cuts: list[int]) -> None:
    vocoder = vocoder_of(config)
    mel, noise = mel_and_noise(vocoder)
    context, ahead = exact_frames(config), ahead_frames(config)
    state = new_state(vocoder, context_frames=context, overlap_frames=ahead + 2, fade_frames=2)
    pieces = streamed(vocoder, mel, noise, cuts, state)
    torch.testing.assert_close(torch.cat(pieces, -1), vocoder(mel, noise), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("config", [SMALL_FILTER, SMALL_NANO, SMALL_HIFT])
def test_no_sample_depends_on_frames_beyond_those_held_back_or_kept(config: VocoderConfig) -> None:
    vocoder = vocoder_of(config)
    mel, noise = mel_and_noise(vocoder)
    pitch, place, hop = vocoder.predict_pitch(mel), FRAMES // 2, config.mel_hop
    later, earlier = mel.clone(), mel.clone()
    later[..., place:] += 3
    earlier[..., :place] += 3
    settled = (place - ahead_frames(config)) * hop
    torch.testing.assert_close(
        vocoder(later, noise)[:, :settled], vocoder(mel, noise)[:, :settled], atol=1e-7, rtol=0
    )
    after = (place + exact_frames(config)) * hop
    whole, changed = (vocoder(given, noise, pitch)[:, after:] for given in (mel, earlier))
    torch.testing.assert_close(changed, whole, atol=1e-7, rtol=0)


@pytest.mark.parametrize(("context", "fade"), [(0, 8), (8, 4)])
def test_no_click_where_pieces_meet(context: int, fade: int) -> None:
    vocoder = vocoder_of(SMALL_NANO)
    mel, noise = mel_and_noise(vocoder)
    state = new_state(vocoder, context_frames=context, fade_frames=fade)
    pieces = streamed(vocoder, mel, noise, [30, 60], state)
    joined = torch.cat(pieces, -1)
    assert joined.shape == (1, FRAMES * SMALL_NANO.mel_hop)
    steps = joined.diff().abs()[0]
    usual = torch.quantile(steps, 0.999)
    seam = 0
    for piece in pieces[:-1]:
        seam += piece.shape[-1]
        assert steps[seam - 3 : seam + 3].max() <= 1.5 * usual


def test_a_stream_remembers_no_more_as_it_goes_on() -> None:
    vocoder = vocoder_of(SMALL_NANO)
    mel, noise = mel_and_noise(vocoder)
    state, sizes = new_state(vocoder), []
    for start in range(0, 80, 20):
        hop = SMALL_NANO.mel_hop
        piece = noise[..., start * hop : (start + 20) * hop]
        speak_chunk(vocoder, mel[..., start : start + 20], state, piece)
        sizes.append(state.nbytes)
    assert sizes[1:] == sizes[:1] * 3


def test_rows_are_independent() -> None:
    vocoder = vocoder_of(SMALL_NANO)
    mel, noise = mel_and_noise(vocoder, batch=3)
    together = vocoder(mel, noise)
    for row in range(3):
        alone = vocoder(mel[row : row + 1], noise[row : row + 1])[0]
        torch.testing.assert_close(alone, together[row], atol=2e-4, rtol=1e-3)


def test_the_same_seed_gives_the_same_sound_and_the_global_generator_is_left_alone() -> None:
    vocoder = vocoder_of(SMALL_NANO)
    mel, _ = mel_and_noise(vocoder)
    before = torch.random.get_rng_state()
    first, second = (vocoder(mel, generator=torch.Generator().manual_seed(s)) for s in (3, 3))
    other = vocoder(mel, generator=torch.Generator().manual_seed(4))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


def test_nano_is_small_and_speaks_its_hop() -> None:
    vocoder = Vocoder(NANO_VOCODER)
    assert NANO_VOCODER.mel_hop == NANO_MEL.hop
    assert 2 * sum(weight.numel() for weight in vocoder.parameters()) < 5_000_000


def test_every_weight_of_the_trunk_learns_in_bfloat16() -> None:
    vocoder = vocoder_of(SMALL_NANO).train().requires_grad_(True).to(torch.bfloat16)
    mel, noise = mel_and_noise(vocoder)
    loss = vocoder(mel, noise, torch.full((1, FRAMES), 120.0)).square().mean()
    (loss + vocoder.predict_pitch(mel).mean()).backward()
    assert all(weight.grad is not None for weight in vocoder.parameters())


@pytest.mark.parametrize("pitch", [80.0, 123.4, 310.0])
def test_the_tracker_finds_the_pitch_of_pulses_and_none_in_noise(pitch: float) -> None:
    source = HarmonicSource(16_000, 320, 0, 50.0)
    noise = torch.randn(1, 1, 50 * 320, generator=torch.Generator().manual_seed(0))
    pulses, breath = source(torch.full((1, 50), pitch), noise)[0]
    # speech falls towards high frequencies; so must the pulses
    spectrum = torch.fft.rfft(pulses)
    voice = torch.fft.irfft(spectrum / (1 + torch.arange(len(spectrum)) / 300) ** 2)
    found = track_pitch(voice[None], 16_000, 320)[0, 3:-3]
    torch.testing.assert_close(found, torch.full_like(found, pitch), rtol=0.01, atol=0)
    assert (track_pitch(breath[None], 16_000, 320) > 0).float().mean() < 0.1


def test_a_pitch_above_half_the_rate_has_no_pulses() -> None:
    source = HarmonicSource(16_000, 160, 0, 10.0)
    pitch = torch.tensor([[7_000.0] * 10 + [8_001.0, 20_000.0] * 5])
    pulses = source(pitch, torch.zeros(1, 1, 20 * 160))[0, 0]
    assert pulses[: 10 * 160].abs().max() > 0
    assert (pulses[10 * 160 :] == 0).all()


def test_pulses_hold_all_harmonics_below_half_the_rate_and_none_above() -> None:
    source = HarmonicSource(16_000, 320, 0, 50.0)
    pulses = source(torch.full((1, 50), 100.0), torch.zeros(1, 1, 16_000))[0, 0, 320:-320]
    spectrum = torch.fft.rfft(pulses[: 160 * 90]).abs() / (160 * 90 / 2)
    harmonics = spectrum[90::90]
    expected = 0.1 * (2 / 80) ** 0.5
    torch.testing.assert_close(harmonics[:79], torch.full((79,), expected), rtol=0.01, atol=0)
    assert spectrum[45::90].max() < 0.01 * expected


def test_phase_stays_exact_in_a_long_sound() -> None:
    cycles = cycles_at_samples(torch.full((1, 3000), 200.0), 24_000, 480)
    assert cycles.dtype == torch.float64
    assert abs(float(cycles[0, -1]) - 3000 * 480 * 200 / 24_000) < 1e-6


def test_a_loss_of_zero_means_the_same_sound() -> None:
    sound = torch.randn(2, 8000, generator=torch.Generator().manual_seed(0)) * 0.1
    assert spectral_distance(sound, sound) == 0
    assert loudness_distance(sound, sound, 320) == 0
    assert spectral_distance(sound, 0.5 * sound) > 0.5


def test_mel_features_of_the_output_have_as_many_frames_as_the_input() -> None:
    vocoder = vocoder_of(SMALL_NANO)
    mel, noise = mel_and_noise(vocoder)
    assert LogMel(NANO_MEL)(vocoder(mel, noise)).shape == mel.shape


@pytest.mark.parametrize(
    "change",
    [
        {"upsample_kernels": (9,)},
        {"upsample_kernels": (11, 11)},
        {"overtones": 8},
        {"channels": 255},
    ],
)
def test_sizes_that_cannot_work_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        replace(NANO_VOCODER, **change)


def test_a_negative_overlap_is_refused() -> None:
    with pytest.raises(ConfigError):
        new_state(vocoder_of(SMALL_NANO), overlap_frames=-1)


@pytest.mark.parametrize(("config", "same"), [(SMALL_FILTER, False), (SMALL_HIFT, True)])
def test_only_the_originals_phases_stay_within_a_radian(config: VocoderConfig, same: bool) -> None:
    vocoder = vocoder_of(config)
    mel, noise = mel_and_noise(vocoder)
    bias = vocoder.conv_out.bias
    assert bias is not None

    def spoken(phase: float) -> Tensor:
        """With this phase everywhere, before the original bends it."""
        with torch.inference_mode():
            vocoder.conv_out.weight[-config.frequencies :].zero_()
            bias[-config.frequencies :].fill_(phase)
            return vocoder(mel, noise)

    first, bent, turned = spoken(0.5), spoken(math.pi - 0.5), spoken(0.5 + 2 * math.pi)
    assert torch.allclose(first, turned, atol=1e-4)
    assert torch.allclose(first, bent, atol=1e-4) == same
