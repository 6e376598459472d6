"""What loading a model in 8 bit takes, and that it leaves little behind."""

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from mamtra.backbone import BackboneConfig
from mamtra.checkpoints.format import ModelConfig, write_config
from mamtra.checkpoints.modules import save_part
from mamtra.runtime.torch.malloc import give_back_from
from mamtra.speech_lm import SpeechLM, SpeechLMConfig

LOAD = """
import sys
from pathlib import Path
from mamtra.checkpoints.format import ModelFolder
from mamtra.runtime.torch.int8 import Int8Linear
from mamtra.runtime.torch.engine import EngineConfig, open_speech_lm
import torch
Int8Linear(torch.ones(1, 1))  # what compiles takes memory of its own, once
def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
before = peak()
model = open_speech_lm(ModelFolder(Path(sys.argv[1])), EngineConfig(dtype="int8"))
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_loading_in_8_bit_takes_less_than_half_of_the_floats(tmp_path: Path) -> None:
    sizes = SpeechLMConfig(backbone=BackboneConfig(layout="AMAMAM"))
    model = SpeechLM(sizes)
    layers = sum(weight.numel() for weight in model.backbone.parameters())
    ends = model.speech_embedding.weight.numel() + model.head.weight.numel()
    write_config(tmp_path, ModelConfig(name="six layers", speech_lm=asdict(sizes)))
    save_part(model, tmp_path / "speech_lm.safetensors")
    command = [sys.executable, "-c", LOAD, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert layers < int(done.stdout) < 0.5 * 4 * (layers + ends)


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not give_back_from(1 << 20)
