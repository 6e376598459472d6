"""Where chunks end in a stream whose decoder goes on from states; the prompt is counted too."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


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

    So all before is read once for a voice, and new speech is heard after one chunk.

    Attributes:
        chunk, lookahead: tokens.
        shift: tokens by which the first chunk is shorter than the others.
        times: mel frames for each token.
    """

    chunk: int
    lookahead: int
    shift: int
    times: int

    @classmethod
    def of(cls, sizes: ChunkSizes, prompt_tokens: int) -> "ChunkBorders":
        """Those after a prompt of so many tokens."""
        return cls(
            chunk=sizes.chunk_tokens,
            lookahead=sizes.lookahead_tokens,
            shift=(sizes.lookahead_tokens - prompt_tokens) % sizes.chunk_tokens,
            times=sizes.frames_per_token,
        )

    def border(self, tokens: int) -> int:
        """The last border that lies at or before a number of tokens; 0 before the first."""
        return max(0, (tokens + self.shift) // self.chunk * self.chunk - self.shift)

    def readable(self, tokens: int, final: bool) -> int:
        """Frames that can be made of so many tokens; without ``final`` whole chunks only."""
        return self.times * (tokens if final else self.border(tokens - self.lookahead))

    def after(self, frames: int) -> int:
        """The border, in frames, that follows."""
        return self.times * self.border(frames // self.times + self.chunk)

    def first_token(self, frames: int, context: int | None) -> int:
        """The first token to encode, if so many frames were made and ``context`` are seen.

        It moves on by two chunks at a time, so that two chunks can be encoded together.
        """
        if context is None:
            return 0
        pair = 2 * self.chunk
        place = (frames - context) // self.times + self.shift
        return max(0, place // pair * pair - self.shift)

    def encoded_together(self, start: int, end: int, context: int) -> Iterator[tuple[int, int]]:
        """Cut frames, by their first and last, into runs of chunks that share a first token."""
        while start < end:
            stop, first = self.after(start), self.first_token(start, context)
            while stop < end and self.first_token(stop, context) == first:
                stop = self.after(stop)
            yield start, min(stop, end)
            start = stop
