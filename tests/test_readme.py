"""What the documents promise: their code runs, their commands and links exist."""

import io
import re
import shlex
from pathlib import Path

import pytest

from mamtra.checkpoints.locate import built_in
from mamtra.cli.main import COMMANDS, main

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), ROOT / "CONTRIBUTING.md"]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
RUN = ("say", "voices", "doctor")  # the others take long; their words are only checked
NEEDS_NANO = pytest.mark.skipif("nano" not in built_in(), reason="nano is not in this checkout")


def blocks(language: str) -> list[tuple[str, str]]:
    """Name of the document and text of every code block of a language."""
    return [
        (path.name, text)
        for path in DOCUMENTS
        for found, text in BLOCK.findall(path.read_text())
        if found == language
    ]


def command_lines(program: str) -> list[list[str]]:
    """Every call of a program in the documents, as words; a redirection stays, a pipe ends it."""
    lines = [line.split(" | ")[0].strip() for _, text in blocks("") for line in text.splitlines()]
    calls = [line for line in lines if line.startswith(f"{program} ")]
    return [shlex.split(line, comments=True) for line in dict.fromkeys(calls)]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@NEEDS_NANO
@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(("document", "code"), blocks("python"))
def test_python_blocks_run(document: str, code: str) -> None:
    exec(compile(code, document, "exec"), {})


@NEEDS_NANO
@pytest.mark.parametrize(
    "words", [words for words in command_lines("mamtra") if words[1] in RUN], ids=shlex.join
)
def test_commands_run(words: list[str], elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = words[1:]
    if "<" in arguments:
        at = arguments.index("<")
        monkeypatch.setattr("sys.stdin", io.StringIO("It was late."))
        arguments = arguments[:at]
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert not caught.value.code
    if "-o" in arguments:
        place = arguments[arguments.index("-o") + 1]
        assert place == "-" or (elsewhere / place).exists()


@pytest.mark.parametrize(
    "words", [words for words in command_lines("mamtra") if words[1] not in RUN], ids=shlex.join
)
def test_commands_and_options_exist(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    names = [word for word in words[1:3] if re.fullmatch(r"[a-z][\w-]*", word)]
    wanted = [word for word in words if re.fullmatch(r"--[a-z-]+", word)]
    if words[1] not in COMMANDS:
        assert set(words[1:]) <= {"--version", "--help"}
        return
    with pytest.raises(SystemExit) as caught:
        main([*names, "--help"])
    assert not caught.value.code
    told = capsys.readouterr().out
    assert all(word in told for word in wanted)


@pytest.mark.parametrize("words", command_lines("make"), ids=shlex.join)
def test_make_targets_exist(words: list[str]) -> None:
    assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "ARCHITECTURE.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    missing = [link for link in LINK.findall(path.read_text()) if not (path.parent / link).exists()]
    assert not missing


def test_modules_that_documents_name_exist() -> None:
    named = re.compile(r"`((?!vllm/)[\w*.]+/[\w*./]+\.py)`")  # vLLM's are not ours
    bases = (ROOT, ROOT / "src", ROOT / "src/mamtra")
    told = [*DOCUMENTS, ROOT / "ARCHITECTURE.md", ROOT / "benchmarks/README.md"]
    found = {
        (path.name, name)
        for path in told
        if path.name != "log.md"  # what was
        for name in named.findall(path.read_text())
    }
    assert len(found) > 50
    assert not {one for one in found if not any([*base.glob(one[1])] for base in bases)}


@NEEDS_NANO
def test_the_sizes_in_the_table_of_models_are_those_that_ship() -> None:
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.runtime.torch.open import PARTS, open_part

    folder = ModelFolder(built_in()["nano"])
    speech_lm, decoder, vocoder = (
        sum(weight.numel() for weight in open_part(folder, part).parameters()) / 1e6
        for part in PARTS
    )
    counts = [speech_lm, decoder + vocoder]
    readme = (ROOT / "README.md").read_text()
    assert f"{counts[0]:.1f} M + {counts[1]:.1f} M | {folder.nbytes / 1e6:.1f} MB" in readme


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_every_exit_code_is_documented() -> None:
    from mamtra import errors

    documented = {
        int(code)
        for code in re.findall(
            r"^\| (\d+) \|", (ROOT / "docs/commands.md").read_text(), re.MULTILINE
        )
    }
    classes = [item for item in vars(errors).values() if isinstance(item, type)]
    assert {
        kind.exit_code for kind in classes if issubclass(kind, errors.MamtraError)
    } <= documented


def test_every_command_is_documented() -> None:
    told = (ROOT / "docs/commands.md").read_text()
    assert all(f"`mamtra {name}" in told for name in COMMANDS)


def test_every_path_in_the_table_of_additions_exists() -> None:
    rows = re.findall(r"^\| .*$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    paths = {path for row in rows for path in re.findall(r"`([\w./]+(?:/|\.\w+))`", row)}
    bases = (ROOT, ROOT / "src/mamtra", ROOT / "src")
    missing = {path for path in paths if not any((base / path).exists() for base in bases)}
    assert len(paths) > 20
    assert not missing


def test_each_answer_of_the_newcomers_test_is_one_room() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    answers = re.findall(r"^\d\. .+: `(\w+)`\.$", text, re.MULTILINE)
    assert len(answers) == 5
    assert all((ROOT / "src/mamtra" / room / "__init__.py").exists() for room in answers)


def test_the_rooms_of_the_architecture_are_those_of_the_package() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    table = text[text.index("## Rooms") : text.index("## Who may")]
    rooms = {path.name for path in (ROOT / "src/mamtra").iterdir() if path.is_dir()}
    told = set(re.findall(r"`(\w+)/`", table)) - {"mixers", "synthetic"}
    assert told == rooms - {"__pycache__"}
