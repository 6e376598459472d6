"""Opens a model folder for speaking with torch.

Modules are built in their final type and device without drawing weights, so loading needs no
second copy and no random start.

Dtype rule: a part is float32 in memory, whatever it is on disk, unless its type is given.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from mamtra.acoustic.config import VocoderConfig
from mamtra.acoustic.decoder import Decoder
from mamtra.acoustic.decoder_config import DecoderConfig
from mamtra.acoustic.vocoder import Vocoder
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.modules import fill
from mamtra.checkpoints.skip_init import skip_init
from mamtra.errors import ConfigError
from mamtra.runtime.protocols import LoadedModel
from mamtra.runtime.reading import reading_of
from mamtra.runtime.torch.acoustics import TorchDecoder, TorchVocoder
from mamtra.runtime.torch.engine import AUTO, EngineConfig, check_device, open_speech_lm
from mamtra.runtime.torch.guided import GuidedSpeechModel
from mamtra.runtime.torch.malloc import bound_kernel_cache
from mamtra.runtime.torch.speech_model import TorchSpeechModel
from mamtra.speech_lm.model import SpeechLM, SpeechLMConfig

PARTS: dict[str, tuple[type[nn.Module], type[Any]]] = {
    "speech_lm": (SpeechLM, SpeechLMConfig),
    "decoder": (Decoder, DecoderConfig),
    "vocoder": (Vocoder, VocoderConfig),
}

TOKENS_PER_SECOND = 25  # cosyvoice2.yaml and cosyvoice3.yaml: token_frame_rate

# one type for all parts, or one for each that shall not be float32
Dtypes = torch.dtype | Mapping[str, torch.dtype] | None


def check_dtypes(dtypes: Dtypes) -> None:
    """Refuse what is no type, and types for parts that there are not.

    Raises:
        ConfigError: a part or a type is unknown.
    """
    given = dtypes.values() if isinstance(dtypes, Mapping) else [dtypes] * (dtypes is not None)
    for dtype in given:
        if not isinstance(dtype, torch.dtype):
            raise ConfigError(
                f"dtypes hold {dtype!r}, which is no type of torch; give torch.bfloat16 for all "
                "parts, or a dict with one for each"
            )
    if not isinstance(dtypes, Mapping):
        return
    if unknown := sorted(set(dtypes) - set(PARTS)):
        raise ConfigError(
            f"no part is called {', '.join(unknown)}; a type can be given for {', '.join(PARTS)}"
        )


def open_part(
    folder: ModelFolder,
    part: str,
    device: str = "cpu",
    dtypes: Dtypes = None,
    **changes: Any,
) -> nn.Module:
    """Load one of ``speech_lm``, ``decoder`` and ``vocoder``; ``changes`` go to its config.

    Raises:
        ModelError: it is missing or damaged.
    """
    kind, config = PARTS[part]
    given = dtypes if isinstance(dtypes, torch.dtype) else (dtypes or {}).get(part)
    dtype = given or torch.float32
    with skip_init(device, dtype):
        module = kind(replace(folder.section(part, config), **changes))
    return fill(folder, module.to(device, dtype), part)


def context_frames(folder: ModelFolder, seconds: int) -> int:
    """Mel frames of so many seconds, as whole chunks of the decoder's flow."""
    config = folder.section("decoder", DecoderConfig)
    if not seconds or config.velocity is None:
        return 0
    chunk = config.velocity.chunk_frames
    frames = seconds * TOKENS_PER_SECOND * config.encoder.frames_per_token
    return -(-frames // chunk) * chunk


def speech_model_of(module: SpeechLM, folder: ModelFolder) -> TorchSpeechModel | GuidedSpeechModel:
    """A language model behind the protocol; one that reads voices is guided."""
    if module.conditioning is not None:
        return GuidedSpeechModel(module)
    return TorchSpeechModel(module, reading=reading_of(folder))


def open_model(
    folder: ModelFolder,
    engine: EngineConfig | None = None,
    dtypes: Dtypes = None,
    flow_steps: int = 0,
    flow_dtype: str = AUTO,
    flow_context: int = 0,
) -> LoadedModel:
    """Load what speaks.

    Args:
        folder: the model's folder.
        engine: on which device, and how the speech_lm is run there.
        dtypes: of the weights in memory: one type for all parts, or one for each named part;
            float32 otherwise. A speech_lm with a type of its own is loaded in the form that can be
            trained.
        flow_steps: Euler steps of the decoder's flow; 0 for the model's own.
        flow_dtype: ``bfloat16`` for the decoder, where no types are given.
        flow_context: seconds that a stream's flow remembers, rounded up to chunks; 0 for none.

    Raises:
        ModelError: a part is missing or damaged.
        ConfigError: a type was given for a part that there is not, or twice, or device and engine
            are not possible here.
    """
    bound_kernel_cache()
    if flow_dtype == "bfloat16" and dtypes is None:
        dtypes = {"decoder": torch.bfloat16}
    engine = engine or EngineConfig()
    check_dtypes(dtypes)
    check_device(engine.device)
    plain = isinstance(dtypes, torch.dtype) or "speech_lm" in (dtypes or {})
    if plain and engine.dtype != AUTO:
        raise ConfigError("the speech_lm's type was given as dtype and in dtypes; give it once")
    changes = {"decoder": {"steps": flow_steps}} if flow_steps else {}
    parts: dict[str, Any] = {
        part: open_part(folder, part, engine.device, dtypes, **changes.get(part, {}))
        for part in PARTS
        if plain or part != "speech_lm"
    }
    speech_lm = parts["speech_lm"] if plain else open_speech_lm(folder, engine)
    return LoadedModel(
        speech_model=speech_model_of(speech_lm, folder),
        decoder=TorchDecoder(parts["decoder"], context_frames(folder, flow_context)),
        vocoder=TorchVocoder(parts["vocoder"]),
    )
