"""What keeps generation within reason: bounds on the length, and detection of loops and silence.

A speech LM that has lost the text repeats a sound, falls silent or never ends. Each row of a
generation has a loop detector, which is given every id; what it finds stops the row with a reason,
and the caller may try again with another seed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mamtra.errors import ConfigError

StopReason = Literal["end", "budget", "repetition", "silence", "skipped", "cancelled"]
FAILURES: tuple[StopReason, ...] = (
    "skipped",
    "silence",
    "repetition",
    "budget",
)  # worth another seed; the mildest comes first


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardConfig:
    """Limits of one generation; every model brings its own, these are CosyVoice 2's.

    Speech ids come at 25 a second.

    Attributes:
        min_per_text_token: the end is forbidden before so many speech ids per text id.
        max_per_text_token: speech stops after so many speech ids per text id.
        spare_tokens: added to the maximum, so that a text of one letter has room.
        repeat_tokens: a sound, or a cycle of sounds, may go on for so many ids.
        longest_cycle: cycles up to so many ids are recognised.
        silence_tokens: so many silent ids in a row may follow each other.
        silent_ids: the ids that sound like silence; they count as silence, not as repetition.
        sounded_silence: so many silent ids in a row are sounded, the rest is left out; 0 for all.
        attempts: how often to try, each time with another seed.
    """

    min_per_text_token: float = 2.0
    max_per_text_token: float = 20.0
    spare_tokens: int = 0
    repeat_tokens: int = 24
    longest_cycle: int = 6
    silence_tokens: int = 50
    silent_ids: tuple[int, ...] = ()
    sounded_silence: int = 0
    attempts: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "silent_ids", tuple(self.silent_ids))
        if not 0 <= self.min_per_text_token <= self.max_per_text_token:
            raise ConfigError(
                f"min_per_text_token={self.min_per_text_token} must lie between 0 and "
                f"max_per_text_token={self.max_per_text_token}"
            )
        for name in ("repeat_tokens", "longest_cycle", "silence_tokens", "attempts"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("spare_tokens", "sounded_silence"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name}={getattr(self, name)} must not be negative")

    def least(self, text_tokens: int) -> int:
        """Speech ids before which a text of this length may not end."""
        return int(text_tokens * self.min_per_text_token)

    def most(self, text_tokens: int) -> int:
        """Speech ids after which a text of this length is stopped."""
        return int(text_tokens * self.max_per_text_token) + self.spare_tokens


class LoopDetector:
    """Follows the ids of one row and reports when they repeat, or are silent for too long."""

    def __init__(self, config: GuardConfig) -> None:
        self.config = config
        self.silent = frozenset(config.silent_ids)
        self.recent: list[int] = []
        self.matches = [0] * config.longest_cycle
        self.silence = 0

    def update(self, token: int) -> StopReason | None:
        """Count an id in; a reason to stop, if there is one."""
        self.silence = self.silence + 1 if token in self.silent else 0
        recent, matches, worst = self.recent, self.matches, 0
        for period, earlier in enumerate(reversed(recent), start=1):
            # a cycle that is silent throughout is silence
            if earlier == token and self.silence < period:
                matches[period - 1] += 1
                worst = max(worst, matches[period - 1])
            else:
                matches[period - 1] = 0
        recent.append(token)
        if len(recent) > len(matches):
            del recent[0]
        if self.silence > self.config.silence_tokens:
            return "silence"
        return "repetition" if worst >= self.config.repeat_tokens else None

    @property
    def surplus(self) -> int:
        """How many of the last ids belong to the loop or the silence, its first round left out."""
        return max(self.silence, *self.matches)


class SilenceFilter:
    """Which ids the decoder is given: silent ones only so many in a row.

    The language model goes on from all of them; what is kept back has no sound and takes no time.
    """

    def __init__(self, config: GuardConfig) -> None:
        self.silent = frozenset(config.silent_ids)
        self.most = config.sounded_silence
        self.silence = 0

    def passes(self, token: int) -> bool:
        """Count an id in; whether it is sounded."""
        self.silence = self.silence + 1 if token in self.silent else 0
        return not self.most or self.silence <= self.most


def sounded(ids: Iterable[int], config: GuardConfig) -> list[int]:
    """The ids of an utterance that the decoder is given."""
    silence = SilenceFilter(config)
    return [token for token in ids if silence.passes(token)]
