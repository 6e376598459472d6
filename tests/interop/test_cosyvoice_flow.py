"""CosyVoice 2's flow.pt into our decoder: names, sizes, and the same numbers as the original."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from reference import tensors_of, values_of
from torch import Tensor
from toy_flow import NOISE, TOY_HEAD_DIM, decoder, toy

from mamtra.acoustic.decoder import Prompt
from mamtra.acoustic.flow_times import cosine_times
from mamtra.acoustic.velocity import Condition
from mamtra.errors import CheckpointError
from mamtra.interop.cosyvoice_flow import FROM_FLOW, config_from_flow, decoder_from_cosyvoice
from mamtra.interop.names import renamed
from mamtra.interop.pickles import read_entries
from mamtra.runtime.decoder_stream import DecoderStream
from mamtra.runtime.protocols import EncodedPrompt
from mamtra.runtime.torch.acoustics import TorchDecoder


@cache
def case() -> dict[str, Tensor]:
    """What the original answers."""
    return tensors_of("flow")


def prompt() -> Prompt:
    """The prompt of the reference case."""
    return Prompt(tokens=case()["prompt_token"], mel=case()["prompt_feat"].mT)


def assert_same(found: Tensor, wanted: Tensor) -> None:
    """Equal within 1e-5 of the largest value."""
    assert found.shape == wanted.shape
    assert float((found - wanted).abs().max() / wanted.abs().max()) < 1e-5


def decode(count: int | None = None, **how: bool) -> Tensor:
    """Mel features of the first tokens of the case."""
    given = case()
    with torch.inference_mode():
        return decoder()(given["token"][:, :count], given["embedding"], prompt(), NOISE, **how)


def test_sizes_are_read_from_the_shapes() -> None:
    config = config_from_flow(toy(), TOY_HEAD_DIM)
    assert config.encoder.lower_layers == 1
    assert config.encoder.upper_layers == 4
    assert config == decoder().config


@pytest.mark.parametrize("chunked", [False, True])
def test_the_encoder_equals_the_original(chunked: bool) -> None:
    given = case()
    tokens = torch.cat([given["prompt_token"], given["token"]], 1)
    with torch.inference_mode():
        hidden = decoder().encoder(tokens, chunked=chunked)
    wanted = given["encoder_streaming_every_16th" if chunked else "encoder_offline_every_16th"]
    assert_same(hidden[..., ::16], wanted)


def test_the_noise_and_the_times_are_the_originals() -> None:
    assert torch.equal(NOISE[0, :2, :8], case()["rand_noise_head"])
    assert float(NOISE.double().sum()) == pytest.approx(float(case()["rand_noise_sum"]), rel=1e-6)
    assert cosine_times(10)[:10] == pytest.approx(values_of("flow")["t_steps"], abs=1e-6)


def test_the_first_velocity_equals_the_original() -> None:
    given, known = case(), prompt()
    mean = given["estimator_first_mean"]
    start = NOISE[..., : mean.shape[-1]]
    conditions = torch.zeros_like(mean)
    conditions[..., : known.mel.shape[-1]] = known.mel
    told = Condition(
        content=torch.ones(1, mean.shape[-1], dtype=torch.bool),
        mean=mean,
        speaker=given["estimator_first_speaker"],
        given=conditions,
    ).twice()
    velocity = decoder().velocity
    assert velocity is not None
    with torch.inference_mode():
        found = velocity(start.repeat(2, 1, 1), torch.zeros(2), told)
    assert_same(found, given["estimator_first_out"])


def test_mel_features_equal_the_original() -> None:
    assert_same(decode(), case()["offline"])


def test_mel_features_in_chunks_equal_the_original() -> None:
    assert_same(decode(chunked=True), case()["streaming_full"])
    assert_same(decode(23, chunked=True, final=False), case()["streaming_chunks.0.1"])
    assert_same(decode(48, chunked=True, final=False), case()["streaming_chunks.1.1"])
    assert_same(decode(98, chunked=True, final=False), case()["streaming_chunks.2.1"])


def test_a_stream_equals_one_chunked_pass() -> None:
    """The original runs its last chunk with full attention; ours is chunked to the end."""
    given = case()
    voice = EncodedPrompt(
        tokens=prompt().tokens[0].numpy(),
        mel=prompt().mel[0].numpy(),
        speaker=given["embedding"][0].numpy(),
    )
    stream, engine = DecoderStream(voice=voice, noise=NOISE[0].numpy()), TorchDecoder(decoder())
    tokens = given["token"][0].tolist()
    pieces = [stream.push(engine, tokens[:60]), stream.push(engine, tokens[60:], True)]
    assert pieces[0].shape[-1] == 90
    joined = torch.from_numpy(np.concatenate(pieces, axis=-1))[None]
    assert_same(joined, case()["streaming_full"])


def test_leftover_and_missing_tensors_are_listed() -> None:
    with pytest.raises(CheckpointError, match=r"missing: encoder\.norm\.bias"):
        decoder_from_cosyvoice(
            {name: value for name, value in toy().items() if name != "encoder.after_norm.bias"},
            TOY_HEAD_DIM,
        )
    with pytest.raises(CheckpointError, match=r"1 entries .* llm\.weight"):
        decoder_from_cosyvoice({**toy(), "llm.weight": torch.zeros(1)}, TOY_HEAD_DIM)
    assert renamed("decoder.estimator.mid_blocks.11.1.3.ff.net.2.bias", FROM_FLOW) == (
        "velocity.middle.11.blocks.3.narrow.bias"
    )


def test_counters_of_training_checkpoints_are_left_out(tmp_path: Path) -> None:
    torch.save({**toy(), "epoch": 3}, tmp_path / "flow.pt")
    loaded, unused = decoder_from_cosyvoice(read_entries(tmp_path / "flow.pt"), TOY_HEAD_DIM)
    assert unused == ("epoch",)
    assert torch.equal(loaded.mean_head.bias, decoder().mean_head.bias)
