"""A whole model folder of a few thousand random weights: says noise, but through the real chain."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from mamtra.acoustic.decoder import Decoder, DecoderConfig
from mamtra.acoustic.speaker import SpeakerConfig, SpeakerEncoder
from mamtra.acoustic.speech_tokenizer import SpeechTokenizer, SpeechTokenizerConfig
from mamtra.acoustic.token_encoder import TokenEncoderConfig
from mamtra.acoustic.vocoder import Vocoder, VocoderConfig
from mamtra.audio.clip import Audio
from mamtra.audio.log_mel import MelConfig
from mamtra.backbone import BackboneConfig
from mamtra.checkpoints.format import ModelConfig, ModelFolder, write_config
from mamtra.checkpoints.modules import save_part
from mamtra.generation.guard import GuardConfig
from mamtra.speech_lm import SpeechLM, SpeechLMConfig
from mamtra.synthesis.text_reader import TextConfig
from mamtra.text.tokenizer import NanoTokenizer
from mamtra.voice.load import open_voice_encoder
from mamtra.voice.voice import make_voice

CODES = 27
MEL = MelConfig(rate_hz=16_000, n_fft=1024, window=1024, hop=320)
SPEECH_LM = SpeechLMConfig(
    backbone=BackboneConfig(dim=16, layout="AM", query_heads=2, kv_heads=1, head_dim=8, mlp_dim=24),
    text_vocabulary=NanoTokenizer().size,
    speech_vocabulary=CODES,
)
DECODER = DecoderConfig(
    encoder=TokenEncoderConfig(
        vocabulary=CODES, dim=16, heads=2, mlp_dim=24, lower_layers=1, upper_layers=1, speaker_dim=8
    ),
    velocity=None,
    speaker_dim=8,
    steps=0,
    mel_offset=-6.0,
)
VOCODER = VocoderConfig(
    rate_hz=16_000,
    channels=16,
    upsample_rates=(5,),
    upsample_kernels=(11,),
    source_kernels=(3,),
    block_kernels=(3,),
    dilations=(1,),
    n_fft=256,
    hop=64,
    overtones=0,
    voiced_above_hz=50.0,
    pitch_channels=8,
    pitch_scale_hz=100.0,
    mel_mean=-5.0,
    mel_scale=0.4,
    head="filter",
)
GUARD = GuardConfig(min_per_text_token=1.0, max_per_text_token=1.5, spare_tokens=2, attempts=1)
EAGER_TO_END = 40.0  # logits: speech ends by itself as soon as it may


def recording(pitch_hz: float, seconds: float = 0.8) -> Audio:
    """A buzz that stands for a speaker."""
    time = np.arange(round(seconds * MEL.rate_hz), dtype=np.float32) / MEL.rate_hz
    harmonics = [np.sin(2 * np.pi * pitch_hz * k * time) / k for k in range(1, 6)]
    return Audio(samples=np.float32(0.2) * sum(harmonics), rate_hz=MEL.rate_hz)


def write_tiny_model(folder: Path) -> Path:
    """Write the folder, with two voices, one of them the default."""
    torch.manual_seed(0)
    tokenizer_config = SpeechTokenizerConfig(dim=16, digits=3, blocks=1)
    speaker_config = SpeakerConfig(dim=8, layers=1, width=8)
    config = ModelConfig(
        name="tiny",
        voice="low",
        text=asdict(TextConfig()),
        mel=asdict(MEL),
        speech_lm=asdict(SPEECH_LM),
        speech_tokenizer=asdict(tokenizer_config),
        speaker=asdict(speaker_config),
        decoder=asdict(DECODER),
        vocoder=asdict(VOCODER),
        guard=asdict(GUARD),
    )
    write_config(folder, config)
    parts = {
        "speech_lm": SpeechLM(SPEECH_LM),
        "speech_tokenizer": SpeechTokenizer(tokenizer_config),
        "speaker": SpeakerEncoder(speaker_config),
        "decoder": Decoder(DECODER),
        "vocoder": Vocoder(VOCODER),
    }
    with torch.no_grad():
        parts["speech_lm"].head.bias[SPEECH_LM.vocabulary.end] = EAGER_TO_END
    for name, module in parts.items():
        save_part(module, folder / f"{name}.safetensors")
    encoder = open_voice_encoder(ModelFolder(folder))
    for name, pitch_hz in (("high", 220.0), ("low", 110.0)):
        voice = make_voice(encoder, recording(pitch_hz), name, source="a buzz", licence="CC0-1.0")
        voice.save(folder / "voices" / f"{name}.safetensors")
    return folder
