"""``mamtra bench``: what speaking costs, as rows that can be compared and repeated.

    speak    a sentence, from an empty process to a file; a chapter; or each stage of a model
    decode   the language model: speed, memory and the cost of length, beside a baseline
    flow     a decoder with a flow in each of its forms
    gpu      everything that a GPU has to tell, within minutes

Each command fills in settings, measures, shows a table and adds its row to a file if there is one;
how it measures is in ``mamtra.benchmark``, whose first page says which file does what.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from mamtra.benchmark.speak import SENTENCE
from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.cli.bench_show import show
from mamtra.cli.options import Device, FlowContext, Model, Seed, Voice
from mamtra.cli.progress import tracked

app = typer.Typer(help="Measure what speaking costs.", no_args_is_help=True)

TARGETS = "baseline,1:0,1:1,1:5"

Sizes = Annotated[
    str, typer.Option("--model", help="Whose sizes: cosyvoice2, cosyvoice3, toy, nano, a folder.")
]
PromptSeconds = Annotated[
    float, typer.Option("--prompt-seconds", min=0, help="Of the voice's recording.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Add the row to this file.")]
Figure = Annotated[Path | None, typer.Option("--figure", help="Draw the row here.")]


@app.command("speak")
def bench_speak(
    text: Annotated[str, typer.Option("--text", help="What to say.")] = SENTENCE,
    model: Model = DEFAULT,
    voice: Voice = None,
    seed: Seed = 0,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Rounds, after one to warm up.")] = 5,
    warm: Annotated[bool, typer.Option("--warm", help="In a warm process only.")] = False,
    sentences: Annotated[
        int,
        typer.Option("--sentences", min=0, help="Speak a chapter of so many sentences instead."),
    ] = 0,
    state: Annotated[
        str, typer.Option("--state", help="Of --sentences: fresh or carry.")
    ] = "fresh",
    stages: Annotated[
        bool, typer.Option("--stages", help="Each stage of --model and --voice in a process.")
    ] = False,
    published: Annotated[
        Path | None,
        typer.Option("--published", help="Begin with CosyVoice's or Chatterbox's folder."),
    ] = None,
    prompt: Annotated[
        Path | None, typer.Option("--prompt", help="A recording to make the voice from.")
    ] = None,
    words: Annotated[str, typer.Option("--words", help="The words spoken in the recording.")] = "",
    ratio: Annotated[
        str | None, typer.Option("--ratio", help="Convert what was imported, as 1:1.")
    ] = None,
    mode: Annotated[str | None, typer.Option("--mode", help="zero-shot or cross-lingual.")] = None,
    tokens: Annotated[
        int | None, typer.Option("--tokens", help="Exactly so many speech tokens.")
    ] = None,
    stored: Annotated[
        str, typer.Option("--stored", help="Type of imported weights on disk.")
    ] = "bfloat16",
    computed: Annotated[
        str, typer.Option("--computed", help="The language model's type in memory.")
    ] = "auto",
    bits: Annotated[
        int, typer.Option("--bits", min=0, help="Export graphs of 8 or 4 bits, or 32; 0: none.")
    ] = 0,
    flow_steps: Annotated[
        int | None, typer.Option("--flow-steps", min=1, help="Euler steps of the whole's decoder.")
    ] = None,
    flow_dtype: Annotated[
        str, typer.Option("--flow-dtype", help="Of its flow: auto, float32, bfloat16.")
    ] = "auto",
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Keep the stages' files here.")
    ] = None,
    output: Output = None,
) -> None:
    """Time a sentence in whole processes and a warm one, a chapter, or each stage.

    mamtra bench speak --runs 5 -o benchmarks/results/speak.jsonl

    mamtra bench speak --warm --runs 30 -o benchmarks/results/stream.jsonl

    mamtra bench speak --sentences 40 -o benchmarks/results/long.jsonl

    mamtra bench speak --published CosyVoice2-0.5B --prompt prompt.wav --ratio 1:1

    With --published or --stages, each stage runs in a process of its own: import, conversion,
    voice, packages, language model, decoder, vocoder, and the whole; options from --prompt on are
    for those.
    """
    from mamtra.benchmark.row import bench_row
    from mamtra.benchmark.speak.stages import (
        Chain,
        kept_or_deleted,
        measure,
        only_for_stages,
        results_of,
    )
    from mamtra.synthesis.load import load

    of_stages: dict[str, Any] = {
        "prompt": prompt and str(prompt),
        "words": words,
        "ratio": ratio,
        "mode": mode,
        "tokens": tokens,
        "stored": stored,
        "computed": computed,
        "bits": bits,
        "flow_steps": flow_steps or 0,
        "flow_dtype": flow_dtype,
    }
    if stages or published:
        own = {"model": "" if published else model, "voice": voice or "", "text": text}
        with kept_or_deleted(folder) as place:
            begin = published and str(published)
            chain = Chain(folder=place, published=begin, seed=seed, **own, **of_stages)
            measured = dict(tracked(measure(chain), len(chain.stages)))
        packages = ("onnxruntime", "tokenizers", "wetext")
        row = bench_row("stages", chain.settings(), 1, results_of(measured), packages)
        return show(row, output)
    only_for_stages(of_stages)
    locate(model)
    from mamtra.benchmark.speak import sentence

    settings: dict[str, Any] = {"model": Path(model).name, "voice": voice, "seed": seed}
    if sentences:
        # needs torch; timing processes does not, so that a plain install can be timed
        from mamtra.benchmark.speak import chapter

        settings |= {"state": state, "sentences": sentences}
        results = chapter.measure(load(model), sentences, voice, seed, state, tracked)
        return show(bench_row("long", settings, 1, results), output)
    settings |= {"text": text}
    if warm:
        results = sentence.measure_warm(load(model), text, voice, seed, runs, tracked)
        return show(bench_row("stream", settings, runs, results, ("onnxruntime",)), output)
    results = sentence.measure(model, text, voice, seed, runs, tracked)
    return show(bench_row("speak", settings, runs, results), output)


@app.command("decode")
def bench_decode(
    model: Sizes = "cosyvoice2",
    targets: Annotated[
        str,
        typer.Option("--targets", help="Any of baseline, own, 1:5, removed-12, 1:1@onnx-int8..."),
    ] = TARGETS,
    device: Device = "cpu",
    dtype: Annotated[
        str, typer.Option("--dtype", help="Number type: auto, float32, bfloat16, int8, int4.")
    ] = "auto",
    engine: Annotated[str, typer.Option("--engine", help="auto, eager, graph, onnx.")] = "auto",
    threads: Annotated[int, typer.Option("--threads", min=0, help="0: engine's choice.")] = 0,
    contexts: Annotated[str, typer.Option("--contexts", help="Tokens held: 250,1000.")] = "250",
    batches: Annotated[str, typer.Option("--batches", help="Streams at once: 1,8,32.")] = "1",
    prompts: Annotated[
        str, typer.Option("--prompts", help="Lengths of prompts to read: 100,250; empty for none.")
    ] = "100",
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="Of speech through the whole chain; 0: none.")
    ] = 0.0,
    prompt_seconds: PromptSeconds = 0.0,
    flow_context: FlowContext = 0,
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
    words: Annotated[
        int, typer.Option("--words", min=0, help="A chapter of so many by the first target.")
    ] = 0,
    state: Annotated[
        str, typer.Option("--state", help="Of --words: pieces fresh, or one memory (carry).")
    ] = "fresh",
    kept: Annotated[
        Path | None, typer.Option("--kept", help="Measure nothing; show a row of this file.")
    ] = None,
    number: Annotated[
        int, typer.Option("--row", min=0, help="Which row of --kept, from 1; 0: the last.")
    ] = 0,
    what: Annotated[
        str, typer.Option("--what", help="Of --figure: speed, length or memory; else what fits.")
    ] = "",
    output: Output = None,
    figure: Figure = None,
) -> None:
    """Measure the language model's speed, memory and cost of length, each target in a process.

    mamtra bench decode --rounds 3 -o benchmarks/results/decode.jsonl --figure decode.png

    mamtra bench decode --targets 1:0,1:5 --contexts 250,1000,4000,16000 --spoken 0

    mamtra bench decode --targets baseline,1:1@onnx-int8 --seconds 10 --prompt-seconds 4
    --flow-context 3 --threads 2 --contexts 250 --repeats 1

    mamtra bench decode --targets 1:5 --words 3000 -o benchmarks/results/chapter.jsonl

    mamtra bench decode --kept benchmarks/results/length.jsonl --figure length.png

    Weights are random, so no file is needed; states are filled, not read, so that a long context
    takes no longer to reach than a short one. The baseline needs transformers (the extra bench).
    """
    from mamtra.benchmark.decode.config import BenchConfig, baseline_of, numbers, targets_of
    from mamtra.benchmark.decode.rounds import in_turn, summarise
    from mamtra.benchmark.row import bench_row, kept_row

    if kept is not None:
        show(kept_row(kept, number), output, figure, what)
        return
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
        prompt_seconds=prompt_seconds,
        flow_context=flow_context,
        spoken=spoken,
        steps=steps,
        repeats=repeats,
    )
    configs = config.of_each(targets_of(targets, model))
    if words:
        from mamtra.benchmark.decode.chapter import measure

        first, *_ = configs
        results = measure(configs[first], words, state)
        settings = {"model": model, "target": first, "words": words, "state": state}
        show(bench_row("long", settings | {"seed": config.seed}, 1, results), output, figure)
        return
    measured = list(tracked(in_turn(configs, rounds), rounds * len(configs)))
    import torch  # noqa: F401  # provenance tells the GPU only where torch is loaded

    settings = {name: value for name, value in asdict(config).items() if name != "target"}
    settings |= {"baseline": baseline_of([*configs])}
    results = summarise(measured, settings["baseline"])
    row = bench_row("decode", settings, rounds, results, ("transformers", "fla-core"))
    show(row, output, figure, what)


@app.command("flow")
def bench_flow(
    model: Sizes = "cosyvoice2",
    seconds: Annotated[float, typer.Option("--seconds", min=0.04, help="Of speech.")] = 2.0,
    prompt: PromptSeconds = 1.0,
    threads: Annotated[int, typer.Option("--threads", min=1, help="That compute.")] = 1,
    few: Annotated[int, typer.Option("--few", min=1, help="Euler steps of the last form.")] = 5,
    context: Annotated[
        int, typer.Option("--context", min=0, help="Streams only, that remember so many seconds.")
    ] = 0,
    seed: Seed = 0,
    output: Output = None,
) -> None:
    """Compare the forms of a decoder with a flow: seconds, and the error of its mel features.

    mamtra bench flow --seconds 2 -o benchmarks/results/flow.jsonl

    With --context: one utterance as a stream, each chunk from the first token and from states.
    """
    from mamtra.benchmark import flow, flow_stream
    from mamtra.benchmark.row import bench_row

    if context:
        results = flow_stream.measure(model, seconds, prompt, threads, context, seed)
    else:
        results = flow.measure(model, seconds, prompt, threads, few, seed)
    settings = {"model": model, "seconds": seconds, "prompt_seconds": prompt}
    settings |= {"threads": threads, "few": few, "context": context, "seed": seed}
    show(bench_row("flow", settings, 1, results, ("onnxruntime", "openvino")), output)


@app.command("gpu")
def bench_gpu(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the rows and pictures.")
    ] = Path("runs/gpu"),
    minutes: Annotated[float, typer.Option("--minutes", min=0.05, help="Of the whole run.")] = 8.0,
    model: Sizes = "cosyvoice2",
    device: Annotated[str, typer.Option("--device", help="cuda, or cpu to rehearse.")] = "cuda",
    tests: Annotated[
        bool, typer.Option("--tests/--no-tests", help="Run the tests marked gpu, in a checkout.")
    ] = True,
) -> None:
    """Measure everything that a GPU has to tell, within minutes.

    mamtra bench gpu -o runs/gpu

    mamtra bench gpu --device cpu --model toy --minutes 2 --no-tests

    Steps of one stream and of many at every length, the chain with its memory by part, the rate of
    distillation, tests; rows are written after each measurement, the most important first.
    """
    from mamtra.benchmark.gpu import GpuRun, draw_rows, measure
    from mamtra.runtime.torch.engine import EngineConfig, check_device
    from mamtra.sizing.sizes import model_sizes

    check_device(EngineConfig(device=device).device)
    model_sizes(model)  # refuses one that is unknown, before any process
    small = GpuRun(model=model, device=device, seconds=60 * minutes, tests=tests)
    run = small if model != "toy" else small.rehearsed()
    rows = measure(run, output / "gpu.jsonl", lambda line: print(line, flush=True))
    for picture in draw_rows(rows, output):
        print(picture)
    print(f"rows: {output / 'gpu.jsonl'}")
