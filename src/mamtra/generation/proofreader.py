"""Whether speech ids say the phones of their text, found out before they are sounded.

A small network names the phone of each 20 ms of the ids (``acoustic/phone_recogniser``, here in
numpy, so that every engine has it). The text's phones are laid along them in order, by the best
such path; a phone for which the network finds others far likelier wherever it could lie was left
out or said otherwise. Words in letters may sound like anything, and pauses may lie between words.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from mamtra.acoustic.config import CLASSES, FLAP, HALVES, LEVELS, PAUSE, ProofreaderConfig
from mamtra.errors import ModelError

FLAPPED = tuple(CLASSES.index(phone) for phone in ("t", "d"))
ANYTHING = -1  # stands for a word in letters in a text's phones
UNKNOWN = -1.0  # log likelihood of any frame within such a word, below the best phone's
FLOOR = -8.0  # log probabilities below are the same to a path
TOGETHER = 4  # rows of a product: so few that BLAS wakes no threads, which would spin on
MOST_PLACES = 4_000_000  # of a path, about a minute of speech; longer pieces are not proofread
NORM_EPS = 1e-5  # torch.nn.LayerNorm's

Word = tuple[int, ...]


def product(
    rows: Float[np.ndarray, "rows width"], matrix: Float[np.ndarray, "width outs"]
) -> Float[np.ndarray, "rows outs"]:
    """Rows times a matrix, a few at a time."""
    parts = [rows[first : first + TOGETHER] @ matrix for first in range(0, len(rows), TOGETHER)]
    return np.concatenate(parts)


class Proofreader:
    """The network in numpy, and the path of a text's phones through what it says.

    Args:
        config: its sizes, and when a phone counts as misread.
        weights: by name, as ``acoustic/phone_recogniser`` keeps them.

    Raises:
        ModelError: a weight is missing, or of another shape.
    """

    def __init__(self, config: ProofreaderConfig, weights: Mapping[str, np.ndarray]) -> None:
        self.config = config
        dim, outs = config.dim, HALVES * len(CLASSES)
        shapes = {
            "embedding.weight": (dim, LEVELS * config.digits),
            "embedding.bias": (dim,),
            "output.weight": (outs, dim),
            "output.bias": (outs,),
        }
        for layer in range(config.layers):
            shapes |= {
                f"norms.{layer}.weight": (dim,),
                f"norms.{layer}.bias": (dim,),
                f"convs.{layer}.weight": (dim, dim, config.kernel),
                f"convs.{layer}.bias": (dim,),
            }
        found = {name: weight.shape for name, weight in weights.items()}
        if found != shapes:
            wrong = sorted(n for n in {*found, *shapes} if found.get(n) != shapes.get(n))
            raise ModelError(f"weights of the proofreader do not fit its sizes: {', '.join(wrong)}")
        self.weights = {name: weight.astype(np.float32) for name, weight in weights.items()}
        self.places = LEVELS ** np.arange(config.digits)
        self.columns = np.arange(config.digits) * LEVELS  # of each digit's first level
        # (taps, inputs, outputs) in one matrix: a row of inputs is all that an output sees
        self.kernels = [
            self.weights[f"convs.{layer}.weight"].transpose(2, 1, 0).reshape(-1, dim)
            for layer in range(config.layers)
        ]

    def phones(self, ids: Sequence[int]) -> Float[np.ndarray, "halves classes"]:
        """Log probabilities of the classes for each half of each speech id."""
        weights, kernel = self.weights, self.config.kernel
        digits = np.asarray(ids)[:, None] // self.places % LEVELS
        table = weights["embedding.weight"].T
        hidden = table[digits + self.columns].sum(1) + weights["embedding.bias"]
        for layer, matrix in enumerate(self.kernels):
            centred = hidden - hidden.mean(-1, keepdims=True)
            scaled = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + NORM_EPS)
            normed = scaled * weights[f"norms.{layer}.weight"] + weights[f"norms.{layer}.bias"]
            padded = np.pad(normed.clip(0), ((kernel // 2, kernel // 2), (0, 0)))
            seen = np.lib.stride_tricks.sliding_window_view(padded, kernel, 0)
            rows = seen.transpose(0, 2, 1).reshape(len(hidden), -1)
            hidden = hidden + product(rows, matrix) + weights[f"convs.{layer}.bias"]
        out = product(hidden, weights["output.weight"].T) + weights["output.bias"]
        logits = out.reshape(-1, len(CLASSES))
        logits -= logits.max(-1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(-1, keepdims=True))

    def misread(self, ids: Sequence[int], words: Sequence[Word]) -> float:
        """How badly ids say a text: 0 where each phone is found, else more the more is wrong.

        Args:
            ids: speech ids, at least one.
            words: classes of each word's phones; ``(ANYTHING,)`` for one in letters.
        """
        return misread_by(self.phones(ids), words, self.config.least)


def word_of(phones: Sequence[str]) -> Word:
    """The classes of a word's phones; of a word without phones, anything."""
    return tuple(CLASSES.index(phone) for phone in phones) or (ANYTHING,)


def states_of(words: Sequence[Word]) -> tuple[Int[np.ndarray, " states"], list[bool]]:
    """What a path goes through: phones, and pauses around words; which of them may be skipped."""
    states = [PAUSE, *(state for word in words for state in (*word, PAUSE))]
    optional = [True, *(last for word in words for last in [*[False] * len(word), True])]
    return np.array(states), optional


def path_through(
    scores: Float[np.ndarray, "halves states"], optional: Sequence[bool]
) -> Int[np.ndarray, " halves"]:
    """The likeliest path that stays, goes on by one state, or skips an optional one."""
    count, never = scores.shape[1], -np.inf
    # a state is entered from the one before, or from the one before that if what lies between may
    # be skipped
    over = np.array([place > 1 and optional[place - 1] for place in range(count)])
    best = np.full(count, never)
    best[: 1 + optional[0]] = scores[0, : 1 + optional[0]]
    moves = np.zeros(scores.shape, np.int8)
    for half in range(1, len(scores)):
        ways = np.full((3, count), never)
        ways[0] = best
        ways[1, 1:] = best[:-1]
        ways[2, 2:] = np.where(over[2:], best[:-2], never)
        moves[half] = ways.argmax(0)
        best = ways.max(0) + scores[half]
    last = count - 1
    if optional[last] and count > 1 and best[last - 1] > best[last]:
        last -= 1
    path = np.zeros(len(scores), np.int64)
    for half in range(len(scores) - 1, -1, -1):
        path[half] = last
        last -= int(moves[half, last])
    return path


def misread_by(
    found: Float[np.ndarray, "halves classes"], words: Sequence[Word], least: float
) -> float:
    """How badly a text's phones are found: 0 where none lies below ``least``, else their sum.

    Args:
        found: log probabilities of the classes, at least one row.
        words: classes of each word's phones; ``(ANYTHING,)`` for one in letters.
        least: a phone is misread below this.
    """
    states, optional = states_of(words)
    if len(found) * len(states) > MOST_PLACES:
        return 0.0
    if len(found) < optional.count(False):
        return -FLOOR * optional.count(False)
    below = np.maximum(found, FLOOR) - found.max(-1, keepdims=True)
    for phone in FLAPPED:
        below[:, phone] = np.maximum(below[:, phone], below[:, CLASSES.index(FLAP)])
    scores = np.where(states == ANYTHING, UNKNOWN, below[:, states])
    path = path_through(scores, optional)
    times = np.bincount(path, minlength=len(states))
    sums = np.bincount(path, scores[np.arange(len(path)), path], len(states))
    asked = (times > 0) & (states != ANYTHING) & ~np.array(optional)
    means = sums[asked] / times[asked]
    if not len(means) or means.min() >= least:
        return 0.0
    return float(-means.sum())
