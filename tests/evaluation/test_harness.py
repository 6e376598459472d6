"""A run over lines: judged once, resumable, honest about what failed."""

import random
from pathlib import Path

import numpy as np
import pytest

from mamtra.audio.clip import Audio, write
from mamtra.errors import ConfigError, CorpusError, GenerationError, MissingExtraError
from mamtra.evaluation.clip import Clip, fault
from mamtra.evaluation.harness import Judged, Judges, judged_lines
from mamtra.evaluation.judges.judge import Hearing, Identity, Quality, Similarity
from mamtra.evaluation.line_set import Line, LineSet, plain_set
from mamtra.evaluation.report import difference_notes, flawless_notes
from mamtra.evaluation.run_folder import RunFolder
from mamtra.evaluation.scores import check_lines, loops, score
from mamtra.evaluation.systems import Recordings, file_of_each_line
from mamtra.evaluation.text_rules import PROFILES
from mamtra.evaluation.word_errors import plain_words

pytest.importorskip("jiwer")

TEXTS = ["The cat sat on the mat.", "Nine dogs ran.", "It's late."]
LINES = plain_set("three", TEXTS)
RATE = 16_000


def tone(text: str, number: int) -> np.ndarray:
    """A clip that carries the number of its sentence as its level."""
    return np.full(RATE * len(text) // 12, (number + 1) / 10, np.float32)


class Voice:
    """A system that says the sentence so many places after the one that it should."""

    def __init__(self, name: str = "good", shift: int = 0, fails: tuple[str, ...] = ()) -> None:
        self.name, self.fingerprint, self.shift, self.fails = name, name, shift, fails
        self.said: list[str] = []

    def speak(self, line: Line, run: int) -> Clip:
        self.said.append(line.text)
        if line.text in self.fails:
            raise GenerationError("it stuck")
        samples = tone(line.text, (TEXTS.index(line.text) + self.shift) % len(TEXTS))
        return Clip(samples=samples, rate_hz=RATE, took_seconds=0.5, attempts=1 + self.shift)


class Ear:
    """Knows the sentence from the level of the sound, rates it and compares it."""

    def __init__(self, name: str = "ear") -> None:
        self.identity = Identity(name=name, package="none", version="1")
        self.heard = 0

    def hear(self, samples: np.ndarray, rate_hz: int) -> str:
        self.heard += 1
        return TEXTS[round(float(samples[0]) * 10) - 1]

    def quality(self, samples: np.ndarray, rate_hz: int) -> float:
        return 4.0 + float(samples[0])

    def likeness(self, samples: np.ndarray, rate: int, other: np.ndarray, rate_2: int) -> float:
        return 1 - abs(float(samples[0]) - float(other[0]))


def run(folder: Path, *systems: Voice | Recordings, ear: Ear | None = None, runs: int = 1) -> list:
    judges = Judges(hearing=[ear or Ear()])
    return list(judged_lines(LINES.lines, systems, judges, RunFolder(folder), runs))


def figures(judged: list[Judged], **baselines: str) -> dict:
    return score(judged, PROFILES["spoken"], baselines=baselines)


def test_a_perfect_voice_has_no_wrong_words_and_a_confused_one_has(tmp_path: Path) -> None:
    told = figures(run(tmp_path, Voice(), Voice("bad", shift=1)), bad="good", good="good")
    assert told["good"]["heard"]["ear"]["wer"]["all words"]["value"] == 0
    assert told["good"]["heard"]["ear"]["right_percent"] == 100
    assert "against" not in told["good"]
    bad = told["bad"]["heard"]["ear"]["wer"]
    assert bad["all words"]["value"] > 90
    apart = told["bad"]["against"]["ear"]
    assert apart["all words"]["interval"]["value"] == bad["all words"]["value"]
    assert (apart["all words"]["better"], apart["all words"]["worse"]) == (0, 3)
    assert told["bad"]["retried_percent"] == 100
    assert told["bad"]["times_real_time"] == pytest.approx(told["bad"]["seconds"] / 1.5, abs=0.01)


def test_no_wrong_word_in_a_few_lines_is_not_said_to_be_certain(tmp_path: Path) -> None:
    told = figures(run(tmp_path, Voice(), Voice("bad", shift=1)))
    (note,) = flawless_notes(told)
    # 1 - 0.05 ** (1 / 3)
    assert note.startswith("good (ear): no wrong word in 3 lines; ")
    assert "up to 63.2 % of such lines may hold one" in note


def test_both_means_are_those_computed_by_hand(tmp_path: Path) -> None:
    class Half(Ear):
        def hear(self, samples: np.ndarray, rate_hz: int) -> str:
            return {0: "the cat sat on the", 1: "nine dogs ran", 2: "late"}[
                TEXTS.index(super().hear(samples, rate_hz))
            ]

    told = figures(run(tmp_path, Voice(), ear=Half()))["good"]["heard"]["ear"]
    # wrong 1 of 6, 0 of 3, 1 of 2
    assert told["wer"]["all words"]["value"] == pytest.approx(100 * 2 / 11, abs=0.01)
    assert told["wer"]["mean of utterances"]["value"] == pytest.approx(
        100 * (1 / 6 + 1 / 2) / 3, abs=0.01
    )
    assert told["dropped_percent"]["value"] == pytest.approx(100 * 2 / 11, abs=0.01)
    assert told["substitutions_percent"] == told["insertions_percent"] == 0
    # characters: "mat" of 17, none of 11, "it's" of 8
    assert told["cer"]["all characters"]["value"] == pytest.approx(100 * 7 / 36, abs=0.01)
    assert told["cer"]["mean of utterances"]["value"] == pytest.approx(
        100 * (3 / 17 + 4 / 8) / 3, abs=0.01
    )


def test_what_fails_counts_as_all_words_dropped_and_is_listed(tmp_path: Path) -> None:
    told = figures(run(tmp_path, Voice(fails=(TEXTS[1],))))["good"]
    assert told["heard"]["ear"]["wer"]["all words"]["value"] == pytest.approx(
        100 * 3 / 11, abs=0.01
    )
    assert told["failed"] == [{"line": "0002", "run": 0, "why": "it stuck"}]
    assert told["utterances"] == 3
    assert told["degenerate_percent"] == pytest.approx(33.33)


def test_finished_lines_are_neither_said_nor_heard_again(tmp_path: Path) -> None:
    first = run(tmp_path, Voice())
    again, ear = Voice(), Ear()
    assert run(tmp_path, again, ear=ear) == first
    assert (again.said, ear.heard) == ([], 0)


def test_another_judge_hears_what_was_said_before(tmp_path: Path) -> None:
    run(tmp_path, Voice())
    again, ear = Voice(), Ear("second")
    run(tmp_path, again, ear=ear)
    assert (again.said, ear.heard) == ([], 3)


def test_other_weights_are_said_anew(tmp_path: Path) -> None:
    run(tmp_path, Voice())
    other = Voice()
    other.fingerprint = "trained on"
    run(tmp_path, other)
    assert other.said == TEXTS


def test_a_sound_that_was_changed_is_said_and_heard_again(tmp_path: Path) -> None:
    run(tmp_path, Voice())
    (path,) = tmp_path.rglob("0002.wav")
    write(path, Audio(samples=tone(TEXTS[0], 0), rate_hz=RATE))
    voice = Voice()
    assert figures(run(tmp_path, voice))["good"]["heard"]["ear"]["right_percent"] == 100
    assert voice.said == [TEXTS[1]]


def test_each_run_has_its_own_clip_and_lines_are_averaged(tmp_path: Path) -> None:
    judged = run(tmp_path, Voice(), runs=3)
    assert len({one.said.key for one in judged}) == 9
    told = figures(judged)["good"]
    assert (told["utterances"], told["runs"], told["words"]) == (3, 3, 11)


def test_a_run_killed_anywhere_ends_with_the_same_figures(tmp_path: Path) -> None:
    whole = figures(run(tmp_path / "whole", Voice(), Voice("bad", shift=1)))
    draw = random.Random(0)
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        run(folder, Voice(), Voice("bad", shift=1))
        for path in (folder / "said.jsonl", folder / "judged.jsonl"):
            content = path.read_bytes()
            path.write_bytes(content[: draw.randrange(len(content))])
        assert figures(run(folder, Voice(), Voice("bad", shift=1))) == whole


def test_processes_that_share_a_folder_see_each_others_rows(tmp_path: Path) -> None:
    voice, judges = Voice(), Judges(hearing=[Ear()])
    for part in range(3):
        folder = RunFolder(tmp_path, f"{part + 1}of3")
        assert len(list(judged_lines(LINES.lines[part::3], [voice], judges, folder))) == 1
    assert len(voice.said) == 3
    assert figures(run(tmp_path, voice))["good"]["utterances"] == 3
    assert len(voice.said) == 3


def test_a_folder_that_cannot_be_written_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match="cannot keep results"):
        RunFolder(tmp_path / "file" / "folder")


def test_a_line_without_words_is_refused() -> None:
    with pytest.raises(CorpusError, match=r"'\.\.\.' has no words"):
        check_lines(plain_set("two", ["Fine.", "..."]).lines, plain_words)


def test_an_ear_may_have_every_protocol_and_is_sorted_by_them(tmp_path: Path) -> None:
    ear = Ear()
    assert isinstance(ear, Hearing)
    assert isinstance(ear, Quality)
    assert isinstance(ear, Similarity)
    assert Judges.of([ear]).all == [ear] * 3


def test_naturalness_and_likeness_are_rated(tmp_path: Path) -> None:
    write(tmp_path / "same.wav", Audio(samples=tone(TEXTS[0], 0), rate_hz=RATE))
    judges = Judges(
        hearing=[Ear()],
        quality=[Ear("nice")],
        similarity=[Ear("alike")],
        reference=tmp_path / "same.wav",
    )
    folder = RunFolder(tmp_path / "run")
    told = figures(list(judged_lines(LINES.lines, [Voice()], judges, folder)))["good"]["rated"]
    assert told["nice"]["value"] == pytest.approx(4.2, abs=1e-3)
    assert told["nice"]["least"] == pytest.approx(4.1, abs=1e-3)
    assert told["alike"]["value"] == pytest.approx(0.9, abs=1e-3)


def test_ratings_are_compared_line_by_line_and_what_failed_is_not_rated(tmp_path: Path) -> None:
    judges = Judges(hearing=[Ear()], quality=[Ear("nice")])
    systems = [Voice(), Voice("bad", shift=1, fails=(TEXTS[2],))]
    told = figures(
        list(judged_lines(LINES.lines, systems, judges, RunFolder(tmp_path), 2)), bad="good"
    )
    # good is rated 4.1, 4.2 and 4.3; bad 4.2 and 4.3, and not at all
    apart = told["bad"]["ratings_against"]["nice"]
    assert apart["interval"] == {"value": 0.1, "low": 0.1, "high": 0.1}
    assert (apart["better"], apart["worse"], apart["sign_p"]) == (2, 0, 0.5)
    assert (told["good"]["rated"]["nice"]["rated"], told["bad"]["rated"]["nice"]["rated"]) == (6, 4)
    assert told["bad"]["stops"] == {"end": 4, "error": 2}
    (beside,) = (note for note in difference_notes(told, "all words") if "nice" in note)
    assert "(nice) +0.10 (+0.10 to +0.10): better in 2 and worse in 0 lines" in beside


@pytest.mark.parametrize("first", [0, 1])
def test_recordings_are_found_by_number(tmp_path: Path, first: int) -> None:
    for place, text in enumerate(TEXTS):
        write(tmp_path / f"{place + first}.wav", Audio(samples=tone(text, place), rate_hz=RATE))
    told = figures(run(tmp_path / "run", Recordings(tmp_path, LINES)))
    assert told[tmp_path.name]["heard"]["ear"]["right_percent"] == 100


def test_a_missing_recording_is_a_failure(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    for place in (0, 2):
        write(folder / f"{place + 1}.wav", Audio(samples=tone(TEXTS[place], place), rate_hz=RATE))
    told = figures(run(tmp_path / "run", Recordings(folder, LINES)))["theirs"]
    assert told["failed"] == [{"line": "0002", "run": 0, "why": "missing"}]
    write(folder / "2.wav", Audio(samples=tone(TEXTS[1], 1), rate_hz=RATE))
    assert not figures(run(tmp_path / "run", Recordings(folder, LINES)))["theirs"]["failed"]


def test_a_recording_that_was_taken_away_is_a_failure(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    for place, text in enumerate(TEXTS):
        path = folder / f"{place + 1}.wav"
        path.parent.mkdir(exist_ok=True)
        write(path, Audio(samples=tone(text, place), rate_hz=RATE))
    run(tmp_path / "run", Recordings(folder, LINES))
    (folder / "2.wav").unlink()
    told = figures(run(tmp_path / "run", Recordings(folder, LINES)))["theirs"]
    assert [one["line"] for one in told["failed"]] == ["0002"]


def test_two_files_of_one_line_are_refused(tmp_path: Path) -> None:
    sound = Audio(samples=np.ones(9, np.float32), rate_hz=RATE)
    for name in ("1.wav", "2.wav", "02.wav"):
        write(tmp_path / name, sound)
    with pytest.raises(CorpusError, match=r"holds 0?2\.wav and 0?2\.wav, which are one number"):
        file_of_each_line(tmp_path, LINES)
    write(tmp_path / "1.flac", sound)
    with pytest.raises(CorpusError, match=r"holds 1\.\w+ and 1\.\w+; leave one"):
        file_of_each_line(tmp_path, LINES)


def test_systems_judges_and_lines_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two systems are called 'good'"):
        run(tmp_path, Voice(), Voice(shift=1))
    with pytest.raises(ConfigError, match="two judges are called 'ear'"):
        Judges(hearing=[Ear(), Ear()])
    with pytest.raises(CorpusError, match="two lines of the set 'ids' have the id 'a'"):
        LineSet(name="ids", lines=(Line(id="a", text="x"), Line(id="a", text="y")))


def test_another_prompt_is_said_anew_and_a_missing_one_is_told_first(tmp_path: Path) -> None:
    path, judges = tmp_path / "prompt.wav", Judges(hearing=[Ear()], similarity=[Ear("alike")])

    def said(words: str = "") -> list[str]:
        line, voice = Line(id="1", text=TEXTS[0], prompt=path, prompt_text=words), Voice()
        list(judged_lines([line], [voice], judges, RunFolder(tmp_path / "run")))
        return voice.said

    with pytest.raises(CorpusError, match=r"1 of 1 prompts are not there, .* line '1'"):
        said()
    write(path, Audio(samples=tone("one", 1), rate_hz=RATE))
    assert (said(), said()) == ([TEXTS[0]], [])
    assert (said("Its words."), said("Its words.")) == ([TEXTS[0]], [])
    write(path, Audio(samples=tone("two", 2), rate_hz=RATE))
    assert said() == [TEXTS[0]]


def test_voices_are_not_compared_with_nobody(tmp_path: Path) -> None:
    judges = Judges(similarity=[Ear()])
    with pytest.raises(ConfigError, match="add --reference FILE"):
        list(judged_lines(LINES.lines, [Voice()], judges, RunFolder(tmp_path)))


def test_a_missing_package_is_no_failure_of_the_system(tmp_path: Path) -> None:
    class Bare(Voice):
        def speak(self, line: Line, run: int) -> Clip:
            raise MissingExtraError("no package")

    with pytest.raises(MissingExtraError):
        run(tmp_path, Bare())
    assert not RunFolder(tmp_path).said


def test_a_rating_that_is_no_number_is_none(tmp_path: Path) -> None:
    class Odd(Ear):
        def quality(self, samples: np.ndarray, rate_hz: int) -> float:
            return float("nan") if round(float(samples[0]) * 10) == 1 else 4.0

    judges = Judges(hearing=[Ear()], quality=[Odd("odd")])
    told = figures(list(judged_lines(LINES.lines, [Voice()], judges, RunFolder(tmp_path))))
    assert (told["good"]["rated"]["odd"]["value"], told["good"]["rated"]["odd"]["rated"]) == (4, 2)


def test_recordings_are_found_by_id_or_by_order(tmp_path: Path) -> None:
    for name in ("b-2", "b-10", "other"):
        write(tmp_path / f"{name}.wav", Audio(samples=np.ones(9, np.float32), rate_hz=RATE))
    named = LineSet(name="ids", lines=(Line(id="b-10", text="x"), Line(id="zz", text="y")))
    assert set(file_of_each_line(tmp_path, named)) == {"b-10"}
    ordered = file_of_each_line(tmp_path, LINES)
    assert [path.stem for path in ordered.values()] == ["b-2", "b-10", "other"]
    with pytest.raises(CorpusError, match="holds 3 sound files for 2 lines; name each"):
        file_of_each_line(tmp_path, LINES.part(2))


@pytest.mark.parametrize(
    ("words", "looped"),
    [("no no no", True), ("a b a b a b c", True), ("a b a b", False), ("very very nice", False)],
)
def test_a_loop_is_words_that_follow_each_other_three_times(words: str, looped: bool) -> None:
    assert loops(words.split()) is looped


def test_what_makes_a_clip_degenerate() -> None:
    def of(samples: np.ndarray, stop: str = "end") -> str:
        return fault(Clip(samples=samples, rate_hz=RATE, stop=stop), "I see you over there.")

    sound = np.random.default_rng(0).normal(0, 0.1, RATE * 2).astype(np.float32)
    gap = np.zeros(RATE * 17 // 10, np.float32)
    assert of(sound) == ""
    assert of(sound, "budget") == "budget"
    assert of(sound[:99]) == "too short"
    assert of(np.tile(sound, 4)) == "too long"
    assert of(sound * 0) == "silent"
    assert of(np.concatenate([sound[:4000], gap, sound[:4000]])) == "long pause"
    assert of(sound * np.nan) == "not finite"
