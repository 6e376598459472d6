"""The three ways of speaking, and what each lets the language model read.

- zero-shot: the words and the speech of the voice's prompt come first, and the text is their
  continuation: pace and melody are the prompt's.
- cross-lingual: the language model reads the text alone, so the prompt may be in another language,
  or have no words at all.
- instruct: an instruction ("speak slowly") comes first, then a mark, then the text.

CosyVoice 3 opens every instruction with a sentence of its own, and reads it with the mark alone
where there is none.

The decoder continues the voice's prompt in all three; that is where the timbre comes from. A
language model that reads voices (Chatterbox's) is always given the voice, then the text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.locate import CONFIG
from mamtra.config import from_dict
from mamtra.errors import ConfigError, ModelError, VoiceError
from mamtra.generation.request import Request
from mamtra.speech_lm.conditioning_config import ConditioningConfig
from mamtra.speech_lm.prompt import (
    Segment,
    SpeakerPrompt,
    conditioned,
    cross_lingual,
    instruct,
    zero_shot,
)
from mamtra.synthesis.options import Mode, SpeakOptions
from mamtra.synthesis.text_reader import END_OF_PROMPT, Reader
from mamtra.voice.voice import Voice


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditioning:
    """What the language model reads before and after a text.

    Attributes:
        text: ids of the prompt's words, or of the instruction with its end mark.
        speech: ids of the prompt's speech.
        lead: ids that come before all else where there is no instruction: CosyVoice 3's own
            sentence with the end mark. A text that holds the mark itself brings its own.
        read: of a language model that reads voices: the voice, and the marks around a text.
    """

    mode: Mode = "cross-lingual"
    text: tuple[int, ...] = ()
    speech: tuple[int, ...] = ()
    lead: tuple[int, ...] = ()
    read: tuple[SpeakerPrompt, ConditioningConfig] | None = None

    def led(self, ids: Sequence[int]) -> list[int]:
        """Text ids with what comes before them."""
        brought = self.lead and self.lead[-1] in ids
        return [*ids] if brought else [*self.lead, *ids]

    def request(self, ids: Sequence[int], seed: int) -> Request:
        """The request to speak these text ids.

        Raises:
            TextError: there are no ids.
        """
        segments: list[Segment]
        match self.mode:
            case "cross-lingual" if self.read is not None:
                segments = conditioned(ids, *self.read)
            case "zero-shot":
                segments = zero_shot(ids, self.led(self.text), self.speech)
            case "cross-lingual":
                segments = cross_lingual(self.led(ids))
            case "instruct":
                segments = instruct(ids, self.text, self.text[-1])
        return Request(tuple(segments), len(ids), seed)


def chosen_mode(options: SpeakOptions, voice: Voice, reads_prompts: bool) -> Mode:
    """The mode that was asked for, or the best that model and voice allow."""
    if options.instruct is not None or options.mode == "instruct":
        return "instruct"
    if options.mode is not None:
        return "zero-shot" if options.mode == "zero-shot" else "cross-lingual"
    return "zero-shot" if reads_prompts and voice.text and len(voice.tokens) else "cross-lingual"


def zero_shot_conditioning(reader: Reader, voice: Voice, normalize: bool) -> Conditioning:
    """Go on from the words and the speech of a voice.

    Raises:
        VoiceError: the voice holds no words or no speech.
    """
    lacking = "the words of its prompt" if len(voice.tokens) else "a prompt"
    if not voice.text.strip() or not len(voice.tokens):
        raise VoiceError(
            f"voice {voice.name!r} lacks {lacking}, which zero-shot continues; make it again with "
            f"mamtra voice make --text, or speak cross-lingual"
        )
    words = reader.tokenizer.encode(reader.whole(voice.text, normalize))
    return Conditioning(
        mode="zero-shot",
        text=tuple(words),
        speech=tuple(voice.tokens.tolist()),
        lead=reader.lead,
    )


def instruct_conditioning(reader: Reader, instruction: str, model: str) -> Conditioning:
    """Follow an instruction; its end mark is added here, once.

    Raises:
        ModelError: the model's text has no such mark.
        ConfigError: nothing is left of the instruction.
    """
    if reader.end_of_prompt is None:
        raise ModelError(
            f"model {model!r} cannot follow instructions (its text has no {END_OF_PROMPT} mark); "
            "leave the instruction out"
        )
    words = instruction.replace(END_OF_PROMPT, " ").strip()
    if not words:
        raise ConfigError("the instruction is empty; give words, as 'speak slowly'")
    ids = reader.tokenizer.encode(f"{reader.opening} {words}".strip())
    return Conditioning(mode="instruct", text=(*ids, reader.end_of_prompt))


def voice_reading(folder: ModelFolder) -> ConditioningConfig | None:
    """Sizes of a language model that reads voices; None for one that does not.

    Raises:
        ConfigError: the folder's ``config.json`` holds something else there.
    """
    values = (folder.holder("speech_lm").config.speech_lm or {}).get("conditioning")
    if values is None:
        return None
    return from_dict(ConditioningConfig, values, str(folder.folder / CONFIG), "conditioning")


def reading_voice(
    voice: Voice, options: SpeakOptions, sizes: ConditioningConfig, model: str
) -> Conditioning:
    """For a language model that reads voices.

    Raises:
        ConfigError: pieces would have to know each other.
        VoiceError: the voice holds nothing for such a model, or not what fits this one.
    """
    if options.state == "carry":
        raise ConfigError(f"{model!r} speaks each piece by itself; leave the state 'carry' out")
    if voice.read is None or len(voice.read.speaker) != sizes.speaker_dim:
        raise VoiceError(
            f"voice {voice.name!r} holds no speaker vector of {sizes.speaker_dim} numbers for the "
            f"language model of {model!r}; take the voice that came with it"
        )
    return Conditioning(read=(voice.read, sizes))


def conditioning_of(
    reader: Reader,
    voice: Voice,
    options: SpeakOptions,
    *,
    model: str,
    reads_prompts: bool,
    reads_voices: ConditioningConfig | None = None,
) -> Conditioning:
    """What the language model reads around a text.

    Args:
        reader: how the model reads text.
        voice: whose prompt to continue.
        options: mode, instruction and normalisation. Without a mode, ``instruct`` if there is an
            instruction, else ``zero-shot`` if the model reads prompts and the voice has one with
            its words, else ``cross-lingual``.
        model: the model's name, for messages.
        reads_prompts: whether the language model was trained to go on from a prompt.
        reads_voices: sizes of a language model that reads voices.

    Raises:
        ConfigError: the instruction is empty.
        ModelError: the model was not made for this mode.
        VoiceError: the voice lacks what the mode needs.
    """
    match chosen_mode(options, voice, reads_prompts):
        case "instruct":
            return instruct_conditioning(reader, options.instruct or "", model)
        case "zero-shot" if reads_prompts:
            return zero_shot_conditioning(reader, voice, options.normalize)
        case "zero-shot":
            raise ModelError(
                f"the language model of {model!r} was not trained to go on from a prompt; "
                "leave the mode out"
            )
        case _ if reads_voices is not None:
            return reading_voice(voice, options, reads_voices, model)
        case _:
            return Conditioning(lead=reader.lead)
