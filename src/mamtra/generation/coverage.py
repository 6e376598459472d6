"""Whether every word of a text was said: what the reading head looked at while the model spoke.

The head shows where the model is in its text. It moves from left to right, so each speech id is
given to one text id, in order, by the best such path through the head's attention. A word that few
speech ids fell to was skipped: its measure is how many there are, divided by its text ids.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from mamtra.generation.request import Request
from mamtra.runtime.protocols import SpeechModel, State

# of its attention that a reading head puts on the prompt; a head that was found for other weights
# looks elsewhere and tells nothing
LEAST_MASS = 0.7
FLOOR = 1e-3  # of the attention on a text id: one odd look should not decide the path


def path_through(looked: Float[np.ndarray, "speech text"]) -> Int[np.ndarray, " speech"]:
    """The text id that each speech id says, never going back: the likeliest path of that kind."""
    scores = np.log(looked + FLOOR)
    steps, ids = looked.shape
    numbers = np.arange(ids, dtype=np.int64)
    from_where = np.zeros((steps, ids), np.int64)
    best = scores[0]
    for step in range(1, steps):
        highest = np.maximum.accumulate(best)
        # the last id at which the score so far is reached
        from_where[step] = np.maximum.accumulate(np.where(best == highest, numbers, 0))
        best = scores[step] + highest
    path = np.zeros(steps, np.int64)
    path[-1] = best.argmax()
    for step in range(steps - 1, 0, -1):
        path[step - 1] = from_where[step, path[step]]
    return path


def looks_of_words(looked: Float[np.ndarray, "speech positions"], request: Request) -> list[float]:
    """How long each word was said, in speech ids for each of its text ids.

    Args:
        looked: attention from each speech id onto every position of the prompt.
        request: what was read; its text ids are the last of its last text segment.
    """
    position = text_end = 0
    for segment in request.segments:
        position += len(segment.ids)
        if segment.kind == "text":
            text_end = position
    text = looked[:, text_end - request.text_tokens : text_end]
    counts = np.bincount(path_through(text), minlength=request.text_tokens)
    return [float(counts[start:end].sum()) / (end - start) for start, end in request.words]


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
