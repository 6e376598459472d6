"""What stops a row, what it may draw, and which silence is sounded."""

import pytest

from mamtra.generation.guard import GuardConfig, sounded
from mamtra.generation.request import Request, Row
from mamtra.speech_lm.vocabulary import SpeechVocabulary

SILENT = 7
GUARD = GuardConfig(min_per_text_token=1.0, max_per_text_token=4.0, silent_ids=(SILENT,))


def row_of(*drawn: int) -> Row:
    row = Row.of(0, Request.of([1, 2, 3]), GUARD)
    for token in drawn:
        row.take(token)
    return row


def test_a_row_that_said_nothing_but_silence_did_not_end_as_it_should() -> None:
    assert row_of(SILENT, 3, SILENT).ended() == "end"
    assert row_of(SILENT, SILENT, SILENT).ended() == "silence"


@pytest.mark.parametrize(
    ("coverage", "reason"), [(None, "end"), (1.0, "end"), (0.99, "skipped"), (0.0, "skipped")]
)
def test_a_row_that_ended_must_have_read_every_word(coverage: float | None, reason: str) -> None:
    record = row_of(1, 2, 3).stopped("end", 5, coverage)
    assert (record.reason, record.coverage, record.state_bytes) == (reason, coverage, 5)


def test_a_row_stopped_for_another_reason_keeps_it() -> None:
    assert row_of(1, 2).stopped("budget", 0, 0.5).reason == "budget"


def test_the_end_may_be_drawn_only_once_the_least_was_said() -> None:
    vocabulary = SpeechVocabulary(40)
    assert vocabulary.end in row_of(1, 2).forbidden(vocabulary)
    assert vocabulary.end not in row_of(1, 2, 3).forbidden(vocabulary)


def test_of_a_long_silence_only_its_beginning_is_sounded() -> None:
    ids = [1, *[SILENT] * 4, 2, SILENT, SILENT, 3]
    few = GuardConfig(silent_ids=(SILENT,), sounded_silence=2)
    assert sounded(ids, few) == [1, SILENT, SILENT, 2, SILENT, SILENT, 3]
    assert sounded(ids, GuardConfig(silent_ids=(SILENT,))) == ids
