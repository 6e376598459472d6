"""Text in, speech out: the whole chain behind two calls.

    synthesizer = mamtra.load("nano")
    synthesizer.say("Hello there.").save("hello.wav")

Long text is spoken piece by piece. Each piece draws from a seed of its own, derived from the
caller's, so it sounds the same whatever stands before it.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mamtra.acoustic.decoder import Decoder, Prompt
from mamtra.acoustic.flow_matching import fixed_noise
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.errors import GenerationError
from mamtra.synthesis.engine import AUTO, EngineConfig
from mamtra.synthesis.generate import Generation, generate
from mamtra.synthesis.guard import GuardConfig
from mamtra.synthesis.kernel_cache import bound_kernel_cache
from mamtra.synthesis.long_text import Carried, check_state, paragraphs
from mamtra.synthesis.modes import Manner, manner_of
from mamtra.synthesis.parts import Dtypes, TextConfig, speaking_parts
from mamtra.synthesis.sampling import SamplingConfig
from mamtra.synthesis.speech import Speech, Timings, join
from mamtra.synthesis.voice import Voice, check_voice, find_voice

if TYPE_CHECKING:
    from mamtra.synthesis.many_texts import Outcome, Speaking, Utterance
    from mamtra.synthesis.streaming import AudioPiece

__all__ = ["Speech", "Synthesizer", "Timings", "Voice", "load"]

PIECE_STRIDE = 7_368_787  # a prime: seeds of pieces meet neither each other nor those of retries


class Stopwatch:
    """Seconds between one look and the next."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last look; waits for a GPU to finish what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        before, self.last = self.last, time.perf_counter()
        return self.last - before


def draw_mel(
    decoder: Decoder, tokens: Int[Tensor, "1 tokens"], voice: Voice
) -> Float[Tensor, "1 bins frames"]:
    """Mel features of speech tokens in a voice.

    A decoder with flow matching continues the voice's prompt; one without knows the voice from its
    vector alone.
    """
    speaker = voice.speaker[None]
    if not decoder.config.steps:
        return decoder(tokens, speaker)
    prompt = Prompt(tokens=voice.tokens[None], mel=voice.mel[None]) if len(voice.tokens) else None
    return decoder(tokens, speaker, prompt, fixed_noise(decoder.config.bins).to(tokens.device))


class Synthesizer:
    """A loaded model.

    Args:
        folder: the model's folder.
        device: where to compute.
        dtypes: types of the weights in memory, see ``speaking_parts``.
        engine: how the language model is run; by itself as fits its size and the device.

    Raises:
        ModelError: a part is missing or damaged.
        ConfigError: device and engine are not possible here.
    """

    def __init__(
        self,
        folder: ModelFolder,
        device: str | torch.device = "cpu",
        dtypes: Dtypes = None,
        engine: EngineConfig | None = None,
    ) -> None:
        bound_kernel_cache()
        self.folder = folder
        self.engine = engine or EngineConfig(device=str(device))
        self.parts = speaking_parts(folder, device, dtypes, self.engine)
        self.text = folder.optional("text", TextConfig)
        self.sampling = folder.optional("sampling", SamplingConfig)
        self.guard = folder.optional("guard", GuardConfig)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.folder.config.name

    @property
    def rate(self) -> int:
        """Samples a second of what it says."""
        return self.parts.mel.rate_hz

    @property
    def voices(self) -> list[str]:
        """Names of the voices that belong to the model."""
        return list(self.folder.voice_files())

    def voice(self, voice: Voice | str | Path | None = None) -> Voice:
        """A voice by name or path; without one, the model's default.

        Raises:
            VoiceError: it is unknown, its file is no voice, or it is another model's.
        """
        if not isinstance(voice, Voice):
            voice = Voice.load(find_voice(self.folder, voice))
        check_voice(voice, self.parts.decoder.config, self.rate, self.name)
        return voice.to(self.parts.device)

    def manner(
        self,
        voice: Voice,
        mode: str | None = None,
        instruct: str | None = None,
        normalize: bool = True,
    ) -> Manner:
        """How a voice is spoken with; see ``say`` for the arguments.

        Raises:
            ConfigError: mode and instruction contradict each other.
            ModelError: the model was not made for this mode.
            VoiceError: the voice lacks what the mode needs.
        """
        return manner_of(
            self.parts.reader,
            voice,
            mode,
            instruct,
            model=self.name,
            reads_prompts=self.text.reads_prompts,
            spoken=normalize,
        )

    def pieces(self, text: str, normalize: bool = True) -> list[str]:
        """The text as it will be spoken: normalised, in pieces of a sentence or so.

        Raises:
            TextError: it is empty, or nothing in it can be spoken.
            MissingExtraError: the model's normaliser is not installed.
        """
        return self.parts.reader.pieces(text, normalize)

    def paragraphs(self, text: str, normalize: bool = True) -> list[list[str]]:
        """The pieces of each paragraph; paragraphs end at empty lines.

        Raises:
            TextError: the text is empty, or nothing in it can be spoken.
            MissingExtraError: the model's normaliser is not installed.
        """
        return paragraphs(text, lambda paragraph: self.pieces(paragraph, normalize))

    def say(
        self,
        text: str,
        voice: Voice | str | Path | None = None,
        seed: int = 0,
        *,
        mode: str | None = None,
        instruct: str | None = None,
        normalize: bool = True,
        state: str = "fresh",
    ) -> Speech:
        """Speak a text of any length.

        Args:
            text: English, or what else the model reads; numbers and abbreviations become words.
            voice: a voice of the model, the path of a saved one, or a ``Voice``.
            seed: the same seed gives the same samples; another gives another take.
            mode: ``zero-shot``, ``cross-lingual`` or ``instruct``; see ``mamtra.synthesis.modes``.
            instruct: how to speak, in words, for models that follow instructions.
            normalize: off, the text is spoken as it stands.
            state: ``carry`` lets the language model know the paragraph's last pieces; see
                ``mamtra.synthesis.long_text``.

        Raises:
            TextError: the text is empty, or nothing in it can be spoken.
            VoiceError: the voice is unknown, another model's, or lacks what the mode needs.
            ModelError: the model was not made for this mode.
            GenerationError: the model said nothing.
        """
        watch = Stopwatch(torch.device("cpu"))
        chosen = self.voice(voice)
        manner = self.manner(chosen, mode, instruct, normalize)
        spoken = self.paragraphs(text, normalize)
        seconds = watch.lap()
        speech = join(list(self.speak_paragraphs(spoken, chosen, seed, manner, state)))
        return replace(speech, timings=speech.timings + Timings(text=seconds))

    def say_batch(
        self,
        texts: "Iterable[str | Utterance]",
        voices: Voice | str | Path | Sequence[Voice | str | Path | None] | None = None,
        seeds: int | Sequence[int] = 0,
        rows: int = 8,
        speaking: "Speaking | None" = None,
    ) -> "Iterator[Outcome]":
        """Speak many texts side by side; yields each one's number and speech as it is finished.

        Each text says what ``say`` would, but for the last bit of the language model's arithmetic
        (see ``mamtra.synthesis.batching``). One that cannot be spoken yields its error instead. The
        language model's time is shared and not told. Memory depends on ``rows`` and on the longest
        text, not on the number of texts.

        Args:
            texts: strings, or ``Utterance`` values with voice and seed of their own; may be a
                generator.
            voices: one for all texts, or one for each.
            seeds: one for all texts, or one for each.
            rows: how many pieces are spoken at once.
            speaking: mode, instruction and normalisation, as for ``say``.

        Raises:
            ConfigError: there are no rows, or too few voices or seeds.
        """
        from mamtra.synthesis.many_texts import Speaking, speak_many, utterances

        wanted = utterances(texts, voices, seeds)
        return speak_many(self, wanted, rows, speaking or Speaking())

    def stream(
        self,
        text: str | Iterable[str],
        voice: Voice | str | Path | None = None,
        seed: int = 0,
        *,
        mode: str | None = None,
        instruct: str | None = None,
        normalize: bool = True,
    ) -> "Iterator[AudioPiece]":
        """Speak a text, or one that is still arriving; yields samples while they are being made.

        Closing the iterator ends the generation at once. Models that were trained to speak while
        their text arrives do so, word by word and as it is written; others speak each sentence as
        soon as it has ended.

        Args:
            text: a text, or an iterator of parts of one.
            voice: as for ``say``.
            seed: as for ``say``.
            mode: as for ``say``.
            instruct: as for ``say``.
            normalize: as for ``say``.

        Raises:
            VoiceError: the voice is unknown, another model's, or lacks what the mode needs.
            ModelError: the model was not made for this mode.
            TextError: while iterating: nothing in the text can be spoken.
            GenerationError: while iterating: the model said nothing.
        """
        from mamtra.synthesis.streaming import open_stream

        chosen = self.voice(voice)
        manner = self.manner(chosen, mode, instruct, normalize)
        return open_stream(self, text, chosen, seed, manner, normalize)

    def speak(
        self,
        spoken: Sequence[str],
        voice: Voice | str | Path | None = None,
        seed: int = 0,
        manner: Manner | None = None,
    ) -> Iterator[Speech]:
        """Speak pieces one by one, each handed out when it is finished; ``join`` makes them one.

        Args:
            spoken: what ``pieces`` gave.
            voice: as for ``say``.
            seed: of the first piece; the others' are derived from it.
            manner: from ``manner``; without it, the best that model and voice allow.
        """
        yield from self.speak_paragraphs([spoken], voice, seed, manner)

    def speak_paragraphs(
        self,
        spoken: Sequence[Sequence[str]],
        voice: Voice | str | Path | None = None,
        seed: int = 0,
        manner: Manner | None = None,
        state: str = "fresh",
    ) -> Iterator[Speech]:
        """Speak the pieces of paragraphs one by one, as ``speak`` does.

        Args:
            spoken: what ``paragraphs`` gave.
            voice: as for ``say``.
            seed: of the first piece; the others' are derived from it.
            manner: from ``manner``; without it, the best that model and voice allow.
            state: as for ``say``.

        Raises:
            ConfigError: the state is unknown.
            GenerationError: the model said nothing.
        """
        check_state(state)
        chosen = self.voice(voice)
        manner = manner or self.manner(chosen)
        place = 0
        for paragraph in spoken:
            carried = Carried() if state == "carry" else None
            for number, piece in enumerate(paragraph, start=1):
                own_seed = seed + place * PIECE_STRIDE
                speech = self.speak_piece(piece, chosen, own_seed, manner, carried)
                yield replace(speech, ends_paragraph=number == len(paragraph))
                place += 1

    @torch.inference_mode()
    def speak_piece(
        self,
        piece: str,
        voice: Voice,
        seed: int,
        manner: Manner | None = None,
        carried: Carried | None = None,
    ) -> Speech:
        """Speak one piece of normalised text; ``carried`` takes note of it.

        Raises:
            GenerationError: the model said nothing.
        """
        watch = Stopwatch(self.parts.device)
        manner = manner or self.manner(voice)
        ids = self.parts.reader.encode(piece)
        carried = carried or Carried()
        request = carried.request(ids, seed, manner.request)
        text = watch.lap()
        generation = generate(self.parts.speech_lm, request, self.sampling, self.guard)
        carried.add(ids, generation.ids, generation.reason)
        speech_lm = watch.lap()
        speech = self.sound(piece, generation, voice, seed)
        return replace(speech, timings=speech.timings + Timings(text=text, speech_lm=speech_lm))

    @torch.inference_mode()
    def sound(self, piece: str, generation: Generation, voice: Voice, seed: int) -> Speech:
        """Let a voice say the speech ids of a piece.

        Raises:
            GenerationError: there are none.
        """
        if not generation.ids:
            raise GenerationError(
                f"the model said nothing for {piece!r} in {generation.attempts} attempts; "
                "try another seed"
            )
        watch = Stopwatch(self.parts.device)
        tokens = torch.tensor([generation.ids], device=self.parts.device)
        mel = self.draw_mel(tokens, voice)
        decoder = watch.lap()
        noise = torch.Generator().manual_seed(seed)
        samples = self.parts.vocoder(mel, generator=noise)[0].float().cpu().numpy()
        return Speech(
            samples=samples,
            rate=self.rate,
            text=piece,
            speech_tokens=list(generation.ids),
            stop_reason=generation.reason,
            timings=Timings(decoder=decoder, vocoder=watch.lap()),
            state_bytes=generation.state_bytes,
        )

    def draw_mel(self, tokens: Tensor, voice: Voice) -> Float[Tensor, "1 bins frames"]:
        """Mel features of speech tokens in a voice."""
        return draw_mel(self.parts.decoder, tokens, voice)


def load(
    name_or_path: str | Path = DEFAULT,
    device: str | torch.device = "cpu",
    dtypes: Dtypes = None,
    *,
    dtype: str = AUTO,
    engine: str = AUTO,
    threads: int = 0,
) -> Synthesizer:
    """Load a model by its name (``nano``, ``nano-teacher``) or from its folder.

    Args:
        name_or_path: the model.
        device: ``cpu`` or ``cuda``.
        dtypes: types of decoder and vocoder in memory, see ``speaking_parts``; float32 without it.
        dtype: of the language model's weights: ``float32``, ``bfloat16``, ``int8``, or ``auto``,
            which is what speaks fastest on the device at this size.
        engine: ``eager``, ``graph`` (CUDA only), or ``auto``.
        threads: of a CPU; 0 decides by the size of the model.

    Raises:
        ModelError: there is no such model, or its weights do not fit.
        ConfigError: what was asked for is not possible here.
    """
    asked = EngineConfig(device=str(device), dtype=dtype, kind=engine, threads=threads)
    return Synthesizer(ModelFolder(locate(name_or_path)), device, dtypes, asked)
