"""Weights of judges that are torch modules: checked, read without unpickling, loaded strictly.

Wav2vec 2.0 and WavLM have fairseq's names there; the rules to transformers' are those that its own
conversion scripts tell (wav2vec2, wavlm).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mamtra.errors import ModelError, listed
from mamtra.files import file_sha256
from mamtra.interop.pickles import complaint

CONV = r"feature_extractor.conv_layers.\1."
WEIGHT = "encoder.pos_conv_embed.conv.parametrizations.weight."
# first match wins; a rule is a regular expression and what takes its place
RULES = (
    (r"^mask_emb$", "masked_spec_embed"),
    (r"^post_extract_proj\.", "feature_projection.projection."),
    (r"^layer_norm\.", "feature_projection.layer_norm."),
    (r"^encoder\.pos_conv\.0\.weight_g$", f"{WEIGHT}original0"),
    (r"^encoder\.pos_conv\.0\.weight_v$", f"{WEIGHT}original1"),
    (r"^encoder\.pos_conv\.0\.", "encoder.pos_conv_embed.conv."),
    (r"^feature_extractor\.conv_layers\.(\d+)\.0\.", f"{CONV}conv."),
    (r"^feature_extractor\.conv_layers\.(\d+)\.2\.1\.", f"{CONV}layer_norm."),
    (r"^feature_extractor\.conv_layers\.(\d+)\.2\.", f"{CONV}layer_norm."),
    (r"\.self_attn\.grep_linear\.", ".attention.gru_rel_pos_linear."),
    (r"\.self_attn\.grep_a$", ".attention.gru_rel_pos_const"),
    (r"\.self_attn\.relative_attention_bias\.", ".attention.rel_attn_embed."),
    (r"\.self_attn\.", ".attention."),
    (r"\.self_attn_layer_norm\.", ".layer_norm."),
    (r"\.fc1\.", ".feed_forward.intermediate_dense."),
    (r"\.fc2\.", ".feed_forward.output_dense."),
)


def checked_file(path: Path, sha256: str, what: str) -> Path:
    """A file with exactly this content.

    Raises:
        ModelError: it is not there, or another one.
    """
    if wrong := complaint(path):
        raise ModelError(f"cannot read {what} from {str(path)!r}: {wrong}")
    if (found := file_sha256(path)) != sha256:
        raise ModelError(
            f"{str(path)!r} has the checksum {found[:12]}..., not {sha256[:12]}... of {what}; "
            f"figures of other weights would not be comparable; fetch it again"
        )
    return path


def tensors_of(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """The tensors of a PyTorch file, or those under one of its keys; nothing else is unpickled.

    Raises:
        ModelError: it holds something else.
    """
    try:
        entries = torch.load(path, map_location="cpu", weights_only=True)
        found = entries if key is None else entries[key]
        return {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    except Exception as problem:  # a damaged pickle may fail in any way
        raise ModelError(f"cannot read tensors from {str(path)!r}: {problem}") from problem


def fill(module: torch.nn.Module, tensors: Mapping[str, Tensor], spare: tuple[str, ...]) -> Any:
    """Load tensors into a module strictly, but for names that a part of it does not need.

    Raises:
        ModelError: tensors are missing, left over, or of another shape; all are listed.
    """
    used = {name: value for name, value in tensors.items() if not name.startswith(spare)}
    wanted = module.state_dict()
    wrong = [f"missing: {name}" for name in wanted if name not in used]
    wrong += [f"unknown: {name}" for name in used if name not in wanted]
    wrong += [
        f"{name}: {tuple(used[name].shape)} instead of {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in used and used[name].shape != value.shape
    ]
    if wrong:
        raise ModelError(f"the weights do not fit {type(module).__name__}: {listed(wrong)}")
    module.load_state_dict(used)
    return module.eval().requires_grad_(False)


def transformers_name(name: str) -> str:
    """One name."""
    for pattern, place in RULES:
        found, count = re.subn(pattern, place, name)
        if count:
            return found
    return name


def transformers_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All tensors by transformers' names."""
    return {transformers_name(name): value for name, value in tensors.items()}
