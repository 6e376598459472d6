"""A loaded model that any number of threads may use: one call at a time goes through to the engine.

Engines work in buffers of their own, so two calls at once would mix what they say. States are
arguments and results are copies, so between two calls nothing is shared: streams interleave, and
each says what it says alone. Decoder and vocoder of an engine that holds nothing but weights need
no lock.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mamtra.runtime.draws import DrawingModel, DrawRule
from mamtra.runtime.protocols import ChunkDecoder, LoadedModel


def alone(name: str) -> Callable[..., Any]:
    """A method of the wrapped part that runs while no other one of its model does."""

    def call(self: "Exclusive", *given: Any, **named: Any) -> Any:
        with self.lock:
            return getattr(self.wrapped, name)(*given, **named)

    return call


def asked(name: str) -> Any:
    """A property: a value of the wrapped part, which needs no lock."""

    def value(self: "Exclusive") -> Any:
        return getattr(self.wrapped, name)

    return property(value)


class Exclusive:
    """A part of a model behind a lock; its methods and values are those of the protocol."""

    def __init__(self, wrapped: Any, lock: threading.Lock) -> None:
        self.wrapped, self.lock = wrapped, lock


class ExclusiveSpeechModel(Exclusive):
    """A speech model behind a lock."""

    vocabulary, text_vocabulary = asked("vocabulary"), asked("text_vocabulary")
    fixed_width, steps_first_rows = asked("fixed_width"), asked("steps_first_rows")
    reading = asked("reading")
    new_state, read, step, looked = (
        alone("new_state"),
        alone("read"),
        alone("step"),
        alone("looked"),
    )

    def draws(self, rows: int, rule: DrawRule) -> "ExclusiveDraws | None":
        """Draws of the wrapped model, if it offers them."""
        if not isinstance(self.wrapped, DrawingModel):
            return None
        with self.lock:
            running = self.wrapped.draws(rows, rule)
        return None if running is None else ExclusiveDraws(running, self.lock)


class ExclusiveDraws(Exclusive):
    """Draws of a speech model behind its lock; ids are waited for without it."""

    begin, step, move, keep_rows = (
        alone("begin"),
        alone("step"),
        alone("move"),
        alone("keep_rows"),
    )


class ExclusiveDecoder(Exclusive):
    """A decoder behind a lock."""

    sizes = asked("sizes")
    decode = alone("decode")


class ExclusiveChunkDecoder(ExclusiveDecoder):
    """A decoder that goes on from states, behind a lock."""

    new_state, decode_chunks = alone("new_state"), alone("decode_chunks")


class ExclusiveVocoder(Exclusive):
    """A vocoder behind a lock."""

    sizes = asked("sizes")
    speak, new_state, speak_chunk = alone("speak"), alone("new_state"), alone("speak_chunk")


def exclusive(model: LoadedModel) -> LoadedModel:
    """The same model, safe to be used by any number of threads."""
    lock = threading.Lock()
    speech_model = ExclusiveSpeechModel(model.speech_model, lock)
    if model.acoustic_threads:
        return replace(model, speech_model=speech_model)
    states = isinstance(model.decoder, ChunkDecoder)
    guard = ExclusiveChunkDecoder if states else ExclusiveDecoder
    return LoadedModel(
        speech_model=speech_model,
        decoder=guard(model.decoder, lock),
        vocoder=ExclusiveVocoder(model.vocoder, lock),
    )
