"""Where chunks end in a stream whose decoder goes on from states; the prompt is counted too."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

FIRST_THIRDS = 2  # of a chunk's tokens that the first chunk with new speech has


@runtime_checkable
class ChunkSizes(Protocol):
    """What tells where chunks end: a token encoder's config, or a decoder's sizes."""

    @property
    def chunk_tokens(self) -> int:
        """Tokens of a chunk."""
        ...

    @property
    def lookahead_tokens(self) -> int:
        """Tokens after a chunk that it has to see."""
        ...

    @property
    def frames_per_token(self) -> int:
        """Mel frames for each token."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkBorders:
    """Chunks laid so that one ends where a prompt's last tokens begin to look into new speech.

    So all before is read once for a voice, and new speech is heard after one chunk, which is a
    third shorter than the others: it needs fewer tokens, and there is less to compute.

    Attributes:
        chunk, lookahead: tokens.
        begins, first: where the shorter chunk begins, and how many tokens it has.
        times: mel frames for each token.
    """

    chunk: int
    lookahead: int
    begins: int
    first: int
    times: int

    @classmethod
    def of(cls, sizes: ChunkSizes, prompt_tokens: int) -> "ChunkBorders":
        """Those after a prompt of so many tokens."""
        return cls(
            chunk=sizes.chunk_tokens,
            lookahead=sizes.lookahead_tokens,
            begins=max(0, prompt_tokens - sizes.lookahead_tokens),
            first=-(-sizes.chunk_tokens * FIRST_THIRDS // 3),
            times=sizes.frames_per_token,
        )

    def border(self, tokens: int) -> int:
        """The last border that lies at or before a number of tokens; 0 before the first."""
        origin = self.begins + self.first  # chunks of full length follow, and lie before it
        if tokens < origin:
            origin = self.begins
            tokens = min(tokens, origin)
        return max(0, origin + (tokens - origin) // self.chunk * self.chunk)

    def following(self, tokens: int) -> int:
        """The first border that lies after a number of tokens."""
        origin = self.begins + self.first
        if self.begins <= tokens < origin:
            return origin
        if tokens < self.begins:
            origin = self.begins
        return origin - (origin - tokens - 1) // self.chunk * self.chunk

    def readable(self, tokens: int, final: bool) -> int:
        """Frames that can be made of so many tokens; without ``final`` whole chunks only."""
        return self.times * (tokens if final else self.border(tokens - self.lookahead))

    def after(self, frames: int) -> int:
        """The border, in frames, that follows."""
        return self.times * self.following(frames // self.times)
