"""The inner loops of attention: scores, weights, and sums of weighed values.

What is needed next is asked for while this is computed: values during the scores, and the following
keys during the sums.

Axes: places, and the eight queries of a pack.
"""

from typing import no_type_check

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mamtra.runtime.torch.compiled.arithmetic import LN_2_HIGH, LN_2_LOW, LOG2_E, LOWEST, SERIES
from mamtra.runtime.torch.compiled.loops import AT, COUNT, EXACT, FOUR, LONG, WHOLE, Value, Writer
from mamtra.runtime.torch.cpu_features import vector_bits

WIDE = vector_bits() == 512  # else there are only half as many registers, too
QUERIES = 8  # that share the reading of keys and values: a pack
PLACES = 8 if WIDE else 4  # whose keys are multiplied together
COLUMNS = 16 if WIDE else 8  # of values that are summed together


def write_scores(writer: Writer, places: int, given: list[Value]) -> None:
    """Keys of some places times eight queries, two numbers of each at a time."""
    build, both = writer.build, ir.VectorType(EXACT, 2 * QUERIES)
    pairs, single = ir.VectorType(ir.DoubleType(), QUERIES), ir.VectorType(EXACT, QUERIES)
    *addresses, width = given
    keys, values, queries, scores, largest = writer.at(*addresses)
    fused = writer.fused(both)

    def add_pair(index: Value, totals: list[Value]) -> list[Value]:
        line = writer.times(index, 2 * FOUR * places)
        writer.ask(writer.moved(values, line))
        query = writer.loaded(writer.moved(queries, writer.times(index, FOUR * both.count)), both)
        results = []
        for place, total in enumerate(totals):
            at = build.add(writer.times(width, FOUR * place), writer.times(index, 2 * FOUR))
            key = build.bitcast(writer.spread(writer.moved(keys, at), pairs), both)
            results.append(build.call(fused, [key, query, total]))
        return results

    results = writer.repeat(build.udiv(width, ir.Constant(LONG, 2)), places, both, add_pair)
    high, nothing = writer.loaded(largest, single), ir.Constant(both, ir.Undefined)
    kind = ir.VectorType(WHOLE, QUERIES)
    even, odd = (ir.Constant(kind, list(range(n, 2 * QUERIES, 2))) for n in (0, 1))
    for place, result in enumerate(results):
        halves = (build.shuffle_vector(result, nothing, picked) for picked in (even, odd))
        score = build.fadd(*halves)
        writer.keep(score, writer.moved(scores, FOUR * QUERIES * place))
        high = build.select(build.fcmp_ordered(">", score, high), score, high)
    writer.keep(high, largest)


def write_weigh(writer: Writer, given: list[Value]) -> None:
    """Scores become e to the power of what they are below the largest; two places at a time."""
    build, both = writer.build, ir.VectorType(EXACT, 2 * QUERIES)
    *addresses, places = given
    scores, largest = writer.at(*addresses)
    single, whole = ir.VectorType(EXACT, QUERIES), ir.VectorType(WHOLE, both.count)
    fused = writer.fused(both)
    rounded = writer.known(f"llvm.rint.v{both.count}f32", both, [both])
    order = ir.Constant(whole, [*range(QUERIES)] * 2)
    high = build.shuffle_vector(
        writer.loaded(largest, single), ir.Constant(single, ir.Undefined), order
    )

    def all_of(number: float) -> ir.Constant:
        return ir.Constant(both, [number] * both.count)

    def weigh_pair(index: Value, _totals: list[Value]) -> list[Value]:
        at = writer.moved(scores, writer.times(index, FOUR * both.count))
        x = build.fsub(writer.loaded(at, both), high)
        x = build.select(build.fcmp_ordered(">", x, all_of(LOWEST)), x, all_of(LOWEST))
        power = build.call(rounded, [build.fmul(x, all_of(LOG2_E))])
        rest = build.call(fused, [power, all_of(-LN_2_HIGH), x])
        rest = build.call(fused, [power, all_of(-LN_2_LOW), rest])
        series = all_of(SERIES[0])
        for term in SERIES[1:]:
            series = build.call(fused, [series, rest, all_of(term)])
        bits = build.add(build.fptosi(power, whole), ir.Constant(whole, [127] * both.count))
        scale = build.bitcast(build.shl(bits, ir.Constant(whole, [23] * both.count)), both)
        writer.keep(build.fmul(series, scale), at)
        return []

    pairs = build.udiv(build.add(places, ir.Constant(LONG, 1)), ir.Constant(LONG, 2))
    writer.repeat(pairs, 0, both, weigh_pair)


def write_mix(writer: Writer, columns: int, given: list[Value]) -> None:
    """Some columns of the values of some places, weighed for eight queries."""
    build, kind = writer.build, ir.VectorType(EXACT, COLUMNS)
    *addresses, width, places = given
    values, later, weights, out = writer.at(*addresses)
    fused = writer.fused(kind)
    parts = range(0, columns, COLUMNS)

    def add_one(index: Value, totals: list[Value]) -> list[Value]:
        row, given = build.mul(index, writer.times(width, FOUR)), []
        for part in parts:
            writer.ask(writer.moved(writer.moved(later, row), FOUR * part))
            given.append(writer.loaded(writer.moved(writer.moved(values, row), FOUR * part), kind))
        mine, results = writer.moved(weights, writer.times(index, FOUR * QUERIES)), []
        for query in range(QUERIES):
            weight = writer.spread(writer.moved(mine, FOUR * query), kind)
            for value in given:
                results.append(build.call(fused, [weight, value, totals[len(results)]]))
        return results

    results = writer.repeat(places, QUERIES * len(parts), kind, add_one)
    for place, result in enumerate(results):
        query, part = divmod(place, len(parts))
        start = writer.moved(out, writer.times(width, FOUR * query))
        writer.keep(result, writer.moved(start, FOUR * parts[part]))


def scores(places: int):
    """A compiled loop: ``(keys, values, queries, scores, largest, width)``.

    All but the width are addresses: of ``places width``, of as much that is needed next, of
    ``width/2 8 2``, of ``places 8``, which is overwritten, and of ``8``, which is raised to the
    largest scores.
    """
    signature = types.void(*[AT] * 5, COUNT)

    @intrinsic
    @no_type_check
    def loop(_context, _keys, _values, _queries, _scores, _largest, _width):
        def write(context, build, _signature, given):
            write_scores(Writer(build), places, list(given))
            return context.get_dummy_value()

        return signature, write

    return loop


@intrinsic
@no_type_check
def weigh(_context, _scores, _largest, _places):
    """Turn scores into weights.

    Addresses of the scores, ``places 8``, which are overwritten, and of the largest, ``8``. Where
    the number of places is odd, a row behind them is overwritten as well.
    """

    def write(context, build, _signature, given):
        write_weigh(Writer(build), list(given))
        return context.get_dummy_value()

    return types.void(AT, AT, COUNT), write


def mix(columns: int):
    """A compiled loop over the places of some columns: ``(values, later, weights, out, width,
    places)``.

    Addresses of ``places width``, of which some columns are read, of as much that is needed next,
    of the weights, ``places 8``, and of the results, ``8 width``, of which as many columns are
    overwritten.
    """

    @intrinsic
    @no_type_check
    def loop(_context, _values, _later, _weights, _out, _width, _places):
        def write(context, build, _signature, given):
            write_mix(Writer(build), columns, list(given))
            return context.get_dummy_value()

        return types.void(*[AT] * 4, COUNT, COUNT), write

    return loop


one_place, some_places = scores(1), scores(PLACES)
one_column_block, two_column_blocks = mix(COLUMNS), mix(2 * COLUMNS)
