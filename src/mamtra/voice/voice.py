"""A voice is a value: what the models need to know of a speaker, in one small file.

It is made once from a recording and then given to any sentence: the speaker vector, and the
recording itself as speech tokens and mel features (the prompt, which the decoder continues).
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mamtra.acoustic.decoder import DecoderConfig
from mamtra.acoustic.speech_tokenizer import FRAMES_PER_TOKEN
from mamtra.audio.clip import Audio
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.weights import write_tensors
from mamtra.errors import VoiceError
from mamtra.voice.encoder import Listener

SUFFIX = ".safetensors"
TENSORS = ("speaker", "tokens", "mel")
NOTES = ("name", "text", "source", "licence", "consent")
NUMBERS = ("codes", "rate_hz")
SHORTEST_SECONDS = 0.5  # of a recording that a voice is made from
LONGEST_SECONDS = 30.0  # cosyvoice2.yaml: prompts beyond this were never trained on
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
    """

    name: str
    speaker: Float[Tensor, " width"]
    tokens: Int[Tensor, " tokens"]
    mel: Float[Tensor, "bins frames"]
    text: str = ""
    source: str = ""
    licence: str = ""
    consent: str = ""
    codes: int = 0
    rate_hz: int = 0

    def __post_init__(self) -> None:
        if self.mel.shape[1] != FRAMES_PER_TOKEN * len(self.tokens):
            raise VoiceError(
                f"voice {self.name!r} has {self.mel.shape[1]} mel frames for {len(self.tokens)} "
                f"speech tokens; there must be {FRAMES_PER_TOKEN} for each"
            )

    def to(self, device: str | torch.device) -> "Voice":
        """The same voice with its tensors on a device."""
        return replace(self, **{name: getattr(self, name).to(device) for name in TENSORS})

    def save(self, path: Path | str) -> Path:
        """Write the voice, floats as float16; beside and renamed."""
        path = Path(path)
        notes = {name: str(getattr(self, name)) for name in (*NOTES, *NUMBERS)}
        tensors = {
            "speaker": self.speaker.detach().cpu().half().contiguous(),
            "tokens": self.tokens.detach().cpu().to(torch.int32).contiguous(),
            "mel": self.mel.detach().cpu().half().contiguous(),
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_tensors(tensors, path, notes)
        except OSError as problem:
            raise VoiceError(f"cannot write the voice {str(path)!r}: {problem}") from problem
        return path

    @classmethod
    def load(cls, path: Path | str) -> "Voice":
        """Read a saved voice.

        Raises:
            VoiceError: it is missing, or not a voice.
        """
        try:
            with safe_open(str(path), "pt") as file:
                notes = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in TENSORS}
        except (OSError, SafetensorError) as problem:
            raise VoiceError(
                f"{str(path)!r} is not a saved voice: {problem}; "
                "mamtra voice make makes one from a recording"
            ) from problem
        return cls(
            name=notes.get("name", Path(path).stem),
            speaker=tensors["speaker"].float(),
            tokens=tensors["tokens"].long(),
            mel=tensors["mel"].float(),
            **{name: notes.get(name, "") for name in NOTES[1:]},
            codes=int(notes.get("codes") or 0),  # older files lack both
            rate_hz=int(notes.get("rate_hz") or 0),
        )


def default_voice(folder: ModelFolder) -> str | None:
    """The voice a model speaks with when none is asked for; none if it has no voices."""
    names = list(folder.voice_files())
    for holder in (folder, folder.donor):
        if holder is not None and holder.config.voice in names:
            return holder.config.voice
    return names[0] if names else None


def find_voice(folder: ModelFolder, name: str | Path | None) -> Path:
    """The file of a voice: a voice of the model, the path of a saved voice, or the default.

    Raises:
        VoiceError: there is no such voice; the message lists those there are.
    """
    files = folder.voice_files()
    chosen = default_voice(folder) if name is None else str(name)
    if chosen in files:
        return files[chosen]
    possible = f"model {folder.config.name!r} has: {', '.join(files) or 'no voices'}"
    if chosen is None:
        raise VoiceError(f"no voice was given and {possible}; give the path of a saved voice")
    path = Path(chosen).expanduser()
    if path.is_file():
        return path
    raise VoiceError(f"unknown voice {chosen!r}; {possible}; or give the path of a saved voice")


def check_voice(voice: Voice, decoder: DecoderConfig, rate_hz: int, model: str) -> None:
    """Refuse a voice that was made for another model.

    Args:
        voice: the voice.
        decoder: the sizes of the model's decoder.
        rate_hz: samples a second of what the model says.
        model: its name, for the message.

    Raises:
        VoiceError: speaker's vector, mel features or speech tokens are not those of this model.
    """
    codes = decoder.sizes_of_encoder.vocabulary
    highest = int(voice.tokens.max()) + 1 if len(voice.tokens) else 0
    pairs = {
        "a speaker's vector of": (voice.speaker.shape[0], decoder.speaker_dim),
        "mel bins": (voice.mel.shape[0], decoder.bins),
        "speech tokens": (voice.codes or (highest if highest > codes else codes), codes),
        "samples a second": (voice.rate_hz or rate_hz, rate_hz),
    }
    wrong = [f"{what} {given}, not {own}" for what, (given, own) in pairs.items() if given != own]
    if wrong:
        raise VoiceError(
            f"voice {voice.name!r} was made for another model than {model!r} ({'; '.join(wrong)}); "
            "make it again from its recording with mamtra voice make --model"
        )


def make_voice(
    listener: Listener,
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
        listener: the listening parts of the model that the voice is for.
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
    heard = listener.hear(audio)
    return Voice(
        name=name,
        speaker=heard.speaker,
        tokens=heard.tokens,
        mel=heard.mel,
        text=text,
        source=source,
        licence=licence,
        consent=consent,
        codes=codes,
        rate_hz=listener.mel.config.rate_hz,
    )
