"""A text's phones are laid along what speech ids say, and a misread one is found."""

import numpy as np
import pytest
import torch

from mamtra.acoustic.config import CLASSES, ProofreaderConfig
from mamtra.acoustic.phone_recogniser import PhoneRecogniser
from mamtra.errors import ConfigError, ModelError
from mamtra.generation.proofreader import (
    ANYTHING,
    Proofreader,
    misread_by,
    path_through,
    states_of,
)

SMALL = ProofreaderConfig(digits=3, dim=16, layers=2, kernel=3)


def heard(*phones: str, sure: float = 0.99) -> np.ndarray:
    """Log probabilities of a network that is sure of a phone for each half of a token."""
    rest = (1 - sure) / (len(CLASSES) - 1)
    found = np.full((len(phones), len(CLASSES)), rest)
    found[np.arange(len(phones)), [CLASSES.index(phone) for phone in phones]] = sure
    return np.log(found)


def word(phones: str) -> tuple[int, ...]:
    return tuple(CLASSES.index(phone) for phone in phones.split())


HELLO = [word("hh ax l ow"), word("w er l d")]
SAID = "pau pau hh ax ax l ow ow ow pau w er er er l d d pau".split()  # noqa: SIM905


def test_what_was_said_as_written_misses_nothing() -> None:
    assert misread_by(heard(*SAID), HELLO, -3.0) == 0.0


def test_pauses_may_be_absent() -> None:
    spoken = [phone for phone in SAID if phone != "pau"]
    assert misread_by(heard(*spoken), HELLO, -3.0) == 0.0


def test_another_phone_is_found_and_costs_more_than_half_of_one() -> None:
    wrong = ["eh" if phone == "er" else phone for phone in SAID]
    one = misread_by(heard(*wrong), HELLO, -3.0)
    wrong = ["eh" if phone == "er" else "t" if phone == "l" else phone for phone in SAID]
    two = misread_by(heard(*wrong), HELLO, -3.0)
    assert 0 < one < two


def test_a_word_left_out_is_found() -> None:
    assert misread_by(heard(*SAID[:10]), HELLO, -3.0) > 0


def test_speech_shorter_than_its_phones_is_misread() -> None:
    assert misread_by(heard("hh", "ow"), HELLO, -3.0) > 0


def test_a_word_in_letters_may_sound_like_anything() -> None:
    text = [HELLO[0], (ANYTHING,)]
    assert misread_by(heard(*SAID), text, -3.0) == 0.0
    wrong = ["t" if phone == "hh" else phone for phone in SAID]
    assert misread_by(heard(*wrong), text, -3.0) > 0


@pytest.mark.parametrize("written", ["w ao t er", "w ao d er"])
def test_a_flap_is_a_t_and_a_d(written: str) -> None:
    spoken = heard(*["w", "w", "ao", "ao", "dx", "er", "er"])
    assert misread_by(spoken, [word(written)], -3.0) == 0.0


def test_an_unsure_network_accuses_nobody() -> None:
    even = np.full((30, len(CLASSES)), -np.log(len(CLASSES)))
    assert misread_by(even, HELLO, -3.0) == 0.0


def test_the_path_is_the_likeliest_of_all() -> None:
    drawn = np.random.default_rng(0)
    states, optional = states_of([word("hh ow"), word("t")])
    count = len(states)

    def every(place: int, left: int) -> list[list[int]]:
        """All paths from a state over so many further halves that may end there."""
        if not left:
            return [[place]] if place >= count - 1 - optional[-1] else []
        steps = [
            place,
            place + 1,
            *([place + 2] if place + 1 < count and optional[place + 1] else []),
        ]
        return [[place, *rest] for step in steps if step < count for rest in every(step, left - 1)]

    for _ in range(20):
        scores = drawn.normal(size=(6, count))
        paths = [path for first in range(1 + optional[0]) for path in every(first, 5)]
        best = max(paths, key=lambda path: scores[np.arange(6), path].sum())
        assert path_through(scores, optional).tolist() == best


def test_numpy_names_the_phones_that_the_module_names() -> None:
    torch.manual_seed(0)
    module = PhoneRecogniser(SMALL).eval()
    weights = {name: value.numpy() for name, value in module.state_dict().items()}
    reader = Proofreader(SMALL, weights)
    for length in (1, 2, 5, 23):
        ids = np.random.default_rng(length).integers(0, 27, length)
        with torch.inference_mode():
            expected = module(torch.from_numpy(ids)[None])[0].log_softmax(-1).numpy()
        np.testing.assert_allclose(reader.phones(ids.tolist()), expected, atol=1e-5)


def test_padding_is_what_lies_beyond_the_end() -> None:
    module = PhoneRecogniser(SMALL).eval()
    ids = torch.tensor([[3, 26, 0, 7]])
    longer = torch.cat([ids, torch.full((1, 3), -1)], 1)
    with torch.inference_mode():
        alone, padded = module(ids), module(longer)
    assert torch.allclose(alone, padded[:, : alone.shape[1]], atol=1e-6)


def test_weights_of_other_sizes_are_refused() -> None:
    weights = {name: value.numpy() for name, value in PhoneRecogniser(SMALL).state_dict().items()}
    weights.pop("output.bias")
    with pytest.raises(ModelError, match=r"output\.bias"):
        Proofreader(SMALL, weights)


@pytest.mark.parametrize("wrong", [{"kernel": 4}, {"layers": 0}, {"least": 0.0}])
def test_impossible_sizes_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="proofreader"):
        ProofreaderConfig(**wrong)


def test_a_long_text_is_followed_to_its_end() -> None:
    text = HELLO * 30
    assert misread_by(heard(*SAID * 30), text, -3.0) == 0.0
