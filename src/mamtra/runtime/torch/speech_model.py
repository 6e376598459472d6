"""The torch engine's speech model: a ``SpeechLM`` behind the engine protocol."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from mamtra.backbone.mixers.attention import Attention
from mamtra.backbone.positions import apply_rotary
from mamtra.backbone.state import StackState
from mamtra.runtime.draws import DrawRule
from mamtra.runtime.torch.cuda_graph import GraphStepper
from mamtra.runtime.torch.graph_draws import GraphDraws, draws_in_graphs
from mamtra.speech_lm.batch import pack_segments
from mamtra.speech_lm.model import SpeechLM
from mamtra.speech_lm.prompt import Segment, speech_segment
from mamtra.speech_lm.reading import ReadingConfig, looked_at
from mamtra.speech_lm.vocabulary import SpeechVocabulary


def as_array(tensor: Tensor) -> np.ndarray:
    """A float32 copy in numpy; waits for a GPU to finish."""
    return np.array(tensor.detach().float().cpu().numpy())


class OfModule:
    """What an engine says of the module that it runs."""

    model: SpeechLM
    steps_first_rows = False

    @property
    def vocabulary(self) -> SpeechVocabulary:
        """The speech ids."""
        return self.model.vocabulary

    @property
    def text_vocabulary(self) -> int:
        """Number of text ids that it has an embedding for."""
        return self.model.config.text_vocabulary


class TorchSpeechModel(OfModule):
    """A speech language model, made ready by an engine or as it is trained.

    Args:
        model: the module.
        fixed_width: whether a change of the number of rows is expensive; without it, so on a GPU,
            where steps are recorded.
        reading: the head that follows the text, if it is known.
    """

    def __init__(
        self,
        model: SpeechLM,
        fixed_width: bool | None = None,
        reading: ReadingConfig | None = None,
    ) -> None:
        self.model, self.reading = model, reading
        if reading is not None:
            config = model.backbone.config
            reading.check(config.layout, config.query_heads)
        on_gpu = model.device.type == "cuda"
        self.fixed_width = on_gpu if fixed_width is None else fixed_width

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

    def draws(self, rows: int, rule: DrawRule) -> GraphDraws | None:
        """Draw where steps are recorded, for a batch of so many rows; None elsewhere.

        Args:
            rows: of the batch.
            rule: how.
        """
        stepper = self.model.stepper
        return draws_in_graphs(stepper, rows, rule) if isinstance(stepper, GraphStepper) else None

    @torch.inference_mode()
    def looked(
        self, segments: Sequence[Segment], speech: Sequence[int], state: StackState | None, row: int
    ) -> Float[np.ndarray, "speech positions"]:
        """How the reading head looked at the prompt as each speech id was drawn.

        Everything is read once more, up to the head's layer: no form of a step keeps its queries.
        """
        del state, row
        assert self.reading is not None
        prompt = sum(len(segment.ids) for segment in segments)
        queries, keys = head_of(self.model, [*segments, speech_segment(speech[:-1])], self.reading)
        return looked_at(queries[prompt - 1 :], keys)[:, :prompt]


def head_of(
    model: SpeechLM, segments: Sequence[Segment], reading: ReadingConfig
) -> tuple[Float[np.ndarray, "positions width"], Float[np.ndarray, "positions width"]]:
    """Rotated queries and keys of one attention head at every position of a sequence."""
    stack = model.backbone
    batch = pack_segments([segments]).to(model.device)
    hidden, state = model.embed(batch), model.new_state(1, batch.order.shape[1])
    positions = stack.positions_for(hidden, state)
    for block, memory in zip(stack.blocks[: reading.layer], state.layers, strict=False):
        hidden = block(hidden, positions, memory)
    block = stack.blocks[reading.layer]
    mixer = cast(Attention, block.mixer)
    heads = rearrange(
        mixer.project(block.input_layernorm(hidden)), "b t (h d) -> b t h d", d=mixer.head_dim
    )
    turned = apply_rotary(
        heads[:, :, : mixer.query_heads + mixer.kv_heads], positions.cosine, positions.sine
    )
    key = mixer.query_heads + reading.head // (mixer.query_heads // mixer.kv_heads)
    return as_array(turned[0, :, reading.head]), as_array(turned[0, :, key])
