"""Chatterbox's folder, as published, into a folder of ours: language model, decoder, vocoder, text
vocabulary and built-in voice; once, then never pickles.

The language model reads text ids and a voice and writes speech ids. Decoder and vocoder are
CosyVoice 2's under other names, in ``s3gen.safetensors``; where that is not there, the folder does
not speak: convert it, or draw ids from it. What makes voices of recordings is not taken over.
"""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from mamtra.acoustic.config import VocoderConfig
from mamtra.acoustic.decoder_config import DecoderConfig
from mamtra.audio.log_mel import MelConfig
from mamtra.checkpoints.card import CARD, front_matter
from mamtra.checkpoints.format import VOICES, ModelConfig, write_config
from mamtra.checkpoints.modules import save_part
from mamtra.checkpoints.new_folder import check_vacant, new_folder
from mamtra.checkpoints.precision import stored_dtype
from mamtra.checkpoints.shards import opened
from mamtra.checkpoints.weights import SHARD_BYTES, read_tensors, write_tensors
from mamtra.errors import ModelError
from mamtra.interop.chatterbox_acoustics import (
    FLOW,
    VOCODER,
    decoder_from_chatterbox,
    left_out,
    vocoder_from_chatterbox,
)
from mamtra.interop.chatterbox_ids import BUILT_IN_VOICE
from mamtra.interop.chatterbox_lm import (
    CODES,
    GUARD,
    HEAD_DIM,
    SAMPLING,
    speech_lm_from_chatterbox,
)
from mamtra.interop.chatterbox_voice import (
    CONDITIONS,
    VOICE,
    prompt_of,
    read_conditions,
    voice_of,
)
from mamtra.interop.cosyvoice_flow import HEAD_DIM as FLOW_HEAD_DIM
from mamtra.interop.import_cosyvoice import Import, PartImport
from mamtra.interop.stand_ins import check_copied
from mamtra.runtime.sizes import DecoderSizes
from mamtra.speech_lm import SpeechLMConfig
from mamtra.speech_lm.prompt import check_voice as check_prompt
from mamtra.text.chatterbox import TOKENIZER
from mamtra.voice.voice import check_voice

HUB = "ResembleAI/chatterbox"
ENGLISH = "t3_cfg.safetensors"
WEIGHTS = (ENGLISH, "t3_mtl23ls_v2.safetensors", "t3_mtl23ls_v3.safetensors")
TOKENIZERS = (TOKENIZER, "grapheme_mtl_merged_expanded_v1.json", "mtl_tokenizer.json")
S3GEN = ("s3gen.safetensors", "s3gen_meanflow.safetensors")
# ids of a piece: about 250 letters, so that 1,000 speech ids (40 s) are enough
PIECE_TOKENS = 150

ABOUT = """# Chatterbox

{parts} of Chatterbox ({files}, MIT) in the format of mamtra, made by
`mamtra import chatterbox` (docs/convert.md). Its language model reads text ids (of its own
`tokenizer.json`) and a voice, and writes speech ids.
"""


def find_weights(source: Path) -> Path:
    """The language model's file of a published folder, or the file itself.

    Raises:
        ModelError: there is none.
    """
    if source.is_file():
        return source
    if not source.is_dir():
        raise ModelError(f"there is no folder {str(source)!r}; give that of Chatterbox")
    found = [source / name for name in WEIGHTS if (source / name).is_file()]
    if not found:
        raise ModelError(
            f"no {' and no '.join(WEIGHTS)} in {str(source)!r}; run: mamtra fetch {HUB} -o {source}"
        )
    return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acoustics:
    """Decoder and vocoder as they were imported.

    Attributes:
        left_out: one sentence about the networks of the file that were not taken over.
    """

    parts: tuple[PartImport, ...]
    decoder: DecoderConfig
    vocoder: VocoderConfig
    left_out: str


def import_acoustics(
    file: Path,
    folder: Path,
    dtype: torch.dtype | None,
    shard_bytes: int,
    head_dim: int,
) -> Acoustics:
    """Write decoder and vocoder of an s3gen file.

    Args:
        file: ``s3gen.safetensors`` or ``s3gen_meanflow.safetensors``.
        folder: the new folder.
        dtype: of the decoder; as it is where it is None. The vocoder is float32.
        shard_bytes: largest size of a file of weights.
        head_dim: of the flow's attention.

    Raises:
        CheckpointError: it is another file; what does not fit is listed.
    """
    with opened(file) as weights:
        left = left_out(weights)
        tensors = {
            name: weights.tensor(name) for name in weights if name.startswith((FLOW, VOCODER))
        }
    modules = {
        "decoder": (decoder_from_chatterbox(tensors, head_dim), FLOW, dtype or stored_dtype(file)),
        "vocoder": (vocoder_from_chatterbox(tensors), VOCODER, torch.float32),
    }
    told = []
    for part, (module, prefix, kept) in modules.items():
        save_part(module, folder / f"{part}.safetensors", kept, shard_bytes)
        told.append(
            PartImport(
                part=part,
                file=file.name,
                used=sum(name.startswith(prefix) for name in tensors),
                unused=(),
                fresh=(),
                parameters=sum(weight.numel() for weight in module.parameters()),
                dtype=str(kept).removeprefix("torch."),
            )
        )
    networks = ", ".join(f"{prefix}* ({count} entries)" for prefix, count in left.items())
    return Acoustics(
        parts=tuple(told),
        decoder=modules["decoder"][0].config,
        vocoder=modules["vocoder"][0].config,
        left_out=f"left out of {file.name}: {networks or 'nothing'}; voices cannot be made from "
        f"recordings",
    )


def import_speech_lm(
    file: Path,
    folder: Path,
    dtype: torch.dtype | None,
    shard_bytes: int,
    codes: int,
    head_dim: int,
) -> tuple[PartImport, SpeechLMConfig]:
    """Write the language model; what became of its file, and its sizes.

    Raises:
        CheckpointError: it is another file; what does not fit is listed.
    """
    tensors = read_tensors(file)
    model, unused = speech_lm_from_chatterbox(tensors, codes, head_dim)
    kept = dtype or stored_dtype(file)
    save_part(model, folder / "speech_lm.safetensors", kept, shard_bytes)
    told = PartImport(
        part="speech_lm",
        file=file.name,
        used=len(tensors) - len(unused),
        unused=unused,
        fresh=("head.bias",),
        parameters=sum(weight.numel() for weight in model.parameters()),
        dtype=str(kept).removeprefix("torch."),
    )
    return told, model.config


def find_s3gen(source: Path) -> Path | None:
    """The file of decoder and vocoder beside the language model's; None if there is none."""
    found = [source / name for name in S3GEN if (source / name).is_file()]
    return found[0] if found else None


def write_voice(
    source: Path, folder: Path, acoustics: Acoustics | None, sizes: SpeechLMConfig
) -> list[str]:
    """Write the voice that came with the model, if one did; what was written.

    Raises:
        CheckpointError: conds.pt cannot be read, or is something else.
        VoiceError: its numbers are no voice's, or another model's.
    """
    path = source / CONDITIONS
    if not path.is_file():
        return []
    conditions = read_conditions(path)
    assert sizes.conditioning is not None, "Chatterbox's reads a voice"
    check_prompt(prompt_of(conditions), sizes.conditioning, sizes.vocabulary.size)
    write_tensors(conditions["t3"], folder / BUILT_IN_VOICE)
    written = [f"{CONDITIONS} as {BUILT_IN_VOICE}"]
    if acoustics is not None:
        rate_hz = acoustics.vocoder.rate_hz
        voice = voice_of(conditions, path, sizes.speech_vocabulary, rate_hz)
        check_voice(voice, DecoderSizes.of(acoustics.decoder), rate_hz, source.name)
        (folder / VOICES).mkdir()
        voice.save(folder / VOICES / f"{VOICE}.safetensors")
        written.append(f"{CONDITIONS} as {VOICES}/{VOICE}.safetensors")
    return written


def import_chatterbox(
    source: Path,
    target: Path,
    dtype: torch.dtype | None = None,
    shard_bytes: int = SHARD_BYTES,
    codes: int = CODES,
    head_dim: int = HEAD_DIM,
    flow_head_dim: int = FLOW_HEAD_DIM,
    *,
    codec: bool = True,
) -> Import:
    """Write our folder; it appears under its name when it is complete.

    Args:
        source: the published folder, or the language model's file.
        target: the new folder.
        dtype: of the weights of language model and decoder; as they are where it is None.
        shard_bytes: largest size of a file of weights.
        codes, head_dim, flow_head_dim: sizes that the files do not show; those of all published
            models.
        codec: take decoder and vocoder too, where their file is there.

    Raises:
        ModelError: the target is taken, a file is missing or a stand-in, or parts do not fit
            together.
        CheckpointError: a checkpoint is another; what does not fit is listed.
        VoiceError: the built-in voice does not fit.
    """
    check_vacant(target)
    file = find_weights(source)
    s3gen = find_s3gen(file.parent) if codec else None
    copied = [name for name in TOKENIZERS if (file.parent / name).is_file()]
    check_copied(file.parent / name for name in copied)
    with new_folder(target) as folder:
        part, sizes = import_speech_lm(file, folder, dtype, shard_bytes, codes, head_dim)
        parts, notes = [part], list[str]()
        sections: dict[str, Any] = {}
        for name in copied:
            shutil.copy2(file.parent / name, folder)
        acoustics = None
        if s3gen is not None:
            acoustics = import_acoustics(s3gen, folder, dtype, shard_bytes, flow_head_dim)
            heard = acoustics.decoder.encoder.vocabulary
            if heard != codes:
                raise ModelError(
                    f"{file.name} writes {codes} speech tokens and {s3gen.name} reads {heard}; "
                    f"take both from the same model"
                )
            parts += acoustics.parts
            notes.append(acoustics.left_out)
            sections |= {
                "decoder": asdict(acoustics.decoder),
                "vocoder": asdict(acoustics.vocoder),
                "mel": asdict(MelConfig()),
            }
            if file.name == ENGLISH and TOKENIZER in copied:
                sections["text"] = {"tokenizer": "chatterbox", "piece_tokens": PIECE_TOKENS}
            else:
                notes.append(
                    f"no {ENGLISH} with its {TOKENIZER}: the folder reads no text, so it speaks "
                    f"ids only (docs/convert.md)"
                )
        elif codec:
            notes.append(
                f"no {' and no '.join(S3GEN)} in {str(file.parent)!r}: the language model alone "
                f"was taken over, which does not speak; fetch the file and import again"
            )
        copied += write_voice(file.parent, folder, acoustics, sizes)
        report = Import(parts=tuple(parts), copied=tuple(copied), missing=(), notes=tuple(notes))
        config = ModelConfig(
            name=target.resolve().name,
            speech_lm=asdict(sizes),
            sampling=SAMPLING | {"top_k": sizes.vocabulary.size},
            guard=GUARD,
            **sections,
        )
        (folder / CARD).write_text(card(report), encoding="utf-8")
        write_config(folder, config)
    return report


def card(report: Import) -> str:
    """The model card, with what became of each file."""
    front = {
        "license": "mit",
        "language": ["en"],
        "base_model": HUB,
        "tags": ["text-to-speech", "mamtra", "chatterbox"],
    }
    names = {"speech_lm": "Language model", "decoder": "decoder", "vocoder": "vocoder"}
    about = ABOUT.format(
        parts=", ".join(names[part.part] for part in report.parts),
        files=", ".join(dict.fromkeys(part.file for part in report.parts)),
    )
    noted = "".join(f"\n{note}.\n" for note in report.notes)
    return f"{front_matter(front)}{about}\n```\n{report.table()}\n```\n{noted}"
