"""The torch engine's decoder and vocoder behind the protocols of ``runtime/protocols.py``."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.acoustic.chunked_decoder import DecoderState, decode_chunks
from mamtra.acoustic.chunked_decoder import new_state as new_decoder_state
from mamtra.acoustic.decoder import Decoder, Prompt
from mamtra.acoustic.vocoder import Vocoder
from mamtra.acoustic.vocoder_stream import (
    VocoderState,
    ahead_frames,
    exact_frames,
    new_state,
    speak_chunk,
)
from mamtra.runtime.protocols import EncodedPrompt
from mamtra.runtime.sizes import DecoderSizes, VocoderSizes
from mamtra.runtime.torch.speech_model import as_array


class TorchDecoder:
    """The decoder's module; float32 comes in and goes out, whatever the type of its weights.

    Args:
        model: the module.
        context: frames of which a stream remembers keys and values; 0 decodes each group from the
            first token.
    """

    def __init__(self, model: Decoder, context: int = 0) -> None:
        self.model, self.context = model, context
        self.sizes = DecoderSizes.of(model.config, context > 0)
        self.read: tuple[Any, DecoderState] | None = None  # the last voice's prompt, with its noise

    def as_row(self, array: np.ndarray) -> Tensor:
        """An array as a batch of one, where the weights are."""
        return torch.from_numpy(array)[None].to(self.model.device)

    def prompt(self, voice: EncodedPrompt) -> Prompt | None:
        """What is continued; nothing without a flow."""
        if not self.sizes.flow or not len(voice.tokens):
            return None
        return Prompt(tokens=self.as_row(voice.tokens), mel=self.as_row(voice.mel))

    @torch.inference_mode()
    def new_state(
        self, voice: EncodedPrompt, noise: Float[np.ndarray, "bins noise_frames"] | None
    ) -> DecoderState | None:
        """The state before the first token; the prompt of the last voice is read once."""
        if not self.context or noise is None:
            return None
        if self.read is None or self.read[0][0] is not voice or self.read[0][1] is not noise:
            self.read = None  # its memory first
            speaker, prompt = self.as_row(voice.speaker), self.prompt(voice)
            state = new_decoder_state(self.model, speaker, prompt, self.as_row(noise), self.context)
            self.read = (voice, noise), state
        return self.read[1].copy()

    @torch.inference_mode()
    def decode_chunks(
        self, tokens: Sequence[int], state: DecoderState, *, final: bool
    ) -> Float[np.ndarray, "bins frames"]:
        """The frames that the state has not given yet."""
        ids = self.as_row(np.asarray(tokens, np.int64))
        return as_array(decode_chunks(self.model, ids, state, final=final)[0])

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
        read = len(tokens) + (len(voice.tokens) if self.sizes.flow else 0)
        if read <= (0 if final else self.sizes.lookahead_tokens):
            return np.zeros((self.sizes.bins, 0), np.float32)
        mel = self.model(
            self.as_row(np.asarray(tokens, np.int64)),
            self.as_row(voice.speaker),
            self.prompt(voice),
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
        if not mel.shape[1]:
            return np.zeros(0, np.float32)
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
