"""The synthetic corpus: complete shards are kept, plans repeat themselves, bad voices are named."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mamtra.cli.main import main
from mamtra.corpus.synthetic import hibari, synthesize
from mamtra.corpus.synthetic.manifest import Corpus
from mamtra.corpus.synthetic.spoken import Speaking, Spoken
from mamtra.corpus.synthetic.synthesize import plan_shards, synthesiser_for
from mamtra.errors import CorpusError, MissingExtraError

TEXT = "Don't worry, we can come at eight."
PHONES = ["pau", "ax", "pau"]


class Toy(Speaking):
    """Says every sentence as noise that its text decides."""

    rate_hz = 24_000

    def say(self, text: str) -> Spoken | None:
        if text == "Mute.":
            return None
        noise = np.random.default_rng(len(text)).integers(-999, 999, 4800, dtype=np.int16)
        return Spoken(samples=noise, words=[], phones=PHONES, pitch=np.ones(10))

    def identity(self) -> dict[str, str]:
        return {"package": "toy"}


def test_every_sentence_of_a_plan_is_in_one_split() -> None:
    texts = [f"Sentence {n}." for n in range(1200)]
    plans = plan_shards(texts, ["Held out."], {"heart": 1200, "am_adam": 700}, validation=100)
    by_split = {
        split: {text for plan in plans if plan.split == split for text in plan.sentences}
        for split in ("train", "validation", "test")
    }
    assert by_split["validation"] == set(texts[:100])
    assert by_split["train"] == set(texts[100:])
    assert by_split["test"] == {"Held out."}
    assert len({plan.name for plan in plans}) == len(plans)


def test_unknown_voices_are_answered_with_the_known_ones() -> None:
    with pytest.raises(CorpusError, match="heart, af_heart"):
        synthesiser_for("nobody")


def test_a_missing_synthesiser_is_named_with_its_install_line(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "hibari", None)
    hibari.reader.cache_clear()
    with pytest.raises(MissingExtraError, match="pip install hibari-tts"):
        synthesiser_for("heart")


def test_a_badly_counted_voice_ends_with_the_code_of_corpora(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["corpus", "synthesize", "-o", str(tmp_path / "c"), "--voice", "heart"])
    assert ended.value.code == 8
    assert "NAME=COUNT" in capsys.readouterr().err


def test_a_second_run_speaks_only_what_is_missing(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(synthesize, "synthesiser_for", lambda voice, shortest: Toy())
    monkeypatch.setattr(synthesize, "ProcessPoolExecutor", ThreadPoolExecutor)
    plans = plan_shards([TEXT, "Mute.", "Yes."], ["No."], {"toy": 2}, validation=1)
    assert sum(synthesize.synthesize(tmp_path, plans, 1)) == pytest.approx(3 * 0.2)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "toy-test-0000.jsonl").unlink()
    assert len(list(synthesize.synthesize(tmp_path, plans, 1))) == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    corpus = Corpus.open(tmp_path)
    assert corpus.voices == ("toy",)
    assert [one.text for one in corpus.choose("train")] == ["Yes."]


@pytest.mark.parametrize(
    ("texts", "size", "message"),
    [
        ([f"Other {n}." for n in range(40)], 20, "holds other sentences"),
        ([f"Text {n}." for n in range(40)], 15, "holds other sentences"),
        ([f"Text {n}." for n in range(60)], 40, r"ends after 20 of 40 sentences"),
    ],
)
def test_other_sentences_are_not_mixed_into_a_corpus(
    tmp_path, monkeypatch, texts, size, message
) -> None:
    monkeypatch.setattr(synthesize, "synthesiser_for", lambda voice, shortest: Toy())
    monkeypatch.setattr(synthesize, "ProcessPoolExecutor", ThreadPoolExecutor)

    def speak(texts: list[str], size: int) -> list[float]:
        plans = plan_shards(texts, [], {"toy": 99}, validation=0, shard_sentences=size)
        return list(synthesize.synthesize(tmp_path, plans, 1))

    given = [f"Text {n}." for n in range(40)]
    assert len(speak(given, 20)) == 2
    assert speak(given, 20) == []
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CorpusError, match=message):
        speak(texts, size)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_shard_of_which_nothing_is_heard_is_empty(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(synthesize, "synthesiser_for", lambda voice, shortest: Toy())
    (plan,) = plan_shards(["Mute."], [], {"toy": 1}, validation=0)
    assert synthesize.speak_shard(tmp_path, plan) == 0
    assert Corpus.open(tmp_path).utterances == []


def test_other_shortest_vowels_are_not_mixed_into_a_corpus(tmp_path, monkeypatch) -> None:
    class Told(Toy):
        def __init__(self, voice: str, shortest: int) -> None:
            self.shortest = shortest

        def identity(self) -> dict[str, str]:
            return {"package": "toy", "shortest_vowel_ms": str(self.shortest)}

    monkeypatch.setattr(synthesize, "synthesiser_for", Told)
    monkeypatch.setattr(synthesize, "ProcessPoolExecutor", ThreadPoolExecutor)
    plans = plan_shards([TEXT, "Yes."], [], {"toy": 2}, validation=1)
    assert len(list(synthesize.synthesize(tmp_path, plans, 1, 50))) == 2
    assert list(synthesize.synthesize(tmp_path, plans, 1, 50)) == []
    told = r"toy last 50 ms at least, and 25 .* --shortest-vowel 50"
    with pytest.raises(CorpusError, match=told):
        list(synthesize.synthesize(tmp_path, plans, 1))


@pytest.mark.parametrize(
    ("voice", "shortest", "message"),
    [("heart", 30, "a multiple of 25"), ("heart", 0, "a multiple of 25"),
     ("am_michael", 50, "for heart alone")],
)  # fmt: skip
def test_shortest_vowels_that_cannot_be_are_refused(voice, shortest, message) -> None:
    with pytest.raises(CorpusError, match=message):
        synthesiser_for(voice, shortest)


def test_a_network_gets_an_input_below_which_a_value_does_not_fall(tmp_path) -> None:
    onnx = pytest.importorskip("onnx")
    value, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    nodes = [
        onnx.helper.make_node("Round", ["a"], ["durations"]),
        onnx.helper.make_node("Neg", ["durations"], ["b"]),
    ]
    graph = onnx.helper.make_graph(nodes, "toy", [value("a", kind, [3])], [value("b", kind, [3])])
    opset = [onnx.helper.make_opsetid("", 17)]
    path = tmp_path / "toy.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    lengths = np.array([1.2, 3.1, 0.9], np.float32)
    session = hibari.session_with(path, "durations", least=True)
    given = {"a": lengths, hibari.LEAST: np.array([1, 2, 2], np.float32)}
    b, durations = session.run(None, given)
    assert durations.tolist() == [1, 3, 2]
    assert b.tolist() == [-1, -3, -2]  # what follows computes with them
    assert hibari.session_with(path, "durations").run(None, {"a": lengths})[1].tolist() == [1, 3, 1]


def test_voices_of_two_rates_cannot_share_a_corpus(tmp_path, monkeypatch) -> None:
    slow = Toy()
    slow.rate_hz = 16_000
    known = {"toy": Toy(), "slow": slow}
    monkeypatch.setattr(synthesize, "synthesiser_for", lambda voice, shortest: known[voice])
    plans = plan_shards([TEXT, "Yes."], [], {"toy": 1, "slow": 1}, validation=0)
    with pytest.raises(CorpusError, match="16000 and 24000 Hz"):
        list(synthesize.synthesize(tmp_path, plans, 1))
