"""mamtra say --batch: many lines into a folder, errors in the manifest, killed runs resumed."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from exit_code import ended
from safetensors.numpy import load_file, save_file

import mamtra
from mamtra.cli import say_batch
from mamtra.cli.main import main
from mamtra.errors import VoiceError
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.speaker import Speaker
from mamtra.synthesis.speech import Speech

GOOD = [
    {"text": "Hello there."},
    {"text": "It was fine.", "voice": "high", "seed": 3, "id": "fine"},
    {"text": "We walked along.\n\nThen we went home.", "out": "walk.flac"},
]


# the command, killed before a third sound gets its name
DIES_AT_THE_THIRD_SOUND = """
import os, signal, sys
from mamtra.cli.main import main
replace, named = os.replace, []
def replace_or_die(beside, path):
    named.extend([path] * str(path).endswith(".wav"))
    if len(named) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(beside, path)
os.replace = replace_or_die
main(sys.argv[1:])
"""


class Killed(BaseException):
    """Stands for a process that is no more."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(lines: list[Any]) -> list[str]:
    """The batch, and the arguments that speak it."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    Path("lines.jsonl").write_text("\n".join(texts) + "\n")
    return ["say", "--batch", "lines.jsonl", "-o", "out", "--rows", "2"]


def manifest() -> dict[str, dict[str, Any]]:
    rows = [json.loads(line) for line in Path("out/manifest.jsonl").read_text().splitlines()]
    return {row["id"]: row for row in rows}


def test_every_line_becomes_what_say_makes_of_it(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended([*write(GOOD), "--json", *tiny]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["lines"], told["spoken"], told["skipped"], told["failed"]) == (3, 3, 0, 0)
    rows = manifest()
    assert {name: row["path"] for name, row in rows.items()} == {
        "00001": "00001.wav",
        "fine": "fine.wav",
        "00003": "walk.flac",
    }
    assert all(row["error"] is None for row in rows.values())
    assert (
        ended(["say", "It was fine.", "--voice", "high", "--seed", "3", "-o", "a.wav", *tiny]) == 0
    )
    assert Path("a.wav").read_bytes() == Path("out/fine.wav").read_bytes()
    assert rows["00003"]["seconds"] == pytest.approx(
        soundfile.info("out/walk.flac").duration, abs=1e-3
    )


def test_null_is_as_if_left_out(tiny: list[str]) -> None:
    line = {"text": "Hi.", "id": None, "out": None, "voice": None, "seed": None}
    assert ended([*write([line, line | {"seed": 2}]), "--voice", "high", "--seed", "1", *tiny]) == 0
    found = {name: (row["path"], row["voice"], row["seed"]) for name, row in manifest().items()}
    assert found == {"00001": ("00001.wav", "high", 1), "00002": ("00002.wav", "high", 2)}


BAD = [
    ("no json", "line 1 is not JSON"),
    ('["text"]', "must be an object"),
    ({"txt": "Hi."}, "must be an object with a string 'text'"),
    ({"text": "Hi.", "speed": 2}, "unknown keys speed; known are text, voice"),
    ({"text": "Hi.", "seed": -1}, "seed -1"),
    ({"text": "Hi.", "seed": True}, "seed True"),
    ({"text": "Hi.", "voice": 3}, "voice 3"),
    ({"text": "Hi.", "seed": 99999999999999999999}, "seed 99999999999999999999"),
    ("[" * 100_000, "line 9 is not JSON"),
    ({"text": "Hi.", "id": "a" * 300}, "at most 100 letters"),
    ({"text": "Hi.", "voice": "v" * 5000}, "unknown voice"),
    ({"text": "Hi \ud800"}, "not UTF-8"),
    ({"text": "Hi.", "out": "../a.wav"}, "plain file name"),
    ({"text": "Hi.", "id": ".hidden"}, "plain file name"),
    ({"text": "Hi.", "out": "a.txt"}, "plain file name"),
    ({"text": "Hi.", "voice": "nobody"}, "unknown voice 'nobody'"),
    ({"text": "..."}, "can be spoken"),
    ({"text": "Hi.", "id": "fine"}, "same name 'fine'"),
]


def test_bad_lines_are_errors_in_the_manifest_and_not_the_end(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines: list[Any] = [line for line, _ in BAD[:-1]]
    assert ended([*write([*lines, GOOD[1], BAD[-1][0], ""]), *tiny]) == 10
    errors = capsys.readouterr().err
    assert "1 lines spoken" in errors
    assert "18 of 19 lines failed, the first because: line 1 " in errors
    rows = manifest()
    assert rows["fine"]["error"] is None
    failed = {row["line"]: row["error"] for row in rows.values() if row["error"]}
    wanted = dict(enumerate((reason for _, reason in BAD[:-1]), start=1)) | {19: BAD[-1][1]}
    assert failed.keys() == wanted.keys()
    for number, reason in wanted.items():
        assert reason in failed[number]
    assert sorted(path.name for path in Path("out").iterdir()) == ["fine.wav", "manifest.jsonl"]


def test_a_killed_batch_goes_on_where_it_stopped(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [{"text": f"Line number {number}."} for number in range(5)] + [{"text": "..."}]
    save = Speech.save

    def killed_while_writing(speech: Speech, path: Path, *, mark: bool) -> Path:
        if len(list(Path("out").glob("*.wav"))) == 2:
            path.with_name(f".{path.name}.1.partial").write_bytes(b"half a file")
            raise Killed
        return save(speech, path, mark=mark)

    arguments = [*write(lines), *tiny]
    with monkeypatch.context() as patch:
        patch.setattr(Speech, "save", killed_while_writing)
        with pytest.raises(Killed):
            main(arguments)
    before = {path: path.stat().st_mtime_ns for path in Path("out").glob("*.wav")}
    assert len(before) == 2
    with Path("out/manifest.jsonl").open("a") as file:
        file.write('{"line": 3, "id": "00003", "err')
    capsys.readouterr()
    assert ended(arguments) == 10
    assert "3 lines spoken" in (talk := capsys.readouterr().err)
    assert "2 finished before, 1 failed" in talk
    assert len(list(Path("out").iterdir())) == 6
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert sorted(manifest()) == [f"{number:05d}" for number in range(1, 7)]
    # a third time there is nothing left to do but what failed
    assert ended([*write(lines[:5]), *tiny]) == 0
    assert "0 lines spoken" in capsys.readouterr().err


def test_lines_of_other_weights_under_the_same_name_are_spoken_again(
    tiny_model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_model_folder, "model")
    arguments = [*write(GOOD), "--json", "--model", "model"]
    assert ended(arguments) == ended(arguments) == 0
    path = Path("model", "vocoder.safetensors")
    save_file({name: value * 1.01 for name, value in load_file(path).items()}, path)
    capsys.readouterr()
    assert ended(arguments) == 0
    assert json.loads(capsys.readouterr().out)["spoken"] == len(GOOD)
    # rows of before weights were noted hold
    rows = [{key: row[key] for key in row if key != "weights"} for row in manifest().values()]
    Path("out/manifest.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert ended(arguments) == 0
    assert json.loads(capsys.readouterr().out)["spoken"] == 0


def test_what_has_changed_or_is_lost_is_spoken_again(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [dict(GOOD[0]), dict(GOOD[1]), dict(GOOD[2])]
    assert ended([*write(lines), "-q", *tiny]) == 0
    lines[0]["seed"] = 9
    Path("out/fine.wav").unlink()
    assert ended([*write(lines), "--json", *tiny]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["spoken"], told["skipped"]) == (2, 1)


def test_ctrl_c_keeps_what_was_finished(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sound, calls = Speaker.sound, iter([None, KeyboardInterrupt()])

    def interrupted(*arguments: Any) -> Speech:
        if (problem := next(calls)) is not None:
            raise problem
        return sound(*arguments)

    monkeypatch.setattr(Speaker, "sound", interrupted)
    assert ended([*write(GOOD[:2]), *tiny]) == 130
    assert "1 lines spoken" in (talk := capsys.readouterr().err)
    assert "the same command goes on" in talk
    assert len(manifest()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["say", "Hi.", "--batch", "lines.jsonl", "-o", "out"], 2, "takes no text"),
        (["say", "--batch", "lines.jsonl"], 2, "it needs -o"),
        (["say", "--batch", "lines.jsonl", "-o", ""], 2, "it needs -o"),
        (["say", "--batch", "a.jsonl", "-o", "out", "--state", "carry"], 2, "every piece fresh"),
        (["say", "--batch", "lines.jsonl", "-o", "out", "--stream"], 2, "leave --stream out"),
        (["say", "Hi.", "--shard", "2/4"], 2, "--shard is for --batch FILE"),
        (["say", "Hi.", "--rows", "2"], 2, "--rows is for --batch FILE"),
        (["say", "Hi.", "--workers", "2"], 2, "--workers is for --batch FILE"),
        (["say", "Hi.", "--over", "ray"], 2, "--over is for --batch FILE"),
        (["say"], 2, "give a text"),
        (["say", "--batch", "none.jsonl", "-o", "out"], 8, "cannot read 'none.jsonl'"),
        (["say", "--batch", "empty.jsonl", "-o", "out"], 8, "is empty"),
        (["say", "--batch", "lines.jsonl", "-o", "lines.jsonl"], 7, "it is a file; the -o of"),
        (
            ["say", "--batch", "lines.jsonl", "-o", "lines.jsonl/out"],
            7,
            "cannot write into 'lines.jsonl/out': Not a directory\n",
        ),
    ],
)
def test_a_mistake_is_told_before_a_model_is_loaded(
    arguments: list[str],
    code: int,
    reason: str,
    tiny: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(say_batch, "load_model", None)
    write(GOOD)
    Path("empty.jsonl").write_text("\n\n")
    assert ended([*arguments, *tiny]) == code
    assert reason in capsys.readouterr().err


def test_an_unknown_voice_of_all_lines_is_refused_at_once(tiny_model_folder: Path) -> None:
    arguments = (str(tiny_model_folder), SpeakOptions(voice="nobody"), 2, {})
    write(GOOD)
    with pytest.raises(VoiceError, match="nobody"):
        say_batch.say_lines("lines.jsonl", Path("out"), *arguments, as_json=False, quiet=True)


def test_a_process_killed_for_good_leaves_whole_files_and_is_resumed(tiny: list[str]) -> None:
    arguments = write([{"text": "It was fine.", "seed": seed} for seed in range(6)])
    environment = {**os.environ, "PYTHONPATH": str(Path(mamtra.__file__).parents[1])}
    command = [sys.executable, "-c", DIES_AT_THE_THIRD_SOUND, *arguments, *tiny]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    finished = {path: path.read_bytes() for path in Path("out").glob("*.wav")}
    assert len(finished) == 2
    assert ended([*arguments, "-q", *tiny]) == 0
    for path, content in finished.items():
        assert path.read_bytes() == content
        assert np.isfinite(soundfile.read(path)[0]).all()
    assert len(list(Path("out").iterdir())) == 7
    assert len(manifest()) == 6


def sounds(folder: str) -> dict[str, bytes]:
    """What lies in a folder, but for manifests."""
    return {path.name: path.read_bytes() for path in Path(folder).glob("*.wav")}


def test_workers_and_shares_speak_what_one_process_speaks(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(say_batch, "LINES_OF_PART", 2)
    lines = [{"text": f"Line number {number}."} for number in range(5)] + [{"text": "..."}]
    arguments = [*write(lines), *tiny]
    assert ended(arguments) == 10
    whole, rows = sounds("out"), manifest()

    def into(folder: str, *more: str) -> int:
        return ended([part if part != "out" else folder for part in arguments] + [*more])

    assert into("shared", "--workers", "2") == 10
    assert "5 lines spoken" in capsys.readouterr().err
    assert sounds("shared") == whole
    assert into("cut", "--shard", "1/2") == 0
    assert into("cut", "--shard", "2/2") == 10
    capsys.readouterr()
    assert into("cut") == 10
    assert "0 lines spoken" in (talk := capsys.readouterr().err)
    assert "5 finished before, 1 failed" in talk
    assert sounds("cut") == whole
    for folder in ("shared", "cut"):
        told = Path(folder, "manifest.jsonl").read_text().splitlines()
        assert {row["id"]: row for row in map(json.loads, told)} == rows


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
def test_a_local_ray_cluster_speaks_what_one_process_speaks(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    from mamtra.workers import RAY_OPTIONS

    monkeypatch.setattr(say_batch, "LINES_OF_PART", 2)
    arguments = [*write([{"text": f"Line number {number}."} for number in range(5)]), *tiny]
    assert ended(arguments) == 0
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ray.init(num_cpus=2, runtime_env={"env_vars": paths}, **RAY_OPTIONS)
    try:
        other = ["shared" if part == "out" else part for part in arguments]
        assert ended([*other, "--workers", "2", "--over", "ray"]) == 0
    finally:
        ray.shutdown()
    assert sounds("shared") == sounds("out")
