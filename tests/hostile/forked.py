"""One command in a forked child, whose surroundings may be spoiled at will: nothing of it stays.

The child has every module that the parent has imported, so a run costs little; its streams are made
anew from its file descriptors, as Python makes them when it starts.
"""

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from outcome import Outcome

from mamtra.cli.main import main

SECONDS = 60  # a child that takes longer is ended by an alarm
UNDONE = 70  # exit code: these surroundings cannot be made here
LIBC = ctypes.CDLL(None, use_errno=True)
NEW_MOUNTS, PRIVATE = 0x20000, 0x40000 | 0x4000  # CLONE_NEWNS; MS_PRIVATE | MS_REC
READ_ONLY_AGAIN = 0x1000 | 0x1 | 0x20  # MS_BIND | MS_RDONLY | MS_REMOUNT


class CannotBeMadeError(Exception):
    """The rights for these surroundings are missing."""


def mount(kind: str, place: str, options: str) -> None:
    """Mount a file system that only this child sees.

    Raises:
        CannotBeMadeError: that is not allowed here.
    """
    if LIBC.unshare(NEW_MOUNTS) or LIBC.mount(b"none", b"/", None, PRIVATE, None):
        raise CannotBeMadeError("no mount namespaces")
    if LIBC.mount(kind.encode(), place.encode(), kind.encode(), 0, options.encode()):
        raise CannotBeMadeError(f"cannot mount {kind}")


def read_only(place: str) -> None:
    """Make a folder read-only for this child, whoever it is.

    Raises:
        CannotBeMadeError: that is not allowed here.
    """
    if LIBC.unshare(NEW_MOUNTS) or LIBC.mount(b"none", b"/", None, PRIVATE, None):
        raise CannotBeMadeError("no mount namespaces")
    where = place.encode()
    if LIBC.mount(where, where, None, 0x1000, None):
        raise CannotBeMadeError("cannot mount a folder over itself")
    if LIBC.mount(None, where, None, READ_ONLY_AGAIN, None):
        raise CannotBeMadeError("cannot mount it read-only")


def nobody() -> None:
    """Become a user without rights, where this is root; others are one already."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


def reopened(number: int, mode: str) -> object:
    """A standard stream as Python makes it of a file descriptor; None where it is closed."""
    try:
        os.fstat(number)
        return open(number, mode, encoding="utf-8", errors="surrogateescape", closefd=False)
    except OSError:
        return None


def run_child(spoil: Callable[[], object], arguments: list[str], told: Path) -> int:
    """What the child does; its exit code."""
    signal.alarm(SECONDS)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # nohup and & leave them ignored
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_DFL)
    os.dup2(os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        spoil()
    except CannotBeMadeError:
        return UNDONE
    sys.stdin, sys.stdout, sys.stderr = (reopened(n, m) for n, m in enumerate("rww"))
    sys.__stdout__ = sys.stdout
    try:
        main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def forked(spoil: Callable[[], object], arguments: list[str], told: Path) -> Outcome:
    """Run a command in spoiled surroundings.

    Args:
        spoil: called in the child before the command.
        arguments: of the command.
        told: a file that gets its standard error.
    """
    child = os.fork()
    if not child:
        code = 1
        try:
            code = run_child(spoil, arguments, told)
        except BaseException as problem:
            os.write(2, f"Traceback {problem!r}\n{traceback.format_exc()}".encode())
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError, AttributeError):
                    stream.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    text = told.read_text(errors="replace") if told.exists() else ""
    return Outcome(code if code >= 0 else None, text if code >= 0 else f"ended by {-code} {text}")
