"""The head of a speech language model whose attention follows the text, and what it looked at.

A model that speaks well moves through its text from left to right. One of its attention heads shows
where it is: for each speech id it looks at the letters or phones that are being said. Which head it
is differs from training to training; ``mamtra evaluate reading`` finds it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mamtra.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingConfig:
    """The section ``reading`` of a model's config.json.

    Attributes:
        layer: of the head; an attention layer.
        head: its number in the layer.
        least: a word was skipped if its text ids were looked at for fewer speech ids than this, on
            average over its ids.
        shortest: ids of the shortest words that are judged; the head passes over articles and
            other small words even where they can be heard.
    """

    layer: int
    head: int
    least: float
    shortest: int = 4

    def __post_init__(self) -> None:
        if min(self.layer, self.head) < 0 or self.least < 0:
            raise ConfigError(
                f"layer={self.layer}, head={self.head} and least={self.least} of the reading head "
                "must not be negative"
            )

    def check(self, layout: str, query_heads: int) -> None:
        """Refuse a head that a model does not have.

        Raises:
            ConfigError: the layer is no attention layer, or has not so many heads.
        """
        found = layout[self.layer] if self.layer < len(layout) else None
        if found != "A" or self.head >= query_heads:
            raise ConfigError(
                f"the reading head is head {self.head} of layer {self.layer}, but the layout is "
                f"{layout} with {query_heads} heads; mamtra evaluate reading finds it"
            )


def looked_at(
    queries: Float[np.ndarray, "speech width"], keys: Float[np.ndarray, "positions width"]
) -> Float[np.ndarray, "speech positions"]:
    """Attention of one head, for the last positions of a sequence.

    Args:
        queries: of the positions that a speech id was drawn at; the last ones of the sequence.
        keys: of all positions.
    """
    steps, positions = len(queries), len(keys)
    # not by BLAS, whose threads would go on spinning on cores that speak for others
    scores = np.einsum("sw,pw->sp", queries, keys) / np.sqrt(np.float32(keys.shape[1]))
    own = np.arange(positions - steps, positions)[:, None]
    scores = np.where(np.arange(positions) <= own, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
