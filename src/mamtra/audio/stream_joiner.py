"""Joining pieces of speech that are still being spoken: pauses and fades as they are decided live.

Does what ``joiner.Joiner`` does, but never waits for the end of a piece. Whether a sound is loud
is therefore judged against the loudest so far, not against the loudest of its whole piece. Each
decision depends on the samples before it alone, so the result is the same however a piece is cut.

Held back are the last five milliseconds, for the fade, and silence that may turn out to be the end.
"""

import numpy as np

from mamtra.audio.joiner import (
    FADE_SECONDS,
    FRAME_SECONDS,
    KEPT_SECONDS,
    QUIET,
    Samples,
)

NOTHING = np.zeros(0, np.float32)


class StreamJoiner:
    """Takes the sound of one piece after the other in chunks of any size.

    The start of the first and the end of the last piece stay as they were spoken.

    Args:
        rate: samples a second.

    Attributes:
        loudest: of all samples so far.
        held: samples of the current piece that are not out yet.
        judged: how many of those were compared with the loudest.
        wanted: how many of those belong to the sound, with a little silence after it.
        begun: whether sound was heard in the current piece.
        position: samples of the current piece that are out.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.fade = round(FADE_SECONDS * rate)
        self.frame, self.kept = round(FRAME_SECONDS * rate), round(KEPT_SECONDS * rate)
        self.ramp = np.sin(np.linspace(0, np.pi / 2, self.fade, dtype=np.float32)) ** 2
        self.loudest, self.held = 0.0, NOTHING
        self.judged = self.wanted = self.position = 0
        self.begun = True

    def judge(self, end: int) -> None:
        """Compare the held samples up to here with the loudest, frame by frame."""
        while self.judged < end:
            after = min(self.judged + self.frame, end)
            peak = float(np.abs(self.held[self.judged : after]).max())
            self.loudest = max(self.loudest, peak)
            if peak > QUIET * self.loudest:
                if not self.begun:
                    silence = max(0, self.judged - self.kept)
                    self.held, self.begun = self.held[silence:], True
                    after, end = after - silence, end - silence
                self.wanted = after + self.kept
            self.judged = after

    def release(self, count: int) -> Samples:
        """Hand out held samples; the first of a piece rise from zero."""
        out, self.held = self.held[:count].copy(), self.held[count:]
        rising = self.ramp[self.position : self.position + count]
        out[: len(rising)] *= rising
        self.position += count
        self.judged = max(0, self.judged - count)
        self.wanted = max(0, self.wanted - count)
        return out

    def push(self, samples: Samples) -> Samples:
        """Take the next samples of the current piece; what is settled by now."""
        if not len(samples):
            return NOTHING
        self.held = np.concatenate([self.held, samples])
        whole_frames = (len(self.held) - self.judged) // self.frame
        self.judge(self.judged + whole_frames * self.frame)
        if not self.begun:
            return NOTHING
        settled = min(len(self.held), self.wanted) - self.fade
        return self.release(max(0, min(settled, self.judged)))

    def end(self, *, last: bool) -> Samples:
        """End the current piece: fall to zero after its sound, or after all of it."""
        self.judge(len(self.held))
        count = len(self.held)
        if not last and self.begun:
            count = min(count, self.wanted)
        out = self.release(count)
        falling = self.ramp[::-1][-len(out) :] if len(out) else NOTHING
        out[len(out) - len(falling) :] *= falling
        self.held, self.judged, self.wanted = NOTHING, 0, 0
        return out

    def next_piece(self, pause_seconds: float) -> Samples:
        """The end of the piece that was spoken, and the pause before the one that follows."""
        out = self.end(last=False)
        self.begun, self.position = False, 0
        return np.concatenate([out, np.zeros(round(pause_seconds * self.rate), np.float32)])

    def finish(self) -> Samples:
        """What is left when no piece follows."""
        return self.end(last=True)
