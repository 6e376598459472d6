"""CosyVoice 3's flow.pt and hift.pt into decoder and vocoder: the same numbers as the original."""

import random

import numpy as np
import pytest
import torch
from cosyvoice3_shapes import REFERENCE, flow_shapes, hift_shapes
from reference import fixed_noise
from reference3 import (
    HOP,
    decoder,
    relative,
    synthetic_weights,
    tensors_of,
    values_of,
    vocoder,
    vocoder_noise,
)
from torch import Tensor

from mamtra.acoustic.config import VocoderConfig
from mamtra.acoustic.decoder import Prompt
from mamtra.acoustic.decoder_config import (
    DecoderConfig,
    DiffusionTransformerConfig,
    TokenEncoderConfig,
)
from mamtra.acoustic.flow_matching import flow_loss
from mamtra.acoustic.velocity import Condition
from mamtra.acoustic.vocoder_stream import ahead_frames, exact_frames, new_state, speak_chunk
from mamtra.errors import CheckpointError, ConfigError
from mamtra.interop.cosyvoice3_flow import decoder_from_cosyvoice3
from mamtra.interop.cosyvoice_vocoder import is_causal, vocoder_from_cosyvoice
from mamtra.runtime.sizes import VocoderSizes
from mamtra.synthesis.acoustics import NoiseSource

NOISE = fixed_noise(80)
TOLERANCE = 1e-4
CUTS = (45, 95, 96)  # tokens after which a chunk was decoded, lookahead not counted


def decode(count: int | None = None, prompted: bool = True, **how: bool) -> Tensor:
    """Mel features of the first tokens of the case."""
    case = tensors_of("flow")
    prompt = Prompt(tokens=case["prompt_token"].long(), mel=case["prompt_feat"].mT)
    tokens = case["token"][:, :count].long()
    with torch.inference_mode():
        return decoder()(tokens, case["embedding"], prompt if prompted else None, NOISE, **how)


def test_sizes_are_read_from_the_shapes() -> None:
    velocity = decoder().config.velocity
    assert isinstance(velocity, DiffusionTransformerConfig)
    assert (velocity.dim, velocity.layers, velocity.mlp_dim) == (96, 3, 192)
    assert (velocity.heads, velocity.head_dim) == (2, 32)
    assert decoder().config.encoder.lookahead_channels == 64


def test_mel_features_equal_the_original() -> None:
    case = tensors_of("flow")
    assert relative(decode(), case["offline"]) < TOLERANCE
    unprompted = decode(40, prompted=False)[:, ::4]
    assert relative(unprompted, case["no_prompt_40_every_4th_bin"]) < TOLERANCE


def test_mel_features_in_chunks_equal_the_original() -> None:
    case = tensors_of("flow")
    whole = decode(chunked=True)
    assert relative(whole[:, ::4], case["streaming_full_every_4th_bin"]) < TOLERANCE
    for index, tokens in enumerate(CUTS):
        piece = decode(tokens + 3, chunked=True, final=False)
        assert relative(piece[..., -8:], case[f"chunks.{index}_last_8"]) < TOLERANCE
    first = decode(4, chunked=True, final=False)
    assert relative(first, case["chunk_of_one_token"]) < TOLERANCE


@pytest.mark.parametrize(("chunked", "name"), [(False, "offline"), (True, "streaming")])
def test_velocities_equal_the_original_beside_a_padded_row(chunked: bool, name: str) -> None:
    case, drawn = tensors_of("flow"), np.random.default_rng(9)
    point, mean, given = (
        torch.from_numpy(drawn.standard_normal((2, 80, 133)).astype(np.float32)) for _ in range(3)
    )
    speaker = torch.from_numpy(drawn.standard_normal((2, 80)).astype(np.float32))
    content = torch.ones(2, 133, dtype=torch.bool)
    content[1, 101:] = False
    known = Condition(content=content, mean=mean, speaker=speaker, given=given)
    velocity, time = decoder().velocity, torch.tensor([0.1, 0.85])
    assert velocity is not None
    with torch.inference_mode():
        found = velocity(point, time, known, chunked=chunked)
        assert relative(velocity.time(time), case["time_embed"]) < TOLERANCE
    wanted = case[f"velocity_{name}_every_4th_bin"]
    assert relative(found[:1, ::4], wanted[:1]) < TOLERANCE
    assert relative(found[1:, ::4, :101], wanted[1:, :, :101]) < TOLERANCE


def losses(seed: int) -> tuple[float, float]:
    """Our loss and the original's of its training batch."""
    case, values = tensors_of("flow_train"), values_of("flow_train")
    random.seed(seed)
    torch.manual_seed(seed)
    chunked = random.random() < 0.5
    mel, lengths = case["batch.speech_feat"], case["batch.speech_feat_len"]
    given = torch.zeros_like(mel)
    for row, length in enumerate(lengths.tolist()):
        if random.random() >= 0.5:
            share = random.randint(0, int(0.3 * length))
            given[row, :share] = mel[row, :share]
    model, tokens = decoder(), case["batch.speech_token_len"].long()
    with torch.inference_mode():
        mean = model.expect(case["batch.speech_token"], case["batch.embedding"], tokens)
        known = model.condition(mean, case["batch.embedding"], given.mT, lengths.long())
        assert model.velocity is not None
        loss = flow_loss(model.velocity, mel.mT.contiguous(), known, chunked=chunked)
    return float(loss), values[f"seeds.{seed}.loss"]


@pytest.mark.parametrize("seed", range(4))
def test_the_training_loss_equals_the_original(seed: int) -> None:
    ours, theirs = losses(seed)
    assert ours == pytest.approx(theirs, rel=TOLERANCE)


def test_pitch_excitation_and_samples_equal_the_original() -> None:
    case, model, noise = tensors_of("hift"), vocoder(), vocoder_noise(1986, 60)
    with torch.inference_mode():
        pitch = model.predict_pitch(case["mel"])
        assert torch.equal(pitch, case["f0"])
        source = model.source(pitch, noise)
        assert relative(source[..., ::4], case["source_a_every_4th"]) < TOLERANCE
        assert relative(model(case["mel"], noise), case["wav_a"]) < TOLERANCE
        other = model(case["mel"], vocoder_noise(1987, 60))
    assert relative(other[:, ::4], case["wav_b_every_4th"]) < TOLERANCE


def test_pieces_of_the_vocoder_equal_the_original_that_has_more_to_come() -> None:
    case, model, noise = tensors_of("hift"), vocoder(), vocoder_noise(1986, 60)
    frames, ahead = exact_frames(model.config), ahead_frames(model.config)
    state = new_state(model, context_frames=frames, overlap_frames=ahead, fade_frames=0)
    pieces = []
    with torch.inference_mode():
        for start, end in ((0, 20), (20, 45), (45, 60)):
            part = noise[..., start * HOP : end * HOP]
            mel = case["mel"][..., start:end]
            pieces.append(speak_chunk(model, mel, state, part, last=end == 60))
    assert [piece.shape[-1] for piece in pieces] == [5760, 12000, 11040]
    joined = torch.cat(pieces, -1)
    assert relative(joined, case["wav_a"]) < TOLERANCE
    last = joined[:, 17760 - HOP : 17760]
    assert relative(last, case["wav_a_part45_last_480"]) < TOLERANCE


def test_the_published_noise_is_found_without_building_the_networks() -> None:
    values = values_of("published_noise")["sine_waves"]
    sizes = VocoderSizes.of(VocoderConfig(causal=True))
    source = NoiseSource(sizes, seed=7)
    drawn = np.concatenate([source.draw(100), source.draw(12_000)], axis=1).T.ravel()
    assert drawn[:9].tolist() == pytest.approx(values["first"], abs=1e-9)
    assert drawn[100_000:100_004].tolist() == pytest.approx(values["at_100000"], abs=1e-9)


def test_leftover_missing_and_misshapen_tensors_are_listed() -> None:
    tensors = synthetic_weights(flow_shapes(REFERENCE))
    with pytest.raises(CheckpointError, match=r"1 entries .* CosyVoice 3's flow: llm\.weight"):
        decoder_from_cosyvoice3({**tensors, "llm.weight": torch.zeros(1)})
    left = {n: t for n, t in tensors.items() if n != "decoder.estimator.proj_out.bias"}
    with pytest.raises(CheckpointError, match=r"missing: velocity\.head\.bias"):
        decoder_from_cosyvoice3(left)
    empty = left | {"decoder.estimator.rotary_embed.inv_freq": torch.zeros(0)}
    with pytest.raises(CheckpointError, match=r"inv_freq \(0,\) instead of 1 axes that are not"):
        decoder_from_cosyvoice3(empty)
    del left["decoder.estimator.proj_out.weight"]
    with pytest.raises(CheckpointError, match=r"not CosyVoice 3's flow\.pt"):
        decoder_from_cosyvoice3(left)


def test_shapes_tell_the_versions_of_the_vocoder_apart() -> None:
    tensors = synthetic_weights(hift_shapes(REFERENCE))
    assert is_causal(tensors)
    assert is_causal({f"generator.{name}": tensor for name, tensor in tensors.items()})
    assert vocoder_from_cosyvoice(tensors).config.causal
    del tensors["f0_predictor.condnet.2.parametrizations.weight.original0"]
    with pytest.raises(CheckpointError, match=r"condnet\.2"):
        vocoder_from_cosyvoice(tensors)


def test_sizes_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigError, match="conv_groups"):
        DiffusionTransformerConfig(dim=100)
    with pytest.raises(ConfigError, match="head 'spectrum'"):
        VocoderConfig(causal=True, pitch_scale_hz=2.0)
    with pytest.raises(ConfigError, match="must be bins"):
        DecoderConfig(encoder=TokenEncoderConfig(lower_layers=0, upper_layers=0))
