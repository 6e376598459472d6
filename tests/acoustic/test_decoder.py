"""The decoder at nano's form and with flow matching: pieces equal the whole, sizes are checked."""

from dataclasses import asdict, replace

import pytest
import torch
from reference import fixed_noise
from toy_decoder import FLOW, NANO

from mamtra.acoustic.decoder import Decoder, DecoderConfig
from mamtra.config import from_dict
from mamtra.errors import ConfigError

NOISE = fixed_noise(8, 64)
SPEAKER = torch.nn.functional.normalize(torch.randn(1, 6), dim=-1)
TOKENS = torch.randint(0, 20, (1, 19), generator=torch.Generator().manual_seed(1))


def decoder_of(config: DecoderConfig) -> Decoder:
    torch.manual_seed(0)
    return Decoder(config).eval().requires_grad_(False)


def test_without_flow_the_noise_is_not_used() -> None:
    decoder = decoder_of(NANO)
    assert torch.equal(decoder(TOKENS, SPEAKER), decoder(TOKENS, SPEAKER, None, NOISE))


def test_offset_and_scale_are_applied_once() -> None:
    decoder = decoder_of(NANO)
    plain = decoder_of(replace(NANO, mel_offset=0.0, mel_scale=1.0))
    wanted = plain(TOKENS, SPEAKER) * 2 - 5
    torch.testing.assert_close(decoder(TOKENS, SPEAKER), wanted)


def test_a_config_is_rebuilt_from_its_values() -> None:
    assert from_dict(DecoderConfig, asdict(NANO), "a file") == NANO
    assert from_dict(DecoderConfig, asdict(FLOW), "a file") == FLOW


def test_flow_without_noise_or_with_too_little_is_refused() -> None:
    decoder = decoder_of(FLOW)
    with pytest.raises(ConfigError, match="starts in noise; give it some for every mel frame"):
        decoder(TOKENS, SPEAKER)
    with pytest.raises(ConfigError, match="38 mel frames are more than the 10 of the noise"):
        decoder(TOKENS, SPEAKER, noise=NOISE[..., :10])


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="steps=2 needs a velocity network"):
        replace(NANO, steps=2)
    with pytest.raises(ConfigError, match="hears a speaker vector of 6"):
        replace(NANO, speaker_dim=7)
