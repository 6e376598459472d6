"""The one loader of configs: what was given, what is possible, and nothing guessed."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from mamtra.acoustic.config import VocoderConfig
from mamtra.acoustic.decoder_config import TokenEncoderConfig
from mamtra.config import from_dict, with_values
from mamtra.errors import ConfigError, ModelError
from mamtra.files import read_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    width: int = 3
    share: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    sizes: tuple[int, ...] = (1, 2)
    betas: tuple[float, float] = (0.9, 0.98)
    name: str = "x"
    kind: Literal["adam", "muon"] = "adam"
    voice: str | None = None
    notes: dict[str, Any] | None = None
    quick: bool = False


def test_a_config_survives_json() -> None:
    config = Outer(inner=Inner(width=5), sizes=(4, 5, 6), voice="anna", notes={"a": [1, None]})
    assert from_dict(Outer, json.loads(json.dumps(asdict(config))), "here") == config


def test_a_whole_number_is_a_number_and_becomes_a_float() -> None:
    config = from_dict(Outer, {"inner": {"share": 1}}, "here")
    assert isinstance(config.inner.share, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"here is \[\]; expected an object with the keys inner, sizes"),
        (None, "here is None; expected an object"),
        ({"depth": 1}, "unknown key depth in here; known: inner, sizes"),
        ({"inner": {"depth": 1}}, "unknown key depth in inner in here; known: width, share"),
        ({"inner": 3}, "inner in here is 3; expected an object"),
        ({"inner": {"width": "a"}}, r"inner\.width in here is 'a'; expected a whole number"),
        ({"inner": {"width": True}}, r"inner\.width in here is True; expected a whole number"),
        ({"inner": {"width": 1.5}}, r"inner\.width in here is 1\.5; expected a whole number"),
        ({"inner": {"width": 10**30}}, r"inner\.width in here is 10000"),
        ({"inner": {"share": float("inf")}}, r"inner\.share in here is inf; expected a number"),
        ({"sizes": 3}, "sizes in here is 3; expected a list of a whole number"),
        ({"sizes": [1, None]}, r"sizes\[1\] in here is None; expected a whole number"),
        ({"betas": [0.9]}, r"betas in here is \[0\.9\]; expected a list of 2"),
        ({"kind": "sgd"}, "kind in here is 'sgd'; expected one of adam, muon"),
        ({"voice": 3}, "voice in here is 3; expected text or null"),
        ({"name": None}, "name in here is None; expected text"),
        ({"quick": 1}, "quick in here is 1; expected true or false"),
        ({"notes": []}, r"notes in here is \[\]; expected an object or null"),
        ({"name": ["long"] * 100}, r"name in here is \['long'.{50,60}\.\.\.; expected text"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_is_possible(
    values: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        from_dict(Outer, values, "here")


def test_a_key_that_is_missing_is_named() -> None:
    @dataclass(frozen=True)
    class Needed:
        name: str
        size: int

    with pytest.raises(ConfigError, match="here lacks the key name, size"):
        from_dict(Needed, {}, "here")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "as JSON"),
        (b'{"a": Infinity}', "Infinity is not a number of JSON"),
        (b'{"a": NaN}', "NaN is not a number of JSON"),
        (b"[" * 100_000, "more than 32 deep"),
        (b"[" * 40 + b"]" * 40, "more than 32 deep"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "more than 32 deep"),
        (b'"' + b"a" * (1 << 20) + b'"', "more than 1,048,576 bytes"),
        (b'"\xff\xfe\xfd"', "as JSON"),
        (b"9" * 5000, "as JSON"),
    ],
)
def test_a_file_that_is_no_json_of_bounded_size_and_depth_is_refused(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=rf"a\.json.*{reason}"):
        read_json(path, ModelError)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\.json': No such file"):
        read_json(tmp_path / "a.json")


def test_pairs_change_values_by_dotted_or_last_name() -> None:
    pairs = ["inner.width=7", "share=0.25", "sizes=3,4", "kind=muon", "voice=anna", "quick=yes"]
    config = with_values(Outer(), pairs)
    assert config == Outer(
        inner=Inner(width=7, share=0.25), sizes=(3, 4), kind="muon", voice="anna", quick=True
    )
    assert with_values(config, ["voice=none"]).voice is None


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("width", r"--set 'width' is not KEY=VALUE; keys are inner\.width, inner\.share, sizes"),
        ("depth=1", r"--set 'depth=1' names no key; keys are inner\.width"),
        ("width=a", r"inner\.width in the options is 'a'; expected a whole number"),
        ("share=nan", r"inner\.share in the options is nan; expected a number"),
        ("kind=sgd", "kind in the options is 'sgd'; expected one of adam, muon"),
        ("quick=2", "quick in the options is '2'; expected true or false"),
    ],
)
def test_a_pair_that_does_not_fit_is_refused(pair: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        with_values(Outer(), [pair])


def test_a_last_name_that_several_keys_have_must_be_written_out() -> None:
    @dataclass(frozen=True)
    class Two:
        a: Inner = field(default_factory=Inner)
        b: Inner = field(default_factory=Inner)

    with pytest.raises(ConfigError, match=r"could be a\.width or b\.width"):
        with_values(Two(), ["width=3"])
    assert with_values(Two(), ["b.width=4"]).b.width == 4


def test_sizes_that_no_network_has_are_all_named() -> None:
    with pytest.raises(ConfigError, match=r"dilations=\(1, 0\), hop=-4: sizes must be at least 1"):
        VocoderConfig(dilations=(1, 0), hop=-4)
    with pytest.raises(ConfigError, match="heads=0: sizes"):
        TokenEncoderConfig(heads=0, lower_layers=0)
