"""The run that makes nano's decoder and speaker encoder: speech tokens and a voice to mel features.

Both learn together. The speaker's vector always comes from a piece of *another* utterance of the
same voice, so it can only carry what the utterances of a voice share. A share of the steps runs in
chunks, so that the decoder can stream.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mamtra.acoustic.decoder import Decoder, DecoderConfig
from mamtra.acoustic.flow_matching import flow_loss
from mamtra.acoustic.mel import LogMel
from mamtra.acoustic.speaker import SpeakerConfig, SpeakerEncoder
from mamtra.acoustic.token_encoder import TokenEncoderConfig
from mamtra.atomic import write_file
from mamtra.corpus.batches import LengthBatches
from mamtra.corpus.synthetic.manifest import Corpus, Utterance
from mamtra.corpus.synthetic.tokens import TokenSource
from mamtra.errors import CorpusError
from mamtra.recipes.nano.ahead import Ahead, workers_for
from mamtra.recipes.nano.decoder_batch import DecoderBatch, balanced, partners
from mamtra.recipes.nano.start import START, start_decoder
from mamtra.recipes.nano.tokenizer import NANO_MEL, NANO_TOKENIZER, load_audio, same_rate
from mamtra.recipes.nano.twins import moved, twins
from mamtra.training.checkpoint import FILE as CHECKPOINT
from mamtra.training.loop import LoopSettings, train

NANO_MEL_OFFSET, NANO_MEL_SCALE = -5.6, 2.3  # mean and spread of heart's log-mel features

NANO_DECODER = DecoderConfig(
    encoder=TokenEncoderConfig(
        vocabulary=3**NANO_TOKENIZER.digits,
        dim=192,
        heads=4,
        mlp_dim=384,
        mlp_taps=3,
        lower_layers=2,
        upper_layers=4,
        chunk_tokens=16,  # not CosyVoice 2's 25: the first sound needs a third less work
        speaker_dim=64,
    ),
    velocity=None,
    bins=NANO_MEL.bins,
    speaker_dim=64,
    steps=0,
    mel_offset=NANO_MEL_OFFSET,
    mel_scale=NANO_MEL_SCALE,
)
NANO_SPEAKER = SpeakerConfig(
    bins=NANO_MEL.bins, mel_offset=NANO_MEL_OFFSET, mel_scale=NANO_MEL_SCALE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderRun:
    """Everything that decides the decoder's training.

    Attributes:
        batch_frames: mel frames in a batch, padding included.
        main_share: about how much of what is heard is the main voice; the other voices' utterances
            come up as much more often as that needs.
        chunked_share: share of the steps that run in chunks, as in streaming.
        twin_share: how often the utterance of another voice is drawn from the main voice's tokens
            of the same sentence, where there are any.
        reference_frames: shortest and longest piece that the speaker's vector is made from.
        square_weight, melody_weight: weights of the squared error and of the error of the change
            from frame to frame, against the absolute error.
    """

    decoder: DecoderConfig = NANO_DECODER
    speaker: SpeakerConfig = NANO_SPEAKER
    settings: LoopSettings = field(
        default_factory=lambda: LoopSettings(
            steps=1000, learning_rate=2e-3, warmup_steps=100, precision="bfloat16", optimizer="muon"
        )
    )
    batch_frames: int = 4800
    main_share: float = 0.5
    chunked_share: float = 0.25
    twin_share: float = 0.5
    reference_frames: tuple[int, int] = (50, 150)
    square_weight: float = 1.0
    melody_weight: float = 1.0


class Voiced(nn.Module):
    """What is trained: the decoder and the speaker encoder that tells it who speaks."""

    def __init__(self, run: DecoderRun) -> None:
        super().__init__()
        self.decoder = Decoder(run.decoder)
        self.speaker = SpeakerEncoder(run.speaker)


def distances(
    drawn: Float[Tensor, "batch bins frames"],
    wanted: Float[Tensor, "batch bins frames"],
    content: Bool[Tensor, "batch frames"],
) -> dict[str, Tensor]:
    """Absolute and squared error per bin, and absolute error of the change from frame to frame."""
    mask = content[:, None]
    error = (drawn - wanted) * mask
    count = mask.sum() * drawn.shape[1]
    both = mask[..., 1:] & mask[..., :-1]
    change = (error.diff(dim=-1) * both).abs().sum()
    return {
        "absolute": error.abs().sum() / count,
        "square": error.square().sum() / count,
        "melody": change / count,
    }


class DecoderTask:
    """The loss and the measures of one decoder run.

    Attributes:
        measures: loss values that are told of each voice.
    """

    measures: tuple[str, ...] = ("absolute", "melody")

    def __init__(
        self, run: DecoderRun, corpus: Corpus, tokens: TokenSource, device: str = "cpu"
    ) -> None:
        same_rate(corpus)
        self.run, self.corpus, self.tokens, self.device = run, corpus, tokens, device
        self.features = LogMel(NANO_MEL)
        ready = self.ready(corpus.choose("train"))
        if not ready:
            raise CorpusError("no training utterance has speech tokens; extract them first")
        self.train = balanced(ready, run.main_share)
        held_out = {
            voice: self.ready(corpus.choose("validation", voice)) for voice in corpus.voices
        }
        self.twins = {name: twin for name, twin in twins(corpus).items() if twin.id in self.tokens}
        self.validation = {voice: items[:24] for voice, items in held_out.items() if items}
        self.batches = LengthBatches(
            [utterance.samples // NANO_MEL.hop for utterance in self.train],
            run.batch_frames,
            run.settings.seed,
        )
        self.ahead = Ahead(self.drawn, workers_for(device))
        torch.manual_seed(run.settings.seed)
        self.model = Voiced(run).to(device)

    def ready(self, utterances: list[Utterance]) -> list[Utterance]:
        """Those whose speech tokens are there; a corpus may have grown since."""
        return [utterance for utterance in utterances if utterance.id in self.tokens]

    def batch(self, utterances: list[Utterance], random: np.random.Generator) -> DecoderBatch:
        """Read the audio and the tokens of some utterances."""
        samples, lengths = load_audio(self.corpus, utterances)
        features, ids, rows, said = self.features(samples), [], [], []
        for row, utterance in enumerate(utterances):
            twin = self.twins.get(utterance.id)
            twin = twin if twin and random.random() < self.run.twin_share else None
            said.append(twin or utterance)
            ids.append(torch.from_numpy(self.tokens.of(said[-1].id)))
            mel = features[row, :, : int(lengths[row]) // NANO_MEL.hop]
            if twin is not None:
                mel = moved(mel, utterance, twin, NANO_MEL.hop, len(ids[-1]) * 2)
            rows.append(mel[:, : len(ids[-1]) * 2].T)
        return DecoderBatch(
            tokens=nn.utils.rnn.pad_sequence(ids, batch_first=True),
            lengths=torch.tensor([len(row) for row in ids]),
            mel=nn.utils.rnn.pad_sequence(rows, batch_first=True).mT,
            said=said,
            partners=partners([utterance.voice for utterance in utterances], random),
        )

    def drawn(self, step: int) -> DecoderBatch:
        """The batch of a training step."""
        random = np.random.default_rng((self.run.settings.seed, step, 1))
        return self.batch([self.train[item] for item in self.batches.at(step)], random)

    def voices_of(
        self, batch: DecoderBatch, random: np.random.Generator
    ) -> Float[Tensor, "batch width"]:
        """Each row's speaker vector, from a random piece of its partner."""
        pieces = []
        for row in batch.partners:
            frames = int(batch.lengths[row]) * 2
            size = min(frames, int(random.integers(*self.run.reference_frames)))
            start = int(random.integers(frames - size + 1))
            pieces.append(batch.mel[row, :, start : start + size].T)
        lengths = torch.tensor([len(piece) for piece in pieces], device=batch.mel.device)
        padded = nn.utils.rnn.pad_sequence(pieces, batch_first=True)
        return self.model.speaker(padded.mT, lengths)

    def compute(
        self, batch: DecoderBatch, random: np.random.Generator, chunked: bool
    ) -> dict[str, Tensor]:
        """Loss values of a batch."""
        run, batch = self.run, batch.to(self.device)
        speaker = self.voices_of(batch, random)
        drawn = self.model.decoder.expect(batch.tokens, speaker, batch.lengths, chunked=chunked)
        wanted = (batch.mel - run.decoder.mel_offset) / run.decoder.mel_scale
        values = distances(drawn, wanted, batch.content)
        loss = values["absolute"] + run.square_weight * values["square"]
        values["loss"] = loss + run.melody_weight * values["melody"]
        if self.model.decoder.velocity is not None:
            known = self.model.decoder.condition(
                drawn.detach(), speaker, torch.zeros_like(wanted), batch.lengths * 2
            )
            values["flow"] = flow_loss(self.model.decoder.velocity, wanted, known, chunked=chunked)
            values["loss"] = values["loss"] + values["flow"]
        return self.judged(values, drawn, batch)

    def judged(
        self,
        values: dict[str, Tensor],
        drawn: Float[Tensor, "batch bins frames"],
        batch: DecoderBatch,
    ) -> dict[str, Tensor]:
        """Loss values of what was drawn; a further task adds its own."""
        del drawn, batch
        return values

    def loss(self, step: int) -> dict[str, Tensor]:
        """The loss of one step; everything random comes from the step's number."""
        random = np.random.default_rng((self.run.settings.seed, step, 2))
        chunked = bool(random.random() < self.run.chunked_share)
        return self.compute(self.ahead.at(step), random, chunked)

    def evaluate(self) -> dict[str, float]:
        """Errors on held-out utterances by voice, whole; and of all in chunks."""
        found: dict[str, float] = {}
        for voice, utterances in self.validation.items():
            random = np.random.default_rng(0)
            batch = self.batch(utterances, random)
            whole = self.compute(batch, random, chunked=False)
            pieces = self.compute(batch, random, chunked=True)
            for name in self.measures:
                found[f"{voice}_{name}"] = round(float(whole[name]), 4)
            found[f"{voice}_chunked"] = round(float(pieces["absolute"]), 4)
        return found


def train_decoder(
    corpus: Corpus,
    tokens: TokenSource,
    folder: Path,
    run: DecoderRun | None = None,
    start: Path | None = None,
    device: str = "cpu",
) -> None:
    """Train decoder and speaker encoder; ``folder/model.safetensors`` then holds a ``Voiced``.

    Args:
        corpus: the spoken sentences.
        tokens: their speech tokens.
        folder: where the run lives.
        run: what decides it.
        start: folder of an earlier model to begin with; ``folder/start.json`` then says which of
            its weights were taken.
        device: where to compute.
    """
    run = run or DecoderRun()
    task = DecoderTask(run, corpus, tokens, device)
    if start is not None and not (folder / CHECKPOINT).exists():
        told = start_decoder(task.model, start, corpus, tokens, NANO_MEL)
        write_file(folder / START, json.dumps(told, indent=1))
    train(folder, task.model, task.loss, run.settings, task.evaluate)
