"""From speech tokens to samples as the original CosyVoice 3 does it: whole, faster, in a stream.

As for version 2 (``test_tts_tokens.py``), samples are not defined better than the last place of the
pitch decides: the original's own stream and its own whole differ by 2.4e-3 here.
"""

from functools import cache

import torch
from reference import fixed_noise
from reference3 import HOP, decoder, relative, tensors_of, values_of, vocoder, vocoder_noise
from torch import Tensor
from torch.nn import functional

from mamtra.acoustic.decoder import Prompt

KEPT = 8  # every eighth sample of the original is kept
# the original differs from itself by 2.4e-3; with features that differ by their last place (1e-7)
# ours are 3.6e-3 to 4.6e-3 away from it, and so with the arithmetic of another processor
LIMIT = 6e-3
NOISE = fixed_noise(80)


@cache
def mel_of(chunked: bool) -> Tensor:
    """Mel features of all tokens of the case."""
    case = tensors_of("tts_tokens")
    prompt = Prompt(
        tokens=case["flow_prompt_speech_token"].long(), mel=case["prompt_speech_feat"].mT
    )
    tokens = case["source_speech_token"].long()
    with torch.inference_mode():
        return decoder()(tokens, case["flow_embedding"], prompt, NOISE, chunked=chunked)


def spoken(mel: Tensor) -> Tensor:
    """Samples with the noise of the case."""
    noise = vocoder_noise(values_of("tts_tokens")["noise_seed"], mel.shape[-1])
    with torch.inference_mode():
        return vocoder()(mel, noise)


def test_tokens_become_the_originals_samples() -> None:
    wanted = tensors_of("tts_tokens")["offline_every_8th"]
    found = spoken(mel_of(chunked=False))
    assert relative(found[:, ::KEPT], wanted) < LIMIT
    first = slice(0, 2 * HOP // KEPT)
    assert relative(found[:, ::KEPT][:, first], wanted[:, first]) < 1e-3


def test_faster_speech_is_the_originals() -> None:
    mel = mel_of(chunked=False)
    mel = functional.interpolate(mel, size=int(mel.shape[-1] / 1.25), mode="linear")
    assert relative(spoken(mel)[:, ::KEPT], tensors_of("tts_tokens")["speed125_every_8th"]) < LIMIT


def test_a_chunked_pass_is_the_originals_stream_without_its_last_full_part() -> None:
    wanted = tensors_of("tts_tokens")["stream_all_chunked_every_8th"]
    assert relative(spoken(mel_of(chunked=True))[:, ::KEPT], wanted) < LIMIT
