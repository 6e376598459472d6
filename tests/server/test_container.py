"""The container file and the systemd unit: what they name exists, and builds what they start.

No image can be built in a test, since that needs a registry. So the file is read as its builder
reads it: every source of a COPY lies in the folder that is sent to the builder, every path that a
later line uses was put there by an earlier one, and the command is one that mamtra has.
"""

import ast
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from mamtra.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
INSTRUCTIONS = {
    "FROM", "COPY", "ADD", "RUN", "USER", "EXPOSE", "HEALTHCHECK", "CMD", "ENTRYPOINT", "ENV",
    "ARG", "WORKDIR", "LABEL", "VOLUME", "STOPSIGNAL", "SHELL",
}  # fmt: skip
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a container file, each on one line."""
    plain = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    lines = re.sub(r"\\\n\s*", " ", plain).splitlines()
    return [(kind, rest) for kind, _, rest in (line.partition(" ") for line in lines if line)]


def copies(text: str) -> dict[str, str]:
    """Where each path lies in the image, and which of ours it is."""
    found: dict[str, str] = {}
    for kind, rest in instructions(text):
        if kind in {"COPY", "ADD"}:
            *sources, target = [word for word in shlex.split(rest) if not word.startswith("--")]
            into = target.endswith("/")
            found |= {f"{target}{Path(one).name}" if into else target: one for one in sources}
    return found


def faults(text: str) -> list[str]:
    """What a builder would refuse."""
    found: list[str] = []
    stages: list[str] = []
    copied = copies(text)
    found += [f"not there: {one}" for one in copied.values() if not (ROOT / one).exists()]
    for kind, rest in instructions(text):
        if kind not in INSTRUCTIONS:
            found.append(f"no instruction: {kind}")
        words = shlex.split(rest)
        match kind:
            case "FROM":
                stages += words[2:3] if words[1:2] == ["AS"] else ["-"]
            case "RUN":
                mounts = re.findall(r"--mount=from=(\w+),source=\S+,target=(\S+)", rest)
                found += [f"no stage {stage}" for stage, _ in mounts if stage not in stages]
                known = {target for _, target in mounts}
                written = set(re.findall(r"--wheel-dir (\S+)", rest))
                for path in re.findall(
                    r"(?<![\w:.=-])/\w[\w./-]*", re.sub(r"--mount\S+", "", rest)
                ):
                    made = any(one == path or one.startswith(f"{path}/") for one in copied)
                    if not made and path not in known | written and not path.startswith("/usr/"):
                        found.append(f"nobody made {path}")
    return found


CONTAINERFILE = (ROOT / "deploy" / "Containerfile").read_text()


def test_the_container_file_names_only_what_is_there() -> None:
    assert faults(CONTAINERFILE) == []


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("COPY src", "COPY sources", "not there: sources"),
        ("-c /source/constraints.txt", "-c /source/limits.txt", "nobody made /source/limits.txt"),
        ("--find-links /wheels", "--find-links /wheel", "nobody made /wheel"),
        ("from=build", "from=builder", "no stage builder"),
        ("EXPOSE", "EXPOSES", "no instruction: EXPOSES"),
    ],
)
def test_a_wrong_line_of_the_container_file_is_noticed(right: str, wrong: str, told: str) -> None:
    assert right in CONTAINERFILE
    assert told in faults(CONTAINERFILE.replace(right, wrong))


def test_the_wheel_is_built_from_files_that_the_builder_gets() -> None:
    files = ["pyproject.toml", PROJECT["readme"], *PROJECT["license-files"], "src"]
    assert [file for file in files if f"/source/{file}" not in copies(CONTAINERFILE)] == []


def test_the_container_starts_a_command_with_extras_and_a_python_that_there_are() -> None:
    found = dict(instructions(CONTAINERFILE))
    program, command, *options = json.loads(found["ENTRYPOINT"])
    assert program in PROJECT["scripts"]
    assert command in COMMANDS
    from mamtra.cli.serve import serve

    named = {option for option in options if option.startswith("--")}
    parameters = {f"--{name.replace('_', '-')}" for name in serve.__annotations__}
    assert named <= parameters
    for extra in re.findall(r"(?:mamtra|source)\[(\w+)\]", CONTAINERFILE):
        assert extra in PROJECT["optional-dependencies"]
    version = re.search(r"FROM python:3\.(\d+)-slim", CONTAINERFILE)
    oldest = re.search(r">=3\.(\d+)", PROJECT["requires-python"])
    assert version is not None
    assert oldest is not None
    assert int(version[1]) >= int(oldest[1])


def test_the_container_is_healthy_by_a_program_that_asks_ready_at_the_exposed_port() -> None:
    found = dict(instructions(CONTAINERFILE))
    port = found["EXPOSE"]
    program = json.loads(found["HEALTHCHECK"].partition("CMD ")[2])[-1]
    ast.parse(program)
    assert f"127.0.0.1:{port}/ready" in program
    assert found["USER"] not in {"root", "0"}


def test_the_unit_starts_a_command_that_there_is_and_stops_no_sooner_than_it_drains() -> None:
    unit = (ROOT / "deploy" / "mamtra.service").read_text()
    program, command, *_ = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)[0].split()
    assert Path(program).name in PROJECT["scripts"]
    assert command in COMMANDS
    from mamtra.server.config import ServeConfig

    seconds = int(re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[0])
    assert seconds > ServeConfig().drain_seconds
