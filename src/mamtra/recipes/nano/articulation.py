"""The run that teaches nano's decoder to articulate: a listener has to understand what it draws.

It goes on from a finished decoder. To the distance from recordings comes the cross entropy of the
phones that the listener names in drawn features, after they got the detail that this decoder lacked
before. The speaker encoder stays as it is.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor

from mamtra.corpus.synthetic.manifest import Corpus
from mamtra.corpus.synthetic.tokens import TokenSource
from mamtra.recipes.nano.decoder import DecoderRun, DecoderTask
from mamtra.recipes.nano.decoder_batch import DecoderBatch
from mamtra.recipes.nano.detail import Detail, measure_detail
from mamtra.recipes.nano.drawer import Drawer
from mamtra.recipes.nano.listener import (
    Listener,
    ListenerRun,
    by_root_of_length,
    heard_wrong,
    scaled,
)
from mamtra.recipes.nano.proofreader import NOTHING, phones_of
from mamtra.training.loop import LoopSettings, train


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticulationRun:
    """Everything that decides the training.

    Attributes:
        decoder: how batches are made and distances weighed.
        listener: that was trained.
        phone_weight: of the cross entropy of the phones.
    """

    decoder: DecoderRun = field(
        default_factory=lambda: DecoderRun(batch_frames=3200, main_share=0.8)
    )
    listener: ListenerRun = field(default_factory=ListenerRun)
    settings: LoopSettings = field(
        default_factory=lambda: LoopSettings(
            steps=1600, learning_rate=5e-4, warmup_steps=40, precision="bfloat16", optimizer="muon"
        )
    )
    phone_weight: float = 0.2


class ArticulationTask(DecoderTask):
    """A decoder's task with a listener.

    Args:
        run: what decides it.
        corpus: the spoken sentences.
        tokens: their speech tokens.
        listener: finished.
        detail: what the features of the decoder lack.
        device: where to compute.
    """

    measures = (*DecoderTask.measures, "right")

    def __init__(
        self,
        run: ArticulationRun,
        corpus: Corpus,
        tokens: TokenSource,
        listener: Listener,
        detail: Detail,
        device: str = "cpu",
    ) -> None:
        super().__init__(run.decoder, corpus, tokens, device)
        self.phone_weight = run.phone_weight
        self.listener = listener.to(device).eval().requires_grad_(False)
        parts = detail.matrix, detail.drawn, detail.natural
        self.matrix, self.drawn_mean, self.natural_mean = (
            part.float().to(device) for part in parts
        )

    def judged(
        self,
        values: dict[str, Tensor],
        drawn: Float[Tensor, "batch bins frames"],
        batch: DecoderBatch,
    ) -> dict[str, Tensor]:
        """The loss with that of the phones that the listener does not hear."""
        config, frames = self.run.decoder, batch.mel.shape[-1]
        wanted = torch.full((len(batch.said), frames), NOTHING)
        for row, (utterance, tokens) in enumerate(zip(batch.said, batch.lengths, strict=True)):
            if utterance.starts:
                phones = phones_of(utterance, int(tokens))
                wanted[row, : len(phones)] = torch.from_numpy(phones)
        moved = drawn.float() * config.mel_scale + config.mel_offset - self.drawn_mean[:, None]
        mended = torch.einsum("ij,bjt->bit", self.matrix, moved) + self.natural_mean[:, None]
        heard = self.listener(scaled(mended) * batch.content[:, None])
        counts = by_root_of_length(wanted)
        values |= heard_wrong(heard, wanted.to(drawn.device), counts.to(drawn.device))
        return values | {"loss": values["loss"] + self.phone_weight * values["phones"]}


def train_articulation(
    corpus: Corpus,
    tokens: TokenSource,
    folder: Path,
    decoder: Path,
    listener: Path,
    run: ArticulationRun | None = None,
    device: str = "cpu",
) -> None:
    """Teach a decoder to articulate; ``folder/model.safetensors`` then holds a ``Voiced``.

    Args:
        corpus: the spoken sentences.
        tokens: their speech tokens.
        folder: where the run lives.
        decoder: weights of the ``Voiced`` that it begins with.
        listener: weights of a ``Listener``.
        run: what decides it.
        device: where to compute.
    """
    run = run or ArticulationRun()
    hearing = Listener(run.listener)
    hearing.load_state_dict(load_file(listener))
    detail = measure_detail(corpus, Drawer(decoder, corpus, tokens, run.decoder, device))
    task = ArticulationTask(run, corpus, tokens, hearing, detail, device)
    task.model.load_state_dict(load_file(decoder))
    task.model.speaker.requires_grad_(False)
    train(folder, task.model, task.loss, run.settings, task.evaluate)
