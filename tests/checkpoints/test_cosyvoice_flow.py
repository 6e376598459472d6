"""CosyVoice 2's flow.pt into our decoder: names, sizes, and the same numbers as the original."""

import math
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from reference import tensors_of
from torch import Tensor

from mamtra.acoustic.decoder import Decoder, DecoderStream, Prompt
from mamtra.acoustic.flow_matching import cosine_times, fixed_noise
from mamtra.acoustic.velocity import Condition
from mamtra.checkpoints.cosyvoice_flow import (
    CONFORMER,
    REPEATED,
    SINGLE,
    TRANSFORMER,
    config_from_flow,
    decoder_from_cosyvoice,
    load_cosyvoice_flow,
    our_name,
)
from mamtra.errors import CheckpointError

DIM, MLP, INNER, ATTENTION, BINS, SPEAKER = 512, 64, 64, 64, 80, 192
TOY_HEAD_DIM = 32
INPUTS = 4 * BINS

WIDTHS = {  # shapes of the weights; a bias has the first number
    "input_embedding": (200, DIM),
    "spk_embed_affine_layer": (BINS, SPEAKER),
    "encoder_proj": (BINS, DIM),
    "encoder.embed.out.0": (DIM, DIM),
    "encoder.embed.out.1": (DIM,),
    "encoder.pre_lookahead_layer.conv1": (DIM, DIM, 4),
    "encoder.pre_lookahead_layer.conv2": (DIM, DIM, 3),
    "encoder.up_layer.conv": (DIM, DIM, 5),
    "encoder.up_embed.out.0": (DIM, DIM),
    "encoder.up_embed.out.1": (DIM,),
    "encoder.after_norm": (DIM,),
    "decoder.estimator.time_mlp.linear_1": (4 * INNER, INPUTS),
    "decoder.estimator.time_mlp.linear_2": (4 * INNER, 4 * INNER),
    "decoder.estimator.down_blocks.0.2": (INNER, INNER, 3),
    "decoder.estimator.up_blocks.0.2": (INNER, INNER, 3),
    "decoder.estimator.final_block.block.0": (INNER, INNER, 3),
    "decoder.estimator.final_block.block.2": (INNER,),
    "decoder.estimator.final_proj": (BINS, INNER, 1),
}
CONFORMER_WIDTHS = {
    "feed_forward.w_1": (MLP, DIM),
    "feed_forward.w_2": (DIM, MLP),
    "norm_mha": (DIM,),
    "norm_ff": (DIM,),
    "self_attn": (8, 64),
}
TRANSFORMER_WIDTHS = {
    "norm1": (INNER,),
    "norm3": (INNER,),
    "attn1.to_out.0": (INNER, ATTENTION),
    "ff.net.0.proj": (4 * INNER, INNER),
    "ff.net.2": (INNER, 4 * INNER),
}


def resnet_widths(inner: int) -> dict[str, tuple[int, ...]]:
    """Shapes of a residual block."""
    return {
        "block1.block.0": (INNER, inner, 3),
        "block1.block.2": (INNER,),
        "block2.block.0": (INNER, INNER, 3),
        "block2.block.2": (INNER,),
        "mlp.1": (INNER, 4 * INNER),
        "res_conv": (INNER, inner, 1),
    }


def toy_shapes() -> dict[str, tuple[int, ...]]:
    """Entries of flow.pt at the reference's toy size: 1 lower layer, 4 upper, 2 middle blocks."""
    stems = {name: (WIDTHS[name], leaves) for name, (_, leaves) in SINGLE.items()}
    counts = {"encoder.encoders.N": 1, "encoder.up_encoders.N": 4}
    for prefix, _, part in REPEATED:
        for number in range(counts.get(prefix, 2 if "mid_blocks" in prefix else 1)):
            place = prefix.replace("N", str(number)).replace("M", "0")
            for stem, (_, leaves) in part.items():
                if part is CONFORMER:
                    shape = CONFORMER_WIDTHS.get(stem, (DIM, DIM))
                elif part is TRANSFORMER:
                    shape = TRANSFORMER_WIDTHS.get(stem, (ATTENTION, INNER))
                else:
                    first, last = "down_blocks" in prefix, "up_blocks" in prefix
                    shape = resnet_widths(INPUTS if first else 2 * INNER if last else INNER)[stem]
                stems[f"{place}.{stem}"] = (shape, leaves)
    return {
        f"{stem}.{leaf}": shape[:1] if leaf == "bias" else shape
        for stem, (shape, leaves) in stems.items()
        for leaf in leaves
    }


def synthetic(name: str, shape: tuple[int, ...]) -> Tensor:
    """The weights of the reference runs: a function of an entry's name and shape alone."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    drawn = generator.standard_normal(size=shape, dtype=np.float32)
    leaf = name.rpartition(".")[2]
    if leaf in ("bias", "pos_bias_u", "pos_bias_v"):
        drawn *= 0.1
    elif len(shape) == 1:
        drawn = 1 + 0.1 * drawn
    elif name != "input_embedding.weight":
        drawn /= math.sqrt(math.prod(shape[1:]))
    return torch.from_numpy(drawn)


@cache
def toy() -> dict[str, Tensor]:
    """A whole toy flow.pt."""
    return {name: synthetic(name, shape) for name, shape in toy_shapes().items()}


@cache
def decoder() -> Decoder:
    """The toy decoder, through the real converter."""
    return decoder_from_cosyvoice(toy(), TOY_HEAD_DIM)[0]


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


NOISE = fixed_noise(BINS)


def test_sizes_are_read_from_the_shapes() -> None:
    config = config_from_flow(toy(), TOY_HEAD_DIM)
    assert config.sizes_of_encoder.lower_layers == 1
    assert config.sizes_of_encoder.upper_layers == 4
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
    assert cosine_times(10)[:3] == pytest.approx([0, 0.0123117, 0.0489435], abs=1e-6)


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


def test_a_stream_equals_one_chunked_pass() -> None:
    """The original runs its last chunk with full attention; ours is chunked to the end."""
    given = case()
    stream = DecoderStream(speaker=given["embedding"], prompt=prompt(), noise=NOISE)
    tokens = given["token"][0].tolist()
    with torch.inference_mode():
        pieces = [stream.push(decoder(), tokens[:60]), stream.push(decoder(), tokens[60:], True)]
    assert pieces[0].shape[-1] == 90
    assert_same(torch.cat(pieces, -1), case()["streaming_full"])


def test_leftover_and_missing_tensors_are_listed() -> None:
    with pytest.raises(CheckpointError, match=r"encoder\.norm\.bias missing"):
        decoder_from_cosyvoice(
            {name: value for name, value in toy().items() if name != "encoder.after_norm.bias"},
            TOY_HEAD_DIM,
        )
    with pytest.raises(CheckpointError, match=r"1 entries .* llm\.weight"):
        decoder_from_cosyvoice({**toy(), "llm.weight": torch.zeros(1)}, TOY_HEAD_DIM)
    assert our_name("decoder.estimator.mid_blocks.11.1.3.ff.net.2.bias") == (
        "velocity.middle.11.blocks.3.narrow.bias"
    )


def test_counters_of_training_checkpoints_are_left_out(tmp_path: Path) -> None:
    torch.save({**toy(), "epoch": 3}, tmp_path / "flow.pt")
    loaded, unused = load_cosyvoice_flow(tmp_path / "flow.pt", TOY_HEAD_DIM)
    assert unused == ("epoch",)
    assert torch.equal(loaded.mean_head.bias, decoder().mean_head.bias)


def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "flow.pt").write_text("not a checkpoint")
    with pytest.raises(CheckpointError, match=r"cannot read weights from .*flow\.pt"):
        load_cosyvoice_flow(tmp_path / "flow.pt")
