"""The model folder: strict by name, both ways."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest
import torch
from torch import nn

from mamtra.checkpoints.format import (
    ModelConfig,
    ModelFolder,
    rebuild,
    save_part,
    write_config,
)
from mamtra.checkpoints.locate import BUILT_IN, locate
from mamtra.checkpoints.shards import load_part, read_tensors
from mamtra.errors import CheckpointError, ConfigError, ModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    width: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    inner: Inner | dict = field(default_factory=Inner)
    sizes: tuple[int, ...] = (1, 2)
    name: str = "x"


def test_a_config_survives_json() -> None:
    config = Outer(inner=Inner(width=5), sizes=(4, 5, 6))
    assert rebuild(Outer, json.loads(json.dumps(asdict(config))), "here") == config


def test_an_unknown_key_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown key depth in inner of here; known: width"):
        rebuild(Outer, {"inner": {"depth": 1}}, "here")


def test_an_unknown_key_in_config_json_lists_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"format": 1, "name": "a", "spech_lm": {}}')
    with pytest.raises(ConfigError, match=r"unknown key spech_lm.*known: name, .*speech_lm"):
        ModelFolder(tmp_path)


@pytest.mark.parametrize("values", ['{"format": 9, "name": "a"}', "{}"])
def test_another_format_or_a_missing_name_is_refused(tmp_path: Path, values: str) -> None:
    (tmp_path / "config.json").write_text(values)
    with pytest.raises(ConfigError, match=r"format 9|name"):
        ModelFolder(tmp_path)


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
    load_part(tied, tmp_path / "a.safetensors")


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
