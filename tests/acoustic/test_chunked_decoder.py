"""A decoder's chunks that go on from states: equal to one chunked pass; a prompt is read once."""

from dataclasses import replace
from threading import Lock

import numpy as np
import pytest
import reference3
import torch
import toy_flow
from reference import fixed_noise
from toy_decoder import FLOW, NANO

from mamtra.acoustic import chunk_borders
from mamtra.acoustic.chunked_decoder import decode_chunks, new_state
from mamtra.acoustic.decoder import Decoder, Prompt
from mamtra.acoustic.decoder_config import DecoderConfig
from mamtra.errors import ConfigError
from mamtra.runtime.decoder_stream import DecoderStream
from mamtra.runtime.exclusive import ExclusiveChunkDecoder
from mamtra.runtime.protocols import ChunkDecoder, EncodedPrompt
from mamtra.runtime.torch.acoustics import TorchDecoder


@pytest.fixture
def even_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first chunk with new speech is as long as the others, as in one chunked pass."""
    monkeypatch.setattr(chunk_borders, "FIRST_THIRDS", 3)


ALL = 10_000  # frames of context that no utterance here reaches
DECODERS = {"cosyvoice2": toy_flow.decoder, "cosyvoice3": reference3.decoder}
RANDOM = np.random.default_rng(1)


def case_of(name: str, steps: int, prompt: int, new: int):
    """A reference decoder with few steps, its prompt and tokens."""
    original = DECODERS[name]()
    decoder = Decoder(replace(original.config, steps=steps)).eval().requires_grad_(False)
    decoder.load_state_dict(original.state_dict())
    config = decoder.config
    ids = torch.from_numpy(RANDOM.integers(0, config.encoder.vocabulary, prompt + new))
    speaker = torch.from_numpy(RANDOM.standard_normal((1, config.speaker_dim), np.float32))
    mel = torch.from_numpy(RANDOM.standard_normal((1, config.bins, 2 * prompt), np.float32))
    before = Prompt(tokens=ids[None, :prompt], mel=mel) if prompt else None
    return decoder, before, ids[None, prompt:], speaker, fixed_noise(config.bins, 600)


@pytest.mark.parametrize("prompt", [0, 3, 28, 40, 60])
@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.usefixtures("even_chunks")
def test_chunks_that_go_on_equal_one_chunked_pass(name, prompt) -> None:
    decoder, before, tokens, speaker, noise = case_of(name, 2, prompt, 70)
    state = new_state(decoder, speaker, before, noise)
    assert state.frames == 2 * max(0, prompt - 3)  # the lookahead would reach into new speech
    if prompt in (3, 28):  # chunks end where those of a pass over the whole do
        with torch.inference_mode():
            whole = decoder(tokens, speaker, before, noise, chunked=True)
    else:
        whole = decode_chunks(decoder, tokens, state.copy(), final=True)
    pieces = [
        decode_chunks(decoder, tokens[:, :count], state, final=False) for count in (10, 31, 53)
    ]
    pieces.append(decode_chunks(decoder, tokens, state, final=True))
    torch.testing.assert_close(torch.cat(pieces, -1), whole, atol=1e-4, rtol=1e-4)
    assert state.frames == 2 * (prompt + 70)


@pytest.mark.parametrize("name", DECODERS)
def test_a_bounded_context_holds_no_more_and_a_longer_one_moves_the_mel_less(name) -> None:
    decoder, before, tokens, speaker, noise = case_of(name, 2, 28, 120)
    mels, sizes = [], []
    for context in (None, 50, 150):
        state = new_state(decoder, speaker, before, noise, context)
        found = [decode_chunks(decoder, tokens[:, :60], state, final=False)]
        sizes.append([state.nbytes])
        found.append(decode_chunks(decoder, tokens, state, final=True))
        sizes[-1].append(state.nbytes)
        mels.append(torch.cat(found, -1))
    (early, late), (bounded, still), _ = sizes
    assert bounded < early < late
    assert still == bounded
    # random weights look everywhere alike; what trained ones miss is not known
    short, longer = (reference3.relative(mel, mels[0]) for mel in mels[1:])
    assert longer < short / 2
    assert short < 0.2
    torch.testing.assert_close(mels[1][..., :28], mels[0][..., :28], atol=1e-4, rtol=1e-4)


def voice_of(prompt: int) -> EncodedPrompt:
    tokens = RANDOM.integers(0, 20, prompt)
    mel = RANDOM.standard_normal((8, 2 * prompt)).astype(np.float32)
    return EncodedPrompt(
        tokens=tokens, mel=mel, speaker=RANDOM.standard_normal(6).astype(np.float32)
    )


def torch_decoder(config: DecoderConfig, context: int) -> TorchDecoder:
    torch.manual_seed(0)
    return TorchDecoder(Decoder(config).eval().requires_grad_(False), context)


@pytest.mark.parametrize("step", [1, 3, 19])
@pytest.mark.usefixtures("even_chunks")
def test_a_stream_with_states_equals_the_whole(step: int) -> None:
    decoder, voice = torch_decoder(FLOW, ALL // 8 * 8), voice_of(11)
    noise, tokens = fixed_noise(8, 64)[0].numpy(), RANDOM.integers(0, 20, 19).tolist()
    whole = decoder.decode(tokens, voice, noise, chunked=True)
    stream = DecoderStream(voice=voice, noise=noise)
    pieces = [stream.push(decoder, tokens[at : at + step]) for at in range(0, 19, step)]
    pieces.append(stream.push(decoder, [], final=True))
    np.testing.assert_allclose(np.concatenate(pieces, -1), whole, rtol=1e-4, atol=1e-4)
    assert stream.state.frames == 2 * (11 + 19)


def test_a_voices_prompt_is_read_once() -> None:
    decoder, voice = torch_decoder(FLOW, ALL // 8 * 8), voice_of(12)
    noise, seen = fixed_noise(8, 64)[0].numpy(), []
    assert decoder.model.velocity is not None
    decoder.model.velocity.register_forward_pre_hook(lambda _, given: seen.append(len(given)))
    first = [DecoderStream(voice=voice, noise=noise) for _ in range(2)]
    mels, counts = [], []
    for stream in first:
        before = len(seen)
        mels.append(stream.push(decoder, list(range(8)), final=True))
        counts.append(len(seen) - before)
    np.testing.assert_array_equal(*mels)
    assert counts[0] - counts[1] == FLOW.steps * 3  # the prompt's three chunks
    other = DecoderStream(voice=voice_of(12), noise=noise)
    assert not np.array_equal(other.push(decoder, list(range(8)), final=True), mels[0])


def test_without_a_flow_or_a_context_each_group_begins_again() -> None:
    noise = fixed_noise(8, 64)[0].numpy()
    assert torch_decoder(FLOW, 0).new_state(voice_of(4), noise) is None
    assert torch_decoder(NANO, 8).new_state(voice_of(4), None) is None
    decoder = torch_decoder(FLOW, 8)
    safe = ExclusiveChunkDecoder(decoder, Lock())
    assert isinstance(safe, ChunkDecoder)
    assert safe.sizes == decoder.sizes
    stream = DecoderStream(voice=voice_of(4), noise=noise)
    assert stream.push(safe, list(range(9)), final=True).shape == (8, 18)


def test_what_cannot_be_remembered_is_refused() -> None:
    speaker, noise = torch.zeros(1, 6), fixed_noise(8, 20)
    with pytest.raises(ConfigError, match="no flow"):
        new_state(torch_decoder(NANO, 0).model, speaker, None, noise)
    model = torch_decoder(FLOW, 0).model
    with pytest.raises(ConfigError, match="no whole number of chunks of 8"):
        new_state(model, speaker, None, noise, 12)
    state = new_state(model, speaker, None, noise)
    with pytest.raises(ConfigError, match="30 mel frames are more than the 20"):
        decode_chunks(model, torch.zeros(1, 15, dtype=torch.long), state, final=True)
