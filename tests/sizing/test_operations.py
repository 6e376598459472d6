"""Operations counted the paper's way and as speaking does them."""

import pytest

from mamtra.sizing.operations import linear_numbers, paper_operations, token_operations
from mamtra.sizing.sizes import COSYVOICE2, TOY, shaped

PAPER = {"1:0": 1.78, "1:1": 1.64, "1:3": 1.57, "1:5": 1.54, "1:11": 1.52}


@pytest.mark.parametrize(("ratio", "published"), PAPER.items())
def test_the_papers_table_is_met_within_a_hundredth(ratio: str, published: float) -> None:
    teraflops = paper_operations(shaped(COSYVOICE2, ratio).backbone) / 1e12
    assert teraflops == pytest.approx(published, abs=0.0151)


def test_the_papers_count_is_that_of_a_hand() -> None:
    backbone = shaped(COSYVOICE2, "1:0").backbone
    numbers = 24 * (3 * 896 * 4864 + 896 * (896 + 128 + 128 + 896))
    assert linear_numbers(backbone) == numbers
    assert paper_operations(backbone, 10) == 2 * numbers * 10 + 24 * 4 * 100 * 896


def test_a_token_gets_dearer_with_length_where_there_is_attention_only() -> None:
    def of(ratio: str, context: int) -> float:
        sizes = shaped(COSYVOICE2, ratio)
        return token_operations(sizes.speech_lm, context)

    assert of("1:0", 1000) - of("1:0", 0) == 24 * 4 * 896 * 1000
    assert of("1:1", 1000) - of("1:1", 0) == 12 * 4 * 896 * 1000
    assert of("1:0", 0) < of("1:1", 0) < of("1:11", 0)
    assert of("1:0", 16_000) > of("1:1", 16_000) > of("1:11", 16_000)


@pytest.mark.parametrize("layout", ["A" * 24, "AM" * 12, "AMG" * 8])
def test_every_mixer_has_its_count(layout: str) -> None:
    sizes = shaped(TOY, layout)
    assert token_operations(sizes.speech_lm, 10) > 0
