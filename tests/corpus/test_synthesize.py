"""The synthetic corpus: complete shards are kept, plans repeat themselves, bad voices are named."""

import shutil

import numpy as np
import pytest

from mamtra.cli.main import main
from mamtra.corpus.synthetic import espeak, flite
from mamtra.corpus.synthetic.manifest import Corpus
from mamtra.corpus.synthetic.spoken import PHONES
from mamtra.corpus.synthetic.synthesize import plan_shards, synthesiser_for, synthesize
from mamtra.errors import CorpusError, MissingExtraError

TEXT = "Don't worry, we can come at eight."


def installed(voice: str) -> bool:
    try:
        synthesiser_for(voice)
    except MissingExtraError:
        return False
    return True


needs_flite = pytest.mark.skipif(not installed("slt"), reason="flite is not installed")
needs_espeak = pytest.mark.skipif(not installed("espeak-f3"), reason="espeak-ng is not installed")


def test_every_sentence_of_a_plan_is_in_one_split() -> None:
    texts = [f"Sentence {n}." for n in range(1200)]
    plans = plan_shards(texts, ["Held out."], {"slt": 1200, "rms": 700}, validation=100)
    by_split = {
        split: {text for plan in plans if plan.split == split for text in plan.sentences}
        for split in ("train", "validation", "test")
    }
    assert by_split["validation"] == set(texts[:100])
    assert by_split["train"] == set(texts[100:])
    assert by_split["test"] == {"Held out."}
    assert len({plan.name for plan in plans}) == len(plans)


def test_unknown_voices_are_named() -> None:
    with pytest.raises(CorpusError, match="espeak-f1"):
        synthesiser_for("nobody")
    with pytest.raises(CorpusError, match="slt, rms"):
        flite.Flite("nobody")


def test_a_missing_synthesiser_is_named_with_its_install_line(monkeypatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingExtraError, match="apt-get install espeak-ng"):
        espeak.Espeak("espeak-f3")


def test_a_badly_counted_voice_ends_with_the_code_of_corpora(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["corpus", "synthesize", "-o", str(tmp_path / "c"), "--voice", "rms"])
    assert ended.value.code == 8
    assert "NAME=COUNT" in capsys.readouterr().err


@needs_flite
def test_flite_tells_the_phones_of_every_word() -> None:
    spoken = flite.Flite("slt").say(TEXT)
    assert spoken.words[0] == ("Don't", ["d", "ow", "n", "t"])
    assert [word for word, _ in spoken.words] == TEXT.rstrip(".").replace(",", "").split()
    assert set(spoken.phones) <= set(PHONES)
    assert 1.0 < len(spoken.samples) / flite.RATE_HZ < 4.0


@needs_flite
@needs_espeak
def test_espeak_speaks_with_several_voices() -> None:
    clips = [espeak.Espeak(voice).say(TEXT).samples for voice in ("espeak-f3", "espeak-m3")]
    assert all(1.0 < len(clip) / flite.RATE_HZ < 5.0 for clip in clips)
    assert all(np.abs(clip).max() > 1000 for clip in clips)
    assert len(clips[0]) != len(clips[1]) or not np.array_equal(*clips)


@needs_flite
def test_a_second_run_speaks_only_what_is_missing(tmp_path) -> None:
    plans = plan_shards([TEXT, "Yes."], ["No."], {"slt": 1}, validation=1)
    assert sum(synthesize(tmp_path, plans, 1)) > 16_000
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "slt-test-0000.jsonl").unlink()
    assert len(list(synthesize(tmp_path, plans, 1))) == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    assert Corpus.open(tmp_path).voices == ("slt",)
