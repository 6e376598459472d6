"""Collects the tests and imports every module as on a machine where a package is not installed.

    python tests/tools/without_packages.py numba onnx numba,onnx

hides, for each argument in turn, the packages that it names. The ways to need a package are printed
and the exit status is 1. Everything else is imported before, and each turn is a fork, so that one
costs two seconds instead of ten.
"""

import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Iterable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ("hypothesis", "beartype", "torch", "einops", "soundfile", "typer", "rich.console")
HEAVY = ("numba", "matplotlib.pyplot", "onnx", "onnxruntime", "transformers", "tokenizers")
# modules that are nothing without a package; whoever imports them has asked for it before
COMPILED = "mamtra.runtime.torch.compiled"
NEEDS = {
    COMPILED: ("numba",),
    "mamtra.runtime.torch.fused.attention": ("triton",),
    "mamtra.runtime.torch.fused.draw": ("triton",),
    "mamtra.runtime.torch.fused.products": ("triton",),
    "mamtra.runtime.torch.fused.recurrence": ("triton",),
    "mamtra.runtime.torch.fused.step": ("triton",),
    "mamtra.interop.onnx": ("onnx",),
    "mamtra.server": ("starlette", "uvicorn", "prometheus_client"),
}


class Hiding(MetaPathFinder):
    """A finder that does not know some packages, neither to import nor by their metadata."""

    def __init__(self, finder: Any, hidden: frozenset[str]) -> None:
        self.finder, self.hidden = finder, hidden

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The module's spec, or None for what is hidden."""
        if fullname.partition(".")[0] in self.hidden:
            return None
        return self.finder.find_spec(fullname, path, target)

    def find_distributions(self, context: Any) -> Iterable[Any]:
        """The installed packages, without what is hidden."""
        if str(context.name).replace("-", "_") in self.hidden:
            return ()
        find = getattr(self.finder, "find_distributions", None)
        return find(context) if find else ()


def hide(hidden: frozenset[str]) -> None:
    """Make packages unknown to this process."""
    sys.meta_path[:] = [Hiding(finder, hidden) for finder in sys.meta_path]
    for name in [name for name in sys.modules if name.partition(".")[0] in hidden]:
        del sys.modules[name]


def import_everything() -> list[str]:
    """The modules of mamtra that cannot be imported though they should, with the reason."""
    import mamtra
    from mamtra.runtime.torch.cpu_features import missing_for_compiled

    failures = []
    for module in pkgutil.walk_packages(mamtra.__path__, "mamtra.", onerror=lambda name: None):
        needed = [
            name for room, names in NEEDS.items() if module.name.startswith(room) for name in names
        ]
        lacking = any(importlib.util.find_spec(name) is None for name in needed)
        # whoever imports what is compiled has asked for the processor's instructions before
        lacking |= module.name.startswith(COMPILED) and missing_for_compiled() is not None
        if lacking or module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except Exception as problem:
            failures.append(f"{module.name}: {problem!r}")
    return failures


def check(hidden: frozenset[str]) -> int:
    """Exit status of one turn, in a process that may be spoilt by it."""
    hide(hidden)
    failures = import_everything()
    print(*failures, sep="\n")
    plain = ["--collect-only", "-qqq", "--assert=plain", "-p", "no:cacheprovider"]
    plain += ["-p", "no:jaxtyping", "-o", "addopts=--strict-markers", str(ROOT / "tests")]
    return int(pytest.main(plain)) or bool(failures)


def main() -> int:
    """Hide what each argument names; 1 if any turn failed."""
    for name in SHARED:
        importlib.import_module(name)
    for name in HEAVY:
        if importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)
    failed = []
    for argument in sys.argv[1:]:
        sys.stdout.flush()
        child = os.fork()
        if not child:
            status = check(frozenset(argument.split(",")))
            sys.stdout.flush()
            os._exit(status)
        if os.waitpid(child, 0)[1]:
            failed.append(argument)
    if failed:
        print("cannot do without:", *failed)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
