"""Chatterbox's ``s3gen.safetensors``: CosyVoice 2's flow and vocoder under prefixes, which behave
otherwise in places that no shape tells.

The flow sees the whole utterance at once and starts in noise of its own each time. That of Turbo
(``s3gen_meanflow.safetensors``) has one weight more and makes two equal steps without guidance. The
excitation is older (phases counted at every sample), and every utterance begins with 20 ms of
silence and fades in over the next 20 ms.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from torch import Tensor

from mamtra.acoustic.decoder import Decoder, DecoderConfig
from mamtra.acoustic.decoder_config import NOISE_FRAMES
from mamtra.acoustic.velocity import VelocityConfig
from mamtra.acoustic.vocoder import Vocoder
from mamtra.checkpoints.check_state_dict import built_around
from mamtra.errors import CheckpointError, listed
from mamtra.interop.cosyvoice_flow import FROM_FLOW, HEAD_DIM, config_from_flow
from mamtra.interop.cosyvoice_vocoder import vocoder_from_cosyvoice
from mamtra.interop.names import rename_all

FLOW, VOCODER = "flow.", "mel2wav."
LISTENING = ("speaker_encoder.", "tokenizer.")  # networks that make voices; not taken over
TIME_MIXER = "decoder.estimator.time_embed_mixer.weight"
FROM_S3GEN = FROM_FLOW | {TIME_MIXER: "velocity.time_mixer.weight"}
MEAN_FLOW_STEPS = 2  # s3gen.py: n_cfm_timesteps of a mean flow
WHAT, ADVICE = "Chatterbox's flow", "give s3gen.safetensors or s3gen_meanflow.safetensors"
OPENING_FRAMES = 1  # s3gen.py: trim_fade is 20 ms of silence, then 20 ms of a cosine


def left_out(names: Iterable[str]) -> Counter[str]:
    """How many entries of each network are left out.

    Raises:
        CheckpointError: an entry belongs to none that is known; all such are listed.
    """
    known, found = (FLOW, VOCODER, *LISTENING), Counter[str]()
    unknown = []
    for name in names:
        prefix = next((one for one in known if name.startswith(one)), None)
        if prefix is None:
            unknown.append(name)
        elif prefix in LISTENING:
            found[prefix] += 1
    if unknown:
        raise CheckpointError(
            f"{len(unknown)} entries are not part of Chatterbox's S3Gen: {listed(unknown)}; "
            f"{ADVICE}"
        )
    return found


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of one network, without its prefix."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def config_from_s3gen(tensors: Mapping[str, Tensor], head_dim: int = HEAD_DIM) -> DecoderConfig:
    """Sizes and behaviour of the decoder.

    A chunk is as long as the longest utterance: the original never cuts, so attention sees all, and
    a stream of it waits for all tokens of a piece.

    Args:
        tensors: entries of the flow, without their prefix.
        head_dim: width of an attention head of the velocity network, which no shape shows.

    Raises:
        CheckpointError: an entry that tells a size is missing.
    """
    config = config_from_flow(tensors, head_dim, WHAT, ADVICE)
    assert isinstance(config.velocity, VelocityConfig)
    mean_flow = TIME_MIXER in tensors
    chunk = NOISE_FRAMES // config.encoder.frames_per_token
    config = replace(
        config,
        encoder=replace(config.encoder, chunk_tokens=chunk),
        velocity=replace(config.velocity, chunk_frames=NOISE_FRAMES, mean_flow=mean_flow),
        fresh_noise=True,
    )
    return replace(config, steps=MEAN_FLOW_STEPS, guidance=0.0) if mean_flow else config


def decoder_from_chatterbox(tensors: Mapping[str, Tensor], head_dim: int = HEAD_DIM) -> Decoder:
    """Build the decoder around an s3gen file's entries, without copying them.

    Raises:
        CheckpointError: an entry is unknown, missing or of another shape; all such are listed.
    """
    flow = under(FLOW, tensors)
    ours = rename_all(flow, FROM_S3GEN, WHAT, ADVICE)
    config = config_from_s3gen(flow, head_dim)
    return built_around(lambda: Decoder(config), ours)


def vocoder_from_chatterbox(tensors: Mapping[str, Tensor]) -> Vocoder:
    """Build the vocoder from an s3gen file's entries.

    Raises:
        CheckpointError: a tensor is unknown, missing or of another shape; all such are listed.
    """
    return vocoder_from_cosyvoice(
        under(VOCODER, tensors), sampled_phases=True, opening_frames=OPENING_FRAMES
    )
