"""How many bytes a model needs, by arithmetic on its sizes: nothing is allocated.

Weights are counted from the shapes of the layers, keys and values from the tokens they hold, scan
states from their one fixed size. What is transient is estimated only: the largest thing that lives
while a prompt is read (``prefill_bytes``). Tests hold the first three to what is really allocated.

Dtype rule: scan states are float32 in every case; keys, values and the windows of convolutions have
the type of the activations, which is that of the weights, and float32 beside ``int8`` weights.
"""

from dataclasses import dataclass

import torch
from torch import nn

from mamtra.acoustic.decoder import Decoder
from mamtra.acoustic.vocoder import Vocoder
from mamtra.backbone import BackboneConfig
from mamtra.backbone.config import ATTENTION, KINDS
from mamtra.backbone.state import GROWTH_TOKENS
from mamtra.runtime.torch.cuda_graph import length_for
from mamtra.runtime.torch.int8 import Int8Linear
from mamtra.sizing.matrix import BYTES, EXACT, Matrix, activation_bytes
from mamtra.sizing.mixer_sizes import mixer_sizes
from mamtra.sizing.sizes import ModelSizes
from mamtra.speech_lm import SpeechLMConfig
from mamtra.speech_lm.conditioning_config import ConditioningConfig
from mamtra.speech_lm.vocabulary import SPECIAL_ROWS


def layer_bytes(kind: str, config: BackboneConfig, dtype: str) -> int:
    """Weights of one layer: mixer, gated network and two norms."""
    network = [Matrix(config.mlp_dim, config.dim)] * 2 + [Matrix(config.dim, config.mlp_dim)]
    mixer = mixer_sizes(kind, config)
    matrices = [*mixer.matrices, *network]
    rest = mixer.rest + 2 * config.dim
    return sum(matrix.nbytes(dtype) for matrix in matrices) + rest * activation_bytes(dtype)


def speech_lm_bytes(config: SpeechLMConfig, dtype: str) -> int:
    """Weights of the language model: tables, layers, last norm, head.

    Tables are only looked up: with 8-bit weights they have 16 bit.
    """
    sizes, speech, exact = config.backbone, config.vocabulary.size, activation_bytes(dtype)
    looked_up = (config.text_vocabulary + speech) * sizes.dim * min(exact, 2 * BYTES[dtype])
    rest = SPECIAL_ROWS * sizes.dim + conditioning_numbers(config.conditioning, sizes.dim)
    return looked_up + rest * exact + read_bytes(config, dtype)


def conditioning_numbers(config: ConditioningConfig | None, dim: int) -> int:
    """Weights that read a voice, and learned positions; 0 for a model without (None)."""
    if config is None:
        return 0
    positions = config.text_positions + config.speech_positions
    speaker = config.speaker_dim + 2  # a bias, and the vector of the emotion
    resampler = 4 * (dim + 1) + 2 + config.prompt_queries
    return (positions + speaker + resampler) * dim


def read_bytes(config: SpeechLMConfig, dtype: str) -> int:
    """Weights that are read for each token: layers, last norm, head."""
    sizes = config.backbone
    layers = sum(layer_bytes(kind, sizes, dtype) for kind in sizes.layout)
    head = Matrix(config.vocabulary.size, sizes.dim, bias=True).nbytes(dtype)
    return layers + head + sizes.dim * activation_bytes(dtype)


def read_numbers(config: SpeechLMConfig) -> int:
    """The same, counted in weights."""
    return read_bytes(config, "float32") // EXACT


def held_bytes(module: nn.Module) -> int:
    """Bytes of a module's weights and tables, 8-bit ones included."""
    floats = sum(tensor.nbytes for tensor in [*module.parameters(), *module.buffers()])
    return floats + sum(part.nbytes for part in module.modules() if isinstance(part, Int8Linear))


def acoustic_bytes(sizes: ModelSizes) -> dict[str, int]:
    """Weights of decoder and vocoder in float32, as far as the model has them.

    Their modules are built on PyTorch's ``meta`` device, which knows shapes and holds nothing.
    """
    found = {}
    with torch.device("meta"):
        if sizes.decoder is not None:
            found["decoder"] = held_bytes(Decoder(sizes.decoder))
        if sizes.vocoder is not None:
            found["vocoder"] = held_bytes(Vocoder(sizes.vocoder))
    return found


def capacity_of(tokens: int, engine: str = "eager") -> int:
    """Tokens that a key/value memory has room for once it holds ``tokens``.

    It grows in steps; steps recorded as CUDA graphs look at a power of two.
    """
    if engine == "graph":
        return length_for(tokens)
    return -(-tokens // GROWTH_TOKENS) * GROWTH_TOKENS


def token_bytes(config: BackboneConfig, dtype: str) -> int:
    """Keys and values of one token in one attention layer."""
    return 2 * config.kv_heads * config.head_dim * activation_bytes(dtype)


def scan_bytes(config: BackboneConfig, dtype: str, kind: str) -> int:
    """State of one recurrent layer: the recurrence in float32, the convolution's window."""
    sizes = mixer_sizes(kind, config)
    return sizes.recurrence * EXACT + sizes.window * activation_bytes(dtype)


def recurrent_kind(config: BackboneConfig) -> str:
    """The first kind of the layout that is not attention; Mamba where there is none."""
    return next((kind for kind in config.layout if kind != ATTENTION), "M")


@dataclass(frozen=True, slots=True)
class StateBytes:
    """Memory of streams: what grows with their length, and what does not."""

    key_values: int
    scans: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.key_values + self.scans


def state_bytes(
    config: BackboneConfig, tokens: int, streams: int, dtype: str, engine: str = "eager"
) -> StateBytes:
    """States of ``streams`` rows that hold ``tokens`` each."""
    attention = config.layout.count(ATTENTION)
    scans = sum(scan_bytes(config, dtype, kind) for kind in config.layout)
    return StateBytes(
        attention * capacity_of(tokens, engine) * token_bytes(config, dtype) * streams,
        scans * streams,
    )


def break_even_tokens(config: BackboneConfig, dtype: str) -> int:
    """Length beyond which a recurrent layer holds less than attention; no growth steps counted."""
    return -(-scan_bytes(config, dtype, recurrent_kind(config)) // token_bytes(config, dtype))


def paper_break_even_tokens(config: BackboneConfig) -> int:
    """The same in the paper's accounting: numbers of one width, and a window one token wider."""
    kind = recurrent_kind(config)
    sizes, variant = mixer_sizes(kind, config), KINDS[kind].variant(config)
    numbers = sizes.recurrence + variant.conv_width * variant.channels
    return -(-numbers // (2 * config.kv_heads * config.head_dim))


def prefill_bytes(config: BackboneConfig, tokens: int, streams: int, dtype: str) -> int:
    """An estimate of what lives besides weights and states while prompts are read.

    The widest layer counts: three copies of the gated network's width, or what its mixer holds.
    Fused kernels need less.
    """
    width = activation_bytes(dtype)
    wide = [3 * config.mlp_dim * width]
    for kind in sorted(set(config.layout)):
        plain, exact = mixer_sizes(kind, config).prefill
        wide.append(plain * width + exact * EXACT)
    return (max(wide) + 4 * config.dim * width) * tokens * streams
