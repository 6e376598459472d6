"""The speech language model run by onnxruntime.

One graph reads prompts and single steps. States are numpy arrays that the graph reads and writes
where they lie, so a step copies nothing and allocates nothing. Prompts are read row by row, each
into its own part of the batch's arrays; a step takes all rows at once.

Where many query heads share a key there are two graphs: one with the fewest nodes, the fastest for
one stream of few ids, and one whose attention reads each key once. A model begins with the first
and goes on with the second as soon as there are several rows or many ids.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mamtra.errors import ConfigError
from mamtra.runtime.onnx.session import open_session, sizes_of, value_of
from mamtra.runtime.onnx.state import Given, OnnxState, Step, check_ids, check_prompts
from mamtra.speech_lm.prompt import Segment
from mamtra.speech_lm.reading import ReadingConfig, looked_at
from mamtra.speech_lm.vocabulary import SPECIAL_ROWS, SpeechVocabulary

TABLE_TOKENS = 2048  # rotary tables are made for a multiple of this many positions
SHORT_TOKENS = 1024  # of one stream; up to here the graph with the fewest nodes is faster
BATCH, CAPACITY = "batch", "capacity"  # axes of states whose sizes are not fixed


def short_form(path: Path) -> Path:
    """Where the graph for one stream of few ids lies, beside the graph for any number."""
    return path.with_suffix(".short.onnx")


class OnnxSpeechModel:
    """A speech model from its graph.

    Args:
        path: of the graph for any number of rows and ids.
        threads: that compute.
        reading: the head that follows the text, if the graph shows its queries.
        streams: that are expected at once.

    Attributes:
        first: the first id of each kind in the graph's numbering.
        conditioning: sizes of a model that reads voices; ``guided.py`` runs it.

    Raises:
        ModelError: the graph is missing or damaged.
    """

    fixed_width = False
    steps_first_rows = True

    def __init__(
        self,
        path: Path,
        threads: int = 1,
        reading: ReadingConfig | None = None,
        streams: int = 1,
    ) -> None:
        self.threads, self._path = threads, path
        short = short_form(path)
        self._is_short = streams == 1 and path.is_file() and short.is_file()
        sizes = self._open(short if self._is_short else path)
        self.vocabulary = SpeechVocabulary(
            **sizes.get("marks", {"codes": sizes["speech_vocabulary"]})
        )
        self.text_vocabulary: int = sizes["text_vocabulary"]
        self._theta: float = sizes["rope_theta"]
        shown = sizes.get("reading")
        self.reading = reading if reading and shown == [reading.layer, reading.head] else None
        self._queries_for_a_key: int = sizes.get("queries_for_a_key", 1)
        self._frequencies: list[float] | None = sizes.get("frequencies")
        self.conditioning: dict[str, Any] | None = sizes.get("conditioning")
        self._tables: list[Any] = []
        self._table_tokens = 0
        self.first = {"special": 0, "speech": SPECIAL_ROWS}
        self.first["text"] = SPECIAL_ROWS + self.vocabulary.size
        self.first["voice"] = self.first["text"] + self.text_vocabulary

    def _open(self, path: Path) -> dict[str, Any]:
        """Open a graph; returns the sizes that it notes."""
        self._session: Any = open_session(path, self.threads)
        inputs: dict[str, list[Any]] = {
            entry.name: list(entry.shape) for entry in self._session.get_inputs()
        }
        self._table_width = inputs["cosine"][1] if "cosine" in inputs else 0
        self._no_voice = (
            np.zeros((1, inputs["voice"][1]), np.float32) if "voice" in inputs else None
        )
        outputs = {entry.name for entry in self._session.get_outputs()}
        self._states = {name: shape for name, shape in inputs.items() if f"next.{name}" in outputs}
        self._cached = {
            name: shape.index(CAPACITY) for name, shape in self._states.items() if CAPACITY in shape
        }
        return sizes_of(self._session, path)

    def _fit(self, state: OnnxState | None, rows: int, tokens: int) -> None:
        """Go on with the graph for any number where rows or ids are many; a state follows."""
        if self._is_short and (rows > 1 or tokens > SHORT_TOKENS):
            if state is not None:
                state.steps.clear()
            self._session = None  # its weights first, unless another stream still holds them
            self._open(self._path)
            self._is_short = False
        if state is not None:
            state.turn(self._cached)

    def new_state(self, batch: int, capacity_hint: int = 0) -> OnnxState:
        """An empty state for so many rows."""
        self._fit(None, batch, 0)
        known: dict[Any, Any] = {BATCH: batch, CAPACITY: capacity_hint}
        arrays = {
            name: np.zeros([known.get(size, size) for size in shape], np.float32)
            for name, shape in self._states.items()
        }
        queries = None
        if self.reading is not None:
            queries = np.zeros((batch, capacity_hint, 2 * self._table_width), np.float32)
        return OnnxState(arrays, self._cached, [0] * batch, queries)

    def _reserve_tables(self, tokens: int) -> None:
        """Make rotary tables for so many positions, in float32 as in training."""
        if tokens <= self._table_tokens or not self._table_width:
            return
        tokens = -(-tokens // TABLE_TOKENS) * TABLE_TOKENS
        steps = np.arange(0, 2 * self._table_width, 2, dtype=np.float32) / np.float32(
            2 * self._table_width
        )
        frequency = np.float32(1) / np.float32(self._theta) ** steps
        if self._frequencies is not None:
            frequency = np.array(self._frequencies, np.float32)
        angle = np.outer(np.arange(tokens, dtype=np.float32), frequency)
        self._tables = [value_of(np.cos(angle)), value_of(np.sin(angle))]
        self._table_tokens = tokens

    def _bind(
        self, state: OnnxState, rows: slice, time: int, voice: np.ndarray | None = None
    ) -> Step:
        """Bind the graph to rows of a state, where they lie."""
        count = len(state.positions[rows])
        ids, positions, places = (np.zeros((count, time), np.int64) for _ in range(3))
        logits = np.zeros((count, self.vocabulary.size), np.float32)
        binding = self._session.io_binding()
        named: dict[str, np.ndarray] = {"ids": ids, "positions": positions}
        if self._no_voice is not None:
            named |= {"places": places, "voice": self._no_voice if voice is None else voice}
        named |= {name: array[rows] for name, array in state.arrays.items()}
        for name, array in named.items():
            binding.bind_ortvalue_input(name, value_of(array))
        for name, table in zip(("cosine", "sine"), self._tables, strict=False):
            binding.bind_ortvalue_input(name, table)
        outputs = {f"next.{name}": named[name] for name in state.arrays} | {"logits": logits}
        queries = None
        if state.queries is not None:
            queries = np.zeros((count, time, state.queries.shape[2]), np.float32)
            outputs["queries"] = queries
        for name, array in outputs.items():
            binding.bind_ortvalue_output(name, value_of(array))
        tables = self._table_tokens
        return Step(self._session, binding, ids, positions, places, logits, queries, tables)

    def read(
        self, rows: Sequence[Sequence[Segment]], state: OnnxState
    ) -> Float[np.ndarray, "rows ids"]:
        """Continue each row by segments; logits of the id that follows each row's last one.

        Raises:
            ConfigError: the rows do not fit the state, or a row brings nothing.
        """
        flat = [
            [self.first[part.kind] + id_ for part in segments for id_ in part.ids]
            for segments in rows
        ]
        return self.read_given([Given(ids) for ids in flat], state)

    def read_given(self, rows: Sequence[Given], state: OnnxState) -> Float[np.ndarray, "rows ids"]:
        """The same of ids in the graph's numbering.

        Raises:
            ConfigError: the rows do not fit the state, or a row brings nothing.
        """
        check_prompts(len(rows), len(state.positions))
        if not all(given.ids for given in rows):
            raise ConfigError("a row brings no ids; give each at least one")
        ends = [start + len(each.ids) for start, each in zip(state.positions, rows, strict=True)]
        self._fit(state, len(rows), max(ends))
        state.reserve(max(ends))
        self._reserve_tables(max(ends))
        logits = np.empty((len(rows), self.vocabulary.size), np.float32)
        for row, (given, end) in enumerate(zip(rows, ends, strict=True)):
            bound = self._bind(state, slice(row, row + 1), len(given.ids), given.voice)
            bound.ids[0], bound.places[0] = given.ids, given.places
            bound.positions[0] = np.arange(state.positions[row], end)
            self._session.run_with_iobinding(bound.binding)
            logits[row] = bound.logits[0]
            if state.queries is not None and bound.queries is not None:
                state.queries[row, state.positions[row] : end] = bound.queries[0]
            state.positions[row] = end
        return logits

    def step(
        self, ids: Sequence[int], state: OnnxState, places: Sequence[int] | int = 0
    ) -> Float[np.ndarray, "rows ids"]:
        """Continue each row, or the first rows, by one speech id; logits of the next.

        Args:
            ids: one for each row that goes on.
            state: of the batch.
            places: learned positions of the ids, for a model that has them.

        Raises:
            ConfigError: the ids do not fit the state.
        """
        count = len(ids)
        check_ids(count, len(state.positions))
        end = max(state.positions[:count]) + 1
        self._fit(state, count, end)
        state.reserve(end)
        self._reserve_tables(end)
        bound = state.steps.get(count)
        if bound is None or bound.tables != self._table_tokens:
            bound = state.steps[count] = self._bind(state, slice(0, count), 1)
        bound.ids[:, 0] = ids
        bound.ids += self.first["speech"]
        bound.places[:, 0] = places
        bound.positions[:, 0] = state.positions[:count]
        self._session.run_with_iobinding(bound.binding)
        if state.queries is not None and bound.queries is not None:
            state.queries[np.arange(count), state.positions[:count]] = bound.queries[:, 0]
        for row in range(count):
            state.positions[row] += 1
        return bound.logits.copy()

    def looked(
        self, segments: Sequence[Segment], speech: Sequence[int], state: OnnxState, row: int
    ) -> Float[np.ndarray, "speech positions"]:
        """How the reading head looked at the prompt as each speech id was drawn."""
        assert self.reading is not None
        assert state.queries is not None
        prompt = sum(len(segment.ids) for segment in segments)
        first, end = prompt - 1, prompt - 1 + len(speech)
        self._reserve_tables(end)
        cosine, sine = (table.numpy()[first:end] for table in self._tables)
        half = state.queries[row, first:end, : self._table_width]
        other = state.queries[row, first:end, self._table_width :]
        rotated = np.concatenate([half * cosine - other * sine, other * cosine + half * sine], 1)
        key_head = self.reading.head // self._queries_for_a_key
        keys = state.arrays[f"keys.{self.reading.layer}"][row, key_head, :end]
        return looked_at(rotated, keys)[:, :prompt]
