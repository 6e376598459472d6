"""What each graph notes of itself, so that the runtime need not read a config."""

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from mamtra.acoustic.decoder import DecoderConfig
from mamtra.acoustic.vocoder import VocoderConfig
from mamtra.acoustic.vocoder_stream import ahead_frames, exact_frames
from mamtra.speech_lm import SpeechLMConfig
from mamtra.speech_lm.reading import ReadingConfig


def notes_for(part: str, **sizes: Any) -> dict[str, str]:
    """The texts that a graph carries."""
    return {"part": part, "sizes": json.dumps(sizes, sort_keys=True)}


def sizes_of_decoder(config: DecoderConfig) -> dict[str, Any]:
    """What the runtime has to know of a decoder."""
    encoder = config.encoder
    found = {
        "codes": encoder.vocabulary,
        "speaker_dim": config.speaker_dim,
        "bins": config.bins,
        "frames_per_token": encoder.frames_per_token,
        "chunk_tokens": encoder.chunk_tokens,
        "lookahead_tokens": encoder.lookahead_tokens,
        "steps": config.steps,
        "guidance": config.guidance,
        "mel_offset": config.mel_offset,
        "mel_scale": config.mel_scale,
    }
    if config.fresh_noise:
        found["fresh_noise"] = True
    velocity = config.velocity
    return found | ({"chunk_frames": velocity.chunk_frames} if velocity else {})


def sizes_of_speech_lm(
    config: SpeechLMConfig, bits: int, reading: ReadingConfig | None = None
) -> dict[str, Any]:
    """What the runtime has to know of a speech language model."""
    backbone = config.backbone
    sizes: dict[str, Any] = {
        "speech_vocabulary": config.speech_vocabulary,
        "marks": asdict(config.vocabulary),
        "text_vocabulary": config.text_vocabulary,
        "rope_theta": backbone.rope_theta,
        "bits": bits,
    }
    if backbone.rope_scaling is not None:
        half = np.arange(0, backbone.head_dim, 2, dtype=np.float32) / np.float32(backbone.head_dim)
        own = torch.from_numpy(np.float32(1) / np.float32(backbone.rope_theta) ** half)
        sizes["frequencies"] = backbone.rope_scaling.scaled(own).tolist()
    if config.conditioning is not None:
        sizes["conditioning"] = asdict(config.conditioning)
    if reading is not None:
        reading.check(backbone.layout, backbone.query_heads)
        sizes["reading"] = [reading.layer, reading.head]
        sizes["queries_for_a_key"] = backbone.query_heads // backbone.kv_heads
    return sizes


def sizes_of_vocoder(config: VocoderConfig) -> dict[str, Any]:
    """What the runtime has to know of a vocoder."""
    found: dict[str, Any] = {
        "rate_hz": config.rate_hz,
        "bins": config.bins,
        "hop": config.mel_hop,
        "noises": config.noises,
        "exact_frames": exact_frames(config),
        "ahead_frames": ahead_frames(config),
        "uniform_noise": config.causal,
    }
    if config.sampled_phases:
        found["sampled_phases"] = True
    if config.opening_frames:
        found["opening_frames"] = config.opening_frames
    return found
