"""The part of ``mamtra doctor`` that examines one model: files, graphs against modules, a sentence.

Graphs and modules are opened one after the other and asked the same five things: logits after a
prompt and after a step, mel features at once and in chunks, samples. What they answer is compared,
and shown as a digest that two people can compare.
"""

import gc
import hashlib
import time
from collections.abc import Iterator

import numpy as np

from mamtra.checkpoints.checksums import damaged_files
from mamtra.checkpoints.format import PARTS, ModelFolder
from mamtra.cli.findings import Finding
from mamtra.errors import MamtraError, listed
from mamtra.evaluation.judges.judge import Hearing
from mamtra.evaluation.word_errors import plain_words, word_errors
from mamtra.generation.randomness import random_state
from mamtra.runtime.choose import SPEAKING, has_torch, missing_graphs, open_model
from mamtra.runtime.protocols import EncodedPrompt, LoadedModel
from mamtra.runtime.request import EngineRequest
from mamtra.speech_lm.conditioning_config import ConditioningConfig
from mamtra.speech_lm.prompt import SpeakerPrompt, conditioned, cross_lingual
from mamtra.synthesis.conditioning import voice_reading
from mamtra.synthesis.load import open_folder

SENTENCE = "The weather was fine, so we walked along the river until evening."
TEXT_IDS, SPEECH_IDS, PROMPT_IDS = 12, 40, 10  # of what the engines are asked
WITHIN = 1e-3  # relative
# phases of the vocoder add up what the pitch was rounded by, most of all of features at random
SAMPLES_WITHIN = 1e-2
PARTS_OF_DIGEST = 16
DIGITS = 12  # of a digest


def digest(values: np.ndarray) -> str:
    """A short name of an array that rounding hardly ever changes: sizes of parts, in percent."""
    parts = np.array_split(np.asarray(values, np.float64).ravel(), PARTS_OF_DIGEST)
    sizes = np.array([np.sqrt(np.mean(np.square(part))) if len(part) else 0.0 for part in parts])
    whole = float(np.sqrt(np.mean(np.square(sizes)))) or 1.0
    text = f"{values.shape} {whole:.2e} {np.round(sizes / whole * 100).astype(int).tolist()}"
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def answers(
    model: LoadedModel, reads_voices: ConditioningConfig | None = None
) -> dict[str, np.ndarray]:
    """What a model's parts say to the same five questions.

    Args:
        model: the parts.
        reads_voices: sizes of a language model that reads voices; it is given an even one.
    """
    speech, decoder, vocoder = model.speech_model, model.decoder, model.vocoder
    sizes, drawn = decoder.sizes, random_state(0)
    state = speech.new_state(1, TEXT_IDS + SPEECH_IDS)
    text = [number * 7 % speech.text_vocabulary for number in range(TEXT_IDS)]
    segments = cross_lingual(text)
    if reads_voices is not None:
        even = SpeakerPrompt(speaker=(0.1,) * reads_voices.speaker_dim, prompt=(0,))
        segments = conditioned(text, even, reads_voices)
    found = {"logits of a prompt": speech.read([segments], state)}
    found["logits of a step"] = speech.step([1], state)
    mel = drawn.standard_normal((sizes.bins, sizes.frames_per_token * PROMPT_IDS))
    voice = EncodedPrompt(
        tokens=np.arange(PROMPT_IDS) % sizes.codes,
        mel=np.asarray(mel, np.float32),
        speaker=np.asarray(drawn.standard_normal(sizes.speaker_dim), np.float32),
    )
    frames = sizes.frames_per_token * (PROMPT_IDS + SPEECH_IDS)
    start = np.asarray(drawn.standard_normal((sizes.bins, frames)), np.float32)
    noise = start if sizes.flow else None
    tokens = [number * 5 % sizes.codes for number in range(SPEECH_IDS)]
    found["mel features"] = decoder.decode(tokens, voice, noise)
    found["mel in chunks"] = decoder.decode(tokens, voice, noise, chunked=True, final=False)
    shape = vocoder.sizes.noises, start.shape[1] * vocoder.sizes.hop
    breath = np.asarray(drawn.random_sample(shape), np.float32)
    found["samples"] = vocoder.speak(start, breath)
    return found


def files(folder: ModelFolder) -> Iterator[Finding]:
    """Whether everything is there that speaks, and that makes voices."""
    for part in PARTS:
        about = f"part {part}"
        if not folder.holds(part):
            lacking = part in SPEAKING
            yield Finding(about=about, found="not there", good=not lacking, optional=not lacking)
            continue
        holder = folder.holder(part)
        published = getattr(holder.config, part).get("onnx")
        expected = [holder.folder / published] if published else folder.part_files(part)
        missing = [path.name for path in expected if not path.is_file()]
        if missing:
            needed = part in SPEAKING or part == "proofreader"  # read wherever one is named
            told = f"no {listed(missing)}"
            yield Finding(about=about, found=told, good=not needed, optional=not needed)
        else:
            size = sum(path.stat().st_size for path in expected)
            yield Finding(about=about, found=f"{size / 1e6:,.1f} MB")
    graphs = missing_graphs(folder, SPEAKING)
    told = f"no {listed(graphs)}" if graphs else "all there"
    advice = f"mamtra export {folder.folder} --to onnx makes them" if graphs else ""
    yield Finding(about="graphs", found=told, optional=bool(graphs), advice=advice)
    voices = listed(list(folder.voice_files())) or "none"
    advice = "" if voices != "none" else "make one from a recording: mamtra voice make"
    yield Finding(about="voices", found=voices, optional=voices == "none", advice=advice)
    damaged = damaged_files(folder.folder)
    if damaged is not None:
        told = f"damaged: {listed(damaged)}" if damaged else "as they were written (SHA-256)"
        yield Finding(about="checksums", found=told, good=not damaged)


def asked(folder: ModelFolder, request: EngineRequest) -> dict[str, np.ndarray]:
    """The answers of one engine; nothing of it stays in memory."""
    found = answers(open_model(folder, request), voice_reading(folder))
    gc.collect()
    return found


def comparison(folder: ModelFolder) -> Iterator[Finding]:
    """Graphs against modules, tensor by tensor; only digests where one of them is missing."""
    graphs = modules = None
    if not missing_graphs(folder, SPEAKING):
        graphs = asked(folder, EngineRequest(engine="onnx", dtype="float32", flow_dtype="float32"))
    if has_torch():
        modules = asked(folder, EngineRequest(engine="torch", dtype="float32"))
    for name, values in (graphs or modules or {}).items():
        if graphs is None or modules is None:
            engine = "modules" if graphs is None else "graphs"
            yield Finding(about=name, found=f"{digest(values)} ({engine} alone)")
            continue
        size = float(np.linalg.norm(modules[name])) or 1.0
        apart = float(np.linalg.norm(values - modules[name])) / size
        told = f"{digest(values)} {digest(modules[name])}, {apart:.1e} apart"
        within = SAMPLES_WITHIN if name == "samples" else WITHIN
        yield Finding(about=name, found=told, good=apart < within)


def sentence(folder: ModelFolder, voice: str | None, judge: str | None) -> Iterator[Finding]:
    """One sentence, how long it took, and what a judge hears."""
    synthesizer = open_folder(folder)
    started = time.perf_counter()
    speech = synthesizer.say(SENTENCE, voice)
    factor = (time.perf_counter() - started) / speech.seconds
    told = f"{speech.seconds:.1f} s, {factor:.2f} times real time, ended by {speech.stop_reason}"
    yield Finding(about="a sentence", found=told)
    if judge is None:
        return
    # judges load their packages
    from mamtra.evaluation.judges.registry import open_judge

    listener = open_judge(judge, [SENTENCE])
    if not isinstance(listener, Hearing):
        yield Finding(about="judge", found=f"{judge} writes down no words", optional=True)
        return
    heard = listener.hear(speech.samples, speech.rate)
    errors = word_errors(plain_words(SENTENCE), plain_words(heard))
    yield Finding(about=f"heard by {judge}", found=f"{heard!r}, {errors.rate:.0%} word errors")


def model_findings(
    folder: ModelFolder, voice: str | None = None, judge: str | None = None
) -> list[Finding]:
    """Everything about one model; what cannot be examined is a line, not an end."""
    found = list(files(folder))
    examinations = {
        "graphs and modules": lambda: comparison(folder),
        "a sentence": lambda: sentence(folder, voice, judge),
    }
    for about, examine in examinations.items():
        try:
            found += list(examine())
        except MamtraError as problem:
            found.append(Finding(about=about, found="failed", good=False, advice=str(problem)))
    return found
