"""The three ways of speaking, and what each lets the language model read.

- zero-shot: the words and the speech of the voice's prompt come first, and the text is their
  continuation: manner and melody are the prompt's.
- cross-lingual: the language model reads the text alone, so the prompt may be in another language,
  or have no words at all.
- instruct: an instruction ("speak slowly") comes first, then a mark, then the text.

The decoder continues the voice's prompt in all three; that is where the timbre comes from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from mamtra.errors import ConfigError, ModelError, VoiceError
from mamtra.generation.generate import Request
from mamtra.speech_lm import cross_lingual, instruct, zero_shot
from mamtra.synthesis.text_reader import END_OF_PROMPT, Reader
from mamtra.voice.voice import Voice

Mode = Literal["zero-shot", "cross-lingual", "instruct"]
MODES: tuple[str, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What the language model reads before and after a text.

    Attributes:
        text: ids of the prompt's words, or of the instruction with its end mark.
        speech: ids of the prompt's speech.
    """

    mode: Mode = "cross-lingual"
    text: tuple[int, ...] = ()
    speech: tuple[int, ...] = ()

    def request(self, ids: Sequence[int], seed: int) -> Request:
        """The request to speak these text ids in this manner.

        Raises:
            TextError: there are no ids.
        """
        match self.mode:
            case "zero-shot":
                segments = zero_shot(ids, self.text, self.speech)
            case "cross-lingual":
                segments = cross_lingual(ids)
            case "instruct":
                segments = instruct(ids, self.text, self.text[-1])
        return Request(tuple(segments), len(ids), seed)


def wanted_mode(
    mode: str | None, instruction: str | None, voice: Voice, reads_prompts: bool
) -> Mode:
    """The mode that was asked for, or the best that model and voice allow.

    Raises:
        ConfigError: there is no such mode, or mode and instruction contradict each other.
    """
    if mode is not None and mode not in MODES:
        raise ConfigError(f"mode {mode!r} is unknown; possible are {', '.join(MODES)}")
    if mode == "instruct" and not (instruction or "").strip():
        raise ConfigError("mode 'instruct' needs an instruction; give one, as 'speak slowly'")
    if instruction is not None and mode not in (None, "instruct"):
        raise ConfigError(
            f"an instruction does not go with mode {mode!r}; leave the mode out or say 'instruct'"
        )
    if instruction is not None:
        return "instruct"
    for known in get_args(Mode):
        if mode == known:
            return known
    return "zero-shot" if reads_prompts and voice.text and len(voice.tokens) else "cross-lingual"


def zero_shot_manner(reader: Reader, voice: Voice, spoken: bool) -> Manner:
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
    words = reader.tokenizer.encode(reader.whole(voice.text, spoken))
    return Manner(mode="zero-shot", text=tuple(words), speech=tuple(voice.tokens.tolist()))


def instruct_manner(reader: Reader, instruction: str, model: str) -> Manner:
    """Follow an instruction; its end mark is added here, once.

    Raises:
        ModelError: the model's text has no such mark.
        ConfigError: nothing is left of the instruction.
    """
    if reader.end_of_prompt is None:
        raise ModelError(
            f"model {model!r} cannot follow instructions: its text has no {END_OF_PROMPT} mark; "
            "leave the instruction out"
        )
    words = instruction.replace(END_OF_PROMPT, " ").strip()
    if not words:
        raise ConfigError("the instruction is empty; give words, as 'speak slowly'")
    return Manner(mode="instruct", text=(*reader.tokenizer.encode(words), reader.end_of_prompt))


def manner_of(
    reader: Reader,
    voice: Voice,
    mode: str | None = None,
    instruction: str | None = None,
    *,
    model: str,
    reads_prompts: bool,
    spoken: bool = True,
) -> Manner:
    """What the language model shall read around a text.

    Args:
        reader: how the model reads text.
        voice: whose prompt to continue.
        mode: one of ``MODES``; without one, ``instruct`` if there is an instruction, else
            ``zero-shot`` if the model reads prompts and the voice has one with its words, else
            ``cross-lingual``.
        instruction: how to speak.
        model: the model's name, for messages.
        reads_prompts: whether the language model was trained to go on from a prompt.
        spoken: write the numbers in the prompt's text as words.

    Raises:
        ConfigError: mode and instruction contradict each other, or the mode is unknown.
        ModelError: the model was not made for this mode.
        VoiceError: the voice lacks what the mode needs.
    """
    match wanted_mode(mode, instruction, voice, reads_prompts):
        case "instruct":
            return instruct_manner(reader, instruction or "", model)
        case "zero-shot" if reads_prompts:
            return zero_shot_manner(reader, voice, spoken)
        case "zero-shot":
            raise ModelError(
                f"the language model of {model!r} was not trained to go on from a prompt; "
                "speak cross-lingual, where the voice is the decoder's matter"
            )
        case _:
            return Manner()
