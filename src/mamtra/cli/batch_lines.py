"""The lines of a batch and what became of them: two files of JSON lines.

The batch is read, the manifest is written, a row after each sound. Reading the manifest back tells
what is left to be done.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mamtra.atomic import leftovers, write_file
from mamtra.audio.clip import FORMATS
from mamtra.cli.options import STANDARD
from mamtra.cli.say_report import ENDED
from mamtra.errors import AudioError, ConfigError, CorpusError, MamtraError, TextError
from mamtra.synthesis.options import SpeakOptions
from mamtra.text.files import read_standard_input, read_text_file

MANIFEST = "manifest.jsonl"
SUFFIX = ".wav"
KEYS = ("text", "voice", "seed", "id", "out")
LONGEST_NAME = 100  # letters of a file's name; 255 bytes are the most that file systems take
NAME = re.compile(rf"\w[\w .+-]{{0,{LONGEST_NAME - 1}}}")  # a file: no path, nothing hidden
SHOWN = 60  # letters of a name that a message repeats
EXPECTED = 'write one object a line, as {"text": "Hello there.", "voice": "heart", "seed": 1}'


Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the file.

    Attributes:
        path: name of its sound file in the folder.
    """

    number: int
    id: str
    path: str
    text: str
    options: SpeakOptions

    def fingerprint(self, model: str) -> str:
        """A short name for all that its sound depends on; of the model its name alone."""
        options = asdict(replace(self.options, lexicon=None))
        if self.options.proofread:
            del options["proofread"]  # manifests of before there was a choice still hold
        if self.options.lexicon is None:
            del options["lexicon"]
        else:
            options["lexicon"] = self.options.lexicon.digest
        values = {**options, "model": model, "text": self.text, "path": self.path}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def id_of(number: int) -> str:
    """The name of a line that has none."""
    return f"{number:05d}"


def read_line(number: int, raw: str, defaults: SpeakOptions) -> Line:
    """One line of the file.

    Raises:
        TextError: it is no JSON object with a text, or a value cannot be used.
    """
    try:
        values = json.loads(raw)
    except (ValueError, RecursionError) as problem:
        raise TextError(f"line {number} is not JSON: {problem}; {EXPECTED}") from problem
    if not isinstance(values, dict) or not isinstance(values.get("text"), str):
        raise TextError(f"line {number} must be an object with a string 'text'; {EXPECTED}")
    if unknown := sorted(set(values) - set(KEYS)):
        raise TextError(
            f"line {number} has unknown keys {', '.join(unknown)}; known are {', '.join(KEYS)}"
        )
    values = {key: value for key, value in values.items() if value is not None}  # null: not given
    name = str(values.get("id", id_of(number)))
    path = str(values.get("out", f"{name}{SUFFIX}"))
    if not NAME.fullmatch(path) or Path(path).suffix.lower() not in FORMATS:
        raise TextError(
            f"line {number} would be written to {path[:SHOWN]!r}; give a plain file name of at "
            f"most {LONGEST_NAME} letters that ends with one of {', '.join(FORMATS)}"
        )
    voice, seed = values.get("voice", defaults.voice), values.get("seed", defaults.seed)
    if not isinstance(voice, str | None) or not isinstance(seed, int):
        raise TextError(f"line {number} has voice {voice!r} and seed {seed!r}; {EXPECTED}")
    try:
        options = replace(defaults, voice=voice, seed=seed)
    except ConfigError as problem:
        raise TextError(f"line {number}: {problem}") from problem
    return Line(number=number, id=name, path=path, text=values["text"], options=options)


def read_lines(source: str) -> list[tuple[int, str]]:
    """The lines of a file with their numbers from 1; empty ones are left out.

    Raises:
        CorpusError: it cannot be read, or holds nothing.
    """
    if source == STANDARD:
        text = read_standard_input(CorpusError)
    else:
        text = read_text_file(source, CorpusError)
    lines = [(number, raw) for number, raw in enumerate(text.split("\n"), start=1) if raw.strip()]
    if not lines:
        raise CorpusError(f"the batch {source!r} is empty; give one JSON object a line")
    return lines


class Manifest:
    """What became of the lines, in the folder of the sound files.

    Args:
        folder: made if it is not there.
        part: of several that speak into the folder at once, such as ``1of4``: each writes a
            manifest of its own. Without one, what all parts wrote is gathered.

    Raises:
        AudioError: it is a file, or nothing can be written there.
    """

    def __init__(self, folder: Path, part: str = "") -> None:
        self.folder, self.path = folder, folder / (f"manifest-{part}.jsonl" if part else MANIFEST)
        self.rows: dict[str, Row] = {}
        try:
            if folder.is_file():
                raise AudioError(
                    f"cannot write into {str(folder)!r}: it is a file; the -o of a batch must be a "
                    "folder"
                )
            folder.mkdir(parents=True, exist_ok=True)
            found = sorted(folder.glob("manifest-*.jsonl")) if not part else []
            found += [self.path] * self.path.exists()
            if found:
                self.read(found)
            for leftover in [] if part else leftovers(folder):  # of a process that was killed
                leftover.unlink()
        except OSError as problem:
            reason = problem.strerror or problem  # without Python's numbers
            raise AudioError(f"cannot write into {str(folder)!r}: {reason}") from problem

    def read(self, paths: list[Path]) -> None:
        """Take over the rows that are there; the half-written one of a killed process is dropped.

        A line that was spoken again has several rows; the last one holds.
        """
        for raw in (raw for path in paths for raw in path.read_bytes().splitlines()):
            try:
                row = json.loads(raw)
                self.rows[row["id"]] = row
            except (ValueError, KeyError, TypeError):
                continue
        rows = "".join(f"{json.dumps(row)}\n" for row in self.rows.values())
        write_file(self.path, rows, AudioError)

    def holds(self, line: Line, fingerprint: str, weights: str) -> bool:
        """Whether exactly this line was spoken by these weights and its sound is still there.

        Rows of before weights were noted count by the model's name alone.
        """
        row = self.rows.get(line.id, {})
        same = row.get("error", "") is None and row.get("fingerprint") == fingerprint
        same = same and row.get("weights", weights) == weights
        return same and (self.folder / line.path).is_file()

    def add(self, row: Row) -> None:
        """Write a row; it survives this process."""
        self.rows[row["id"]] = row
        try:
            with self.path.open("a") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as problem:
            raise AudioError(f"cannot write {str(self.path)!r}: {problem}") from problem


@dataclass(slots=True)
class Account:
    """How a batch went.

    Attributes:
        doubtful: lines, of this run or of an earlier one, whose speech did not end by itself.
        first_problem: why the first of the failed lines failed.
    """

    lines: int
    spoken: int = 0
    skipped: int = 0
    failed: int = 0
    doubtful: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    first_problem: str = ""


class Batch:
    """Lines on their way into a folder.

    Args:
        lines: raw, with their numbers.
        manifest: of the folder.
        model: the model's name.
        defaults: what holds for every line.
        mark: whether files say that their speech is artificial.
        weights: digest of the model.
    """

    def __init__(
        self,
        lines: list[tuple[int, str]],
        manifest: Manifest,
        model: str,
        defaults: SpeakOptions,
        mark: bool,
        weights: str,
    ) -> None:
        self.manifest, self.model, self.defaults, self.mark = manifest, model, defaults, mark
        self.weights = weights
        self.account = Account(len(lines))
        self.todo: list[Line] = []
        self.taken: dict[str, int] = {}
        for number, raw in lines:
            self.sort(number, raw)

    def sort(self, number: int, raw: str) -> None:
        """Decide what is to be done about a line."""
        name = id_of(number)
        try:
            line = read_line(number, raw, self.defaults)
            name = line.id
            for taken in (line.id, line.path):
                if taken in self.taken:
                    name = id_of(number)
                    raise TextError(f"line {self.taken[taken]} has the same name {taken!r}")
            self.taken |= {line.id: number, line.path: number}
        except TextError as problem:
            self.failed(number, name, problem)
            return
        if self.manifest.holds(line, line.fingerprint(self.model), self.weights):
            self.account.skipped += 1
            self.account.doubtful += self.manifest.rows[line.id].get("stop_reason") != ENDED
        else:
            self.todo.append(line)

    def failed(self, number: int, name: str, problem: MamtraError) -> None:
        """Note that a line could not be spoken."""
        self.note(failed_row(number, name, problem))

    def note(self, row: Row) -> None:
        """Write down what became of a line."""
        if row["error"] is None:
            self.account.spoken += 1
            self.account.doubtful += row["stop_reason"] != ENDED
            self.account.seconds += row["seconds"]
        else:
            self.account.failed += 1
            self.account.first_problem = self.account.first_problem or row["error"]
        self.manifest.add(row)


def failed_row(number: int, name: str, problem: MamtraError) -> Row:
    """The manifest's row of a line that could not be spoken."""
    return {"line": number, "id": name, "error": str(problem), "kind": type(problem).__name__}
