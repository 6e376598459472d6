"""Whether every word of a text was said: what the reading head looked at while the model spoke.

Each text id should be looked at for a while. A word that was hardly looked at was skipped: the
measure of a word is how many speech ids looked at it, divided by its text ids.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mamtra.generation.request import Request
from mamtra.runtime.protocols import SpeechModel, State

# of its attention that a reading head puts on the prompt; a head that was found for other weights
# looks elsewhere and tells nothing
LEAST_MASS = 0.7


def looks_of_words(looked: Float[np.ndarray, "speech positions"], request: Request) -> list[float]:
    """How long each word was looked at, in speech ids for each of its text ids.

    Args:
        looked: attention from each speech id onto every position of the prompt.
        request: what was read; its text ids are the last of its last text segment.
    """
    position = text_end = 0
    for segment in request.segments:
        position += len(segment.ids)
        if segment.kind == "text":
            text_end = position
    first = text_end - request.text_tokens
    sums = looked.sum(axis=0)
    return [float(sums[first + a : first + b].sum()) / (b - a) for a, b in request.words]


def coverage_of(
    model: SpeechModel, request: Request, speech: Sequence[int], state: State, row: int
) -> float | None:
    """The share of a text's words that were read; None where the model cannot tell.

    Args:
        model: what spoke.
        request: what it was asked to say.
        speech: the ids that it drew.
        state: of the running batch, before the row is given away.
        row: of the text.
    """
    reading = model.reading
    if reading is None or not request.words or not speech:
        return None
    looked = model.looked(request.segments, speech, state, row)
    if looked.sum(axis=1).mean() < LEAST_MASS:
        return None
    pairs = zip(looks_of_words(looked, request), request.words, strict=True)
    looks = [look for look, (start, end) in pairs if end - start >= reading.shortest]
    return sum(look >= reading.least for look in looks) / len(looks) if looks else None
