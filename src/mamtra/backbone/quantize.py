"""Eight-bit weights for a CPU.

Speaking one token reads every weight once, so on a CPU the bytes of the weights are the time. Here
a weight is a whole number from -127 to 127 and one scale per output row; each vector that meets it
is rounded to 8 bit on the way in, on a scale of its own, and products are summed in whole numbers.
So a row of a batch gets, bit for bit, what it would get alone. There is no second copy of the
weights in another type: the same bytes serve one token and a thousand.

Two kernels of PyTorch do this, chosen once by ``chosen_kernel``:

    fbgemm   x86 processors. Measured on one core at Qwen2.5-0.5B's widths: one token costs a third
             of float32 and less than half of bfloat16; 128 tokens cost a third of float32
    onednn   where fbgemm is missing. Three times as fast for many tokens, but a call costs 25
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

Kernel = Literal["fbgemm", "onednn"]
LARGEST = 127  # of an 8-bit weight; -128 is left out, so that rows are symmetric
STEPS = 127  # of an input to each side of zero
STEPS_WITHOUT_VNNI = 63  # older processors add pairs of products in 16 bit
SMALLEST_RANGE = 1e-12  # of a row or an input that is all zeros
ENDS = (-1.0, 1.0, 0.0, 0.0)  # four, because processors multiply 8-bit numbers in fours
BLOCK = 1_000_000  # numbers that are rounded at once


def chosen_kernel() -> Kernel | None:
    """The kernel that multiplies in 8 bit on this machine; None where there is none."""
    if "fbgemm" in torch.backends.quantized.supported_engines:
        return "fbgemm"
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


class FbgemmProduct:
    """Weights in fbgemm's order.

    fbgemm rounds all vectors of a call on the scale of them all. Each is therefore brought to the
    range from -1 to 1, and a few more inputs, -1 and 1 among them, with weights of zero make sure
    that this is the range that fbgemm finds.
    """

    def __init__(self, whole: Tensor, scales: Tensor) -> None:
        whole = torch.nn.functional.pad(whole, (0, len(ENDS)))
        zeros = torch.zeros(len(scales), dtype=torch.long)
        engine = torch.backends.quantized.engine
        torch.backends.quantized.engine = "fbgemm"
        try:
            with warnings.catch_warnings():
                # these types are to leave PyTorch one day; chosen_kernel then finds oneDNN
                warnings.simplefilter("ignore")
                make = torch._make_per_channel_quantized_tensor  # pyright: ignore[reportPrivateImportUsage]
                quantised = make(whole, scales.double(), zeros, 0)
                self.packed = torch.ops.quantized.linear_prepack(quantised, None)
        finally:
            torch.backends.quantized.engine = engine
        self.ends = torch.tensor(ENDS)
        self.narrow_inputs = not torch.cpu._is_vnni_supported()

    def __call__(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """The product, and the number that each vector's product has still to be multiplied by."""
        largest = reach(hidden)
        ends = self.ends.expand(*hidden.shape[:-1], len(ENDS))
        given = torch.cat([hidden / largest, ends], dim=-1)
        return torch.ops.quantized.linear_dynamic(given, self.packed, self.narrow_inputs), largest


class OnednnProduct:
    """Weights in oneDNN's order."""

    def __init__(self, whole: Tensor, scales: Tensor) -> None:
        self.packed = torch.ops.onednn.qlinear_prepack(whole, None)
        self.scales, self.zeros = scales, torch.zeros(len(scales), dtype=torch.int32)
        self.steps = STEPS if torch.cpu._is_vnni_supported() else STEPS_WITHOUT_VNNI

    def __call__(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """The product, and the number that each vector's product has still to be multiplied by."""
        scale = reach(hidden).div_(self.steps)
        whole = (hidden / scale).round_().add_(self.steps).to(torch.uint8)
        product = torch.ops.onednn.qlinear_pointwise(
            whole,
            1.0,
            self.steps,
            self.packed,
            self.scales,
            self.zeros,
            None,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )
        return product, scale


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
        made = FbgemmProduct if (kernel or chosen_kernel()) == "fbgemm" else OnednnProduct
        with torch.inference_mode():
            whole, scales = round_rows(weight)
            self.product = made(whole, scales)
            self.bias = None if bias is None else bias.float()

    @property
    def nbytes(self) -> int:
        """Bytes of the weights, their scales and zeros; a kernel may pad them."""
        return self.out_features * (self.in_features + 8)

    def forward(self, hidden: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch rows"]:
        """Multiply, in whole numbers inside."""
        product, largest = self.product(hidden)
        product.mul_(largest)
        return product if self.bias is None else product.add_(self.bias)

    def into(self, vectors: Float[Tensor, "rows width"], out: Tensor) -> None:
        """Overwrite ``out`` with the product; an operation less than ``forward`` and a copy."""
        torch.mul(*self.product(vectors), out=out)
        if self.bias is not None:
            out.add_(self.bias)

    def onto(self, vectors: Float[Tensor, "rows width"], total: Tensor) -> None:
        """Add the product, without the bias, to ``total``."""
        total.addcmul_(*self.product(vectors))
