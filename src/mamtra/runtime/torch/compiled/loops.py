"""Writes the inner loops of products and attention in the language of LLVM.

A compiler turns a loop over the numbers of a row into good code by itself. Not so where many sums
must stay in registers at once, an instruction is wanted that has no counterpart in Python, or
memory is to be asked for ahead of time. Those few loops are written with what is in here.

Axes: none; addresses, numbers of bytes, and registers.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

FOUR = 4  # bytes of a float32, and 8-bit numbers that are multiplied by one instruction
LINE = 64  # bytes that come from memory at once

BYTE, WHOLE, LONG, ADDRESS = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.PointerType()
EXACT = ir.FloatType()
Value = Any  # of the code that is written; llvmlite declares no types
AT, COUNT = types.uintp, types.intp  # what numba calls an address and a number

# How numba compiles. It keeps the result on disk, lets other threads run meanwhile, and divides as
# numpy does.
QUICK = {"cache": True, "nogil": True, "error_model": "numpy"}
ANY_ORDER = {"nsz", "reassoc", "contract"}  # of a sum along a row, the same for every row
FUSED = {"contract"}  # a product and a sum may become one operation


class Writer:
    """Writes inner loops whose sums stay in registers, for the intrinsics of its neighbours."""

    def __init__(self, build: Any) -> None:
        self.build = build
        self.prefetch = self.known("llvm.prefetch.p0", ir.VoidType(), [ADDRESS, *[WHOLE] * 3])

    def known(self, name: str, result: Any, arguments: list[Any]) -> Value:
        """One of LLVM's own functions."""
        kind = ir.FunctionType(result, arguments)
        return cgutils.get_or_insert_function(self.build.module, kind, name)

    def moved(self, address: Value, by: Value | int) -> Value:
        """An address so many bytes further."""
        distance = ir.Constant(LONG, by) if isinstance(by, int) else by
        return self.build.gep(address, [distance], source_etype=BYTE)

    def loaded(self, address: Value, kind: Any) -> Value:
        """What lies at an address, however it is aligned."""
        value = self.build.load(address, typ=kind)
        value.align = 1
        return value

    def spread(self, address: Value, kind: ir.VectorType) -> Value:
        """What lies at an address, again and again in all of a register."""
        first, width = ir.Constant(WHOLE, 0), ir.VectorType(WHOLE, kind.count)
        nothing = ir.Constant(kind, ir.Undefined)
        filled = self.build.insert_element(nothing, self.loaded(address, kind.element), first)
        return self.build.shuffle_vector(filled, nothing, ir.Constant(width, None))

    def ask(self, address: Value) -> None:
        """Have what is needed later brought to the second cache."""
        reading, second, data = (ir.Constant(WHOLE, number) for number in (0, 2, 1))
        self.build.call(self.prefetch, [address, reading, second, data])

    def at(self, *numbers: Value) -> list[Value]:
        """Addresses that were handed over as numbers."""
        return [self.build.inttoptr(number, ADDRESS) for number in numbers]

    def keep(self, value: Value, address: Value) -> None:
        """Store a register."""
        self.build.store(value, address).align = FOUR

    def fused(self, kind: ir.VectorType) -> Value:
        """The operation that multiplies two registers and adds a third."""
        return self.known(f"llvm.fma.v{kind.count}f32", kind, [kind] * 3)

    def times(self, number: Value, by: int) -> Value:
        """A 64-bit number times a known one."""
        return self.build.mul(number, ir.Constant(LONG, by))

    def repeat(
        self,
        count: Value,
        sums: int,
        kind: ir.VectorType,
        body: Callable[[Value, list[Value]], list[Value]],
    ) -> list[Value]:
        """Run a loop at least once, with so many sums that start at zero; what they become."""
        build, before = self.build, self.build.block
        loop, after = (build.append_basic_block() for _ in range(2))
        build.branch(loop)
        build.position_at_end(loop)
        index, totals = build.phi(LONG), [build.phi(kind) for _ in range(sums)]
        results = body(index, totals)
        following = build.add(index, ir.Constant(LONG, 1))
        index.add_incoming(ir.Constant(LONG, 0), before)
        index.add_incoming(following, loop)
        for total, result in zip(totals, results, strict=True):
            total.add_incoming(ir.Constant(kind, None), before)
            total.add_incoming(result, loop)
        build.cbranch(build.icmp_signed("<", following, count), loop, after)
        build.position_at_end(after)
        return results
