"""Speak a test set at several speeds, for judges.

    python tools/speak_at_speeds.py -o speeds --limit 48
    mamtra evaluate intelligibility --limit 48 --judge whisper:FOLDER --row ROWS.jsonl \
        --wavs speeds/0.75 --wavs speeds/1 --wavs speeds/1.25 --wavs speeds/1.5

Writes a folder for each speed, with 1.wav, 2.wav, ... in the order of the set.
"""

import argparse
from pathlib import Path

import mamtra
from mamtra.evaluation.named_sets import open_set

SPEEDS = (0.75, 1.0, 1.25, 1.5)


def main() -> None:
    """Speak."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--set", default="everyday")
    parser.add_argument("--limit", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    synthesizer = mamtra.load(given.model)
    lines = open_set(given.set).part(given.limit).lines
    for speed in SPEEDS:
        folder = given.output / f"{speed:g}"
        folder.mkdir(parents=True, exist_ok=True)
        for number, line in enumerate(lines, start=1):
            speech = synthesizer.say(line.text, seed=given.seed, speed=speed)
            speech.save(folder / f"{number}.wav")


if __name__ == "__main__":
    main()
