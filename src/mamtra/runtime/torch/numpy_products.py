"""Linear layers for steps on a CPU whose small operations are numpy's.

Between two products a step does little arithmetic in many operations, and on a CPU each costs what
it costs to start: about half a microsecond in numpy, where PyTorch takes one to five. So arrays and
tensors share their memory here: PyTorch multiplies matrices, numpy does the rest.

A product owns the array that its vectors are written into. They may wait for a factor per row, such
as one over a norm's length: a product is linear, so the factor is applied where it costs least.

Dtype rule: float32 throughout.

Axes: b rows.
"""

import torch

# numpy's own types; jaxtyping's shapes are for public calls between modules
from numpy import abs as magnitude
from numpy import add, divide, maximum, multiply, ndarray
from torch import nn

from mamtra.runtime.torch.int8 import Int8Linear
from mamtra.runtime.torch.int8_kernels import SMALLEST_RANGE, TorchKernel
from mamtra.runtime.torch.layers import Buffers

Factor = ndarray | float  # a number per row, or one


class FloatProduct:
    """A layer with floats.

    Attributes:
        vectors: what is to be multiplied; overwritten by every call.
    """

    def __init__(self, layer: nn.Linear, buffers: Buffers) -> None:
        self.weight, self.bias = layer.weight.t(), layer.bias
        self.given = buffers.get("given", layer.in_features)
        self.vectors = self.given.numpy()
        self.result = buffers.get("result", layer.out_features)

    def into(self, factor: Factor, out: torch.Tensor) -> None:
        """Overwrite ``out`` with the product of the vectors times their factors."""
        multiply(self.vectors, factor, out=self.vectors)
        if self.bias is None:
            torch.mm(self.given, self.weight, out=out)
        else:
            torch.addmm(self.bias, self.given, self.weight, out=out)

    def pending(self, factor: Factor) -> tuple[ndarray, Factor]:
        """The product without a bias, and the factors that it still waits for."""
        multiply(self.vectors, factor, out=self.vectors)
        return torch.mm(self.given, self.weight, out=self.result).numpy(), 1.0

    def onto(self, total: torch.Tensor, factor: Factor = 1.0) -> None:
        """Add the product, without a bias, to ``total``."""
        if isinstance(factor, ndarray) or factor != 1.0:
            multiply(self.vectors, factor, out=self.vectors)
        total.addmm_(self.given, self.weight)


class TorchInt8Product:
    """A layer with 8-bit weights and a kernel of PyTorch's: each vector is divided by its largest
    number, and what that took away is put back together with the factor.

    Attributes:
        vectors: what is to be multiplied; stays as it is.
    """

    def __init__(self, layer: Int8Linear, kernel: TorchKernel, buffers: Buffers) -> None:
        width = layer.in_features
        self.kernel, self.scales = kernel, layer.scales.numpy()
        self.bias = None if layer.bias is None else layer.bias.numpy()
        self.vectors = buffers.get("vectors", width).numpy()
        self.sizes = buffers.get("sizes", width).numpy()
        self.given = buffers.get("given", width + len(kernel.ends))
        self.given[:, width:] = kernel.tail
        self.inner = self.given.numpy()[:, :width]

    def pending(self, factor: Factor) -> tuple[ndarray, ndarray]:
        """The product without a bias, and the factors that it still waits for."""
        magnitude(self.vectors, out=self.sizes)
        largest = maximum.reduce(self.sizes, axis=1, keepdims=True, initial=SMALLEST_RANGE)
        divide(self.vectors, largest, out=self.inner)
        product = self.kernel(self.given).numpy()
        return multiply(product, self.scales, out=product), largest * factor

    def into(self, factor: Factor, out: torch.Tensor) -> None:
        """Overwrite ``out`` with the product of the vectors times their factors."""
        product, factor = self.pending(factor)
        array = out.numpy()
        multiply(product, factor, out=array)
        if self.bias is not None:
            add(array, self.bias, out=array)

    def onto(self, total: torch.Tensor, factor: Factor = 1.0) -> None:
        """Add the product, without a bias, to ``total``."""
        product, factor = self.pending(factor)
        multiply(product, factor, out=product)
        array = total.numpy()
        add(array, product, out=array)


def numpy_product(
    layer: nn.Linear | Int8Linear, buffers: Buffers
) -> FloatProduct | TorchInt8Product:
    """The product of a layer, by the kind of its weights."""
    if not isinstance(layer, Int8Linear):
        return FloatProduct(layer, buffers)
    assert isinstance(layer.kernel, TorchKernel)
    return TorchInt8Product(layer, layer.kernel, buffers)
