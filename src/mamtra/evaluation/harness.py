"""Say every line with every system, let every judge hear it, and hand out what each clip came to.

Both steps look into the run's folder first, so that only what is missing is done.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from mamtra.audio.clip import Audio, read, write
from mamtra.errors import AudioError, ConfigError, CorpusError, MamtraError, MissingExtraError
from mamtra.evaluation.clip import ERROR, Clip, fault
from mamtra.evaluation.judges.judge import Hearing, Judge, Quality, Similarity
from mamtra.evaluation.judges.registry import open_judge
from mamtra.evaluation.line_set import Line, LineSet
from mamtra.evaluation.run_folder import RunFolder, Said
from mamtra.evaluation.systems import Recordings, SpeakingModel, System, short_hash
from mamtra.files import file_sha256


def first_twice(names: Sequence[str]) -> str:
    """The first name that is there a second time, or nothing."""
    return next((name for place, name in enumerate(names) if name in names[:place]), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """Who listens.

    Attributes:
        hearing: write down words; the first one's figures come first.
        quality: rate naturalness.
        similarity: compare voices, with the line's prompt or with ``reference``.
        reference: a recording of the voice that everybody should have.

    Raises:
        ConfigError: two of them go by one name, under which figures would be mixed.
    """

    hearing: Sequence[Hearing] = ()
    quality: Sequence[Quality] = ()
    similarity: Sequence[Similarity] = ()
    reference: Path | None = None

    def __post_init__(self) -> None:
        each = {id(judge): judge for judge in self.all}  # one may hear, rate and compare
        if name := first_twice([judge.identity.name for judge in each.values()]):
            raise ConfigError(
                f"two judges are called {name!r}, and figures go by that name; ask one of them "
                f"only, or give the folders of their weights other names"
            )

    @property
    def all(self) -> list[Judge]:
        """Every one."""
        return [*self.hearing, *self.quality, *self.similarity]

    @classmethod
    def of(cls, judges: Sequence[Judge], reference: Path | None = None) -> "Judges":
        """Sort judges by what they do."""
        return cls(
            hearing=[judge for judge in judges if isinstance(judge, Hearing)],
            quality=[judge for judge in judges if isinstance(judge, Quality)],
            similarity=[judge for judge in judges if isinstance(judge, Similarity)],
            reference=reference,
        )


def open_judges(
    names: Sequence[str],
    line_set: LineSet,
    language: str = "en",
    threads: int = 1,
    reference: Path | None = None,
) -> Judges:
    """The judges that were asked for, told the lines that they will hear.

    Raises:
        ConfigError: one is unknown.
        ModelError: its weights are not here.
        MissingExtraError: its package is not installed.
    """
    texts = [line.text for line in line_set.lines]
    return Judges.of([open_judge(name, texts, language, threads) for name in names], reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One clip and what the judges made of it.

    Attributes:
        heard: words by the judge's name, as the judge wrote them.
        ratings: naturalness and likeness by the judge's name; None where it could not tell.
    """

    line: Line
    said: Said
    heard: dict[str, str] = field(default_factory=dict)
    ratings: dict[str, float | None] = field(default_factory=dict)


def sound_sha256(audio: Audio) -> str:
    """A name for exactly these samples."""
    total = hashlib.sha256(str(audio.rate_hz).encode())
    total.update(np.ascontiguousarray(audio.samples, np.float32).tobytes())
    return total.hexdigest()[:32]


def sound_file(folder: RunFolder, system: System, said: Said) -> Path:
    """Where the sound of a clip lies."""
    if isinstance(system, Recordings):
        return system.files[said.line]
    return folder.sound_path(said.system, said.run, said.line)


def key_of(system: System, line: Line, run: int) -> str:
    """A short name for everything that a clip depends on; recordings are what they are."""
    parts = [system.name, system.fingerprint, str(run), line.id, line.text]
    prompt, words = line.prompt, line.prompt_text
    if isinstance(system, Recordings) or prompt is None:
        parts.append("")
    else:
        parts.append(file_sha256(prompt) if prompt.is_file() else prompt.name)
    if words and not isinstance(system, Recordings):
        parts.append(words)
    return short_hash(*parts)


def say(folder: RunFolder, system: System, line: Line, run: int) -> tuple[Said, Audio | None]:
    """A clip of one line: the one that is there, or a new one; without sound if it failed.

    Raises:
        MissingExtraError: a package is missing, which is no failure of the system's.
        AudioError: the sound cannot be written, nor is this.
    """
    key = key_of(system, line, run)
    before = folder.said.get(key)
    if before is not None and before.error and not isinstance(system, Recordings):
        return before, None
    if before is not None and before.sha256:
        with suppress(AudioError, KeyError):  # not there any more: said again below
            audio = read(sound_file(folder, system, before))
            if sound_sha256(audio) == before.sha256:
                return before, audio
    names = {"key": key, "system": system.name, "run": run, "line": line.id}
    clip, problem = spoken(system, line, run)
    if clip is None:
        said, audio = Said(**names, stop=ERROR, fault=ERROR, error=problem), None
    else:
        said, audio = keep(folder, system, line, clip, names)
    if said != before:
        folder.add_said(said)
    return said, audio


def spoken(system: System, line: Line, run: int) -> tuple[Clip | None, str]:
    """A new clip, or why there is none.

    Raises:
        MissingExtraError: a package is missing.
    """
    try:
        clip = system.speak(line, run)
    except MissingExtraError:
        raise
    except MamtraError as problem:
        return None, str(problem)
    if not isinstance(system, Recordings) and not np.isfinite(clip.samples).all():
        return None, "its samples are not all numbers"
    return clip, ""


def sound_files(
    folder: RunFolder, systems: Sequence[System], judged: "Sequence[Judged]"
) -> dict[str, Path]:
    """The sound file of every clip that has one, by the key of what was said."""
    by_name = {system.name: system for system in systems}
    sounding = (one.said for one in judged if one.said.sha256)
    return {said.key: sound_file(folder, by_name[said.system], said) for said in sounding}


def keep(
    folder: RunFolder, system: System, line: Line, clip: Clip, names: dict[str, Any]
) -> tuple[Said, Audio]:
    """Write a clip down, and read it as every judge will hear it."""
    audio = clip.audio
    if not isinstance(system, Recordings):
        path = folder.sound_path(names["system"], names["run"], names["line"])
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, audio)
        audio = read(path)
    said = Said(
        **names,
        sha256=sound_sha256(audio),
        seconds=round(clip.seconds, 3),
        took_seconds=round(clip.took_seconds, 4),
        stop=clip.stop,
        fault=fault(clip, line.text),
        attempts=clip.attempts,
        nats=None if clip.nats is None else round(clip.nats, 4),
        state_bytes=clip.state_bytes,
    )
    return said, audio


def listen(
    folder: RunFolder, judges: Judges, line: Line, said: Said, audio: Audio | None
) -> Judged:
    """Ask every judge about a clip; what failed is heard as nothing."""
    if audio is None:
        return Judged(
            line=line,
            said=said,
            heard={judge.identity.name: "" for judge in judges.hearing},
            ratings=dict.fromkeys(j.identity.name for j in (*judges.quality, *judges.similarity)),
        )

    def opinion(judge: Judge, ask: Any, other: str = "") -> Any:
        """The one that is kept, or a new one."""
        place = (said.sha256, judge.identity.key, other)
        if place not in folder.opinions:
            folder.add_opinion(*place, ask())
        return folder.opinions[place]

    samples, rate_hz = audio.samples, audio.rate_hz
    heard = {
        judge.identity.name: opinion(judge, lambda judge=judge: judge.hear(samples, rate_hz))
        for judge in judges.hearing
    }
    ratings: dict[str, float | None] = {
        judge.identity.name: opinion(
            judge, lambda judge=judge: finite(judge.quality(samples, rate_hz))
        )
        for judge in judges.quality
    }
    reference = line.prompt or judges.reference
    if reference is not None and judges.similarity:
        other = read(reference)
        for judge in judges.similarity:
            ratings[judge.identity.name] = opinion(
                judge, lambda judge=judge: likeness(judge, audio, other), sound_sha256(other)
            )
    return Judged(line=line, said=said, heard=heard, ratings=ratings)


def likeness(judge: Similarity, audio: Audio, other: Audio) -> float | None:
    """How alike two clips are; None where the judge hears nobody."""
    try:
        return finite(judge.likeness(audio.samples, audio.rate_hz, other.samples, other.rate_hz))
    except AudioError:
        return None


def finite(rating: float) -> float | None:
    """A rating, None where it is no number: one such clip would make every mean none."""
    return rating if isfinite(rating) else None


def check_prompts(lines: Sequence[Line], systems: Sequence[System], judges: Judges) -> None:
    """Make sure that the recordings are there which voices are made from or compared with.

    Raises:
        ConfigError: voices are to be compared, and nobody says with which.
        CorpusError: a prompt is not there, which is no failure of a system's.
    """
    if judges.similarity and judges.reference is None and any(one.prompt is None for one in lines):
        raise ConfigError(
            "voices cannot be compared: the lines have no prompts; add --reference FILE, a "
            "recording of the right voice, or leave --similarity out"
        )
    cloned = any(isinstance(one, SpeakingModel) and one.voice is None for one in systems)
    prompts = [(one.id, one.prompt) for one in lines if one.prompt is not None]
    absent = [(name, prompt) for name, prompt in prompts if not prompt.is_file()]
    if absent and (cloned or judges.similarity):
        name, prompt = absent[0]
        raise CorpusError(
            f"{len(absent)} of {len(lines)} prompts are not there, first that of line {name!r}: "
            f"{str(prompt)!r}; put them where the list says, or choose one --voice for all lines"
        )


def judged_lines(
    lines: Sequence[Line],
    systems: Sequence[System],
    judges: Judges,
    folder: RunFolder,
    runs: int = 1,
) -> Iterator[Judged]:
    """Every line by every system in every run, said and judged; recordings have one run only.

    Raises:
        ConfigError: two systems go by one name, under which their clips would be mixed, or there is
            nothing to compare voices with.
        CorpusError: a prompt that is needed is not there.
    """
    if name := first_twice([system.name for system in systems]):
        raise ConfigError(
            f"two systems are called {name!r}; name each voice once, and give folders of "
            f"recordings different names"
        )
    check_prompts(lines, systems, judges)
    for line in lines:
        for system in systems:
            for run in range(1 if isinstance(system, Recordings) else runs):
                said, audio = say(folder, system, line, run)
                yield listen(folder, judges, line, said, audio)
