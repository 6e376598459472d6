"""A speech language model that reads a voice and is guided: Chatterbox's, behind the protocol of an
engine.

Each text is two rows of the model beneath: one that reads the text, one that reads only where it
would stand. The logits are those of the first, moved away from those of the second. Callers see one
row a text.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.errors import ConfigError
from mamtra.runtime.guided_state import GuidedState
from mamtra.runtime.torch.speech_model import OfModule, as_array
from mamtra.speech_lm.batch import pack_segments
from mamtra.speech_lm.conditioning import Conditioning
from mamtra.speech_lm.model import SpeechLM
from mamtra.speech_lm.prompt import Segment


class GuidedSpeechModel(OfModule):
    """A speech language model with ``conditioning``, as engines offer it.

    Args:
        model: the module, made ready by an engine or as it is trained.
        guidance: how far logits are moved away from those without the text; the model's own if
            left, 0 for none.

    Raises:
        ConfigError: the model has no conditioning.
    """

    fixed_width = False
    reading = None

    def __init__(self, model: SpeechLM, guidance: float | None = None) -> None:
        if model.conditioning is None:
            raise ConfigError("the model reads no voice, so it is not guided; open it as it is")
        self.model = model
        own = model.conditioning.config.guidance
        self.guidance = own if guidance is None else guidance

    @property
    def conditioning(self) -> Conditioning:
        """The part that reads voices."""
        assert self.model.conditioning is not None
        return self.model.conditioning

    @torch.inference_mode()
    def new_state(self, batch: int, capacity_hint: int = 0) -> GuidedState:
        """An empty state for so many rows."""
        return GuidedState(self.model.new_state(2 * batch, capacity_hint), [0] * batch, [0] * batch)

    def guided(self, logits: Float[Tensor, "halves ids"]) -> Float[np.ndarray, "batch ids"]:
        """The logits of each row from those of its two."""
        told, untold = logits[0::2], logits[1::2]
        return as_array(told + self.guidance * (told - untold))

    @torch.inference_mode()
    def embed(self, rows: Sequence[Sequence[Segment]]) -> tuple[Tensor, Tensor]:
        """Embeddings of both halves of each row, and how many of them are real.

        Raises:
            ConfigError: a row does not begin with a voice.
            VoiceError: a voice does not fit the model.
        """
        model, prefixes, rest = self.model, list[Tensor](), list[list[Segment]]()
        for first, *others in rows:
            if first.voice is None:
                raise ConfigError("this model reads a voice first; begin with conditioned(...)")
            prefix = self.conditioning.prefix(first.voice, model.speech_embedding)
            prefixes += [prefix, prefix]
            rest += [others, others]
        batch = pack_segments(rest).to(model.device)
        inputs = model.embed(batch, muted=range(1, len(rest), 2))
        return torch.cat([torch.stack(prefixes), inputs], 1), batch.lengths + len(prefixes[0])

    def read(
        self, rows: Sequence[Sequence[Segment]], state: GuidedState
    ) -> Float[np.ndarray, "batch ids"]:
        """Read each row's prompt; logits of the id that follows each row's last one."""
        inputs, lengths = self.embed(rows)
        logits = self.model.read_embedded(inputs, lengths, state.beneath)
        state.positions = state.beneath.positions[0::2]
        state.spoken = [
            sum(len(segment.ids) for segment in row if segment.kind == "speech") for row in rows
        ]
        return self.guided(logits)

    @torch.inference_mode()
    def step(self, ids: Sequence[int], state: GuidedState) -> Float[np.ndarray, "batch ids"]:
        """Continue each row by one speech id; logits of the next."""
        device = self.model.device
        # a row without a text was set to position 0, and stays there
        state.spoken = [
            spoken + 1 if position else 0
            for spoken, position in zip(state.spoken, state.positions, strict=True)
        ]
        state.beneath.positions = [position for position in state.positions for _ in range(2)]
        inputs = self.model.speech_embedding(torch.tensor(ids, device=device))
        inputs = inputs + self.conditioning.spoken_positions(
            torch.tensor(state.spoken, device=device)
        )
        logits = self.model.step_embedded(inputs.repeat_interleave(2, 0), state.beneath)
        state.positions = state.beneath.positions[0::2]
        return self.guided(logits)

    def looked(
        self, segments: Sequence[Segment], speech: Sequence[int], state: GuidedState, row: int
    ) -> Float[np.ndarray, "speech positions"]:
        """No head is known that follows the text."""
        del segments, speech, state, row
        raise ConfigError("this model has no reading head")
