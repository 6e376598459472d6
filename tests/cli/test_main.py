"""The table of commands: help, version, wrong usage."""

import inspect

import pytest
import typer
from exit_code import ended

import mamtra
from mamtra.cli.main import COMMANDS, fetch


@pytest.mark.parametrize("name", COMMANDS)
def test_every_row_of_the_table_is_a_command_with_help(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = fetch(COMMANDS[name][0])
    assert isinstance(command, typer.Typer) or inspect.getdoc(command)
    assert ended([name, "--help"]) == 0
    assert name in capsys.readouterr().out


def test_help_lists_every_command_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)
    assert "Speak text into a sound file." in out


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["--version"]) == 0
    assert capsys.readouterr().out == f"mamtra {mamtra.__version__}\n"


@pytest.mark.parametrize("arguments", [["sya", "hello"], ["say"], ["say", "a", "--sede", "1"]])
def test_wrong_usage_ends_with_2_and_data_stays_clean(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(arguments) == 2
    captured = capsys.readouterr()
    assert not captured.out
    assert "Traceback" not in captured.err


def test_without_a_command_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    ended([])
    captured = capsys.readouterr()
    assert "Usage" in captured.out + captured.err
