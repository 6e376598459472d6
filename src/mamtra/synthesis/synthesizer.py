"""Text in, speech out: the whole chain behind a few calls.

    synthesizer = mamtra.load("nano")
    synthesizer.say("Hello there.").save("hello.wav")

This file is the surface. What each call does lies in ``say.py`` (``say``, ``speak``), ``stream.py``
and ``batch.py``. One synthesizer may be used by any number of threads at once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from mamtra.checkpoints.format import ModelFolder
from mamtra.generation.guard import GuardConfig
from mamtra.generation.sampling import SamplingConfig
from mamtra.runtime.exclusive import exclusive
from mamtra.runtime.protocols import LoadedModel
from mamtra.synthesis.batch import Outcome, TextAndOptions, say_texts, with_options
from mamtra.synthesis.conditioning import conditioning_of, voice_reading
from mamtra.synthesis.options import AnyVoice, SpeakOptions, check_options, check_switch
from mamtra.synthesis.proofreading import proofreader_of
from mamtra.synthesis.say import say_paragraphs
from mamtra.synthesis.speaker import Speaker, checked_paragraphs, checked_text
from mamtra.synthesis.speech import ComputeSeconds, Speech, join
from mamtra.synthesis.stopwatch import Stopwatch
from mamtra.synthesis.stream import AudioPiece, parts_of, speak_stream
from mamtra.synthesis.text_reader import Reader, TextConfig
from mamtra.synthesis.text_stream import checked_parts
from mamtra.text.lexicon import Lexicon
from mamtra.text.pauses import Passage
from mamtra.voice.voice import Voice, check_voice, find_voice, voice_names

DEFAULTS = SpeakOptions()


class Synthesizer:
    """A loaded model; ``mamtra.load`` makes one.

    Args:
        folder: the model's folder.
        model: its parts, as an engine runs them.
        reader: how it reads text.
    """

    def __init__(self, folder: ModelFolder, model: LoadedModel, reader: Reader) -> None:
        self.folder, self.reader = folder, reader
        self.model = exclusive(model)
        self.text = folder.optional("text", TextConfig)
        self.sampling = folder.optional("sampling", SamplingConfig)
        self.guard = folder.optional("guard", GuardConfig)
        self.reads_voices = voice_reading(folder)
        self.check_of = proofreader_of(folder, reader.tokenizer)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.folder.config.name

    @property
    def rate(self) -> int:
        """Samples a second of what it says."""
        return self.model.vocoder.sizes.rate_hz

    @property
    def voices(self) -> list[str]:
        """Names of the voices that belong to the model, the default first."""
        return voice_names(self.folder)

    def voice(self, voice: AnyVoice = None) -> Voice:
        """A voice by name or path; without one, the model's default.

        Raises:
            VoiceError: it is unknown, its file is no voice, or it is another model's.
        """
        if not isinstance(voice, Voice):
            voice = Voice.load(find_voice(self.folder, voice))
        check_voice(voice, self.model.decoder.sizes, self.rate, self.name)
        return voice

    def speaker(
        self,
        options: SpeakOptions = DEFAULTS,
        voice_named: Callable[[str], AnyVoice] = str,
    ) -> Speaker:
        """The model with a voice and a way to speak, which all calls below share.

        Args:
            options: how to speak.
            voice_named: the voice that a mark in a text means; a name or a path as it stands, if
                left.

        Raises:
            ConfigError: the options are none, or the instruction is empty.
            VoiceError: the voice is unknown, another model's, or lacks what the mode needs.
            ModelError: the model was not made for this mode.
        """
        check_options(options)
        voice = self.voice(options.voice)
        conditioning = conditioning_of(
            self.reader,
            voice,
            options,
            model=self.name,
            reads_prompts=self.text.reads_prompts,
            reads_voices=self.reads_voices,
        )
        return Speaker(
            model=self.model,
            reader=self.reader,
            text=self.text,
            sampling=self.sampling,
            guard=self.guard,
            voice=voice,
            conditioning=conditioning,
            options=options,
            check_of=self.check_of,
            cast=lambda name: self.speaker(replace(options, voice=voice_named(name)), voice_named),
        )

    def pieces(self, text: str, normalize: bool = True) -> list[str]:
        """The text as it will be spoken: normalised, in pieces of a sentence or so.

        Raises:
            TextError: it is no text or empty, or nothing in it can be spoken.
            ConfigError: ``normalize`` is neither True nor False.
            MissingExtraError: the model's normaliser is not installed.
        """
        check_switch("normalize", normalize)
        return self.reader.pieces(checked_text(text), normalize)

    def speak(
        self, text: str | Sequence[Sequence[str | Passage]], options: SpeakOptions = DEFAULTS
    ) -> Iterator[Speech]:
        """Speak piece by piece, each handed out when it is finished; ``mamtra.join`` joins them.

        Args:
            text: a text of any length, or the pieces of its paragraphs (``Speaker.paragraphs``).
            options: how to speak.

        Raises:
            TextError: the text is none or empty, or nothing in it can be spoken.
            ConfigError: the options are none, or the instruction is empty.
            VoiceError: the voice is unknown, another model's, or lacks what the mode needs.
            ModelError: the model was not made for this mode.
            GenerationError: while iterating: the model said nothing.
        """
        speaker = self.speaker(options)
        whole = isinstance(text, str)
        paragraphs = speaker.paragraphs(text) if whole else checked_paragraphs(text)
        return say_paragraphs(speaker, paragraphs)

    def say(  # noqa: PLR0913  # the arguments are those of SpeakOptions
        self,
        text: str,
        voice: AnyVoice = None,
        seed: int = 0,
        *,
        mode: str | None = None,
        instruct: str | None = None,
        normalize: bool = True,
        state: str = "fresh",
        lexicon: Lexicon | None = None,
        speed: float | int = 1.0,
        proofread: bool = True,
    ) -> Speech:
        """Speak a text of any length; the arguments are those of ``SpeakOptions``.

        Raises:
            TextError: the text is empty, or nothing in it can be spoken.
            ConfigError: an argument is out of range, or mode and instruction contradict each other.
            VoiceError: the voice is unknown, another model's, or lacks what the mode needs.
            ModelError: the model was not made for this mode.
            GenerationError: the model said nothing.
        """
        options = SpeakOptions(
            voice=voice,
            seed=seed,
            mode=mode,
            instruct=instruct,
            normalize=normalize,
            state=state,
            lexicon=lexicon,
            speed=speed,
            proofread=proofread,
        )
        watch = Stopwatch()
        speaker = self.speaker(options)
        paragraphs, notes = speaker.paragraphs(text), tuple(speaker.notes(text))
        read = ComputeSeconds(text=watch.lap())
        speech = join(list(say_paragraphs(speaker, paragraphs)))
        spent = speech.compute_seconds + read
        return replace(speech, compute_seconds=spent, notes=notes)

    def say_batch(
        self,
        texts: Iterable[str | TextAndOptions],
        options: SpeakOptions = DEFAULTS,
        rows: int = 8,
    ) -> Iterator[Outcome]:
        """Speak many texts side by side; yields each one's number and speech as it is finished.

        Each text says what ``say`` would, but for the last bit of the language model's arithmetic
        (see ``mamtra.generation.continuous_batching``). One that cannot be spoken yields its error
        instead. The language model's time is shared and not reported. Memory depends on ``rows``
        and on the longest text, not on the number of texts. Pieces are always spoken ``fresh``.

        Args:
            texts: strings, or pairs of a string and options of its own; may be a generator.
            options: how to speak texts without options of their own.
            rows: how many pieces are spoken at once.

        Raises:
            ConfigError: there are no rows, or the options are none.
            TextError: ``texts`` is one text, or nothing that holds texts.
        """
        return say_texts(
            self.speaker,
            with_options(texts, options),
            rows,
            self.model.speech_model,
            self.sampling,
            self.guard,
        )

    def stream(  # noqa: PLR0913  # as say
        self,
        text: str | Iterable[str],
        voice: AnyVoice = None,
        seed: int = 0,
        *,
        mode: str | None = None,
        instruct: str | None = None,
        normalize: bool = True,
        lexicon: Lexicon | None = None,
        speed: float | int = 1.0,
        proofread: bool = True,
    ) -> Iterator[AudioPiece]:
        """Speak a text, or one that is still arriving; yields samples while they are being made.

        Closing the iterator ends the generation at once. Models that were trained to speak while
        their text arrives do so, word by word and as it is written; others speak each sentence as
        soon as it has ended.

        Args:
            text: a text, or an iterator of parts of one; the other arguments are those of
                ``SpeakOptions``.

        Raises:
            ConfigError: an argument is out of range, or mode and instruction contradict each other.
            VoiceError: the voice is unknown, another model's, or lacks what the mode needs.
            ModelError: the model was not made for this mode.
            TextError: it is no text; while iterating: nothing in it can be spoken.
            GenerationError: while iterating: the model said nothing.
        """
        options = SpeakOptions(
            voice=voice,
            seed=seed,
            mode=mode,
            instruct=instruct,
            normalize=normalize,
            lexicon=lexicon,
            speed=speed,
            proofread=proofread,
        )
        speaker = self.speaker(options)
        return speak_stream(speaker, parts_of(speaker, checked_parts(text)))
