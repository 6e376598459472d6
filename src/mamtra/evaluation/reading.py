"""Calibrates the guard against skipped words on sentences that a judge hears.

First the head is found whose attention follows the text. Then sentences are spoken once each, a
judge writes down what it hears, and every word has two facts: how long the head looked at it, and
whether the judge heard it. A threshold between both is the guard; at last the same sentences are
spoken under it, with its further attempts.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mamtra.errors import ConfigError
from mamtra.evaluation.judges.judge import Hearing
from mamtra.evaluation.word_errors import marked_words, plain_words
from mamtra.generation.coverage import looks_of_words
from mamtra.generation.generate import Generation, generate
from mamtra.runtime.torch.speech_model import TorchSpeechModel, head_of
from mamtra.speech_lm.prompt import speech_segment
from mamtra.speech_lm.reading import ReadingConfig, looked_at
from mamtra.synthesis.acoustics import sound
from mamtra.synthesis.speaker import Speaker

GRID = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2)
FALSE_ALARMS = 0.003  # the most of the words that a judge heard
FOLLOWS = 4  # text ids that the head may go on from one speech id to the next
RIGHT, OTHER, DROPPED = "right", "other", "dropped"


@dataclass(frozen=True, slots=True)
class Head:
    """How well a head of attention follows the text.

    Attributes:
        mass: share of its attention that lies on the text.
        follows: share of the steps in which it stays or goes on by a few ids.
    """

    layer: int
    head: int
    mass: float
    follows: float

    @property
    def score(self) -> float:
        """Both together."""
        return self.mass * self.follows


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word that was spoken: how long the head looked at it, and what a judge heard."""

    ids: int
    look: float
    heard: str


@dataclass(frozen=True, slots=True)
class Spoken:
    """One sentence as it was spoken and heard."""

    generation: Generation
    words: list[HeardWord]
    seconds: float

    @property
    def dropped(self) -> int:
        """Words that the judge did not hear."""
        return sum(word.heard == DROPPED for word in self.words)


def torch_model(speaker: Speaker) -> TorchSpeechModel:
    """The torch engine's speech model behind a speaker.

    Raises:
        ConfigError: another engine runs it.
    """
    model = getattr(speaker.model.speech_model, "wrapped", speaker.model.speech_model)
    if not isinstance(model, TorchSpeechModel):
        raise ConfigError("every head of a model can be seen by engine torch only")
    return model


def rank_heads(speaker: Speaker, texts: Sequence[str], seed: int) -> list[Head]:
    """Every attention head, those that follow the text best first."""
    model = torch_model(speaker)
    config = model.model.backbone.config
    found = {
        (layer, head): np.zeros(2)
        for layer, kind in enumerate(config.layout)
        for head in range(config.query_heads)
        if kind == "A"
    }
    for number, text in enumerate(texts):
        request = replace(speaker.request(text, 0), seed=seed + number, proofread=None)
        ids = generate(model, request, speaker.sampling, speaker.guard).ids
        segments = [*request.segments, speech_segment(ids)]
        lengths = [len(segment.ids) for segment in request.segments]
        prompt, end = sum(lengths), sum(lengths[:2])
        place = slice(end - request.text_tokens, end)  # where the text lies
        for (layer, head), total in found.items():
            reading = ReadingConfig(layer=layer, head=head, least=0.0)
            queries, keys = head_of(model.model, segments, reading)
            looked = looked_at(queries[prompt - 1 : -1], keys[:-1])[:, place]
            moves = np.diff(looked.argmax(axis=1))
            total[:] += looked.sum(axis=1).mean(), ((moves >= 0) & (moves <= FOLLOWS)).mean()
    heads = [Head(*name, *(float(x) for x in sums / len(texts))) for name, sums in found.items()]
    return sorted(heads, key=lambda head: -head.score)


def speak(
    speaker: Speaker, text: str, judge: Hearing, seed: int, *, attempts: int
) -> Spoken | None:
    """Speak a text as one piece and let a judge hear it; None where words cannot be told apart.

    Where nothing was spoken, every word counts as dropped.

    Args:
        speaker: the model.
        text: normalised.
        judge: who hears.
        seed: of the first attempt.
        attempts: how often the guard may try.
    """
    model = torch_model(speaker)
    request = replace(speaker.request(text, 0), seed=seed, proofread=None)
    started = time.process_time()
    generation = generate(
        model, request, speaker.sampling, replace(speaker.guard, attempts=attempts)
    )
    seconds = time.process_time() - started
    written = plain_words(text).split()
    if len(written) != len(request.words):
        return None
    sizes = [end - start for start, end in request.words]
    if not generation.ids:
        return Spoken(generation, [HeardWord(size, 0.0, DROPPED) for size in sizes], seconds)
    looks = looks_of_words(model.looked(request.segments, generation.ids, None, 0), request)
    samples, _ = sound(speaker.model, generation.ids, speaker.voice.prompt, seed)
    heard = plain_words(judge.hear(samples, speaker.rate))
    marks = [
        RIGHT if right == left else OTHER if right else DROPPED
        for left, right in marked_words(" ".join(written), heard)
        if left
    ]
    words = [HeardWord(*facts) for facts in zip(sizes, looks, marks, strict=True)]
    return Spoken(generation, words, seconds)


def speak_all(
    speaker: Speaker, texts: Sequence[str], judge: Hearing, seed: int, *, attempts: int
) -> Iterator[Spoken]:
    """Speak texts one after the other, each with a seed of its own."""
    for number, text in enumerate(texts):
        spoken = speak(speaker, text, judge, seed + number, attempts=attempts)
        if spoken is not None:
            yield spoken


def at_threshold(spoken: Sequence[Spoken], least: float, shortest: int) -> dict[str, Any]:
    """What a threshold would have found: words and sentences by what the judge heard."""

    def flagged(words: Sequence[HeardWord]) -> list[HeardWord]:
        return [word for word in words if word.ids >= shortest and word.look < least]

    judged = Counter(w.heard for one in spoken for w in one.words if w.ids >= shortest)
    found = Counter(w.heard for one in spoken for w in flagged(one.words))
    whole = [one for one in spoken if not one.dropped]
    lost = [one for one in spoken if one.dropped]
    return {
        "least": least,
        "words": {mark: [found[mark], judged[mark]] for mark in (RIGHT, OTHER, DROPPED)},
        "sentences_with_a_dropped_word": [sum(bool(flagged(s.words)) for s in lost), len(lost)],
        "sentences_without": [sum(bool(flagged(s.words)) for s in whole), len(whole)],
    }


def best_threshold(rows: Sequence[dict[str, Any]]) -> float:
    """A threshold that takes few of the words that were heard for skipped ones.

    Of those the one that finds the most sentences with a dropped word, and of several the lowest.
    """
    fitting = [
        (row["sentences_with_a_dropped_word"][0], -row["least"])
        for row in rows
        if row["words"][RIGHT][0] <= FALSE_ALARMS * max(1, row["words"][RIGHT][1])
    ]
    return -max(fitting, default=(0, 0.0))[1]


def calibrate(
    speaker: Speaker,
    texts: Sequence[str],
    judge: Hearing,
    seed: int,
    reading: ReadingConfig | None = None,
    heads: Sequence[Head] = (),
) -> dict[str, Any]:
    """Speak all texts once, choose a threshold, speak them again under it.

    Args:
        speaker: the model, run by torch.
        texts: normalised pieces.
        judge: who hears.
        seed: of everything.
        reading: head and threshold to be measured as they are.
        heads: from ``rank_heads``; without ``reading`` the first one reads.
    """
    model = torch_model(speaker)
    model.reading = reading or ReadingConfig(layer=heads[0].layer, head=heads[0].head, least=0.0)
    shortest = model.reading.shortest
    before = list(speak_all(speaker, texts, judge, seed, attempts=1))
    rows = [at_threshold(before, least, shortest) for least in GRID]
    if reading is None:
        model.reading = replace(model.reading, least=best_threshold(rows))
    after = list(speak_all(speaker, texts, judge, seed, attempts=speaker.guard.attempts))
    return {
        "reading": {
            name: getattr(model.reading, name) for name in ("layer", "head", "least", "shortest")
        },
        "heads": [[h.layer, h.head, round(h.mass, 3), round(h.follows, 3)] for h in heads[:5]],
        "thresholds": rows,
        "chosen": at_threshold(before, model.reading.least, shortest),
        "before": summary(before),
        "after": summary(after),
    }


def summary(spoken: Sequence[Spoken]) -> dict[str, Any]:
    """Dropped words and time of sentences."""
    return {
        "sentences": len(spoken),
        "with_a_dropped_word": sum(bool(one.dropped) for one in spoken),
        "words": sum(len(one.words) for one in spoken),
        "dropped_words": sum(one.dropped for one in spoken),
        "attempts": sum(one.generation.attempts for one in spoken),
        "reported_as_skipped": sum(one.generation.reason == "skipped" for one in spoken),
        "speech_lm_seconds": round(sum(one.seconds for one in spoken), 2),
    }
