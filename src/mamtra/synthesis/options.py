"""How to speak, as one value: voice, seed, mode, instruction, state, speed and the like."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from mamtra.audio.time_stretch import check_speed
from mamtra.errors import ConfigError, VoiceError
from mamtra.text.lexicon import Lexicon
from mamtra.voice.voice import Voice

AnyVoice = Voice | str | Path | None
Mode = Literal["zero-shot", "cross-lingual", "instruct"]
MODES: tuple[str, ...] = get_args(Mode)
State = Literal["fresh", "carry"]
STATES: tuple[str, ...] = get_args(State)
HIGHEST_SEED = 2**63 - 1


def check_choice(name: str, value: Any, possible: tuple[str, ...]) -> None:
    """Refuse what is none of the possible words.

    Raises:
        ConfigError: it is none.
    """
    if value not in possible:
        raise ConfigError(f"{name} {value!r} is unknown; possible are {', '.join(possible)}")


def check_switch(name: str, value: Any) -> None:
    """Refuse what is neither on nor off.

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(value, bool):
        raise ConfigError(f"{name} {value!r} is neither True nor False; give one of them")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakOptions:
    """How to speak.

    Attributes:
        voice: a voice of the model, the path of a saved one, or a ``Voice``; the model's default
            without one.
        seed: the same seed gives the same samples; another gives another take.
        mode: ``zero-shot``, ``cross-lingual`` or ``instruct``; without one, the best that model and
            voice allow (``mamtra.synthesis.conditioning``).
        instruct: how to speak, in words, for models that follow instructions.
        normalize: write numbers and abbreviations as words; off, the text is spoken as it stands.
        state: ``fresh``: each piece of text is spoken alone; ``carry``: the language model knows
            the paragraph's last pieces (``mamtra.synthesis.long_text``).
        lexicon: how names are said (``mamtra.text.lexicon``).
        speed: from 0.5 to 2; 2 is twice as fast, at the same pitch.
        proofread: whether speech ids that say their text badly are drawn anew, by models that can
            tell. The sound of a stream then begins when all ids of its piece are there.

    Raises:
        ConfigError: a value is of another type or out of range, or mode and instruction contradict
            each other.
        VoiceError: the voice is of another type.
    """

    voice: AnyVoice = None
    seed: int = 0
    mode: str | None = None
    instruct: str | None = None
    normalize: bool = True
    state: str = "fresh"
    lexicon: Lexicon | None = None
    speed: float | int = 1.0
    proofread: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.voice, Voice | str | Path | None):
            raise VoiceError(f"voice {self.voice!r} is no voice; give a name, a path or a Voice")
        seed = self.seed
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= HIGHEST_SEED:
            raise ConfigError(f"seed {seed!r} is not a whole number from 0 to {HIGHEST_SEED}")
        if self.mode is not None:
            check_choice("mode", self.mode, MODES)
        check_choice("state", self.state, STATES)
        check_speed(self.speed)
        for name in ("normalize", "proofread"):
            check_switch(name, getattr(self, name))
        if not isinstance(self.lexicon, Lexicon | None):
            raise ConfigError(
                f"lexicon {str(self.lexicon)[:60]!r} is no Lexicon; read one by "
                "mamtra.text.lexicon.read_lexicon"
            )
        if not isinstance(self.instruct, str | None):
            raise ConfigError(f"instruct {self.instruct!r} is no text; give words, as 'speak low'")
        if self.mode == "instruct" and not (self.instruct or "").strip():
            raise ConfigError("mode 'instruct' needs an instruction; give one, as 'speak slowly'")
        if self.instruct is not None and self.mode not in (None, "instruct"):
            raise ConfigError(
                f"an instruction does not go with mode {self.mode!r}; leave the mode out or say "
                "'instruct'"
            )


def check_options(options: SpeakOptions) -> None:
    """Refuse what does not say how to speak.

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(options, SpeakOptions):
        raise ConfigError(
            f"options {str(options)[:60]!r} are no SpeakOptions; write mamtra.SpeakOptions(seed=1)"
        )
