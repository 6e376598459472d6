"""The paper's tables and figures with our cell beside each of its numbers.

Every cell of ours is arithmetic, or a figure of a committed row whose file is named, or says that
it was not measured here and which command would. Published: arXiv 2603.12342, Tables 2 to 4,
Figures 3 to 6; Seed-TTS-eval test-en.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import correlation
from typing import Any

from mamtra.errors import LayoutError
from mamtra.evaluation.report import Grid
from mamtra.figures.draw import middle
from mamtra.figures.paper_speech import MISSING, PICTURES, RESULTS, kept_rows, speech_table
from mamtra.sizing.inference_bytes import speech_lm_bytes, state_bytes
from mamtra.sizing.operations import PAPER_POSITIONS, paper_operations, token_operations
from mamtra.sizing.plan import plan
from mamtra.sizing.sizes import ModelSizes, shaped

RATIOS = ("1:0", "1:1", "1:3", "1:5", "1:11")
PLANNED_SECONDS, PLANNED_STREAMS = 60.0, 32
TERA, GIGA, MEBIBYTE, FLOAT = 1e12, 1e9, 2**20, 4
PAPER_TERAFLOPS = {"1:0": 1.78, "1:1": 1.64, "1:3": 1.57, "1:5": 1.54, "1:11": 1.52}
PAPER_LOSSES = {"all": 3.48, "no CE": 6.70, "no logits": 6.13, "no embeddings": 5.63}
NANO_ROWS = "nano-decode.jsonl"
DISTILL = "mamtra distill cosyvoice2 student --data shards -o run"
PAPER_MEMORY = -34  # percent, 1:1 against CosyVoice 2


def operations_table(sizes: ModelSizes, dtype: str = "float16") -> Grid:
    """Table 2 and Figure 5 by arithmetic: operations, parameters and state of every ratio."""
    published = sizes.name == "cosyvoice2"
    rows = []
    for ratio in RATIOS:
        try:
            own = shaped(sizes, ratio)
        except LayoutError:
            continue
        backbone = own.backbone
        parameters = speech_lm_bytes(own.speech_lm, "float32") / FLOAT
        token = token_operations(own.speech_lm, PAPER_POSITIONS)
        states = [
            f"{state_bytes(backbone, length, streams, dtype).total / MEBIBYTE:,.1f}"
            for length, streams in ((2048, 1), (4096, 32))
        ]
        rows.append(
            (
                ratio,
                f"{PAPER_TERAFLOPS[ratio]:.2f}" if published else "",
                f"{paper_operations(backbone) / TERA:.3g}",
                f"{token / GIGA:.3g}",
                f"{parameters / 1e6:,.1f}",
                *states,
            )
        )
    return Grid(
        (
            "ratio",
            "paper, TFLOPs",
            "its counting",
            "GFLOPs a token",
            "M parameters",
            "MiB, 2,048 tokens",
            "MiB, 32 x 4,096",
        ),
        tuple(rows),
        f"Table 2, Figure 5: {sizes.name}",
        (
            "TFLOPs of a forward over 2,000 positions; a token after 2,000; scan states in float32",
            "by arithmetic: mamtra plan",
        ),
    )


def parts_table(sizes: ModelSizes) -> Grid:
    """Figure 3 by arithmetic: memory by part, for every ratio; needs no weights."""
    lines = []
    for ratio in RATIOS:
        try:
            planned = plan(shaped(sizes, ratio), PLANNED_SECONDS, PLANNED_STREAMS, "bfloat16")
        except LayoutError:
            continue
        weights = planned.weights
        own = weights["speech_lm"]
        parts = (own, sum(weights.values()) - own, planned.key_values, planned.scans)
        cells = [f"{count / MEBIBYTE:,.0f}" for count in (*parts, planned.activations)]
        lines.append((ratio, *cells, f"{planned.total / MEBIBYTE:,.0f}"))
    return Grid(
        ("ratio", "speech LM", "decoder, vocoder", "keys, values", "scans", "activations", "total"),
        tuple(lines),
        f"Figure 3: {sizes.name} by part, MiB",
        (
            f"{PLANNED_STREAMS} streams of {PLANNED_SECONDS:.0f} s, bfloat16 language model, "
            f"activations estimated: mamtra plan --seconds {PLANNED_SECONDS:.0f} --streams "
            f"{PLANNED_STREAMS}",
        ),
    )


def losses_table(root: Path) -> Grid:
    """Table 4: each loss left out."""
    found = kept_rows(root / PICTURES / "lab-losses.json")
    ours = {bar["what"]: bar for bar in (found[0]["bars"] if found else ())}
    lines = []
    for what, wer in PAPER_LOSSES.items():
        bar = ours.get(what)
        own = ("", "") if bar is None else (f"{bar['wer']:.1f}", f"{bar['validation_letters']:.3f}")
        lines.append((what, f"{wer:.2f}", *own))
    note = "nano, 60 steps (docs/pictures/lab-losses.json)"
    return Grid(
        ("losses", "paper, WER %", "nano, WER %", "nano, nats"),
        tuple(lines),
        "Table 4",
        (note if ours else MISSING.format("mamtra lab losses"),),
    )


def memory_finding(root: Path, name: str, model: str) -> str:
    """Figure 3: memory of 1:1 beside how the original runs, and its state beside the teacher's."""
    found = kept_rows(root / RESULTS / name)
    results = found[-1]["results"] if found else {}
    own, teacher = results.get("1:1", {}), results.get("1:0", {})
    if "of_baseline" not in own.get("memory", {}):
        return MISSING.format(f"mamtra bench decode --model {model} --targets baseline,1:0,1:1")
    whole = 100 * (middle(own["memory"]["of_baseline"]) - 1)
    engine = own["engine"]
    whole_numbers = engine.get("bits") == 8 or engine["dtype"] == "int8"
    bits = "8 bit" if whole_numbers else engine["dtype"]
    states = [shape["decode"][-1] for shape in (own, teacher)]
    less = 100 * (states[0]["state_bytes"] / states[1]["state_bytes"] - 1)
    return (
        f"{whole:+.0f} % of the process on a CPU ({bits}); {less:+.0f} % of the teacher's state "
        f"after {states[0]['context']:,} tokens ({name})"
    )


def growths_in(row: Mapping[str, Any]) -> dict[str, tuple[float, int, int]]:
    """By ratio: a step of one stream after many tokens over one after few, and both lengths."""
    found = dict[str, tuple[float, int, int]]()
    for ratio in RATIOS:
        cells = row["results"].get(ratio, {}).get("decode") or ()
        points = [cell for cell in cells if cell["batch"] == 1]
        if len(points) > 1:
            few, many = (middle(point["seconds_per_step"]) for point in (points[0], points[-1]))
            found[ratio] = many / few, points[0]["context"], points[-1]["context"]
    return found


def growth_finding(root: Path, name: str, model: str) -> str:
    """Figure 5: what a token costs more after many tokens than after few, ratio by ratio.

    The last row that has the teacher and a hybrid counts, and its machine is named.
    """
    rows = [(row, growths_in(row)) for row in kept_rows(root / RESULTS / name)]
    whole = [(row, found) for row, found in rows if "1:0" in found and len(found) > 1]
    if not whole:
        contexts = "--contexts 250,1000,4000,16000"
        return MISSING.format(f"mamtra bench decode --model {model} --targets 1:0,1:1 {contexts}")
    row, growths = whole[-1]
    _, few, many = growths["1:0"]
    where = row["provenance"]["machine"].get("gpu") or "CPU"
    told = ", ".join(f"{ratio} {growth:.3g}" for ratio, (growth, _, _) in growths.items())
    return (
        f"seconds of a token after {many:,} tokens as a multiple of those after "
        f"{few:,}, {where}: {told} ({name})"
    )


def prediction_finding(root: Path) -> str:
    """Figure 4: cross entropy predicts word errors."""
    found = kept_rows(root / PICTURES / "lab-ratios.json")
    points = [
        (float(point["validation_letters"]), float(point["wer"]))
        for point in (found[0]["points"] if found else ())
        if "wer" in point
    ]
    if len(points) < 3:
        return MISSING.format("mamtra lab ratios")
    found = correlation(*zip(*points, strict=True))
    return f"correlation {found:.2f} over {len(points)} layouts (lab-ratios.json)"


def starts_finding(root: Path) -> str:
    """Figure 6: starting from attention beats random starts."""
    found = kept_rows(root / PICTURES / "lab-starts.json")
    nats = {bar["what"]: bar["validation_letters"] for bar in (found[0]["bars"] if found else ())}
    if not {"attention", "xavier", "kaiming"} <= set(nats):
        return MISSING.format("mamtra lab starts")
    text = ", ".join(f"{what} {nats[what]:.2f}" for what in ("attention", "xavier", "kaiming"))
    return f"nats after 60 steps: {text} (lab-starts.json)"


def figures_table(root: Path) -> Grid:
    """Figures 3 to 6, each as one finding, for nano and for CosyVoice 2."""
    needs_weights = f"needs its weights; {MISSING.format(DISTILL)}"
    own, large = (NANO_ROWS, "nano"), ("memory.jsonl", "cosyvoice2")
    on_cpu = growth_finding(root, "length.jsonl", "cosyvoice2")
    on_card = growth_finding(root, "gpu.jsonl", "cosyvoice2 --device cuda")
    return Grid(
        ("figure", "paper", "nano", "CosyVoice 2"),
        (
            (
                "3, memory",
                f"{PAPER_MEMORY} % against CosyVoice 2 (A6000)",
                memory_finding(root, *own),
                memory_finding(root, *large),
            ),
            (
                "4, prediction",
                "cross entropy predicts WER",
                prediction_finding(root),
                needs_weights,
            ),
            (
                "5, length",
                "cost grows far slower",
                growth_finding(root, *own),
                f"{on_cpu}; {on_card}",
            ),
            (
                "6, starts",
                "Q, K, V below Xavier and Kaiming",
                starts_finding(root),
                needs_weights,
            ),
        ),
        "Figures 3 to 6 (CosyVoice 2: its sizes, random weights)",
    )


def paper_tables(sizes: Sequence[ModelSizes], root: Path) -> list[Grid]:
    """Every table, for models by their sizes.

    Args:
        sizes: models whose operations and states are counted.
        root: of the repository with the committed rows.

    Raises:
        CorpusError: a file of rows is damaged.
    """
    return [
        *(operations_table(one) for one in sizes),
        *(parts_table(one) for one in sizes),
        speech_table(root),
        losses_table(root),
        figures_table(root),
    ]
