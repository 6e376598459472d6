"""A decoder's stream: joined pieces equal one chunked pass, and leave as early as they can."""

import numpy as np
import pytest
import torch
from reference import fixed_noise
from toy_decoder import FLOW, NANO

from mamtra.acoustic.decoder import Decoder
from mamtra.acoustic.decoder_config import DecoderConfig
from mamtra.runtime.decoder_stream import DecoderStream
from mamtra.runtime.protocols import Decoder as DecoderProtocol
from mamtra.runtime.protocols import EncodedPrompt
from mamtra.runtime.torch.acoustics import TorchDecoder

NOISE = fixed_noise(8, 64)[0].numpy()
RANDOM = np.random.default_rng(1)
TOKENS = RANDOM.integers(0, 20, 19)
SPEAKER = RANDOM.standard_normal(6).astype(np.float32)


def voice(prompt_tokens: int) -> EncodedPrompt:
    mel = RANDOM.standard_normal((8, 2 * prompt_tokens)).astype(np.float32)
    return EncodedPrompt(tokens=TOKENS[:prompt_tokens], mel=mel, speaker=SPEAKER)


def decoder_of(config: DecoderConfig) -> TorchDecoder:
    torch.manual_seed(0)
    return TorchDecoder(Decoder(config).eval().requires_grad_(False))


@pytest.mark.parametrize("config", [NANO, FLOW], ids=["nano", "flow"])
@pytest.mark.parametrize("step", [1, 3, 19])
@pytest.mark.parametrize("prompt_tokens", [0, 5])
def test_a_stream_in_pieces_equals_the_whole(
    config: DecoderConfig, step: int, prompt_tokens: int
) -> None:
    decoder, own = decoder_of(config), voice(prompt_tokens)
    noise = NOISE if decoder.sizes.flow else None
    assert isinstance(decoder, DecoderProtocol)
    whole = decoder.decode(TOKENS.tolist(), own, noise, chunked=True)
    stream = DecoderStream(voice=own, noise=noise)
    cuts = range(0, len(TOKENS), step)
    pieces = [stream.push(decoder, TOKENS[start : start + step].tolist()) for start in cuts]
    pieces.append(stream.push(decoder, [], final=True))
    assert whole.shape == (8, 38)
    np.testing.assert_allclose(np.concatenate(pieces, axis=-1), whole, rtol=1e-5, atol=1e-5)


def test_the_stream_gives_frames_as_soon_as_the_lookahead_is_there() -> None:
    stream, decoder = DecoderStream(voice=voice(0)), decoder_of(NANO)
    counts = [stream.push(decoder, [token]).shape[-1] for token in TOKENS.tolist()]
    # chunks of 4 tokens with 3 of lookahead, in groups of 1, 2, 4
    assert counts == [0] * 6 + [8] + [0] * 7 + [16] + [0] * 4


def test_tokens_are_dropped_as_far_as_no_frame_depends_on_them() -> None:
    stream, decoder = DecoderStream(voice=voice(0)), decoder_of(NANO)
    stream.push(decoder, TOKENS[:9].tolist())
    assert stream.frames == 8
    stream.drop(decoder.sizes, 1)
    assert stream.tokens == TOKENS[:8].tolist()
    stream.drop(decoder.sizes, 9)
    assert stream.tokens == TOKENS[:7].tolist()


def test_without_flow_the_prompt_is_not_continued() -> None:
    decoder = decoder_of(NANO)
    alone, prompted = (decoder.decode([1, 2, 3], voice(count), None) for count in (0, 5))
    np.testing.assert_array_equal(alone, prompted)
