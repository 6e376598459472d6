"""Bytes of a number and of a linear layer, by the type of the weights."""

from dataclasses import dataclass

from mamtra.errors import ConfigError

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}
EXACT = 4  # bytes of a float32


def activation_bytes(dtype: str) -> int:
    """Bytes of a number that flows between layers whose weights have this type.

    Raises:
        ConfigError: the type is unknown.
    """
    if dtype not in BYTES:
        raise ConfigError(f"dtype {dtype!r} is unknown; possible are {', '.join(BYTES)}")
    return EXACT if dtype == "int8" else BYTES[dtype]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A linear layer: what an 8-bit engine quantises."""

    outputs: int
    inputs: int
    bias: bool = False

    def nbytes(self, dtype: str) -> int:
        """Weights and bias, and for 8 bits a scale and a zero for each output."""
        extra = 2 * EXACT * self.outputs if dtype == "int8" else 0
        biases = self.outputs * activation_bytes(dtype) if self.bias else 0
        return self.outputs * self.inputs * BYTES[dtype] + biases + extra
