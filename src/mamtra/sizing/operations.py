"""Operations of a language model by arithmetic; a multiplication and an addition are two.

Two ways of counting, because published figures use the first and speaking does the second:

    paper     a forward over 2,000 positions at once: the body's linear layers, and attention's
              scores and sums between all pairs of positions, the causal half not left out; no
              head, no recurrence, no convolution. Found by trying: it gives the paper's Table 2
              (1.78, 1.64, 1.58, 1.55, 1.53 TFLOPs for 1:0, 1:1, 1:3, 1:5, 1:11) within 0.01 of
              1.78, 1.64, 1.57, 1.54, 1.52
    token     one step after so many tokens: linear layers, the head over speech ids, attention over
              what is held, and recurrences
"""

from mamtra.backbone import BackboneConfig
from mamtra.backbone.config import ATTENTION
from mamtra.sizing.mixer_sizes import mixer_sizes
from mamtra.speech_lm import SpeechLMConfig

PAPER_POSITIONS = 2000  # "TFLOPs at 2k", its Table 2
MULTIPLY_AND_ADD = 2


def linear_numbers(backbone: BackboneConfig) -> int:
    """Weights of the body's linear layers: mixers and gated networks, no biases, no norms."""
    network = 3 * backbone.mlp_dim * backbone.dim
    mixers = [matrix for kind in backbone.layout for matrix in mixer_sizes(kind, backbone).matrices]
    return sum(matrix.outputs * matrix.inputs for matrix in mixers) + network * backbone.layers


def paper_operations(backbone: BackboneConfig, positions: int = PAPER_POSITIONS) -> float:
    """Operations of a forward over so many positions, as the paper counts them."""
    pairs = backbone.layout.count(ATTENTION) * positions**2
    width = backbone.query_heads * backbone.head_dim
    scores_and_sums = 2 * MULTIPLY_AND_ADD * pairs * width
    return float(MULTIPLY_AND_ADD * linear_numbers(backbone) * positions + scores_and_sums)


def forward_operations(config: SpeechLMConfig, length: float) -> float:
    """Operations of a forward for each token, the head included, averaged over rows so long."""
    backbone = config.backbone
    linear = linear_numbers(backbone) + backbone.dim * config.vocabulary.size
    mixing = sum(mixer_sizes(kind, backbone).operations(length) for kind in backbone.layout)
    return MULTIPLY_AND_ADD * linear + mixing


def token_operations(config: SpeechLMConfig, context: int) -> float:
    """Operations of one generated token when so many are held."""
    return forward_operations(config, 2.0 * context)  # whose mean position holds so many
