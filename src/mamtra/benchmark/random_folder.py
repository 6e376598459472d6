"""A model folder with random weights, written by a process of its own and deleted after use.

Memory must be measured of a model that was loaded as users load theirs: from a folder. This process
makes such a folder, so that nothing of the making stays in the process that is measured:
``python -m mamtra.benchmark.random_folder CONFIG FOLDER``.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch

from mamtra.benchmark.bench_config import OWN, BenchConfig, read_config
from mamtra.benchmark.process import answer, run_python
from mamtra.benchmark.random_weights import with_random_weights
from mamtra.checkpoints.format import ModelConfig, ModelFolder, write_config
from mamtra.checkpoints.modules import save_part
from mamtra.sizing.sizes import model_sizes, shaped
from mamtra.speech_lm import SpeechLM

STORED = torch.bfloat16  # half the bytes of float32, as models are published


def write_folder(config: BenchConfig, folder: Path) -> None:
    """Write the speech language model of a config.

    Raises:
        ConfigError: its shape does not fit.
    """
    sizes = shaped(model_sizes(config.model), None if config.target == OWN else config.target)
    model = with_random_weights(lambda: SpeechLM(sizes.speech_lm), STORED, seed=config.seed)
    write_config(folder, ModelConfig(name="random", speech_lm=asdict(sizes.speech_lm)))
    save_part(model, folder / "speech_lm.safetensors", STORED)


@contextmanager
def random_folder(config: BenchConfig) -> Iterator[ModelFolder]:
    """The folder, for as long as the ``with`` block runs.

    Raises:
        GenerationError: it could not be written.
    """
    with tempfile.TemporaryDirectory() as place:
        run_python(["-m", "mamtra.benchmark.random_folder", config.written(), place])
        yield ModelFolder(Path(place))


if __name__ == "__main__":
    answer(lambda config, folder: write_folder(read_config(config), Path(folder)), *sys.argv[1:])
