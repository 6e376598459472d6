"""Is prepared speech whole, and plausible? Checksums, ranges, texts, rates, and statistics."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mamtra.corpus.plausible import unlikely_text
from mamtra.corpus.shards import read_index, read_part
from mamtra.corpus.synthetic.manifest import SPLITS
from mamtra.errors import CorpusError
from mamtra.files import file_sha256

TOLERANCE = 0.2  # an utterance's tokens a second may differ so much from the median
SLACK = 3  # tokens that may lack beside that, at the ends


@dataclass(slots=True)
class Findings:
    """What was found.

    Attributes:
        problems: one sentence each; none in shards that are whole.
        statistics: hours, utterances, speakers, tokens, and so on.
    """

    problems: list[str] = field(default_factory=list)
    statistics: dict[str, Any] = field(default_factory=dict)


def damaged(folder: Path, part: dict[str, Any]) -> Iterator[str]:
    """Files of a part that are not as they were written."""
    for suffix, digest in part["sha256"].items():
        file = folder / f"{part['name']}.{suffix}"
        try:
            now = file_sha256(file)
        except OSError as problem:
            yield f"{file.name}: {problem.strerror}"
            continue
        if now != digest:
            yield f"{file.name}: its checksum is not that of the index"


def implausible(line: dict[str, Any], tokens: int, rate: float, seen: set[str]) -> Iterator[str]:
    """What is wrong with one utterance."""
    if not str(line["text"]).strip():
        yield "its text is empty"
    if line["split"] not in SPLITS:
        yield f"its split is {line['split']!r}"
    if line["id"] in seen:
        yield "its id is there twice"
    if reason := unlikely_text(str(line["text"]), line["seconds"]):
        yield reason
    if abs(tokens - rate * line["seconds"]) > TOLERANCE * rate * line["seconds"] + SLACK:
        yield f"{tokens} tokens in {line['seconds']:.2f} s, where {rate:.1f} a second are usual"


def validate(folder: Path, vocabulary: int | None = None) -> Findings:
    """Read all parts and judge them.

    Args:
        vocabulary: how many speech tokens the teacher has, if ids shall be held against it.

    Raises:
        CorpusError: there is no index.
    """
    found, rows, arrays = Findings(), [], []
    for part in read_index(folder)["parts"]:
        found.problems += damaged(folder, part)
        try:
            array, lines = read_part(folder, part["name"])
        except CorpusError as problem:
            found.problems.append(str(problem))
            continue
        if (len(lines), len(array["tokens"])) != (part["utterances"], part["tokens"]):
            found.problems.append(f"{part['name']}: the index counts otherwise")
        rows += zip(lines, np.diff(array["offsets"]).tolist(), strict=True)
        arrays.append(array["tokens"].astype(np.int64))
        if not np.isfinite(array["speakers"]).all():
            found.problems.append(f"{part['name']}: a speaker's vector is not all numbers")
    ids = np.concatenate([np.zeros(0, np.int64), *arrays])
    top = vocabulary if vocabulary is not None else np.iinfo(np.int64).max
    if outside := int(((ids < 0) | (ids >= top)).sum()):
        found.problems.append(f"{outside} speech tokens are below 0 or not below {top}")
    if not rows:
        found.problems.append("there is no utterance")
    judge(found, rows, ids)
    return found


def judge(found: Findings, rows: list[tuple[dict[str, Any], int]], ids: np.ndarray) -> None:
    """Look at every utterance, and count."""
    rate = float(np.median([n / line["seconds"] for line, n in rows])) if rows else 0.0
    seen: set[str] = set()
    for line, tokens in rows:
        found.problems += [f"{line['id']}: {why}" for why in implausible(line, tokens, rate, seen)]
        seen.add(line["id"])
    letters = sum(len(line["text"]) for line, _ in rows)
    splits = [line["split"] for line, _ in rows]
    found.statistics = {
        "utterances": len(rows),
        "hours": round(sum(line["seconds"] for line, _ in rows) / 3600, 4),
        "speakers": len({line["speaker"] for line, _ in rows}),
        "splits": {split: splits.count(split) for split in SPLITS},
        "tokens": len(ids),
        "codes_used": len(np.unique(ids)),
        "tokens_per_second": round(rate, 3),
        "tokens_per_character": round(len(ids) / max(1, letters), 3),
    }
