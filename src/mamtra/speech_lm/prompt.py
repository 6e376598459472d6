"""What the speech language model reads, as plain lists of segments.

A sequence is ``[start][text ...][task][speech ...]``; generation goes on from its last segment. The
ways of speaking differ only in what stands where:

- zero-shot: the prompt's text before the text, the prompt's speech after the task mark;
- cross-lingual: the text alone (the voice comes from the acoustic decoder only); nano's voices are
  used this way;
- instruct: an instruction, its end mark, then the text;
- conditioned: Chatterbox's, a voice as vectors, then the text between marks of its own.

For training, each layout also has targets: the id that should follow each position, or ``IGNORED``
where nothing is learned. In the bi-stream layout text and speech alternate (5 text ids, 15 speech
ids, a fill mark ...), so that a model can start to speak before the text is complete.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mamtra.errors import ConfigError, GenerationError, VoiceError
from mamtra.speech_lm.conditioning_config import ConditioningConfig
from mamtra.speech_lm.vocabulary import START, TASK, SpeechVocabulary

IGNORED = -1  # a position whose next id is not learned
BI_STREAM_SHARE = 0.5  # of the utterances that have speech enough, as in CosyVoice 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerPrompt:
    """A voice as a language model with conditioning reads it.

    Attributes:
        speaker: the voice's vector.
        prompt: speech tokens of its recording.
        emotion: how lively it speaks; 0.5 is neutral.
    """

    speaker: tuple[float, ...]
    prompt: tuple[int, ...]
    emotion: float = 0.5


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of ids from one of the model's three tables, or the positions of a voice.

    Attributes:
        ids: of a ``voice``, one for each position that it takes; they mean nothing.
        voice: of a ``voice`` only.
    """

    kind: Literal["special", "text", "speech", "voice"]
    ids: tuple[int, ...]
    voice: SpeakerPrompt | None = None


START_SEGMENT = Segment("special", (START,))
TASK_SEGMENT = Segment("special", (TASK,))


def text_segment(ids: Sequence[int]) -> Segment:
    """A run of text ids."""
    return Segment("text", tuple(ids))


def speech_segment(ids: Sequence[int]) -> Segment:
    """A run of speech ids."""
    return Segment("speech", tuple(ids))


def zero_shot(
    text: Sequence[int], prompt_text: Sequence[int], prompt_speech: Sequence[int]
) -> list[Segment]:
    """Speak ``text`` as the continuation of a prompt whose words and speech are given."""
    return [
        START_SEGMENT,
        text_segment([*prompt_text, *text]),
        TASK_SEGMENT,
        speech_segment(prompt_speech),
    ]


def cross_lingual(text: Sequence[int]) -> list[Segment]:
    """Speak ``text`` alone; the voice is the acoustic decoder's matter."""
    return [START_SEGMENT, text_segment(text), TASK_SEGMENT]


def conditioned(
    text: Sequence[int], voice: SpeakerPrompt, config: ConditioningConfig
) -> list[Segment]:
    """Speak ``text`` in a voice that the model reads first; the start mark stands twice.

    Twice, because the original's does, at the same position, so its weights may rely on it.
    """
    return [
        Segment("voice", (0,) * (config.prompt_queries + 2), voice),
        text_segment([config.text_start, *text, config.text_end]),
        Segment("special", (TASK, TASK)),
    ]


def check_voice(voice: SpeakerPrompt, config: ConditioningConfig, ids: int) -> None:
    """Refuse a voice that does not fit a model.

    Args:
        voice: who speaks.
        config: sizes of what the model reads.
        ids: number of speech ids that it has an embedding for.

    Raises:
        VoiceError: the voice does not fit.
    """
    if len(voice.speaker) != config.speaker_dim:
        raise VoiceError(
            f"the voice's speaker vector has {len(voice.speaker)} numbers and the model reads "
            f"{config.speaker_dim}"
        )
    if not 0 < len(voice.prompt) <= config.prompt_tokens:
        raise VoiceError(
            f"the voice's prompt has {len(voice.prompt)} speech tokens; the model reads 1 to "
            f"{config.prompt_tokens}"
        )
    if not all(0 <= token < ids for token in voice.prompt):
        raise VoiceError(f"the voice's prompt has speech tokens outside 0 to {ids - 1}")


def check_length(kind: str, ids: int, positions: int) -> None:
    """Refuse more text or speech ids than a model has learned positions for.

    Raises:
        GenerationError: there are more.
    """
    if ids > positions:
        raise GenerationError(
            f"{ids} {kind} ids are more than the {positions} that the model has positions for; "
            f"speak a shorter text"
        )


def instruct(text: Sequence[int], instruction: Sequence[int], end_of_prompt: int) -> list[Segment]:
    """Speak ``text`` in the way the instruction says.

    The end mark is added where the instruction lacks it: without it the model reads the instruction
    aloud.
    """
    mark = [] if instruction and instruction[-1] == end_of_prompt else [end_of_prompt]
    return cross_lingual([*instruction, *mark, *text])


@dataclass(frozen=True, slots=True, kw_only=True)
class MixRatio:
    """How many text ids and speech ids alternate in a bi-stream sequence."""

    text: int = 5  # cosyvoice2.yaml: mix_ratio
    speech: int = 15  # cosyvoice2.yaml: mix_ratio

    def __post_init__(self) -> None:
        if self.text < 1 or self.speech < 1:
            raise ConfigError(
                f"a mix of {self.text} text ids and {self.speech} speech ids is not possible; "
                f"both must be at least 1"
            )

    def suits(self, text: Sequence[int], speech: Sequence[int]) -> bool:
        """Whether an utterance has so much speech that every block of text finds its share."""
        return len(speech) * self.text > len(text) * self.speech


MIX = MixRatio()


@dataclass(frozen=True, slots=True)
class TrainingSequence:
    """A sequence to read and, for each of its positions, the id to predict."""

    segments: tuple[Segment, ...]
    targets: tuple[int, ...]


def uni_stream(
    text: Sequence[int],
    speech: Sequence[int],
    vocabulary: SpeechVocabulary,
    lead: Sequence[int] = (),
) -> TrainingSequence:
    """All text, then all speech, then the end; ``lead`` is text that is read before."""
    words = [*lead, *text]
    segments = (START_SEGMENT, text_segment(words), TASK_SEGMENT, speech_segment(speech))
    silent = [IGNORED] * (1 + len(words))
    return TrainingSequence(segments, (*silent, *speech, vocabulary.end))


def bi_stream(
    text: Sequence[int],
    speech: Sequence[int],
    vocabulary: SpeechVocabulary,
    mix: MixRatio = MIX,
    lead: Sequence[int] = (),
) -> TrainingSequence:
    """Blocks of text and speech in turn, each ended by a fill mark; the rest as in ``uni_stream``.

    The last text id of a block already predicts the block's first speech id; the block's last
    speech id predicts the fill mark, which itself is never read.

    Raises:
        ConfigError: there is too little speech for the text.
    """
    if not mix.suits(text, speech):
        raise ConfigError(
            f"{len(text)} text ids with {len(speech)} speech ids cannot be mixed "
            f"{mix.text}:{mix.speech}; use uni_stream for utterances with so little speech"
        )
    segments, targets = [START_SEGMENT], [IGNORED] * (1 + len(lead))
    if lead:
        segments.append(text_segment(lead))
    blocks = len(text) // mix.text
    for block in range(blocks):
        words = text[block * mix.text : (block + 1) * mix.text]
        sounds = speech[block * mix.speech : (block + 1) * mix.speech]
        segments += [text_segment(words), speech_segment(sounds)]
        targets += [*[IGNORED] * (mix.text - 1), *sounds, vocabulary.fill]
    words, sounds = text[blocks * mix.text :], speech[blocks * mix.speech :]
    segments += [text_segment(words), TASK_SEGMENT, speech_segment(sounds)]
    targets += [*[IGNORED] * len(words), *sounds, vocabulary.end]
    return TrainingSequence(tuple(segments), tuple(targets))


def is_bi_stream(
    text: Sequence[int], speech: Sequence[int], draw: float, mix: MixRatio = MIX
) -> bool:
    """Whether a number drawn from [0, 1) lays an utterance out bi-stream."""
    return draw < BI_STREAM_SHARE and mix.suits(text, speech)


def training_sequence(
    text: Sequence[int],
    speech: Sequence[int],
    vocabulary: SpeechVocabulary,
    draw: float,
    mix: MixRatio = MIX,
    lead: Sequence[int] = (),
) -> TrainingSequence:
    """CosyVoice 2's mixture: bi-stream for half of the utterances that have speech enough.

    Args:
        draw: a number from [0, 1) drawn by the caller (``is_bi_stream``). Teacher and student must
            be given the same one, or better the same sequence.
        lead: text that is read before all else, and in one piece: CosyVoice 3's instruction.
    """
    if is_bi_stream(text, speech, draw, mix):
        return bi_stream(text, speech, vocabulary, mix, lead)
    return uni_stream(text, speech, vocabulary, lead)
