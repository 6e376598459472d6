"""Chatterbox's language model, ``t3_cfg.safetensors``: its tensor names and ours.

Strict: every tensor is used or listed as unused, every weight of the model is filled. Llama's own
embedding table and the text head (for training only) are never run and are left out. The head has
no bias; ours gets zeros. The start mark stands twice before the speech, at position 0, so the row
of our special table for it holds embedding and position together.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from mamtra.backbone.positions import RopeScaling
from mamtra.checkpoints.check_state_dict import built_around
from mamtra.errors import CheckpointError
from mamtra.interop.names import backbone_of, is_buffer, layers_in, rename_all, sizes_of
from mamtra.interop.qwen2 import FROM_QWEN2
from mamtra.speech_lm import SpeechLM, SpeechLMConfig
from mamtra.speech_lm.conditioning_config import ConditioningConfig
from mamtra.speech_lm.vocabulary import SPECIAL_ROWS, TASK

FROM_CHATTERBOX = {
    "text_emb.weight": "text_embedding.weight",
    "speech_emb.weight": "speech_embedding.weight",
    "speech_head.weight": "head.weight",
    "text_pos_emb.emb.weight": "conditioning.text_positions.weight",
    "speech_pos_emb.emb.weight": "conditioning.speech_positions.weight",
    "cond_enc.spkr_enc.weight": "conditioning.speaker.weight",
    "cond_enc.spkr_enc.bias": "conditioning.speaker.bias",
    "cond_enc.emotion_adv_fc.weight": "conditioning.emotion.weight",
    "cond_enc.perceiver.pre_attention_query": "conditioning.resampler.queries",
} | {
    f"cond_enc.perceiver.attn.{theirs}.{leaf}": f"conditioning.resampler.{ours}.{leaf}"
    for theirs, ours in (
        ("norm", "norm"),
        ("to_q", "to_q"),
        ("to_k", "to_k"),
        ("to_v", "to_v"),
        ("proj_out", "out_proj"),
    )
    for leaf in ("weight", "bias")
} | {
    theirs.replace("model.", "tfmr.", 1): f"backbone.{ours}"
    for theirs, ours in FROM_QWEN2.items()
    if not theirs.endswith("_proj.bias")
}  # fmt: skip
UNUSED = ("tfmr.embed_tokens.weight", "text_head.weight")
LAYER_MARK = "tfmr.layers.N.input_layernorm.weight"

CODES = 6_561  # speech tokens; the start mark follows them, then the end mark
START_MARK, END_MARK, FILL_MARK = 0, 1, 2  # Chatterbox has no fill
HEAD_DIM = 64  # t3's Llama config; no tensor shape shows it
SCALING = RopeScaling(factor=8.0, low=1.0, high=4.0, original=8_192)  # the same config
ROPE_THETA, RMS_EPS = 500_000.0, 1e-5

# t3's inference: penalty, then temperature, then min_p; top_p 1 and no top_k
SAMPLING = {
    "method": "top",
    "temperature": 0.8,
    "top_p": 1.0,
    "min_p": 0.05,
    "repetition_penalty": 1.2,
}
GUARD = {"min_per_text_token": 0.0, "max_per_text_token": 0.0, "spare_tokens": 1_000}


def config_from_chatterbox(
    tensors: Mapping[str, Tensor], codes: int = CODES, head_dim: int = HEAD_DIM
) -> SpeechLMConfig:
    """Read the sizes from the shapes.

    Args:
        tensors: the checkpoint's entries.
        codes: speech tokens, which no shape shows.
        head_dim: width of an attention head, which no shape shows.

    Raises:
        CheckpointError: an entry that carries a size is missing, or the model is another one.
    """
    layer = "tfmr.layers.0."
    carriers = {
        "text": "text_emb.weight",
        "speech": "speech_head.weight",
        "embedding": "speech_emb.weight",
        "query": f"{layer}self_attn.q_proj.weight",
        "key": f"{layer}self_attn.k_proj.weight",
        "mlp": f"{layer}mlp.gate_proj.weight",
        "text_positions": "text_pos_emb.emb.weight",
        "speech_positions": "speech_pos_emb.emb.weight",
        "speaker": "cond_enc.spkr_enc.weight",
        "queries": "cond_enc.perceiver.pre_attention_query",
    }
    turbo = any(name.startswith("tfmr.h.") for name in tensors)
    advice = "Turbo and Nano have another body" if turbo else "give t3_cfg.safetensors"
    sizes = sizes_of(tensors, carriers, "Chatterbox's language model", advice)
    if sizes["speech"][0] <= codes + END_MARK:
        raise CheckpointError(
            f"{carriers['speech']} has {sizes['speech'][0]} rows, too few for {codes} speech "
            f"tokens and their marks"
        )
    if sizes["embedding"] != sizes["speech"]:
        raise CheckpointError(
            f"{carriers['embedding']} {sizes['embedding']} and {carriers['speech']} "
            f"{sizes['speech']} are not of the same ids; {advice}"
        )
    return SpeechLMConfig(
        backbone=backbone_of(
            sizes,
            "A" * layers_in(tensors, LAYER_MARK),
            head_dim,
            rope_theta=ROPE_THETA,
            rope_scaling=SCALING,
            rms_eps=RMS_EPS,
            attention_bias=False,
        ),
        text_vocabulary=sizes["text"][0],
        speech_vocabulary=codes,
        marks=sizes["speech"][0] - codes,
        end_mark=END_MARK,
        fill_mark=FILL_MARK,
        conditioning=ConditioningConfig(
            text_positions=sizes["text_positions"][0],
            speech_positions=sizes["speech_positions"][0],
            speaker_dim=sizes["speaker"][1],
            prompt_queries=sizes["queries"][1],
        ),
    )


def speech_lm_from_chatterbox(
    tensors: Mapping[str, Tensor], codes: int = CODES, head_dim: int = HEAD_DIM
) -> tuple[SpeechLM, tuple[str, ...]]:
    """Build the model around a checkpoint's tensors, without copying them.

    Returns:
        The model, in the checkpoint's precision, and the names of the entries left out.

    Raises:
        CheckpointError: an entry is unknown, missing or of another shape; all such are listed.
    """
    config = config_from_chatterbox(tensors, codes, head_dim)
    unused = tuple(name for name in tensors if name in UNUSED or is_buffer(name))
    advice = "give t3_cfg.safetensors as published"
    what = "Chatterbox's language model"
    ours = rename_all(tensors, FROM_CHATTERBOX, what, advice, unused)
    ours["head.bias"] = torch.zeros(
        len(tensors["speech_head.weight"]), dtype=tensors["speech_head.weight"].dtype
    )
    table, positions = tensors["speech_emb.weight"], tensors["speech_pos_emb.emb.weight"]
    special = torch.zeros(SPECIAL_ROWS, config.backbone.dim, dtype=table.dtype)
    if table.shape[1] == positions.shape[1] == config.backbone.dim:  # else they are told below
        special[TASK] = table[codes + START_MARK] + positions[0]
    ours["special_embedding.weight"] = special
    return built_around(lambda: SpeechLM(config), ours), unused
