"""A voice is a value: what the models need to know of a speaker, in one small file.

It is made once from a recording and then given to any sentence: the speaker vector, and the
recording itself as speech tokens and mel features (the prompt, which the decoder continues).
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from mamtra.acoustic.config import FRAMES_PER_TOKEN
from mamtra.atomic import write_file
from mamtra.audio.clip import Audio
from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import VoiceError
from mamtra.runtime.protocols import EncodedPrompt, VoiceEncoder
from mamtra.runtime.sizes import DecoderSizes
from mamtra.speech_lm.prompt import SpeakerPrompt

SUFFIX = ".safetensors"
FLOATS, INTEGERS = ("F16", "F32"), ("I32", "I64")
TENSORS = {"speaker": FLOATS, "tokens": INTEGERS, "mel": FLOATS}  # and their types in a file
READ = {"read_speaker": FLOATS, "read_tokens": INTEGERS}  # of voices with ``read`` only
NOTES = ("name", "text", "source", "licence", "consent")
NUMBERS = ("codes", "rate_hz")
TOKENS_PER_SECOND = 25  # of every model; cosyvoice2.yaml: token_frame_rate
SHORTEST_SECONDS = 0.5  # of a recording that a voice is made from
LONGEST_SECONDS = 30.0  # cosyvoice2.yaml: prompts beyond this were never trained on
NEUTRAL = 0.5  # the emotion of a voice whose file says none
SHOWN = 100  # letters of a name that a message repeats
SILENCE = 1e-3  # a recording whose loudest sample is below this holds no voice


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Voice:
    """One speaker.

    Attributes:
        speaker: the speaker vector.
        tokens, mel: the prompt, as speech tokens and as log-mel features; may be empty.
        text: the words of the prompt.
        source: where the recording came from.
        licence: under which terms the voice may be used.
        consent: that the speaker agreed to being copied: who, when, to what.
        codes: how many speech tokens the model knows that it was made for; 0 if nobody noted it.
        rate_hz: that of the sound its mel features describe; 0 if nobody noted it.
        read: what a language model that reads voices is given of it (Chatterbox's); None for all
            others.
    """

    name: str
    speaker: Float[np.ndarray, " width"]
    tokens: Int[np.ndarray, " tokens"]
    mel: Float[np.ndarray, "bins frames"]
    text: str = ""
    source: str = ""
    licence: str = ""
    consent: str = ""
    codes: int = 0
    rate_hz: int = 0
    read: SpeakerPrompt | None = None

    def __post_init__(self) -> None:
        if self.mel.shape[1] != FRAMES_PER_TOKEN * len(self.tokens):
            raise VoiceError(
                f"voice {self.name!r} has {self.mel.shape[1]} mel frames for {len(self.tokens)} "
                f"speech tokens; there must be {FRAMES_PER_TOKEN} for each"
            )
        if len(self.tokens) > LONGEST_SECONDS * TOKENS_PER_SECOND:
            raise VoiceError(
                f"the prompt of voice {self.name!r} lasts {self.prompt_seconds:.0f} seconds; "
                f"at most {LONGEST_SECONDS:.0f} are possible"
            )
        lowest, highest = self.tokens.min(initial=0), self.tokens.max(initial=0)
        if lowest < 0 or (self.codes and highest >= self.codes):
            raise VoiceError(
                f"voice {self.name!r} has speech tokens from {lowest} to {highest}; they must not "
                f"be negative, and below its model's {self.codes or 'number of codes'}"
            )
        if not (np.isfinite(self.speaker).all() and np.isfinite(self.mel).all()):
            raise VoiceError(f"voice {self.name!r} holds infinite values or NaN; make it again")

    @property
    def prompt(self) -> EncodedPrompt:
        """What a decoder speaks with."""
        return EncodedPrompt(tokens=self.tokens, mel=self.mel, speaker=self.speaker)

    @property
    def prompt_seconds(self) -> float:
        """How long the prompt lasts."""
        return len(self.tokens) / TOKENS_PER_SECOND

    def save(self, path: Path | str) -> Path:
        """Write the voice, floats as float16; beside and renamed.

        Raises:
            VoiceError: it cannot be written there.
        """
        path = Path(path)
        notes = {name: str(getattr(self, name)) for name in (*NOTES, *NUMBERS)}
        tensors = {
            "speaker": np.ascontiguousarray(self.speaker, np.float16),
            "tokens": np.ascontiguousarray(self.tokens, np.int32),
            "mel": np.ascontiguousarray(self.mel, np.float16),
        }
        if self.read is not None:  # whole, since the ids that are drawn hang on every bit
            tensors["read_speaker"] = np.array(self.read.speaker, np.float32)
            tensors["read_tokens"] = np.array(self.read.prompt, np.int32)
            notes["emotion"] = repr(self.read.emotion)
        write_file(path, save(tensors, notes), VoiceError)
        return path

    @classmethod
    def load(cls, path: Path | str) -> "Voice":
        """Read a saved voice.

        Raises:
            VoiceError: it is missing, or not a voice.
        """
        notes, arrays = read_arrays(Path(path))
        try:  # older files lack both
            codes, rate_hz = (int(notes.get(name) or 0) for name in NUMBERS)
            emotion = float(notes.get("emotion") or NEUTRAL)
        except ValueError as problem:
            raise VoiceError(f"{str(path)!r} is not a saved voice: {problem}") from problem
        read = None
        if "read_speaker" in arrays:
            speaker, prompt = (tuple(arrays[name].tolist()) for name in READ)
            read = SpeakerPrompt(speaker=speaker, prompt=prompt, emotion=emotion)
        return cls(
            name=notes.get("name", Path(path).stem),
            speaker=arrays["speaker"].astype(np.float32),
            tokens=arrays["tokens"].astype(np.int64),
            mel=arrays["mel"].astype(np.float32),
            **{name: notes.get(name, "") for name in NOTES[1:]},
            codes=codes,
            rate_hz=rate_hz,
            read=read,
        )


def read_arrays(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Notes and arrays of a voice file, in the types that they have there.

    Raises:
        VoiceError: it is missing, or not a voice.
    """
    if not path.exists():
        raise VoiceError(f"no saved voice {str(path)!r}: no such file")
    advice = "mamtra voice make makes one from a recording"
    if path.suffix != SUFFIX:
        raise VoiceError(
            f"{str(path)!r} is not a saved voice: their names end with {SUFFIX}; {advice}"
        )
    try:
        with safe_open(str(path), "np") as file:
            wanted = TENSORS | (READ if READ.keys() <= set(file.keys()) else {})
            kinds = {name: file.get_slice(name).get_dtype() for name in wanted}
            ranks = {name: len(file.get_slice(name).get_shape()) for name in wanted}
            wrong = [
                f"{name} is {kind} in {ranks[name]} dimensions"
                for name, kind in kinds.items()
                if kind not in wanted[name] or ranks[name] != (2 if name == "mel" else 1)
            ]
            if wrong:
                raise VoiceError(
                    f"{str(path)!r} is not a saved voice: {', '.join(wrong)}; {advice}"
                )
            arrays: dict[str, Any] = {name: file.get_tensor(name) for name in wanted}
            return file.metadata() or {}, arrays
    except (OSError, SafetensorError) as problem:
        raise VoiceError(f"{str(path)!r} is not a saved voice: {problem}; {advice}") from problem


def default_voice(folder: ModelFolder) -> str | None:
    """The voice a model speaks with when none is asked for; none if it has no voices."""
    names = list(folder.voice_files())
    for holder in (folder, folder.donor):
        if holder is not None and holder.config.voice in names:
            return holder.config.voice
    return names[0] if names else None


def voice_names(folder: ModelFolder) -> list[str]:
    """The names of a model's voices, the default first."""
    default = default_voice(folder)
    return sorted(folder.voice_files(), key=lambda name: name != default)


def find_voice(folder: ModelFolder, name: str | Path | None) -> Path:
    """The file of a voice: a voice of the model, the path of a saved voice, or the default.

    Raises:
        VoiceError: there is no such voice; the message lists those there are.
    """
    files = folder.voice_files()
    chosen = default_voice(folder) if name is None else str(name)
    wanted = folder.config.voice
    if name is None and wanted is not None and wanted not in files and files:
        raise VoiceError(
            f"the config of {folder.config.name!r} names the voice {wanted[:SHOWN]!r}, which is "
            f"not there; it has: {', '.join(files)}"
        )
    if chosen in files:
        return files[chosen]
    possible = f"model {folder.config.name!r} has: {', '.join(files) or 'no voices'}"
    if chosen is None:
        raise VoiceError(f"no voice was given and {possible}; give the path of a saved voice")
    path = Path(chosen).expanduser()
    with suppress(OSError, ValueError):  # a name that no file can have
        if path.is_file():
            return path
    if path.suffix == SUFFIX:
        raise VoiceError(f"no saved voice {chosen[:SHOWN]!r}: no such file; {possible}")
    raise VoiceError(
        f"unknown voice {chosen[:SHOWN]!r}; {possible}; or give the path of a saved voice"
    )


def check_voice(voice: Voice, sizes: DecoderSizes, rate_hz: int, model: str) -> None:
    """Refuse a voice that was made for another model.

    Args:
        voice: the voice.
        sizes: those of the model's decoder.
        rate_hz: samples a second of what the model says.
        model: its name, for the message.

    Raises:
        VoiceError: speaker vector, mel features or speech tokens are not those of this model.
    """
    highest = int(voice.tokens.max()) + 1 if len(voice.tokens) else 0
    pairs = {
        "a speaker's vector of": (voice.speaker.shape[0], sizes.speaker_dim),
        "mel bins": (voice.mel.shape[0], sizes.bins),
        "speech tokens": (voice.codes or max(highest, sizes.codes), sizes.codes),
        "samples a second": (voice.rate_hz or rate_hz, rate_hz),
    }
    wrong = [
        f"{what} {own}, not {needed}" for what, (own, needed) in pairs.items() if own != needed
    ]
    if wrong:
        raise VoiceError(
            f"voice {voice.name!r} was made for another model than {model!r} ({'; '.join(wrong)}); "
            "make it again from its recording with mamtra voice make --model"
        )


def make_voice(
    encoder: VoiceEncoder,
    audio: Audio,
    name: str,
    *,
    text: str = "",
    source: str = "",
    licence: str = "",
    consent: str = "",
    codes: int = 0,
) -> Voice:
    """Make a voice from a recording of it.

    Args:
        encoder: the voice encoder of the model that the voice is for.
        audio: the recording.
        name: of the voice.
        text: the words of the recording, which zero-shot needs.
        source: where the recording came from.
        licence: under which terms the voice may be used.
        consent: that the speaker agreed.
        codes: how many speech tokens the model knows.

    Raises:
        VoiceError: the recording is too short, too long or silent.
    """
    if not SHORTEST_SECONDS <= audio.seconds <= LONGEST_SECONDS:
        raise VoiceError(
            f"the recording lasts {audio.seconds:.1f} seconds; "
            f"give one of {SHORTEST_SECONDS} to {LONGEST_SECONDS}"
        )
    if abs(audio.samples).max() < SILENCE:
        raise VoiceError("the recording is silent; give one with speech")
    encoded = encoder.encode(audio)
    return Voice(
        name=name,
        speaker=encoded.speaker,
        tokens=encoded.tokens,
        mel=encoded.mel,
        text=text,
        source=source,
        licence=licence,
        consent=consent,
        codes=codes,
        rate_hz=encoder.rate_hz,
    )
