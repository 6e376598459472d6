"""The proofreader learns which phones speech tokens are, from the times that the source tells."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file
from toy_nano import PHONES, SETTINGS, STEP, timed, timed_corpus

from mamtra.acoustic.config import CLASSES, ProofreaderConfig
from mamtra.acoustic.phone_recogniser import PhoneRecogniser
from mamtra.corpus.synthetic.manifest import Corpus
from mamtra.corpus.synthetic.tokens import TokenTable, write_tokens
from mamtra.errors import CorpusError
from mamtra.recipes.nano.proofreader import (
    ProofreaderRun,
    ProofreaderTask,
    phones_of,
    train_proofreader,
)
from mamtra.recipes.nano.stages import Workshop

RUN = ProofreaderRun(
    config=ProofreaderConfig(digits=6, dim=16, layers=1, kernel=3),
    settings=replace(SETTINGS, steps=60, warmup_steps=5, learning_rate=1e-2, evaluate_every=60),
    batch_tokens=200,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return timed_corpus(
        tmp_path_factory.mktemp("timed"), np.zeros(STEP * len(PHONES.split()), np.int16)
    )


@pytest.fixture(scope="module")
def tokens(corpus: Corpus) -> TokenTable:
    """Each phone is a token of its own, twice."""
    numbers = [17 * CLASSES.index(phone) for phone in PHONES.split()]
    path = corpus.folder / "tokens.safetensors"
    write_tokens(path, [(one.id, np.repeat(numbers, 2)) for one in corpus.utterances])
    return TokenTable.open(path)


def test_each_half_of_a_token_has_the_phone_in_its_middle() -> None:
    spoken = replace(timed(0, "train"), phones="pau hh ow", starts=[0, 700, 1700], ends=[])
    found = [CLASSES[phone] for phone in phones_of(spoken, 3)]
    assert found == ["pau", "hh", "hh", "hh", "ow", "ow"]  # middles at 240, 720, 1,200, 1,680 ...


def test_what_tokens_tell_is_learnt(corpus: Corpus, tokens: TokenTable, tmp_path: Path) -> None:
    train_proofreader(corpus, tokens, tmp_path, RUN)
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert last["validation_right"] > 0.9
    PhoneRecogniser(RUN.config).load_state_dict(load_file(tmp_path / "model.safetensors"))


def test_a_source_that_does_not_tell_times_cannot_teach(workshop: Workshop) -> None:
    tokens = TokenTable.open(workshop.tokens)
    with pytest.raises(CorpusError, match="hibari"):
        ProofreaderTask(RUN, Corpus.open(workshop.corpus), tokens)
