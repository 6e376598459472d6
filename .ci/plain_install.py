"""Whether an installation without extras does what it must: it speaks, and what it needs is there.

Runs in an empty folder, by the Python of that installation; needs nothing of the checkout.
"""

import importlib
import importlib.metadata
import importlib.util
import pkgutil
import subprocess
import sys
import wave
from array import array
from pathlib import Path

SENTENCE = "The weather was fine, so we walked along the river until evening."
SECONDS = (2.5, 8.0)  # how long that may take to say
PEAK = 0.1  # of full scale; less is hardly audible
# rooms and commands that must do without any extra
ROOMS = ("text", "audio", "voice", "generation", "synthesis", "runtime.onnx", "runtime.choose")
COMMANDS = ("main", "say", "say_batch", "say_stream", "voices", "voice", "doctor", "fetch")
PLAIN = (*(f"mamtra.{room}" for room in ROOMS), *(f"mamtra.cli.{name}" for name in COMMANDS))
MOST_PACKAGES, MOST_BYTES = 25, 250_000_000  # of the whole environment, pip left out


def speak() -> None:
    """Say a sentence by the command line and look at the file."""
    program = Path(sys.executable).with_name("mamtra")
    subprocess.run([program, "say", SENTENCE, "-o", "speech.wav"], check=True)
    with wave.open("speech.wav", "rb") as file:
        seconds = file.getnframes() / file.getframerate()
        samples = array("h", file.readframes(file.getnframes()))
    peak = max(map(abs, samples)) / 2**15
    print(f"plain install: spoke {seconds:.2f} s, peak {peak:.2f}")
    assert SECONDS[0] < seconds < SECONDS[1], "too short or too long"
    assert peak > PEAK, "not audible"


def is_plain(module: str) -> bool:
    """Whether a module must be there without extras."""
    return any(module == room or module.startswith(f"{room}.") for room in PLAIN)


def import_all() -> None:
    """Import every module; only those that speaking does without may lack an extra's package."""
    import mamtra
    from mamtra.cli.findings import EXTRAS

    extras = {name for names in EXTRAS.values() for name in names} | {"llvmlite"}
    brought = [name for name in extras if importlib.util.find_spec(name)]
    assert not brought, f"a plain install brings what belongs to extras: {brought}"
    count, failures = 0, []
    for module in pkgutil.walk_packages(mamtra.__path__, "mamtra.", onerror=lambda _: None):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
            count += 1
        except ModuleNotFoundError as missing:
            if is_plain(module.name) or (missing.name or "").partition(".")[0] not in extras:
                failures.append(f"{module.name}: {missing!r}")
        except Exception as problem:
            failures.append(f"{module.name}: {problem!r}")
    assert not failures, "\n".join(failures)
    assert "torch" not in sys.modules
    print(f"plain install: {count} modules imported")


def speak_in_python() -> None:
    """Say a word by the library; nothing of an extra comes along."""
    code = "import sys, mamtra; mamtra.load('nano').say('Hello.'); print('torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False", "speaking imported torch"


def weigh() -> None:
    """Count packages and bytes."""
    names = {found.name for found in importlib.metadata.distributions()} - {"pip", "setuptools"}
    folder = Path(importlib.util.find_spec("mamtra").origin).parent.parent
    size = sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] not in ("pip", "setuptools")
    )
    print(f"plain install: {len(names)} packages, {size / 1e6:.0f} MB")
    assert len(names) <= MOST_PACKAGES, sorted(names)
    assert size <= MOST_BYTES, size


assert importlib.util.find_spec("pytest") is None, "this environment is not empty"
speak()
speak_in_python()
import_all()
weigh()
