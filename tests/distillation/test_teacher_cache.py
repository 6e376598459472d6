"""The teacher's kept logits stand for the teacher: exactly if all but one id are kept."""

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_model import SPEECH_LM

from mamtra.distillation.data import DistillBatches, random_utterances
from mamtra.distillation.settings import DistillRun, paper_settings
from mamtra.distillation.task import DistillTask
from mamtra.distillation.teacher_cache import TeacherCache, narrowed, widened
from mamtra.errors import ConfigError, TrainingError
from mamtra.speech_lm import SpeechLM
from mamtra.training.clear_errors import clear_errors

IDS = SPEECH_LM.vocabulary.size
RUN = DistillRun(
    settings=replace(paper_settings(1), precision="float32"), freeze="all", tokens=600, held_out=0
)


def task(cache: TeacherCache | None, batches: DistillBatches) -> DistillTask:
    torch.manual_seed(0)
    return DistillTask(SpeechLM(SPEECH_LM), SpeechLM(SPEECH_LM), batches, RUN, cache=cache)


@pytest.fixture
def batches() -> DistillBatches:
    return DistillBatches(random_utterances(SPEECH_LM, 20, (40, 90)), SPEECH_LM, tokens=600)


def test_kept_logits_give_the_losses_of_the_teacher_without_asking_it(
    tmp_path, batches, monkeypatch
) -> None:
    fresh = task(None, batches)
    kept = task(TeacherCache(tmp_path, batches, IDS - 1, {}), batches)
    assert any(bi_stream for _, bi_stream in batches.layouts(0))
    losses = [kept.loss(number) for number in range(4)]
    for number, first in enumerate(losses):
        for name, value in fresh.loss(number).items():
            torch.testing.assert_close(first[name], value, rtol=2e-3, atol=1e-4)
    # a new process finds them, and gets the same numbers from them to the bit
    again = task(TeacherCache(tmp_path, batches, IDS - 1, {}), batches)
    monkeypatch.setattr(again.teacher, "logits_at", None)
    for number, first in enumerate(losses):
        assert torch.equal(again.loss(number)["loss"], first["loss"])


def test_what_is_not_kept_is_shared_evenly() -> None:
    logits = torch.tensor([[5.0, 1.0, 4.0, 1.0, 1.0]])
    wide = widened(*narrowed(logits, 2), 5)
    torch.testing.assert_close(wide, logits.log_softmax(-1), rtol=1e-3, atol=1e-3)


def test_a_cache_of_something_else_is_refused(tmp_path, batches) -> None:
    TeacherCache(tmp_path, batches, 4, {"teacher": "a"})
    with pytest.raises(ConfigError, match="another teacher"):
        TeacherCache(tmp_path, batches, 4, {"teacher": "b"})
    with pytest.raises(ConfigError, match=f"teacher_cache={IDS} of {IDS} ids cannot be kept"):
        TeacherCache(tmp_path / "new", batches, IDS, {})
    (tmp_path / "cache.json").write_text("[")
    with pytest.raises(ConfigError, match=r"cache\.json"):
        TeacherCache(tmp_path, batches, 4, {"teacher": "a"})


def filled(disk: str) -> None:
    """Keep logits on a disk that cannot hold them."""
    torch.manual_seed(0)
    data = random_utterances(SPEECH_LM, 600, (40, 90))
    batches = DistillBatches(data, SPEECH_LM, tokens=600)
    cache = TeacherCache(Path(disk), batches, IDS - 1, {})
    with clear_errors(Path(disk)):
        for number in range(600):
            rows = cache.rows(number)
            predicted = int(sum(cache.ends[row + 1] - cache.ends[row] for row in rows))
            cache.logits(number, lambda count=predicted: torch.randn(count, IDS))


def test_a_full_disk_is_one_sentence(tmp_path) -> None:
    mount = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    small = f'mount -t tmpfs -o size=1m tmpfs {tmp_path} && exec "$@"'
    if subprocess.run([*mount, small, "sh", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    call = f"import test_teacher_cache; test_teacher_cache.filled({str(tmp_path)!r})"
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [*mount, small, "sh", sys.executable, "-c", call],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr[-500:]
    assert "TrainingError: the disk is full (No space left on device)" in done.stderr


def test_a_disk_that_refuses_a_row_keeps_what_was_kept(tmp_path, batches, monkeypatch) -> None:
    cache, full = TeacherCache(tmp_path, batches, 4, {}), OSError(errno.ENOSPC, "No space left")
    predicted = int(sum(cache.ends[row + 1] - cache.ends[row] for row in cache.rows(0)))

    def refuse(*_: object) -> None:
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(cache.logs, "write", refuse)
        with pytest.raises(TrainingError, match="the disk is full"), clear_errors(None):
            cache.logits(0, lambda: torch.randn(predicted, IDS))
    assert not cache.kept.array.any()
    logits = torch.randn(predicted, IDS)
    wide = cache.logits(0, lambda: logits)
    assert cache.kept.array.sum() == len(cache.rows(0))
    torch.testing.assert_close(wide, widened(*narrowed(logits, 4), IDS))
