"""Ranking a teacher's layers: which attention is missed most when it becomes Mamba.

The test set is what the teacher itself says: it speaks some sentences, and the tokens it drew are
the sequences on which the cross entropy is measured. Nothing else is needed, whatever the teacher
was trained on. For the word error rate the teacher speaks the sentences again with one layer
replaced, and a recogniser listens.

A layer's Mamba mixer is fitted as a conversion does that replaces just this layer; in a greedy
search, one that replaces those given up before as well. So output projections are solved anew
before each measurement, on the hidden states that are then read.

Every measurement is kept in a file as soon as it is made; a ranking that was stopped goes on.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mamtra.atomic import write_json
from mamtra.backbone import Layout, MambaConfig, Stack
from mamtra.backbone.config import ATTENTION
from mamtra.checkpoints.modules import open_language_model
from mamtra.distillation.self_data import spoken_sequences
from mamtra.errors import ConfigError, CorpusError, LayoutError
from mamtra.evaluation.judges.pocketsphinx import Pocketsphinx
from mamtra.evaluation.understood import understood
from mamtra.files import read_json
from mamtra.runtime.torch.speech_model import TorchSpeechModel
from mamtra.speech_lm import Batch, SpeechLM
from mamtra.speech_lm.measure import mean_cross_entropy
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.transfer.calibrate import calibrate
from mamtra.transfer.placement import (
    Fit,
    greedy,
    importance_by_cosine,
    importance_by_measure,
    leave,
    missed_least,
)
from mamtra.transfer.student import make_student

MEASURES = {
    "cosine": "how far the mixer turns the hidden states",
    "ce": "cross entropy of the teacher's own speech",
    "wer": "word error rate of generated speech",
}
INSTEAD = {
    "mamba": "the Mamba mixer that a conversion would put there",
    "nothing": "no mixer at all",
}
RECOGNISER = "default"


@dataclass(slots=True)
class Ranking:
    """What was measured of each layer.

    Attributes:
        by: one of ``MEASURES``.
        instead: one of ``INSTEAD``; for the cosine it does not matter.
        whole: the measure with all layers as they are.
        layers: the measure without each layer's attention, as far as it is known.
        rounds: of a greedy search, after the first, which is ``layers``: the measure without each
            layer that is left, those given up before being gone.
    """

    teacher: str
    by: str
    instead: str
    settings: dict[str, Any]
    whole: float | None = None
    layers: dict[int, float] = field(default_factory=dict)
    rounds: list[dict[int, float]] = field(default_factory=list)

    @property
    def order(self) -> list[int]:
        """Layers, the one that is missed most first; of equals the earlier one."""
        return sorted(self.layers, key=lambda layer: (-self.layers[layer], layer))

    def given_up(self, count: int) -> list[tuple[int, float]]:
        """The first layers that a greedy search gave up, each with the measure after that."""
        rounds = [self.layers, *self.rounds][:count]
        return [(layer := missed_least(results), results[layer]) for results in rounds]

    def layout(self, attention: int, greedily: bool = False) -> Layout:
        """Where the attention stays: in the layers missed most, or those a search did not give up.

        Raises:
            LayoutError: there are not that many layers.
        """
        count = len(self.layers)
        if not 0 <= attention <= count:
            raise LayoutError(f"{attention} attention layers do not fit {count} layers")
        if not greedily:
            return Layout.of(sorted(self.order[:attention]), count)
        gone = {layer for layer, _ in self.given_up(count - attention)}
        return Layout.of(sorted(set(range(count)) - gone), count)

    def row(self) -> dict[str, Any]:
        """What the file holds."""
        return {
            "teacher": self.teacher,
            "by": self.by,
            "instead": self.instead,
            "settings": self.settings,
            "whole": self.whole,
            "layers": {str(layer): value for layer, value in sorted(self.layers.items())},
            "order": self.order,
            "rounds": [
                {str(layer): value for layer, value in sorted(results.items())}
                for results in self.rounds
            ],
        }

    def save(self, path: Path) -> None:
        """Write beside and rename."""
        write_json(path, self.row(), indent=1, error=CorpusError)

    def resume(self, path: Path) -> None:
        """Take over what a stopped ranking measured.

        Raises:
            ConfigError: the file holds another ranking.
        """
        if not path.exists():
            return
        row, mine = read_json(path), self.row()
        if not isinstance(row, dict) or not mine.keys() <= row.keys():
            raise ConfigError(f"{str(path)!r} holds no ranking; choose another file or delete it")
        other = [
            name for name in ("teacher", "by", "instead", "settings") if row.get(name) != mine[name]
        ]
        if other:
            raise ConfigError(
                f"{str(path)!r} holds another ranking, with another {', '.join(other)}; "
                f"choose another file or delete it"
            )
        self.whole = row["whole"]
        self.layers, *self.rounds = (
            {int(layer): value for layer, value in results.items()}
            for results in (row["layers"], *row.get("rounds", ()))
        )


def word_errors(synthesizer: Synthesizer, sentences: Sequence[str], seed: int) -> float:
    """Wrong words in percent of all words."""
    errors = [one for one, _ in understood(synthesizer, sentences, Pocketsphinx(RECOGNISER), seed)]
    return 100 * sum(one.wrong for one in errors) / sum(one.words for one in errors)


@torch.no_grad()
def replacements(
    model: SpeechLM, batches: Sequence[Batch], mamba: MambaConfig | None
) -> tuple[list[nn.Module], Fit]:
    """The Mamba mixer of every layer, and what fits those of some layers to be put in together.

    Fitting solves their output projections on the batches in place, as a conversion does that
    replaces these layers and no others.
    """
    student, _ = make_student(
        model, "M" * len(model.backbone.layers), variants=[] if mamba is None else [mamba]
    )
    stack: Any = getattr(student, "backbone")  # noqa: B009
    sequences = [(model.embed(batch), batch.real) for batch in batches]

    def fit(layers: Collection[int]) -> None:
        calibrate(model.backbone, stack, sequences, layers=layers)

    return [block.mixer.eval() for block in stack.blocks], fit


def check(stack: Stack, by: str, instead: str, sentences: Sequence[str]) -> None:
    """Refuse what cannot be ranked.

    Raises:
        ConfigError: a name is unknown, there are no sentences, or the teacher has Mamba layers.
    """
    for name, given, known in (("by", by, MEASURES), ("instead", instead, INSTEAD)):
        if given not in known:
            raise ConfigError(f"{name}={given!r} is unknown; possible are {', '.join(known)}")
    if by == "wer" and instead == "nothing":
        raise ConfigError(
            "by='wer' needs a model that speaks, which one without a layer's mixer does not; "
            "choose instead='mamba', or by='ce'"
        )
    if not sentences:
        raise ConfigError("there are no sentences to speak; give at least one")
    if set(stack.config.layout) != {ATTENTION}:
        raise ConfigError(
            f"the teacher's layout is {stack.config.layout}; only a teacher whose layers are all "
            f"attention can be ranked"
        )


def rank_layers(
    synthesizer: Synthesizer,
    ranking: Ranking,
    sentences: Sequence[str],
    seed: int = 0,
    mamba: MambaConfig | None = None,
    attention: int | None = None,
    report: Callable[[], None] = lambda: None,
) -> Ranking:
    """Measure every layer that the ranking does not know yet.

    Args:
        synthesizer: the teacher; its language model is loaded anew, as it is on disk.
        ranking: filled; what it holds already is not measured again.
        sentences: what the teacher speaks.
        seed: of the speech.
        mamba: form of the Mamba mixers; the parity form where it is None.
        attention: go on greedily until so many layers are left: give up the layer that is missed
            least, measure all others again without it, and so on.
        report: called after every measurement.

    Raises:
        ConfigError: see ``check``.
    """
    # prepared to speak, a model is no longer one whose mixers can be exchanged
    model = open_language_model(synthesizer.folder)
    synthesizer.model = replace(synthesizer.model, speech_model=TorchSpeechModel(model))
    stack = model.backbone
    check(stack, ranking.by, ranking.instead, sentences)
    batches = spoken_sequences(synthesizer, sentences, seed)
    if ranking.by == "cosine":
        if attention is not None:
            raise ConfigError("a greedy search measures the model; choose by='ce' or by='wer'")
        turned = [importance_by_cosine(stack, model.embed(batch)) for batch in batches]
        ranking.whole = 0.0
        ranking.layers = dict(enumerate(torch.stack(turned).mean(0).tolist()))
        report()
        return ranking

    def measure() -> float:
        if ranking.by == "ce":
            return mean_cross_entropy(model, batches[1::2] or batches)
        return word_errors(synthesizer, sentences, seed)

    # mixers are fitted to one half of the sequences and measured on the other
    mixers, fit = None, leave
    if ranking.instead == "mamba":
        mixers, fit = replacements(model, batches[::2], mamba)
    if ranking.whole is None:
        ranking.whole = measure()
        report()
    importance_by_measure(stack, measure, mixers, ranking.layers, ranking.whole, report, fit)
    if attention is not None:
        rounds = [ranking.layers, *ranking.rounds]

        def keep() -> None:
            ranking.rounds = rounds[1:]
            report()

        greedy(stack, measure, attention, mixers, rounds, keep, fit)
    return ranking
