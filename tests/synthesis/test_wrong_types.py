"""Python's arguments of wrong types: each is an error of ours, as on the command line.

In a process of its own, for the tests' shape checks would refuse such calls before the library.
"""

import subprocess
import sys
from pathlib import Path

CALLS = """
import sys
import mamtra

synthesizer = mamtra.load(sys.argv[1])
speech = next(iter(synthesizer.speak("Hello.")))
wrong = []


def expect(label, call):
    try:
        call()
    except mamtra.MamtraError as told:
        if not str(told) or "Error" in str(told):
            wrong.append(f"{label}: {told}")
    except BaseException as problem:
        wrong.append(f"{label}: {problem!r}")
    else:
        wrong.append(f"{label}: taken")


for value in (None, 123, b"abc", object()):
    expect(f"say {value!r}", lambda: synthesizer.say(value))
    expect(f"stream {value!r}", lambda: list(synthesizer.stream(value)))
    expect(f"load {value!r}", lambda: mamtra.load(value))
    expect(f"save {value!r}", lambda: speech.save(value))
for value in (["a"], 5.0):
    expect(f"say {value!r}", lambda: synthesizer.say(value))
    expect(f"load {value!r}", lambda: mamtra.load(value))
for value in (5, None, b"a", ["a"], "a \\ud800"):
    expect(f"pieces {value!a}", lambda: synthesizer.pieces(value))
for value in ("no", None, 1, []):
    expect(f"pieces normalize {value!r}", lambda: synthesizer.pieces("Hello.", value))
for value in ("no", None, 1):
    expect(f"save mark {value!r}", lambda: speech.save("unwritten.wav", mark=value))
for value in (5, None, b"a", ["Hello."], [5], [["Hello.", 5]], [[b"a"]], {"a": 1}):
    expect(f"speak {value!r}", lambda: list(synthesizer.speak(value)))
for value in (5, None, "fast", {}):
    expect(f"speak options {value!r}", lambda: list(synthesizer.speak("Hello.", value)))
    expect(f"batch options {value!r}", lambda: list(synthesizer.say_batch(["Hello."], value)))
    expect(f"join {value!r}", lambda: mamtra.join(value))
expect("stream [1]", lambda: list(synthesizer.stream(["Hello. ", 1])))
for name, values in {
    "seed": ("x", -1, 1.5, 2**70, None, True),
    "voice": (5, b"x", ["heart"], "", "nobody"),
    "speed": ("fast", 0, 9, None, float("nan"), True),
    "proofread": ("no", 2),
    "normalize": ("no", None, 1),
    "instruct": (5, b"x"),
    "lexicon": ("x", 5, {}),
    "mode": ("x", 3),
    "state": ("x", 3),
}.items():
    for value in values:
        expect(f"{name}={value!r}", lambda: synthesizer.say("Hello.", **{name: value}))
for name, values in {
    "threads": ("2", -1, 1.5, True),
    "device": (3, "tpu"),
    "engine": (3, "x"),
    "dtype": (3, "float8"),
    "flow_steps": ("x", -1),
    "dtypes": (5, "float32", {"decoder": "float32"}),
}.items():
    for value in values:
        expect(f"{name}={value!r}", lambda: mamtra.load(sys.argv[1], **{name: value}))
for value in ("Hello.", 5, None):
    expect(f"say_batch {value!r}", lambda: list(synthesizer.say_batch(value)))
expect("rows x", lambda: list(synthesizer.say_batch(["Hello."], rows="x")))
expect("join nothing", lambda: mamtra.join([]))
expect("join words", lambda: mamtra.join(["a"]))
found = [outcome for _, outcome in synthesizer.say_batch(["Hello.", 1, ("Hello.", "x")])]
kinds = sorted(isinstance(one, mamtra.MamtraError) for one in found)
print(*wrong, kinds, sep="\\n")
"""


def test_arguments_of_wrong_types_are_errors_of_ours(tiny_model_folder: Path) -> None:
    command = [sys.executable, "-c", CALLS, str(tiny_model_folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[False, True, True]"
