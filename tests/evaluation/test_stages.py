"""The stages of a real chain, with a tiny model of random weights and a fake source."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_model import EAGER_TO_END

import mamtra
from mamtra.atomic import write_json
from mamtra.cli.evaluate_intelligibility import stages_of
from mamtra.corpus.synthetic.spoken import Speaking
from mamtra.errors import ConfigError, MissingExtraError
from mamtra.evaluation import stages
from mamtra.evaluation.clip import Clip, fault
from mamtra.evaluation.stages import STAGES, Chain
from mamtra.evaluation.systems import SpeakingModel, fingerprint_of_model
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
        return {"package": "whistle"}

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


def test_a_voice_of_the_same_name_with_another_sound_is_another_system(
    synthesizer: Synthesizer, tmp_path: Path
) -> None:
    path, low = tmp_path / "anna.safetensors", synthesizer.voice("low")

    def fingerprint() -> str:
        return SpeakingModel(synthesizer, str(path)).fingerprint

    replace(low, name="anna").save(path)
    first = fingerprint()
    assert fingerprint() == first
    replace(low, name="anna", speaker=low.speaker + 1).save(path)
    assert fingerprint() != first


def test_other_pronunciations_are_another_system(tiny_model_folder: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(tiny_model_folder, tmp_path / "copied")
    values = json.loads((copied / "config.json").read_text())
    text = values["text"] | {"pronunciations": "words.txt"}
    write_json(copied / "config.json", values | {"text": text})
    found = set()
    for phones in ("hh ax l ow", "hh eh l ow"):
        (copied / "words.txt").write_text(f"hello\t{phones}\n")
        found.add(SpeakingModel(mamtra.load(copied)).fingerprint)
    assert len(found) == 2


@pytest.mark.parametrize("stage", ["vocoder", "copy", "forced"])
def test_a_stage_does_not_count_the_time_of_its_source(
    synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    clock = [0.0]

    class Slow(Whistle):
        def speak(self, text: str) -> np.ndarray:
            clock[0] += 1000
            return super().speak(text)

    monkeypatch.setattr(stages.time, "perf_counter", lambda: clock[0])
    chain = Chain(synthesizer, "low", source=Slow())
    assert chain.stages[stage](TEXT).took_seconds == 0


def test_stages_of_another_voice_or_source_are_other_clips(synthesizer: Synthesizer) -> None:
    class Other(Whistle):
        def identity(self) -> dict[str, str]:
            return {"package": "whistle", "version": "2"}

    def keys(voice: str, source: Speaking) -> dict[str, str]:
        systems = Chain(synthesizer, voice, source=source).systems()
        assert {one.weights for one in systems} == {fingerprint_of_model(synthesizer.folder)}
        return {one.name.partition("/")[2]: one.fingerprint for one in systems}

    first, other = keys("low", Whistle()), keys("low", Other())
    assert keys("low", Whistle()) == first
    assert {name for name in first if first[name] == other[name]} == {"speech"}
    assert not set(keys("high", Whistle()).values()) & set(first.values())


def test_a_stage_without_its_source_is_refused(
    synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "find_source", lambda _: Whistle())
    whole = Chain(synthesizer, "low")
    assert len(stages_of([whole], ["copy"])[0]) == 1
    lonely = Chain(synthesizer, "low")
    lonely.source, lonely.missing = None, "no hibari"
    with pytest.raises(ConfigError, match=r"stage 'copy' of the voice 'low' needs .*: no hibari"):
        stages_of([lonely], ["speech", "copy"])


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


@pytest.mark.parametrize(
    ("text", "seconds"), [("今天天气很好我们去公园散步吧", 4.2), ("1,250,000", 3.0), ("B2", 1.5)]
)
def test_a_text_of_figures_or_of_syllables_may_take_longer(text: str, seconds: float) -> None:
    draw = np.random.default_rng(0)
    samples = draw.normal(0, 0.1, round(16_000 * seconds)).astype(np.float32)
    assert fault(Clip(samples=samples, rate_hz=16_000), text) == ""
    assert fault(Clip(samples=np.tile(samples, 6), rate_hz=16_000), text) == "too long"


def test_another_model_has_another_fingerprint(
    tiny_model_folder: Path, synthesizer: Synthesizer, tmp_path: Path
) -> None:
    copied = shutil.copytree(tiny_model_folder, tmp_path / "copied")
    before = fingerprint_of_model(synthesizer.folder)
    assert fingerprint_of_model(mamtra.load(copied).folder) == before
    damaged = copied / "decoder.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\x01")
    assert fingerprint_of_model(mamtra.load(copied).folder) != before
