"""Whether an installation without extras does what it must: it speaks, and what it needs is there.

Runs in an empty folder, by the Python of that installation; needs nothing of the checkout.
"""

import importlib
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
# what is nothing without an extra, and which package that brings
NEEDS = {"mamtra.runtime.torch.compiled": "numba"}


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


def import_all() -> None:
    """Import every module that must do without extras."""
    import mamtra
    from mamtra.cli.findings import EXTRAS

    brought = [
        name for names in EXTRAS.values() for name in names if importlib.util.find_spec(name)
    ]
    assert not brought, f"a plain install brings what belongs to extras: {brought}"
    count, failures = 0, []
    for module in pkgutil.walk_packages(mamtra.__path__, "mamtra.", onerror=lambda _: None):
        if any(module.name.startswith(room) for room in NEEDS) or module.name.endswith("__main__"):
            continue
        count += 1
        try:
            importlib.import_module(module.name)
        except Exception as problem:
            failures.append(f"{module.name}: {problem!r}")
    assert not failures, "\n".join(failures)
    print(f"plain install: {count} modules imported")


assert importlib.util.find_spec("pytest") is None, "this environment is not empty"
speak()
import_all()
