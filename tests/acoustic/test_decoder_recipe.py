"""The decoder's run: who tells whom about a voice, what the errors count, a run that goes on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mamtra.acoustic.decoder import DecoderConfig
from mamtra.acoustic.speaker import SpeakerConfig
from mamtra.acoustic.token_encoder import TokenEncoderConfig
from mamtra.acoustic.velocity import VelocityConfig
from mamtra.corpus.synthetic.manifest import Corpus, Utterance, write_shard
from mamtra.errors import CorpusError
from mamtra.recipes.nano.decoder import (
    DecoderRun,
    DecoderTask,
    Voiced,
    distances,
    train_decoder,
)
from mamtra.recipes.nano.decoder_batch import balanced, partners
from mamtra.recipes.nano.drawer import Drawer
from mamtra.training.loop import LoopSettings

TOY = DecoderRun(
    decoder=DecoderConfig(
        encoder=TokenEncoderConfig(
            vocabulary=9,
            dim=16,
            heads=2,
            mlp_dim=16,
            lower_layers=1,
            upper_layers=1,
            speaker_dim=6,
        ),
        velocity=None,
        bins=100,
        speaker_dim=6,
        steps=0,
        mel_offset=-5.0,
        mel_scale=2.0,
    ),
    speaker=SpeakerConfig(bins=100, dim=8, layers=1, width=6),
    settings=LoopSettings(steps=2, warmup_steps=1, log_every=1, evaluate_every=2),
    batch_frames=120,
    reference_frames=(5, 20),
)


class SomeTokens:
    """Tokens as long as the utterances of the toy corpus."""

    def __init__(self, corpus: Corpus) -> None:
        self.counts = {item.id: item.samples // 960 for item in corpus.utterances}

    def __contains__(self, utterance_id: str) -> bool:
        return utterance_id in self.counts

    def of(self, utterance_id: str) -> np.ndarray:
        return np.arange(self.counts[utterance_id], dtype=np.int64) % 9


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    random, clips, utterances, place = np.random.default_rng(0), [], [], 0
    for number in range(12):
        clip = random.integers(-9000, 9000, 12000 + 480 * number).astype(np.int16)
        utterances.append(
            Utterance(
                id=f"u{number}",
                text="",
                voice=("heart", "rms")[number % 2],
                split="validation" if number > 7 else "train",
                shard="toy",
                offset=place,
                samples=len(clip),
                words=[],
                phones="",
            )
        )
        clips.append(clip)
        place += len(clip)
    write_shard(tmp_path, "toy", clips, utterances)
    (tmp_path / "corpus.json").write_text('{"rate_hz": 24000}')
    return Corpus.open(tmp_path)


def test_a_partner_is_another_row_of_the_same_voice() -> None:
    voices = ["heart", "rms", "heart", "heart", "awb", "rms"]
    found = partners(voices, np.random.default_rng(0))
    assert [voices[row] for row in found] == voices
    assert [row for row, other in enumerate(found) if row == other] == [4]
    assert sorted(found) == list(range(6))


def test_errors_do_not_count_padding() -> None:
    wanted, content = torch.randn(1, 3, 6), torch.tensor([[True] * 4 + [False] * 2])
    drawn = wanted + 0.5
    drawn[..., 4:] = 100
    found = distances(drawn, wanted, content)
    assert float(found["absolute"]) == pytest.approx(0.5)
    assert float(found["square"]) == pytest.approx(0.25)
    assert float(found["melody"]) == pytest.approx(0, abs=1e-6)


def test_the_main_voice_has_its_share(corpus: Corpus) -> None:
    heart = [item for item in corpus.utterances if item.voice == "heart"]
    rms = [item for item in corpus.utterances if item.voice == "rms"][:2]
    voices = [item.voice for item in balanced(heart + rms, 0.5)]
    assert voices.count("heart") == voices.count("rms") == 6
    assert balanced(rms, 0.5) == rms


def test_utterances_without_tokens_are_left_out(corpus: Corpus) -> None:
    tokens = SomeTokens(corpus)
    del tokens.counts["u0"]
    assert {item.id for item in DecoderTask(TOY, corpus, tokens).train} == {
        f"u{number}" for number in range(1, 8)
    }
    tokens.counts.clear()
    with pytest.raises(CorpusError, match="no training utterance has speech tokens"):
        DecoderTask(TOY, corpus, tokens)


def test_a_step_draws_the_same_loss_again(corpus: Corpus) -> None:
    losses = [
        float(DecoderTask(TOY, corpus, SomeTokens(corpus)).loss(3)["loss"].detach())
        for _ in range(2)
    ]
    assert losses[0] == losses[1]


def test_a_run_leaves_decoder_and_speaker(corpus: Corpus, tmp_path: Path) -> None:
    train_decoder(corpus, SomeTokens(corpus), tmp_path / "run", TOY)
    names = {name.split(".")[0] for name in load_file(tmp_path / "run" / "model.safetensors")}
    assert names == {"decoder", "speaker"}
    last = (tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1]
    assert '"heart_absolute"' in last
    assert '"rms_chunked"' in last


def test_a_flow_adds_its_own_loss(corpus: Corpus) -> None:
    velocity = VelocityConfig(
        bins=100, dim=8, heads=2, head_dim=4, blocks=1, middle=1, speaker_bins=4
    )
    run = replace(TOY, decoder=replace(TOY.decoder, velocity=velocity, steps=2))
    values = DecoderTask(run, corpus, SomeTokens(corpus)).loss(0)
    values["loss"].backward()
    assert torch.isfinite(values["flow"])


def test_utterances_drawn_together_are_those_drawn_alone(corpus: Corpus, tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = tmp_path / "voiced.safetensors"
    save_file(Voiced(TOY).state_dict(), weights)
    together, alone = (Drawer(weights, corpus, SomeTokens(corpus), TOY) for _ in range(2))
    chosen = corpus.choose("train")
    together.draw_all(chosen)
    assert set(together.drawn) == {item.id for item in chosen}
    for item in chosen:
        torch.testing.assert_close(together.draw(item), alone.draw(item), atol=1e-2, rtol=0)
