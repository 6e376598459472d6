"""The laboratory: tables of trials that ask one question each, at nano size.

    ratios    how many attention layers, and where (the paper's Figure 4)
    starts    where the Mamba layers begin (its Figure 6), and our start piece by piece
    losses    what the student learns from (its Table 4)
    recipes   the paper's recipe against ours, several seeds
    rivals    the teacher with layers removed, the teacher trained on
    mixers    what replaces attention: Mamba or Gated DeltaNet

The paper's recipe, brought to nano's size: parity form, everything but the Mamba mixers, the speech
embedding and the head frozen, losses 0.5 : 0.125 : 0.125. Optimiser and learning rate are nano's in
every trial, because the paper's 1e-5 would not move so small a model in so few steps. Ours: the
open, rotary form with carried biases, output projections solved before the first step, everything
trained, the teacher's logits weighed above the data.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mamtra.backbone import Layout, MambaConfig
from mamtra.backbone.config import KINDS
from mamtra.backbone.layout import PLACEMENTS
from mamtra.errors import ConfigError
from mamtra.recipes.lab.trial import Trial
from mamtra.recipes.nano.speech_lm import LAYERS, SpeechLMRun
from mamtra.recipes.nano.student import (
    CALIBRATION_BATCHES,
    OURS,
    SOLVED,
    TEACHER_FIRST,
    StudentRun,
)
from mamtra.speech_lm import SpeechLMConfig
from mamtra.training.loop import LoopSettings
from mamtra.transfer.forms import FORMS, OPEN_MAMBA, PORTABLE_MAMBA
from mamtra.transfer.losses import DistillLosses

RATIOS = ((1, 1), (1, 3), (1, 5), (1, 11))
PAPER_RATIO = RATIOS[0]
MIXER_RATIOS = RATIOS[:3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """How long every trial of a laboratory lasts.

    Attributes:
        tokens: text and speech ids in a batch, padding included.
        teacher: sizes of the teacher; nano's where it is None.
    """

    steps: int = 60
    tokens: int = 3000
    learning_rate: float = 1e-3
    log_every: int = 5
    teacher: SpeechLMConfig | None = None

    def __post_init__(self) -> None:
        if self.steps < 1 or self.tokens < 1:
            raise ConfigError(f"steps={self.steps}, tokens={self.tokens}: both must be at least 1")

    def run(self, layout: Layout, **changes: Any) -> StudentRun:
        """A student's run of this length."""
        teacher = SpeechLMRun(batch_places=self.tokens, compiled=False)
        if self.teacher is not None:
            teacher = replace(teacher, config=self.teacher)
        return StudentRun(
            teacher=teacher,
            layout=str(layout),
            settings=LoopSettings(
                steps=self.steps,
                learning_rate=self.learning_rate,
                warmup_steps=max(1, self.steps // 6),
                precision="bfloat16",
                optimizer="muon",
                weight_decay=0.02,
                log_every=self.log_every,
                evaluate_every=max(1, self.steps // 4),
            ),
            **changes,
        )


def layout_of(ratio: tuple[int, int], placement: str = "block-begin") -> Layout:
    """A named placement at nano's depth."""
    return Layout.named(placement, *ratio, LAYERS)


PAPER: dict[str, Any] = {"freeze": "mamba"}


def ratio_trials(brief: Brief, ranked: dict[str, list[int]]) -> Iterator[Trial]:
    """Every ratio at every placement; placements with equal layouts only once."""
    for ratio in RATIOS:
        kept = layout_of(ratio).attention_layers
        layouts = {placement: layout_of(ratio, placement) for placement in PLACEMENTS}
        for measure, order in ranked.items():
            layouts[f"importance-{measure}"] = Layout.of(sorted(order[: len(kept)]), LAYERS)
        seen: dict[str, str] = {}
        for placement, layout in layouts.items():
            if str(layout) in seen:
                continue
            seen[str(layout)] = placement
            name = f"{ratio[0]}-{ratio[1]}-{placement}"
            facts: dict[str, str | int] = {
                "ratio": f"{ratio[0]}:{ratio[1]}",
                "placement": placement,
            }
            yield Trial(name=name, run=brief.run(layout, **OURS), facts=facts)


def start_trials(brief: Brief) -> Iterator[Trial]:
    """The paper's starts, then ours piece by piece, everything trained."""
    layout = layout_of(PAPER_RATIO)
    for start in ("attention", "xavier", "kaiming", "random"):
        yield Trial(
            name=f"start-{start}", run=brief.run(layout, start=start), facts={"what": start}
        )
    pieces: dict[str, Any] = {
        "identity convolution": {"conv_start": "identity"},
        "no SiLU": {"activation": "none"},
        "biases": {"input_bias": True},
        "rotary": {"rotary": True},
        "open gate": {"gate": "open"},
    }
    mamba = MambaConfig()
    yield Trial(
        name="start-solved",
        run=brief.run(layout, calibration_batches=CALIBRATION_BATCHES),
        facts={"what": "attention + solved output"},
    )
    for number, (piece, change) in enumerate(pieces.items()):
        mamba = replace(mamba, **change)
        run = brief.run(layout, mamba=mamba, calibration_batches=CALIBRATION_BATCHES)
        yield Trial(name=f"start-piece{number}", run=run, facts={"what": f"... + {piece}"})
    variants: dict[str, Any] = {
        "open, not solved": {"mamba": OPEN_MAMBA},
        "portable": {**SOLVED, "mamba": PORTABLE_MAMBA},
        "open, long memory": {**SOLVED, "mamba": replace(OPEN_MAMBA, decay_start="long")},
        "open, decay per group": {**SOLVED, "mamba": replace(OPEN_MAMBA, decay="group")},
        "open, unshared groups": {**SOLVED, "mamba": replace(OPEN_MAMBA, kv_heads=4)},
        "open, aligned first": {**SOLVED, "align_steps": brief.steps // 4},
    }
    for what, changes in variants.items():
        name = "start-" + what.replace(", ", "-").replace(" ", "-")
        yield Trial(name=name, run=brief.run(layout, **changes), facts={"what": what})


def loss_trials(brief: Brief) -> Iterator[Trial]:
    """All losses, each left out once, and the teacher's logits weighed above the data."""
    choices = {
        "all": DistillLosses(),
        "no CE": DistillLosses(ce=0.0),
        "no logits": DistillLosses(logits=0.0),
        "no embeddings": DistillLosses(embedding=0.0),
        "teacher first": TEACHER_FIRST,
    }
    for what, losses in choices.items():
        run = brief.run(layout_of(PAPER_RATIO), losses=losses, **SOLVED)
        yield Trial(name=f"loss-{what.replace(' ', '-')}", run=run, facts={"what": what})


def recipe_trials(brief: Brief, ranked: dict[str, list[int]]) -> Iterator[Trial]:
    """The paper's recipe, the same with everything trained, and ours at two ratios.

    At 1:5 the layers that a ranking found stay, where there is one: by word errors if possible.

    The paper's are also given other learning rates, so that ours is compared with their best.
    """
    half, sixth = layout_of((1, 1)), layout_of((1, 5))
    order = ranked.get("wer") or ranked.get("ce")
    if order:
        sixth = Layout.of(sorted(order[: len(sixth.attention_layers)]), LAYERS)
    recipes: dict[str, tuple[Layout, float, dict[str, Any]]] = {
        "paper": (half, 1.0, PAPER),
        "paper, rate x 3": (half, 3.0, PAPER),
        "paper, all trained": (half, 1.0, {}),
        "paper, all trained, rate x 3": (half, 3.0, {}),
        "paper, all trained, rate x 6": (half, 6.0, {}),
        "ours": (half, 1.0, OURS),
        "ours 1:5": (sixth, 1.0, OURS),
    }
    for what, (layout, rate, changes) in recipes.items():
        name = "recipe-" + "-".join(re.findall(r"[a-z0-9]+", what))
        faster = replace(brief, learning_rate=rate * brief.learning_rate)
        yield Trial(name=name, run=faster.run(layout, **changes), facts={"what": what})


def rival_trials(brief: Brief) -> Iterator[Trial]:
    """Half of the layers removed instead of replaced, and no change but more training."""
    whole = Layout.of(list(range(LAYERS)), LAYERS)
    kept = tuple(layout_of(PAPER_RATIO).attention_layers)
    yield Trial(
        name="rival-removed",
        run=brief.run(whole, kept_layers=kept),
        facts={"what": f"{LAYERS - len(kept)} of {LAYERS} layers removed"},
    )
    run = brief.run(whole, losses=DistillLosses(ce=1.0, logits=0.0, embedding=0.0))
    yield Trial(name="rival-teacher", run=run, facts={"what": "teacher, trained on"})


def mixer_trials(brief: Brief) -> Iterator[Trial]:
    """Each kind of mixer in its open form, solved and trained as ours; 1:1 with every seed."""
    for ratio in MIXER_RATIOS:
        for letter, forms in FORMS.items():
            layout = Layout.named("block-begin", *ratio, LAYERS, kind=letter)
            variant: dict[str, Any] = {KINDS[letter].field: forms["open"]}
            what = f"{KINDS[letter].name} {ratio[0]}:{ratio[1]}"
            yield Trial(
                name=f"mixer-{letter}-{ratio[0]}-{ratio[1]}",
                run=brief.run(layout, **{**OURS, **variant}),
                facts={"what": what},
                every_seed=ratio == PAPER_RATIO,
            )


LABS: dict[str, Callable[..., Iterator[Trial]]] = {
    "ratios": ratio_trials,
    "starts": start_trials,
    "losses": loss_trials,
    "recipes": recipe_trials,
    "rivals": rival_trials,
    "mixers": mixer_trials,
}


def trials_of(
    lab: str, brief: Brief, seeds: Sequence[int], ranked: dict[str, list[int]] | None = None
) -> list[Trial]:
    """The trials of a laboratory, seed by seed, so that a stopped one has whole seeds.

    Args:
        ranked: for ratios and recipes, layers from the most important on, by the name of the
            measure.

    Raises:
        ConfigError: there is no such laboratory.
    """
    if lab not in LABS:
        raise ConfigError(f"laboratory {lab!r} is unknown; possible are {', '.join(LABS)}")
    needs_ranking = lab in ("ratios", "recipes")
    trials = list(LABS[lab](brief, *[ranked or {}] * needs_ranking))
    return [
        trial.seeded(seed)
        for seed in seeds
        for trial in trials
        if trial.every_seed or seed == seeds[0]
    ]
