"""Drawing the next id of each row where its logits are, by the rules of ``generation/sampling.py``.

A program draws for one row: the most probable ids until they hold ``top_p`` or are ``TOP_K``, one
of them in proportion; and if that one filled its share of the last few, another one of all the
rest. Random numbers were brought beforehand, as many as a draw may use, in a ring for each row.

Dtype rule: probabilities are float64, as there; the most probable ids are found by their logits.

Axes: k ids that were kept.
"""

from typing import no_type_check

import triton  # pyright: ignore[reportMissingImports]
import triton.language as tl  # pyright: ignore[reportMissingImports]


@triton.jit
@no_type_check
def fallen(weights, share):
    """The entry at which the summed weights pass a share of their sum, from 0 to 1."""
    ends = tl.cumsum(weights, 0)
    whole = tl.max(ends, 0)
    index = tl.sum((ends <= share * whole).to(tl.int32), 0)
    # a product that rounds up to the sum itself belongs to the last entry with a weight
    return tl.minimum(index, tl.sum((ends < whole).to(tl.int32), 0))


@triton.jit
@no_type_check
def most_probable(
    logits, temperature, peak, total, top_p, at, TOP_K: tl.constexpr, KEPT: tl.constexpr
):
    """Probabilities and ids of the most probable ids, best first; zeros behind them."""
    place = tl.arange(0, KEPT)
    kept, kept_ids = tl.zeros((KEPT,), tl.float64), tl.zeros((KEPT,), tl.int32)
    count, held = tl.sum(kept_ids, 0), tl.sum(kept, 0)
    left = tl.where(total > 0, logits, 0.0)  # a sum of what are not numbers is above nothing
    while (count < TOP_K) & (held < top_p):
        logit, best = tl.max(left, 0, return_indices=True)
        share = tl.exp(logit.to(tl.float64) / temperature - peak) / total
        kept = tl.where(place == count, share, kept)
        kept_ids = tl.where(place == count, best, kept_ids)
        left = tl.where(at == best, float("-inf"), left)
        count, held = count + 1, held + share
    return kept, kept_ids


@triton.jit(do_not_specialize=["first"])  # one machine code for all rows
@no_type_check
def draw(
    logits, never, limits, least, uniforms, recent, spoken, used, ids, drawn, first,
    OUTS: tl.constexpr, BLOCK: tl.constexpr, TOP_K: tl.constexpr, KEPT: tl.constexpr,
    WINDOW: tl.constexpr, WINDOW_BLOCK: tl.constexpr, NEEDED: tl.constexpr,
    RING: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """Draw an id for each row of logits and note it; the first ones are those of row ``first``.

    ``never`` marks the ids that may not come: in its second half while the end may not. ``limits``
    are temperature and ``top_p``, which would be float32 as plain arguments. ``ids`` is
    read by the next step, ``drawn`` by the processor: the id, -1 where logits are not numbers, and
    how many random numbers were used. With ``NEEDED`` of 0 no id is drawn again.
    """
    if EARLY:
        tl.extra.cuda.gdc_launch_dependents()
    row, at = first + tl.program_id(0), tl.arange(0, BLOCK)
    said, turn = tl.load(spoken + row), tl.load(used + row)
    barred = never + tl.where(said < tl.load(least + row), OUTS, 0)
    possible = (at < OUTS) & (tl.load(barred + at, mask=at < OUTS, other=1) == 0)
    if EARLY:
        tl.extra.cuda.gdc_wait()
    own = logits + tl.program_id(0) * OUTS + at
    given = tl.load(own, mask=at < OUTS, other=0.0).to(tl.float32)
    given = tl.where(possible, given, float("-inf"))
    temperature, top_p = tl.load(limits), tl.load(limits + 1)
    peak = tl.max(given, 0).to(tl.float64) / temperature
    total = tl.sum(tl.exp(given.to(tl.float64) / temperature - peak), 0)

    kept, kept_ids = most_probable(given, temperature, peak, total, top_p, at, TOP_K, KEPT)
    index = fallen(kept, tl.load(uniforms + row * RING + turn % RING))
    chosen = tl.sum(tl.where(tl.arange(0, KEPT) == index, kept_ids, 0), 0)
    turn += 1

    if NEEDED > 0:
        slot = tl.arange(0, WINDOW_BLOCK)
        last = tl.load(recent + row * WINDOW_BLOCK + slot, mask=slot < WINDOW, other=-1)
        if tl.sum((last == chosen).to(tl.int32), 0) >= NEEDED:
            others = tl.where(at == chosen, float("-inf"), given)
            highest = tl.max(others, 0)
            if highest > float("-inf"):
                above = others.to(tl.float64) - highest.to(tl.float64)
                weights = tl.exp(above / temperature)
                chosen = fallen(weights, tl.load(uniforms + row * RING + turn % RING))
                turn += 1
    tl.store(recent + row * WINDOW_BLOCK + said % WINDOW, chosen)
    tl.store(spoken + row, said + 1)
    tl.store(used + row, turn)
    tl.store(ids + row, chosen.to(tl.int64))
    tl.store(drawn + 2 * row, tl.where(total > 0, chosen, -1).to(tl.int64))
    tl.store(drawn + 2 * row + 1, turn.to(tl.int64))
