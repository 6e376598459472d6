"""What the original Chatterbox answers at toy size, and the weights it was given."""

import json
import math
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import toy_flow
import toy_vocoder
from chatterbox_shapes import REFERENCE, t3_shapes
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch_draws import TorchSource
from write_chatterbox_folder import write_tokenizer

from mamtra.generation.guard import GuardConfig
from mamtra.generation.request import Request
from mamtra.generation.sampling import SamplingConfig, most_probable
from mamtra.interop.chatterbox_acoustics import FLOW, TIME_MIXER, VOCODER
from mamtra.interop.chatterbox_lm import GUARD, SAMPLING, speech_lm_from_chatterbox
from mamtra.speech_lm import SpeechLM
from mamtra.speech_lm.conditioning_config import ConditioningConfig
from mamtra.speech_lm.prompt import Segment, SpeakerPrompt, conditioned

FOLDER = Path(__file__).parent / "data" / "chatterbox"
TABLES = (
    "text_emb.weight",
    "speech_emb.weight",
    "pos_emb.emb.weight",
    "embed_tokens.weight",
    "pre_attention_query",
)
PLAIN = GuardConfig(**GUARD, attempts=1, repeat_tokens=1000)
OWN = SamplingConfig(**SAMPLING, top_k=230)
RUNS = {
    "default/seed0": (OWN, 0.5, 0),
    "default/seed1": (OWN, 0.5, 1),
    "default/seed2": (OWN, 0.5, 2),
    "top_p_0.95/seed0": (SamplingConfig(**SAMPLING | {"top_p": 0.95}, top_k=230), 0.5, 0),
    "cfg_1.0/seed0": (OWN, 1.0, 0),
    "penalty_2.0_temperature_0.4/seed0": (
        SamplingConfig(**SAMPLING | {"repetition_penalty": 2.0, "temperature": 0.4}, top_k=230),
        0.5,
        0,
    ),
    "temperature_1e-4": (SamplingConfig(**SAMPLING | {"temperature": 1e-4}, top_k=230), 0.5, 0),
}


def values_of(case: str) -> dict[str, Any]:
    """The plain values of a reference case."""
    return json.loads((FOLDER / f"{case}.json").read_text(encoding="utf-8"))


@cache
def tensors_of(case: str) -> dict[str, Tensor]:
    """The tensors of a reference case."""
    return load_file(FOLDER / f"{case}.safetensors")


def synthetic(name: str, shape: tuple[int, ...]) -> Tensor:
    """The weights of the reference runs: a function of an entry's name and shape alone."""
    x = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, np.float32)
    stop = REFERENCE.codes + 1
    if name == "speech_head.weight":
        x *= 4 / math.sqrt(shape[1])
        end = x[stop] * 1.8
        x[stop - 1 :] *= 0.02
        x[stop] = end
    elif name.endswith(TABLES):
        x *= 0.3 if "pos_emb" in name else 1.0
    elif name.endswith("bias"):
        x *= 0.1
    elif len(shape) == 1:
        x = 1 + 0.1 * x
    else:
        x /= math.sqrt(math.prod(shape[1:]))
    return torch.from_numpy(x.astype(np.float32))


@cache
def weights() -> dict[str, Tensor]:
    """The toy's entries."""
    return {name: synthetic(name, shape) for name, shape in t3_shapes(REFERENCE).items()}


@cache
def speech_lm() -> SpeechLM:
    """The toy language model, through the real converter."""
    sizes = REFERENCE
    return speech_lm_from_chatterbox(weights(), sizes.codes, sizes.head_dim)[0].eval()


def voice_of(case: str, emotion: float = 0.5) -> SpeakerPrompt:
    """The voice of a case."""
    held = tensors_of(case)
    return SpeakerPrompt(
        speaker=tuple(held["speaker"].flatten().tolist()),
        prompt=tuple(held["prompt"].flatten().tolist()),
        emotion=emotion,
    )


class SourceOverAllIds(TorchSource):
    """Draws among all ids, as the original does: those left out have no weight."""

    kept: np.ndarray

    def index(self, weights: np.ndarray) -> int:
        everything = np.zeros(230)
        everything[self.kept] = weights
        return int(np.flatnonzero(self.kept == super().index(everything))[0])


def keep(*arguments: Any) -> np.ndarray:
    """``most_probable``, which leaves word of what it kept."""
    SourceOverAllIds.kept = most_probable(*arguments)
    return SourceOverAllIds.kept


def sizes() -> ConditioningConfig:
    """What the toy reads of a voice, and around a text."""
    conditioning = speech_lm().conditioning
    assert conditioning is not None
    return conditioning.config


def segments_of(case: str) -> list[Segment]:
    """What the toy reads in a case."""
    text = tensors_of(case)["text"].flatten().tolist()
    assert (text[0], text[-1]) == (sizes().text_start, sizes().text_end)
    return conditioned(text[1:-1], voice_of(case), sizes())


def request_of(seed: int = 0) -> Request:
    """The request of the cases that draw ids."""
    segments = segments_of("t3_inference")
    return Request(tuple(segments), len(segments[1].ids) - 2, seed)


def s3gen_entries(mean_flow: bool = False) -> dict[str, Tensor]:
    """The toy's decoder and vocoder under their published names, and a leftover of each kind."""
    flow = toy_flow.toy() | ({TIME_MIXER: time_mixer()} if mean_flow else {})
    entries = {FLOW + name: tensor for name, tensor in flow.items()}
    entries |= {VOCODER + name: tensor for name, tensor in toy_vocoder.toy_tensors().items()}
    left = ("tokenizer.encoder.conv1.weight", "tokenizer.window", "speaker_encoder.head.bias")
    return entries | {name: torch.zeros(2) for name in left}


def time_mixer() -> Tensor:
    """Of the reference's mean flow: its name holds "embed", so it has a deviation of 1."""
    return math.sqrt(512) * toy_flow.synthetic(TIME_MIXER, (256, 512))


def write_folder(folder: Path, s3gen: str | None = None) -> Path:
    """Write the folder that Chatterbox publishes, at toy size, with a built-in voice.

    Args:
        folder: a new one.
        s3gen: name of the file of decoder and vocoder, of exact names; none if left.
    """
    folder.mkdir()
    save_file(weights(), folder / "t3_cfg.safetensors")
    write_tokenizer(folder / "tokenizer.json")
    if s3gen is not None:
        save_file(s3gen_entries("meanflow" in s3gen), folder / s3gen)
    held = tensors_of("t3_inference")
    conditions = {
        "speaker_emb": held["speaker"],
        "clap_emb": None,
        "cond_prompt_speech_tokens": held["prompt"],
        "emotion_adv": torch.full((1, 1, 1), 0.5),
    }
    generator = np.random.default_rng(0)
    prompt = {
        "prompt_token": torch.from_numpy(generator.integers(0, REFERENCE.codes, (1, 14))),
        "prompt_token_len": torch.tensor([14]),
        "prompt_feat": torch.from_numpy(generator.standard_normal((1, 27, 80), np.float32)),
        "prompt_feat_len": None,
        "embedding": torch.from_numpy(generator.standard_normal((1, 192), np.float32)),
    }
    torch.save({"t3": conditions, "gen": prompt if s3gen else {}}, folder / "conds.pt")
    return folder
