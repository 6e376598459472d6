"""The run that makes nano's vocoder.

It hears random pieces of about a second, of all voices, half of them of the main one. Its
excitation is made from the pitch that is measured in the recording, so that pulses and speech agree
from the first step; the pitch network learns to predict that same pitch. Losses compare spectra,
not samples, and there is no adversary.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mamtra.acoustic.mel import LogMel, MelConfig
from mamtra.acoustic.pitch import track_pitch
from mamtra.acoustic.spectral_loss import loudness_distance, spectral_distance
from mamtra.acoustic.vocoder import Vocoder, VocoderConfig
from mamtra.corpus.synthetic.manifest import Corpus, Utterance
from mamtra.training.loop import LoopSettings, train

NANO_VOCODER = VocoderConfig(
    rate_hz=16_000,
    channels=256,
    upsample_rates=(5,),
    upsample_kernels=(11,),
    source_kernels=(3,),
    block_kernels=(3, 7),
    dilations=(1, 3),
    n_fft=256,
    hop=64,
    overtones=0,
    voiced_above_hz=50.0,
    pitch_channels=128,
    pitch_scale_hz=100.0,
    mel_mean=-5.0,
    mel_scale=0.4,
    head="filter",
)
NANO_MEL = MelConfig(rate_hz=16_000, n_fft=1024, window=1024, hop=320)
MAIN_VOICE = "slt"
MARGIN_FRAMES = 2  # cut beside every piece, so that its mel features see the sound around it
PITCH_UNIT_HZ = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VocoderRun:
    """Everything that decides the vocoder's training."""

    config: VocoderConfig = NANO_VOCODER
    settings: LoopSettings = field(
        default_factory=lambda: LoopSettings(
            steps=2600,
            learning_rate=1.2e-3,
            warmup_steps=100,
            weight_decay=0.0,
            gradient_clip=1.0,
            precision="bfloat16",
        )
    )
    batch: int = 16
    shortest_frames: int = 40
    longest_frames: int = 60
    main_voice_share: float = 0.5
    mel_weight: float = 1.0
    pitch_weight: float = 0.5
    loudness_weight: float = 0.1
    validation_frames: int = 100


class VocoderTask:
    """The loss and the measures of one vocoder run."""

    def __init__(self, run: VocoderRun, corpus: Corpus) -> None:
        self.run, self.corpus = run, corpus
        self.mel = LogMel(NANO_MEL)
        train_set = corpus.choose("train")
        self.main = [item for item in train_set if item.voice == MAIN_VOICE]
        self.others = [item for item in train_set if item.voice != MAIN_VOICE] or self.main
        self.main = self.main or self.others
        held_out = corpus.choose("validation")
        self.validation = held_out[:: max(1, len(held_out) // 32)]
        torch.manual_seed(run.settings.seed)
        self.model = Vocoder(run.config)

    def piece(self, utterance: Utterance, frames: int, random: np.random.Generator) -> np.ndarray:
        """So many frames of an utterance with their margins, from a random place."""
        hop, samples = NANO_MEL.hop, self.corpus.audio(utterance)
        length = (frames + 2 * MARGIN_FRAMES) * hop
        samples = np.pad(samples, (MARGIN_FRAMES * hop, max(MARGIN_FRAMES * hop, length)))
        last = max(1, utterance.samples - frames * hop)
        start = int(random.integers(last))
        return samples[start : start + length]

    def compute(self, pieces: list[np.ndarray], noise_seed: int) -> dict[str, Tensor]:
        """Loss values of pieces of one length."""
        run, hop = self.run, NANO_MEL.hop
        audio = torch.from_numpy(np.stack(pieces))
        margin = MARGIN_FRAMES
        with torch.no_grad():
            mel = self.mel(audio)[..., margin:-margin].contiguous()
            pitch = track_pitch(audio, NANO_MEL.rate_hz, hop)[:, margin:-margin].contiguous()
        wanted = audio[:, margin * hop : -margin * hop]
        generator = torch.Generator().manual_seed(noise_seed)
        noise = self.model.draw_noise(len(pieces), mel.shape[-1], generator)
        made = self.model(mel, noise, pitch)
        predicted = self.model.predict_pitch(mel)
        values = {
            "spectra": spectral_distance(made, wanted),
            "mel": (self.mel(made) - self.mel(wanted)).abs().mean(),
            "pitch": (predicted - pitch).abs().mean() / PITCH_UNIT_HZ,
            "loudness": loudness_distance(made, wanted, hop),
        }
        values["loss"] = (
            values["spectra"]
            + run.mel_weight * values["mel"]
            + run.pitch_weight * values["pitch"]
            + run.loudness_weight * values["loudness"]
        )
        return values

    def loss(self, step: int) -> dict[str, Tensor]:
        """The loss of one step."""
        run = self.run
        random = np.random.default_rng((run.settings.seed, step))
        frames = int(random.integers(run.shortest_frames, run.longest_frames + 1))
        mains = round(run.batch * run.main_voice_share)
        sets = [self.main] * mains + [self.others] * (run.batch - mains)
        chosen = [items[int(random.integers(len(items)))] for items in sets]
        return self.compute([self.piece(item, frames, random) for item in chosen], step)

    def evaluate(self) -> dict[str, float]:
        """The loss on held-out pieces."""
        random = np.random.default_rng(self.run.settings.seed)
        frames = self.run.validation_frames
        pieces = [self.piece(utterance, frames, random) for utterance in self.validation]
        values = self.compute(pieces, noise_seed=0)
        return {f"validation_{name}": round(float(value), 4) for name, value in values.items()}


def train_vocoder(corpus: Corpus, folder: Path, run: VocoderRun | None = None) -> None:
    """Train the vocoder; ``folder/model.safetensors`` then holds its weights."""
    run = run or VocoderRun()
    task = VocoderTask(run, corpus)
    train(folder, task.model, task.loss, run.settings, task.evaluate if task.validation else None)
