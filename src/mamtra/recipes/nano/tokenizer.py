"""The run that makes nano's speech tokenizer: supervised by phones, mel features and pitch.

Where the corpus tells the times of its phones, each frame is told its phone, which learns faster
than CTC; elsewhere CTC finds them. Trained to the end before anything is built on it, since the
language model and the decoder both learn its tokens.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mamtra.acoustic.mel import LogMel
from mamtra.acoustic.speech_tokenizer import Recogniser, SpeechTokenizerConfig
from mamtra.acoustic.token_encoder import length_mask
from mamtra.audio.log_mel import MelConfig
from mamtra.corpus.batches import LengthBatches
from mamtra.corpus.synthetic.manifest import Corpus, Utterance
from mamtra.corpus.synthetic.spoken import MAIN_VOICE, PHONES
from mamtra.errors import CorpusError
from mamtra.recipes.nano.phone_errors import phone_errors, phone_ids
from mamtra.training.loop import LoopSettings, train

NANO_MEL = MelConfig(
    rate_hz=24_000, bins=100, n_fft=1280, window=1280, hop=480, fmin_hz=0.0, fmax_hz=12_000.0
)
NANO_TOKENIZER = SpeechTokenizerConfig(bins=NANO_MEL.bins, digits=7)
UNKNOWN = -100  # the phone of a frame between two phones
FACTORS = (1.0, 0.67, 0.75, 0.85, 1.15)  # of pitch and formants, when clips are heard as others
GRAIN = 2 * NANO_MEL.hop  # samples of a token
PITCH_SPREAD = 0.2  # of the logarithm of the pitch around a sentence's mean, about


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerRun:
    """Everything that decides the tokenizer's training."""

    config: SpeechTokenizerConfig = NANO_TOKENIZER
    settings: LoopSettings = field(
        default_factory=lambda: LoopSettings(
            steps=6000, learning_rate=2e-3, warmup_steps=100, precision="bfloat16", optimizer="muon"
        )
    )
    batch_frames: int = 4000
    phone_weight: float = 3.0
    mel_weight: float = 0.6
    pitch_weight: float = 0.5
    changed_share: float = 0.1  # of the clips are played slower or faster, so as other speakers


def phone_frames(utterance: Utterance, frames: int) -> tuple[Tensor, Tensor]:
    """The class of the phone at the middle of each frame, and how much the frame counts.

    A phone of n frames counts as the root of n: words hang on short consonants as much as on long
    vowels.

    Returns:
        Classes, ``UNKNOWN`` between two phones, and weights, which are then zero.
    """
    classes, weights = torch.full((frames,), UNKNOWN), torch.zeros(frames)
    places = zip(phone_ids(utterance), utterance.starts, utterance.ends, strict=True)
    for phone, start, end in places:
        first, last = (round(at / NANO_MEL.hop) for at in (start, end))
        classes[first:last] = phone
        weights[first:last] = max(1, last - first) ** -0.5
    return classes, weights


def relative_pitch(pitch: np.ndarray) -> np.ndarray:
    """Logarithm of the pitch against its mean, in units of ``PITCH_SPREAD``; NaN where unvoiced."""
    voiced = pitch > 0
    found = np.full(len(pitch), np.nan, np.float32)
    if voiced.any():
        level = np.log(pitch[voiced])
        found[voiced] = (level - level.mean()) / PITCH_SPREAD
    return found


def same_rate(corpus: Corpus) -> None:
    """Make sure that a corpus has the rate of nano's mel features.

    Raises:
        CorpusError: it has another.
    """
    if corpus.rate_hz != NANO_MEL.rate_hz:
        raise CorpusError(
            f"the corpus speaks at {corpus.rate_hz} Hz and nano at {NANO_MEL.rate_hz}; "
            "make a corpus with a voice of that rate: mamtra corpus synthesize"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An utterance as the tokenizer hears it in one step.

    Attributes:
        utterance: with the times of its phones in these samples.
        samples: float32.
        pitch: a value a frame, or None where the source did not tell.
        speaker: which of ``FACTORS``; each sounds like another speaker.
    """

    utterance: Utterance
    samples: np.ndarray
    pitch: np.ndarray | None
    speaker: int


def heard(corpus: Corpus, utterance: Utterance, factor: int = 0) -> Heard:
    """An utterance, played slower or faster by one of ``FACTORS``."""
    samples, pitch, ratio = corpus.audio(utterance), corpus.pitch(utterance), FACTORS[factor]
    if factor:
        length = round(len(samples) / ratio / GRAIN) * GRAIN
        places = np.arange(length) * ratio
        samples = np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
        if pitch is not None:
            middles = (np.arange(length // NANO_MEL.hop) + 0.5) * ratio
            pitch = pitch[np.clip(middles.astype(int), 0, len(pitch) - 1)] * ratio
        utterance = replace(
            utterance,
            samples=length,
            starts=[round(at / ratio) for at in utterance.starts],
            ends=[round(at / ratio) for at in utterance.ends],
        )
    return Heard(
        utterance=utterance,
        samples=samples,
        pitch=pitch,
        speaker=factor,
    )


def padded(clips: list[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Clips side by side, padded, and their numbers of samples."""
    rows = [torch.from_numpy(clip) for clip in clips]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.tensor([len(r) for r in rows])


def load_audio(corpus: Corpus, utterances: list[Utterance]) -> tuple[Tensor, Tensor]:
    """Samples of several utterances, padded, and their numbers of samples."""
    return padded([corpus.audio(utterance) for utterance in utterances])


class TokenizerTask:
    """The loss and the measures of one tokenizer run."""

    def __init__(self, run: TokenizerRun, corpus: Corpus) -> None:
        same_rate(corpus)
        self.run, self.corpus = run, corpus
        self.mel = LogMel(NANO_MEL)
        self.train = corpus.choose("train", MAIN_VOICE)
        self.validation = corpus.choose("validation", MAIN_VOICE)[:40]
        self.batches = LengthBatches(
            [utterance.samples // NANO_MEL.hop for utterance in self.train],
            run.batch_frames,
            run.settings.seed,
        )
        torch.manual_seed(run.settings.seed)
        self.model = Recogniser(run.config, len(PHONES), len(FACTORS))

    def name_loss(self, phones: Tensor, utterances: list[Utterance], frames: Tensor) -> Tensor:
        """How badly the phones are named: cross entropy of frames, or CTC a phone without times."""
        losses = []
        timed = [row for row, utterance in enumerate(utterances) if utterance.starts]
        if timed:
            time = phones.shape[1]
            told = [phone_frames(utterances[row], time) for row in timed]
            wanted, weights = (torch.stack(part) for part in zip(*told, strict=True))
            weights = weights * length_mask(frames[timed], time)
            missed = nn.functional.nll_loss(
                phones[timed].mT, wanted, ignore_index=UNKNOWN, reduction="none"
            )
            losses.append((missed * weights).sum() / weights.sum().clamp(min=1.0))
        rest = [row for row in range(len(utterances)) if row not in set(timed)]
        if rest:
            targets = [phone_ids(utterances[row]) for row in rest]
            counts = torch.tensor([len(target) for target in targets])
            ctc = nn.functional.ctc_loss(
                phones[rest].transpose(0, 1),
                torch.tensor([phone for target in targets for phone in target]),
                frames[rest],
                counts,
                reduction="sum",
                zero_infinity=True,
            )
            losses.append(ctc / counts.sum())
        return torch.stack(losses).mean()

    def pitch_loss(self, melody: Tensor, clips: list[Heard]) -> Tensor:
        """Error of voicing and of relative pitch, where the corpus tells the pitch."""
        total = melody.new_zeros(())
        for row, clip in enumerate(clips):
            if clip.pitch is None:
                continue
            wanted = torch.from_numpy(relative_pitch(clip.pitch))[: melody.shape[1]]
            drawn = melody[row, : len(wanted)]
            voiced = ~wanted.isnan()
            total = total + nn.functional.binary_cross_entropy_with_logits(
                drawn[:, 0], voiced.float()
            )
            if voiced.any():
                total = total + (drawn[:, 1] - wanted)[voiced].abs().mean()
        return total / len(clips)

    def compute(self, clips: list[Heard]) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Loss values of a batch, the best phone of every frame, and the numbers of frames."""
        samples, lengths = padded([clip.samples for clip in clips])
        frames = lengths // NANO_MEL.hop // 2 * 2
        with torch.no_grad():
            mel = self.mel(samples)
        speaker = torch.tensor([clip.speaker for clip in clips])
        phones, drawn, melody = self.model(mel, frames, speaker)
        mask = length_mask(frames, drawn.shape[-1])[:, None]
        distance = ((drawn - mel[..., : drawn.shape[-1]]).abs() * mask).sum()
        values = {
            "phones": self.name_loss(phones, [clip.utterance for clip in clips], frames),
            "mel": distance / (mask.sum() * drawn.shape[1]),
            "pitch": self.pitch_loss(melody, clips),
        }
        values["loss"] = (
            self.run.phone_weight * values["phones"]
            + self.run.mel_weight * values["mel"]
            + self.run.pitch_weight * values["pitch"]
        )
        return values, phones.argmax(-1), frames

    def loss(self, step: int) -> dict[str, Tensor]:
        """The loss of one step; everything random comes from the step's number."""
        random = np.random.default_rng((self.run.settings.seed, step, 1))
        clips = []
        for item in self.batches.at(step):
            changed = random.random() < self.run.changed_share
            factor = int(random.integers(1, len(FACTORS))) if changed else 0
            clips.append(heard(self.corpus, self.train[item], factor))
        return self.compute(clips)[0]

    def evaluate(self) -> dict[str, float]:
        """Phone error rate through the bottleneck, and how the codes are used."""
        errors = wanted = 0
        sums: Counter[str] = Counter()
        codes: Counter[int] = Counter()
        groups = [self.validation[i : i + 40] for i in range(0, len(self.validation), 40)]
        for group in groups:
            values, best, frames = self.compute(
                [heard(self.corpus, utterance) for utterance in group]
            )
            sums.update({name: value.item() / len(groups) for name, value in values.items()})
            samples, _ = load_audio(self.corpus, group)
            ids = self.model.tokenizer.encode(self.mel(samples), frames)
            wrong, spoken = phone_errors(best, frames, group)
            errors, wanted = errors + wrong, wanted + spoken
            for row, count in enumerate(frames.tolist()):
                codes.update(ids[row, : count // 2].tolist())
        shares = np.array(list(codes.values())) / codes.total()
        return {
            **{f"validation_{name}": round(value, 4) for name, value in sums.items()},
            "phone_error_rate": round(errors / max(1, wanted), 4),
            "codes_used": len(codes),
            "code_entropy_bits": round(float(-(shares * np.log2(shares)).sum()), 3),
        }


def train_tokenizer(corpus: Corpus, folder: Path, run: TokenizerRun | None = None) -> None:
    """Train the tokenizer; ``folder/model.safetensors`` then holds the ``Recogniser``."""
    run = run or TokenizerRun()
    task = TokenizerTask(run, corpus)
    train(folder, task.model, task.loss, run.settings, task.evaluate)
