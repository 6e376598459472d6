"""A parameter for tests in 8 bit, which not every processor can compute in torch's steps."""

import pytest

from mamtra.runtime.torch.cpu_features import missing_for_compiled

INT8 = pytest.param(
    "int8", marks=pytest.mark.skipif(bool(missing_for_compiled()), reason="nothing compiles here")
)
