"""Chatterbox's s3gen.safetensors into our decoder and vocoder: the original's numbers."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
import toy_flow
from cosyvoice2_shapes import FULL, flow_shapes, hift_shapes
from reference_chatterbox import s3gen_entries, tensors_of
from torch import Tensor
from toy_vocoder import relative

from mamtra.acoustic.config import VocoderConfig
from mamtra.acoustic.decoder import Decoder
from mamtra.acoustic.decoder_config import DecoderConfig
from mamtra.acoustic.flow_matching import flow
from mamtra.acoustic.velocity import Condition
from mamtra.acoustic.vocoder import Vocoder
from mamtra.acoustic.vocoder_stream import ahead_frames, exact_frames, new_state, speak_chunk
from mamtra.errors import CheckpointError
from mamtra.interop.chatterbox_acoustics import (
    FLOW,
    TIME_MIXER,
    VOCODER,
    decoder_from_chatterbox,
    vocoder_from_chatterbox,
)
from mamtra.runtime.decoder_stream import DecoderStream
from mamtra.runtime.protocols import EncodedPrompt
from mamtra.runtime.sizes import DecoderSizes
from mamtra.runtime.torch.acoustics import TorchDecoder
from mamtra.synthesis.acoustics import flow_noise

TOLERANCE = 1e-4  # relative, of whole signals


@cache
def vocoder() -> Vocoder:
    """The toy vocoder, through the real converter."""
    return vocoder_from_chatterbox(s3gen_entries()).eval()


def flow_entries(case: str) -> dict[str, Tensor]:
    """The toy flow's entries in an s3gen file; the mean flow has one more."""
    entries = s3gen_entries(case == "cfm_meanflow")
    return {name: tensor for name, tensor in entries.items() if name.startswith(FLOW)}


@cache
def decoder(case: str) -> Decoder:
    """The toy decoder, through the real converter."""
    return decoder_from_chatterbox(flow_entries(case), toy_flow.TOY_HEAD_DIM).eval()


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


@pytest.mark.parametrize("case", ["cfm", "cfm_meanflow"])
def test_the_flow_equals_the_original(case: str) -> None:
    random = np.random.default_rng(2)
    mean, given = (
        torch.from_numpy(random.standard_normal((1, 80, 90)).astype(np.float32)) for _ in range(2)
    )
    speaker = torch.from_numpy(random.standard_normal((1, 80)).astype(np.float32))
    given[..., 30:] = 0
    known = Condition(
        content=torch.ones(1, 90, dtype=torch.bool), mean=mean, speaker=speaker, given=given
    )
    noise = torch.randn(1, 80, 90, generator=torch.Generator().manual_seed(3))
    model = decoder(case)
    assert model.velocity is not None
    with torch.inference_mode():
        found = flow(
            model.velocity,
            noise,
            known,
            steps=model.config.steps,
            guidance=model.config.guidance,
            mean_flow=model.config.mean_flow,
        )
    assert relative(found, tensors_of(case)["out"]) < TOLERANCE


@pytest.mark.parametrize("case", ["cfm", "cfm_meanflow"])
def test_a_decoded_stream_waits_for_all_tokens_and_equals_the_whole(case: str) -> None:
    model = decoder(case)
    random = np.random.default_rng(0)
    tokens = random.integers(0, 200, 40).tolist()
    voice = EncodedPrompt(
        tokens=random.integers(0, 200, 5),
        mel=random.standard_normal((80, 10), np.float32),
        speaker=random.standard_normal(192, np.float32),
    )
    engine = TorchDecoder(model)
    noise = flow_noise(engine.sizes, seed=3)
    stream = DecoderStream(voice=voice, noise=noise)
    assert stream.push(engine, tokens[:30]).shape == (80, 0)
    streamed = torch.from_numpy(stream.push(engine, tokens[30:], final=True))
    whole = torch.from_numpy(engine.decode(tokens, voice, noise))
    assert whole.shape == (80, 80)
    assert relative(streamed, whole) < 1e-5


def test_the_noise_of_the_flow_follows_the_seed() -> None:
    sizes = DecoderSizes.of(decoder("cfm").config)
    first, again, other = (flow_noise(sizes, seed) for seed in (1, 1, 2))
    assert first is not None
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    own = flow_noise(DecoderSizes.of(toy_flow.decoder().config), 1)
    assert own is flow_noise(DecoderSizes.of(toy_flow.decoder().config), 2)


def test_published_names_and_sizes_fill_decoder_and_vocoder() -> None:
    with torch.device("meta"):
        decoding = {FLOW + name: torch.empty(s) for name, s in flow_shapes(FULL).items()}
        sounding = {VOCODER + name: torch.empty(s) for name, s in hift_shapes(FULL).items()}
        mixer = {FLOW + TIME_MIXER: torch.empty(1024, 2048)}
    assert (len(decoding), len(sounding)) == (1_121, 328)
    own = DecoderConfig()
    whole = decoder_from_chatterbox(decoding | sounding).config
    assert (whole.steps, whole.guidance, whole.mean_flow) == (own.steps, own.guidance, False)
    turbo = decoder_from_chatterbox(decoding | mixer).config
    assert (turbo.steps, turbo.guidance, turbo.mean_flow) == (2, 0.0, True)
    found = vocoder_from_chatterbox(decoding | sounding).config
    assert found == replace(VocoderConfig(), sampled_phases=True, opening_frames=1)


def test_entries_that_are_left_over_or_missing_are_listed() -> None:
    entries = flow_entries("cfm")
    with pytest.raises(CheckpointError, match=r"Chatterbox's flow: decoder\.more\.weight"):
        decoder_from_chatterbox({**entries, "flow.decoder.more.weight": torch.zeros(1)})
    del entries["flow.encoder_proj.bias"]
    with pytest.raises(CheckpointError, match=r"missing: mean_head\.bias"):
        decoder_from_chatterbox(entries, toy_flow.TOY_HEAD_DIM)
