"""A decoder that begins with an earlier one's layers, and may be deeper."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_model
import torch
from torch import nn

from mamtra.acoustic.decoder import Decoder
from mamtra.acoustic.speaker import SpeakerConfig, SpeakerEncoder
from mamtra.audio.log_mel import MelConfig
from mamtra.checkpoints.format import ModelFolder
from mamtra.corpus.synthetic.manifest import Corpus
from mamtra.corpus.synthetic.tokens import TokenTable
from mamtra.recipes.nano import start
from mamtra.runtime.torch.open import open_part

TOKENS = torch.arange(12)[None] % 27


class Learning(nn.Module):
    """A decoder with so many layers more than the tiny model's, and a speaker encoder."""

    def __init__(self, folder: ModelFolder, layers: int) -> None:
        super().__init__()
        config = tiny_model.DECODER
        upper = config.encoder.upper_layers + layers
        self.decoder = Decoder(replace(config, encoder=replace(config.encoder, upper_layers=upper)))
        self.speaker = SpeakerEncoder(folder.section("speaker", SpeakerConfig))


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    tiny_model.write_tiny_model(tmp_path / "tiny")
    return ModelFolder(tmp_path / "tiny")


def begun(
    folder: ModelFolder, layers: int, old: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[Learning, dict[str, list[str]]]:
    """A model that begins with the folder's, whose tokenizer says ``old`` where ours says 1."""
    monkeypatch.setattr(start, "heard", lambda *_: [(np.full(9, 1), np.full(9, old))] * 3)
    torch.manual_seed(5)
    model = Learning(folder, layers).eval()
    mel = folder.section("mel", MelConfig)
    corpus, tokens = object.__new__(Corpus), object.__new__(TokenTable)  # nobody listens to them
    return model, start.start_decoder(model, folder.folder, corpus, tokens, mel)


def drawn(decoder: Decoder) -> torch.Tensor:
    with torch.inference_mode():
        return decoder(TOKENS, torch.ones(1, tiny_model.DECODER.speaker_dim))


def test_a_deeper_decoder_begins_by_drawing_what_the_earlier_one_draws(folder, monkeypatch):
    model, told = begun(folder, 2, 1, monkeypatch)
    before = open_part(folder, "decoder")
    torch.testing.assert_close(drawn(model.decoder), drawn(before))
    assert told["translated"] == []
    assert {name.split("layers.")[1][0] for name in told["new"]} == {"1", "2"}
    assert any(name.startswith("speaker.") for name in told["taken"])


def test_a_new_layer_can_learn(folder, monkeypatch):
    model, told = begun(folder, 1, 1, monkeypatch)
    model.decoder.requires_grad_(True)
    model.decoder(TOKENS, torch.ones(1, tiny_model.DECODER.speaker_dim)).square().mean().backward()
    learning = [name for name in told["new"] if model.get_parameter(name).grad.abs().max() > 0]
    assert any("narrow" in name for name in learning)


def test_tokens_that_mean_something_else_are_translated(folder, monkeypatch):
    model, told = begun(folder, 0, 2, monkeypatch)
    table = "decoder.encoder.embedding.weight"
    assert told["translated"] == [table]
    before = open_part(folder, "decoder").encoder.embedding.weight
    torch.testing.assert_close(model.get_parameter(table)[1], before[2], atol=0.05, rtol=0.05)
