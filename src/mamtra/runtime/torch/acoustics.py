"""The torch engine's decoder and vocoder behind the protocols of ``runtime/protocols.py``."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.acoustic.decoder import Decoder, Prompt
from mamtra.acoustic.vocoder import Vocoder
from mamtra.acoustic.vocoder_stream import (
    VocoderState,
    ahead_frames,
    exact_frames,
    new_state,
    speak_chunk,
)
from mamtra.runtime.protocols import DecoderSizes, EncodedPrompt, VocoderSizes
from mamtra.runtime.torch.speech_model import as_array


class TorchDecoder:
    """The decoder's module; float32 comes in and goes out, whatever the type of its weights."""

    def __init__(self, model: Decoder) -> None:
        self.model, self.sizes = model, DecoderSizes.of(model.config)

    def as_row(self, array: np.ndarray) -> Tensor:
        """An array as a batch of one, where the weights are."""
        return torch.from_numpy(array)[None].to(self.model.device)

    @torch.inference_mode()
    def decode(
        self,
        tokens: Sequence[int],
        voice: EncodedPrompt,
        noise: Float[np.ndarray, "bins noise_frames"] | None,
        *,
        chunked: bool = False,
        final: bool = True,
    ) -> Float[np.ndarray, "bins frames"]:
        """Mel features of the tokens, without those of the voice's prompt."""
        prompt = None
        if self.sizes.flow and len(voice.tokens):
            prompt = Prompt(tokens=self.as_row(voice.tokens), mel=self.as_row(voice.mel))
        mel = self.model(
            self.as_row(np.asarray(tokens, np.int64)),
            self.as_row(voice.speaker),
            prompt,
            None if noise is None else self.as_row(noise),
            chunked=chunked,
            final=final,
        )
        return as_array(mel[0])


class TorchVocoder:
    """The vocoder's module."""

    def __init__(self, model: Vocoder) -> None:
        self.model, self.sizes = model, VocoderSizes.of(model.config)

    def as_row(self, array: np.ndarray) -> Tensor:
        """An array as a batch of one, where the weights are."""
        return torch.from_numpy(array)[None].to(self.model.conv_out.weight.device)

    @torch.inference_mode()
    def speak(
        self, mel: Float[np.ndarray, "bins frames"], noise: Float[np.ndarray, "noises samples"]
    ) -> Float[np.ndarray, " samples"]:
        """Samples of mel features, all at once."""
        return as_array(self.model(self.as_row(mel), self.as_row(noise))[0])

    @torch.inference_mode()
    def new_state(self) -> VocoderState:
        """The state before the first chunk of a stream."""
        config = self.model.config
        return new_state(
            self.model,
            context_frames=exact_frames(config),
            overlap_frames=ahead_frames(config),
            fade_frames=0,
        )

    @torch.inference_mode()
    def speak_chunk(
        self,
        mel: Float[np.ndarray, "bins frames"],
        noise: Float[np.ndarray, "noises samples"],
        state: VocoderState,
        *,
        last: bool = False,
    ) -> Float[np.ndarray, " spoken"]:
        """The samples that no later frame can change; with ``last`` all that are left."""
        chunk = speak_chunk(self.model, self.as_row(mel), state, self.as_row(noise), last=last)
        return as_array(chunk[0])
