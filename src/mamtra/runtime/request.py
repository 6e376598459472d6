"""What a user may ask of an engine: device, types, threads, and how a flow is run."""

import re
from dataclasses import dataclass
from typing import TypedDict

from mamtra.errors import ConfigError

AUTO = "auto"
TORCH_KINDS = ("eager", "graph")  # ways in which the torch engine steps
ENGINES = ("onnx", "torch", *TORCH_KINDS)
DTYPES = ("float32", "bfloat16", "int8", "int4")
FLOW_DTYPES = ("float32", "bfloat16")
DEVICE = re.compile(r"cpu|cuda(:[0-9]+)?")
MOST_CONTEXT = 300  # seconds; the noise of a flow is no longer
MOST_STEPS = 100  # beyond, a step moves the flow by less than its arithmetic rounds


def check_device_name(device: object) -> None:
    """Refuse what names no device.

    Raises:
        ConfigError: it is neither ``cpu`` nor ``cuda``, with a number or without.
    """
    if not isinstance(device, str) or not DEVICE.fullmatch(device):
        raise ConfigError(
            f"device {device!r} is unknown; possible are cpu and cuda, or cuda:N for one of several"
        )


class FlowOptions(TypedDict, total=False):
    """How a decoder with a flow is run.

    Attributes:
        flow_steps: Euler steps; 0 takes the model's own number (CosyVoice: 10). Fewer are faster
            and less exact.
        flow_dtype: what the flow's network computes in: ``float32``, ``bfloat16`` (extra
            ``openvino``, on a processor with its instructions), or ``auto``, which takes bfloat16
            where it is faster.
        flow_context: seconds of speech whose keys and values a stream's flow remembers: a voice's
            prompt is then read once, and no chunk begins again from the first token. Speech further
            back is no longer seen. 0 remembers nothing.
    """

    flow_steps: int
    flow_dtype: str
    flow_context: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRequest:
    """What was asked for; ``auto`` and 0 are decided by device and model.

    Attributes:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        engine: ``onnx``, ``torch`` or ``auto``; ``eager`` and ``graph`` are ways in which torch
            steps.
        dtype: of the speech_lm's weights: ``float32``, ``bfloat16``, ``int8``, ``int4`` or
            ``auto``.
        threads: of a CPU.
        flow_steps: Euler steps of a decoder with a flow; 0 takes the model's own number.
        flow_dtype: what the flow's network computes in: ``float32``, ``bfloat16`` or ``auto``.
        flow_context: seconds of speech that a stream's flow remembers; 0 decodes each chunk from
            the first token.
        streams: texts that will be spoken at once.
    """

    device: str = "cpu"
    engine: str = AUTO
    dtype: str = AUTO
    threads: int = 0
    flow_steps: int = 0
    flow_dtype: str = AUTO
    flow_context: int = 0
    streams: int = 1

    def __post_init__(self) -> None:
        if type(self.flow_context) is not int or not 0 <= self.flow_context <= MOST_CONTEXT:
            raise ConfigError(
                f"flow_context={self.flow_context} must lie between 0 (none) and {MOST_CONTEXT} "
                f"seconds"
            )
        if type(self.flow_steps) is not int or not 0 <= self.flow_steps <= MOST_STEPS:
            raise ConfigError(
                f"flow_steps={self.flow_steps} must lie between 0 (the model's own) and "
                f"{MOST_STEPS}"
            )
        if self.flow_dtype not in (AUTO, *FLOW_DTYPES):
            raise ConfigError(
                f"flow_dtype {self.flow_dtype!r} is unknown; possible are {AUTO}, "
                f"{', '.join(FLOW_DTYPES)}"
            )
        check_device_name(self.device)
        if self.engine not in (AUTO, *ENGINES):
            raise ConfigError(
                f"engine {self.engine!r} is unknown; possible are {AUTO}, {', '.join(ENGINES)}"
            )
        if self.dtype not in (AUTO, *DTYPES):
            raise ConfigError(
                f"dtype {self.dtype!r} is unknown; possible are {AUTO}, {', '.join(DTYPES)}"
            )
        if type(self.threads) is not int or self.threads < 0:
            raise ConfigError(f"threads={self.threads} must not be negative; 0 decides by itself")
        if type(self.streams) is not int or self.streams < 1:
            raise ConfigError(f"streams={self.streams!r} must be a whole number of at least 1")
