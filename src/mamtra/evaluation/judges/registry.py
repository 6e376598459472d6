"""Which judges there are, and how ``NAME`` or ``NAME:ARGUMENT`` becomes one.

A package of yours adds its own by an entry point in the group ``mamtra.judges``: a function that
takes a ``JudgeRequest`` and returns an object with one of the protocols of ``judge``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from mamtra.errors import ConfigError
from mamtra.evaluation.judges.judge import Hearing, Judge, Quality, Similarity

GROUP = "mamtra.judges"


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


def pocketsphinx(request: JudgeRequest) -> Judge:
    """The judge that needs no further weights."""
    from mamtra.evaluation.judges.pocketsphinx import Pocketsphinx

    return Pocketsphinx(request.argument or "default", request.sentences)


def whisper(request: JudgeRequest) -> Judge:
    """faster-whisper with weights of a folder, or fetched before."""
    from mamtra.evaluation.judges.whisper import Whisper

    if not request.argument:
        raise ConfigError("which Whisper? write whisper:FOLDER, or a fetched one as whisper:base")
    return Whisper(request.argument, request.language, request.threads)


def needed(request: JudgeRequest, name: str, what: str) -> str:
    """What follows the colon.

    Raises:
        ConfigError: nothing does.
    """
    if not request.argument:
        raise ConfigError(f"the judge {name} needs {what}; write {name}:PATH")
    return request.argument


def onnx_asr(request: JudgeRequest) -> Judge:
    """Parakeet and others by onnx-asr, of a folder or fetched before."""
    from mamtra.evaluation.judges.onnx_asr import OnnxAsr

    place = needed(request, "onnx-asr", "a folder or a name such as nemo-parakeet-tdt-0.6b-v2")
    return OnnxAsr(place, request.language, request.threads)


def transformers_whisper(request: JudgeRequest) -> Judge:
    """Whisper as Seed-TTS-eval runs it, of a folder or fetched before."""
    from mamtra.evaluation.judges.transformers_whisper import TransformersWhisper

    place = needed(request, "transformers-whisper", "a folder or openai/whisper-large-v3")
    return TransformersWhisper(place, request.language)


def campplus(request: JudgeRequest) -> Judge:
    """Likeness of voices by the graph of a CosyVoice folder."""
    from mamtra.evaluation.judges.campplus import Campplus

    return Campplus(needed(request, "campplus", "a CosyVoice folder with campplus.onnx"))


def wavlm_ecapa(request: JudgeRequest) -> Judge:
    """Likeness of voices as Seed-TTS-eval reports it."""
    from mamtra.evaluation.judges.wavlm_ecapa import WavlmEcapa

    place = needed(request, "wavlm-ecapa", "the file wavlm_large_finetune.pth")
    return WavlmEcapa(Path(place).expanduser())


def utmos22(request: JudgeRequest) -> Judge:
    """Naturalness as the paper reports it."""
    from mamtra.evaluation.judges.utmos22 import Utmos22

    place = needed(request, "utmos22", "the file utmos22_strong_step7459_v1.pt")
    return Utmos22(Path(place).expanduser())


def distillmos(request: JudgeRequest) -> Judge:  # noqa: ARG001  # takes no argument
    """Naturalness."""
    from mamtra.evaluation.judges.distillmos import DistillMos

    return DistillMos()


def dnsmos(request: JudgeRequest) -> Judge:  # noqa: ARG001  # takes no argument
    """Noise."""
    from mamtra.evaluation.judges.dnsmos import Dnsmos

    return Dnsmos()


def pitch(request: JudgeRequest) -> Judge:  # noqa: ARG001  # takes no argument
    """How much the pitch moves."""
    from mamtra.evaluation.judges.pitch import Pitch

    return Pitch()


def resemblyzer(request: JudgeRequest) -> Judge:  # noqa: ARG001  # takes no argument
    """Likeness of voices."""
    from mamtra.evaluation.judges.resemblyzer import Resemblyzer

    return Resemblyzer()


BUILT_IN: dict[str, Callable[[JudgeRequest], Judge]] = {
    "pocketsphinx": pocketsphinx,
    "whisper": whisper,
    "onnx-asr": onnx_asr,
    "transformers-whisper": transformers_whisper,
    "distillmos": distillmos,
    "dnsmos": dnsmos,
    "pitch": pitch,
    "utmos22": utmos22,
    "resemblyzer": resemblyzer,
    "campplus": campplus,
    "wavlm-ecapa": wavlm_ecapa,
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
