"""What one fresh process measures, as a value that travels to it as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from mamtra.config import from_dict
from mamtra.errors import ConfigError
from mamtra.sizing.sizes import SHAPES, model_sizes, shaped

BASELINE = "baseline"  # the target that is not ours
OWN = "own"  # the model's own layout
ONNX = "onnx"  # the engine that runs graphs
BITS: dict[str, Literal[32, 8, 4]] = {"auto": 8, "float32": 32, "int8": 8, "int4": 4}  # of graphs


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchConfig:
    """A model in a shape on an engine, and what to measure of it.

    Attributes:
        target: a shape of ``sizing.sizes``, ``own``, or ``baseline``.
        model: whose sizes; the weights are random.
        dtype, engine: as ``mamtra say`` takes them, or ``onnx`` with float32, int8 or int4; the
            baseline is always float32 on PyTorch.
        threads: of the processor; 0 leaves the choice to the engine.
        contexts: tokens held when steps are timed.
        batches: streams when steps are timed; one of a guided model is two rows.
        steps: tokens in a timed block; 0 counts bytes and times nothing.
        repeats: timed blocks.
        prompts: lengths of prompts whose reading is timed.
        seconds: of speech that the whole chain is timed with; 0 leaves decoder and vocoder out.
        prompt_seconds: of the voice's recording, which the chain continues.
        flow_context: seconds that the flow of a stream on graphs remembers.
        spoken: tokens spoken while memory is watched; 0 does not watch.
    """

    target: str = OWN
    model: str = "cosyvoice2"
    device: str = "cpu"
    dtype: str = "auto"
    engine: str = "auto"
    threads: int = 0
    seed: int = 0
    contexts: tuple[int, ...] = (250,)
    batches: tuple[int, ...] = (1,)
    steps: int = 4
    repeats: int = 3
    prompts: tuple[int, ...] = ()
    seconds: float = 0.0
    prompt_seconds: float = 0.0
    flow_context: int = 0
    spoken: int = 0

    def __post_init__(self) -> None:
        least = {"steps": 0, "repeats": 1, "threads": 0, "seconds": 0, "spoken": 0}
        least |= {"prompt_seconds": 0, "flow_context": 0}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least {smallest}")
        for name in ("contexts", "batches", "prompts"):
            if any(value < 1 for value in getattr(self, name)):
                raise ConfigError(
                    f"{name} must be numbers of at least 1, not {getattr(self, name)}"
                )
        if self.engine == ONNX and (self.dtype not in BITS or self.device != "cpu"):
            raise ConfigError(
                f"dtype {self.dtype!r} on {self.device} is not possible with engine onnx; possible "
                f"are {', '.join(BITS)} on cpu"
            )

    def of_each(self, targets: Sequence[str]) -> dict[str, "BenchConfig"]:
        """The same measurements of several targets, by name.

        A target may name an engine and a number type of its own: ``1:1@onnx-int8``.

        Raises:
            ConfigError: it names others than there are.
        """
        found = {}
        for name in targets:
            target, _, run = name.partition("@")
            engine, _, dtype = run.partition("-")
            own = {"engine": engine, "dtype": dtype or self.dtype} if run else {}
            found[name] = replace(self, target=target, **own)
        return found

    def written(self) -> str:
        """As one JSON line."""
        return json.dumps(asdict(self))


def read_config(line: str) -> BenchConfig:
    """The reverse of ``BenchConfig.written``.

    Raises:
        ConfigError: a key is unknown, or a value cannot work.
    """
    return from_dict(BenchConfig, json.loads(line), "a benchmark's settings")


def numbers(written: str) -> tuple[int, ...]:
    """Whole numbers between commas.

    Raises:
        ConfigError: something else is there.
    """
    try:
        return tuple(int(part) for part in written.split(",") if part.strip())
    except ValueError as problem:
        raise ConfigError(f"{written!r} is no list of whole numbers such as 250,1000") from problem


def targets_of(written: str, model: str) -> list[str]:
    """Names of targets between commas, checked before anything is measured.

    Raises:
        ConfigError: there is none, or one is unknown.
        LayoutError: a ratio or a layout does not fit the model.
        ModelError: there is no such model.
    """
    names = [part.strip() for part in written.split(",") if part.strip()]
    known = f"{BASELINE}, {OWN}, {', '.join(SHAPES)}, or one letter a layer"
    if not names:
        raise ConfigError(f"no target was given; give some with --targets: {known}")
    sizes = model_sizes(model)
    for name in names:
        shape = name.partition("@")[0]
        if shape not in (BASELINE, OWN):
            try:
                shaped(sizes, shape)
            except ConfigError as problem:
                raise type(problem)(f"target {name!r}: {problem}; known: {known}") from problem
    return names


def baseline_of(targets: Sequence[str]) -> str:
    """The target that ratios are taken to: the original, or the first."""
    return BASELINE if BASELINE in targets else targets[0]
