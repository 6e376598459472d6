"""Table 3 of the paper: words, likeness, naturalness and parameters, ours below the published.

Ours are kept rows of ``mamtra evaluate seed-tts``, one for each set; a cell that no row fills says
which command would. Other sentences and judges than the paper's: compare only ours with ours.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from mamtra.errors import CorpusError
from mamtra.evaluation.joint import check_judges
from mamtra.evaluation.report import Grid, ranged
from mamtra.evaluation.text_rules import profile_named
from mamtra.files import read_rows
from mamtra.sizing.inference_bytes import speech_lm_bytes
from mamtra.sizing.sizes import COSYVOICE2, model_sizes, shaped

RESULTS, PICTURES = Path("benchmarks/results"), Path("docs/pictures")  # of a repository
MISSING = "not measured here: {}"
FLOAT = 4
SPEECH_ROWS = "paper-speech.jsonl"
RATIOS = "lab-ratios.json"
STRESS = "length"  # the set of it; as in the paper, only its words are counted
NONE = "-"
NANO = {"1:3": "nano-1-3", "1:5": "nano-1-5", "1:11": "nano-1-11"}  # trained when they are named
# ratio: WER, WER of the stress set, similarity, UTMOS, NMOS; CosyVoice 2 and MamTra
PAPER_SPEECH = {
    "1:0": (2.03, 2.04, 0.66, 4.15, 3.68),
    "1:1": (2.28, 2.26, 0.72, 4.16, 3.66),
    "1:3": (3.26, 2.99, 0.72, 4.14, 3.65),
    "1:5": (2.53, 2.28, 0.72, 4.13, 3.65),
    "1:11": (3.99, None, 0.72, None, 3.27),
}
PUBLISHED = "mamtra evaluate seed-tts cosyvoice2 student --set seedtts_testset/en/meta.lst"
OURS = "mamtra evaluate seed-tts nano nano-teacher --set everyday --row benchmarks/results/"
LISTEN = "mamtra evaluate blind --form mos"


def kept_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file; none if it does not exist.

    Raises:
        CorpusError: the file is damaged.
    """
    return read_rows(path, CorpusError) if path.exists() else []


def millions(sizes: Any) -> str:
    """Parameters of a speech language model."""
    return f"{speech_lm_bytes(sizes.speech_lm, 'float32') / FLOAT / 1e6:.1f}"


def published_lines() -> list[tuple[str, ...]]:
    """What the paper reports; parameters by arithmetic."""
    return [
        (
            "CosyVoice 2" if ratio == "1:0" else f"MamTra {ratio}",
            "test-en; stress",
            f"{wer:.2f}; {stress or '-'}",
            f"{like:.2f}",
            f"UTMOS {utmos or '-'}, NMOS {nmos}",
            millions(shaped(COSYVOICE2, ratio)),
        )
        for ratio, (wer, stress, like, utmos, nmos) in PAPER_SPEECH.items()
    ]


def own_line(row: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """One system of a row."""
    told, first = row["systems"][name], profile_named(row["profile"]).first
    rates = [f"{judge} {ranged(heard['wer'][first])}" for judge, heard in told["heard"].items()]
    likeness = [f"{told['rated'][n]['value']:.2f}" for n in told["rated"] if n == "resemblyzer"]
    quality = [
        f"{n} {found['value']:.2f}" for n, found in told["rated"].items() if n != "resemblyzer"
    ]
    return (
        name,
        f"{row['set']}, {told['utterances']} lines",
        ", ".join(rates),
        ", ".join(likeness) or NONE,
        ", ".join(quality) or NONE,
        f"{row['parameters'][name] / 1e6:.1f}" if name in row.get("parameters", ()) else NONE,
    )


def laboratory_lines(root: Path, spoken: Collection[str]) -> list[tuple[str, ...]]:
    """Ratios of nano that no kept row has: the best student of the laboratory, words alone."""
    found = kept_rows(root / PICTURES / RATIOS)
    points = found[0]["points"] if found else ()
    lines = []
    for ratio, name in NANO.items():
        own = [point for point in points if point["ratio"] == ratio and "wer" in point]
        if name not in spoken and own:
            best = min(own, key=lambda point: point["wer"])
            lines.append(
                (
                    f"{name} (laboratory)",
                    "everyday, 40 lines",
                    f"pocketsphinx {best['wer']:.1f}",
                    MISSING.format(f"mamtra nano student-{ratio.replace(':', '-')}"),
                    "",
                    millions(shaped(model_sizes("nano"), ratio)),
                )
            )
    return lines


def latest(rows: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], str]]:
    """Each system on each set once, by the last row that has it."""
    found = {
        (row["set"], name, tuple(judge["name"] for judge in row["judges"])): (row, name)
        for row in rows
        for name in row["systems"]
    }
    return list(found.values())


def speech_table(root: Path) -> Grid:
    """Table 3.

    Raises:
        CorpusError: a file of rows is damaged, or a judge is another one in two rows.
    """
    kept = kept_rows(root / RESULTS / SPEECH_ROWS)
    ours = [own_line(row, name) for row, name in latest(kept)]
    further = laboratory_lines(root, {name for _, name in latest(kept)})
    lines = published_lines() + ours + further
    notes = [
        f"CosyVoice 2 and MamTra: published; {MISSING.format(PUBLISHED)}",
        f"opinions of people: {MISSING.format(LISTEN)}",
    ]
    if not kept:
        notes.append(MISSING.format(f"{OURS}{SPEECH_ROWS}"))
    if not any(row["set"] == STRESS for row in kept):
        stress = OURS.replace("everyday", f"{STRESS} --one-piece")
        notes.append(f"stress set: {MISSING.format(f'{stress}{SPEECH_ROWS}')}")
    judges = ", ".join(judge["name"] for judge in check_judges(kept))
    if kept:
        notes.append(
            f"our lines: judges {judges} ({SPEECH_ROWS}); other sentences and judges than the "
            f"paper's: compare only ours with ours"
        )
    if further:
        notes.append(f"laboratory: 60 steps of a former teacher ({RATIOS}, mamtra lab ratios)")
    headings = ("system", "lines", "WER %", "similarity", "naturalness", "M parameters")
    return Grid(headings, tuple(lines), "Table 3", tuple(notes))
