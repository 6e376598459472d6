"""The run that lets nano's vocoder hear what its decoder really draws.

A decoder that expects the mean of what may come draws smoother mel features than any recording
has. A vocoder trained on recordings alone makes that smoothness audible. Here it goes on with the
decoder's mel features as input and the recording as the answer; decoder and tokens stay.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from mamtra.corpus.manifest import Corpus, Utterance
from mamtra.corpus.tokens import TokenTable
from mamtra.recipes.nano_decoder import DecoderRun, Voiced
from mamtra.recipes.nano_tokenizer import NANO_MEL, load_audio
from mamtra.recipes.nano_vocoder import MARGIN_FRAMES, VocoderRun, VocoderTask
from mamtra.training.loop import LoopSettings, train


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningRun:
    """Everything that decides the tuning.

    Attributes:
        own_share: share of the steps that start from the recording's own mel features, so that the
            vocoder forgets nothing.
    """

    vocoder: VocoderRun = field(default_factory=VocoderRun)
    decoder: DecoderRun = field(default_factory=DecoderRun)
    settings: LoopSettings = field(
        default_factory=lambda: LoopSettings(
            steps=800,
            learning_rate=5e-4,
            warmup_steps=30,
            weight_decay=0.0,
            precision="bfloat16",
            evaluate_every=200,
        )
    )
    own_share: float = 0.2


class TuningTask:
    """The loss of a vocoder on drawn mel features."""

    def __init__(
        self, run: TuningRun, corpus: Corpus, tokens: TokenTable, decoder: Path, vocoder: Path
    ) -> None:
        self.run, self.corpus, self.tokens = run, corpus, tokens
        self.task = VocoderTask(run.vocoder, corpus)
        self.task.model.load_state_dict(load_file(vocoder))
        self.voiced = Voiced(run.decoder)
        self.voiced.load_state_dict(load_file(decoder))
        self.voiced.eval().requires_grad_(False)

    @torch.no_grad()
    def drawn(self, utterances: list[Utterance]) -> list[Tensor]:
        """What the decoder draws for each utterance's tokens, in its own voice."""
        ids = [torch.from_numpy(self.tokens.of(utterance.id)) for utterance in utterances]
        lengths = torch.tensor([len(row) for row in ids])
        tokens = nn.utils.rnn.pad_sequence(ids, batch_first=True)
        own = self.task.mel(load_audio(self.corpus, utterances)[0])[..., : 2 * tokens.shape[1]]
        speaker = self.voiced.speaker(own, 2 * lengths)
        mel = self.voiced.decoder.expect(tokens, speaker, lengths)
        mel = mel * self.run.decoder.decoder.mel_scale + self.run.decoder.decoder.mel_offset
        return [row[:, : 2 * int(count)] for row, count in zip(mel, lengths, strict=True)]

    def pieces(
        self, utterances: list[Utterance], frames: int, random: np.random.Generator
    ) -> tuple[list[np.ndarray], Tensor]:
        """Pieces that begin at a frame, with their margins, and the drawn mel features of each."""
        hop, margin = NANO_MEL.hop, MARGIN_FRAMES
        sounds, mels = [], []
        for utterance, mel in zip(utterances, self.drawn(utterances), strict=True):
            start = int(random.integers(mel.shape[1] - frames + 1))
            samples = np.pad(self.corpus.audio(utterance), margin * hop)
            sounds.append(samples[start * hop : (start + frames + 2 * margin) * hop])
            mels.append(mel[:, start : start + frames])
        return sounds, torch.stack(mels)

    def compute(self, step: int, utterances: list[Utterance], frames: int) -> dict[str, Tensor]:
        """Loss values on pieces of utterances that are long enough."""
        random = np.random.default_rng((self.run.settings.seed, step, 2))
        long = [item for item in utterances if len(self.tokens.of(item.id)) * 2 >= frames]
        sounds, mels = self.pieces(long, frames, random)
        own = random.random() < self.run.own_share
        return self.task.compute(sounds, step, None if own else mels)

    def loss(self, step: int) -> dict[str, Tensor]:
        """The loss of one step."""
        random = np.random.default_rng((self.run.settings.seed, step, 1))
        return self.compute(step, *self.task.choose(random))

    def evaluate(self) -> dict[str, float]:
        """The loss on drawn mel features of held-out utterances."""
        frames = self.run.vocoder.shortest_frames
        held = [u for u in self.task.validation if len(self.tokens.of(u.id)) * 2 >= frames]
        sounds, mels = self.pieces(held, frames, np.random.default_rng(0))
        values = self.task.compute(sounds, 0, mels)
        return {f"validation_{name}": round(float(value), 4) for name, value in values.items()}


def tune_vocoder(
    corpus: Corpus,
    tokens: TokenTable,
    decoder: Path,
    vocoder: Path,
    folder: Path,
    run: TuningRun | None = None,
) -> None:
    """Go on with a trained vocoder on what a trained decoder draws.

    ``folder/model.safetensors`` then holds the vocoder's weights.
    """
    run = run or TuningRun()
    task = TuningTask(run, corpus, tokens, decoder, vocoder)
    train(folder, task.task.model, task.loss, run.settings, task.evaluate)
