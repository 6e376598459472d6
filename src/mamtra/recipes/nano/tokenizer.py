"""The run that makes nano's speech tokenizer: supervised by phones and, lightly, by mel features.

Trained to the end before anything is built on it, since the language model and the decoder both
learn its tokens.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mamtra.acoustic.mel import LogMel, MelConfig
from mamtra.acoustic.speech_tokenizer import Recogniser, SpeechTokenizerConfig, time_mask
from mamtra.corpus.batches import LengthBatches
from mamtra.corpus.synthetic.flite import PHONES
from mamtra.corpus.synthetic.manifest import Corpus, Utterance
from mamtra.training.loop import LoopSettings, train

NANO_MEL = MelConfig(rate_hz=16_000, n_fft=1024, window=1024, hop=320)
PHONE_ID = {phone: number + 1 for number, phone in enumerate(PHONES)}  # 0 is CTC's blank


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerRun:
    """Everything that decides the tokenizer's training."""

    config: SpeechTokenizerConfig = field(default_factory=SpeechTokenizerConfig)
    settings: LoopSettings = field(
        default_factory=lambda: LoopSettings(
            steps=1700, learning_rate=2e-3, warmup_steps=150, precision="bfloat16", optimizer="muon"
        )
    )
    batch_frames: int = 6000
    mel_weight: float = 0.4


def phone_ids(utterance: Utterance) -> list[int]:
    """The phones of an utterance as CTC classes."""
    return [PHONE_ID[phone] for phone in utterance.phones.split()]


def load_audio(corpus: Corpus, utterances: list[Utterance]) -> tuple[Tensor, Tensor]:
    """Samples of several utterances, padded, and their numbers of samples."""
    clips = [torch.from_numpy(corpus.audio(utterance)) for utterance in utterances]
    lengths = torch.tensor([len(clip) for clip in clips])
    return nn.utils.rnn.pad_sequence(clips, batch_first=True), lengths


def edit_distance(given: list[int], wanted: list[int]) -> int:
    """Insertions, deletions and substitutions between two lists."""
    row = np.arange(len(given) + 1)
    for number, item in enumerate(wanted):
        previous, row = row, np.empty_like(row)
        row[0] = number + 1
        same = previous[:-1] + (np.asarray(given) != item) if given else previous[:0]
        row[1:] = np.minimum(same, previous[1:] + 1)
        for column in range(1, len(row)):
            row[column] = min(row[column], row[column - 1] + 1)
    return int(row[-1])


def greedy_phones(best: list[int]) -> list[int]:
    """CTC's best path: repeats merged, blanks dropped."""
    merged = [item for item, before in zip(best, [0, *best[:-1]], strict=True) if item != before]
    return [item for item in merged if item]


class TokenizerTask:
    """The loss and the measures of one tokenizer run."""

    def __init__(self, run: TokenizerRun, corpus: Corpus) -> None:
        self.run, self.corpus = run, corpus
        self.mel = LogMel(NANO_MEL)
        self.train = corpus.choose("train")
        self.validation = [
            utterance
            for voice in corpus.voices
            for utterance in corpus.choose("validation", voice)[:40]
        ]
        self.batches = LengthBatches(
            [utterance.samples // NANO_MEL.hop for utterance in self.train],
            run.batch_frames,
            run.settings.seed,
        )
        torch.manual_seed(run.settings.seed)
        self.model = Recogniser(run.config, len(PHONES), len(corpus.voices))

    def compute(self, utterances: list[Utterance]) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Loss values of a batch, the best phone of every frame, and the numbers of frames."""
        samples, lengths = load_audio(self.corpus, utterances)
        frames = lengths // NANO_MEL.hop // 2 * 2
        with torch.no_grad():
            mel = self.mel(samples)
        speaker = torch.tensor([self.corpus.voices.index(u.voice) for u in utterances])
        phones, drawn = self.model(mel, frames, speaker)
        targets = [phone_ids(utterance) for utterance in utterances]
        counts = torch.tensor([len(target) for target in targets])
        ctc = nn.functional.ctc_loss(
            phones.transpose(0, 1),
            torch.tensor([phone for target in targets for phone in target]),
            frames,
            counts,
            reduction="sum",
            zero_infinity=True,
        )
        mask = time_mask(frames, drawn.shape[-1])[:, None]
        distance = ((drawn - mel[..., : drawn.shape[-1]]).abs() * mask).sum()
        values = {
            "ctc": ctc / counts.sum(),
            "mel": distance / (mask.sum() * drawn.shape[1]),
        }
        values["loss"] = values["ctc"] + self.run.mel_weight * values["mel"]
        return values, phones.argmax(-1), frames

    def loss(self, step: int) -> dict[str, Tensor]:
        """The loss of one step."""
        return self.compute([self.train[item] for item in self.batches.at(step)])[0]

    def evaluate(self) -> dict[str, float]:
        """Phone error rate through the bottleneck, and how the codes are used."""
        errors = wanted = 0
        sums: Counter[str] = Counter()
        codes: Counter[int] = Counter()
        groups = [self.validation[i : i + 40] for i in range(0, len(self.validation), 40)]
        for group in groups:
            values, best, frames = self.compute(group)
            sums.update({name: value.item() / len(groups) for name, value in values.items()})
            samples, _ = load_audio(self.corpus, group)
            ids = self.model.tokenizer.encode(self.mel(samples), frames)
            for row, utterance in enumerate(group):
                count = int(frames[row])
                target = phone_ids(utterance)
                errors += edit_distance(greedy_phones(best[row, :count].tolist()), target)
                wanted += len(target)
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
