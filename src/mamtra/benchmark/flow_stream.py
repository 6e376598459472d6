"""What a stream through a decoder with a flow costs: each chunk from the first token, or going on
from states that remember some seconds.

Weights are random: cost does not depend on them; errors do, since random attention looks everywhere
alike where a trained one may look near.
"""

import time
from typing import Any

import numpy as np
import torch

from mamtra.acoustic.decoder import Decoder
from mamtra.benchmark.decode.chain import spoken_voice
from mamtra.benchmark.random_weights import with_random_weights
from mamtra.errors import ConfigError
from mamtra.runtime.decoder_stream import DecoderStream
from mamtra.runtime.torch.acoustics import TorchDecoder
from mamtra.sizing.sizes import TOKENS_PER_SECOND, model_sizes
from mamtra.synthesis.acoustics import flow_noise


def spoken(
    decoder: TorchDecoder, seconds: float, prompt_seconds: float, dtype: str
) -> tuple[np.ndarray, dict[str, Any]]:
    """The mel features of one utterance as a stream, and what it took.

    ``prompt`` is what is done once for a voice, ``first_chunk`` what follows before the first mel.
    """
    sizes = decoder.sizes
    voice, noise = spoken_voice(sizes, prompt_seconds), flow_noise(sizes)
    count = max(1, round(seconds * TOKENS_PER_SECOND))
    tokens = [number * 5 % sizes.codes for number in range(count)]
    clock = [time.process_time()]
    began = time.perf_counter()
    decoder.new_state(voice, noise)
    clock.append(time.process_time())
    stream, made = DecoderStream(voice=voice, noise=noise), list[np.ndarray]()
    stream.tokens.extend(tokens)
    while (group := stream.next_group(decoder, final=True)) is not None:
        made.append(group)
        clock.append(time.process_time())
    prompt, first, *_ = np.diff(clock)
    took = time.perf_counter() - began
    state = 0 if stream.state is None else stream.state.nbytes
    return np.concatenate(made, 1), {
        "dtype": dtype,
        "seconds": took,
        "cpu_seconds": clock[-1] - clock[0],
        "cpu_seconds_of_prompt": float(prompt),
        "cpu_seconds_of_first_chunk": float(first),
        "cpu_seconds_per_second_of_speech": (clock[-1] - clock[1]) * TOKENS_PER_SECOND / count,
        "state_bytes": state,
    }


def measure(
    model: str, seconds: float, prompt_seconds: float, threads: int, context: int, seed: int
) -> dict[str, dict[str, Any]]:
    """From the first token each time, and with a context of so many seconds.

    Raises:
        ConfigError: the model has no flow.
    """
    torch.set_num_threads(threads)
    config = model_sizes(model).decoder
    if config is None or config.velocity is None:
        raise ConfigError(f"the model {model!r} has no decoder with a flow; take cosyvoice2")
    module = with_random_weights(lambda: Decoder(config), seed=seed)
    chunk, results = config.velocity.chunk_frames, dict[str, dict[str, Any]]()
    frames = context * TOKENS_PER_SECOND * config.encoder.frames_per_token
    exact: np.ndarray | None = None
    for name, held in (
        ("from the first token", 0),
        (f"context of {context} s", -(-frames // chunk) * chunk),
    ):
        decoder = TorchDecoder(module, held)
        mel, row = spoken(decoder, seconds, prompt_seconds, "float32")
        exact = mel if exact is None else exact
        error = float(np.linalg.norm(mel - exact) / np.linalg.norm(exact))
        results[name] = row | {"relative_error": error}
    return results
