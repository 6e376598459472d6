"""A plain Qwen2 speech language model, as transformers saves it, into a folder of our format.

Many speech models are a Qwen2 whose one vocabulary holds text and speech tokens side by side. Ours
keeps three tables apart, so somebody must say which ids are speech (``first`` and ``count``); every
other id becomes text. The ids that end speech, start a sequence and stand between text and speech
have rows of their own here; a row that nobody named is fresh (zeros), as are the two ids that only
our layouts use.

What comes out holds a language model and nothing else: it can be converted, distilled and exported.
It cannot speak, for no decoder of ours knows its speech tokens.

Dtype rule: weights are stored as asked for, or as they are.
"""

import json
import re
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.checkpoints.card import CARD, front_matter, origin
from mamtra.checkpoints.check_state_dict import built_around, check_floats
from mamtra.checkpoints.format import ModelConfig, write_config
from mamtra.checkpoints.modules import save_part
from mamtra.checkpoints.new_folder import check_vacant, new_folder
from mamtra.checkpoints.precision import stored_dtype
from mamtra.checkpoints.weights import SHARD_BYTES, read_tensors
from mamtra.errors import CheckpointError, ConfigError, ModelError
from mamtra.files import read_json
from mamtra.interop.import_cosyvoice import Import, PartImport
from mamtra.interop.names import TABLE, check_axes, is_buffer
from mamtra.interop.qwen2 import config_from_qwen2, from_qwen2
from mamtra.interop.stand_ins import check_copied
from mamtra.speech_lm import SpeechLM, SpeechLMConfig
from mamtra.speech_lm.vocabulary import EXTRA_IDS

WEIGHTS = "model.safetensors"
FULL_ATTENTION = "full_attention"  # in layer_types of a config.json
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
IDS = "ids.json"
TOKENIZER = "tokenizer"
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
)
NEVER = -100.0  # bias of ids that must not be drawn; also the lowest that vLLM takes


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechIds:
    """Where speech lies in a vocabulary of text and speech.

    Attributes:
        first: id of the first speech token.
        count: how many there are, one after the other.
        end: the id that ends speech; the model's own end where it is None.
        start: the id that begins a sequence, if the model has one.
        task: the id between text and speech, if the model has one.
    """

    first: int
    count: int
    end: int | None = None
    start: int | None = None
    task: int | None = None

    def check(self, vocabulary: int) -> None:
        """Refuse ids that a vocabulary of this size does not hold.

        Raises:
            ConfigError: they lie outside, or a mark lies among the speech tokens.
        """
        if self.count < 1 or self.first < 0 or self.first + self.count > vocabulary:
            raise ConfigError(
                f"speech ids {self.first}:{self.count} do not lie in a vocabulary of {vocabulary}; "
                f"write FIRST:COUNT, the first speech id and how many follow each other"
            )
        if self.end is None:
            raise ConfigError(
                "no id ends speech: config.json has no eos_token_id, and none was given; say --end"
            )
        for name in ("end", "start", "task"):
            mark = getattr(self, name)
            if mark is not None and not 0 <= mark < vocabulary:
                raise ConfigError(f"{name} id {mark} is outside the vocabulary of {vocabulary}")
            if mark is not None and self.first <= mark < self.first + self.count:
                raise ConfigError(f"{name} id {mark} lies among the speech ids")


def read_range(text: str) -> tuple[int, int]:
    """First id and count, written as ``FIRST:COUNT``.

    Raises:
        ConfigError: they are not written so.
    """
    if not (found := re.fullmatch(r"(\d+):(\d+)", text.strip())):
        raise ConfigError(f"speech ids {text!r} are not FIRST:COUNT, as 151665:6561")
    return int(found[1]), int(found[2])


def read_config(source: Path) -> dict[str, Any]:
    """The config.json of a Qwen2 folder.

    Raises:
        ModelError: there is none, or the model is of another kind or has what we lack.
    """
    if not source.is_dir():
        raise ModelError(f"there is no folder {str(source)!r}; give one that transformers saved")
    config = read_json(source / "config.json", ModelError)
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "qwen2":
        raise ModelError(f"{str(source)!r} holds a model of type {kind!r}; only qwen2 is read")
    scaling = config.get("rope_scaling") or config.get("rope_parameters") or {}
    if not isinstance(scaling, dict) or (
        scaling.get("rope_type", scaling.get("type", "default")) != "default"
    ):
        raise ModelError(f"{str(source)!r} scales its positions, which mamtra's attention does not")
    kinds = config.get("layer_types") or [FULL_ATTENTION]
    if config.get("use_sliding_window") or set(kinds) != {FULL_ATTENTION}:
        raise ModelError(f"{str(source)!r} has sliding windows, which mamtra's attention has not")
    return config


def read_weights(source: Path, tied: bool) -> dict[str, Tensor]:
    """The tensors of a Qwen2 folder; a head tied to the embedding is filled in.

    Raises:
        ModelError: there are only pickles, or nothing.
        CheckpointError: files are damaged, or embedding and head are missing or do not go together.
    """
    pickles = [*source.glob("pytorch_model*.bin")]
    if not any(source.glob("model*.safetensors")):
        told = "only pickles" if pickles else "no weights"
        raise ModelError(
            f"{str(source)!r} holds {told}; {WEIGHTS} is needed, "
            f"which transformers writes with save_pretrained"
        )
    tensors = read_tensors(source / WEIGHTS)
    check_floats(tensors)
    if EMBEDDING not in tensors:
        raise CheckpointError(f"{str(source)!r} has no {EMBEDDING}; is it a language model?")
    if HEAD not in tensors:
        if not tied:
            raise CheckpointError(f"{str(source)!r} has no {HEAD}, and does not tie it")
        tensors[HEAD] = tensors[EMBEDDING]
    advice = "give the folder as transformers saved it"
    check_axes(tensors, {EMBEDDING: TABLE, HEAD: TABLE}, advice)
    shapes = [tuple(tensors[name].shape) for name in (EMBEDDING, HEAD)]
    if shapes[0] != shapes[1]:
        raise CheckpointError(
            f"{EMBEDDING} {shapes[0]} and {HEAD} {shapes[1]} are not of one vocabulary; {advice}"
        )
    if tied and not torch.equal(tensors[HEAD], tensors[EMBEDDING]):
        raise CheckpointError(
            f"{str(source)!r} ties {HEAD} to {EMBEDDING}, and holds another one; write into "
            f"config.json what is meant (tie_word_embeddings), or take the wrong one out"
        )
    return tensors


def end_of(config: dict[str, Any]) -> int | None:
    """The id that ends speech, as config.json says; None if it does not.

    Raises:
        ConfigError: it names several, or none that is a number.
    """
    named = config.get("eos_token_id")
    ends = named if isinstance(named, list) else [named]
    if not ends or ends == [None]:
        return None
    if len(ends) > 1 or type(ends[0]) is not int:
        raise ConfigError(f"eos_token_id of config.json is {named}, not one id; say --end")
    return ends[0]


def rows_of(table: Float[Tensor, "rows dim"], ids: list[int | None]) -> Float[Tensor, "chosen dim"]:
    """Rows of a table by id; zeros where there is no id."""
    empty = table.new_zeros(table.shape[1])
    return torch.stack([empty if index is None else table[index] for index in ids])


def split_tables(tensors: dict[str, Tensor], ids: SpeechIds) -> dict[str, Tensor]:
    """Embeddings and head under our names, cut out of the one vocabulary."""
    embedding, head = tensors[EMBEDDING], tensors[HEAD]
    behind = ids.first + ids.count
    extra: list[int | None] = [ids.end, None, None]
    bias = head.new_zeros(ids.count + EXTRA_IDS)
    bias[ids.count + 1 :] = NEVER
    return {
        "text_embedding.weight": torch.cat([embedding[: ids.first], embedding[behind:]]),
        "speech_embedding.weight": torch.cat(
            [embedding[ids.first : behind], rows_of(embedding, extra)]
        ),
        "special_embedding.weight": rows_of(embedding, [ids.start, ids.task]),
        "head.weight": torch.cat([head[ids.first : behind], rows_of(head, extra)]),
        "head.bias": bias,
    }


def build(config: dict[str, Any], tensors: dict[str, Tensor], ids: SpeechIds) -> SpeechLM:
    """The model around a checkpoint's tensors.

    Raises:
        CheckpointError: a tensor is unknown, missing or of another shape; all such are listed.
    """
    ours = {f"backbone.{name}": tensor for name, tensor in from_qwen2(tensors).items()}
    ours |= split_tables(tensors, ids)
    sizes = SpeechLMConfig(
        backbone=config_from_qwen2(config),
        text_vocabulary=len(ours["text_embedding.weight"]),
        speech_vocabulary=ids.count,
    )
    complaint = "the checkpoint does not fit its config.json"
    return built_around(lambda: SpeechLM(sizes), ours, complaint)


def fresh_rows(ids: SpeechIds) -> tuple[str, ...]:
    """Rows that the checkpoint does not hold."""
    named = {"start": ids.start, "task": ids.task}
    marks = [f"special_embedding.weight[{name}]" for name, index in named.items() if index is None]
    tables = ("speech_embedding.weight", "head.weight")
    return (*marks, *(f"{table}[unused, fill]" for table in tables), "head.bias")


def card(source: Path, name: str, ids: SpeechIds, report: Import) -> str:
    """The model card: what it is, which ids mean what, what became of the tensors."""
    front = origin(source) | {"tags": ["text-to-speech", "mamtra", "qwen2"]}
    behind = ids.first + ids.count
    return f"""{front_matter(front)}# {name}, a Qwen2 speech language model

A language model in the format of mamtra, made by `mamtra import qwen2`. Speech ids 0 to
{ids.count - 1} were {ids.first} to {behind - 1}, the end of speech was {ids.end}. Text ids below
{ids.first} kept their numbers; those from {behind} on are lower by {ids.count}. It holds no
decoder, so it does not speak: convert, distil or export it.

```
{report.table()}
```
"""


def import_qwen2(
    source: Path,
    target: Path,
    ids: SpeechIds,
    dtype: torch.dtype | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> Import:
    """Write our folder, with a language model only; it appears under its name when it is complete.

    Args:
        source: a folder that transformers saved, of type qwen2.
        target: the new folder.
        ids: which ids are speech.
        dtype: of the weights; as they are where it is None.
        shard_bytes: largest size of a file of weights.

    Raises:
        ModelError: the target is taken, or the source is no Qwen2 folder.
        ConfigError: the ids do not fit its vocabulary.
        CheckpointError: its tensors do not fit; what does not is listed.
    """
    check_vacant(target)
    config = read_config(source)
    names = [name for name in TOKENIZER_FILES if (source / name).is_file()]
    check_copied(source / name for name in names)
    tensors = read_weights(source, tied=config.get("tie_word_embeddings", True))
    vocabulary = len(tensors[EMBEDDING])
    if ids.end is None:
        ids = replace(ids, end=end_of(config))
    ids.check(vocabulary)
    model = build(config, tensors, ids)
    kept, buffers = dtype or stored_dtype(source / WEIGHTS), list(filter(is_buffer, tensors))
    told = PartImport(
        part="speech_lm",
        file=WEIGHTS,
        used=len(tensors) - len(buffers) - (tensors[HEAD] is tensors[EMBEDDING]),
        unused=(f"{HEAD}[{vocabulary - ids.count - 1} rows that are not speech]", *buffers),
        fresh=fresh_rows(ids),
        parameters=sum(weight.numel() for weight in model.parameters()),
        dtype=str(kept).removeprefix("torch."),
    )
    with new_folder(target) as folder:
        save_part(model, folder / "speech_lm.safetensors", kept, shard_bytes)
        (folder / TOKENIZER).mkdir()
        for name in names:
            shutil.copy2(source / name, folder / TOKENIZER)
        (folder / IDS).write_text(json.dumps(asdict(ids)) + "\n")
        copied = tuple(f"{TOKENIZER}/{name}" for name in names)
        report = Import(parts=(told,), copied=copied, missing=())
        name, section = target.resolve().name, asdict(model.config)
        (folder / CARD).write_text(card(source, name, ids, report), encoding="utf-8")
        write_config(folder, ModelConfig(name=name, speech_lm=section))
    return report
