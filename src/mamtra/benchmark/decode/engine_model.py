"""A model as an engine offers it, with the names and calls of a module: what is measured calls all
models alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mamtra.runtime.protocols import SpeechModel
from mamtra.speech_lm import Segment, SpeechLMConfig
from mamtra.speech_lm.vocabulary import SpeechVocabulary


@dataclass(frozen=True, slots=True, eq=False)
class EngineModel:
    """A graph's model, or a guided one, which takes two rows beneath for each stream."""

    offered: SpeechModel
    config: SpeechLMConfig
    device: torch.device

    @property
    def vocabulary(self) -> SpeechVocabulary:
        """The speech ids."""
        return self.offered.vocabulary

    def new_state(self, batch: int, capacity_hint: int = 0) -> Any:
        """An empty state for so many streams."""
        return self.offered.new_state(batch, capacity_hint)

    def read(
        self, rows: Sequence[Sequence[Segment]], state: Any
    ) -> Float[np.ndarray, "streams ids"]:
        """Continue each stream by segments."""
        return self.offered.read(rows, state)

    def step(
        self, ids: Int[Tensor, " streams"] | Int[np.ndarray, " streams"], state: Any
    ) -> Float[np.ndarray, "streams ids"]:
        """Continue each stream by one speech id."""
        return self.offered.step(ids.tolist(), state)
