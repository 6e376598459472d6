"""Text in, speech out: the whole chain behind two calls.

    synthesizer = mamtra.load("nano")
    synthesizer.say("Hello there.").save("hello.wav")

This file is the surface. What each call does lies in ``piece_by_piece`` (``say``, ``speak``),
``streaming`` (``stream``) and ``many_texts`` (``say_batch``).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.generation.guard import GuardConfig
from mamtra.generation.sampling import SamplingConfig
from mamtra.runtime.torch.engine import AUTO, EngineConfig
from mamtra.runtime.torch.kernel_cache import bound_kernel_cache
from mamtra.synthesis.conditioning import Manner, manner_of
from mamtra.synthesis.long_text import paragraphs
from mamtra.synthesis.parts import Dtypes, TextConfig, speaking_parts
from mamtra.synthesis.say import Narrator
from mamtra.synthesis.speech import Speech, Timings, join
from mamtra.synthesis.stopwatch import Stopwatch
from mamtra.voice.voice import Voice, check_voice, find_voice

if TYPE_CHECKING:
    from mamtra.synthesis.batch import Outcome, Speaking, Utterance
    from mamtra.synthesis.stream import AudioPiece


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

    def narrator(
        self, voice: Voice | str | Path | None = None, manner: Manner | None = None
    ) -> Narrator:
        """What speaks piece by piece, in a voice and a manner.

        Args:
            voice: as for ``say``.
            manner: from ``manner``; without it, the best that model and voice allow.

        Raises:
            VoiceError: the voice is unknown, or another model's.
        """
        chosen = self.voice(voice)
        return Narrator(
            parts=self.parts,
            sampling=self.sampling,
            guard=self.guard,
            voice=chosen,
            manner=manner or self.manner(chosen),
        )

    def pieces(self, text: str, normalize: bool = True) -> list[str]:
        """The text as it will be spoken: normalised, in pieces of a sentence or so.

        Raises:
            TextError: it is empty, or nothing in it can be spoken.
            MissingExtraError: the model's normaliser is not installed.
        """
        return self.parts.reader.pieces(text, normalize)

    def paragraphs(self, text: str, normalize: bool = True) -> list[list[str]]:
        """The ``pieces`` of each paragraph, with the same errors; paragraphs end at empty lines."""
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
            mode: ``zero-shot``, ``cross-lingual`` or ``instruct``; see ``conditioning``.
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
        speaking = self.narrator(chosen, manner).speak_paragraphs(spoken, seed, state)
        speech = join(list(speaking))
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
        (see ``mamtra.generation.continuous_batching``). One that cannot be spoken yields its error
        instead. The language model's time is shared and not told. Memory depends on ``rows`` and on
        the longest text, not on the number of texts.

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
        from mamtra.synthesis.batch import Speaking, speak_many, utterances

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
            text: a text, or an iterator of parts of one; the other arguments are those of ``say``.

        Raises:
            VoiceError: the voice is unknown, another model's, or lacks what the mode needs.
            ModelError: the model was not made for this mode.
            TextError: while iterating: nothing in the text can be spoken.
            GenerationError: while iterating: the model said nothing.
        """
        from mamtra.synthesis.stream import open_stream

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

        Raises:
            VoiceError: the voice is unknown, or another model's.
            GenerationError: while iterating: the model said nothing.
        """
        return self.narrator(voice, manner).speak_paragraphs([spoken], seed)


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
