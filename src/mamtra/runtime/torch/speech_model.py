"""The torch engine's speech model: a ``SpeechLM`` behind the engine protocol."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.backbone.state import StackState
from mamtra.speech_lm.model import SpeechLM
from mamtra.speech_lm.prompt import Segment
from mamtra.speech_lm.vocabulary import SpeechVocabulary


def as_array(tensor: Tensor) -> np.ndarray:
    """A float32 copy in numpy; waits for a GPU to finish."""
    return np.array(tensor.detach().float().cpu().numpy())


class TorchSpeechModel:
    """A speech language model, made ready by an engine or as it is trained.

    Args:
        model: the module.
        fixed_width: whether a change of the number of rows is expensive; without it, so on a GPU,
            where steps are recorded.
    """

    steps_first_rows = False

    def __init__(self, model: SpeechLM, fixed_width: bool | None = None) -> None:
        self.model = model
        on_gpu = model.device.type == "cuda"
        self.fixed_width = on_gpu if fixed_width is None else fixed_width

    @property
    def vocabulary(self) -> SpeechVocabulary:
        """The speech ids."""
        return self.model.vocabulary

    @property
    def text_vocabulary(self) -> int:
        """Number of text ids that it has an embedding for."""
        return self.model.config.text_vocabulary

    @torch.inference_mode()
    def new_state(self, batch: int, capacity_hint: int = 0) -> StackState:
        """An empty state for so many rows."""
        return self.model.new_state(batch, capacity_hint)

    @torch.inference_mode()
    def read(
        self, rows: Sequence[Sequence[Segment]], state: StackState
    ) -> Float[np.ndarray, "batch ids"]:
        """Continue each row by segments; logits of the id that follows each row's last one."""
        return as_array(self.model.read(rows, state))

    @torch.inference_mode()
    def step(self, ids: Sequence[int], state: StackState) -> Float[np.ndarray, "batch ids"]:
        """Continue each row by one speech id; logits of the next."""
        drawn = torch.tensor(ids, dtype=torch.long, device=self.model.device)
        return as_array(self.model.step(drawn, state))
