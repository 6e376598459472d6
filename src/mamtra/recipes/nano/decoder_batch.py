"""What nano's decoder learns from at a time: utterances, each with another of its voice.

How often a voice is heard is decided here as well.
"""

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mamtra.acoustic.token_encoder import length_mask
from mamtra.corpus.synthetic.manifest import Utterance
from mamtra.corpus.synthetic.spoken import MAIN_VOICE


@dataclass(slots=True, kw_only=True)
class DecoderBatch:
    """Tokens of several utterances and the mel features that the decoder should draw.

    Attributes:
        said: the utterance that the tokens of each row are of.
        partners: for each row another one of the same voice, or itself where it is alone.
    """

    tokens: Int[Tensor, "batch tokens"]
    lengths: Int[Tensor, "batch"]
    mel: Float[Tensor, "batch bins frames"]
    said: list[Utterance]
    partners: list[int]

    @property
    def content(self) -> Bool[Tensor, "batch frames"]:
        """True in the frames that belong to an utterance."""
        return length_mask(self.lengths * 2, self.mel.shape[-1])

    def to(self, device: str) -> "DecoderBatch":
        """The same batch on another device."""
        return replace(
            self,
            tokens=self.tokens.to(device),
            lengths=self.lengths.to(device),
            mel=self.mel.to(device),
        )


def partners(voices: list[str], random: np.random.Generator) -> list[int]:
    """For each row another row of the same voice: the next one in a random ring."""
    rings: dict[str, list[int]] = defaultdict(list)
    for row in random.permutation(len(voices)):
        rings[voices[row]].append(int(row))
    after = {
        row: ring[(at + 1) % len(ring)] for ring in rings.values() for at, row in enumerate(ring)
    }
    return [after[row] for row in range(len(voices))]


def balanced(utterances: list[Utterance], main_share: float) -> list[Utterance]:
    """Repeat the utterances of the other voices until the main voice has about its share."""
    main = [utterance for utterance in utterances if utterance.voice == MAIN_VOICE]
    rest = [utterance for utterance in utterances if utterance.voice != MAIN_VOICE]
    wanted = len(main) * (1 - main_share) / main_share
    return main + rest * max(1, round(wanted / max(1, len(rest))))
