"""The run that makes nano's vocoder.

It hears random pieces of about a second, a quarter of them of the main voice where there are
others.
Its excitation is made from the pitch that the corpus tells, or that is measured in the recording,
so that pulses and speech agree from the first step; the pitch network learns to predict that same
pitch. Losses compare spectra; in the second part of the run small judges (``acoustic/adversary``)
are trained beside it and make it sharper, and a part of the mel features are those that the decoder
draws, which are smoother than those of a recording. A run may begin with an earlier vocoder; the
judges always begin anew, so the vocoder listens to them little by little.
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from mamtra.acoustic.adversary import Adversary
from mamtra.acoustic.mel import LogMel
from mamtra.acoustic.pitch import track_pitch
from mamtra.acoustic.spectral_loss import loudness_distance, spectral_distance
from mamtra.acoustic.vocoder import Vocoder, VocoderConfig
from mamtra.atomic import write_file
from mamtra.corpus.synthetic.manifest import Corpus, Utterance
from mamtra.corpus.synthetic.spoken import MAIN_VOICE
from mamtra.recipes.nano.ahead import Ahead, workers_for
from mamtra.recipes.nano.drawer import Drawer
from mamtra.recipes.nano.start import START, start_vocoder
from mamtra.recipes.nano.tokenizer import NANO_MEL, same_rate
from mamtra.training.checkpoint import FILE as CHECKPOINT
from mamtra.training.loop import LoopSettings, train

NANO_VOCODER = VocoderConfig(
    rate_hz=NANO_MEL.rate_hz,
    bins=NANO_MEL.bins,
    channels=256,
    upsample_rates=(4,),
    upsample_kernels=(8,),
    source_kernels=(3,),
    block_kernels=(3, 7),
    dilations=(1, 3),
    n_fft=480,
    hop=120,
    overtones=0,
    voiced_above_hz=50.0,
    pitch_channels=128,
    pitch_scale_hz=100.0,
    mel_mean=-6.0,
    mel_scale=0.4,
    head="filter",
)
MARGIN_FRAMES = 2  # cut beside every piece, so that its mel features see the sound around it
PITCH_UNIT_HZ = 50.0
SILENT_MEL = -11.5  # logarithm of the smallest magnitude


@dataclass(frozen=True, slots=True, kw_only=True)
class VocoderRun:
    """Everything that decides the vocoder's training.

    Attributes:
        adversary_from: the step from which the judges learn and are listened to.
        adversary_ramp: over so many steps from there on they are listened to more and more; the
            answers of judges that know nothing yet spoil an earlier vocoder.
        adversary_pieces, adversary_frames: so many pieces, and frames of each, are judged.
        fooled_weight, feature_weight: of the judges' answers and of their inner features.
        drawn_share: from ``adversary_from`` on, so many pieces are spoken from mel features that
            the decoder drew, where there is one.
    """

    config: VocoderConfig = NANO_VOCODER
    settings: LoopSettings = field(
        default_factory=lambda: LoopSettings(
            steps=2400,
            learning_rate=1.2e-3,
            warmup_steps=100,
            weight_decay=0.0,
            gradient_clip=1.0,
            precision="bfloat16",
            final_learning_rate_share=0.1,
        )
    )
    batch: int = 12
    shortest_frames: int = 40
    longest_frames: int = 60
    main_voice_share: float = 0.25
    mel_weight: float = 1.0
    pitch_weight: float = 0.5
    loudness_weight: float = 0.1
    validation_frames: int = 100
    adversary_from: int = 1500
    adversary_ramp: int = 600
    adversary_pieces: int = 6
    adversary_frames: int = 24
    fooled_weight: float = 0.3
    feature_weight: float = 0.6
    drawn_share: float = 0.5


class Judged(nn.Module):
    """What is trained: the vocoder, and the judges that are forgotten afterwards."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.vocoder = Vocoder(config)
        self.adversary = Adversary()


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of an utterance.

    Attributes:
        samples: with ``MARGIN_FRAMES`` at both ends.
        pitch: a value a frame, without margins.
        utterance: that it was cut from.
        start: its first frame there, without margins.
        drawn: whether its mel features shall be those that the decoder draws.
    """

    samples: np.ndarray
    pitch: np.ndarray
    utterance: Utterance
    start: int
    drawn: bool = False


@dataclass(frozen=True, slots=True)
class Pieces:
    """The pieces of a step, and how much is given to what the judges say of them."""

    pieces: list[Piece]
    heed: float


class VocoderTask:
    """The loss and the measures of one vocoder run.

    Args:
        run: what decides it.
        corpus: the spoken sentences.
        drawer: a trained decoder, to learn from what it draws as well.
        device: where to compute.
    """

    def __init__(
        self,
        run: VocoderRun,
        corpus: Corpus,
        drawer: Drawer | None = None,
        device: str = "cpu",
    ) -> None:
        same_rate(corpus)
        self.run, self.corpus, self.drawer, self.device = run, corpus, drawer, device
        self.mel = LogMel(NANO_MEL).to(device)
        train_set = corpus.choose("train")
        self.main = [item for item in train_set if item.voice == MAIN_VOICE]
        self.others = [item for item in train_set if item.voice != MAIN_VOICE] or self.main
        self.main = self.main or self.others
        held_out = corpus.choose("validation")
        self.validation = held_out[:: max(1, len(held_out) // 32)]
        self.pieces = Ahead(self.chosen, workers_for(device))
        if drawer is not None and device != "cpu":
            drawer.draw_all(train_set)
        torch.manual_seed(run.settings.seed)
        self.judged = Judged(run.config).to(device)
        self.model = self.judged.vocoder

    def piece(
        self,
        utterance: Utterance,
        frames: int,
        random: np.random.Generator,
        drawn: bool = False,
    ) -> Piece:
        """So many frames of an utterance from a random place."""
        hop, samples = NANO_MEL.hop, self.corpus.audio(utterance)
        around, length = MARGIN_FRAMES * hop, (frames + 2 * MARGIN_FRAMES) * hop
        samples = np.pad(samples, (around, max(around, length)))
        last = max(1, utterance.samples // hop - frames)
        start = int(random.integers(last))
        cut = samples[start * hop : start * hop + length]
        pitch = self.corpus.pitch(utterance)
        if pitch is None:
            track = track_pitch(torch.from_numpy(cut)[None], NANO_MEL.rate_hz, hop)[0].numpy()
            pitch = np.pad(track[MARGIN_FRAMES:-MARGIN_FRAMES], (start, 0))
        track = np.pad(pitch, (0, frames))[start : start + frames]
        return Piece(samples=cut, pitch=track, utterance=utterance, start=start, drawn=drawn)

    def chosen(self, step: int) -> Pieces:
        """The pieces of a training step; everything random comes from its number."""
        run = self.run
        random = np.random.default_rng((run.settings.seed, step))
        frames = int(random.integers(run.shortest_frames, run.longest_frames + 1))
        mains = round(run.batch * run.main_voice_share)
        sets = [self.main] * mains + [self.others] * (run.batch - mains)
        chosen = [items[int(random.integers(len(items)))] for items in sets]
        heed = (step - run.adversary_from + 1) / max(1, run.adversary_ramp)
        heed = min(1.0, max(0.0, heed))
        drawn = (heed > 0) & (random.random(run.batch) < run.drawn_share)
        pieces = [
            self.piece(item, frames, random, bool(asked))
            for item, asked in zip(chosen, drawn, strict=True)
        ]
        return Pieces(pieces, heed)

    @torch.no_grad()
    def features(
        self, pieces: list[Piece], audio: Float[Tensor, "batch samples"]
    ) -> Float[Tensor, "batch bins frames"]:
        """Mel features of the sound, or those that the decoder draws where a piece asks for it."""
        mel = self.mel(audio)[..., MARGIN_FRAMES:-MARGIN_FRAMES].contiguous()
        frames = mel.shape[-1]
        for row, piece in enumerate(pieces):
            if piece.drawn and self.drawer is not None:
                whole, start = self.drawer.draw(piece.utterance), piece.start
                silence = (0, max(0, start + frames - whole.shape[1]))
                padded = nn.functional.pad(whole, silence, value=SILENT_MEL)
                mel[row] = padded[:, start : start + frames]
        return mel

    def compute(self, pieces: list[Piece], noise_seed: int, heed: float = 0.0) -> dict[str, Tensor]:
        """Loss values of pieces of one length; the judges are asked where they are heeded."""
        run, hop = self.run, NANO_MEL.hop
        audio = torch.from_numpy(np.stack([piece.samples for piece in pieces])).to(self.device)
        pitch = torch.from_numpy(np.stack([piece.pitch for piece in pieces])).float()
        pitch = pitch.to(self.device)
        mel = self.features(pieces, audio)
        wanted = audio[:, MARGIN_FRAMES * hop : -MARGIN_FRAMES * hop]
        generator = torch.Generator(self.device).manual_seed(noise_seed)
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
        if heed:
            first = noise_seed % max(1, mel.shape[-1] - run.adversary_frames)
            part = slice(first * hop, (first + run.adversary_frames) * hop)
            rows = slice(None, None, max(1, len(made) // run.adversary_pieces))
            values |= self.judged.adversary.losses(made[rows, part], wanted[rows, part])
            values["loss"] = (
                values["loss"]
                + values["judges"]
                + heed * run.fooled_weight * values["fooled"]
                + heed * run.feature_weight * values["features"]
            )
        return values

    def loss(self, step: int) -> dict[str, Tensor]:
        """The loss of one step."""
        chosen = self.pieces.at(step)
        return self.compute(chosen.pieces, step, chosen.heed)

    def evaluate(self) -> dict[str, float]:
        """The loss on held-out pieces."""
        random = np.random.default_rng(self.run.settings.seed)
        frames = self.run.validation_frames
        pieces = [self.piece(utterance, frames, random) for utterance in self.validation]
        values = self.compute(pieces, noise_seed=0)
        return {f"validation_{name}": round(float(value), 4) for name, value in values.items()}


def trained_vocoder(weights: Path, config: VocoderConfig = NANO_VOCODER) -> Vocoder:
    """The vocoder inside a trained ``Judged``."""
    judged = Judged(config)
    judged.load_state_dict(load_file(weights))
    return judged.vocoder.eval()


def train_vocoder(
    corpus: Corpus,
    folder: Path,
    run: VocoderRun | None = None,
    drawer: Drawer | None = None,
    start: Path | None = None,
    device: str = "cpu",
) -> None:
    """Train the vocoder; ``folder/model.safetensors`` then holds a ``Judged``.

    Args:
        corpus: the spoken sentences.
        folder: where the run lives.
        run: what decides it.
        drawer: a trained decoder, to learn from what it draws as well.
        start: folder of an earlier model to begin with; ``folder/start.json`` then says which of
            its weights were taken.
        device: where to compute.
    """
    run, begins = run or VocoderRun(), start is not None and not (folder / CHECKPOINT).exists()
    if begins or (folder / START).exists():
        run = replace(run, adversary_from=0)  # an earlier vocoder needs no time without judges
    task = VocoderTask(run, corpus, drawer, device)
    if start is not None and begins:
        told = start_vocoder(task.model, start)
        write_file(folder / START, json.dumps(told, indent=1))
    evaluate = task.evaluate if task.validation else None
    train(folder, task.judged, task.loss, run.settings, evaluate)
