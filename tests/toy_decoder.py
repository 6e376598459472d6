"""Sizes of a toy decoder: as nano has it, and with flow matching."""

from dataclasses import replace

from mamtra.acoustic.decoder_config import DecoderConfig, TokenEncoderConfig, VelocityConfig

ENCODER = TokenEncoderConfig(
    vocabulary=20,
    dim=16,
    heads=2,
    mlp_dim=24,
    mlp_taps=3,
    lower_layers=1,
    upper_layers=1,
    chunk_tokens=4,
    speaker_dim=6,
)
NANO = DecoderConfig(
    encoder=ENCODER,
    velocity=None,
    bins=8,
    speaker_dim=6,
    steps=0,
    mel_offset=-5.0,
    mel_scale=2.0,
)
FLOW = replace(
    NANO,
    velocity=VelocityConfig(
        bins=8, speaker_bins=4, dim=12, heads=2, head_dim=6, blocks=1, middle=1, chunk_frames=8
    ),
    steps=2,
)
