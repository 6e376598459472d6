"""Who speaks: a model, a stage of its chain, or recordings that somebody else made.

A system gets a line and hands out a clip. What it cannot do is an error of ours, which the harness
counts as a failure: a system that skips what it finds hard must not look better for it.
"""

import hashlib
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from mamtra.acoustic.decoder_config import DecoderConfig
from mamtra.audio.clip import FORMATS, read
from mamtra.checkpoints.format import PARTS, ModelFolder
from mamtra.checkpoints.locate import CONFIG
from mamtra.errors import AudioError, CorpusError, VoiceError
from mamtra.evaluation.clip import Clip
from mamtra.evaluation.line_set import Line, LineSet
from mamtra.files import file_sha256
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.speech import join
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.synthesis.text_reader import TextConfig
from mamtra.voice.load import open_voice_encoder
from mamtra.voice.prompt_recording import read_recording
from mamtra.voice.voice import Voice, make_voice


@runtime_checkable
class System(Protocol):
    """Something that says lines."""

    @property
    def name(self) -> str:
        """In tables and file names."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with everything that what it says depends on, the line and the run aside."""
        ...

    def speak(self, line: Line, run: int) -> Clip:
        """Say one line; each run says it from another seed.

        Raises:
            MamtraError: it could not.
        """
        ...


def short_hash(*parts: str) -> str:
    """A short name for exactly these strings."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def fingerprint_of_model(folder: ModelFolder) -> str:
    """A short name for exactly these weights, sizes and exported graphs (8 bit where there are)."""
    files = {folder.folder / CONFIG}
    files |= {path for part in PARTS if folder.holds(part) for path in folder.part_files(part)}
    total = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        total.update(path.read_bytes())
    for name in sorted(path.name for path in folder.folder.glob("*.onnx")):
        total.update(name.encode())
    return total.hexdigest()[:16]


def fingerprint_of_voice(voice: Voice | None) -> str:
    """A short name for exactly this voice, whatever file it came from; nothing for none."""
    if voice is None:
        return ""
    total = hashlib.sha256(f"{voice.name}\0{voice.text}\0{voice.read!r}".encode())
    for array in (voice.speaker, voice.tokens, voice.mel):
        total.update(f"{array.dtype}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()[:16]


def fingerprint_of_words(folder: ModelFolder) -> str:
    """A short name for how a model reads text: its config's section and its pronunciations."""
    if not folder.holds("text"):
        return ""
    config = folder.section("text", TextConfig)
    words = folder.holder("text").folder / config.pronunciations
    return short_hash(repr(config), file_sha256(words) if words.is_file() else "")


class SpeakingModel:
    """A model that says lines in one voice, or in the voice of each line's prompt.

    Args:
        synthesizer: the model.
        voice: one of its voices, or a saved one; without it, each line's prompt if the test set has
            prompts, else the model's default.
        seed: of the first run; the others count up.
        name: in tables; without it, the model's, and the voice's if one was chosen.
        one_piece: speak a line at once, whatever its length, as papers do that stress a model.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        voice: str | None = None,
        seed: int = 0,
        name: str | None = None,
        one_piece: bool = False,
    ) -> None:
        self.synthesizer, self.seed, self.one_piece = synthesizer, seed, one_piece
        self.voice: Voice | None = None if voice is None else synthesizer.voice(voice)
        self.prompt: tuple[Path, Voice] | None = None
        own = synthesizer.name if self.voice is None else f"{synthesizer.name} {self.voice.name}"
        self.name = name or own

    @cached_property
    def weights(self) -> str:
        """A short name for its weights; read once, as they may be gigabytes."""
        return fingerprint_of_model(self.synthesizer.folder)

    @property
    def parameters(self) -> int:
        """Weights of its language model."""
        # sizes come with torch, which recordings do without
        from mamtra.sizing.inference_bytes import speech_lm_bytes
        from mamtra.sizing.sizes import model_sizes

        sizes = model_sizes(str(self.synthesizer.folder.folder))
        return speech_lm_bytes(sizes.speech_lm, "float32") // 4

    @property
    def fingerprint(self) -> str:
        """Weights, voice, how text is read, and seed."""
        parts = self.weights, self.own_voice, self.words, str(self.seed)
        return short_hash(*parts, *["one piece"] * self.one_piece)

    @cached_property
    def words(self) -> str:
        """A short name for how it reads text."""
        return fingerprint_of_words(self.synthesizer.folder)

    @cached_property
    def own_voice(self) -> str:
        """A short name for the voice of lines without a prompt."""
        with suppress(VoiceError):  # a model may have none, and speak in its prompts' voices
            return fingerprint_of_voice(self.voice or self.synthesizer.voice(None))
        return ""

    def voice_of(self, line: Line) -> Voice | None:
        """The chosen voice, or one made from the line's prompt; the last prompt is kept."""
        if self.voice is not None or line.prompt is None:
            return self.voice
        if self.prompt is None or self.prompt[0] != line.prompt:
            folder = self.synthesizer.folder
            voice = make_voice(
                open_voice_encoder(folder),
                read_recording(line.prompt, line.prompt_text).audio,
                line.prompt.stem,
                text=line.prompt_text,
                codes=folder.section("decoder", DecoderConfig).encoder.vocabulary,
            )
            self.prompt = (line.prompt, voice)
        return self.prompt[1]

    def speak(self, line: Line, run: int) -> Clip:
        """Say one line."""
        voice, started = self.voice_of(line), time.perf_counter()
        options = SpeakOptions(voice=voice, seed=self.seed + run)
        text = [[self.synthesizer.reader.whole(line.text)]] if self.one_piece else line.text
        speech = join(list(self.synthesizer.speak(text, options)))
        return Clip(
            samples=speech.samples,
            rate_hz=speech.rate,
            stop=speech.stop_reason,
            attempts=getattr(speech, "attempts", 1),
            took_seconds=time.perf_counter() - started,
            state_bytes=speech.state_bytes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a chain, as a system.

    Attributes:
        make: text to clip.
        weights: a short name for those of its model.
    """

    name: str
    fingerprint: str
    make: Callable[[str], Clip]
    weights: str = ""

    def speak(self, line: Line, run: int) -> Clip:  # noqa: ARG002  # stages have one seed
        """Say one line."""
        return self.make(line.text)


def in_order(path: Path) -> list[tuple[int, str]]:
    """A key that sorts 2.wav before 10.wav."""
    return [(int(digits or 0), rest) for digits, rest in re.findall(r"(\d*)(\D*)", path.name)]


def sounds_in(folder: Path) -> list[Path]:
    """The sound files of a folder, numbers in their order.

    Raises:
        CorpusError: there is no such folder, or no sound in it.
    """
    if not folder.is_dir():
        raise CorpusError(f"there is no folder {str(folder)!r}")
    found = [path for path in folder.iterdir() if path.suffix.lower() in FORMATS]
    if not found:
        raise CorpusError(f"{str(folder)!r} holds no sound file ({', '.join(FORMATS)})")
    return sorted(found, key=in_order)


def file_of_each_line(folder: Path, line_set: LineSet) -> dict[str, Path]:
    """Which sound file says which line; lines without one are missing in it.

    Files carry the line's id. Of a plain list they carry its number, from 1 or, if there is a
    number 0, from 0; or there are as many files as lines, which are then taken in order.

    Raises:
        CorpusError: the names tell nothing and the numbers of files and lines differ.
    """
    sounds, lines = sounds_in(folder), line_set.lines
    stems = {path.stem: path for path in sounds}
    if len(stems) < len(sounds):
        twice = next(path for path in sounds if stems[path.stem] != path)
        raise CorpusError(
            f"{str(folder)!r} holds {twice.name} and {stems[twice.stem].name}; leave one of them"
        )
    if not line_set.numbered and any(line.id in stems for line in lines):
        return {line.id: stems[line.id] for line in lines if line.id in stems}
    if line_set.numbered and all(stem.isdecimal() for stem in stems):
        numbers = {int(stem): path for stem, path in stems.items()}
        if len(numbers) < len(sounds):
            twice = next(path for path in sounds if numbers[int(path.stem)] != path)
            raise CorpusError(
                f"{str(folder)!r} holds {twice.name} and {numbers[int(twice.stem)].name}, which "
                f"are one number; leave one of them"
            )
        first = 0 if 0 in numbers else 1
        return {
            line.id: numbers[place + first]
            for place, line in enumerate(lines)
            if place + first in numbers
        }
    if len(sounds) == len(lines):
        return {line.id: path for line, path in zip(lines, sounds, strict=True)}
    raise CorpusError(
        f"{str(folder)!r} holds {len(sounds)} sound files for {len(lines)} lines; name each by "
        f"{'the number of its line (1.wav, 2.wav, ...)' if line_set.numbered else 'its id'}"
    )


class Recordings:
    """Sound files that somebody else made.

    Args:
        folder: holds one file a line.
        line_set: the lines.
        name: in tables; without it, the folder's.

    Raises:
        CorpusError: the folder does not fit the lines.
    """

    fingerprint = "recordings"  # the sound's own checksum tells the rest

    def __init__(self, folder: Path, line_set: LineSet, name: str | None = None) -> None:
        self.name = name or folder.resolve().name
        self.files = file_of_each_line(folder, line_set)

    def speak(self, line: Line, run: int) -> Clip:  # noqa: ARG002  # recordings have one take
        """Read one file."""
        if line.id not in self.files:
            raise AudioError("missing")
        audio = read(self.files[line.id])
        return Clip(samples=audio.samples, rate_hz=audio.rate_hz)
