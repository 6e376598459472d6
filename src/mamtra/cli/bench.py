"""``mamtra bench``: what speaking costs, as rows that can be compared and repeated.

    speak    one sentence, from an empty process to a file; or a published model, stage by stage
    stream   one sentence in a warm process: how soon it is heard
    decode   the language model: speed, memory and the cost of length, beside a baseline
    long     a chapter, from its first piece to its last
    flow     a decoder with a flow in each of its forms
    gpu      everything that a GPU has to tell, within minutes
    draw     a picture of a row that was kept

Every command shows a table and adds its row to a file if there is one (``mamtra.benchmark.row``).
"""

import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from mamtra.atomic import append_row
from mamtra.benchmark.bench_config import BASELINE, BenchConfig
from mamtra.benchmark.speak import SENTENCE
from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.errors import ConfigError, CorpusError

app = typer.Typer(help="Measure what speaking costs.", no_args_is_help=True)

PIPED_WIDTH = 110  # columns where no terminal says how wide it is
TARGETS = "baseline,1:0,1:1,1:5"
CHAIN_PACKAGES = ("onnxruntime", "tokenizers", "wetext")

Model = Annotated[str, typer.Option("--model", help="A built-in model or a folder.")]
Voice = Annotated[str | None, typer.Option("--voice", help="A voice of the model.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Random seed of what is said.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Add the row to this file.")]
Figure = Annotated[Path | None, typer.Option("--figure", help="Draw the row here.")]


@app.callback()
def describe() -> None:
    """Measure what speaking costs."""


def tracked(things: Iterable[Any], total: int, doing: str = "measuring") -> Iterable[Any]:
    """The same, with a bar of progress."""
    from rich.console import Console
    from rich.progress import track

    return track(things, doing, total, console=Console(stderr=True), transient=True)


def show(row: Mapping[str, Any], output: Path | None, figure: Path | None = None) -> None:
    """Show the table, keep the row, draw it.

    Raises:
        CorpusError: the file cannot be written.
        ConfigError: the picture cannot be written.
    """
    from rich.console import Console

    from mamtra.benchmark.tables import bench_table

    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPED_WIDTH)
    console.print(bench_table(row))
    written = [str(path) for path in (output, figure) if path is not None]
    if output is not None:
        append_row(output, row, CorpusError)
    if figure is not None:
        from mamtra.figures.draw import draw

        draw(dict(row), figure)
    if written:
        Console(stderr=True).print(f"written: {', '.join(written)}", soft_wrap=True)


def numbers(written: str) -> tuple[int, ...]:
    """Whole numbers between commas.

    Raises:
        ConfigError: something else is there.
    """
    try:
        return tuple(int(part) for part in written.split(",") if part.strip())
    except ValueError as problem:
        raise ConfigError(f"{written!r} is no list of whole numbers such as 250,1000") from problem


def targets_of(written: str, model: str) -> list[str]:
    """Names of targets between commas, checked before anything is measured.

    Raises:
        ConfigError: there is none, or one is unknown.
        LayoutError: a ratio or a layout does not fit the model.
        ModelError: there is no such model.
    """
    from mamtra.benchmark.bench_config import OWN
    from mamtra.sizing.sizes import SHAPES, model_sizes, shaped

    names = [part.strip() for part in written.split(",") if part.strip()]
    known = f"{BASELINE}, {OWN}, {', '.join(SHAPES)}, or one letter a layer"
    if not names:
        raise ConfigError(f"no target was given; give some with --targets: {known}")
    sizes = model_sizes(model)
    for name in names:
        if name not in (BASELINE, OWN):
            try:
                shaped(sizes, name)
            except ConfigError as problem:
                raise type(problem)(f"target {name!r}: {problem}; known: {known}") from problem
    return names


@app.command("speak")
def bench_speak(
    text: Annotated[str, typer.Option("--text", help="What to say.")] = SENTENCE,
    model: Model = DEFAULT,
    voice: Voice = None,
    seed: Seed = 0,
    runs: Annotated[
        int, typer.Option("--runs", min=1, help="Number of rounds, after one to warm up.")
    ] = 5,
    stages: Annotated[
        bool, typer.Option("--stages", help="Each stage of --model in its own process.")
    ] = False,
    published: Annotated[
        Path | None, typer.Option("--published", help="Begin with CosyVoice's folder, 2 or 3.")
    ] = None,
    prompt: Annotated[Path | None, typer.Option("--prompt", help="Recording of a voice.")] = None,
    words: Annotated[str, typer.Option("--words", help="The words spoken in the recording.")] = "",
    ratio: Annotated[
        str | None, typer.Option("--ratio", help="Attention:Mamba of the hybrid, as 1:1.")
    ] = None,
    mode: Annotated[str | None, typer.Option("--mode", help="zero-shot or cross-lingual.")] = None,
    tokens: Annotated[
        int | None, typer.Option("--tokens", help="Speak exactly so many speech tokens.")
    ] = None,
    stored: Annotated[str, typer.Option("--stored", help="Number type on disk.")] = "bfloat16",
    computed: Annotated[
        str, typer.Option("--computed", help="Number type of the language model in memory.")
    ] = "auto",
    bits: Annotated[
        int, typer.Option("--bits", help="Export graphs with so many bits; the whole takes them.")
    ] = 0,
    flow_steps: Annotated[
        int | None, typer.Option("--flow-steps", min=1, help="Euler steps of the whole's decoder.")
    ] = None,
    flow_dtype: Annotated[
        str, typer.Option("--flow-dtype", help="Of the flow: auto, float32, bfloat16.")
    ] = "auto",
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Keep what the stages write here.")
    ] = None,
    output: Output = None,
) -> None:
    """Time one sentence: whole processes, then a stream and a whole in a warm one.

    mamtra bench speak --runs 5 -o benchmarks/results/speak.jsonl

    mamtra bench speak --published CosyVoice2-0.5B --prompt prompt.wav --ratio 1:1

    With --published or --stages, each stage runs in a process of its own: import, conversion,
    voice, packages, language model, decoder, vocoder, and the whole.
    """
    from mamtra.benchmark.row import bench_row

    if published is None and not stages:
        if flow_steps is not None:
            raise ConfigError("--flow-steps are those of stages; give --published or --stages too")
        locate(model)
        show(bench_row(*speak_figures(model, text, voice, seed, runs)), output)
        return
    from mamtra.benchmark.chain import Chain, measure, results_of

    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place.mkdir(parents=True, exist_ok=True)
        chain = Chain(
            folder=str(place),
            published=None if published is None else str(published),
            model=model if published is None else "",
            voice=voice or "",
            prompt=None if prompt is None else str(prompt),
            words=words,
            ratio=ratio,
            stored=stored,
            computed=computed,
            text=text,
            mode=mode,
            tokens=tokens,
            seed=seed,
            bits=bits,
            flow_steps=flow_steps or 0,
            flow_dtype=flow_dtype,
        )
        results = results_of(dict(tracked(measure(chain), len(chain.stages))))
    show(bench_row("stages", chain.settings(), 1, results, CHAIN_PACKAGES), output)


@app.command("stream")
def bench_stream(
    text: Annotated[str, typer.Option("--text", help="What to say.")] = SENTENCE,
    model: Model = DEFAULT,
    voice: Voice = None,
    seed: Seed = 0,
    runs: Annotated[
        int, typer.Option("--runs", min=1, help="Number of rounds, after one to warm up.")
    ] = 30,
    output: Output = None,
) -> None:
    """Time the first sound of a stream in a warm process, and the stream beside a whole.

    mamtra bench stream --runs 30 -o benchmarks/results/stream.jsonl
    """
    locate(model)
    from mamtra.benchmark.row import bench_row

    results = warm_figures(model, text, voice, seed, runs)
    settings = {"model": Path(model).name, "voice": voice, "text": text, "seed": seed}
    show(bench_row("stream", settings, runs, results, ("onnxruntime",)), output)


def warm_figures(model: str, text: str, voice: str | None, seed: int, runs: int) -> dict[str, Any]:
    """A stream and a whole in a warm process, in turn."""
    from mamtra.benchmark.stream import measure
    from mamtra.synthesis.load import load

    def watch(rounds: Iterable[Any]) -> Iterable[Any]:
        """With a bar of progress."""
        return tracked(rounds, runs, "streaming")

    return measure(load(model), text, voice, seed, runs, watch)


def speak_figures(
    model: str, text: str, voice: str | None, seed: int, runs: int
) -> tuple[str, dict[str, Any], int, dict[str, Any]]:
    """Whole processes, then a warm one: what ``bench_row`` takes."""
    from mamtra.benchmark.speak import benchmark, summarise

    results = summarise(list(tracked(benchmark(model, text, voice, seed, runs), runs, "timing")))
    results |= warm_figures(model, text, voice, seed, runs)
    settings = {"model": Path(model).name, "voice": voice, "text": text, "seed": seed}
    return "speak", settings, runs, results


@app.command("decode")
def bench_decode(
    model: Annotated[
        str,
        typer.Option(
            "--model", help="Whose sizes: cosyvoice2, cosyvoice3, toy, nano, or a folder."
        ),
    ] = "cosyvoice2",
    targets: Annotated[
        str,
        typer.Option(
            "--targets", help="Any of baseline, own, 1:5, 1:5-grouped, removed-12, AMMM..."
        ),
    ] = TARGETS,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    dtype: Annotated[
        str, typer.Option("--dtype", help="Number type: auto, float32, bfloat16, int8.")
    ] = "auto",
    engine: Annotated[str, typer.Option("--engine", help="auto, eager or graph.")] = "auto",
    threads: Annotated[
        int,
        typer.Option("--threads", min=0, help="CPU threads; 0 leaves the choice to the engine."),
    ] = 0,
    contexts: Annotated[
        str, typer.Option("--contexts", help="Tokens in the context: 250,1000.")
    ] = "250",
    batches: Annotated[str, typer.Option("--batches", help="Rows at once: 1,8,32.")] = "1",
    prompts: Annotated[
        str, typer.Option("--prompts", help="Lengths of prompts to read: 100,250; empty for none.")
    ] = "100",
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds", min=0, help="Seconds of speech through the whole chain; 0 for none."
        ),
    ] = 0.0,
    spoken: Annotated[
        int, typer.Option("--spoken", min=0, help="Tokens spoken while memory is measured.")
    ] = 25,
    steps: Annotated[
        int, typer.Option("--steps", min=0, help="Tokens in a timed block; 0 only counts bytes.")
    ] = 4,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Number of timed blocks.")] = 4,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, help="Rounds, each in fresh processes.")
    ] = 1,
    output: Output = None,
    figure: Figure = None,
) -> None:
    """Measure the language model's speed, memory and cost of length, each target in a process.

    mamtra bench decode --rounds 3 -o benchmarks/results/decode.jsonl --figure decode.png

    mamtra bench decode --targets 1:0,1:5 --contexts 250,1000,4000,16000 --spoken 0

    Weights are random, so no file is needed; states are filled, not read, so that a long context
    takes no longer to reach than a short one. The baseline needs transformers (the extra bench).
    """
    from mamtra.benchmark.decode import in_turn, summarise
    from mamtra.benchmark.row import bench_row

    config = BenchConfig(
        model=model,
        device=device,
        dtype=dtype,
        engine=engine,
        threads=threads,
        contexts=numbers(contexts),
        batches=numbers(batches),
        prompts=numbers(prompts),
        seconds=seconds,
        spoken=spoken,
        steps=steps,
        repeats=repeats,
    )
    configs = config.of_each(targets_of(targets, model))
    measured = list(tracked(in_turn(configs, rounds), rounds * len(configs)))
    import torch  # noqa: F401  # provenance tells the GPU only where torch is loaded

    baseline = BASELINE if BASELINE in configs else next(iter(configs))
    settings = {name: value for name, value in asdict(config).items() if name != "target"}
    results = summarise(measured, baseline)
    settings |= {"baseline": baseline}
    show(
        bench_row("decode", settings, rounds, results, ("transformers", "fla-core")), output, figure
    )


@app.command("long")
def bench_long(
    sentences: Annotated[
        int, typer.Option("--sentences", min=1, help="Sentences of the chapter.")
    ] = 40,
    model: Model = DEFAULT,
    voice: Voice = None,
    seed: Seed = 0,
    state: Annotated[
        str,
        typer.Option("--state", help="Each piece anew (fresh), or go on from the last (carry)."),
    ] = "fresh",
    output: Output = None,
) -> None:
    """Speak a chapter; report memory and speed as it grows.

    mamtra bench long --sentences 40 -o benchmarks/results/long.jsonl
    """
    locate(model)
    from mamtra.benchmark.long import measure
    from mamtra.benchmark.row import bench_row
    from mamtra.synthesis.load import load

    synthesizer = load(model)
    results = measure(synthesizer, sentences, voice, seed, state, tracked)
    settings = {
        "model": synthesizer.name,
        "voice": voice,
        "state": state,
        "sentences": sentences,
        "seed": seed,
    }
    show(bench_row("long", settings, 1, results), output)


@app.command("flow")
def bench_flow(
    model: Annotated[
        str, typer.Option("--model", help="Whose decoder: cosyvoice2, cosyvoice3, toy.")
    ] = "cosyvoice2",
    seconds: Annotated[float, typer.Option("--seconds", min=0.04, help="Of speech.")] = 2.0,
    prompt: Annotated[
        float, typer.Option("--prompt-seconds", min=0.0, help="Of the voice's recording.")
    ] = 1.0,
    threads: Annotated[int, typer.Option("--threads", min=1, help="That compute.")] = 1,
    few: Annotated[int, typer.Option("--few", min=1, help="Euler steps of the last form.")] = 5,
    seed: Seed = 0,
    output: Output = None,
) -> None:
    """Compare the forms of a decoder with a flow: seconds, and the error of its mel features.

    mamtra bench flow --seconds 2 -o benchmarks/results/flow.jsonl
    """
    from mamtra.benchmark.flow import measure
    from mamtra.benchmark.row import bench_row

    results = measure(model, seconds, prompt, threads, few, seed)
    settings = {"model": model, "seconds": seconds, "prompt_seconds": prompt}
    settings |= {"threads": threads, "few": few, "seed": seed}
    show(bench_row("flow", settings, 1, results, ("onnxruntime", "openvino")), output)


@app.command("gpu")
def bench_gpu(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the rows and pictures.")
    ] = Path("runs/gpu"),
    minutes: Annotated[float, typer.Option("--minutes", min=0.05, help="Of the whole run.")] = 8.0,
    model: Annotated[str, typer.Option("--model", help="Whose sizes.")] = "cosyvoice2",
    device: Annotated[str, typer.Option("--device", help="cuda, or cpu to rehearse.")] = "cuda",
    tests: Annotated[
        bool, typer.Option("--tests/--no-tests", help="Run the tests marked gpu, in a checkout.")
    ] = True,
) -> None:
    """Measure everything that a GPU has to tell, within minutes.

    mamtra bench gpu -o runs/gpu

    mamtra bench gpu --device cpu --model toy --minutes 2 --no-tests

    Tests, steps of one stream and of many at every length, the chain with its memory by part, the
    rate of distillation; rows are written after each measurement, the most important first.
    """
    from mamtra.benchmark.gpu_run import GpuRun, draw_rows, measure
    from mamtra.errors import CorpusError

    if device.startswith("cuda"):
        from mamtra.runtime.torch.engine import check_device

        check_device(device)
    small = GpuRun(model=model, device=device, seconds=60 * minutes, tests=tests)
    run = small if model != "toy" else small.rehearsed()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise CorpusError(f"cannot write into {str(output)!r}: {problem}") from problem
    rows = measure(run, output / "gpu.jsonl", lambda line: print(line, flush=True))
    for picture in draw_rows(rows, output):
        print(picture)
    print(f"rows: {output / 'gpu.jsonl'}")


@app.command("draw")
def bench_draw(
    rows: Annotated[Path, typer.Argument(help="A file of rows (.jsonl).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG, SVG or PDF.")],
    number: Annotated[
        int, typer.Option("--row", help="Number of the row, from 1; else the last.")
    ] = 0,
    what: Annotated[
        str, typer.Option("--what", help="speed, length or memory; else what the row has.")
    ] = "",
) -> None:
    """Draw a row that was kept; the row goes beside the picture as JSON.

    mamtra bench draw benchmarks/results/length.jsonl -o length.png
    """
    from mamtra.benchmark.row import read_rows
    from mamtra.figures.draw import draw

    found = read_rows(rows)
    if not 0 <= number <= len(found):
        raise ConfigError(f"{str(rows)!r} has {len(found)} rows; --row {number} is none of them")
    draw(found[number - 1], output, what)
    print(output)
