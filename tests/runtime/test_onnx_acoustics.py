"""Graphs of decoder, vocoder and voice encoder against the modules they were exported from."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

pytest.importorskip("onnx")
import reference3
import tiny_model
from onnx_toys import open_decoder, open_vocoder
from reference import fixed_noise
from reference_chatterbox import s3gen_entries
from toy_flow import TOY_HEAD_DIM
from toy_flow import decoder as toy_flow_decoder
from toy_vocoder import toy_vocoder

from mamtra.acoustic.decoder import Decoder, DecoderConfig, Prompt
from mamtra.acoustic.vocoder import Vocoder, VocoderConfig
from mamtra.errors import ConfigError
from mamtra.interop.chatterbox_acoustics import decoder_from_chatterbox, vocoder_from_chatterbox
from mamtra.runtime.decoder_stream import DecoderStream, decode_whole
from mamtra.runtime.onnx.bfloat16 import Bfloat16Session, missing_for_bfloat16
from mamtra.runtime.onnx.decoder import OnnxDecoder
from mamtra.runtime.onnx.flow import Flow
from mamtra.runtime.onnx.vocoder import OnnxVocoder
from mamtra.runtime.protocols import ChunkDecoder, EncodedPrompt
from mamtra.runtime.protocols import Decoder as DecoderProtocol
from mamtra.runtime.protocols import Vocoder as VocoderProtocol
from mamtra.runtime.sizes import DecoderSizes, VocoderSizes
from mamtra.runtime.torch.acoustics import TorchDecoder, TorchVocoder
from mamtra.synthesis.acoustics import flow_noise

FLOWS = {"cosyvoice2": toy_flow_decoder, "cosyvoice3": reference3.decoder}
CHATTERBOX = ["cfm", "cfm_meanflow"]  # the published flow, and Turbo's
BFLOAT16_SHARE = 0.01  # of mel features
WAYS = [(False, True), (True, True), (True, False)]


def chatterbox_decoder(case: str) -> Decoder:
    entries = s3gen_entries(case == "cfm_meanflow")
    return decoder_from_chatterbox(entries, TOY_HEAD_DIM).eval()


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def voice_for(config: DecoderConfig, tokens: int) -> EncodedPrompt:
    ids = np.arange(tokens) % config.encoder.vocabulary
    mel = drawn(config.bins, 2 * tokens)
    return EncodedPrompt(tokens=ids, mel=mel, speaker=drawn(config.speaker_dim, seed=1))


@pytest.fixture
def nano_decoder() -> Decoder:
    torch.manual_seed(0)
    return Decoder(tiny_model.DECODER).eval().requires_grad_(False)


def test_nothing_to_say_is_no_frame_and_no_sample_in_either_engine(nano_decoder, tmp_path):
    voice, sizes = voice_for(nano_decoder.config, 0), DecoderSizes.of(nano_decoder.config)
    for decoder in (open_decoder(nano_decoder, tmp_path), TorchDecoder(nano_decoder)):
        assert decoder.decode([], voice, None).shape == (sizes.bins, 0)
        few = [1] * sizes.lookahead_tokens
        assert decoder.decode(few, voice, None, final=False).shape == (sizes.bins, 0)
        assert decoder.decode(few, voice, None).shape[1] == 2 * len(few)
    module = toy_vocoder().eval()
    for vocoder in (open_vocoder(module, tmp_path), TorchVocoder(module)):
        mel, noise = (np.zeros((rows, 0), np.float32) for rows in (80, vocoder.sizes.noises))
        assert vocoder.speak(mel, noise).shape == (0,)


@pytest.mark.parametrize(("chunked", "final"), WAYS)
def test_a_deterministic_decoder_gives_the_modules_features(nano_decoder, tmp_path, chunked, final):
    decoder = open_decoder(nano_decoder, tmp_path)
    assert isinstance(decoder, DecoderProtocol)
    tokens = [(7 * index) % 27 for index in range(61)]
    voice = voice_for(nano_decoder.config, 4)
    got = decoder.decode(tokens, voice, None, chunked=chunked, final=final)
    expected = nano_decoder(
        torch.tensor([tokens]), torch.tensor(voice.speaker)[None], chunked=chunked, final=final
    )[0]
    np.testing.assert_allclose(got, expected.numpy(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("chunked", "final"), WAYS)
@pytest.mark.parametrize("prompt", [0, 9])
def test_a_flow_gives_the_modules_features(tmp_path, chunked, final, prompt):
    module = toy_flow_decoder().eval()
    decoder = open_decoder(module, tmp_path)
    voice, noise = voice_for(module.config, prompt), fixed_noise(module.config.bins)
    tokens = [(5 * index) % 20 for index in range(33)]
    got = decoder.decode(tokens, voice, noise[0].numpy(), chunked=chunked, final=final)
    said = Prompt(tokens=torch.tensor(voice.tokens)[None], mel=torch.tensor(voice.mel)[None])
    with torch.inference_mode():
        expected = module(
            torch.tensor([tokens]),
            torch.tensor(voice.speaker)[None],
            said if prompt else None,
            noise,
            chunked=chunked,
            final=final,
        )[0]
    np.testing.assert_allclose(got, expected.numpy(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("prompt", [0, 28])
@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("context", [2, 10])
def test_a_flow_that_goes_on_gives_the_modules_features(tmp_path, flow, context, prompt):
    module = FLOWS[flow]().eval()
    decoder = open_decoder(module, tmp_path, context)
    modules = TorchDecoder(module, decoder.context)
    assert isinstance(decoder, ChunkDecoder)
    assert decoder.sizes == modules.sizes
    voice, noise = voice_for(module.config, prompt), fixed_noise(module.config.bins)[0].numpy()
    tokens = [(5 * index) % 20 for index in range(120)]
    made, sizes = [], []
    for way in (decoder, modules, decoder):
        stream = DecoderStream(voice=voice, noise=noise)
        pieces = [stream.push(way, tokens[start : start + 9]) for start in range(0, 120, 9)]
        first = next(piece.shape[1] for piece in pieces if piece.shape[1])
        assert first == 2 * (14 if prompt else 17)  # the prompt's last tokens take three of it
        made.append(np.concatenate([*pieces, stream.push(way, [], final=True)], 1))
        sizes.append(stream.state.nbytes)
    np.testing.assert_allclose(made[0], made[1], atol=1e-4, rtol=1e-4)
    np.testing.assert_array_equal(made[0], made[2])
    assert sizes[0] == sizes[1] == sizes[2]


@pytest.mark.parametrize("case", CHATTERBOX)
@pytest.mark.parametrize("prompt", [0, 9])
def test_chatterbox_flow_gives_the_modules_features_whole_and_streamed(tmp_path, case, prompt):
    module = chatterbox_decoder(case)
    decoder, modules = open_decoder(module, tmp_path), TorchDecoder(module)
    voice, tokens = voice_for(module.config, prompt), [(5 * index) % 200 for index in range(33)]
    noise = flow_noise(decoder.sizes, seed=3)
    for chunked, final in WAYS:
        got, expected = (
            each.decode(tokens, voice, noise, chunked=chunked, final=final)
            for each in (decoder, modules)
        )
        np.testing.assert_allclose(got, expected, atol=1e-4, rtol=1e-4)
    stream = DecoderStream(voice=voice, noise=noise)
    assert stream.push(decoder, tokens[:30]).shape == (80, 0)
    streamed = stream.push(decoder, tokens[30:], final=True)
    np.testing.assert_allclose(streamed, decoder.decode(tokens, voice, noise), atol=1e-4)


@pytest.mark.skipif(missing_for_bfloat16() is not None, reason=f"{missing_for_bfloat16()}")
@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("flow", [*FLOWS, *CHATTERBOX])
def test_a_flow_stays_near_in_bfloat16(tmp_path, flow, context):
    module = (FLOWS[flow]() if flow in FLOWS else chatterbox_decoder(flow)).eval()
    exact = open_decoder(module, tmp_path, context)
    path = tmp_path / "decoder.onnx"
    rounded = OnnxDecoder(path, flow_dtype="bfloat16", flow_context=context)
    voice, tokens = voice_for(module.config, 28), [(5 * index) % 20 for index in range(73)]
    noise = flow_noise(exact.sizes, seed=3)
    expected, got = (decode_whole(each, tokens, voice, noise) for each in (exact, rounded))
    assert_sounds_alike(got, expected, BFLOAT16_SHARE)


@pytest.mark.skipif(missing_for_bfloat16() is not None, reason=f"{missing_for_bfloat16()}")
def test_runs_side_by_side_in_bfloat16_have_times_of_their_own(tmp_path):
    open_decoder(toy_flow_decoder().eval(), tmp_path)
    session = Bfloat16Session(tmp_path / "velocity.onnx", threads=2, runs=2)
    same = {name: drawn(80, 20) for name in ("point", "mean", "given")}
    same |= {"speaker": drawn(192), "told": np.float32(1), "chunk": np.int64(2**29)}

    def velocity(time: float) -> np.ndarray:
        return session.run(["velocity"], {**same, "time": np.array(time, np.float32)})[0]

    times = [0.1, 0.9]
    expected = [velocity(time) for time in times]
    with ThreadPoolExecutor(2) as threads:
        for number, made in enumerate(threads.map(velocity, times * 300)):
            assert np.array_equal(made, expected[number % 2])


@pytest.mark.parametrize("case", CHATTERBOX)
@pytest.mark.parametrize("prompt", [0, 28])
def test_chatterbox_flow_reads_a_prompt_once_as_the_modules_do(tmp_path, case, prompt):
    module = chatterbox_decoder(case)
    decoder = open_decoder(module, tmp_path, flow_context=2)
    modules = TorchDecoder(module, decoder.context)
    voice, tokens = voice_for(module.config, prompt), [(5 * index) % 200 for index in range(61)]
    noise, made = flow_noise(decoder.sizes, seed=3), []
    for way in (decoder, modules, decoder):
        stream = DecoderStream(voice=voice, noise=noise)
        pieces = [stream.push(way, tokens[start : start + 9]) for start in range(0, 61, 9)]
        made.append(np.concatenate([*pieces, stream.push(way, [], final=True)], 1))
        made.append(decode_whole(way, tokens, voice, noise))
    assert made[0].shape == (80, 122)
    for other in made[1:]:
        np.testing.assert_allclose(made[0], other, atol=1e-4, rtol=1e-4)


def test_a_flow_asks_for_noise(tmp_path):
    module = toy_flow_decoder().eval()
    decoder, voice = open_decoder(module, tmp_path), voice_for(module.config, 0)
    with pytest.raises(ConfigError, match="starts in noise"):
        decoder.decode([1, 2, 3], voice, None)
    with pytest.raises(ConfigError, match="split the text"):
        decoder.decode([1, 2, 3], voice, drawn(module.config.bins, 5))


def small(head: str) -> Vocoder:
    torch.manual_seed(0)
    if head == "filter":
        return Vocoder(tiny_model.VOCODER).eval().requires_grad_(False)
    if head == "sampled":
        return vocoder_from_chatterbox(s3gen_entries()).eval().requires_grad_(False)
    return toy_vocoder().eval().requires_grad_(False)


def assert_sounds_alike(got: np.ndarray, expected: np.ndarray, share: float) -> None:
    assert got.shape == expected.shape
    assert np.linalg.norm(got - expected) < share * np.linalg.norm(expected)


# A last bit of pitch, counted up over a second or two and times nine harmonics, is that much of
# the sound; with the pitch given, what is left is rounding.
PITCH_SHARE = {"filter": 1e-3, "spectrum": 1e-2, "sampled": 1e-2}
GIVEN_SHARE = 1e-4


@pytest.mark.parametrize("head", PITCH_SHARE)
def test_a_vocoder_gives_the_modules_samples(head, tmp_path):
    module = small(head)
    vocoder = open_vocoder(module, tmp_path)
    assert isinstance(vocoder, VocoderProtocol)
    mel = 2 * drawn(module.config.bins, 40) - 4
    noise = drawn(module.config.noises, 40 * module.config.mel_hop, seed=2)
    with torch.inference_mode():
        pitch = module.predict_pitch(torch.tensor(mel)[None])
        whole = module(torch.tensor(mel)[None], torch.tensor(noise)[None], pitch)[0].numpy()
    made = vocoder._run(mel, noise, pitch[0].numpy()[:0], vocoder._start(noise))
    samples, found = made["samples"], made["pitch"]
    np.testing.assert_allclose(found, pitch[0].numpy(), atol=1e-3, rtol=1e-5)
    assert np.array_equal(vocoder.speak(mel, noise), vocoder._opened(samples))
    assert_sounds_alike(vocoder.speak(mel, noise), whole, PITCH_SHARE[head])
    given = vocoder._run(mel, noise, pitch[0].numpy(), vocoder._start(noise))["samples"]
    assert_sounds_alike(vocoder._opened(given), whole, GIVEN_SHARE)


def test_a_pitch_above_half_the_rate_is_breath_alone(tmp_path):
    module = small("filter")
    vocoder = open_vocoder(module, tmp_path)
    mel = 2 * drawn(module.config.bins, 20) - 4
    noise = drawn(module.config.noises, 20 * module.config.mel_hop, seed=2)
    pitch = np.full(20, module.config.rate_hz, np.float32)
    given = vocoder._run(mel, noise, pitch, vocoder._start(noise))["samples"]
    with torch.inference_mode():
        voice = module(*(torch.tensor(value)[None] for value in (mel, noise, pitch)))[0].numpy()
    assert np.abs(voice).max() > 0
    assert_sounds_alike(vocoder._opened(given), voice, GIVEN_SHARE)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_short_utterance_opens_as_the_modules(frames, tmp_path):
    module = small("sampled")
    vocoder = open_vocoder(module, tmp_path)
    mel = 2 * drawn(module.config.bins, frames) - 4
    noise = drawn(module.config.noises, frames * module.config.mel_hop, seed=2)
    with torch.inference_mode():
        whole = module(torch.tensor(mel)[None], torch.tensor(noise)[None])[0].numpy()
    np.testing.assert_allclose(vocoder.speak(mel, noise), whole, atol=1e-4)
    assert not whole[: module.config.mel_hop].any()
    state = vocoder.new_state()
    pieces = [vocoder.speak_chunk(mel[:, :1], noise[:, : module.config.mel_hop], state)]
    rest = mel[:, 1:], noise[:, module.config.mel_hop :]
    pieces.append(vocoder.speak_chunk(*rest, state, last=True))
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-4)


@pytest.mark.parametrize("head", PITCH_SHARE)
@pytest.mark.parametrize("cut", [1, 7, 25, 61])
def test_samples_in_pieces_equal_the_whole(head, cut, tmp_path):
    vocoder = open_vocoder(small(head), tmp_path)
    sizes, frames = vocoder.sizes, 120
    mel = 2 * drawn(sizes.bins, frames) - 4
    noise = drawn(sizes.noises, frames * sizes.hop, seed=2)
    state, pieces = vocoder.new_state(), []
    for start in range(0, frames, cut):
        end = min(start + cut, frames)
        part = noise[:, start * sizes.hop : end * sizes.hop]
        pieces.append(vocoder.speak_chunk(mel[:, start:end], part, state))
        assert state.mel.shape[1] < 61 + 3 * vocoder._reach
    pieces.append(vocoder.speak_chunk(mel[:, :0], noise[:, :0], state, last=True))
    assert_sounds_alike(np.concatenate(pieces), vocoder.speak(mel, noise), PITCH_SHARE[head])


def test_nothing_makes_no_sound(tmp_path, nano_decoder):
    vocoder = open_vocoder(small("filter"), tmp_path)
    nothing = drawn(80, 0), drawn(1, 0)
    assert len(vocoder.speak(*nothing)) == 0
    assert len(vocoder.speak_chunk(*nothing, vocoder.new_state(), last=True)) == 0
    decoder = open_decoder(nano_decoder, tmp_path)
    assert decoder.decode([], voice_for(nano_decoder.config, 0), None).shape == (80, 0)


def test_graphs_know_the_sizes_of_their_configs(tmp_path, nano_decoder):
    decoder = open_decoder(nano_decoder, tmp_path)
    assert decoder.sizes.chunk_tokens == DecoderConfig().encoder.chunk_tokens
    assert not decoder.sizes.flow
    vocoder: OnnxVocoder = open_vocoder(small("spectrum"), tmp_path)
    assert vocoder.sizes.hop == VocoderConfig().mel_hop
    assert vocoder.sizes.noises == 9
    assert open_vocoder(small("sampled"), tmp_path).sizes == VocoderSizes.of(
        small("sampled").config
    )
    (tmp_path / "cfm").mkdir()
    module = decoder_from_chatterbox(s3gen_entries(), TOY_HEAD_DIM)
    assert open_decoder(module, tmp_path / "cfm").sizes == DecoderSizes.of(module.config)


@pytest.mark.parametrize("prompt", [0, 28])
@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("context", [1, 2, 10])
def test_whole_speech_that_goes_on_from_a_prompt_equals_its_stream(tmp_path, flow, context, prompt):
    module = FLOWS[flow]().eval()
    decoder = open_decoder(module, tmp_path, context)
    voice, noise = voice_for(module.config, prompt), fixed_noise(module.config.bins)[0].numpy()
    tokens = [(5 * index) % 20 for index in range(173)]
    stream = DecoderStream(voice=voice, noise=noise)
    pieces = [stream.push(decoder, tokens[start : start + 9]) for start in range(0, 173, 9)]
    pieces.append(stream.push(decoder, [], final=True))
    whole = decode_whole(decoder, tokens, voice, noise)
    assert whole.shape[1] == 2 * len(tokens)
    np.testing.assert_allclose(whole, np.concatenate(pieces, 1), atol=1e-4, rtol=1e-4)


def test_whole_speech_takes_several_chunks_through_the_flow_at_once(tmp_path, monkeypatch):
    module = toy_flow_decoder().eval()
    decoder = open_decoder(module, tmp_path, flow_context=1)
    voice, noise = voice_for(module.config, 28), fixed_noise(module.config.bins)[0].numpy()
    tokens, frames = [(5 * index) % 20 for index in range(173)], list[int]()
    decode_whole(decoder, tokens, voice, noise)  # the prompt is read by now
    follow = Flow.follow

    def counted(flow, point, *rest):
        frames.append(point.shape[1])
        return follow(flow, point, *rest)

    monkeypatch.setattr(Flow, "follow", counted)
    decode_whole(decoder, tokens, voice, noise)
    assert frames == [34, 300, 18]  # the first chunk, six of 25 tokens, and the rest
