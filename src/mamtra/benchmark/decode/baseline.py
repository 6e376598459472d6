"""How the original speaks, as a stand-in to compare with: transformers' Qwen2 in float32.

CosyVoice 2 runs its language model as a ``Qwen2ForCausalLM`` that it never uses as one. What costs
time and memory in that is kept here (read in its public code, see NOTICE):

- weights, activations and cache are float32;
- the logits over all 151,936 text ids are computed for every position, at every step, and unused;
- the hidden states of all layers are kept for the sake of the last one;
- the cache grows by concatenation, a new tensor in every layer for every token.

The speech ids come from a head of their own. Drawing an id is left to the caller, who uses mamtra's
own sampling: the original's takes longer. The mask is left out, as a correct one lets a token see
everything before it anyway.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mamtra.backbone.config import ATTENTION
from mamtra.benchmark.random_weights import fill_randomly
from mamtra.errors import ConfigError, require
from mamtra.speech_lm import Segment, SpeechLMConfig
from mamtra.speech_lm.vocabulary import SPECIAL_ROWS

EXTRA = "bench"


def transformers() -> Any:
    """The package, with the model's file loaded.

    Raises:
        MissingExtraError: it is not installed.
    """
    package = require("transformers", EXTRA)
    require("transformers.models.qwen2.modeling_qwen2", EXTRA)
    return package


@dataclass(slots=True)
class BaselineState:
    """The cache of transformers, and how many tokens are in it."""

    cache: Any
    positions: list[int]

    @property
    def nbytes(self) -> int:
        """Bytes of keys and values."""
        return sum(layer.keys.nbytes + layer.values.nbytes for layer in self.cache.layers)

    def fill(self, tokens: int, kv_heads: int, head_dim: int, layers: int) -> None:
        """Put random keys and values of so many tokens into an empty cache."""
        for layer in range(layers):
            shape = (len(self.positions), kv_heads, tokens, head_dim)
            self.cache.update(torch.randn(shape), torch.randn(shape), layer)
        self.positions = [tokens] * len(self.positions)


class Baseline(nn.Module):
    """A language model with the same calls as ours, run as the original runs its own."""

    def __init__(self, config: SpeechLMConfig) -> None:
        super().__init__()
        package = transformers()
        backbone = config.backbone
        if set(backbone.layout) != {ATTENTION}:
            raise ConfigError(
                f"the original has attention only, not the layout {backbone.layout}; use 1:0"
            )
        if config.conditioning is not None:
            raise ConfigError(
                "the baseline runs CosyVoice's language model, which reads no voice and is not "
                "guided; leave it out of --targets"
            )
        self.config, self.backbone, self.vocabulary = config, backbone, config.vocabulary
        self.language_model = package.Qwen2ForCausalLM(
            package.Qwen2Config(
                vocab_size=config.text_vocabulary,
                hidden_size=backbone.dim,
                intermediate_size=backbone.mlp_dim,
                num_hidden_layers=backbone.layers,
                num_attention_heads=backbone.query_heads,
                num_key_value_heads=backbone.kv_heads,
                head_dim=backbone.head_dim,
                rms_norm_eps=backbone.rms_eps,
                tie_word_embeddings=True,
            )
        )
        size = self.vocabulary.size
        self.special_embedding = nn.Embedding(SPECIAL_ROWS, backbone.dim)
        self.speech_embedding = nn.Embedding(size, backbone.dim)
        self.head = nn.Linear(backbone.dim, size)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.head.weight.device

    def new_state(self, batch: int, capacity_hint: int = 0) -> BaselineState:
        """An empty cache; it makes no room in advance."""
        del capacity_hint
        return BaselineState(transformers().DynamicCache(), [0] * batch)

    def table(self, kind: str) -> nn.Module:
        """The embedding of a kind of ids."""
        match kind:
            case "text":
                return self.language_model.get_input_embeddings()
            case "speech":
                return self.speech_embedding
            case _:
                return self.special_embedding

    def forward(
        self, inputs: Float[Tensor, "batch time dim"], state: BaselineState
    ) -> Float[Tensor, "batch ids"]:
        """Continue each row; logits of the next speech id."""
        output = self.language_model(
            inputs_embeds=inputs,
            past_key_values=state.cache,
            use_cache=True,
            output_hidden_states=True,
        )
        state.cache = output.past_key_values
        state.positions = [position + inputs.shape[1] for position in state.positions]
        return self.head(output.hidden_states[-1][:, -1])

    @torch.inference_mode()
    def read(
        self, rows: Sequence[Sequence[Segment]], state: BaselineState
    ) -> Float[Tensor, "batch ids"]:
        """Continue each row by segments; rows must be equally long."""
        embedded = [
            torch.cat(
                [
                    self.table(segment.kind)(torch.tensor(segment.ids, device=self.device))
                    for segment in row
                ]
            )
            for row in rows
        ]
        return self(torch.stack(embedded), state)

    @torch.inference_mode()
    def step(self, ids: Int[Tensor, " batch"], state: BaselineState) -> Float[Tensor, "batch ids"]:
        """Continue each row by one speech id; logits of the next."""
        return self(self.speech_embedding(ids)[:, None], state)


def new_baseline(
    config: SpeechLMConfig, device: torch.device | str = "cpu", seed: int = 0
) -> Baseline:
    """The stand-in with random float32 weights.

    Raises:
        MissingExtraError: transformers is not installed.
        ConfigError: the model is a hybrid, or guided.
    """
    torch.manual_seed(seed)
    with torch.device("meta"):
        model = Baseline(config)
    model = model.to_empty(device=device)
    inner = model.language_model.model
    # its frequencies are computed when it is made, and are no weights
    inner.rotary_emb = type(inner.rotary_emb)(config=inner.config).to(device)
    model.language_model.tie_weights()
    with torch.no_grad():
        for parameter in model.parameters():
            fill_randomly(parameter)
    return model.eval().requires_grad_(False)
