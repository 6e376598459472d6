"""The teacher's kept logits stand for the teacher: exactly if all but one id are kept."""

from dataclasses import replace

import pytest
import torch
from tiny_model import SPEECH_LM

from mamtra.distillation.data import DistillBatches, random_utterances
from mamtra.distillation.settings import DistillRun, paper_settings
from mamtra.distillation.task import DistillTask
from mamtra.distillation.teacher_cache import TeacherCache, narrowed, widened
from mamtra.errors import ConfigError
from mamtra.speech_lm import SpeechLM

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
