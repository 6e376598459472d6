"""Which judges there are, and how ``NAME`` or ``NAME:ARGUMENT`` becomes one.

A package of yours adds its own by an entry point in the group ``mamtra.judges``: a function that
takes a ``JudgeRequest`` and returns an object with one of the protocols of ``judge``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from mamtra.errors import ConfigError, require
from mamtra.evaluation.judges.judge import Hearing, Judge, Quality, Similarity

GROUP = "mamtra.judges"
EXTRA = "judges"  # brings torch for those that need it


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeRequest:
    """What a judge is opened with.

    Attributes:
        argument: what follows the colon: a folder, a name, a form; or nothing.
        sentences: what will be spoken, for judges that listen for it.
        language: of the speech.
        threads: of the processor.
    """

    argument: str = ""
    sentences: Sequence[str] = ()
    language: str = "en"
    threads: int = 1


def needed(request: JudgeRequest, name: str, what: str) -> str:
    """What follows the colon.

    Raises:
        ConfigError: nothing does.
    """
    if not request.argument:
        raise ConfigError(f"the judge {name} needs {what}; write {name}:PATH")
    return request.argument


def fetched(name: str) -> Any:
    """A class of this room, ``MODULE:CLASS``; its packages load only now."""
    module, _, kind = name.partition(":")
    return getattr(require(f"mamtra.evaluation.judges.{module}", EXTRA), kind)


def whisper(request: JudgeRequest, timed: bool = False) -> Judge:
    """faster-whisper with weights of a folder, or fetched before."""
    if not request.argument:
        name = "whisper-timed" if timed else "whisper"
        raise ConfigError(f"which Whisper? write {name}:FOLDER, or a fetched one as {name}:base")
    return fetched("whisper:Whisper")(request.argument, request.language, request.threads, timed)


def onnx_asr(request: JudgeRequest) -> Judge:
    """Parakeet and others by onnx-asr, of a folder or fetched before."""
    place = needed(request, "onnx-asr", "a folder or a name such as nemo-parakeet-tdt-0.6b-v2")
    return fetched("onnx_asr:OnnxAsr")(place, request.language, request.threads)


def transformers_whisper(request: JudgeRequest) -> Judge:
    """Whisper as Seed-TTS-eval runs it, of a folder or fetched before."""
    place = needed(request, "transformers-whisper", "a folder or openai/whisper-large-v3")
    return fetched("transformers_whisper:TransformersWhisper")(place, request.language)


def of_file(name: str, kind: str, what: str) -> Callable[[JudgeRequest], Judge]:
    """Opens a judge whose weights are one file of the user's."""
    return lambda request: fetched(kind)(Path(needed(request, name, what)).expanduser())


# naturalness, and likeness of voices, as the paper and Seed-TTS-eval report them
UTMOS = "utmos22", "utmos22:Utmos22", "the file utmos22_strong_step7459_v1.pt"
WAVLM = "wavlm-ecapa", "wavlm_ecapa:WavlmEcapa", "the file wavlm_large_finetune.pth"

BUILT_IN: dict[str, Callable[[JudgeRequest], Judge]] = {
    "pocketsphinx": lambda request: fetched("pocketsphinx:Pocketsphinx")(
        request.argument or "default", request.sentences
    ),
    "whisper": whisper,
    "whisper-timed": partial(whisper, timed=True),
    "onnx-asr": onnx_asr,
    "transformers-whisper": transformers_whisper,
    "distillmos": lambda _: fetched("distillmos:DistillMos")(),
    "dnsmos": lambda _: fetched("dnsmos:Dnsmos")(),
    "pitch": lambda _: fetched("pitch:Pitch")(),
    "utmos22": of_file(*UTMOS),
    "resemblyzer": lambda _: fetched("resemblyzer:Resemblyzer")(),
    "campplus": lambda request: fetched("campplus:Campplus")(
        needed(request, "campplus", "a CosyVoice folder with campplus.onnx")
    ),
    "wavlm-ecapa": of_file(*WAVLM),
}


def open_judge(
    written: str, sentences: Sequence[str] = (), language: str = "en", threads: int = 1
) -> Judge:
    """A judge by ``NAME`` or ``NAME:ARGUMENT``.

    Raises:
        ConfigError: nobody knows the name, or what it opens is no judge.
        ModelError: its weights are not here.
        MissingExtraError: its package is not installed.
    """
    name, _, argument = written.partition(":")
    others = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name in BUILT_IN:
        opener = BUILT_IN[name]
    elif name in others:
        opener = others[name].load()
    else:
        known = ", ".join([*BUILT_IN, *others])
        raise ConfigError(f"there is no judge {name!r}; known: {known} (as NAME or NAME:ARGUMENT)")
    judge = opener(
        JudgeRequest(argument=argument, sentences=sentences, language=language, threads=threads)
    )
    if not isinstance(judge, Hearing | Quality | Similarity):
        raise ConfigError(
            f"what the judge {name!r} opens cannot judge: it has identity and neither hear, "
            f"quality nor likeness"
        )
    return judge
