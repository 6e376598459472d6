"""Whether compiled 8-bit code runs the language model where many streams are spoken at once.

onnxruntime multiplies one vector with 8-bit weights as fast as memory gives them, but many vectors
at a time more slowly than the kernels of the extra ``cpu`` (docs/engine.md has the ratios). Decoder
and vocoder stay on onnxruntime.
"""

import importlib.util

from mamtra.checkpoints.format import ModelFolder
from mamtra.extras import install_command
from mamtra.runtime.protocols import SpeechModel

MANY_STREAMS = 8  # from here on compiled code is 1.1 to 1.5 times as fast (docs/benchmarks.md)


def missing_for_many_streams() -> str | None:
    """Why compiled code cannot run here, and what to do; None where it can."""
    if importlib.util.find_spec("torch") is None:
        return f"torch is not installed ({install_command('cpu')})"
    # a file that knows numba loads only for many streams
    from mamtra.runtime.torch.cpu_features import missing_for_compiled

    return missing_for_compiled()


def steps_to_take(streams: int) -> tuple[bool, str]:
    """Whether steps are compiled for so many streams of a large model in 8 bit, and why or why not.

    Args:
        streams: that are spoken at once; 1 where compiled code has nothing to offer.
    """
    if streams < MANY_STREAMS:
        return False, "the quickest on a CPU"
    if missing := missing_for_many_streams():
        return False, f"compiled steps would be faster for {streams} streams, but {missing}"
    return True, f"compiled steps are the quickest for {streams} streams of a large model"


def open_compiled(folder: ModelFolder, threads: int) -> SpeechModel:
    """The language model of a folder in 8 bit, with steps that are compiled.

    Args:
        folder: the model's folder.
        threads: that compute.

    Raises:
        ModelError: the weights are missing, damaged or do not fit.
    """
    # torch loads only where it runs
    from mamtra.runtime.torch.engine import EngineConfig, open_speech_lm
    from mamtra.runtime.torch.open import speech_model_of

    model = open_speech_lm(folder, EngineConfig(dtype="int8", threads=threads))
    return speech_model_of(model, folder)
