"""Which judges there are, and how ``NAME`` or ``NAME:ARGUMENT`` becomes one.

A package of yours adds its own by an entry point in the group ``mamtra.judges``: a function that
takes a ``JudgeRequest`` and returns an object with one of the protocols of ``judge``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points

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


def distillmos(request: JudgeRequest) -> Judge:  # noqa: ARG001  # takes no argument
    """Naturalness."""
    from mamtra.evaluation.judges.distillmos import DistillMos

    return DistillMos()


def dnsmos(request: JudgeRequest) -> Judge:  # noqa: ARG001  # takes no argument
    """Noise."""
    from mamtra.evaluation.judges.dnsmos import Dnsmos

    return Dnsmos()


def resemblyzer(request: JudgeRequest) -> Judge:  # noqa: ARG001  # takes no argument
    """Likeness of voices."""
    from mamtra.evaluation.judges.resemblyzer import Resemblyzer

    return Resemblyzer()


BUILT_IN: dict[str, Callable[[JudgeRequest], Judge]] = {
    "pocketsphinx": pocketsphinx,
    "whisper": whisper,
    "distillmos": distillmos,
    "dnsmos": dnsmos,
    "resemblyzer": resemblyzer,
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
