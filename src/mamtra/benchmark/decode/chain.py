"""How long the whole chain takes from text ids to samples, stage by stage, with random weights."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mamtra.acoustic.decoder import Decoder
from mamtra.acoustic.flow_matching import fixed_noise
from mamtra.acoustic.vocoder import Vocoder
from mamtra.benchmark.decode.timing import Speaker, prompt_of, timed
from mamtra.benchmark.memory import wait_for
from mamtra.benchmark.random_weights import with_random_weights
from mamtra.errors import ConfigError
from mamtra.sizing.sizes import TOKENS_PER_SECOND, ModelSizes


@dataclass(frozen=True, slots=True, eq=False)
class Acoustics:
    """Decoder and vocoder in float32, with random weights."""

    decoder: Decoder
    vocoder: Vocoder

    @classmethod
    def of(cls, sizes: ModelSizes, device: torch.device) -> "Acoustics":
        """Build both.

        Raises:
            ConfigError: the model lacks one.
        """
        decoder, vocoder = sizes.decoder, sizes.vocoder
        if decoder is None or vocoder is None:
            raise ConfigError(f"the model {sizes.name!r} has no decoder or vocoder to time")
        return cls(
            with_random_weights(lambda: Decoder(decoder), device=device),
            with_random_weights(lambda: Vocoder(vocoder), device=device),
        )

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        modules = (self.decoder, self.vocoder)
        return sum(weight.nbytes for module in modules for weight in module.parameters())

    @torch.inference_mode()
    def draw(self, tokens: int, final: bool = True) -> Tensor:
        """Mel features of so many speech tokens."""
        config = self.decoder.config
        device = self.decoder.device
        ids = torch.arange(tokens, device=device)[None] % config.encoder.vocabulary
        speaker = torch.ones(1, config.speaker_dim, device=device)
        noise = fixed_noise(config.bins).to(device) if config.steps else None
        return self.decoder(ids, speaker, None, noise, chunked=not final, final=final)

    @torch.inference_mode()
    def sound(self, mel: Tensor) -> Tensor:
        """Samples of mel features."""
        return self.vocoder(mel)


def speak_once(model: Any, prompt: int, tokens: int) -> int:
    """Read a prompt and draw so many speech tokens, as a text would be spoken.

    Returns:
        Bytes of the memory at the end.
    """
    state = model.new_state(1, prompt + tokens)
    speaker = Speaker(model, state, 1)
    speaker.take(model.read([prompt_of(model, prompt)], state))
    speaker.speak(tokens - 1)
    return speaker.state.nbytes


def chain_row(
    model: Any, acoustics: Acoustics, prompt: int, seconds: float, repeats: int
) -> dict[str, Any]:
    """Real-time factor of each stage, and the time until the first samples of a stream.

    Args:
        model: the language model or its engine.
        acoustics: what follows it.
        prompt: ids that are read before speaking.
        seconds: of speech.
        repeats: how often each is timed; the median counts.
    """
    device = model.device
    tokens = max(1, round(seconds * TOKENS_PER_SECOND))
    spoken = tokens / TOKENS_PER_SECOND
    sizes = acoustics.decoder.config.encoder
    mel = acoustics.draw(tokens)
    stages = {
        "speech_lm": lambda: speak_once(model, prompt, tokens),
        "decoder": lambda: acoustics.draw(tokens),
        "vocoder": lambda: acoustics.sound(mel),
    }

    def first() -> None:
        """The first chunk, and the tokens that it looks ahead to."""
        heard = sizes.chunk_tokens + sizes.lookahead_tokens
        speak_once(model, prompt, heard)
        acoustics.sound(acoustics.draw(heard, final=False))

    speak_once(model, prompt, 2)
    wait_for(device)
    factors = {name: timed(work, device, repeats) for name, work in stages.items()}
    return {
        "seconds_of_speech": spoken,
        "prompt_tokens": prompt,
        "real_time_factor": {name: timing.median / spoken for name, timing in factors.items()},
        "first_audio_seconds": timed(first, device, repeats).median,
    }
