"""Names of models on the hub: looked up first, fetched on demand, with a fake hub."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mamtra.checkpoints import hub
from mamtra.checkpoints.hub import COSYVOICE2, NEEDED, is_hub_id
from mamtra.checkpoints.locate import locate, source_folder
from mamtra.cli.fetch import fetch as command
from mamtra.cli.main import main
from mamtra.errors import MissingExtraError, ModelError


class RepositoryNotFoundError(OSError):
    """Named like huggingface-hub's."""


class FakeHub:
    """Answers as huggingface-hub's ``snapshot_download`` does, from a folder of repositories."""

    def __init__(self, folder: Path) -> None:
        self.online, self.cache = folder / "online", folder / "cache"
        self.asked: list[bool] = []
        self.problem: Exception | None = None

    def publish(self, name: str, *files: str) -> None:
        for file in files:
            path = self.online / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")

    def snapshot_download(
        self, repo_id, revision=None, allow_patterns=None, local_files_only=False, local_dir=None
    ) -> str:
        self.asked.append(local_files_only)
        place = Path(local_dir or self.cache / repo_id / (revision or "main"))
        if local_files_only:
            if not place.is_dir():
                raise FileNotFoundError(f"no snapshot of {repo_id}")
            return str(place)
        if self.problem is not None:
            raise self.problem
        if not (self.online / repo_id).is_dir():
            raise RepositoryNotFoundError("404 Client Error\nlong story")
        for file in (self.online / repo_id).rglob("*"):
            name = file.relative_to(self.online / repo_id)
            if file.is_file() and (allow_patterns is None or str(name) in allow_patterns):
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).write_bytes(file.read_bytes())
        return str(place)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    fake = FakeHub(tmp_path)
    module = ModuleType("huggingface_hub")
    module.snapshot_download = fake.snapshot_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    monkeypatch.chdir(tmp_path)
    return fake


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("owner/name", True),
        ("FunAudioLLM/CosyVoice2-0.5B", True),
        ("owner/name@v1.0", True),
        ("nano", False),
        ("./folder/name", False),
        ("a/b/c", False),
        ("/a/b", False),
        ("owner/", False),
    ],
)
def test_a_name_of_the_hub_has_one_slash(name: str, is_one: bool) -> None:
    assert is_hub_id(name) == is_one


def test_looking_a_name_up_never_fetches(fake: FakeHub) -> None:
    fake.publish("owner/model", "config.json")
    with pytest.raises(ModelError) as caught:
        locate("owner/model")
    told = str(caught.value)
    assert "run: mamtra fetch owner/model" in told
    assert "https://huggingface.co/owner/model" in told
    assert "put them into one folder" in told
    assert fake.asked == [True]


def test_what_was_fetched_is_found_by_its_name(
    fake: FakeHub, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.publish("owner/model", "config.json", "speech_lm.safetensors")
    command(["owner/model"])
    captured = capsys.readouterr()
    folder = Path(captured.out.strip())
    assert "mamtra say" in captured.err
    assert locate("owner/model") == folder
    assert source_folder("owner/model") == folder
    assert fake.asked == [False, True, True]
    with pytest.raises(ModelError, match="mamtra fetch owner/model@v2"):
        locate("owner/model@v2")


def test_a_folder_comes_before_the_hub(fake: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "owner" / "model").mkdir(parents=True)
    (tmp_path / "owner" / "model" / "config.json").write_text("{}")
    assert locate("owner/model") == Path("owner/model")
    assert source_folder("owner/model") == Path("owner/model")
    assert not fake.asked


def test_of_cosyvoice_only_what_is_needed_is_fetched(
    fake: FakeHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.publish(COSYVOICE2, *NEEDED[COSYVOICE2], "CosyVoice-BlankEN/model.safetensors")
    command([COSYVOICE2], tmp_path / "here", as_json=True)
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"name": COSYVOICE2, "path": str(tmp_path / "here")}
    assert "next: mamtra import cosyvoice2" in captured.err
    found = {str(f.relative_to("here")) for f in Path("here").rglob("*") if f.is_file()}
    assert found == set(NEEDED[COSYVOICE2])
    command([COSYVOICE2])
    with pytest.raises(ModelError, match=f"run: mamtra import cosyvoice2 {COSYVOICE2} -o FOLDER"):
        locate(COSYVOICE2)


def test_an_unfinished_fetch_is_no_success(fake: FakeHub) -> None:
    fake.publish(COSYVOICE2, *NEEDED[COSYVOICE2][1:])
    with pytest.raises(ModelError, match=r"not fetched whole, .* lacks llm\.pt"):
        hub.fetch(COSYVOICE2)
    fake.publish("owner/model", "a.bin")
    with pytest.raises(ModelError, match=r"lacks any file"):
        hub.fetch("owner/model", only=("b.bin",))


def test_without_network_the_files_and_their_place_are_named(fake: FakeHub) -> None:
    fake.problem = ConnectionError("no route to host\nmore")
    with pytest.raises(ModelError) as caught:
        hub.fetch(COSYVOICE2)
    told = str(caught.value)
    assert "could not be fetched (no route to host)" in told
    assert "fetch llm.pt, flow.pt, hift.pt, " in told
    assert f"from https://huggingface.co/{COSYVOICE2}" in told
    assert "put them into one folder and give its path" in told


def test_an_unknown_repository_and_a_wrong_name_are_told_apart(fake: FakeHub) -> None:
    with pytest.raises(ModelError, match=r"gives no model 'owner/nothing'.*hf auth login"):
        hub.fetch("owner/nothing")
    with pytest.raises(ModelError, match="write owner/name"):
        hub.fetch("nothing")


def test_without_the_package_its_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"no folder 'owner/model'; .*\[hub\]', then"):
        locate("owner/model")
    with pytest.raises(MissingExtraError, match=r"pip install .*\[hub\]'"):
        hub.fetch("owner/model")
    with pytest.raises(SystemExit) as ended:
        main(["fetch", "owner/model"])
    assert ended.value.code == MissingExtraError.exit_code
    assert capsys.readouterr().err.startswith("error: ")


def test_a_source_that_was_not_fetched_is_explained(fake: FakeHub) -> None:
    with pytest.raises(ModelError, match=f"mamtra fetch {COSYVOICE2}; or, without network"):
        source_folder(COSYVOICE2)


def test_the_real_package_finds_its_own_cache_without_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    commit = "0123456789abcdef0123456789abcdef01234567"
    place = tmp_path / "models--owner--model"
    (place / "snapshots" / commit).mkdir(parents=True)
    (place / "snapshots" / commit / "config.json").write_text("{}")
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert locate("owner/model") == place / "snapshots" / commit
    with pytest.raises(ModelError, match="mamtra fetch owner/other"):
        locate("owner/other")


def test_the_package_has_what_we_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = pytest.importorskip("huggingface_hub")
    with pytest.raises(OSError, match="snapshot"):
        package.snapshot_download(
            repo_id="owner/name", revision=None, allow_patterns=None, local_files_only=True,
            cache_dir=tmp_path, local_dir=None,
        )  # fmt: skip
