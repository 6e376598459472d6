"""How long the whole chain takes from text ids to samples, stage by stage, with random weights.

    stages   reading the prompt and drawing speech ids, decoder, vocoder: one after the other
    stream   the same as it is heard: when the first samples leave, and how long all of it takes

The stand-in for the original runs decoder and vocoder as modules in float32; it is not streamed, as
it would begin each chunk from the first token, which takes minutes. A target on onnxruntime runs
graphs: the flow in bfloat16 where the processor has it, and its streams go on from states where
``flow_context`` says so.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from mamtra.acoustic.decoder import Decoder
from mamtra.acoustic.vocoder import Vocoder
from mamtra.benchmark.decode.config import BASELINE, ONNX, BenchConfig
from mamtra.benchmark.decode.target import Target
from mamtra.benchmark.decode.timing import Speaker, Timing, beside_text, prompt_of, timed
from mamtra.benchmark.memory import wait_for
from mamtra.benchmark.random_weights import random_folder, with_random_weights
from mamtra.errors import ConfigError
from mamtra.generation.randomness import random_state
from mamtra.runtime.choose import chosen_flow_dtype
from mamtra.runtime.decoder_stream import DecoderStream, decode_whole
from mamtra.runtime.onnx.decoder import OnnxDecoder
from mamtra.runtime.onnx.vocoder import OnnxVocoder
from mamtra.runtime.protocols import ChunkDecoder, DecoderSizes, EncodedPrompt
from mamtra.runtime.protocols import Decoder as AnyDecoder
from mamtra.runtime.protocols import Vocoder as AnyVocoder
from mamtra.runtime.torch.acoustics import TorchDecoder, TorchVocoder
from mamtra.sizing.sizes import TOKENS_PER_SECOND
from mamtra.synthesis.acoustics import NoiseSource, flow_noise, noise_of

PROMPT = (
    100  # text ids that are read where nothing else is known, about 30 s of CosyVoice 2's speech
)

WARM_TOKENS = 30  # of a stream that is not counted: a chunk and what follows


def spoken_voice(sizes: DecoderSizes, seconds: float) -> EncodedPrompt:
    """A voice whose prompt has so many seconds of noise."""
    drawn, tokens = random_state(1), round(seconds * TOKENS_PER_SECOND)
    shape = sizes.bins, tokens * sizes.frames_per_token
    return EncodedPrompt(
        tokens=np.arange(tokens) % sizes.codes,
        mel=np.asarray(drawn.standard_normal(shape), np.float32),
        speaker=np.asarray(drawn.standard_normal(sizes.speaker_dim), np.float32),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Acoustics:
    """Decoder and vocoder with random weights, and a voice.

    Attributes:
        nbytes: of the weights of both.
        flow_dtype: what the flow's network computes in; empty without a flow.
    """

    decoder: AnyDecoder
    vocoder: AnyVocoder
    voice: EncodedPrompt
    nbytes: int
    flow_dtype: str = ""

    @classmethod
    def of(cls, config: BenchConfig, target: Target) -> "Acoustics":
        """Build both, on the target's engine.

        Raises:
            ConfigError: the model lacks one.
        """
        sizes, device = target.sizes, target.model.device
        decoder, vocoder = sizes.decoder, sizes.vocoder
        if decoder is None or vocoder is None:
            raise ConfigError(f"the model {sizes.name!r} has no decoder or vocoder to time")
        if config.engine == ONNX:
            return cls.of_graphs(config, target.engine["threads"])
        modules = (
            with_random_weights(lambda: Decoder(decoder), device=device),
            with_random_weights(lambda: Vocoder(vocoder), device=device),
        )
        return cls(
            TorchDecoder(modules[0]),
            TorchVocoder(modules[1]),
            spoken_voice(DecoderSizes.of(decoder), config.prompt_seconds),
            sum(weight.nbytes for module in modules for weight in module.parameters()),
            "float32" if decoder.steps else "",
        )

    @classmethod
    def of_graphs(cls, config: BenchConfig, threads: int) -> "Acoustics":
        """Both from a folder of random weights, as a user's."""
        with random_folder(config, "acoustics") as folder:
            flow_dtype, reason = chosen_flow_dtype(folder, "auto")
            path = folder.folder / "decoder.onnx"
            found = OnnxDecoder(path, threads, 0, flow_dtype, config.flow_context)
            return cls(
                found,
                OnnxVocoder(folder.folder / "vocoder.onnx", threads),
                spoken_voice(found.sizes, config.prompt_seconds),
                sum(file.stat().st_size for file in folder.folder.glob("*.safetensors")),
                flow_dtype if reason else "",
            )

    def draw(self, tokens: int) -> np.ndarray:
        """Mel features of so many speech tokens."""
        sizes = self.decoder.sizes
        ids = [number % sizes.codes for number in range(tokens)]
        return decode_whole(self.decoder, ids, self.voice, flow_noise(sizes))

    def sound(self, mel: np.ndarray) -> np.ndarray:
        """Samples of mel features."""
        return self.vocoder.speak(mel, noise_of(self.vocoder.sizes, mel, 0))

    def read_voice(self) -> None:
        """What is done once for a voice."""
        if isinstance(self.decoder, ChunkDecoder):
            self.decoder.new_state(self.voice, flow_noise(self.decoder.sizes))


@dataclass(slots=True)
class HeardStream:
    """Speech ids on their way to samples.

    Attributes:
        first: when the first samples left, on the clock.
    """

    acoustics: Acoustics
    first: float = 0.0
    decoding: DecoderStream = field(init=False)

    def __post_init__(self) -> None:
        sizes = self.acoustics.decoder.sizes
        self.decoding = DecoderStream(voice=self.acoustics.voice, noise=flow_noise(sizes))

    def listen(self, ids: Iterator[int]) -> None:
        """Take ids as they come, until there are no more."""
        decoder, vocoder = self.acoustics.decoder, self.acoustics.vocoder
        state, source = vocoder.new_state(), NoiseSource(vocoder.sizes, 0)
        ended = False
        while not ended:
            drawn = next(ids, None)
            ended = drawn is None
            self.decoding.tokens.extend([] if drawn is None else [drawn])
            while (mel := self.decoding.next_group(decoder, final=ended)) is not None:
                noise = source.draw(mel.shape[1] * vocoder.sizes.hop)
                last = ended and self.decoding.complete(decoder.sizes)
                heard = len(vocoder.speak_chunk(mel, noise, state, last=last))
                self.first = self.first or (time.perf_counter() if heard else 0.0)


def drawn_ids(model: Any, prompt: int, tokens: int, keep: Callable[[Any], None]) -> Iterator[int]:
    """Read a prompt and draw so many speech tokens, as a text would be spoken; keeps the state."""
    state = model.new_state(1, prompt + tokens)
    speaker = Speaker(model, state, 1, model.read([prompt_of(model, prompt)], state))
    for _ in range(tokens):
        speaker.speak(1)
        yield speaker.histories[0][-1]
    keep(speaker.state)


def speak_once(model: Any, prompt: int, tokens: int) -> int:
    """Read a prompt and draw so many speech tokens.

    Returns:
        Bytes of the memory at the end.
    """
    states: list[Any] = []
    for _ in drawn_ids(model, prompt, tokens, states.append):
        pass
    return states[0].nbytes


def stream_row(
    model: Any, acoustics: Acoustics, prompt: int, tokens: int, repeats: int
) -> dict[str, Any]:
    """A stream from the first id of the prompt to the last sample."""
    firsts: list[float] = []

    def speak(count: int = tokens) -> None:
        """From an empty state."""
        began = time.perf_counter()
        ids = drawn_ids(model, prompt, count, lambda _: None)
        stream = HeardStream(acoustics)
        stream.listen(ids)
        firsts.append(stream.first - began)

    speak(WARM_TOKENS)
    firsts.clear()
    timing = timed(speak, model.device, repeats)
    spoken = tokens / TOKENS_PER_SECOND
    return {
        "first_audio_seconds": median(firsts),
        "real_time_factor": timing.median / spoken,
        "cpu_real_time_factor": median(timing.cpu_seconds) / spoken,
    }


def factors(stages: dict[str, Timing], spoken: float) -> dict[str, Any]:
    """Seconds for a second of speech, on the clock and of the processor; the last entry is all."""
    found: dict[str, dict[str, float]] = {"real_time_factor": {}, "cpu_real_time_factor": {}}
    for name, timing in stages.items():
        found["real_time_factor"][name] = timing.median / spoken
        found["cpu_real_time_factor"][name] = median(timing.cpu_seconds) / spoken
    for shares in found.values():
        shares["whole"] = sum(shares.values())
    return found


def chain_row(target: Target, acoustics: Acoustics, config: BenchConfig) -> dict[str, Any]:
    """Real-time factor of each stage and of all, and what a stream takes.

    Args:
        target: the language model or its engine.
        acoustics: what follows it.
        config: how much is spoken; each stage is timed ``repeats`` times, the median counts.
    """
    model, device = target.model, target.model.device
    tokens = max(1, round(config.seconds * TOKENS_PER_SECOND))
    prompt = prompt_ids(target, config)
    once = timed(acoustics.read_voice, model.device, 1)  # before anything else reads it
    mel = acoustics.draw(tokens)
    acoustics.sound(mel)  # each stage once before it is timed
    stages: dict[str, Callable[[], Any]] = {
        "speech_lm": lambda: speak_once(model, prompt, tokens),
        "decoder": lambda: acoustics.draw(tokens),
        "vocoder": lambda: acoustics.sound(mel),
    }
    speak_once(model, prompt, 2)
    wait_for(device)
    timings = {name: timed(work, device, config.repeats) for name, work in stages.items()}
    spoken, spoken_by = tokens / TOKENS_PER_SECOND, (model, acoustics, prompt, tokens)
    row = {
        "seconds_of_speech": spoken,
        "prompt_seconds": config.prompt_seconds,
        "prompt_tokens": prompt,
        "flow_dtype": acoustics.flow_dtype,
        "flow_context": acoustics.decoder.sizes.goes_on and config.flow_context,
        **factors(timings, spoken),
    }
    if config.target == BASELINE:
        return row
    heard = stream_row(*spoken_by, config.repeats)
    return row | {"stream": {"once_for_a_voice_seconds": once.median} | heard}


def prompt_ids(target: Target, config: BenchConfig) -> int:
    """Ids that are read: the text, and the words and speech tokens of the voice's prompt.

    A model that reads voices takes vectors for the prompt, whose number is its own.
    """
    if not config.prompt_seconds:
        return PROMPT
    if target.sizes.speech_lm.conditioning is not None:
        return target.sizes.text_ids(config.seconds) + beside_text(target.sizes.speech_lm)
    text = target.sizes.text_ids(config.seconds + config.prompt_seconds)
    return text + round(config.prompt_seconds * TOKENS_PER_SECOND)
