"""Judges by name: what is opened, and what is said where something is missing."""

import importlib.metadata
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from mamtra.errors import ConfigError, MissingExtraError, ModelError
from mamtra.evaluation.judges.judge import Hearing, Identity, Quality, Similarity, file_sha256
from mamtra.evaluation.judges.registry import open_judge

NOISE = np.random.default_rng(0).normal(0, 0.05, 16_000 * 2).astype(np.float32)


MY_JUDGES = """
from mamtra.evaluation.judges.judge import Identity


class Deaf:
    def __init__(self, always):
        self.always = always
        self.identity = Identity(name="deaf", package="my-judges", version="1")

    def hear(self, samples, rate_hz):
        return self.always


class Mute:
    def __init__(self, request):
        self.identity = Identity(name="mute", package="my-judges", version="1")


def deaf(request):
    return Deaf(request.argument)
"""


def test_an_unknown_judge_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no judge 'nobody'; known: pocketsphinx, whisper"):
        open_judge("nobody")


def test_a_package_adds_its_own_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_judges.py").write_text(MY_JUDGES)
    about = tmp_path / "my_judges-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-judges\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[mamtra.judges]\ndeaf = my_judges:deaf\nmute = my_judges:Mute\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    judge = open_judge("deaf:anything")
    assert isinstance(judge, Hearing)
    assert judge.hear(NOISE, 16_000) == "anything"
    with pytest.raises(ConfigError, match="'mute' opens cannot judge"):
        open_judge("mute")
    with pytest.raises(ConfigError, match="wavlm-ecapa, deaf, mute"):
        open_judge("nobody")


def test_identities_differ_with_anything_that_matters() -> None:
    one = Identity(name="a", package="p", version="1", settings={"beam": 5})
    assert one.key == Identity(name="a", package="p", version="1", settings={"beam": 5}).key
    others = [
        Identity(name="a", package="p", version="2", settings={"beam": 5}),
        Identity(name="a", package="p", version="1", settings={"beam": 1}),
        Identity(name="a", package="p", version="1", sha256="1", settings={"beam": 5}),
    ]
    assert len({one.key, *(other.key for other in others)}) == 4
    assert json.loads(json.dumps(one.row()))["settings"] == {"beam": 5}


def test_the_checksum_is_the_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_sha256(tmp_path / "a").startswith("ba7816bf8f01cfea")


def test_whisper_needs_weights_that_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faster_whisper")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match="which Whisper"):
        open_judge("whisper")
    with pytest.raises(ModelError, match=r"holds no model\.bin"):
        open_judge(f"whisper:{tmp_path}")
    with pytest.raises(ModelError, match=r"there is no folder '\./nowhere'"):
        open_judge("whisper:./nowhere")
    with pytest.raises(ModelError, match="mamtra fetch Systran/faster-whisper-large-v3"):
        open_judge("whisper:large-v3")
    (tmp_path / "model.bin").write_bytes(b"no weights")
    with pytest.raises(ModelError, match="cannot open the Whisper"):
        open_judge(f"whisper:{tmp_path}")


def test_whisper_hears_with_and_without_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict] = []

    class Model:
        def __init__(self, folder: str, **_: object) -> None:
            assert folder == str(tmp_path)

        def transcribe(self, samples: np.ndarray, **options: object) -> tuple[list, None]:
            asked.append({"samples": len(samples), **options})
            return [SimpleNamespace(text=" Good "), SimpleNamespace(text="morning. ")], None

    package = ModuleType("faster_whisper")
    vars(package).update(WhisperModel=Model, __version__="1")
    monkeypatch.setitem(sys.modules, "faster_whisper", package)
    (tmp_path / "model.bin").write_bytes(b"weights")
    plain, timed = (open_judge(f"{name}:{tmp_path}") for name in ("whisper", "whisper-timed"))
    assert [judge.hear(NOISE, 16_000) for judge in (plain, timed)] == ["Good morning."] * 2
    assert [one["without_timestamps"] for one in asked] == [True, False]
    assert {one["beam_size"] for one in asked} == {5}
    assert plain.identity.key != timed.identity.key
    assert timed.identity.name == f"{plain.identity.name} (timed)"
    with pytest.raises(ConfigError, match="write whisper-timed:FOLDER"):
        open_judge("whisper-timed")


def test_a_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[eval\]'"):
        open_judge("whisper:base")


@pytest.mark.parametrize(
    ("name", "package", "protocol"),
    [
        ("distillmos", "distillmos", Quality),
        pytest.param("dnsmos", "speechmos", Quality, marks=pytest.mark.slow),
        ("resemblyzer", "resemblyzer", Similarity),
    ],
)
def test_a_judge_with_weights_in_its_package_says_so(
    name: str, package: str, protocol: type
) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"the package {package} is not installed (extra judges)")
    judge = open_judge(name)
    assert isinstance(judge, protocol)
    assert len(judge.identity.sha256) == 64
    assert judge.identity.version == importlib.metadata.version(judge.identity.package)
    if isinstance(judge, Quality):
        assert 1 <= judge.quality(NOISE, 16_000) <= 5
        assert judge.quality(NOISE * 0, 16_000) <= 5
    else:
        assert isinstance(judge, Similarity)
        voiced = np.sign(np.sin(np.arange(32_000) * 2 * np.pi * 120 / 16_000)).astype(np.float32)
        assert judge.likeness(voiced, 16_000, voiced, 16_000) == pytest.approx(1, abs=1e-3)
