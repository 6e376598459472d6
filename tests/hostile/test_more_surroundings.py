"""Everything that can stand around a command: a table of surroundings, each in a forked child.

A row is a name, what spoils the surroundings, the command, and the exit codes that are right there.
No run may end in a traceback, by a signal, or after a minute; every failure is one sentence.
"""

import errno
import fcntl
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("uses fork, mounts and limits of Linux", allow_module_level=True)

from forked import UNDONE, forked, mount, nobody, read_only
from outcome import Outcome, outcome

import mamtra
import mamtra.synthesis.load
from mamtra.audio.file_writer import GrowingSound
from mamtra.synthesis.load import load
from mamtra.synthesis.synthesizer import Synthesizer

DONE, SYSTEM, USAGE, CONFIG, TEXT, VOICE, MODEL, SOUND = 0, 1, 2, 3, 4, 5, 6, 7
GONE = 141
KEPT = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
TWO = "One two three. Four five six.\n\nSeven eight nine."


@dataclass(frozen=True)
class Around:
    """One row: the child may end with any of ``codes``."""

    name: str
    spoil: Callable[[], object] = lambda: None
    arguments: tuple[str, ...] = ("Hi.", "-o", "a.wav")
    codes: frozenset[int] = field(default_factory=lambda: frozenset({DONE}))
    silent: bool = False  # standard error cannot be read


def row(name: str, spoil: Callable[[], object], *codes: int, say: str = "", **more) -> Around:
    """A row; ``say`` are the words of the command, split at blanks."""
    arguments = tuple(say.split(" ")) if say else ("Hi.", "-o", "a.wav")
    return Around(name, spoil, more.pop("arguments", arguments), frozenset(codes or {DONE}), **more)


def environment(**values: str | None) -> Callable[[], object]:
    """Set variables; None takes one away."""

    def spoil() -> None:
        for name, value in values.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    return spoil


def closed(*numbers: int) -> Callable[[], object]:
    """Close standard streams."""
    return lambda: [os.close(number) for number in numbers]


def from_file(number: int, path: str, flags: int) -> Callable[[], object]:
    """Put a file in place of a standard stream."""
    return lambda: os.dup2(os.open(path, flags), number)


def unread(number: int) -> Callable[[], object]:
    """A pipe that nobody reads in place of a standard stream."""

    def spoil() -> None:
        reader, writer = os.pipe()
        os.dup2(writer, number)
        os.close(reader)

    return spoil


def piped_in(data: bytes) -> Callable[[], object]:
    """Standard input with these bytes."""

    def spoil() -> None:
        reader, writer = os.pipe()
        os.write(writer, data)
        os.close(writer)
        os.dup2(reader, 0)

    return spoil


def impatient(number: int) -> Callable[[], object]:
    """A pipe that does not wait: empty to read, full to write."""

    def spoil() -> None:
        reader, writer = os.pipe()
        for end in (reader, writer):
            fcntl.fcntl(end, fcntl.F_SETFL, os.O_NONBLOCK)
        if number:
            try:
                while True:
                    os.write(writer, b"x" * 4096)
            except BlockingIOError:
                pass
        os.dup2(writer if number else reader, number)

    return spoil


def limit(what: int, soft: int) -> Callable[[], object]:
    """Make a resource scarce."""
    return lambda: resource.setrlimit(what, (soft, resource.getrlimit(what)[1]))


def made(*steps: Callable[[], object]) -> Callable[[], object]:
    """Several things one after the other."""
    return lambda: [step() for step in steps]


def folder(name: str, mode: int) -> Callable[[], object]:
    """A folder with these rights."""
    return lambda: (os.mkdir(name), os.chmod(name, mode))


def file(name: str, content: bytes = b"old", mode: int = 0o644) -> Callable[[], object]:
    """A file with these rights."""

    def spoil() -> None:
        Path(name).write_bytes(content)
        os.chmod(name, mode)

    return spoil


def deleted_here() -> None:
    """Stand in a folder that is no more."""
    os.mkdir("gone")
    os.chdir("gone")
    os.rmdir("../gone")


def forbidden_here() -> None:
    """Stand in a folder that may not be looked into."""
    os.mkdir("closed")
    os.chdir("closed")
    os.chmod(".", 0)
    nobody()


def no_environment() -> None:
    """Take every variable away."""
    os.environ.clear()


def huge_environment() -> None:
    """Thousands of long variables."""
    for number in range(2000):
        os.environ[f"LONG_{number}"] = "x" * 1000


def odd_bytes() -> None:
    """A variable that is no text."""
    os.environb[b"ODD"] = b"\xff\xfe"
    os.environb[b"HOME"] = b"/\xff"


def everything_blocked() -> None:
    """No signal arrives."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


def ignored(*names: str) -> Callable[[], object]:
    """Signals that are ignored, as nohup does."""
    return lambda: [signal.signal(getattr(signal, n), signal.SIG_IGN) for n in names]


def while_writing(act: Callable[[GrowingSound], object], at: int = 1) -> Callable[[], object]:
    """Something that happens when a sound is written for the so many-th time."""

    def spoil() -> None:
        write, count = GrowingSound.write, [0]

        def spoiled(self: GrowingSound, samples) -> None:
            count[0] += 1
            if count[0] == at:
                act(self)
            write(self, samples)

        GrowingSound.write = spoiled

    return spoil


def raises(number: int) -> Callable[[object], None]:
    """An error of the system."""

    def act(_: object) -> None:
        raise OSError(number, os.strerror(number))

    return act


def no_renaming(number: int) -> Callable[[], object]:
    """Files cannot get their names."""

    def spoil() -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        os.replace = os.rename = refuse

    return spoil


def lost_folder(_: object) -> None:
    """Somebody removes the folder of the output."""
    for path in Path("out").iterdir():
        path.unlink()
    os.rmdir("out")


def sends(name: str) -> Callable[[object], None]:
    """A signal to this process."""
    return lambda _: signal.raise_signal(getattr(signal, name))


def without_user() -> None:
    """A user that the system does not know."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(54_321)
        os.setuid(54_321)


def socket_file() -> None:
    """A socket where the sound belongs."""
    import socket

    socket.socket(socket.AF_UNIX).bind("a.wav")


READ, WRITE = os.O_RDONLY, os.O_WRONLY
OUT = ("Hi.", "-o", "-")
STREAMS = [
    row("no standard input", closed(0)),
    row("no standard output", closed(1)),
    row("no standard error", closed(2), silent=True),
    row("no standard stream", closed(0, 1, 2), silent=True),
    row("text from no standard input", closed(0), TEXT, say="- -o a.wav"),
    row("text from nothing", lambda: None, TEXT, say="- -o a.wav"),
    row("text from a folder", from_file(0, ".", READ), SYSTEM, TEXT, say="- -o a.wav"),
    row(
        "text from what is only written",
        from_file(0, os.devnull, WRITE),
        SYSTEM,
        TEXT,
        say="- -o a.wav",
    ),
    row("text that is not there yet", impatient(0), DONE, SYSTEM, TEXT, say="- -o a.wav"),
    row("text in Latin-1", piped_in(b"caf\xe9"), DONE, TEXT, say="- -o a.wav"),
    row("text of NULs", piped_in(b"\0" * 50), TEXT, say="- -o a.wav"),
    row("text with a NUL", piped_in(b"Hi \0 there."), say="- -o a.wav"),
    row(
        "a stream's text in Latin-1", piped_in(b"caf\xe9.\n"), DONE, TEXT, say="- --stream -o a.wav"
    ),
    row("sound to no standard output", closed(1), SYSTEM, arguments=OUT),
    row("sound to a full device", from_file(1, "/dev/full", WRITE), SYSTEM, arguments=OUT),
    row("sound to nobody", unread(1), GONE, arguments=OUT),
    row("sound to what is only read", from_file(1, os.devnull, READ), SYSTEM, arguments=OUT),
    row("sound to a pipe that is full", impatient(1), SYSTEM, arguments=OUT),
    row("a stream to no standard output", closed(1), SYSTEM, say="Hi. --stream -o -"),
    row(
        "a stream to a full device",
        from_file(1, "/dev/full", WRITE),
        SYSTEM,
        say="Hi. --stream -o -",
    ),
    row("a stream to nobody", unread(1), DONE, GONE, say="Hi. --stream -o -"),
    row(
        "a report to a full device",
        from_file(1, "/dev/full", WRITE),
        SYSTEM,
        say="Hi. -o a.wav --json",
    ),
    row("a report to nobody", unread(1), GONE, say="Hi. -o a.wav --json"),
    row("talk to a full device", from_file(2, "/dev/full", WRITE), DONE, SYSTEM, silent=True),
    row("talk to nobody", unread(2), DONE, GONE, SYSTEM, silent=True),
]
FILES = [
    row(
        "a folder without rights", made(folder("out", 0o555), nobody), SOUND, say="Hi. -o out/a.wav"
    ),
    row(
        "a folder that is closed",
        made(folder("out", 0), nobody),
        SYSTEM,
        SOUND,
        say="Hi. -o out/a.wav",
    ),
    row(
        "a file without rights",
        made(file("a.wav", mode=0o444), lambda: os.chmod(".", 0o555), nobody),
        SOUND,
    ),
    row("a read-only disk", lambda: read_only("."), SOUND),
    row(
        "a full disk",
        lambda: mount("tmpfs", "disk", "size=16k"),
        SOUND,
        arguments=(TWO * 3, "-o", "disk/a.wav"),
    ),
    row(
        "a disk without room for a name",
        lambda: mount("tmpfs", "disk", "nr_inodes=1"),
        SOUND,
        say="Hi. -o disk/a.wav",
    ),
    row("a folder in place of the file", folder("a.wav", 0o755), SOUND),
    row("a folder that is none", file("out"), SOUND, say="Hi. -o out/a.wav"),
    row("a link to nothing", lambda: os.symlink("later.wav", "a.wav")),
    row("a link to no folder", lambda: os.symlink("no/later.wav", "a.wav"), SOUND),
    row(
        "links in a circle",
        made(lambda: os.symlink("b.wav", "a.wav"), lambda: os.symlink("a.wav", "b.wav")),
        DONE,
        SYSTEM,
        SOUND,
    ),
    row("a link to a folder", lambda: os.symlink(".", "a.wav"), SOUND),
    row("a socket in place of the file", socket_file, SYSTEM, SOUND),
    row("the full device", lambda: os.symlink("/dev/full", "a.wav"), SYSTEM, SOUND),
    row("the device that forgets", lambda: os.symlink("/dev/null", "a.wav")),
    row("a name with a line break", lambda: None, arguments=("Hi.", "-o", "a\nb.wav")),
    row("a name of blanks", lambda: None, arguments=("Hi.", "-o", "   .wav")),
    row("a name like an option", lambda: None, arguments=("Hi.", "-o", "./-x.wav")),
    row("a hidden name", lambda: None, DONE, SOUND, say="Hi. -o .wav"),
    row("a name in capitals", lambda: None, say="Hi. -o A.WAV"),
    row("a name of an emoji", lambda: None, say="Hi. -o 😀.wav"),
    row("a name that runs backwards", lambda: None, arguments=("Hi.", "-o", "\u202eab.wav")),
    row("a name with NUL", lambda: None, SYSTEM, USAGE, SOUND, arguments=("Hi.", "-o", "a\0b.wav")),
    row("no name", lambda: None, DONE, USAGE, SOUND, arguments=("Hi.", "-o", "")),
    row("a name with a slash at its end", lambda: None, DONE, SOUND, say="Hi. -o a.wav/"),
    row("a folder that was deleted", deleted_here, SYSTEM, SOUND, DONE),
    row("text from a deleted folder", deleted_here, TEXT, SYSTEM, say="--file a.txt -o /dev/null"),
    row("a forbidden folder", forbidden_here, SYSTEM, SOUND, MODEL),
    row("no such text file", lambda: None, TEXT, say="--file none.txt -o a.wav"),
    row("a folder as text", lambda: None, TEXT, say="--file . -o a.wav"),
    row(
        "a text without rights",
        made(file("t.txt", b"Hi.", 0), nobody),
        TEXT,
        USAGE,
        say="--file t.txt -o a.wav",
    ),
    row("an empty text", file("t.txt", b""), TEXT, say="--file t.txt -o a.wav"),
    row("endless text", lambda: None, TEXT, say="--file /dev/zero -o a.wav"),
    row("endless standard input", from_file(0, "/dev/zero", READ), TEXT, say="- -o a.wav"),
    row(
        "text in UTF-16",
        file("t.txt", "Hi there.".encode("utf-16")),
        TEXT,
        say="--file t.txt -o a.wav",
    ),
    row(
        "text with a mark of its order",
        file("t.txt", b"\xef\xbb\xbfHi.\r\nYes."),
        say="--file t.txt -o a.wav",
    ),
    row(
        "a voice without rights",
        made(file("v.safetensors", b"x", 0), nobody),
        VOICE,
        SYSTEM,  # where nobody may look into the package either
        say="Hi. -o a.wav --voice v.safetensors",
    ),
    row(
        "an endless voice",
        lambda: os.symlink("/dev/zero", "v.safetensors"),
        VOICE,
        say="Hi. -o a.wav --voice v.safetensors",
    ),
    row("an endless lexicon", lambda: None, TEXT, say="Hi. -o a.wav --lexicon /dev/zero"),
    row("an endless batch", lambda: None, 8, say="--batch /dev/zero -o out"),
    row("a batch into a file", file("out"), SOUND, arguments=("--batch", "b.jsonl", "-o", "out")),
    row(
        "a batch without rights",
        made(folder("out", 0o555), nobody),
        SOUND,
        SYSTEM,
        arguments=("--batch", "b.jsonl", "-o", "out"),
    ),
]
WHILE = (
    [
        row(
            f"{name} at write {at}",
            while_writing(raises(number), at),
            SYSTEM,
            SOUND,
            arguments=(TWO, "-o", "a.wav"),
        )
        for name, number in (
            ("a full disk", errno.ENOSPC),
            ("a quota", errno.EDQUOT),
            ("a broken disk", errno.EIO),
        )
        for at in (1, 2, 3)
    ]
    + [
        row(f"no renaming: {os.strerror(number)}", no_renaming(number), SYSTEM, SOUND)
        for number in (errno.EROFS, errno.EXDEV, errno.EACCES)
    ]
    + [
        row(
            "the folder is removed while it speaks",
            made(folder("out", 0o755), while_writing(lost_folder, 2)),
            SYSTEM,
            SOUND,
            arguments=(TWO, "-o", "out/a.wav"),
        ),
        *(
            row(
                f"{name} at write {at}",
                while_writing(sends(name), at),
                code,
                arguments=(TWO, "-o", "a.wav"),
            )
            for name, code in KEPT.items()
            for at in (1, 3)
        ),
        *(
            row(
                f"{name} in a stream",
                while_writing(sends(name)),
                code,
                arguments=(TWO, "--stream", "-o", "a.wav"),
            )
            for name, code in KEPT.items()
        ),
        row("a changed window", while_writing(sends("SIGWINCH")), DONE),
        row("a child that ended", while_writing(sends("SIGCHLD")), DONE),
        row(
            "signals that are ignored",
            made(ignored("SIGINT", "SIGHUP", "SIGTERM"), while_writing(sends("SIGHUP"))),
        ),
        row("signals that are blocked", made(everything_blocked, while_writing(sends("SIGTERM")))),
        row("pipes that signal", lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN)),
    ]
)
LIMITS = [
    row("no file may grow", limit(resource.RLIMIT_FSIZE, 0), SYSTEM, SOUND, silent=True),
    row("files of 100 bytes", limit(resource.RLIMIT_FSIZE, 100), SYSTEM, SOUND),
    row("no core files", limit(resource.RLIMIT_CORE, 0)),
    row("no locked memory", limit(resource.RLIMIT_MEMLOCK, 0)),
    row("a small stack", limit(resource.RLIMIT_STACK, 1 << 20)),
    row("no further process", made(limit(resource.RLIMIT_NPROC, 1), nobody), DONE, SYSTEM),
    row("a low priority", lambda: os.nice(19)),
    row("no rights for anybody", lambda: os.umask(0o777)),
    row("all rights for everybody", lambda: os.umask(0)),
]
AROUND = [
    row("no home", environment(HOME=None)),
    row("a home that is not there", environment(HOME="/no/such/home")),
    row("a home without a name", environment(HOME="")),
    row("a home that is a file", environment(HOME="/dev/null")),
    row("no folder for temporary files", environment(TMPDIR="/no/such"), DONE, SYSTEM),
    row(
        "sound by no temporary folder", environment(TMPDIR="/no/such"), DONE, SYSTEM, arguments=OUT
    ),
    row("no caches", environment(XDG_CACHE_HOME="/proc/none")),
    row("no variables", no_environment),
    row("two megabytes of variables", huge_environment),
    row("variables that are no text", odd_bytes),
    row("the language C", environment(LANG="C", LC_ALL="C")),
    row("the language of Turkey", environment(LC_ALL="tr_TR.UTF-8")),
    row("a language that is none", environment(LC_ALL="xx_YY.nothing", LANG="\x01")),
    row("a time zone that is none", environment(TZ="Not/There:::")),
    row("a far time zone", environment(TZ="Pacific/Kiritimati")),
    row("no columns", environment(COLUMNS="0")),
    row("columns that are none", environment(COLUMNS="wide")),
    row("a dumb terminal", environment(TERM="dumb", NO_COLOR="1")),
    row("an unknown terminal", environment(TERM="\x1b", FORCE_COLOR="1")),
    row("no programs", environment(PATH="")),
    row("threads that are none", environment(OMP_NUM_THREADS="many")),
    row("no threads", environment(OMP_NUM_THREADS="0")),
    row("minus two threads", environment(OMP_NUM_THREADS="-2")),
    row("a million threads", environment(OMP_NUM_THREADS="1000000"), DONE, CONFIG),
    row("a user that is unknown", without_user, DONE, SYSTEM, SOUND),
    row("no user's name", environment(USER=None, LOGNAME=None)),
    row("no shared memory", lambda: mount("tmpfs", "/dev/shm", "size=4k,ro"), DONE, SYSTEM),
    row("no devices", lambda: mount("tmpfs", "/dev", "size=4k"), DONE, SYSTEM),
    row("no processes to see", lambda: mount("tmpfs", "/proc", "size=4k"), DONE, SYSTEM),
    row("no system to see", lambda: mount("tmpfs", "/sys", "size=4k")),
    row("no fonts, no words", lambda: mount("tmpfs", "/usr/share", "size=4k")),
    row("a session of its own", os.setsid),
]
ROWS = [*STREAMS, *FILES, *WHILE, *LIMITS, *AROUND]


@pytest.fixture(scope="module")
def warm(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The arguments of the tiny model; what a command imports is imported, all may look at it."""
    place = tmp_path_factory.mktemp("warm")
    model = ["--model", str(tiny_model_folder), "-q"]
    (place / "b.jsonl").write_text('{"text": "Hi."}\n')
    before = Path.cwd()
    os.chdir(place)
    try:
        for words in (
            ["Hi.", "-o", "a.wav"],
            ["Hi.", "--stream", "-o", "b.wav"],
            ["--batch", "b.jsonl", "-o", "out"],
        ):
            found = outcome(["say", *words, *model])
            assert found.code == 0, found.told
    finally:
        os.chdir(before)
    for path in (tiny_model_folder, *tiny_model_folder.parents):
        if path.owner() == Path.home().owner() and str(path).startswith("/tmp"):
            path.chmod(0o755)
    return model


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that anybody may write into."""
    for path in (tmp_path, *tmp_path.parents):
        if os.access(path, os.W_OK) and str(path).startswith("/tmp/"):
            path.chmod(0o777 if path == tmp_path else 0o755)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "disk").mkdir()
    (tmp_path / "b.jsonl").write_text('{"text": "Hi."}\n')
    return tmp_path


@cache
def loaded(model: str) -> Synthesizer:
    """The tiny model, loaded once."""
    return load(model)


def test_there_are_a_hundred_of_them() -> None:
    assert len(ROWS) >= 100
    assert len({around.name for around in ROWS}) == len(ROWS)


@pytest.mark.parametrize("around", ROWS, ids=lambda around: around.name)
def test_a_command_ends_well_whatever_stands_around_it(
    around: Around,
    warm: list[str],
    place: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = tmp_path_factory.mktemp("told") / "told"
    told.parent.chmod(0o777)
    arguments, loads = ["say", *around.arguments, *warm], around in (*LIMITS, *AROUND)
    if not loads:  # a model that is there already saves most of the time
        synthesizer = loaded(warm[1])
        monkeypatch.setattr(mamtra.synthesis.load, "load", lambda *_, **__: synthesizer)
    found: Outcome = forked(around.spoil, arguments, told)
    if found.code == UNDONE:
        pytest.skip("these surroundings cannot be made here")
    assert found.code in around.codes, found.told
    if not around.silent and found.code < 128:
        assert found.accepted, found.told
    assert not list(place.rglob(".*.partial"))
