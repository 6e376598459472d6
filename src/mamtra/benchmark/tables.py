"""The table of a benchmark's row: which figures are shown, in which unit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mamtra.figures.draw import middle
from mamtra.sizing.gpus import readable

Show = Callable[[Any], str]


def short(value: float | int) -> str:
    """Three digits, or the whole number where it has more."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def number(found: Any) -> str:
    """A number, or a median with half its spread in percent."""
    value = middle(found)
    if not isinstance(found, Mapping) or not value:
        return short(value)
    return f"{short(value)} ±{50 * (found['most'] - found['least']) / value:.0f} %"


def median(found: Any) -> str:
    """A number, or a median alone."""
    return short(middle(found))


def size(found: Any) -> str:
    """Bytes."""
    return readable(round(middle(found)))


def percent(found: Any) -> str:
    """A share."""
    return f"{100 * middle(found):.0f} %"


def milliseconds(found: Any) -> str:
    """Seconds, in milliseconds."""
    return f"{1000 * middle(found):.1f}"


LEGEND = (
    "RTF: seconds for one of speech; x base, of base: speed and memory beside the baseline; "
    "bandwidth: share of the memory's that is in use"
)
# heading, the way to the figure, how it is shown
COLUMNS: dict[str, tuple[tuple[str, tuple[str, ...], Show], ...]] = {
    "speak": (
        ("seconds", ("seconds",), number),
        ("CPU s", ("cpu_seconds",), median),
        ("peak", ("peak_bytes",), size),
        ("x torch", ("times_import_torch",), median),
        ("of hibari", ("of_hibari", "cpu_seconds"), percent),
        ("RTF", ("real_time_factor", "whole"), number),
        ("first audio, s", ("first_audio_seconds",), median),
        ("its CPU s", ("first_audio_cpu_seconds",), median),
    ),
    "stream": (
        ("seconds", ("seconds",), number),
        ("RTF", ("real_time_factor", "whole"), number),
        ("first audio, s", ("first_audio_seconds",), number),
        ("its CPU s", ("first_audio_cpu_seconds",), number),
        ("longest wait, s", ("longest_wait_seconds",), median),
    ),
    "stages": (
        ("loading, s", ("load_seconds",), number),
        ("work, s", ("seconds",), number),
        ("CPU s", ("cpu_seconds",), number),
        ("process, s", ("process_seconds",), number),
        ("peak", ("peak_bytes",), size),
        ("CPU RTF", ("real_time_factor", "cpu_seconds"), number),
    ),
    "flow": (
        ("seconds", ("seconds",), number),
        ("CPU s", ("cpu_seconds",), number),
        ("CPU s a second", ("cpu_seconds_per_second_of_speech",), number),
        ("error", ("relative_error",), percent),
    ),
    "long": (
        ("pieces", ("pieces",), number),
        ("s of speech", ("audio_seconds",), number),
        ("RTF", ("real_time_factor",), number),
        ("CPU ms an id", ("cpu_milliseconds_per_id",), number),
        ("memory held", ("resident_bytes",), size),
        ("state, most", ("state_bytes", "most"), size),
    ),
    "decode": (
        ("tokens", ("context",), short),
        ("rows", ("batch",), short),
        ("tokens/s", ("tokens_per_second",), number),
        ("x base", ("times_baseline",), median),
        ("ms", ("seconds_per_step",), milliseconds),
        ("bandwidth", ("share_of_bandwidth",), percent),
        ("state", ("state_bytes",), size),
        ("peak", ("memory", "peak_speaking"), size),
        ("of base", ("memory", "of_baseline"), percent),
    ),
}


def found_at(row: Any, path: Sequence[str]) -> Any:
    """What lies deep inside a row; None where nothing does."""
    for step in path:
        row = row.get(step) if isinstance(row, Mapping) else None
    return row


def lines_of(benchmark: str, name: str, result: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The lines of one target: one, or for ``decode`` one for each thing that was timed."""
    if benchmark != "decode":
        yield name, result
        return
    rest = {"memory": result.get("memory")}
    for index, cell in enumerate(result.get("decode", ())):
        yield name, cell | (rest if not index else {})
    for cell in result.get("prefill", ()):
        prompt = {"seconds_per_step": cell["seconds"], "context": cell["tokens"], "batch": 1}
        yield f"{name}, prompt", cell | prompt


def notes_of(name: str, result: Mapping[str, Any]) -> list[str]:
    """What a target says that has no column: what was left out, and the whole chain."""
    notes = [
        f"{name}: {cell['context']:,} tokens x {cell['batch']} left out: {cell['skipped']}"
        for cell in result.get("decode", ())
        if "skipped" in cell
    ]
    if chain := result.get("chain"):
        factors = chain["real_time_factor"].items()
        shares = ", ".join(f"{stage} {median(factor)}" for stage, factor in factors)
        notes.append(f"{name}: RTF {shares}")
        if stream := chain.get("stream"):
            factor, first, once = (
                median(stream[figure])
                for figure in (
                    "real_time_factor",
                    "first_audio_seconds",
                    "once_for_a_voice_seconds",
                )
            )
            notes.append(f"{name}: stream RTF {factor}, first audio after {first} s, voice {once}")
    return notes


def threads_of(row: Mapping[str, Any]) -> str:
    """How many threads computed: what was asked for, else what the engines took, else torch's."""
    if asked := row["settings"].get("threads"):
        return str(asked)
    taken = {found_at(one, ("engine", "threads")) for one in row["results"].values()} - {None}
    return " or ".join(map(str, sorted(taken))) or str(row["provenance"]["machine"]["threads"])


def bench_table(row: Mapping[str, Any]) -> Table:
    """One line for each target, columns only where a target has the figure."""
    machine, settings = row["provenance"]["machine"], row["settings"]
    where = machine["gpu"] if settings.get("device", "cpu") != "cpu" else machine["cpu"]
    notes = [
        f"{note}\n" for name, result in row["results"].items() for note in notes_of(name, result)
    ]
    drawn = Table(
        title=f"{row['benchmark']}: {settings.get('model') or settings.get('published')}",
        caption="".join(notes) + f"median ± half the range of {row['rounds']} rounds; {where}, "
        f"{threads_of(row)} threads, load {machine['load']}; {LEGEND}",
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    benchmark = row["benchmark"]
    lines = [
        line
        for name, result in row["results"].items()
        for line in lines_of(benchmark, name, result)
    ]
    columns = [
        (heading, path, show)
        for heading, path, show in COLUMNS[benchmark]
        if any(found_at(figures, path) is not None for _, figures in lines)
    ]
    drawn.add_column("", no_wrap=True)
    for heading, _, _ in columns:
        drawn.add_column(heading, justify="right", no_wrap=True)
    for name, figures in lines:
        cells = [(show, found_at(figures, path)) for _, path, show in columns]
        drawn.add_row(name, *("" if found is None else show(found) for show, found in cells))
    return drawn
