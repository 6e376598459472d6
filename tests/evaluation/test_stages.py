"""The stages of a real chain, with a tiny model of random weights and a fake source."""

from pathlib import Path

import numpy as np
import pytest
from tiny_model import EAGER_TO_END

import mamtra
from mamtra.corpus.synthetic.spoken import Speaking
from mamtra.errors import MissingExtraError
from mamtra.evaluation import stages
from mamtra.evaluation.clip import Clip, fault
from mamtra.evaluation.stages import STAGES, Chain
from mamtra.evaluation.systems import fingerprint_of_model
from mamtra.synthesis.synthesizer import Synthesizer

TEXT = "Hello there."


class Whistle(Speaking):
    """A source that whistles one second and a bit, whatever the text."""

    rate_hz = 16_000

    def __init__(self) -> None:
        self.asked = 0

    def say(self, text: str) -> None:
        raise NotImplementedError

    def identity(self) -> dict[str, str]:
        raise NotImplementedError

    def speak(self, text: str) -> np.ndarray:
        self.asked += 1
        return 0.3 * np.sin(np.arange(16_777, dtype=np.float32) / 5)


@pytest.fixture(scope="module")
def synthesizer(tiny_model_folder: Path) -> Synthesizer:
    return mamtra.load(tiny_model_folder)


@pytest.fixture
def chain(synthesizer: Synthesizer) -> Chain:
    return Chain(synthesizer, "low", source=Whistle())


def test_every_stage_makes_sound(chain: Chain) -> None:
    assert isinstance(chain.source, Speaking)
    clips = {name: stage(TEXT) for name, stage in chain.stages.items()}
    assert tuple(clips) == STAGES
    for clip in clips.values():
        assert clip.samples.dtype == np.float32
        assert np.isfinite(clip.samples).all()
        assert clip.rate_hz == chain.synthesizer.rate


def test_stages_after_the_source_keep_its_length_to_the_token(chain: Chain) -> None:
    whole = 16_777 // 640 * 640
    assert len(chain.sound(TEXT).samples) == 16_777
    for stage in (chain.vocode, chain.copy, chain.force):
        assert len(stage(TEXT).samples) == whole


def test_the_source_speaks_each_sentence_once(synthesizer: Synthesizer) -> None:
    source = Whistle()
    chain = Chain(synthesizer, "low", source=source)
    for stage in chain.stages.values():
        stage(TEXT)
    assert source.asked == 1
    chain.copy("Another one.")
    assert source.asked == 2


def test_the_forced_stage_tells_the_cross_entropy(chain: Chain) -> None:
    nats = chain.force(TEXT).nats
    assert nats is not None
    assert 0 < nats < 2 * EAGER_TO_END, "the tiny model is eager to end"


def test_the_speech_stage_says_what_the_synthesizer_says(chain: Chain) -> None:
    spoken = chain.synthesizer.say(TEXT, "low", seed=0)
    clip = chain.speech(TEXT)
    np.testing.assert_array_equal(clip.samples, spoken.samples)
    assert clip.stop == spoken.stop_reason
    assert clip.took_seconds > 0


def test_a_voice_nobody_knows_a_source_of_still_speaks(synthesizer: Synthesizer) -> None:
    chain = Chain(synthesizer, "high")
    assert list(chain.stages) == ["speech"]
    assert "high" in chain.missing


def test_a_missing_synthesiser_is_named_with_its_install_line(
    synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(voice: str) -> Speaking:
        raise MissingExtraError("no hibari; run: pip install hibari-tts")

    monkeypatch.setattr(stages, "find_source", absent)
    chain = Chain(synthesizer, "low")
    assert list(chain.stages) == ["speech"]
    assert chain.missing.endswith("pip install hibari-tts")


@pytest.mark.parametrize(
    ("seconds", "level", "stop", "expected"),
    [
        (2.0, 0.2, "end", ""),
        (2.0, 0.2, "budget", "budget"),
        (0.3, 0.2, "end", "too short"),
        (9.0, 0.2, "end", "too long"),
        (2.0, 0.0, "end", "silent"),
        (2.0, np.nan, "end", "not finite"),
    ],
)
def test_a_clip_is_degenerate_for_a_reason(
    seconds: float, level: float, stop: str, expected: str
) -> None:
    samples = np.full(round(16_000 * seconds), level, np.float32)
    clip = Clip(samples=samples, rate_hz=16_000, stop=stop)
    assert fault(clip, "The old man told us a story.") == expected


def test_another_model_has_another_fingerprint(
    tiny_model_folder: Path, synthesizer: Synthesizer, tmp_path: Path
) -> None:
    import shutil

    copied = shutil.copytree(tiny_model_folder, tmp_path / "copied")
    before = fingerprint_of_model(synthesizer.folder)
    assert fingerprint_of_model(mamtra.load(copied).folder) == before
    damaged = copied / "decoder.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\x01")
    assert fingerprint_of_model(mamtra.load(copied).folder) != before
