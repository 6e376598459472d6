"""What the language model reads in each mode, and which mode is chosen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mamtra.errors import ConfigError, ModelError, VoiceError
from mamtra.speech_lm.prompt import START_SEGMENT, TASK_SEGMENT, speech_segment, text_segment
from mamtra.synthesis.conditioning import Conditioning, conditioning_of
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.text_reader import LettersReader, TextConfig
from mamtra.voice.voice import Voice

MARK = 99


class MarkedReader(LettersReader):
    """Letters with a mark that ends an instruction."""

    end_of_prompt = MARK


VOICE = Voice(
    name="anna",
    speaker=np.ones(8, np.float32),
    tokens=np.arange(3),
    mel=np.ones((80, 6), np.float32),
    text="I paid $5",
)
READER = MarkedReader(TextConfig(), Path())
PROMPT = tuple(READER.tokenizer.encode("I paid five dollars"))


def conditioning(
    mode: str | None = None,
    instruction: str | None = None,
    voice: Voice = VOICE,
    reads_prompts: bool = True,
    spoken: bool = True,
) -> Conditioning:
    options = SpeakOptions(mode=mode, instruct=instruction, normalize=spoken)
    return conditioning_of(READER, voice, options, model="m", reads_prompts=reads_prompts)


def test_zero_shot_reads_the_prompts_words_and_speech() -> None:
    request = conditioning("zero-shot").request([1, 2], seed=7)
    assert request.segments == (
        START_SEGMENT,
        text_segment([*PROMPT, 1, 2]),
        TASK_SEGMENT,
        speech_segment([0, 1, 2]),
    )
    assert (request.text_tokens, request.seed) == (2, 7)


def test_cross_lingual_reads_the_text_alone() -> None:
    request = conditioning("cross-lingual").request([1, 2], seed=0)
    assert request.segments == (START_SEGMENT, text_segment([1, 2]), TASK_SEGMENT)


@pytest.mark.parametrize("written", ["speak low", "speak low<|endofprompt|>"])
def test_instruct_reads_the_instruction_and_one_mark(written: str) -> None:
    words = READER.tokenizer.encode("speak low")
    request = conditioning(instruction=written).request([1, 2], seed=0)
    assert request.segments == (START_SEGMENT, text_segment([*words, MARK, 1, 2]), TASK_SEGMENT)
    assert request.text_tokens == 2


def test_the_best_mode_that_model_and_voice_allow_is_the_default() -> None:
    assert conditioning().mode == "zero-shot"
    assert conditioning(reads_prompts=False).mode == "cross-lingual"
    assert conditioning(voice=replace(VOICE, text="")).mode == "cross-lingual"
    assert conditioning(instruction="speak low").mode == "instruct"


@pytest.mark.parametrize(
    ("mode", "instruction", "reason"),
    [
        ("whisper", None, "possible are zero-shot, cross-lingual, instruct"),
        ("instruct", None, "needs an instruction"),
        ("instruct", "  ", "needs an instruction"),
        ("zero-shot", "speak low", "does not go with mode 'zero-shot'"),
        (None, "<|endofprompt|>", "the instruction is empty"),
    ],
)
def test_contradictions_are_refused(mode: str | None, instruction: str | None, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        conditioning(mode, instruction)


def test_what_model_or_voice_lack_is_told() -> None:
    with pytest.raises(ModelError, match="'m' was not trained to go on from a prompt"):
        conditioning("zero-shot", reads_prompts=False)
    with pytest.raises(VoiceError, match="'anna' lacks the words of its prompt"):
        conditioning("zero-shot", voice=replace(VOICE, text=" "))
    empty = replace(VOICE, tokens=np.zeros(0, np.int64), mel=np.ones((80, 0), np.float32))
    with pytest.raises(VoiceError, match="'anna' lacks a prompt"):
        conditioning("zero-shot", voice=empty)
    with pytest.raises(ModelError, match=r"'m' cannot follow instructions .*endofprompt"):
        conditioning_of(
            LettersReader(TextConfig(), Path()),
            VOICE,
            SpeakOptions(instruct="low"),
            model="m",
            reads_prompts=False,
        )


def test_the_prompts_words_may_stay_as_they_are() -> None:
    voice = replace(VOICE, text="I paid five dollars")
    assert conditioning("zero-shot", voice=voice, spoken=False).text == PROMPT
