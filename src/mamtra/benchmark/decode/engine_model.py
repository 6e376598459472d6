"""Models behind the calls that others have: an engine's with those of a module, as what is measured
calls all models alike, and a module with those of an engine, as what draws ids calls them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mamtra.benchmark.decode.baseline import Baseline
from mamtra.runtime.protocols import SpeechModel
from mamtra.runtime.torch.speech_model import TorchSpeechModel, as_array
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


class OfBaseline:
    """The baseline, as engines offer models."""

    fixed_width = steps_first_rows = False
    reading = None

    def __init__(self, model: Baseline) -> None:
        self.model, self.vocabulary = model, model.vocabulary
        self.text_vocabulary = model.config.text_vocabulary

    def new_state(self, batch: int, capacity_hint: int = 0) -> Any:
        """An empty cache for so many streams."""
        return self.model.new_state(batch, capacity_hint)

    def read(
        self, rows: Sequence[Sequence[Segment]], state: Any
    ) -> Float[np.ndarray, "streams ids"]:
        """Continue each stream by segments."""
        return as_array(self.model.read(rows, state))

    def step(self, ids: Sequence[int], state: Any) -> Float[np.ndarray, "streams ids"]:
        """Continue each stream by one speech id."""
        return as_array(self.model.step(torch.tensor(ids, device=self.model.device), state))

    def looked(
        self, segments: Sequence[Segment], speech: Sequence[int], state: Any, row: int
    ) -> Float[np.ndarray, "speech positions"]:
        """No head is known that follows the text."""
        raise NotImplementedError


def offered(model: Any) -> SpeechModel:
    """A model that is measured, as engines offer it: it may draw ids itself."""
    if isinstance(model, EngineModel):
        return model.offered
    return OfBaseline(model) if isinstance(model, Baseline) else TorchSpeechModel(model)
