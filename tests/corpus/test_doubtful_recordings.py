"""What ``prepare`` refuses of recordings that can be read: gaps, repetitions, texts of others."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mamtra.audio.clip import Audio, write
from mamtra.corpus.plausible import unlikely_text
from mamtra.corpus.prepare import PrepareConfig, Task, hear, longest_silence, prepare
from mamtra.corpus.readers import Recording, json_lines, ljspeech
from mamtra.corpus.shards import Prepared, ShardWriter, write_index
from mamtra.corpus.validate import validate

RATE_HZ = 16_000


def encoder(audio: Audio) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(int(audio.seconds * 25), dtype=torch.int64), torch.zeros(4)


def recording(
    folder: Path, samples: np.ndarray, text: str = "We walked along the river."
) -> Recording:
    path = write(folder / "a.wav", Audio(samples=samples.astype(np.float32), rate_hz=RATE_HZ))
    return Recording(id="a", text=text, speaker="s", split="train", path=path)


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, round(seconds * RATE_HZ))


@pytest.mark.parametrize(("gap", "refused"), [(2.5, False), (3.5, True)])
def test_a_long_gap_is_refused(tmp_path: Path, gap: float, refused: bool) -> None:
    samples = np.concatenate([noise(2), np.zeros(round(gap * RATE_HZ)), noise(2)])
    found = hear(recording(tmp_path, samples), encoder, PrepareConfig())
    assert (
        (found == "3.5 s in it are silent, more than 3")
        if refused
        else (isinstance(found, Prepared))
    )


def test_silence_is_measured_at_the_ends_too() -> None:
    samples = np.concatenate([np.zeros(1600), noise(0.1), np.zeros(8000)]).astype(np.float32)
    audio = Audio(samples=samples, rate_hz=RATE_HZ)
    assert longest_silence(audio, 1e-3) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("text", "seconds", "reason"),
    [
        ("a" * 3000, 2.0, "3,000 letters in 2.00 s are more"),
        ("No.", 20.0, "2 letters in 20.00 s are fewer"),
        ("No.", 1.0, ""),
        ("你好" * 8, 6.0, ""),
        ("The weather was fine, so we walked along the river.", 2.5, ""),
    ],
)
def test_a_text_must_be_sayable_in_the_time(text: str, seconds: float, reason: str) -> None:
    assert unlikely_text(text, seconds).startswith(reason)
    assert bool(unlikely_text(text, seconds)) == bool(reason)


def test_an_unlikely_text_is_skipped_and_found_by_validate(tmp_path: Path) -> None:
    found = hear(recording(tmp_path, noise(2), "a" * 3000), encoder, PrepareConfig())
    assert isinstance(found, str)
    assert "3,000 letters" in found
    writer = ShardWriter(tmp_path, "part-00000")
    tokens, vector = torch.zeros(50, dtype=torch.int64), torch.zeros(4)
    writer.add(
        Prepared(
            id="a", text="a" * 3000, speaker="s", split="train", seconds=2.0, tokens=tokens,
            vector=vector,
        )
    )  # fmt: skip
    write_index(tmp_path, [writer.close()], "m")
    assert any("3,000 letters" in problem for problem in validate(tmp_path).problems)


def test_an_id_or_a_file_that_is_there_twice_lies_in_one_split_only(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("a|One.\nb|Two.\na|One.\n")
    first, _, again = ljspeech(tmp_path)
    assert first.problem == ""
    assert again.problem == "it is there twice; the first, in the split validation, counts"
    lines = [{"audio": "x.wav", "text": "A.", "split": split} for split in ("train", "test")]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [bool(item.problem) for item in json_lines(tmp_path / "a.jsonl")] == [False, True]


def test_a_folder_of_doubtful_recordings_is_prepared_without_them(tmp_path: Path) -> None:
    wavs = tmp_path / "LJSpeech" / "wavs"
    wavs.mkdir(parents=True)
    for name in ("good", "half", "long-text", "gap"):
        samples = np.concatenate([noise(1), np.zeros(RATE_HZ * 4 * (name == "gap")), noise(1)])
        write(wavs / f"{name}.wav", Audio(samples=samples.astype(np.float32), rate_hz=RATE_HZ))
    (wavs / "half.wav").write_bytes((wavs / "half.wav").read_bytes()[:30_000])
    lines = [
        *(f"{name}|We walked along the river." for name in ("good", "half", "gap", "good")),
        f"long-text|{'word ' * 200}",
    ]
    (tmp_path / "LJSpeech" / "metadata.csv").write_text("\n".join(lines))
    task = Task(
        folder=tmp_path / "out", factory=lambda _: encoder, model="m", config=PrepareConfig()
    )
    task.folder.mkdir()
    (part,) = prepare(task, ljspeech(tmp_path / "LJSpeech"))
    assert part["utterances"] == 1
    assert {one["id"]: one["reason"].partition(";")[0] for one in part["skipped"]} == {
        "half": "AudioError: its end is missing: the file is shorter than its header says",
        "gap": "4.0 s in it are silent, more than 3",
        "good": "it is there twice",
        "long-text": "800 letters in 2.00 s are more than anybody says",
    }
    assert validate(task.folder).problems == []
