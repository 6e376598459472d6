"""Ids that an engine draws, a step ahead of who reads them: what texts say stays the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from drawing_toys import GUARD, OFTEN, ONCE, check_joining_and_leaving, small_model, texts

from mamtra.errors import GenerationError
from mamtra.generation.draws import EngineDraws, LogitDraws, draws_for, rule_of
from mamtra.generation.generate import generate_batch
from mamtra.generation.guard import GuardConfig
from mamtra.generation.live_batch import LiveBatch
from mamtra.generation.request import Request, Stopped, Token
from mamtra.generation.sampling import SamplingConfig, choose
from mamtra.runtime.draws import DrawRule
from mamtra.runtime.torch.speech_model import TorchSpeechModel
from mamtra.speech_lm import SpeechLM


@dataclass
class Uniforms:
    """A source of randomness that an engine makes of the numbers that it is brought."""

    brought: Callable[[int], np.ndarray]

    def index(self, weights: np.ndarray) -> int:
        ends = np.cumsum(weights)
        return int(ends.searchsorted(float(self.brought(1)[0]) * ends[-1], side="right"))


@dataclass
class Spoken:
    """What an engine knows of a text."""

    least: int
    source: Uniforms
    history: list[int] = field(default_factory=list)


@dataclass
class Late:
    """Ids that can be read once."""

    ids: list[int]

    def read(self) -> Sequence[int]:
        return self.ids


class Ahead:
    """Draws as an engine does, by the rules of the processor."""

    def __init__(self, model: "Drawing", rows: int, sampling: SamplingConfig) -> None:
        self.model, self.sampling = model, sampling
        self.texts: list[Spoken | None] = [None] * rows

    def draw(self, text: Spoken, logits: np.ndarray) -> int:
        forbidden = self.model.vocabulary.forbidden(may_end=len(text.history) >= text.least)
        try:
            token = choose(logits, forbidden, text.history, text.source, self.sampling)
        except GenerationError:
            return -1
        text.history.append(token)
        return token

    def begin(self, row: int, logits: np.ndarray, least: int, uniforms: Any) -> Late:
        text = self.texts[row] = Spoken(least, Uniforms(uniforms))
        return Late([self.draw(text, logits)])

    def step(self, state: Any) -> Late:
        ids = [0 if text is None or not text.history else text.history[-1] for text in self.texts]
        logits = self.model.step(ids, state)
        drawn = zip(self.texts, logits, strict=True)
        return Late([0 if text is None else self.draw(text, row) for text, row in drawn])

    def move(self, row: int, other: int) -> None:
        self.texts[other], self.texts[row] = self.texts[row], None

    def keep_rows(self, rows: Sequence[int], width: int) -> None:
        kept = [self.texts[row] for row in rows]
        self.texts = kept + [None] * (width - len(kept))


class Drawing(TorchSpeechModel):
    """A model that draws ids itself."""

    def draws(self, rows: int, rule: DrawRule) -> Any:
        assert rule == rule_of(OFTEN)
        return Ahead(self, rows, OFTEN)


@pytest.fixture(scope="module")
def module() -> SpeechLM:
    return small_model()


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("rows", [1, 3, None])
def test_texts_say_what_they_say_where_the_processor_draws(
    module: SpeechLM, rows: int | None, fixed: bool
) -> None:
    models = TorchSpeechModel(module), Drawing(module, fixed_width=fixed)
    wanted, got = (
        dict(generate_batch(model, texts(9), OFTEN, GUARD, rows=rows)) for model in models
    )
    assert got == wanted
    assert len({len(said.ids) for said in got.values()}) > 3
    assert any(said.attempts > 1 for said in got.values())


@pytest.mark.parametrize("fixed", [False, True])
def test_texts_that_join_and_leave_say_what_they_say_alone(module: SpeechLM, fixed: bool) -> None:
    batch = LiveBatch(Drawing(module, fixed_width=fixed), 4, OFTEN, ONCE)
    check_joining_and_leaving(batch, module, 12)


def test_logits_that_are_no_numbers_are_an_error(module: SpeechLM) -> None:
    broken = Drawing(module)
    broken.step = lambda ids, state: np.full((len(ids), 43), np.nan, np.float32)
    with pytest.raises(GenerationError, match="not numbers"):
        list(generate_batch(broken, texts(1), OFTEN, ONCE))


def test_an_engine_draws_only_by_rules_that_it_knows(module: SpeechLM) -> None:
    assert rule_of(SamplingConfig(min_p=0.1)) is None
    assert rule_of(SamplingConfig(repetition_penalty=1.1)) is None
    model = Drawing(module)
    assert isinstance(draws_for(model, 1, OFTEN), EngineDraws)
    assert isinstance(draws_for(model, 1, SamplingConfig(min_p=0.1)), LogitDraws)
    assert isinstance(draws_for(TorchSpeechModel(module), 1, OFTEN), LogitDraws)


def test_texts_that_end_together_after_one_that_ended_are_not_spoken_on(module: SpeechLM) -> None:
    # the last text takes the first's slot, so the two that are left end in the other order
    exact = GuardConfig(min_per_text_token=1.0, max_per_text_token=1.0, attempts=1)
    batch = LiveBatch(Drawing(module, fixed_width=True), 4, OFTEN, exact)
    for number, length in enumerate((4, 5, 5)):
        batch.add(number, Request.of(list(range(length)), seed=number))
    records = [record for _ in range(9) for record in batch.step()]
    assert [record.row for record in records if isinstance(record, Stopped)] == [0, 1, 2]
    assert sum(isinstance(record, Token) for record in records) == 4 + 5 + 5
    assert not batch.busy
