"""Chatterbox's s3gen.safetensors into our decoder and vocoder: the original's numbers."""

import math
from functools import cache

import pytest
import torch
from reference_chatterbox import tensors_of
from torch import Tensor
from toy_vocoder import relative, toy_tensors

from mamtra.acoustic.vocoder import Vocoder
from mamtra.acoustic.vocoder_stream import ahead_frames, exact_frames, new_state, speak_chunk
from mamtra.interop.chatterbox_acoustics import VOCODER, vocoder_from_chatterbox

TOLERANCE = 1e-4  # relative, of whole signals


@cache
def vocoder() -> Vocoder:
    """The toy vocoder, through the real converter."""
    named = {VOCODER + name: tensor for name, tensor in toy_tensors().items()}
    return vocoder_from_chatterbox(named).eval()


def reference_noise(seed: int) -> Tensor:
    """Noise in the original's order: phases of the overtones, then that of each harmonic.

    Ours has the phases as the normal noise from which they come.
    """
    generator = torch.Generator().manual_seed(seed)
    phases = torch.empty(1, 9).uniform_(-math.pi, math.pi, generator=generator)
    waves = torch.randn(1, 9, 28_800, generator=generator)
    normal = torch.zeros(1, 1, 28_800)
    normal[:, 0, :8] = math.sqrt(2) * torch.erfinv(phases[:, 1:].double() / math.pi)
    return torch.cat([waves, normal], 1)


def test_pitch_equals_the_original() -> None:
    case = tensors_of("hift")
    assert relative(vocoder().predict_pitch(case["mel"]), case["f0"]) < TOLERANCE


@pytest.mark.parametrize("seed", [0, 1])
def test_the_excitation_equals_the_original_given_its_noise(seed: int) -> None:
    case = tensors_of("hift")
    found = vocoder().source(case["f0"], reference_noise(seed))
    assert relative(found[..., ::8], case[f"source_seed{seed}_every_8th"]) < 1e-6


@pytest.mark.parametrize("seed", [0, 1])
def test_samples_equal_the_original(seed: int) -> None:
    case, noise = tensors_of("hift"), reference_noise(seed)
    expected = case[f"wav_seed{seed}_every_4th"].clone()
    found = vocoder().decode(case["mel"], vocoder().source(case["f0"], noise))
    assert relative(found[:, ::4], expected) < TOLERANCE
    expected[:, :240] *= case["opening"][::4]
    assert relative(vocoder()(case["mel"], noise, case["f0"])[:, ::4], expected) < TOLERANCE
    # a last bit of the pitch, counted up over 28,800 samples, moves the phases
    assert relative(vocoder()(case["mel"], noise)[:, ::4], expected) < 5e-4


def test_an_utterance_begins_with_20_ms_of_silence_and_fades_in_over_20_ms() -> None:
    ones = torch.ones(1, 2_000)
    found = vocoder().opened(ones)
    torch.testing.assert_close(found[0, :960], tensors_of("hift")["opening"], atol=1e-6, rtol=0)
    assert torch.equal(found[:, 960:], ones[:, 960:])
    pieces = [vocoder().opened(ones[:, :700]), vocoder().opened(ones[:, 700:], 700)]
    assert torch.equal(torch.cat(pieces, 1), found)


@pytest.mark.parametrize("cuts", [[0, 1, 2, 40], [30]])
def test_a_stream_equals_the_whole(cuts: list[int]) -> None:
    model, case, noise = vocoder(), tensors_of("hift"), reference_noise(0)
    kept, ahead = exact_frames(model.config), ahead_frames(model.config)
    state = new_state(model, context_frames=kept, overlap_frames=ahead, fade_frames=0)
    pieces = []
    for start, end in zip([0, *cuts], [*cuts, 60], strict=True):
        part = noise[..., start * 480 : end * 480]
        pieces.append(speak_chunk(model, case["mel"][..., start:end], state, part, last=end == 60))
    assert relative(torch.cat(pieces, 1), model(case["mel"], noise)) < TOLERANCE
