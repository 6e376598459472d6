"""From a teacher's folder to a student's: weights, the other parts, and a report.

The report says for each layer what was copied and what is fresh, and how far each new mixer is
from the attention it replaces: the relative error of its output on hidden states from the
teacher's own pass over random sequences, before any training. A start from attention is no copy of
it (the softmax is gone, gate and decay are fresh), so expect errors near 1; what training makes of
them is another matter.

Dtype rule: everything is computed in float32; the student is stored in its teacher's type.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import torch

from mamtra.backbone import BackboneConfig, Layout
from mamtra.backbone.config import KINDS, kind_of
from mamtra.backbone.mixers.variant import Variant
from mamtra.checkpoints.derive import CARD, bring_along, student_card
from mamtra.checkpoints.format import ModelFolder, write_config
from mamtra.checkpoints.modules import open_language_model, save_part
from mamtra.checkpoints.new_folder import check_vacant, new_folder
from mamtra.checkpoints.precision import stored_dtype
from mamtra.errors import ConfigError, LayoutError
from mamtra.speech_lm import Batch, SpeechLM, SpeechLMConfig, pack_segments, zero_shot
from mamtra.transfer.calibrate import calibrate
from mamtra.transfer.projections import How, TransferReport
from mamtra.transfer.student import make_student, student_config

REPORT = "convert.json"
IN_LAYER = re.compile(r"\blayers\.(\d+)\.(.+)$")
# values that trained layers do not depend on
STARTS = ("conv_start", "decay_start", "beta_start", "scan")
KIND_WIDTH = max(len(f"{kind.name}, new") for kind in KINDS.values())
FATES: tuple[How, ...] = ("copied", "projected", "fresh", "unused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Random sequences on which the mixers are compared: text ids, then speech ids."""

    rows: int = 2
    text_ids: int = 24
    speech_ids: int = 104
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rows", "text_ids", "speech_ids"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChange:
    """What became of one layer.

    Attributes:
        kind: name of its mixer: "attention", "Mamba", "Gated DeltaNet".
        new: whether its mixer replaces an attention mixer.
        tensors: names inside the layer by fate; the unused ones are the teacher's.
        parameters: numbers by fate.
        error: relative error of a new mixer's output against the attention it replaces.
        cosine: of the same two outputs, which does not see a wrong scale.
    """

    layer: int
    kind: str
    new: bool
    tensors: dict[str, list[str]]
    parameters: dict[str, int]
    error: float | None = None
    cosine: float | None = None

    @property
    def row(self) -> str:
        """One line of the report's table."""
        counts = "".join(f"{self.parameters[fate]:>13,}" for fate in FATES)
        errors = "" if self.error is None else f"{self.error:>9.3f}{self.cosine:>9.3f}"
        kind = f"{self.kind}, new" if self.new else self.kind
        return f"{self.layer:5}  {kind:{KIND_WIDTH}}{counts}{errors}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """The report of a conversion, as ``convert.json`` holds it."""

    teacher: str
    student: str
    teacher_layout: str
    layout: str
    start: str
    seed: int
    layers: tuple[LayerChange, ...]
    parameters: dict[str, int]
    sample: Sample = field(default_factory=Sample)

    def table(self) -> str:
        """Text table: one line per layer, then the sums over the whole model."""
        head = "".join(f"{fate:>13}" for fate in FATES)
        sums = ", ".join(f"{fate} {self.parameters[fate]:,}" for fate in FATES)
        return "\n".join(
            [
                f"{'layer':5}  {'mixer':{KIND_WIDTH}}{head}{'error':>9}{'cosine':>9}",
                *(change.row for change in self.layers),
                f"parameters of the whole model: {sums}",
            ]
        )


@torch.inference_mode()
def mixer_distances(
    teacher: SpeechLM, student: SpeechLM, sample: Sample
) -> dict[int, tuple[float, float]]:
    """Relative error and cosine of each new mixer's output against the attention it replaces.

    Both mixers read the hidden states of the teacher's own pass over the sample.
    """
    draw = torch.Generator().manual_seed(sample.seed)
    ids = [
        torch.randint(limit, (sample.rows, count), generator=draw).tolist()
        for limit, count in (
            (teacher.config.text_vocabulary, sample.text_ids),
            (teacher.config.speech_vocabulary, sample.speech_ids),
        )
    ]
    batch = pack_segments([zero_shot(text, (), speech) for text, speech in zip(*ids, strict=True)])
    hidden, found = teacher.embed(batch.to(teacher.device)), {}
    positions = teacher.backbone.positions_for(hidden)
    pairs = zip(teacher.backbone.blocks, student.backbone.blocks, strict=True)
    for layer, (theirs, ours) in enumerate(pairs):
        if type(ours.mixer) is not type(theirs.mixer):
            normal = theirs.input_layernorm(hidden)
            expected, got = (block.mixer(normal, positions).flatten() for block in (theirs, ours))
            error = (got - expected).norm() / expected.norm()
            cosine = torch.cosine_similarity(got, expected, dim=0)
            found[layer] = (float(error), float(cosine))
        hidden = theirs(hidden, positions)
    return found


def changes(
    teacher: Layout,
    student: Layout,
    report: TransferReport,
    distances: dict[int, tuple[float, float]],
) -> tuple[LayerChange, ...]:
    """Sort the tensors' fates by layer, and put each layer's distances beside them."""
    tensors: list[dict[str, list[str]]] = [{fate: [] for fate in FATES} for _ in student]
    parameters: list[dict[str, int]] = [dict.fromkeys(FATES, 0) for _ in student]
    for entry in report.entries:
        if found := IN_LAYER.search(entry.label):
            layer = int(found[1])
            tensors[layer][entry.how].append(found[2])
            parameters[layer][entry.how] += entry.parameters
    return tuple(
        LayerChange(
            layer=layer,
            kind=KINDS[kind].name,
            new=kind != teacher[layer],
            tensors=tensors[layer],
            parameters=parameters[layer],
            error=distances.get(layer, (None, None))[0],
            cosine=distances.get(layer, (None, None))[1],
        )
        for layer, kind in enumerate(student)
    )


def check_same_form(backbone: BackboneConfig, variant: Variant) -> None:
    """Refuse another form of a mixer that the teacher has already: its layers would change as well.

    Raises:
        ConfigError: a value differs that is more than a start.
    """
    letter = kind_of(variant)
    if letter not in backbone.layout:
        return
    kind = KINDS[letter]
    theirs, expected = (
        asdict(either)  # pyright: ignore[reportArgumentType]: variants are dataclasses
        for either in (kind.variant(backbone), backbone.filled(variant))
    )
    differs = [
        f"{name}={value}, not {theirs[name]}"
        for name, value in expected.items()
        if name not in STARTS and value != theirs[name]
    ]
    if differs:
        raise ConfigError(
            f"the teacher has {kind.name} layers already, and the new ones would differ from them "
            f"({'; '.join(differs)}); convert its own teacher, or leave the form as it is"
        )


def convert(
    teacher: ModelFolder,
    target: Path,
    layout: Layout,
    *,
    start: str = "attention",
    variants: Sequence[Variant] = (),
    seed: int = 0,
    share_parts: bool = False,
    sequences: Sequence[Batch] = (),
) -> Conversion:
    """Write the student's folder; it appears under its name when it is complete.

    Args:
        teacher: the folder to start from; it is not changed.
        target: the student's folder, which must not exist yet.
        layout: which layers stay attention.
        start: where the new mixers start, see ``make_student``.
        variants: of the new mixers, at most one of a kind; the teacher's config where there is
            none.
        seed: of everything that starts at random.
        share_parts: refer to the teacher's other parts instead of copying them.
        sequences: if there are some, the new mixers' output projections are solved on them.

    Raises:
        ModelError: the target is taken, or the teacher is damaged.
        LayoutError: the layout does not fit the teacher, or is the teacher's own.
        ConfigError: the start is unknown, or the new mixers' sizes do not fit, or differ from those
            of such layers that the teacher has already.
    """
    check_vacant(target)
    config = teacher.section("speech_lm", SpeechLMConfig)
    backbone = config.backbone
    before = Layout.parse(backbone.layout)
    student_config(config, layout, variants)
    for variant in variants:
        check_same_form(backbone, variant)
    if str(layout) == str(before):
        raise LayoutError(
            f"layout {layout} is the teacher's own, so nothing would be replaced; "
            f"choose fewer attention layers"
        )
    model = open_language_model(teacher)
    made, report = make_student(model, layout, start, variants, seed)
    student, sample = cast(SpeechLM, made.eval().requires_grad_(False)), Sample()
    if sequences:
        embedded = [(model.embed(batch), batch.real) for batch in sequences]
        calibrate(model.backbone, student.backbone, embedded)
    conversion = Conversion(
        teacher=teacher.config.name,
        student=target.resolve().name,
        teacher_layout=str(before),
        layout=str(layout),
        start=f"{start}, output projections solved" if sequences else start,
        seed=seed,
        layers=changes(before, layout, report, mixer_distances(model, student, sample)),
        parameters={str(fate): report.parameters(fate) for fate in FATES},
        sample=sample,
    )
    with new_folder(target) as folder:
        write_student(folder, teacher, student, conversion, share_parts)
    return conversion


def write_student(
    folder: Path,
    teacher: ModelFolder,
    student: SpeechLM,
    conversion: Conversion,
    share_parts: bool,
) -> None:
    """Fill the folder: the language model, the parts it speaks with, the report, the card."""
    section = asdict(student.config)
    config = bring_along(teacher, folder, conversion.student, section, share_parts)
    dtype = stored_dtype(teacher.part_file("speech_lm"))
    save_part(student, folder / "speech_lm.safetensors", dtype)
    (folder / REPORT).write_text(json.dumps(asdict(conversion), indent=2) + "\n")
    card = student_card(teacher, conversion.layout, conversion.start, conversion.table())
    (folder / CARD).write_text(card, encoding="utf-8")
    write_config(folder, config)
