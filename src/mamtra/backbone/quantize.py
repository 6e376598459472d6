"""Eight-bit weights for a CPU.

Speaking one token reads every weight once, so on a CPU the bytes of the weights are the time. Here
a weight is a whole number from -127 to 127 and one scale per output row; each vector that meets it
is rounded to 8 bit on the way in, on a scale of its own, and products are summed in whole numbers.
So a row of a batch gets, bit for bit, what it would get alone. There is no second copy of the
weights in another type: the same bytes serve one token and a thousand.

Three kernels of PyTorch do this, chosen once by ``chosen_kernel``. Each takes vectors of numbers
from -1 to 1 and leaves both scales, of vectors and of rows, to be multiplied afterwards:

    fbgemm    x86 processors with instructions for 8 bit (VNNI). PyTorch's oldest call of it starts
              in 4 microseconds, where its successor takes 13, with a hundred products a token
    narrow    the successor; it can round inputs to 7 bit, which older x86 processors need
    onednn    where fbgemm is missing. Three times as fast for many tokens, but a call costs 25
              microseconds more to start, which is a fifth of a step

PyTorch's own dynamic quantisation through oneDNN is left out: it keeps every weight twice.

Dtype rule: inputs, outputs and scales are float32.
"""

import warnings
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mamtra.errors import ConfigError

Kernel = Literal["fbgemm", "narrow", "onednn"]
LARGEST = 127  # of an 8-bit weight; -128 is left out, so that rows are symmetric
STEPS = 127  # of an input to each side of zero
STEPS_WITHOUT_VNNI = 63  # older processors add pairs of products in 16 bit
SMALLEST_RANGE = 1e-12  # of a row or an input that is all zeros
ENDS = (-1.0, 1.0, 0.0, 0.0)  # four, because processors multiply 8-bit numbers in fours
BLOCK = 1_000_000  # numbers that are rounded at once


def chosen_kernel() -> Kernel | None:
    """The kernel that multiplies in 8 bit on this machine; None where there is none."""
    if "fbgemm" in torch.backends.quantized.supported_engines:
        direct = hasattr(torch, "fbgemm_linear_int8_weight_fp32_activation")
        return "fbgemm" if direct and torch.cpu._is_vnni_supported() else "narrow"
    if torch.backends.mkldnn.is_available() and hasattr(torch.ops.onednn, "qlinear_pointwise"):
        return "onednn"
    return None


def missing_for_int8() -> str | None:
    """Why this machine cannot multiply in 8 bit; None where it can."""
    return None if chosen_kernel() else "this build of torch has neither fbgemm nor oneDNN"


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


def reach(hidden: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch 1"]:
    """The largest number of each vector, without its sign."""
    # five times as fast as PyTorch's norm of this kind
    return hidden.abs().amax(dim=-1, keepdim=True).clamp_(SMALLEST_RANGE)


class FbgemmKernel:
    """Weights in fbgemm's order.

    fbgemm rounds all vectors of a call on the scale of them all. A few more inputs, -1 and 1 among
    them, with weights of zero make sure that their range is the one that fbgemm finds.
    """

    ends = ENDS

    def __init__(self, whole: Tensor) -> None:
        whole = torch.nn.functional.pad(whole, (0, len(ENDS)))
        self.sums = whole.sum(1, dtype=torch.int32)
        self.nothing = torch.zeros(len(whole))  # no bias: scales come first
        self.sizes = torch.empty(1, 1, dtype=torch.int8).expand(whole.shape)  # never read
        with warnings.catch_warnings():
            # these calls are to leave PyTorch one day; chosen_kernel then finds another
            warnings.simplefilter("ignore")
            self.packed = torch.fbgemm_pack_quantized_matrix(whole)
            self(torch.zeros(1, whole.shape[1]))

    def __call__(self, given: Tensor) -> Tensor:
        """The product of the whole numbers with vectors that end in ``ends``."""
        return torch.fbgemm_linear_int8_weight_fp32_activation(
            given, self.sizes, self.packed, self.sums, 1.0, 0, self.nothing
        )


class NarrowKernel:
    """The same through PyTorch's dynamic quantisation, which can round inputs to 7 bit."""

    ends = ENDS

    def __init__(self, whole: Tensor) -> None:
        whole = torch.nn.functional.pad(whole, (0, len(ENDS)))
        ones = torch.ones(len(whole), dtype=torch.double)
        zeros = torch.zeros(len(whole), dtype=torch.long)
        engine = torch.backends.quantized.engine
        torch.backends.quantized.engine = "fbgemm"
        try:
            with warnings.catch_warnings():
                # these types are to leave PyTorch one day; chosen_kernel then finds oneDNN
                warnings.simplefilter("ignore")
                make = torch._make_per_channel_quantized_tensor  # pyright: ignore[reportPrivateImportUsage]
                quantised = make(whole, ones, zeros, 0)
                self.packed = torch.ops.quantized.linear_prepack(quantised, None)
        finally:
            torch.backends.quantized.engine = engine
        self.narrow_inputs = not torch.cpu._is_vnni_supported()

    def __call__(self, given: Tensor) -> Tensor:
        """The product of the whole numbers with vectors that end in ``ends``."""
        return torch.ops.quantized.linear_dynamic(given, self.packed, self.narrow_inputs)


class OnednnKernel:
    """Weights in oneDNN's order."""

    ends = ()

    def __init__(self, whole: Tensor) -> None:
        self.packed = torch.ops.onednn.qlinear_prepack(whole, None)
        self.ones = torch.ones(len(whole))
        self.zeros = torch.zeros(len(whole), dtype=torch.int32)
        self.steps = STEPS if torch.cpu._is_vnni_supported() else STEPS_WITHOUT_VNNI

    def __call__(self, given: Tensor) -> Tensor:
        """The product of the whole numbers with vectors."""
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


KERNELS = {"fbgemm": FbgemmKernel, "narrow": NarrowKernel, "onednn": OnednnKernel}


class Int8Linear(nn.Module):
    """A linear layer whose weights have 8 bit; made from one with floats, never trained or saved.

    Raises:
        ConfigError: this machine cannot multiply in 8 bit.
    """

    def __init__(
        self,
        weight: Float[Tensor, "rows width"],
        bias: Float[Tensor, " rows"] | None = None,
        kernel: Kernel | None = None,
    ) -> None:
        super().__init__()
        if (reason := missing_for_int8()) is not None:
            raise ConfigError(f"int8 is not possible here: {reason}; use float32 or bfloat16")
        self.out_features, self.in_features = weight.shape
        with torch.inference_mode():
            whole, self.scales = round_rows(weight)
            self.kernel = KERNELS[kernel or chosen_kernel() or "onednn"](whole)
            self.ends = torch.tensor(self.kernel.ends)
            self.bias = None if bias is None else bias.float()

    @property
    def nbytes(self) -> int:
        """Bytes of the weights, their scales and zeros; a kernel may pad them."""
        return self.out_features * (self.in_features + 8)

    def forward(self, hidden: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch rows"]:
        """Multiply, in whole numbers inside."""
        largest = reach(hidden)
        ends = self.ends.expand(*hidden.shape[:-1], len(self.ends))
        given = torch.cat([hidden / largest, ends], dim=-1)
        product = self.kernel(given).mul_(self.scales).mul_(largest)
        return product if self.bias is None else product.add_(self.bias)

    def into(self, vectors: Float[Tensor, "rows width"], out: Tensor) -> None:
        """Overwrite ``out`` with the product."""
        out.copy_(self(vectors))

    def onto(self, vectors: Float[Tensor, "rows width"], total: Tensor) -> None:
        """Add the product to ``total``; for layers without a bias."""
        total.add_(self(vectors))
