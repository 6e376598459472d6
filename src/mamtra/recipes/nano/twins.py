"""What another voice said, moved to the times at which the main voice said the same sentence.

nano's language model speaks in the main voice's tokens. A decoder that has met another voice only
with that voice's own tokens hears the main voice in its tokens, and draws a blend. So a part of its
batches give it the main voice's tokens and want the other voice's mel features, stretched phone by
phone to the main voice's times.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.corpus.synthetic.manifest import Corpus, Utterance
from mamtra.corpus.synthetic.spoken import MAIN_VOICE


def twins(corpus: Corpus) -> dict[str, Utterance]:
    """For the id of an utterance of another voice, the main voice's reading of the same text.

    Only where both name the same phones and tell their times.
    """
    others = [item for item in corpus.choose("train") if item.voice != MAIN_VOICE]
    texts = {item.text for item in others}
    main = {item.text: item for item in corpus.choose("train", MAIN_VOICE) if item.text in texts}
    found = {}
    for item in others:
        twin = main.get(item.text)
        if twin is not None and item.starts and twin.starts and item.phones == twin.phones:
            found[item.id] = twin
    return found


def moved(
    mel: Float[Tensor, "bins frames"], given: Utterance, wanted: Utterance, hop: int, frames: int
) -> Float[Tensor, "bins moved"]:
    """Mel features at another reading's times.

    Args:
        mel: of ``given``.
        given, wanted: two readings of the same phones, with their times in samples.
        hop: samples of a frame.
        frames: of the result.
    """
    here, there = (
        np.array([0, *np.ravel(list(zip(item.starts, item.ends, strict=True))), item.samples])
        for item in (wanted, given)
    )
    middles = (np.arange(frames) + 0.5) * hop
    places = np.interp(middles, here, there) / hop - 0.5
    places = np.clip(places, 0, mel.shape[1] - 1)
    low = np.floor(places).astype(np.int64)
    share = torch.from_numpy(places - low).float()
    high = np.minimum(low + 1, mel.shape[1] - 1)
    return mel[:, low] * (1 - share) + mel[:, high] * share
