"""Whether parts of the backbone can be compiled for this processor, and how wide its vectors are.

numba compiles, and brings all that it needs. What is compiled is in ``compiled/``, which imports
numba; this file does so only when it is asked, since most programs never multiply in 8 bit.
"""

import functools
import importlib.util
import re
from importlib.metadata import version

from mamtra.extras import install_command

OLDEST = 0, 62  # of numba; what compiles for earlier ones cannot read what is written here
WIDE, NARROW = ("+avx512vnni", "+avx512vl"), ("+avxvnni",)


@functools.cache
def vector_bits() -> int:
    """Bits of the widest vectors whose 8-bit numbers can be multiplied: 512, 256, or 0 for none."""
    from numba.core import config
    from numba.core.codegen import get_host_cpu_features

    asked = config.CPU_FEATURES  # pyright: ignore[reportAttributeAccessIssue]
    features = set((get_host_cpu_features() if asked is None else asked).split(","))
    if features.issuperset(WIDE):
        return 512
    return 256 if features.issuperset(NARROW) else 0


@functools.cache
def missing_for_compiled() -> str | None:
    """Why nothing can be compiled here, and what to do; None where it can."""
    if importlib.util.find_spec("numba") is None:
        return f"numba is not installed ({install_command('cpu')})"
    found = version("numba")
    if tuple(int(part) for part in re.findall(r"\d+", found)[:2]) < OLDEST:
        return f"numba {found} is too old ({install_command('cpu')})"
    try:
        from numba.core import config
    except Exception as error:  # of many kinds, such as for a numpy that it does not know yet
        return f"numba does not start here: {error}"
    if config.DISABLE_JIT:  # pyright: ignore[reportAttributeAccessIssue]
        return "NUMBA_DISABLE_JIT is set (unset it)"
    return None if vector_bits() else "this processor has no instructions for 8 bit (VNNI)"
