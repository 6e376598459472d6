"""Products of vectors with 8-bit weights: the ways to compute them on a CPU.

Each kernel holds the weights of one layer in an order of its own, and ``multiply`` does the rest.
quantize.py chooses one.

    compiled    x86 processors with instructions for 8 bit (VNNI), where numba is installed: reads
                weights as fast as memory gives them (compiled/)
    fbgemm      the same processors without numba. PyTorch's oldest call of it starts in 4
                microseconds, where its successor takes 13, with a hundred products a token
    narrow      the successor; it can round inputs to 7 bit, which older x86 processors need
    onednn      where fbgemm is missing. A call costs 25 microseconds more to start, which is a
                fifth of a step

PyTorch's own dynamic quantisation through oneDNN is left out: it keeps every weight twice.

Dtype rule: inputs, outputs and scales are float32; weights are whole numbers from -127 to 127.
"""

import threading
import warnings
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int8
from torch import Tensor

STEPS = 127  # of an input to each side of zero
STEPS_WITHOUT_VNNI = 63  # older processors add pairs of products in 16 bit
SMALLEST_RANGE = 1e-12  # of an input that is all zeros
NOTHING = np.empty(0, np.float32)  # the bias of a layer that has none
ENDS = (-1.0, 1.0, 0.0, 0.0)  # four, because processors multiply 8-bit numbers in fours


# Held while compiled code runs: not every library that shares work among threads may itself be used
# by several at once.
ONE_AT_A_TIME = threading.RLock()


class Kernel(Protocol):
    """Weights of one layer, and the way to multiply with them."""

    nbytes: int

    def multiply(
        self,
        vectors: Float[Tensor, "rows inputs"],
        scales: Float[Tensor, " outputs"],
        bias: Float[Tensor, " outputs"] | None,
    ) -> Float[Tensor, "rows outputs"]:
        """The product; scales turn the weights back into what they were rounded from."""
        ...


def reach(vectors: Float[Tensor, "rows inputs"]) -> Float[Tensor, "rows 1"]:
    """The largest number of each vector, without its sign."""
    # five times as fast as PyTorch's norm of this kind
    return vectors.abs().amax(dim=-1, keepdim=True).clamp_(SMALLEST_RANGE)


class TorchKernel:
    """What PyTorch's kernels share. Each vector is divided by its largest number on the way in.

    Some round all vectors of a call on the scale of them all. A few more inputs, -1 and 1 among
    them, with weights of zero make sure that their range is the one that is found.
    """

    ends: tuple[float, ...] = ENDS

    def __init__(self, whole: Int8[Tensor, "outputs inputs"]) -> None:
        outputs, inputs = whole.shape
        self.nbytes = outputs * (inputs + 4)  # and a sum of each row; a kernel may pad them
        self.tail = torch.tensor(self.ends)
        self.pack(torch.nn.functional.pad(whole, (0, len(self.ends))))

    def pack(self, whole: Tensor) -> None:
        """Keep the weights, which have zeros for the ends, in the kernel's own order."""
        raise NotImplementedError

    def __call__(self, given: Tensor) -> Tensor:
        """The product of the whole numbers with vectors of numbers from -1 to 1 and the ends."""
        raise NotImplementedError

    def multiply(self, vectors: Tensor, scales: Tensor, bias: Tensor | None) -> Tensor:
        """The product; see ``Kernel``."""
        largest = reach(vectors)
        ends = self.tail.expand(len(vectors), len(self.ends))
        given = torch.cat([vectors / largest, ends], dim=-1)
        product = self(given).mul_(scales).mul_(largest)
        return product if bias is None else product.add_(bias)


class FbgemmKernel(TorchKernel):
    """Weights in fbgemm's order."""

    def pack(self, whole: Tensor) -> None:
        """Through the call that starts soonest."""
        self.sums = whole.sum(1, dtype=torch.int32)
        self.nothing = torch.zeros(len(whole))  # no bias: scales come first
        self.sizes = torch.empty(1, 1, dtype=torch.int8).expand(whole.shape)  # never read
        with warnings.catch_warnings():
            # these calls are to leave PyTorch one day; quantize.py then finds another
            warnings.simplefilter("ignore")
            self.packed = torch.fbgemm_pack_quantized_matrix(whole)
            self(torch.zeros(1, whole.shape[1]))

    def __call__(self, given: Tensor) -> Tensor:
        """One call of fbgemm."""
        return torch.fbgemm_linear_int8_weight_fp32_activation(
            given, self.sizes, self.packed, self.sums, 1.0, 0, self.nothing
        )


class NarrowKernel(TorchKernel):
    """The same through PyTorch's dynamic quantisation, which can round inputs to 7 bit."""

    def pack(self, whole: Tensor) -> None:
        """With scales of one: the real ones come later."""
        ones = torch.ones(len(whole), dtype=torch.double)
        zeros = torch.zeros(len(whole), dtype=torch.long)
        engine = torch.backends.quantized.engine
        torch.backends.quantized.engine = "fbgemm"
        try:
            with warnings.catch_warnings():
                # these types are to leave PyTorch one day; quantize.py then finds oneDNN
                warnings.simplefilter("ignore")
                make = torch._make_per_channel_quantized_tensor  # pyright: ignore[reportPrivateImportUsage]
                quantised = make(whole, ones, zeros, 0)
                self.packed = torch.ops.quantized.linear_prepack(quantised, None)
        finally:
            torch.backends.quantized.engine = engine
        self.narrow_inputs = not torch.cpu._is_vnni_supported()

    def __call__(self, given: Tensor) -> Tensor:
        """One call of PyTorch's successor to it."""
        return torch.ops.quantized.linear_dynamic(given, self.packed, self.narrow_inputs)


class OnednnKernel(TorchKernel):
    """Weights in oneDNN's order."""

    ends = ()

    def pack(self, whole: Tensor) -> None:
        """Once, before anything is multiplied."""
        self.packed = torch.ops.onednn.qlinear_prepack(whole, None)
        self.ones = torch.ones(len(whole))
        self.zeros = torch.zeros(len(whole), dtype=torch.int32)
        self.steps = STEPS if torch.cpu._is_vnni_supported() else STEPS_WITHOUT_VNNI

    def __call__(self, given: Tensor) -> Tensor:
        """Round, and one call of oneDNN."""
        whole = (given * self.steps).round_().add_(self.steps).to(torch.uint8)
        return torch.ops.onednn.qlinear_pointwise(
            whole,
            1.0 / self.steps,
            self.steps,
            self.packed,
            self.ones,
            self.zeros,
            None,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )


class CompiledKernel:
    """Weights in the order of compiled/products.py."""

    code: Any  # the package, which is imported with the first layer

    def __init__(self, whole: Int8[Tensor, "outputs inputs"]) -> None:
        from mamtra.runtime.torch import compiled

        CompiledKernel.code = compiled
        self.outputs = len(whole)
        self.weights = compiled.packed(whole.numpy())
        self.nbytes = self.weights.nbytes

    def shapes(self, rows: int) -> tuple[tuple[int], tuple[int, int]]:
        """Of the room that each of so many rows needs: for the rounded vector, and for sums."""
        _, fours, _, four = self.weights.shape
        return (fours * four,), self.code.sums_for(self.weights, rows)

    def multiply(self, vectors: Tensor, scales: Tensor, bias: Tensor | None) -> Tensor:
        """The product; see ``Kernel``."""
        rows = len(vectors)
        out = torch.empty(rows, self.outputs)
        if not rows:
            return out
        given, factors = vectors.contiguous().numpy(), np.ones(rows, np.float32)
        added = NOTHING if bias is None else bias.numpy()
        whole, sums = self.shapes(rows)
        room = np.zeros((rows, *whole), np.int8), np.empty((rows, *sums), np.int32)
        with ONE_AT_A_TIME, self.code.as_many_threads():
            self.write(given, factors, (scales.numpy(), added), out.numpy(), room)
        return out

    def write(
        self,
        vectors: np.ndarray,
        factors: np.ndarray,
        layer: tuple[np.ndarray, np.ndarray],
        out: np.ndarray,
        room: tuple[np.ndarray, np.ndarray],
        adds: bool = False,
    ) -> None:
        """The same without a tensor or memory being made; the caller holds ``ONE_AT_A_TIME``.

        Args:
            vectors: ``rows inputs``.
            factors: of the vectors.
            layer: scales and bias of the outputs; a bias may be ``NOTHING``.
            out: ``rows outputs``; overwritten.
            room: for rounded vectors and sums, as ``shapes`` says; behind the inputs, zeros.
            adds: add the product to ``out`` instead.
        """
        self.code.multiply(
            self.weights, *layer, vectors, factors, adds, out, *room, torch.get_num_threads()
        )


KERNELS: dict[str, type[CompiledKernel] | type[TorchKernel]] = {
    "compiled": CompiledKernel,
    "fbgemm": FbgemmKernel,
    "narrow": NarrowKernel,
    "onednn": OnednnKernel,
}
