"""The stack: a block for each letter of a layout, then a final norm.

The stack takes vectors and gives vectors; embeddings and heads belong to the models around it. Used
without a state it reads whole sequences (training); with a state it continues from it by one or
many tokens.

Axes: b batch, t time.
"""

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint  # pyright: ignore[reportUnknownVariableType]

from mamtra.backbone.block import Block
from mamtra.backbone.config import KINDS, BackboneConfig
from mamtra.backbone.norm import RMSNorm
from mamtra.backbone.positions import Positions, positions_of
from mamtra.backbone.state import StackState
from mamtra.errors import ConfigError


class Stack(nn.Module):
    """Blocks in layout order and a final norm.

    Attributes:
        recompute: in training keep only what each layer reads, and compute the rest again for the
            gradients: a third more work, several times less memory.
    """

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(
            Block(KINDS[kind].build(config), config.dim, config.mlp_dim, config.rms_eps)
            for kind in config.layout
        )
        self.norm = RMSNorm(config.dim, config.rms_eps)
        self.recompute = False

    @property
    def blocks(self) -> list[Block]:
        """The layers, with their type."""
        return [cast(Block, layer) for layer in self.layers]

    def new_state(
        self,
        batch: int,
        capacity_hint: int = 0,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> StackState:
        """An empty memory for ``batch`` rows; ``capacity_hint`` tokens fit without growing.

        Keys and values are stored in ``dtype`` (default: that of the weights), recurrences in
        float32.
        """
        weight = self.norm.weight
        dtype, device = dtype or weight.dtype, device or weight.device
        layers = [
            block.mixer.new_state(batch, capacity_hint, dtype, device) for block in self.blocks
        ]
        return StackState(layers, [0] * batch)

    def positions_for(
        self,
        hidden: Float[Tensor, "batch time dim"],
        state: StackState | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Positions:
        """Positions of these tokens: from each row's position in ``state``, or from 0.

        Raises:
            ConfigError: the state or the lengths do not fit the batch.
        """
        batch, time = hidden.shape[:2]
        counts = None if lengths is None else tuple(int(count) for count in lengths)
        if state is not None and len(state.positions) != batch:
            raise ConfigError(
                f"the state holds {len(state.positions)} rows and the input {batch}; "
                f"make the state with new_state({batch})"
            )
        if counts is not None and (len(counts) != batch or max(counts) > time or min(counts) < 0):
            raise ConfigError(
                f"lengths={list(counts)} do not fit an input of {batch} rows and {time} tokens"
            )
        starts = None if state is None else tuple(state.positions)
        sizes = self.config
        return positions_of(
            hidden, sizes.head_dim, sizes.rope_theta, starts, counts, sizes.rope_scaling
        )

    def forward(
        self,
        hidden: Float[Tensor, "batch time dim"],
        state: StackState | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch time dim"]:
        """Run the new tokens through all layers and the final norm.

        Args:
            hidden: embeddings of the new tokens, padded on the right.
            state: continue each row from here, and leave the memory after its last real token here.
            lengths: real tokens of each row; the output at padding means nothing.
        """
        positions = self.positions_for(hidden, state, lengths)
        again = self.recompute and state is None and torch.is_grad_enabled()
        for index, block in enumerate(self.layers):
            if again:
                hidden = cast(Tensor, checkpoint(block, hidden, positions, use_reentrant=False))
            else:
                hidden = block(hidden, positions, None if state is None else state.layers[index])
        if state is not None:
            counts = positions.lengths or (positions.time,) * len(positions.starts)
            state.positions = [
                start + count for start, count in zip(positions.starts, counts, strict=True)
            ]
        return self.norm(hidden)
