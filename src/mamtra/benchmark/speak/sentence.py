"""How long one sentence takes, from an empty process to a finished file, and in a warm one.

What a person waits for is the whole process: starting Python, importing, loading weights, speaking.
So whole processes are timed, in rounds, and each round also times the same interpreter doing
nothing, importing torch alone, importing all that speaking needs, and the package hibari-tts with
the same sentence; torch and hibari-tts where they are installed. Then the same sentence is
spoken in this process, as a stream and as a whole, and the streamed mel features are compared with
those of the whole. Times on a machine depend on what else it does; the ratios within a round hardly
do.
"""

import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mamtra.benchmark.process import Finished, run_python
from mamtra.benchmark.row import merged
from mamtra.benchmark.speak import SENTENCE
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.locate import locate
from mamtra.runtime.choose import choose
from mamtra.runtime.request import EngineRequest
from mamtra.synthesis.acoustics import flow_noise
from mamtra.synthesis.load import load
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.stream import AudioPiece
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.voice.voice import Voice

BASELINES = {
    "python": ["-c", "pass"],
    "torch": ["-c", "import torch"],
}
IMPORT = "import"
# what ``mamtra say`` imports before it loads a model, and by the engine what it imports to load one
IMPORTS = "import mamtra.cli.main, mamtra.cli.say, mamtra.synthesis.load, sentencex"
ENGINES = {"onnx": "onnxruntime", "torch": "mamtra.runtime.torch.open"}
SAY, HIBARI = "say", "hibari"
# the whole of its program, without the path that it prints
SPEAK_HIBARI = (
    "import os, sys; sys.stdout = open(os.devnull, 'w'); from hibari.cli import main; main()"
)
OPTIONAL = {"torch", HIBARI}
STAGES = ("text", "speech_lm", "decoder", "vocoder")

Run = Callable[[Sequence[str]], Finished]
Watch = Callable[[Iterable[Any], int, str], Iterable[Any]]  # rounds, how many, what they do


def untold(rounds: Iterable[Any], _: int, __: str) -> Iterable[Any]:
    """Watch nothing."""
    return rounds


def say_arguments(model: str, text: str, voice: str | None, seed: int, path: Path) -> list[str]:
    """The command that a person would type."""
    chosen = [] if voice is None else ["--voice", voice]
    options = ["-o", str(path), "--model", model, "--seed", str(seed), "--json", "--quiet"]
    return ["-m", "mamtra", "say", *options, *chosen, "--", text]


def import_arguments(model: str) -> list[str]:
    """All that saying with a model imports, and nothing else.

    Raises:
        ModelError: there is no such model.
        MissingExtraError: it needs torch, which is not installed.
    """
    engine = choose(ModelFolder(locate(model)), EngineRequest()).engine
    return ["-c", f"{IMPORTS}, {ENGINES[engine]}"]


def hibari_arguments(text: str, path: Path) -> list[str]:
    """The package hibari-tts saying the same, in an interpreter of its own."""
    return ["-c", SPEAK_HIBARI, text, "-o", str(path), "--seed", "0"]


def installed(commands: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Those processes whose package is here."""
    return {
        name: arguments
        for name, arguments in commands.items()
        if name not in OPTIONAL or importlib.util.find_spec(name)
    }


def processes(
    commands: Mapping[str, Sequence[str]], runs: int, run: Run = run_python
) -> Iterator[dict[str, Finished]]:
    """Time every process in turn, so that a busy spell of the machine meets them all.

    The first round warms files and is not handed out.
    """
    for number in range(runs + 1):
        times = {name: run(arguments) for name, arguments in commands.items()}
        if number:
            yield times


def benchmark(
    model: str, text: str = SENTENCE, voice: str | None = None, seed: int = 0, runs: int = 5
) -> Iterator[dict[str, Finished]]:
    """Time ``mamtra say`` of one sentence; yields each round as it ends.

    Raises:
        GenerationError: a process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.wav"
        say, other = say_arguments(model, text, voice, seed, path), hibari_arguments(text, path)
        imports = {IMPORT: import_arguments(model)}
        yield from processes(installed({**BASELINES, **imports, SAY: say, HIBARI: other}), runs)


def round_figures(times: Mapping[str, Finished]) -> dict[str, Any]:
    """One round as a row; every ratio is taken within it."""
    printed = times[SAY].printed
    audio, timings = float(printed["seconds"]), printed["compute_seconds"]
    # the same imports happen in both, so their difference is loading, speaking and writing
    after = times[SAY].seconds - times[IMPORT].seconds
    figures: dict[str, dict[str, Any]] = {
        name: {
            "seconds": finished.seconds,
            "cpu_seconds": finished.cpu_seconds,
            "peak_bytes": finished.peak_bytes,
        }
        for name, finished in times.items()
    }
    if "torch" in times:
        for name, finished in times.items():
            figures[name]["times_import_torch"] = finished.seconds / times["torch"].seconds
    if HIBARI in times:
        figures[SAY]["of_hibari"] = {
            name: figures[SAY][name] / figures[HIBARI][name]
            for name in ("seconds", "cpu_seconds", "peak_bytes")
        }
    figures[SAY] |= {
        "audio_seconds": audio,
        "real_time_factor": {
            "whole": times[SAY].seconds / audio,
            "without_import": after / audio,
            "speaking": sum(timings[stage] for stage in STAGES) / audio,
            **{stage: timings[stage] / audio for stage in STAGES},
        },
    }
    return figures


def summarise(measured: Sequence[Mapping[str, Finished]]) -> dict[str, Any]:
    """The result of every process over all rounds."""
    return merged([round_figures(times) for times in measured])


def listen(
    flow: Iterable[AudioPiece],
    clock: Callable[[], float] = time.perf_counter,
    processor: Callable[[], float] = time.process_time,
) -> tuple[float, float, float, float, float, int]:
    """Take a stream as a player would.

    Returns:
        Seconds to the first samples, by the clock and of the processor, and to the end, of sound,
        of the longest wait of the player, and how many pieces held samples.
    """
    started, busy = clock(), processor()
    first = worked = played_until = heard = wait = 0.0
    count = 0
    for piece in flow:
        now = clock() - started
        if not len(piece.samples):
            continue
        if not count:
            first = played_until = now
            worked = processor() - busy
        wait = max(wait, now - played_until)
        played_until = max(played_until, now) + piece.seconds
        heard += piece.seconds
        count += 1
    return first, worked, clock() - started, heard, wait, count


def warm_rounds(
    synthesizer: Synthesizer, text: str, voice: str | None, seed: int, runs: int
) -> Iterator[dict[str, Any]]:
    """Time a stream and a whole in turn; the first round warms and is not handed out.

    ``first_audio_cpu_seconds`` is what all threads did until then; on a busy machine it says more.
    ``longest_wait_seconds`` is the longest silence that a listener would have heard who began to
    play at once; 0 if samples always came in time.
    """
    for number in range(runs + 1):
        first, worked, whole, heard, wait, count = listen(synthesizer.stream(text, voice, seed))
        started = time.perf_counter()
        synthesizer.say(text, voice, seed)
        said = time.perf_counter() - started
        if not number:
            continue
        stream = {
            "seconds": whole,
            "first_audio_seconds": first,
            "first_audio_cpu_seconds": worked,
            "audio_seconds": heard,
            "pieces": count,
            "longest_wait_seconds": wait,
            "first_audio_of_say": first / said,
            "times_say": whole / said,
            "real_time_factor": {"whole": whole / heard},
        }
        yield {"warm say": {"seconds": said}, "stream": stream}


def mel_distance(synthesizer: Synthesizer, tokens: list[int], voice: Voice) -> dict[str, float]:
    """Absolute difference a bin of streamed mel features from those of the whole piece.

    ``spread`` is the features' own standard deviation, to compare with.
    """
    decoder = synthesizer.model.decoder
    noise = flow_noise(decoder.sizes)
    whole, chunked = (
        decoder.decode(tokens, voice.prompt, noise, chunked=chunked) for chunked in (False, True)
    )
    return {
        "absolute": round(float(np.abs(whole - chunked).mean()), 4),
        "spread": round(float(whole.std()), 4),
    }


def measure_warm(
    synthesizer: Synthesizer,
    text: str,
    voice: str | None = None,
    seed: int = 0,
    runs: int = 5,
    watch: Watch = untold,
) -> dict[str, Any]:
    """The results of a stream and of a whole ``say``, by name.

    Args:
        synthesizer: the model.
        text: what to say.
        voice: of the model.
        seed: of what is said.
        runs: rounds, after one to warm up.
        watch: sees the rounds pass by.

    Raises:
        GenerationError: the model said nothing.
    """
    timed = warm_rounds(synthesizer, text, voice, seed, runs)
    results = merged(list(watch(timed, runs, "streaming")))
    chosen = synthesizer.voice(voice)
    first = synthesizer.pieces(text)[0]
    tokens = next(synthesizer.speak([[first]], SpeakOptions(voice=chosen, seed=seed))).speech_tokens
    results["stream"]["mel_distance"] = mel_distance(synthesizer, tokens, chosen)
    return results


def measure(
    model: str, text: str, voice: str | None, seed: int, runs: int, watch: Watch = untold
) -> dict[str, Any]:
    """Whole processes, then a warm one: a model in this one's memory would slow them.

    Raises:
        GenerationError: a process failed, or the model said nothing.
    """
    processes = summarise(list(watch(benchmark(model, text, voice, seed, runs), runs, "timing")))
    return processes | measure_warm(load(model), text, voice, seed, runs, watch)
