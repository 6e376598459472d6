"""Streams of a hybrid in CosyVoice 2's form: flow, prompt, and text that arrives word by word."""

from collections.abc import Iterator

import numpy as np
import pytest
from cosyvoice_folder import write_toy_model

import mamtra
from mamtra.audio.joiner import faded
from mamtra.backbone import Layout
from mamtra.checkpoints.format import ModelFolder
from mamtra.generation.guard import GuardConfig
from mamtra.synthesis.acoustics import chunked_sound
from mamtra.synthesis.speech import Spoken
from mamtra.synthesis.stream import AudioPiece
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.transfer.convert import convert
from mamtra.voice.voice import Voice

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
pytest.importorskip("wetext")
TEXT = "Hello you, we are here."


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    """A half-Mamba student that says one speech token for each text token, or a few more."""
    folder = tmp_path_factory.mktemp("cosyvoice")
    convert(ModelFolder(write_toy_model(folder)), folder / "student", Layout.repeat(1, 1, 4))
    loaded = mamtra.load(folder / "student")
    loaded.guard = GuardConfig(min_per_text_token=2.5, max_per_text_token=2.5, attempts=1)
    return loaded


@pytest.fixture(scope="module")
def voice(student: Synthesizer) -> Voice:
    """A voice with a prompt of seven tokens, so that no chunk begins with the text."""
    sizes, random = student.model.decoder.sizes, np.random.default_rng(0)
    return Voice(
        name="prompted",
        speaker=random.standard_normal(sizes.speaker_dim).astype(np.float32),
        tokens=random.integers(0, 27, 7),
        mel=random.standard_normal((sizes.bins, 14)).astype(np.float32) - 4,
        text="So it is.",
    )


def account(pieces: list[AudioPiece]) -> Spoken:
    (spoken,) = [piece.spoken for piece in pieces if piece.spoken is not None]
    return spoken


def joined(pieces: list[AudioPiece]) -> np.ndarray:
    return np.concatenate([piece.samples for piece in pieces])


def difference(sound: np.ndarray, wanted: np.ndarray) -> float:
    """Relative; phases of random weights amplify the last bit of a mel feature a thousandfold."""
    return float(np.sqrt(np.mean((sound - wanted) ** 2) / np.mean(wanted**2)))


def words(asked: list[str]) -> Iterator[str]:
    for word in TEXT.split(" "):
        asked.append(word)
        yield f"{word} "


def test_an_imported_model_and_its_student_read_text_as_it_comes(student: Synthesizer) -> None:
    assert student.text.bistream


def test_a_whole_text_with_a_prompt_equals_the_offline_chunked_form(
    student: Synthesizer, voice: Voice
) -> None:
    pieces = list(student.stream(TEXT, voice, seed=1))
    spoken = account(pieces)
    assert len(spoken.speech_tokens) > 30
    assert sum(len(piece.samples) > 0 for piece in pieces) > 1
    offline = faded(
        chunked_sound(student.model, spoken.speech_tokens, voice.prompt, 1), student.rate
    )
    assert np.abs(offline).max() > 1e-3
    assert difference(joined(pieces), offline) < 1e-3


def test_words_are_spoken_while_they_arrive_as_the_offline_form_says_them(
    student: Synthesizer, voice: Voice
) -> None:
    asked: list[str] = []
    flow = student.stream(words(asked), voice, seed=1)
    first = next(flow)
    assert len(first.samples)
    assert len(asked) < len(TEXT.split(" "))
    pieces = [first, *flow]
    spoken = account(pieces)
    assert spoken.text == TEXT
    offline = faded(
        chunked_sound(student.model, spoken.speech_tokens, voice.prompt, 1), student.rate
    )
    assert difference(joined(pieces), offline) < 1e-3
    whole = account(list(student.stream(TEXT, voice, seed=1)))
    assert whole.speech_tokens != spoken.speech_tokens


def test_after_an_instruction_sentences_are_read_whole(student: Synthesizer, voice: Voice) -> None:
    parts = [TEXT[:9], TEXT[9:]]
    spoken = account(list(student.stream(iter(parts), voice, seed=1, instruct="Speak low.")))
    wanted = account(list(student.stream(TEXT, voice, seed=1, instruct="Speak low.")))
    assert spoken.speech_tokens == wanted.speech_tokens
