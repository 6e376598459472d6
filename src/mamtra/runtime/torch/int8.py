"""Eight-bit weights for a CPU.

Speaking one token reads every weight once, so on a CPU the bytes of the weights are the time. Here
a weight is a whole number from -127 to 127 and one scale per output row; each vector that meets it
is rounded to 8 bit on the way in, on a scale of its own, and products are summed in whole numbers.
So a row of a batch gets, bit for bit, what it would get alone. There is no second copy of the
weights in another type: the same bytes serve one token and a thousand.

What multiplies is compiled for the processor (int8_kernels.py); elsewhere the graphs that
onnxruntime runs are the way to speak in few bits.

Dtype rule: inputs, outputs and scales are float32.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mamtra.errors import ConfigError
from mamtra.runtime.torch.cpu_features import missing_for_compiled
from mamtra.runtime.torch.int8_kernels import SMALLEST_RANGE, CompiledKernel

LARGEST = 127  # of an 8-bit weight; -128 is left out, so that rows are symmetric
BLOCK = 1_000_000  # numbers that are rounded at once


def round_rows(
    weight: Float[Tensor, "rows width"],
) -> tuple[Tensor, Float[Tensor, " rows"]]:
    """Each row as whole numbers, and the scale that turns them back; a few rows at a time."""
    low, high = weight.aminmax(dim=1)
    scales = torch.maximum(-low, high).float().clamp_(min=SMALLEST_RANGE).div_(LARGEST)
    whole = torch.empty(weight.shape, dtype=torch.int8)
    rows = max(1, BLOCK // weight.shape[1])
    for part, scale, out in zip(
        weight.split(rows), scales.split(rows), whole.split(rows), strict=True
    ):
        out.copy_((part.float() / scale.unsqueeze(1)).round_())
    return whole, scales


class Int8Linear(nn.Module):
    """A linear layer whose weights have 8 bit; made from one with floats, never trained or saved.

    Raises:
        ConfigError: this machine cannot multiply in 8 bit.
    """

    def __init__(
        self,
        weight: Float[Tensor, "rows width"],
        bias: Float[Tensor, " rows"] | None = None,
    ) -> None:
        super().__init__()
        if (reason := missing_for_compiled()) is not None:
            raise ConfigError(f"int8 is not possible here: {reason}; use float32 or bfloat16")
        self.out_features, self.in_features = weight.shape
        with torch.inference_mode():
            whole, self.scales = round_rows(weight)
            self.kernel = CompiledKernel(whole)
            self.bias = None if bias is None else bias.float()

    @property
    def nbytes(self) -> int:
        """Bytes of the weights and their scales."""
        return self.kernel.nbytes + self.scales.nbytes

    def forward(self, hidden: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch rows"]:
        """Multiply, in whole numbers inside, which know no NaN and no infinity."""
        vectors = hidden.reshape(-1, self.in_features)
        product = self.kernel.multiply(vectors, self.scales, self.bias)
        return product.view(*hidden.shape[:-1], self.out_features)

    def into(self, vectors: Float[Tensor, "rows width"], out: Tensor) -> None:
        """Overwrite ``out`` with the product."""
        out.copy_(self(vectors))

    def onto(self, vectors: Float[Tensor, "rows width"], total: Tensor) -> None:
        """Add the product to ``total``; for layers without a bias."""
        total.add_(self(vectors))
