"""Gives the decoder's features back the detail that learning by regression took from them.

A decoder that learns the mean of what may follow draws features that are too even: formants are
flat, and what differs from bin to bin is two thirds of what recordings have. One linear map between
the bins mends the statistics: of all maps that turn the covariance of the drawn features into that
of recordings it moves them least (optimal transport between two normal distributions; Olkin and
Pukelsheim 1982). It becomes a part of the last layer, so it costs nothing when the model speaks.
Older remedies of the same illness: global variance (Toda and Tokuda 2007) and postfilters, of which
``sharpen`` is one: the ripples of a spectrum are made larger (Koishida et al. 1995), formants too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mamtra.acoustic.decoder import Decoder
from mamtra.acoustic.mel import LogMel
from mamtra.corpus.synthetic.manifest import Corpus
from mamtra.errors import CorpusError
from mamtra.recipes.nano.drawer import Drawer
from mamtra.recipes.nano.tokenizer import NANO_MEL

UTTERANCES = 120  # of each voice
LEAST = 1e-9  # eigenvalues of a covariance below are rounding
LARGEST_GAIN = 5.0  # of a direction that the decoder hardly draws; more would magnify rounding
TILT = 3  # coefficients of a frame's cepstrum that tell level and tilt; those after them ripple
Features = Float[Tensor, "bins frames"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detail:
    """``matrix @ (features - drawn) + natural``.

    Attributes:
        matrix: symmetric, between the bins.
        drawn, natural: means of each bin.
    """

    matrix: Float[Tensor, "bins bins"]
    drawn: Float[Tensor, " bins"]
    natural: Float[Tensor, " bins"]


def root(matrix: Float[Tensor, "bins bins"]) -> Float[Tensor, "bins bins"]:
    """The symmetric square root of a covariance."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=LEAST).sqrt()) @ vectors.mT


def spread(moved: Float[Tensor, "bins frames"]) -> Float[Tensor, "bins bins"]:
    """The covariance of features around what was taken off."""
    return moved @ moved.mT / moved.shape[1]


def transport(natural: Sequence[Features], drawn: Sequence[Features]) -> Detail:
    """The map from drawn features to natural ones; each item is all that one voice said.

    Voices count alike, and what lies between their means is a part of the covariances.
    """
    before, after = (
        torch.stack([voice.double().mean(1) for voice in voices]).mean(0)
        for voices in (drawn, natural)
    )
    ours, theirs = (
        torch.stack([spread(voice.double() - mean[:, None]) for voice in voices]).mean(0)
        for voices, mean in ((drawn, before), (natural, after))
    )
    half = root(ours)
    back = torch.linalg.inv(half)
    gains, directions = torch.linalg.eigh(back @ root(half @ theirs @ half) @ back)
    bounded = gains.clamp(1 / LARGEST_GAIN, LARGEST_GAIN)
    return Detail(matrix=(directions * bounded) @ directions.mT, drawn=before, natural=after)


def measure_detail(corpus: Corpus, drawer: Drawer, seed: int = 0) -> Detail:
    """What a trained decoder's features lack, from training utterances of every voice.

    Raises:
        CorpusError: there is no training utterance with tokens.
    """
    features, random = LogMel(NANO_MEL), np.random.default_rng(seed)
    natural: list[Tensor] = []
    drawn: list[Tensor] = []
    for voice in corpus.voices:
        known = [one for one in corpus.choose("train", voice) if one.id in drawer.tokens]
        if not known:
            continue
        count = min(UTTERANCES, len(known))
        chosen = [known[int(n)] for n in random.choice(len(known), count, replace=False)]
        theirs = [features(torch.from_numpy(corpus.audio(one))[None])[0] for one in chosen]
        natural.append(torch.cat(theirs, 1))
        drawn.append(torch.cat([drawer.draw(one).cpu() for one in chosen], 1))
    if not natural:
        raise CorpusError("no training utterance has speech tokens; make them: mamtra nano tokens")
    return transport(natural, drawn)


def map_outputs(layer: nn.Linear, matrix: Float[Tensor, "outs outs"]) -> None:
    """Make a map of a layer's outputs a part of the layer, computed in float64."""
    weight, bias = matrix @ layer.weight.double(), matrix @ layer.bias.double()
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)


@torch.no_grad()
def give_detail(decoder: Decoder, detail: Detail, emphasis: float = 1.0) -> None:
    """Make the map a part of the decoder's last layer.

    Args:
        decoder: without a flow.
        detail: what its features lack.
        emphasis: how far from their mean the mended features are moved.
    """
    head, config = decoder.mean_head, decoder.config
    assert head is not None
    matrix = emphasis * detail.matrix
    shift = matrix @ (config.mel_offset - detail.drawn) + detail.natural - config.mel_offset
    map_outputs(head, matrix)
    head.bias.add_(shift / config.mel_scale)


def ripples(bins: int, factor: float) -> Float[Tensor, "bins bins"]:
    """The map that multiplies the coefficients of a frame's cepstrum from ``TILT`` on.

    Args:
        bins: of the features.
        factor: of the coefficients; 1 changes nothing.
    """
    place = torch.arange(bins, dtype=torch.float64)
    # orthogonal rows, those of the discrete cosine transform (type II)
    cosines = torch.cos(torch.pi / bins * (place + 0.5) * place[:, None])
    basis = cosines / cosines.norm(dim=1, keepdim=True)
    gains = torch.where(place < TILT, 1.0, factor).double()
    return basis.mT @ (gains[:, None] * basis)


@torch.no_grad()
def sharpen(decoder: Decoder, factor: float) -> None:
    """Make ``ripples`` a part of the decoder's last layer.

    Args:
        decoder: without a flow.
        factor: of the ripples; 1 changes nothing.
    """
    head = decoder.mean_head
    assert head is not None
    # offset and scale are the same for all bins, so they are in the first coefficient
    map_outputs(head, ripples(decoder.config.bins, factor))
