"""What an evaluation has done so far, kept in a folder so that a killed run goes on where it was.

    wavs/SYSTEM/RUN/ID.wav   what was said
    said*.jsonl              one line for each clip: how it came about, and its checksum
    judged*.jsonl            one line for each opinion, by the clip's checksum and the judge's key

Nothing is computed twice: a clip's line carries a key of everything that it depends on (weights,
voice, seed, text), an opinion's key is the sound itself. Another judge or another model may
therefore use the same folder, and several processes may share one (each writes files of its own).
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mamtra.atomic import append_row
from mamtra.errors import CorpusError


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How one clip came about.

    Attributes:
        key: of everything that it depends on.
        sha256: of the samples, the way into the opinions; empty if there is no sound.
        fault: what makes it degenerate, or nothing.
        error: why there is no sound, or nothing.
    """

    key: str
    system: str
    run: int
    line: str
    sha256: str = ""
    seconds: float = 0.0
    took_seconds: float = 0.0
    stop: str = ""
    fault: str = ""
    error: str = ""
    attempts: int = 1
    nats: float | None = None
    state_bytes: int = 0


def whole_lines(path: Path, mend: bool = True) -> Iterator[dict[str, Any]]:
    """The JSON lines of a file; a last line that was cut off is left out.

    Args:
        path: of the file.
        mend: also remove the cut-off line from it; not from one that another process may be
            writing to.
    """
    good = 0
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            row = json.loads(line)
        except ValueError:
            break
        if not line.endswith(b"\n"):
            break
        good += len(line)
        yield row
    if mend and good < path.stat().st_size:
        os.truncate(path, good)


class RunFolder:
    """The folder of one evaluation.

    Args:
        folder: made if it does not exist.
        part: of several processes that share it, such as ``1of4``.

    Raises:
        CorpusError: the folder cannot be written.
    """

    def __init__(self, folder: Path, part: str = "") -> None:
        self.folder = folder
        ending = f"-{part}.jsonl" if part else ".jsonl"
        self.said_path, self.judged_path = folder / f"said{ending}", folder / f"judged{ending}"
        self.said: dict[str, Said] = {}
        self.opinions: dict[tuple[str, str, str], Any] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(folder.glob("said*.jsonl")):
                for row in whole_lines(path, path == self.said_path):
                    self.said[row["key"]] = Said(**row)
            for path in sorted(folder.glob("judged*.jsonl")):
                for row in whole_lines(path, path == self.judged_path):
                    self.opinions[row["sound"], row["judge"], row["other"]] = row["value"]
        except (OSError, KeyError, TypeError) as problem:
            raise CorpusError(f"cannot keep results in {str(folder)!r}: {problem}") from problem

    def sound_path(self, system: str, run: int, line: str) -> Path:
        """Where a clip is kept."""
        plain = "".join(c if c.isalnum() or c in "-_./" else "_" for c in system).strip("./")
        return self.folder / "wavs" / plain / str(run) / f"{line.replace('/', '_')}.wav"

    def add_said(self, said: Said) -> None:
        """Keep how a clip came about."""
        append_row(self.said_path, asdict(said), CorpusError)
        self.said[said.key] = said

    def add_opinion(self, sound: str, judge: str, other: str, value: Any) -> None:
        """Keep what a judge made of a sound, beside another one if it compares."""
        row = {"sound": sound, "judge": judge, "other": other, "value": value}
        append_row(self.judged_path, row, CorpusError)
        self.opinions[sound, judge, other] = value
