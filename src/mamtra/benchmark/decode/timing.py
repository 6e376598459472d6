"""How long the language model takes: to read a prompt, and for each token after any length.

What is timed is what speaking does for each token: a step of the model and drawing the next id with
the sampling that the model would use. Steps are timed in blocks, and the median block counts, so
that another process's burst is not taken for the model's cost.

Nobody has to wait for 16,000 tokens to time a step after them: what a step costs depends on how
much is stored, not on what, so states are filled with random numbers. And no step can be faster
than memory: a token needs every weight once, so the rate of copying a large block is measured too.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.backbone import StackState
from mamtra.backbone.state import KeyValueState, ScanState
from mamtra.benchmark.decode.baseline import Baseline, BaselineState
from mamtra.benchmark.decode.engine_model import offered
from mamtra.benchmark.memory import held_now, wait_for
from mamtra.errors import ConfigError
from mamtra.generation.draws import draws_for
from mamtra.generation.guard import GuardConfig
from mamtra.generation.request import Request, Row
from mamtra.generation.sampling import SamplingConfig
from mamtra.runtime.guided_state import GuidedState
from mamtra.runtime.onnx.state import OnnxState, read_so_far
from mamtra.runtime.torch.speech_model import as_array
from mamtra.sizing.sizes import TOKENS_PER_SECOND
from mamtra.speech_lm import Segment, SpeechLMConfig, cross_lingual
from mamtra.speech_lm.prompt import SpeakerPrompt, conditioned

WARM_STEPS = 2  # not counted: first touches of memory, kernels chosen, graphs captured

MOST_READS = 2  # of a prompt that are timed: it takes as long as many steps
GOLDEN = (5**0.5 - 1) / 2  # multiples of it, without their whole part, spread evenly
SPREAD = 0.1  # standard deviation of scan states, so that nothing overflows
ENDLESS = GuardConfig(min_per_text_token=1e9, max_per_text_token=1e9)
BLOCK_BYTES = {"cpu": 256 * 2**20, "cuda": 2**30}  # larger than any cache
COPIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds of one thing, measured several times.

    Attributes:
        seconds: on the clock.
        cpu_seconds: of all threads of this process; other processes hardly change them.
    """

    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.seconds)


def timed(work: Callable[[], Any], device: torch.device, repeats: int) -> Timing:
    """Run something several times; a device's queue is empty before and after each."""
    seconds, cpu_seconds = [], []
    for _ in range(repeats):
        wait_for(device)
        started, busy = time.perf_counter(), time.process_time()
        work()
        wait_for(device)
        seconds.append(time.perf_counter() - started)
        cpu_seconds.append(time.process_time() - busy)
    return Timing(seconds=tuple(seconds), cpu_seconds=tuple(cpu_seconds))


def bytes_per_second(device: torch.device) -> float:
    """Bytes read and written in a second by the best of a few copies."""
    count = BLOCK_BYTES.get(device.type, BLOCK_BYTES["cpu"])
    source = torch.ones(count, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    best = min(timed(lambda: target.copy_(source), device, COPIES).seconds)
    return 2 * count / best


@torch.inference_mode()
def fill_stack(state: StackState, tokens: int) -> None:
    """Let every row have read so many tokens.

    Raises:
        ConfigError: a layer's memory is of a kind that is not known here.
    """
    for layer in state.layers:
        match layer:
            case KeyValueState():
                layer.reserve(tokens)
                layer.keys[:, :, :tokens].normal_()
                layer.values[:, :, :tokens].normal_()
            case ScanState():
                layer.scan.normal_(0, SPREAD)
                layer.window.normal_()
            case _:
                raise ConfigError(f"nobody wrote down how to fill a {type(layer).__name__}")
    state.positions = [tokens] * len(state.positions)


def fill_arrays(state: OnnxState, tokens: int) -> None:
    """The same for the arrays of a graph."""
    generator = np.random.default_rng(0)
    state.reserve(tokens)
    for name, array in state.arrays.items():
        axis = state.cached.get(name)
        filled = array if axis is None else read_so_far(array, tokens, axis)
        for row in filled:
            row[...] = generator.standard_normal(row.shape, np.float32) * np.float32(SPREAD)
    state.positions = [tokens] * len(state.positions)


def fill_guided(state: GuidedState, tokens: int) -> None:
    """The same for both rows beneath each stream.

    None of the tokens counts as speech, so a stream may hold more than it has positions to speak.
    """
    if isinstance(state.beneath, OnnxState):
        fill_arrays(state.beneath, tokens)
    else:
        fill_stack(state.beneath, tokens)
    state.positions = [tokens] * len(state.positions)


def filled_state(
    model: Any, tokens: int, batch: int, room: int
) -> StackState | BaselineState | OnnxState | GuidedState:
    """A new memory of ``batch`` streams that hold ``tokens``, with room for some more.

    Args:
        model: what speaks: a speech LM, an engine around one, or the baseline.
        tokens: that each stream has read.
        batch: streams.
        room: further tokens that will be read.
    """
    state = model.new_state(batch, tokens + room)
    if isinstance(state, OnnxState):
        fill_arrays(state, tokens)
    elif isinstance(state, GuidedState):
        fill_guided(state, tokens)
    elif isinstance(state, BaselineState):
        assert isinstance(model, Baseline)
        sizes = model.backbone
        with torch.device(model.device), torch.inference_mode():
            state.fill(tokens, sizes.kv_heads, sizes.head_dim, sizes.layers)
    else:
        fill_stack(state, tokens)
    return state


class Speaker:
    """Streams that speak on and on; ends are forbidden, so none stops.

    Ids are drawn as speaking draws them: by the engine, where it can.

    Args:
        model: what speaks.
        state: its memory.
        batch: streams.
        logits: of the first id of each stream; all ids are alike without.

    Attributes:
        histories: what each stream has said.
    """

    def __init__(
        self,
        model: Any,
        state: Any,
        batch: int,
        logits: Float[Tensor, "batch ids"] | Float[np.ndarray, "batch ids"] | None = None,
    ) -> None:
        self.state, self.begun = state, False
        if logits is None:
            logits = np.zeros((batch, model.vocabulary.size), np.float32)
        given = as_array(logits) if isinstance(logits, Tensor) else logits
        self.draws = draws_for(offered(model), batch, SamplingConfig())
        self.rows = [Row.of(n, Request.of([0], seed=n), ENDLESS) for n in range(batch)]
        for slot, row in enumerate(self.rows):
            self.draws.begin(slot, row, given[slot])

    @property
    def histories(self) -> list[list[int]]:
        """What each stream has said."""
        return [row.history for row in self.rows]

    def speak(self, steps: int) -> None:
        """Go on by so many ids."""
        for _ in range(steps):
            if self.begun:  # the first id is drawn from what was read
                self.draws.step(self.rows, self.state)
            self.begun = True
            for _, row, token in self.draws.take(self.rows, self.state):
                row.history.append(token)


def decode_row(model: Any, context: int, batch: int, steps: int, repeats: int) -> dict[str, Any]:
    """Cost of a token when so many were read: bytes, seconds, tokens a second, times real time.

    Args:
        model: what speaks.
        context: tokens that each row holds.
        batch: rows.
        steps: tokens in a timed block; 0 only counts bytes.
        repeats: blocks.
    """
    room = (WARM_STEPS + steps * repeats) if steps else 0
    before = held_now(model.device)
    speaker = Speaker(model, filled_state(model, context, batch, room), batch)
    after = held_now(model.device)
    row = {"context": context, "batch": batch, "state_bytes": speaker.state.nbytes}
    if before is not None and after is not None:
        row["measured_bytes"] = after - before
    if steps:
        speaker.speak(WARM_STEPS)
        timing = timed(lambda: speaker.speak(steps), model.device, repeats)
        rate = batch * steps / timing.median
        row |= {
            "seconds_per_step": timing.median / steps,
            "cpu_seconds_per_step": statistics.median(timing.cpu_seconds) / steps,
            "tokens_per_second": rate,
            "tokens_per_cpu_second": batch * steps / statistics.median(timing.cpu_seconds),
            "best_tokens_per_second": batch * steps / min(timing.seconds),
            "times_real_time": rate / batch / TOKENS_PER_SECOND,
        }
    return row


def around(config: SpeechLMConfig, text: Sequence[int]) -> list[Segment]:
    """A text between its marks; for a model that reads voices, after one."""
    sizes = config.conditioning
    if sizes is None:
        return cross_lingual(text)
    prompt = tuple(index % config.speech_vocabulary for index in range(sizes.prompt_tokens))
    voice = SpeakerPrompt(speaker=(SPREAD,) * sizes.speaker_dim, prompt=prompt)
    return conditioned(text, voice, sizes)


def beside_text(config: SpeechLMConfig) -> int:
    """Positions of a prompt that are no text."""
    return sum(len(segment.ids) for segment in around(config, []))


def prompt_of(model: Any, tokens: int) -> list[Segment]:
    """A prompt of so many positions: what stands beside every text, and text of mostly small ids.

    A vocabulary of byte pairs numbers its pieces by how often they were met, so the ids of a real
    text are about evenly spread in their logarithm.
    """
    largest = model.config.text_vocabulary
    spread = (index * GOLDEN % 1 for index in range(max(1, tokens - beside_text(model.config))))
    return around(model.config, [int(largest**share) - 1 for share in spread])


def prefill_row(model: Any, tokens: int, repeats: int) -> dict[str, Any]:
    """Cost of reading a prompt of so many tokens, one stream."""
    prompt = prompt_of(model, tokens)
    tokens = sum(len(segment.ids) for segment in prompt)  # a voice may be longer than asked for

    def read() -> None:
        """From an empty memory, as every text begins."""
        model.read([prompt], model.new_state(1, tokens))

    read()
    timing = timed(read, model.device, min(repeats, MOST_READS))
    return {
        "tokens": tokens,
        "seconds": timing.median,
        "cpu_seconds": statistics.median(timing.cpu_seconds),
        "tokens_per_second": tokens / timing.median,
        "tokens_per_cpu_second": tokens / statistics.median(timing.cpu_seconds),
    }
