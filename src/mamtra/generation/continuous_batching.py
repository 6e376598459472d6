"""Texts side by side in one memory, where a finished row's place goes to the next text.

A batch has a few places. Each holds a text while it is spoken: its part of the memory, its random
generator and its watchdog. When a text ends, the next one is read by itself and put into the free
place while the others go on, so the memory depends on the number of places and never on the number
of texts. When no text is left, the batch becomes narrower.

What a row says does not depend on its neighbours: it is read alone, draws from its own generator
and is masked from their memories. One thing is shared, the matrix products:

- float32: in another width they may round the last bit of a logit differently, and a draw that
  falls within that bit of a boundary differs from the same text spoken alone; by estimate one id in
  10^5 to 10^6. Tests compare ids exactly and logits within 1e-5; of 60 sentences of nano in 2, 5
  and 8 places (11,600 ids) none differed.
- bfloat16: the same with far coarser bits, so texts may differ.
- int8: products are exact, as each row is rounded on a scale of its own; what is left in float32 is
  as above. Of 12 sentences in a batch of 12 none differed.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.backbone import StackState
from mamtra.generation.guard import GuardConfig
from mamtra.generation.request import Request, Row, SpeechModel, Stopped, Token
from mamtra.generation.sampling import SamplingConfig, choose

RESERVED_TOKENS = 512  # room made in advance for the answer; longer ones grow in steps
IDLE_ID = 0  # what a place without a text is given to read


Job = tuple[int, Request]  # the row's number in what is yielded, and its text


def replays(device: torch.device) -> bool:
    """Whether steps may be recorded for one width, so that widths should rarely change."""
    return device.type == "cuda"


class Places:
    """The rows of one running batch and the memory that they share.

    Args:
        model: what speaks.
        jobs: one text for each place.
        guard: the limits of each row.

    Attributes:
        rows: the text of each place, None where it is free.
        logits: of the next id of each place.
    """

    def __init__(self, model: SpeechModel, jobs: Sequence[Job], guard: GuardConfig) -> None:
        self.model, self.guard = model, guard
        self.rows: list[Row | None] = [None] * len(jobs)
        self.state: StackState | None = None
        self.logits: Float[Tensor, "places ids"] | None = None
        self.capacity = max(self.room_for(request) for _, request in jobs)
        for place, job in enumerate(jobs):
            self.put(place, job)

    def room_for(self, request: Request) -> int:
        """Tokens of memory that a text will probably need."""
        most = self.guard.most(request.text_tokens)
        return request.length + min(most, RESERVED_TOKENS)

    @torch.inference_mode()
    def put(self, place: int, job: Job) -> None:
        """Read a text and let it be spoken in a place."""
        index, request = job
        lone = len(self.rows) == 1
        own = self.model.new_state(1, self.room_for(request) if lone else request.length)
        logits = self.model.read([request.segments], own)
        self.rows[place] = Row.of(index, request, self.guard)
        if lone:
            self.state, self.logits = own, logits
            return
        if self.state is None:
            self.state = self.model.new_state(len(self.rows), self.capacity)
        self.state.copy_row(place, own)
        # cloned, because an engine may hand out its own buffer
        known = logits.repeat(len(self.rows), 1) if self.logits is None else self.logits.clone()
        known[place] = logits[0]
        self.logits = known

    @property
    def busy(self) -> list[int]:
        """Places that hold a text."""
        return [place for place, row in enumerate(self.rows) if row is not None]

    @property
    def bytes_per_place(self) -> int:
        """What the memory takes for each place."""
        assert self.state is not None
        return self.state.nbytes // len(self.rows)

    def choose(self, sampling: SamplingConfig) -> list[tuple[int, Row, int]]:
        """Draw the next id of each text: place, row and id."""
        assert self.logits is not None
        held = [(place, row) for place, row in enumerate(self.rows) if row is not None]
        rows = [row for _, row in held]
        logits = self.logits if len(held) == len(self.rows) else self.logits[self.busy]
        chosen = choose(
            logits,
            [row.forbidden(self.model.vocabulary) for row in rows],
            [row.history for row in rows],
            [row.generator for row in rows],
            sampling,
        )
        return [(place, row, token) for (place, row), token in zip(held, chosen, strict=True)]

    def narrow(self, spare: int) -> None:
        """Give up free places but for ``spare`` ones.

        Where steps are replayed, a batch keeps its width until half of it is free. Free places read
        on at position 0, where nothing grows.
        """
        assert self.state is not None
        wanted = len(self.busy) + spare
        if wanted < len(self.rows) and (
            2 * wanted <= len(self.rows) or not replays(self.model.device)
        ):
            free = [place for place, row in enumerate(self.rows) if row is None]
            kept = sorted([*self.busy, *free[:spare]])
            self.state.keep_rows(kept)
            self.rows = [self.rows[place] for place in kept]
            self.logits = None
        for place, row in enumerate(self.rows):
            if row is None:
                self.state.positions[place] = 0

    def step(self) -> None:
        """Let each text go on by the id that it drew last."""
        assert self.state is not None
        ids = [IDLE_ID if row is None else row.history[-1] for row in self.rows]
        self.logits = self.model.step(torch.tensor(ids, device=self.model.device), self.state)

    def fill(self, jobs: Sequence[Job]) -> None:
        """Put texts into free places."""
        free = [place for place, row in enumerate(self.rows) if row is None]
        for place, job in zip(free, jobs, strict=False):
            self.put(place, job)


def speak(
    model: SpeechModel,
    next_job: Callable[[], Job | None],
    places: int,
    sampling: SamplingConfig,
    guard: GuardConfig,
) -> Iterator[Token | Stopped]:
    """Speak texts in so many places; yields ids as they are drawn, and the end of each row.

    Args:
        model: what speaks.
        next_job: asked for a text for each free place; None if there are no more. A row's end is
            yielded before, so the same text may be handed out again with another seed.
        places: how many texts are spoken at once.
        sampling: how ids are drawn.
        guard: the limits of each row.
    """
    jobs = list(islice(iter(next_job, None), places))
    if not jobs:
        return
    batch = Places(model, jobs, guard)
    while True:
        jobs = []
        for place, row, token in batch.choose(sampling):
            reason = "end" if token == model.vocabulary.end else row.take(token)
            if token != model.vocabulary.end:
                yield Token(row.index, token)
            if reason is not None:
                yield row.stopped(reason, batch.bytes_per_place)
                batch.rows[place] = None
                if (job := next_job()) is not None:
                    jobs.append(job)
        if not batch.busy and not jobs:
            return
        batch.narrow(len(jobs))
        if batch.busy:
            batch.step()
        batch.fill(jobs)
