import json

import numpy as np
import pytest
from mini_libritts_tree import mini_libritts

from mamtra.corpus.readers import json_lines, libritts, ljspeech, synthetic
from mamtra.corpus.synthetic.manifest import Utterance, write_shard
from mamtra.errors import CorpusError


def test_libritts_gives_texts_speakers_and_splits(tmp_path):
    found = {item.id: item for item in libritts(mini_libritts(tmp_path))}
    assert len(found) == 17
    assert found["1_10_0_1"].text == "Two, naïve — 你好."
    assert (found["4_40_0_0"].speaker, found["4_40_0_0"].split) == ("4", "validation")
    assert (found["5_50_0_0"].text, found["5_50_0_0"].split) == ("Six.", "test")


def test_a_recording_without_text_has_a_problem(tmp_path):
    path = next(mini_libritts(tmp_path).glob("dev-clean/*/*/*.txt"))
    path.unlink()
    assert "no text file" in {item.id: item.problem for item in libritts(tmp_path)}["4_40_0_0"]


def test_a_folder_of_another_layout_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"no recordings in .* SUBSET/SPEAKER"):
        libritts(tmp_path)
    subset = mini_libritts(tmp_path) / "train-clean-100"
    with pytest.raises(CorpusError, match="in which the subsets lie"):
        libritts(subset)
    with pytest.raises(CorpusError, match="there is no"):
        libritts(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match=r"cannot read .*metadata.csv"):
        ljspeech(tmp_path)


def test_ljspeech_prefers_the_normalised_text(tmp_path):
    (tmp_path / "metadata.csv").write_text("a|Dr. X|Doctor X\nb|plain\nc|original|\n")
    found = ljspeech(tmp_path)
    assert [item.text for item in found] == ["Doctor X", "plain", "original"]
    assert [item.split for item in found] == ["validation", "test", "train"]
    assert found[0].path == tmp_path / "wavs" / "a.wav"


def test_one_without_text_does_not_take_the_place_of_one_with_text(tmp_path):
    (tmp_path / "metadata.csv").write_text("a|\na|Words.\na|Others.\n")
    first, second, third = ljspeech(tmp_path)
    assert (first.text, second.problem) == ("", "")
    assert third.problem.startswith("it is there twice")


def test_null_is_as_if_left_out(tmp_path):
    file = tmp_path / "a.jsonl"
    line = {"audio": "x.wav", "text": "Hi.", "speaker": None, "split": None}
    file.write_text("".join(json.dumps(line | {"audio": name}) + "\n" for name in "ab"))
    found = json_lines(file)
    assert [one.speaker for one in found] == [one.id for one in found]
    assert [one.split for one in found] == ["train"] * 2


def test_json_lines_are_relative_to_their_file(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"audio": "x/y.wav", "text": " Hi. ", "speaker": 7}) + "\n")
    (found,) = json_lines(file)
    assert (found.path, found.text, found.speaker) == (tmp_path / "x/y.wav", "Hi.", "7")


@pytest.mark.parametrize(
    "line", ["nonsense", "[]", '{"audio": "a"}', '{"audio": 1, "text": "a"}', '"text"']
)
def test_a_line_of_another_form_is_named(tmp_path, line):
    (tmp_path / "a.jsonl").write_text(f'{{"audio": "a", "text": "b"}}\n{line}\n')
    with pytest.raises(CorpusError, match="line 2"):
        json_lines(tmp_path / "a.jsonl")


def test_our_own_corpus_is_cut_from_its_arrays(tmp_path):
    spoken = Utterance(
        id="u", text="Hi.", voice="slt", split="train", shard="s", offset=2, samples=3,
        words=[], phones="",
    )  # fmt: skip
    write_shard(tmp_path, "s", [np.arange(8, dtype=np.int16) * 4096], [spoken])
    (found,) = synthetic(tmp_path)
    assert found.audio().samples.tolist() == [0.25, 0.375, 0.5]
    assert found.audio().rate_hz == 16_000
