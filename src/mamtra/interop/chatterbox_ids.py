"""Speech ids from text ids, with a Chatterbox language model or a hybrid of it.

What a decoder makes of them is another matter: none is taken over with the model.
"""

from collections.abc import Sequence

from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.weights import read_tensors
from mamtra.errors import ModelError
from mamtra.generation.generate import Generation, generate
from mamtra.generation.guard import GuardConfig
from mamtra.generation.request import Request
from mamtra.generation.sampling import SamplingConfig
from mamtra.runtime.torch.engine import EngineConfig, open_speech_lm
from mamtra.runtime.torch.guided import GuidedSpeechModel
from mamtra.speech_lm.prompt import SpeakerPrompt, conditioned

BUILT_IN_VOICE = "voice.safetensors"


def built_in_voice(model: ModelFolder, emotion: float | None = None) -> SpeakerPrompt:
    """The voice that came with the model.

    Args:
        model: the folder that was imported.
        emotion: how lively it speaks, from 0 upwards; its own if left.

    Raises:
        ModelError: none came with it.
    """
    path = model.folder / BUILT_IN_VOICE
    if not path.is_file():
        raise ModelError(
            f"no {BUILT_IN_VOICE} in {str(model.folder)!r}; import again with conds.pt beside the "
            f"weights, or give a voice"
        )
    held = read_tensors(path)
    return SpeakerPrompt(
        speaker=tuple(held["speaker"].tolist()),
        prompt=tuple(held["prompt"].tolist()),
        emotion=float(held["emotion"]) if emotion is None else emotion,
    )


def speech_ids(
    model: ModelFolder,
    text: Sequence[int],
    voice: SpeakerPrompt | None = None,
    seed: int = 0,
    guard: GuardConfig | None = None,
    engine: EngineConfig | None = None,
) -> Generation:
    """Draw the speech ids of a text.

    Args:
        model: a folder with a language model that reads voices.
        text: ids of its own tokenizer, without the marks around them.
        voice: who speaks; the built-in voice if left.
        seed: of the draws.
        guard: limits; the model's own if left.
        engine: on which device, and in which type.

    Raises:
        ModelError: the folder is damaged, or has no voice.
        ConfigError: the model reads no voice.
        TextError: there is no text.
    """
    guided = GuidedSpeechModel(open_speech_lm(model, engine))
    segments = conditioned(text, voice or built_in_voice(model), guided.conditioning.config)
    return generate(
        guided,
        Request(tuple(segments), len(text), seed),
        model.optional("sampling", SamplingConfig),
        guard or model.optional("guard", GuardConfig),
    )
