"""The speech language model: reads text ids, writes speech ids at 25 a second.

Three embedding tables (text, speech, special), the backbone, and a head over the speech ids. There
is no text head: speech is all it writes. In training the head runs only where an id is predicted,
about half of the positions.

Axes: b batch, t time, d dim, v speech ids (codes, end, unused, fill).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from mamtra.backbone import BackboneConfig, Stack, StackState
from mamtra.errors import ConfigError
from mamtra.speech_lm.batch import Batch, pack_segments
from mamtra.speech_lm.conditioning import Conditioning
from mamtra.speech_lm.conditioning_config import ConditioningConfig
from mamtra.speech_lm.prompt import Segment
from mamtra.speech_lm.vocabulary import EXTRA_IDS, SPECIAL_ROWS, SpeechVocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechLMConfig:
    """Sizes of the model.

    The marks are those of ``SpeechVocabulary``; the defaults are CosyVoice 2's. ``conditioning`` is
    what Chatterbox's reads beside ids; None for the others.
    """

    backbone: BackboneConfig
    text_vocabulary: int = 151_936
    speech_vocabulary: int = 6_561
    marks: int = EXTRA_IDS
    end_mark: int = 0
    fill_mark: int = 2
    any_mark_ends: bool = False
    conditioning: ConditioningConfig | None = None

    def __post_init__(self) -> None:
        for name in ("text_vocabulary", "speech_vocabulary"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least 1")
        _ = self.vocabulary  # checks the marks

    @property
    def vocabulary(self) -> SpeechVocabulary:
        """The speech ids."""
        return SpeechVocabulary(
            self.speech_vocabulary, self.marks, self.end_mark, self.fill_mark, self.any_mark_ends
        )


@dataclass(frozen=True, slots=True)
class Losses:
    """What one training batch gives.

    Attributes:
        loss: mean cross entropy in nats per predicted id.
        correct: how many ids were predicted right (the most probable one).
        predicted: how many ids were to be predicted.
        logits: of the predicted ids, if asked for.
        inputs: the embeddings that the backbone read, padding left out, if asked for.
    """

    loss: Float[Tensor, ""]
    correct: Int[Tensor, ""]
    predicted: int
    logits: Float[Tensor, "predicted ids"] | None = None
    inputs: Float[Tensor, "real dim"] | None = None


class Stepper(Protocol):
    """A quick form of ``SpeechLM.step_embedded``, which an engine brings."""

    def step_embedded(
        self, inputs: Float[Tensor, "batch dim"], state: StackState
    ) -> Float[Tensor, "batch ids"]:
        """Continue each row by one embedding; logits of the next id."""
        ...


class SpeechLM(nn.Module):
    """Text and special embeddings, speech embeddings, backbone, head."""

    def __init__(self, config: SpeechLMConfig) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = config.vocabulary
        backbone = config.backbone
        self.text_embedding = nn.Embedding(config.text_vocabulary, backbone.dim)
        self.speech_embedding = nn.Embedding(self.vocabulary.size, backbone.dim)
        self.special_embedding = nn.Embedding(SPECIAL_ROWS, backbone.dim)
        self.backbone = Stack(backbone)
        self.head = nn.Linear(backbone.dim, self.vocabulary.size)
        given = config.conditioning
        self.conditioning = None if given is None else Conditioning(backbone.dim, given)
        self.stepper: Stepper | None = None  # set by an engine once the model was prepared

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.special_embedding.weight.device

    def embed(self, batch: Batch, muted: Sequence[int] = ()) -> Float[Tensor, "batch time dim"]:
        """Look every id up once and put the rows in order; padding becomes zeros.

        Args:
            batch: the ids.
            muted: rows whose text is not read, for guidance; only with ``conditioning``.
        """
        special = self.special_embedding.weight
        rows = [
            torch.zeros_like(special[:1]),
            special,
            self.text_embedding(batch.text_ids).to(special.dtype),
            self.speech_embedding(batch.speech_ids).to(special.dtype),
        ]
        hidden = F.embedding(batch.order, torch.cat(rows))
        if self.conditioning is None:
            return hidden
        added, factor = self.conditioning.positions_of(batch, muted)
        return hidden * factor + added

    def logits_at(
        self, inputs: Float[Tensor, "batch time dim"], positions: Int[Tensor, " predicted"]
    ) -> Float[Tensor, "predicted ids"]:
        """Run the backbone over whole sequences, and the head at these flat positions only."""
        hidden = self.backbone(inputs)
        return self.head(F.embedding(positions, hidden.flatten(0, 1)))

    def forward(self, batch: Batch) -> Float[Tensor, "predicted ids"]:
        """Logits of every id that is to be predicted, row by row."""
        return self.logits_at(self.embed(batch), batch.positions)

    def loss(self, batch: Batch, *, keep_logits: bool = False, keep_inputs: bool = False) -> Losses:
        """Cross entropy over the predicted ids, in float32.

        Args:
            batch: sequences with targets.
            keep_logits: hand the logits out as well, for distillation.
            keep_inputs: hand the input embeddings out as well, for distillation.
        """
        inputs = self.embed(batch)
        logits = self.logits_at(inputs, batch.positions)
        return Losses(
            loss=F.cross_entropy(logits.float(), batch.targets),
            correct=(logits.detach().argmax(-1) == batch.targets).sum(),
            predicted=len(batch.targets),
            logits=logits if keep_logits else None,
            inputs=inputs[batch.real] if keep_inputs else None,
        )

    def new_state(self, batch: int, capacity_hint: int = 0) -> StackState:
        """An empty memory for ``batch`` rows, in the type of the weights."""
        return self.backbone.new_state(batch, capacity_hint)

    @torch.inference_mode()
    def read(
        self, rows: Sequence[Sequence[Segment]], state: StackState
    ) -> Float[Tensor, "batch ids"]:
        """Continue each row by segments; logits of the id that follows each row's last one.

        Rows may bring different numbers of ids, but each at least one.
        """
        batch = pack_segments(rows).to(self.device)
        return self.read_embedded(self.embed(batch), batch.lengths, state)

    @torch.inference_mode()
    def read_embedded(
        self,
        inputs: Float[Tensor, "batch time dim"],
        lengths: Int[Tensor, " batch"],
        state: StackState,
    ) -> Float[Tensor, "batch ids"]:
        """Continue each row by embeddings, padded on the right; logits of the id that follows.

        Args:
            inputs: of each position.
            lengths: real positions of each row, on the CPU.
            state: is moved on.
        """
        uneven = int(lengths.min()) != int(lengths.max())
        hidden = self.backbone(inputs, state, lengths if uneven else None)
        if not uneven:
            return self.head(hidden[:, -1])
        return self.head(hidden[torch.arange(len(lengths)), (lengths - 1).to(hidden.device)])

    @torch.inference_mode()
    def step(self, ids: Int[Tensor, " batch"], state: StackState) -> Float[Tensor, "batch ids"]:
        """Continue each row by one speech id; logits of the next."""
        return self.step_embedded(self.speech_embedding(ids), state)

    @torch.inference_mode()
    def step_embedded(
        self, inputs: Float[Tensor, "batch dim"], state: StackState
    ) -> Float[Tensor, "batch ids"]:
        """Continue each row by one embedding; logits of the next id."""
        if self.stepper is not None:
            return self.stepper.step_embedded(inputs, state)
        return self.head(self.backbone(inputs.unsqueeze(1), state)[:, 0])
