"""Speaking while the text is still arriving (bi-stream).

Text and speech alternate: 5 text ids are read, up to 15 speech ids are drawn, and when a block is
full, or the model draws the fill mark, the next 5 text ids are read on top of the same state in
one pass. When the text ends, its rest and the task mark are read and the speech is drawn to its
end. A prompt's text and speech are laid out in the same blocks.

Three things differ from the original code, which errs there: the last speech id before the final
part is read once, not twice; prompt speech that the text was too short for is read after the task
mark instead of being dropped; and the length is bounded by the guard.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mamtra.errors import TextError
from mamtra.generation.continuous_batching import RESERVED_TOKENS
from mamtra.generation.guard import GuardConfig, LoopDetector, StopReason
from mamtra.generation.randomness import seeded
from mamtra.generation.request import Stopped, Token
from mamtra.generation.sampling import SamplingConfig, choose
from mamtra.runtime.protocols import SpeechModel
from mamtra.speech_lm.prompt import (
    MIX,
    START_SEGMENT,
    TASK_SEGMENT,
    MixRatio,
    Segment,
    speech_segment,
    text_segment,
)


@dataclass(slots=True)
class Interleaver:
    """Lays out arriving text, and a prompt's speech, in blocks.

    Attributes:
        text: text ids that wait for a full block.
        speech: prompt speech that waits for its text.
    """

    mix: MixRatio
    text: list[int]
    speech: list[int]

    def block(self) -> tuple[list[Segment], int] | None:
        """The next block and how many speech ids it leaves to the model; None until text comes."""
        if len(self.text) < self.mix.text:
            return None
        text, self.text = self.text[: self.mix.text], self.text[self.mix.text :]
        speech, self.speech = self.speech[: self.mix.speech], self.speech[self.mix.speech :]
        return [text_segment(text), speech_segment(speech)], self.mix.speech - len(speech)

    def tail(self) -> list[Segment]:
        """What is left once the text has ended."""
        return [text_segment(self.text), TASK_SEGMENT, speech_segment(self.speech)]


class BiStream:
    """One text on its way: the state, what still has to be read, and what was drawn.

    Attributes:
        pending: segments to read before the next id is drawn.
        history: everything drawn, fill marks included.
        reason: why it stopped, once it has.
    """

    def __init__(
        self,
        model: SpeechModel,
        seed: int,
        sampling: SamplingConfig,
        guard: GuardConfig,
        lead: Sequence[int] = (),
    ) -> None:
        self.model, self.sampling = model, sampling
        self.source = seeded(seed)
        self.detector = LoopDetector(guard)
        self.state = model.new_state(1, RESERVED_TOKENS)
        self.pending: list[Segment] = [START_SEGMENT]
        if lead:
            self.pending.append(text_segment(lead))
        self.history: list[int] = []
        self.spoken = 0
        self.reason: StopReason | None = None

    def read(self, segments: list[Segment]) -> Float[np.ndarray, " ids"]:
        """Read what is pending and these segments in one pass; logits of the next id."""
        segments, self.pending = [*self.pending, *segments], []
        return self.model.read([segments], self.state)[0]

    def draw(self, logits: Float[np.ndarray, " ids"], forbidden: list[int]) -> int:
        """Draw the next id and note it."""
        token = choose(logits, forbidden, self.history, self.source, self.sampling)
        self.history.append(token)
        return token

    def say(self, token: int) -> Token:
        """Count a speech id in."""
        self.spoken += 1
        self.reason = self.detector.update(token)
        return Token(0, token)

    def step(self, token: int) -> Float[np.ndarray, " ids"]:
        """Continue by one speech id."""
        return self.model.step([token], self.state)[0]

    def fill(self, segments: list[Segment], room: int) -> Iterator[Token]:
        """Read a block and speak until the model asks for text, or for ``room`` ids."""
        vocabulary = self.model.vocabulary
        forbidden = list(vocabulary.forbidden(may_end=False, may_fill=True))
        logits = self.read(segments)
        for left in range(room - 1, -1, -1):
            token = self.draw(logits, forbidden)
            if token == vocabulary.fill:
                return
            if token in vocabulary.stops:
                self.reason = "end"
                return
            yield self.say(token)
            if self.reason is not None:
                return
            if left:
                logits = self.step(token)
        # the block is full: the last id is read together with the next text
        self.pending = [speech_segment(self.history[-1:])]
        self.history.append(vocabulary.fill)

    def finish(self, segments: list[Segment], least: int, most: int) -> Iterator[Token]:
        """Read the rest and speak to the end, or until ``most`` ids were spoken altogether."""
        vocabulary = self.model.vocabulary
        logits = self.read(segments)
        while self.spoken < most:
            forbidden = vocabulary.forbidden(may_end=self.spoken >= least)
            token = self.draw(logits, list(forbidden))
            if token in vocabulary.stops:
                self.reason = "end"
                return
            yield self.say(token)
            if self.reason is not None:
                return
            logits = self.step(token)
        self.reason = "budget"


def stream_bistream(
    model: SpeechModel,
    text: Iterable[Sequence[int]],
    prompt_text: Sequence[int] = (),
    prompt_speech: Sequence[int] = (),
    seed: int = 0,
    sampling: SamplingConfig | None = None,
    guard: GuardConfig | None = None,
    lead: Sequence[int] = (),
) -> Iterator[Token | Stopped]:
    """Speak text that arrives in pieces; yields ids as they are drawn, and the end.

    Args:
        model: a speech LM that was trained on the bi-stream layout.
        text: pieces of text ids; the next is asked for only when the model needs it.
        prompt_text: words of the prompt.
        prompt_speech: speech of the prompt.
        seed: of the draws.
        sampling: how ids are drawn.
        guard: bounds on the length, and what counts as a loop.
        lead: text ids that are read before the first block, as CosyVoice 3's instruction.

    Raises:
        TextError: the text ended without a single id.
    """
    guard = guard or GuardConfig()
    speaker = BiStream(model, seed, sampling or SamplingConfig(), guard, lead)
    layout = Interleaver(MIX, list(prompt_text), list(prompt_speech))
    text_tokens = 0
    for piece in text:
        layout.text += piece
        text_tokens += len(piece)
        while text_tokens and (block := layout.block()) is not None:
            segments, room = block
            if not room:
                speaker.pending += segments
                continue
            yield from speaker.fill(segments, room)
            if speaker.reason is not None:
                break
        if speaker.reason is not None:
            break
    if not text_tokens:
        raise TextError("the text ended before its first id; give at least one text id")
    if speaker.reason is None:
        bounds = guard.least(text_tokens), guard.most(text_tokens)
        yield from speaker.finish(layout.tail(), *bounds)
    reason: StopReason = speaker.reason or "end"
    looped = reason in ("repetition", "silence")
    yield Stopped(0, reason, speaker.detector.surplus if looped else 0, speaker.state.nbytes)
