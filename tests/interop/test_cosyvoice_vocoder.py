"""CosyVoice 2's hift.pt into our vocoder: names, folded weight norm, and the original's numbers."""

from pathlib import Path

import pytest
import torch
from reference import tensors_of
from toy_vocoder import TOY, reference_noise, relative, rounded_source, toy_tensors, toy_vocoder

from mamtra.acoustic.vocoder import Vocoder, VocoderConfig
from mamtra.errors import CheckpointError
from mamtra.interop.cosyvoice_vocoder import (
    PREFIX,
    from_hift,
    vocoder_from_cosyvoice,
)
from mamtra.interop.pickles import read_entries

TOLERANCE = 1e-4  # relative, of whole signals


def test_pitch_equals_the_original() -> None:
    case = tensors_of("hift")
    assert relative(toy_vocoder().predict_pitch(case["mel"]), case["f0"]) < TOLERANCE


def test_the_excitation_equals_the_original_given_its_noise() -> None:
    case = tensors_of("hift")
    source = toy_vocoder().source(case["f0"], reference_noise(0, 60))
    assert relative(source, case["source_seed0"]) < TOLERANCE


def test_samples_equal_the_original_given_its_excitation() -> None:
    case = tensors_of("hift")
    made = toy_vocoder().decode(case["mel"], case["source_seed0"])
    assert relative(made, case["wav_seed0"]) < TOLERANCE


def test_the_whole_chain_equals_the_original_but_for_its_rounded_phases() -> None:
    # Phases reach 3,500 radians here, which float32 rounds by 2e-4; ours are exact. With phases
    # rounded like the original's the difference goes.
    vocoder, case, noise = toy_vocoder(), tensors_of("hift"), reference_noise(0, 60)
    assert relative(vocoder(case["mel"], noise), case["wav_seed0"]) < 5e-4
    rounded = vocoder.decode(case["mel"], rounded_source(vocoder, case["f0"], noise))
    assert relative(rounded, case["wav_seed0"]) < TOLERANCE
    noise = reference_noise(1, 60)
    rounded = vocoder.decode(case["mel"], rounded_source(vocoder, case["f0"], noise))
    assert relative(rounded[:, ::4], case["wav_seed1_every_4th"]) < TOLERANCE


def test_both_spellings_of_weight_norm_and_the_training_prefix_are_read() -> None:
    older = {
        PREFIX
        + name.replace(".parametrizations.weight.original0", ".weight_g").replace(
            ".parametrizations.weight.original1", ".weight_v"
        ): tensor
        for name, tensor in toy_tensors().items()
    }
    wanted = toy_vocoder().state_dict()
    found = from_hift(older)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_a_file_is_read_with_its_widths(tmp_path: Path) -> None:
    torch.save(toy_tensors(), tmp_path / "hift.pt")
    vocoder = vocoder_from_cosyvoice(read_entries(tmp_path / "hift.pt"))
    assert vocoder.config == TOY
    assert torch.equal(vocoder.conv_in.weight, toy_vocoder().conv_in.weight)


def test_entries_of_another_part_are_an_error() -> None:
    with pytest.raises(CheckpointError, match="not a vocoder"):
        vocoder_from_cosyvoice({"llm_decoder.bias": torch.zeros(3)})


def test_the_full_size_takes_every_published_entry() -> None:
    with torch.device("meta"):
        vocoder = Vocoder(VocoderConfig())
    # 20,821,295 published parameters less 14,738 lengths of weight norm, in 328 entries
    assert sum(weight.numel() for weight in vocoder.parameters()) == 20_806_557
    assert len(toy_tensors()) == 328


def test_tensors_left_over_missing_or_misshapen_are_listed() -> None:
    tensors = dict(toy_tensors()) | {"extra.weight": torch.zeros(1)}
    del tensors["conv_pre.bias"]
    tensors["conv_post.bias"] = torch.zeros(4)
    with pytest.raises(CheckpointError) as problem:
        vocoder_from_cosyvoice(tensors)
    told = str(problem.value)
    assert "not used: extra.weight" in told
    assert "missing: conv_in.bias" in told
    assert "conv_out.bias (4,) instead of (18,)" in told


def test_a_direction_without_its_length_is_an_error() -> None:
    tensors = dict(toy_tensors())
    del tensors["conv_pre.parametrizations.weight.original0"]
    with pytest.raises(CheckpointError, match="conv_pre"):
        from_hift(tensors)


@pytest.mark.parametrize("part", ["original0", "original1"])
def test_a_direction_with_another_ones_length_is_an_error(part: str) -> None:
    tensors, name = dict(toy_tensors()), f"conv_pre.parametrizations.weight.{part}"
    for damaged in (tensors[name][0], tensors[name][:3], tensors[name].reshape(-1)[0]):
        with pytest.raises(CheckpointError, match=r"conv_pre.* no direction and length"):
            vocoder_from_cosyvoice(tensors | {name: damaged})


def test_a_weight_that_is_there_twice_is_an_error() -> None:
    name = "conv_pre.parametrizations.weight.original1"
    for more, told in (
        ({"conv_pre.weight": toy_tensors()[name]}, "conv_pre is there twice"),
        ({f"{PREFIX}{name}": toy_tensors()[name]}, f"with and without .*: {name}"),
        (
            {"conv_pre.weight_g": torch.ones(32, 1, 1), "conv_pre.weight_v": toy_tensors()[name]},
            "twice",
        ),
    ):
        with pytest.raises(CheckpointError, match=told):
            from_hift(dict(toy_tensors()) | more)


def test_quantised_directions_are_refused() -> None:
    name = "conv_pre.parametrizations.weight.original1"
    whole = dict(toy_tensors()) | {name: toy_tensors()[name].to(torch.int8)}
    with pytest.raises(CheckpointError, match=r"quantised ones are not read: conv_pre.*int8"):
        from_hift(whole)
