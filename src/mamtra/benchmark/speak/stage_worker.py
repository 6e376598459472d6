"""One stage in a fresh process: ``python -m mamtra.benchmark.speak.stage_worker STAGE CHAIN``.

The chain comes as JSON. What was measured goes to standard output as one JSON line; what the next
stage needs is left in the chain's folder.
"""

import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from mamtra.acoustic.decoder import DecoderConfig
from mamtra.audio.log_mel import MelConfig
from mamtra.benchmark.process import Stopwatch, answer
from mamtra.benchmark.speak.stages import Chain, read_chain
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.precision import dtype_named
from mamtra.checkpoints.weights import write_tensors
from mamtra.generation.generate import generate
from mamtra.generation.guard import GuardConfig
from mamtra.generation.sampling import SamplingConfig
from mamtra.interop.cosyvoice_release import release_of
from mamtra.interop.import_chatterbox import import_chatterbox
from mamtra.interop.import_cosyvoice import import_cosyvoice
from mamtra.runtime.choose import Choice, choose
from mamtra.runtime.onnx.decoder import OnnxDecoder
from mamtra.runtime.onnx.open import graph_of, open_speech_model
from mamtra.runtime.onnx.vocoder import OnnxVocoder
from mamtra.runtime.request import EngineRequest
from mamtra.runtime.torch.acoustics import TorchDecoder, TorchVocoder
from mamtra.runtime.torch.engine import EngineConfig, open_speech_lm
from mamtra.runtime.torch.open import open_part, speech_model_of
from mamtra.speech_lm import SpeechLMConfig
from mamtra.synthesis.acoustics import flow_noise, noise_of
from mamtra.synthesis.conditioning import conditioning_of, voice_reading
from mamtra.synthesis.load import load
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.say import say_piece
from mamtra.synthesis.text_reader import TextConfig, model_reader
from mamtra.voice.load import open_voice_encoder
from mamtra.voice.prompt_recording import read_recording
from mamtra.voice.voice import Voice, make_voice

Figures = dict[str, Any]
NEVER = 10**9  # more ids than any speech has


def limits(chain: Chain, folder: ModelFolder, text_tokens: int) -> GuardConfig:
    """The model's own guard, or one that lets exactly so many tokens through."""
    own = folder.optional("guard", GuardConfig)
    if chain.tokens is None:
        return own
    share = (chain.tokens + 0.5) / text_tokens  # the half is lost when it is rounded down
    return replace(
        own,
        min_per_text_token=share,
        max_per_text_token=share,
        spare_tokens=0,
        repeat_tokens=NEVER,
        silence_tokens=NEVER,
        attempts=1,
    )


def import_stage(chain: Chain) -> Figures:
    """The published folder into ours."""
    watch = Stopwatch()
    source, stored = Path(str(chain.published)), dtype_named(chain.stored)
    if chain.brings_voice:
        report = import_chatterbox(source, chain.imported, stored)
    else:
        report = import_cosyvoice(release_of(source), source, chain.imported, stored)
    parameters = {part.part: part.parameters for part in report.parts}
    return {**watch.lap(), "parameters": parameters}


def voice_stage(chain: Chain) -> Figures:
    """The recording into a voice."""
    watch = Stopwatch()
    folder = ModelFolder(chain.speaking_model)
    encoder = open_voice_encoder(folder)
    loading = watch.lap("load_")
    prompt = read_recording(str(chain.prompt), chain.words).audio
    codes = folder.section("decoder", DecoderConfig).encoder.vocabulary
    voice = make_voice(encoder, prompt, "prompt", text=chain.words, codes=codes)
    voice.save(chain.speaking_voice)
    return {
        **loading,
        **watch.lap(),
        "prompt_seconds": round(prompt.seconds, 3),
        "prompt_tokens": len(voice.tokens),
    }


def packages_stage(chain: Chain) -> Figures:
    """Nothing but the imports above."""
    return {"text": chain.text}


def graphs_of(chain: Chain, folder: ModelFolder) -> Choice | None:
    """How the graphs run with which the whole speaks; None where none were made."""
    if not chain.bits:
        return None
    flow = {"flow_steps": chain.flow_steps, "flow_dtype": chain.flow_dtype}
    return choose(folder, EngineRequest(engine="onnx", dtype=chain.computed, **flow))


def speech_lm_stage(chain: Chain) -> Figures:
    """Text to speech tokens; only the first piece of the text."""
    watch, folder = Stopwatch(), ModelFolder(chain.speaking_model)
    graphs = graphs_of(chain, folder)
    if graphs:
        model: Any = open_speech_model(folder, graphs.threads, graphs.bits, streams=1)
    else:
        model = speech_model_of(open_speech_lm(folder, EngineConfig(dtype=chain.computed)), folder)
    loading = watch.lap("load_")
    reader, voice = model_reader(folder), Voice.load(chain.speaking_voice)
    reads = folder.section("text", TextConfig).reads_prompts
    conditioning = conditioning_of(
        reader,
        voice,
        SpeakOptions(mode=chain.mode),
        model=folder.config.name,
        reads_prompts=reads,
        reads_voices=voice_reading(folder),
    )
    request = conditioning.request(reader.encode(reader.pieces(chain.text)[0]), chain.seed)
    reading = watch.lap("text_")
    guard = limits(chain, folder, request.text_tokens)
    found = generate(model, request, folder.optional("sampling", SamplingConfig), guard)
    took = watch.lap()
    write_tensors({"tokens": torch.tensor([found.ids])}, Path(chain.folder) / "tokens.safetensors")
    return {
        **loading,
        **reading,
        **took,
        "engine": "onnx" if graphs else "torch",
        "layout": folder.section("speech_lm", SpeechLMConfig).backbone.layout,
        "mode": conditioning.mode,
        "read": sum(len(segment.ids) for segment in request.segments),
        "tokens": len(found.ids),
    }


def decoder_stage(chain: Chain) -> Figures:
    """Speech tokens to mel features."""
    watch, folder = Stopwatch(), ModelFolder(chain.speaking_model)
    graphs = graphs_of(chain, folder)
    if graphs:
        path = graph_of(folder, "decoder")
        decoder: Any = OnnxDecoder(path, graphs.threads, chain.flow_steps, graphs.flow_dtype)
    else:
        decoder = TorchDecoder(open_part(folder, "decoder"))  # pyright: ignore[reportArgumentType]
    loading = watch.lap("load_")
    tokens = load_file(Path(chain.folder) / "tokens.safetensors")["tokens"][0].tolist()
    voice = Voice.load(chain.speaking_voice)
    mel = decoder.decode(tokens, voice.prompt, flow_noise(decoder.sizes, chain.seed))
    took = watch.lap()
    write_tensors({"mel": torch.from_numpy(mel)}, Path(chain.folder) / "mel.safetensors")
    return {
        **loading,
        **took,
        "engine": "onnx" if graphs else "torch",
        "dtype": graphs.flow_dtype if graphs else "float32",
        "frames": mel.shape[-1],
    }


def vocoder_stage(chain: Chain) -> Figures:
    """Mel features to samples."""
    watch, folder = Stopwatch(), ModelFolder(chain.speaking_model)
    graphs = graphs_of(chain, folder)
    if graphs:
        vocoder: Any = OnnxVocoder(graph_of(folder, "vocoder"), graphs.threads)
    else:
        vocoder = TorchVocoder(open_part(folder, "vocoder"))  # pyright: ignore[reportArgumentType]
    loading = watch.lap("load_")
    mel = load_file(Path(chain.folder) / "mel.safetensors")["mel"].numpy()
    samples = vocoder.speak(mel, noise_of(vocoder.sizes, mel, chain.seed))
    rate_hz = folder.section("mel", MelConfig).rate_hz
    return {
        **loading,
        **watch.lap(),
        "engine": "onnx" if graphs else "torch",
        "audio_seconds": samples.shape[-1] / rate_hz,
    }


def whole_stage(chain: Chain) -> Figures:
    """The first piece of the text, from its letters to a sound file."""
    watch = Stopwatch()
    flow = {"flow_steps": chain.flow_steps, "flow_dtype": chain.flow_dtype}
    synthesizer = load(chain.speaking_model, dtype=chain.computed, **flow)
    loading = watch.lap("load_")
    voice = synthesizer.voice(chain.speaking_voice)
    piece = synthesizer.pieces(chain.text)[0]
    ids = len(synthesizer.reader.encode(piece))
    synthesizer.guard = limits(chain, synthesizer.folder, ids)
    options = SpeakOptions(voice=voice, seed=chain.seed, mode=chain.mode)
    speech = say_piece(synthesizer.speaker(options), piece, 0)
    speech.save(Path(chain.folder) / "speech.wav")
    return {
        **loading,
        **watch.lap(),
        "audio_seconds": speech.seconds,
        "tokens": len(speech.speech_tokens),
        "stop_reason": speech.stop_reason,
        "compute_seconds": asdict(speech.compute_seconds),
    }


STAGES: dict[str, Callable[[Chain], Figures]] = {
    "import": import_stage,
    "voice": voice_stage,
    "packages": packages_stage,
    "speech_lm": speech_lm_stage,
    "decoder": decoder_stage,
    "vocoder": vocoder_stage,
    "whole": whole_stage,
}


def main(stage: str, chain: str) -> Figures:
    """Run one stage."""
    return STAGES[stage](read_chain(chain))


if __name__ == "__main__":
    answer(main, *sys.argv[1:])
