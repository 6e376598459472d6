"""The model folder: strict by name, both ways."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mamtra.checkpoints.format import ModelConfig, ModelFolder, write_config
from mamtra.checkpoints.locate import BUILT_IN, locate
from mamtra.checkpoints.modules import load_part, save_part
from mamtra.checkpoints.weights import read_tensors
from mamtra.errors import CheckpointError, ConfigError, MamtraError, ModelError
from mamtra.speech_lm import SpeechLMConfig


def test_an_unknown_key_in_config_json_lists_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"format": 1, "name": "a", "spech_lm": {}}')
    with pytest.raises(ConfigError, match=r"unknown key spech_lm.*known: name, .*speech_lm"):
        ModelFolder(tmp_path)


@pytest.mark.parametrize("values", ['{"format": 9, "name": "a"}', "{}"])
def test_another_format_or_a_missing_name_is_refused(tmp_path: Path, values: str) -> None:
    (tmp_path / "config.json").write_text(values)
    with pytest.raises(ConfigError, match=r"format 9|name"):
        ModelFolder(tmp_path)


HOSTILE = {
    "[]": "expected an object",
    "null": "expected an object",
    '{"name": 3}': "name in .* is 3; expected text",
    '{"name": "a", "speech_lm": []}': "speech_lm in .* expected an object or null",
    '{"name": "a", "format": Infinity}': "Infinity",
    '{"name": "a", "voice": ["b"]}': "voice in .* expected text or null",
    "[" * 100_000: "more than 32 deep",
    "{": "as JSON",
    "": "as JSON",
}


@pytest.mark.parametrize("content", HOSTILE)
def test_a_config_of_another_shape_is_refused_in_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError if "JSON" in HOSTILE[content] else MamtraError) as caught:
        ModelFolder(tmp_path)
    assert re.search(HOSTILE[content], str(caught.value))
    assert "\n" not in str(caught.value)


SIZES = {
    "backbone": {"layout": "AM", "dim": 16, "query_heads": 2, "kv_heads": 1, "head_dim": 8},
    "text_vocabulary": 9,
    "speech_vocabulary": 9,
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dim": "16"}, r"speech_lm\.backbone\.dim in .* is '16'; expected a whole number"),
        ({"rope_theta": None}, r"speech_lm\.backbone\.rope_theta"),
        ({"layout": "A" * 100_000}, "100,000 letters"),
        ({"layout": ["A"]}, r"speech_lm\.backbone\.layout"),
        ({"mamba": {"rotary": "yes"}}, r"speech_lm\.backbone\.mamba\.rotary"),
        ({"mamba": {"width": 3}}, r"unknown key width in speech_lm\.backbone\.mamba"),
    ],
)
def test_a_wrong_value_deep_in_a_config_is_named_by_its_path(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    section = {**SIZES, "backbone": {**SIZES["backbone"], **changes}}
    write_config(tmp_path, ModelConfig(name="a", speech_lm=section))
    with pytest.raises(ConfigError, match=message):
        ModelFolder(tmp_path).section("speech_lm", SpeechLMConfig)


@pytest.mark.parametrize(
    "dtype", [torch.int8, torch.int16, torch.int32, torch.bool, torch.float8_e4m3fn]
)
def test_a_tensor_of_another_type_is_refused(tmp_path: Path, dtype: torch.dtype) -> None:
    module = nn.Linear(2, 2, bias=False)
    save_file({"weight": torch.ones(2, 2).to(dtype)}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match=r"weight is \w+ instead of F64 or F32"):
        load_part(module, tmp_path / "a.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_refused(tmp_path: Path, value: float) -> None:
    weight = torch.ones(2, 2)
    weight[1, 0] = value
    save_file({"weight": weight}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="tensor weight holds numbers that are not finite"):
        load_part(nn.Linear(2, 2, bias=False), tmp_path / "a.safetensors")


def test_a_pipe_in_place_of_weights_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="it is no file"):
        read_tensors(tmp_path / "a.safetensors")


def test_weights_are_halved_on_disk_and_whole_in_memory(tmp_path: Path) -> None:
    module, other = nn.BatchNorm1d(4), nn.BatchNorm1d(4)
    nn.init.normal_(module.weight)
    module.num_batches_tracked += 70_000
    save_part(module, tmp_path / "a.safetensors")
    assert read_tensors(tmp_path / "a.safetensors")["weight"].dtype == torch.float16
    load_part(other, tmp_path / "a.safetensors")
    assert other.weight.dtype == torch.float32
    torch.testing.assert_close(other.weight, module.weight, atol=1e-3, rtol=1e-3)
    assert other.num_batches_tracked == 70_000


def test_written_files_may_be_read_by_whom_the_umask_allows(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    save_part(nn.Linear(1, 1), tmp_path / "a.safetensors")
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_tied_weights_are_written(tmp_path: Path) -> None:
    tied = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    tied[1].weight = tied[0].weight
    save_part(tied, tmp_path / "a.safetensors")
    loaded = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    load_part(loaded, tmp_path / "a.safetensors")
    for layer in loaded:
        assert torch.equal(layer.weight, tied[0].weight.half().float())


def test_leftover_missing_and_misshapen_weights_are_all_listed(tmp_path: Path) -> None:
    saved = nn.ModuleDict({"left": nn.Linear(2, 2, bias=False), "same": nn.Linear(2, 3)})
    wanted = nn.ModuleDict({"fresh": nn.Linear(2, 2, bias=False), "same": nn.Linear(2, 4)})
    save_part(saved, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError) as caught:
        load_part(wanted, tmp_path / "a.safetensors")
    told = str(caught.value)
    assert "not used: left.weight" in told
    assert "missing: fresh.weight" in told
    assert "same.bias (3,) instead of (4,), same.weight (3, 2) instead of (4, 2)" in told


def test_a_weight_too_large_for_the_file_is_refused(tmp_path: Path) -> None:
    module = nn.Linear(1, 1)
    nn.init.constant_(module.weight, 1e6)
    with pytest.raises(CheckpointError, match="weight holds values"):
        save_part(module, tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_damaged_or_absent_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"12345678nonsense")
    for name in ("a", "b"):
        with pytest.raises(CheckpointError, match=rf"{name}\.safetensors"):
            read_tensors(tmp_path / f"{name}.safetensors")


def test_a_folder_may_take_parts_from_another(tmp_path: Path) -> None:
    write_config(tmp_path / "a", ModelConfig(name="a", mel={"bins": 4}, speech_lm={"x": 1}))
    own = ModelConfig(name="b", parts_from="../a", speech_lm={"x": 2})
    write_config(tmp_path / "b", own)
    for folder, voice in (("a", "one"), ("a", "two"), ("b", "two")):
        (tmp_path / folder / "voices").mkdir(exist_ok=True)
        (tmp_path / folder / "voices" / f"{voice}.safetensors").touch()
    folder = ModelFolder(tmp_path / "b")
    assert folder.holder("mel").folder == tmp_path / "a"
    assert folder.part_file("speech_lm") == tmp_path / "b" / "speech_lm.safetensors"
    voices = {name: path.parents[1].name for name, path in folder.voice_files().items()}
    assert voices == {"one": "a", "two": "b"}
    with pytest.raises(ModelError, match="no section 'vocoder'"):
        folder.holder("vocoder")


@pytest.mark.parametrize(("donor", "reason"), [(".", "from itself"), ("../b", "from elsewhere")])
def test_a_circle_of_donors_is_refused(tmp_path: Path, donor: str, reason: str) -> None:
    write_config(tmp_path / "a", ModelConfig(name="a", parts_from=donor))
    write_config(tmp_path / "b", ModelConfig(name="b", parts_from="../c"))
    write_config(tmp_path / "c", ModelConfig(name="c"))
    with pytest.raises(ModelError, match=reason):
        ModelFolder(tmp_path / "a")


def test_two_folders_that_name_each_other_are_refused(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        write_config(tmp_path / name, ModelConfig(name=name, parts_from=f"../{other}"))
    with pytest.raises(ModelError, match="from elsewhere"):
        ModelFolder(tmp_path / "a")


def test_a_path_is_a_model_when_it_holds_a_config(tmp_path: Path) -> None:
    write_config(tmp_path / "mine", ModelConfig(name="mine"))
    assert locate(tmp_path / "mine") == tmp_path / "mine"


def test_a_name_that_is_no_model_says_what_is_possible(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"unknown model 'nanoo'; built-in models: .*config\.json"):
        locate("nanoo")
    with pytest.raises(ModelError, match=r"folder .* is not a model"):
        locate(tmp_path)


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_ships_can_be_opened(name: str) -> None:
    try:
        folder = ModelFolder(locate(name))
    except ModelError:
        pytest.skip(f"{name} is not in this checkout")
    assert folder.config.name == name
