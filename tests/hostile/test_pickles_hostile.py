"""Checkpoints that try to run code, to escape from their archive, or to fill the memory."""

import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mamtra.errors import CheckpointError
from mamtra.interop.pickles import read_entries

# what an attacker calls; each would make the file CANARY if it ran
CANARY = "canary"
CALLS = {
    "os.system": ("os", "system", ("touch canary",)),
    "posix.system": ("posix", "system", ("touch canary",)),
    "os.popen": ("os", "popen", ("touch canary",)),
    "subprocess.Popen": ("subprocess", "Popen", (["touch", "canary"],)),
    "subprocess.run": ("subprocess", "run", (["touch", "canary"],)),
    "builtins.eval": ("builtins", "eval", ("open('canary', 'w')",)),
    "builtins.exec": ("builtins", "exec", ("open('canary', 'w')",)),
    "__builtin__.eval": ("__builtin__", "eval", ("open('canary', 'w')",)),
    "builtins.open": ("builtins", "open", ("canary", "w")),
    "io.open": ("io", "open", ("canary", "w")),
    "_io.FileIO": ("_io", "FileIO", ("canary", "w")),
    "pathlib.Path.touch": ("pathlib", "Path.touch", ("canary",)),
    "builtins.__import__": ("builtins", "__import__", ("antigravity",)),
    "importlib.import_module": ("importlib", "import_module", ("this",)),
    "code.InteractiveInterpreter": ("code", "InteractiveInterpreter", ()),
    "runpy.run_path": ("runpy", "run_path", ("/dev/null",)),
    "pty.spawn": ("pty", "spawn", (["touch", "canary"],)),
    "ctypes.CDLL": ("ctypes", "CDLL", (None,)),
    "torch.load": ("torch", "load", ("canary",)),
    "torch.hub.load": ("torch.hub", "load", ("a", "b")),
    "torch.ops.load_library": ("torch._ops", "_Ops.load_library", ("canary",)),
    "operator.attrgetter": ("operator", "attrgetter", ("__class__",)),
    "functools.partial": ("functools", "partial", (print,)),
    "types.CodeType": ("types", "FunctionType", ()),
    "socket.socket": ("socket", "socket", ()),
    "urllib.request.urlopen": ("urllib.request", "urlopen", ("http://127.0.0.1:9",)),
}
FORMS = ("global", "stack", "inst", "object", "new", "build")


def frame(body: bytes) -> bytes:
    """A pickle of protocol 4."""
    return b"\x80\x04" + body + b"."


def attack(module: str, name: str, arguments: tuple, form: str) -> bytes:
    """A pickle that calls a function in one of the ways there are."""
    packed = pickle.dumps(arguments, 2)[2:-1]
    lines = f"{module}\n{name}\n".encode()
    spread = b"".join(pickle.dumps(one, 2)[2:-1] for one in arguments)
    match form:
        case "global":
            return frame(b"c" + lines + packed + b"R")
        case "stack":
            words = b"".join(b"\x8c" + bytes([len(w)]) + w.encode() for w in (module, name))
            return frame(words + b"\x93" + packed + b"R")
        case "inst":
            return frame(b"(" + spread + b"i" + lines)
        case "object":
            return frame(b"(c" + lines + spread + b"o")
        case "new":
            return frame(b"c" + lines + packed + b"\x81")
    state = pickle.dumps({"__setstate__": 1}, 2)[2:-1]
    return frame(b"c" + lines + packed + b"R" + state + b"b")


def archive(path: Path, pickled: bytes, **entries: bytes) -> None:
    """A file in PyTorch's form with this pickle."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickled)
        file.writestr("archive/version", "3\n")
        for name, content in entries.items():
            file.writestr(name, content)


def bomb(path: Path) -> None:
    """Gigabytes of zeros in a file of megabytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", frame(b"}"))
        with file.open("archive/data/0", "w", force_zip64=True) as entry:
            for _ in range(64):
                entry.write(bytes(1 << 20))


def odd_archives(folder: Path) -> Iterator[Path]:
    """Archives whose names escape, whose tensors are not there, or that blow up."""
    for number, name in enumerate(
        (
            "../canary",
            "/canary",
            "archive/../../canary",
            "archive\\..\\canary",
            "canary",
            "archive/data/../../canary",
        )
    ):
        path = folder / f"slip{number}.pt"
        archive(path, frame(b"}"), **{name: b"x"})
        yield path
    path = folder / "bomb.pt"
    bomb(path)
    yield path
    for number, pickled in enumerate(
        (b"", b"\x80\x05.", b"\x80\x04(((((", b"\x80\x04" + b"(" * 100_000)
    ):
        path = folder / f"broken{number}.pt"
        archive(path, pickled)
        yield path


def hostile(folder: Path) -> Iterator[tuple[str, Path]]:
    """All of them, with what each of them tries."""
    for name, (module, attribute, arguments) in CALLS.items():
        for form in FORMS:
            path = folder / f"{name}.{form}.pt"
            archive(path, attack(module, attribute, arguments, form))
            yield f"{name} by {form}", path
    for path in odd_archives(folder):
        yield path.stem, path


def read_or_refuse(path: Path) -> dict | None:
    """The entries of a file; None where it was refused."""
    try:
        return read_entries(path)
    except CheckpointError:
        return None


def test_166_hostile_checkpoints_run_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    count = 0
    for told, path in hostile(tmp_path):
        count += 1
        found = read_or_refuse(path)
        assert found in ({}, None), told
        assert not (tmp_path / CANARY).exists(), told
        assert not (tmp_path.parent / CANARY).exists(), told
    assert count >= 166
