"""The run that teaches nano's tokenizer further voices without changing what its tokens mean.

The first tokenizer learns one voice, and language models and decoders are built on its tokens.
Speech of other voices must give *those* tokens. So all that comes after the quantiser is kept as it
is, and only the encoder before it goes on learning: other voices are to be named right by the old
heads for phones and pitch, and the main voice is to keep its codes.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from mamtra.acoustic.speech_tokenizer import Recogniser
from mamtra.acoustic.token_encoder import length_mask
from mamtra.corpus.batches import LengthBatches
from mamtra.corpus.synthetic.manifest import Corpus, Utterance
from mamtra.corpus.synthetic.spoken import MAIN_VOICE, PHONES
from mamtra.errors import CorpusError
from mamtra.recipes.nano.phone_errors import phone_errors
from mamtra.recipes.nano.tokenizer import (
    FACTORS,
    NANO_MEL,
    TokenizerRun,
    TokenizerTask,
    heard,
    load_audio,
    padded,
)
from mamtra.training.loop import LoopSettings, train

HELD_OUT = 24  # utterances of a voice
EMBEDDING = "speaker.weight"  # one row for each speaker that the first tokenizer heard


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicesRun:
    """Everything that decides how further voices are taught.

    Attributes:
        main_frames: mel frames of the main voice in a step, beside the tokenizer's own number of
            the others.
        kept_weight: of the squared distance of the main voice's codes from those it had.
    """

    tokenizer: TokenizerRun = field(default_factory=TokenizerRun)
    settings: LoopSettings = field(
        default_factory=lambda: LoopSettings(
            steps=600, learning_rate=1e-3, warmup_steps=50, precision="bfloat16", optimizer="muon"
        )
    )
    main_frames: int = 2000
    kept_weight: float = 4.0


def recogniser_of(weights: Path, run: TokenizerRun) -> Recogniser:
    """A trained recogniser, with as many speakers as it has heard."""
    state = load_file(weights)
    model = Recogniser(run.config, len(PHONES), len(state[EMBEDDING]))
    model.load_state_dict(state)
    return model


class VoicesTask:
    """The loss and the measures of the run.

    Args:
        run: what decides it.
        corpus: the spoken sentences, of the main voice and of others.
        weights: of the first tokenizer's ``Recogniser``.

    Raises:
        CorpusError: the corpus has one voice only.
    """

    def __init__(self, run: VoicesRun, corpus: Corpus, weights: Path) -> None:
        self.run, self.corpus = run, corpus
        self.first = TokenizerTask(run.tokenizer, corpus)
        train_set = corpus.choose("train")
        self.main = [item for item in train_set if item.voice == MAIN_VOICE]
        self.others = [item for item in train_set if item.voice != MAIN_VOICE]
        if not self.main or not self.others:
            raise CorpusError(
                f"further voices are taught beside {MAIN_VOICE}; the corpus has only "
                f"{', '.join(corpus.voices)}. Add some: mamtra corpus synthesize --others --voice"
            )
        self.model = self.first.model = recogniser_of(weights, run.tokenizer)
        self.model.requires_grad_(False)
        self.model.tokenizer.requires_grad_(True)
        self.model.tokenizer.quantizer.up.requires_grad_(False)
        self.before = deepcopy(self.model.tokenizer).requires_grad_(False).eval()
        budgets = ((self.main, run.main_frames), (self.others, run.tokenizer.batch_frames))
        self.batches = [
            LengthBatches(
                [item.samples // NANO_MEL.hop for item in items], frames, run.settings.seed
            )
            for items, frames in budgets
        ]

    def named(
        self, utterances: list[Utterance], factors: list[int]
    ) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """How badly the old heads name phones and pitch of some utterances.

        Returns:
            The loss values, the best phone of every frame, and the numbers of frames.
        """
        clips = [heard(self.corpus, *pair) for pair in zip(utterances, factors, strict=True)]
        samples, lengths = padded([clip.samples for clip in clips])
        frames = lengths // NANO_MEL.hop // 2 * 2
        phones, _, melody = self.model(self.mel(samples), frames, torch.zeros(len(clips)).long())
        values = {
            "phones": self.first.name_loss(phones, [clip.utterance for clip in clips], frames),
            "pitch": self.first.pitch_loss(melody, clips),
        }
        return values, phones.argmax(-1), frames

    def kept(self, utterances: list[Utterance]) -> dict[str, Tensor]:
        """How far the main voice's codes have moved: squared distance, and share of tokens."""
        samples, lengths = load_audio(self.corpus, utterances)
        frames, mel = lengths // NANO_MEL.hop // 2 * 2, self.mel(samples)
        now, before = (
            part.quantizer.bounded(part.hidden(mel, frames)[0])
            for part in (self.model.tokenizer, self.before)
        )
        mask = length_mask(frames // 2, now.shape[1])
        moved = (now.round() != before.round()).any(-1)[mask]
        return {
            "kept": (now - before).square()[mask].mean(),
            "changed": moved.float().mean(),
        }

    @torch.no_grad()
    def mel(self, samples: Tensor) -> Tensor:
        """Mel features of clips."""
        return self.first.mel(samples)

    def loss(self, step: int) -> dict[str, Tensor]:
        """The loss of one step; everything random comes from the step's number."""
        run, random = self.run, np.random.default_rng((self.run.settings.seed, step, 1))
        main, others = (batches.at(step) for batches in self.batches)
        changed = random.random(len(others)) < run.tokenizer.changed_share
        factors = [int(random.integers(1, len(FACTORS))) if is_so else 0 for is_so in changed]
        values = self.kept([self.main[item] for item in main])
        values |= self.named([self.others[item] for item in others], factors)[0]
        values["loss"] = (
            run.kept_weight * values["kept"]
            + run.tokenizer.phone_weight * values["phones"]
            + run.tokenizer.pitch_weight * values["pitch"]
        )
        return values

    def evaluate(self) -> dict[str, float]:
        """On held-out sentences: the main voice's changed tokens, each voice's phone errors."""
        changed = self.kept(self.corpus.choose("validation", MAIN_VOICE)[:HELD_OUT])["changed"]
        found = {"changed_tokens": round(float(changed), 4)}
        for voice in self.corpus.voices:
            known = self.corpus.choose("validation", voice)[:HELD_OUT]
            _, best, frames = self.named(known, [0] * len(known))
            errors, wanted = phone_errors(best, frames, known)
            found[f"{voice}_phone_error_rate"] = round(errors / max(1, wanted), 4)
        return found


def teach_voices(corpus: Corpus, weights: Path, folder: Path, run: VoicesRun | None = None) -> None:
    """Teach further voices; ``folder/model.safetensors`` then holds the ``Recogniser``.

    Args:
        corpus: the spoken sentences, of the main voice and of others.
        weights: of the first tokenizer.
        folder: where the run lives.
        run: what decides it.

    Raises:
        CorpusError: the corpus has one voice only.
    """
    run = run or VoicesRun()
    task = VoicesTask(run, corpus, weights)
    train(folder, task.model, task.loss, run.settings, task.evaluate)
