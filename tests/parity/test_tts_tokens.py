"""From speech tokens to samples as the original does it: whole, faster, and in its own chunks.

Each stage equals the original to 1e-4 where it is given the original's input (tests/checkpoints).
Here only tokens are given, and the samples cannot be that close, because the original's are not
defined that well: it counts phases up in float32 radians, to tens of thousands, so that a pitch one
unit in the last place higher moves its own samples by 2.6e-3 in seven seconds. So the measure is
that: how far the last place of the pitch moves the samples.
"""

from functools import cache

import torch
from reference import tensors_of
from torch import Tensor
from torch.nn import functional
from toy_flow import NOISE, decoder
from toy_vocoder import HOP, relative, rounded_source, toy_vocoder

from mamtra.acoustic.decoder import Prompt

KEPT = 4  # every fourth sample of the original is kept
HELD = 8  # cosyvoice2.yaml: frames that a chunk speaks again
LIMIT = 1e-2  # far below 0.28, which another seed gives
HOPS = (45, 95)  # tokens after which the original spoke: 25 filled up to a whole chunk, then 50


@cache
def case() -> dict[str, Tensor]:
    return tensors_of("tts_tokens")


def mel_of(tokens: int = 180, **how: bool) -> Tensor:
    """Mel features of the first tokens of the case."""
    given = case()
    prompt = Prompt(tokens=given["flow_prompt_speech_token"], mel=given["prompt_speech_feat"].mT)
    with torch.inference_mode():
        speech = given["source_speech_token"][:, :tokens]
        return decoder()(speech, given["flow_embedding"], prompt, NOISE, **how)


def drawn(generator: torch.Generator, frames: int) -> Tensor:
    """Noise in the original's order: an unused draw before it, another behind it."""
    torch.rand(1, 9, generator=generator)
    noise = torch.empty(1, 9, frames * HOP).mT.normal_(generator=generator).mT
    torch.empty(1, 1, frames * HOP).normal_(generator=generator)
    return noise


def spoken(mel: Tensor, raised: bool = False) -> Tensor:
    """Samples with the original's excitation; ``raised`` puts the pitch one last place higher."""
    vocoder = toy_vocoder()
    with torch.inference_mode():
        pitch = vocoder.predict_pitch(mel)
        pitch = torch.nextafter(pitch, pitch + 1) if raised else pitch
        noise = drawn(torch.Generator().manual_seed(0), mel.shape[-1])
        return vocoder.decode(mel, rounded_source(vocoder, pitch, noise))


def assert_as_close_as_can_be(mel: Tensor, wanted: Tensor) -> None:
    """The original's samples, to within what its last place of the pitch decides."""
    found = spoken(mel)
    moved = relative(spoken(mel, raised=True), found)
    assert found.shape[-1] == KEPT * wanted.shape[-1]
    difference = relative(found[:, ::KEPT], wanted)
    assert difference < min(3 * moved, LIMIT)
    first = relative(found[:, : HOP * 2 : KEPT], wanted[:, : HOP * 2 // KEPT])
    assert first < 5e-4  # before the phases have grown


def test_tokens_become_the_originals_samples() -> None:
    assert_as_close_as_can_be(mel_of(), case()["offline_every_4th"])


def test_faster_speech_is_the_originals() -> None:
    mel = mel_of()
    mel = functional.interpolate(mel, size=int(mel.shape[-1] / 1.25), mode="linear")
    assert_as_close_as_can_be(mel, case()["speed125_every_4th"])


def stream_like_the_original() -> list[Tensor]:
    """Its chunks: the last one with full attention, halves of a Hamming window at the joins."""
    vocoder, window = toy_vocoder(), torch.hamming_window(2 * HELD * HOP, periodic=False)
    generator, length = torch.Generator().manual_seed(0), HELD * HOP
    ends = [2 * tokens for tokens in HOPS]
    mels = [mel_of(tokens + 3, chunked=True, final=False) for tokens in HOPS]
    mels = [mels[0], mels[1][..., ends[0] :], mel_of()[..., ends[1] :]]
    pieces: list[Tensor] = []
    mel, source, sound = torch.zeros(1, 80, 0), torch.zeros(1, 1, 0), torch.zeros(1, 0)
    for number, new in enumerate(mels):
        mel = torch.cat([mel, new], dim=-1)
        with torch.inference_mode():
            pitch, noise = vocoder.predict_pitch(mel), drawn(generator, mel.shape[-1])
            excitation = rounded_source(vocoder, pitch, noise)
            excitation[..., : source.shape[-1]] = source
            made = vocoder.decode(mel, excitation)
            if number:
                made[:, :length] = made[:, :length] * window[:length] + sound * window[length:]
        mel, source, sound = mel[..., -HELD:], excitation[..., -length:], made[:, -length:]
        pieces.append(made if number == len(HOPS) else made[:, :-length])
    return pieces


def test_chunks_are_the_originals() -> None:
    for number, piece in enumerate(stream_like_the_original()):
        wanted = case()[f"stream.{number}_every_4th"]
        assert piece.shape[-1] == KEPT * wanted.shape[-1]
        assert relative(piece[:, ::KEPT], wanted) < 3e-3


def test_another_seed_would_be_seen() -> None:
    vocoder, mel = toy_vocoder(), mel_of(60)
    with torch.inference_mode():
        pitch = vocoder.predict_pitch(mel)
        two = [
            vocoder.decode(mel, rounded_source(vocoder, pitch, drawn(generator, mel.shape[-1])))
            for generator in (torch.Generator().manual_seed(n) for n in (0, 1))
        ]
    assert relative(*two) > 10 * LIMIT
