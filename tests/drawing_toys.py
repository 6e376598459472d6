"""A small model and texts for tests of who draws ids, and a live batch that they join and leave."""

import numpy as np
import torch

from mamtra.backbone import BackboneConfig
from mamtra.generation.generate import generate_batch
from mamtra.generation.guard import GuardConfig
from mamtra.generation.live_batch import LiveBatch
from mamtra.generation.request import Request, Stopped, Token
from mamtra.generation.sampling import SamplingConfig
from mamtra.runtime.torch.speech_model import TorchSpeechModel
from mamtra.speech_lm import SpeechLM, SpeechLMConfig

SIZES = BackboneConfig(
    dim=16, layout="MA", query_heads=2, kv_heads=1, head_dim=8, mlp_dim=24, rope_theta=1e4
)
OFTEN = SamplingConfig(window=8, repetition_share=0.1)  # draws again often
ONCE = GuardConfig(min_per_text_token=1.0, max_per_text_token=9.0, repeat_tokens=6, attempts=1)
GUARD = GuardConfig(min_per_text_token=1.0, max_per_text_token=9.0, repeat_tokens=6, attempts=2)
DROPPED = 2  # the text that nobody listens to any more


def small_model() -> SpeechLM:
    """A model whose logits are far apart, so that texts end."""
    torch.manual_seed(0)
    config = SpeechLMConfig(backbone=SIZES, text_vocabulary=30, speech_vocabulary=40)
    model = SpeechLM(config).eval().requires_grad_(False)
    with torch.no_grad():
        model.head.weight.mul_(3)
    return model


def texts(count: int) -> list[Request]:
    """Texts of one to eight ids."""
    random = np.random.default_rng(0)
    lengths = random.integers(1, 9, count)
    return [
        Request.of(random.integers(0, 30, length).tolist(), seed=number)
        for number, length in enumerate(lengths)
    ]


def check_joining_and_leaving(batch: LiveBatch, module: SpeechLM, count: int) -> None:
    """Texts that join a batch and leave it say what they say alone; one is dropped."""
    alone = dict(generate_batch(TorchSpeechModel(module), texts(count), OFTEN, ONCE))
    waiting, said, ended = list(enumerate(texts(count))), dict[int, list[int]](), set[int]()
    turn = 0
    while waiting or batch.busy:
        turn += 1
        if waiting and batch.free and turn % 3:
            batch.add(*waiting.pop(0))
        if turn == 6:
            batch.remove(DROPPED)
        for record in batch.step():
            match record:
                case Token():
                    said.setdefault(record.row, []).append(record.id)
                case Stopped():
                    ended.add(record.row)
                    ids = said.get(record.row, [])
                    assert tuple(ids[: len(ids) - record.surplus]) == alone[record.row].ids
    assert ended == set(alone) - {DROPPED}
