"""Speak a list of sentences into a corpus folder, shard by shard, on all cores.

A killed run goes on where it stopped: complete shards are kept, the rest is spoken again, and the
result is the same. Shards for tests come first, then those for training, the voices in turn, so
whatever is there already can be trained on.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from mamtra.atomic import write_file
from mamtra.corpus.synthetic import hibari, kokoro
from mamtra.corpus.synthetic.manifest import CORPUS_FILE, Utterance, write_shard
from mamtra.corpus.synthetic.spoken import PAUSE, Speaking
from mamtra.errors import CorpusError

SHARD_SENTENCES = 500
VOWEL = "shortest_vowel_ms"  # of a voice's description
SPARE_SENTENCES = 10  # at the end of a shard, of which nothing may be heard


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPlan:
    """What one shard will hold."""

    name: str
    voice: str
    split: str
    sentences: tuple[str, ...]


def synthesiser_for(voice: str, shortest_vowel_ms: int = hibari.UNIT_MS) -> Speaking:
    """The synthesiser that has a voice.

    Raises:
        CorpusError: none has it, or it cannot make vowels last as long as asked.
        MissingExtraError: the one that has it is not installed.
    """
    if shortest_vowel_ms < hibari.UNIT_MS or shortest_vowel_ms % hibari.UNIT_MS:
        raise CorpusError(
            f"vowels cannot last {shortest_vowel_ms} ms at least; give a multiple of "
            f"{hibari.UNIT_MS}, such as 50"
        )
    if voice in hibari.VOICES:
        return hibari.Hibari(voice, shortest_vowel_ms)
    if voice in kokoro.VOICES:
        if shortest_vowel_ms > hibari.UNIT_MS:
            raise CorpusError(
                f"Kokoro, which speaks {voice!r}, says itself how long its vowels last; "
                f"--shortest-vowel is for {', '.join(hibari.VOICES)} alone"
            )
        return kokoro.Kokoro(voice)
    known = ", ".join((*hibari.VOICES, *kokoro.VOICES))
    raise CorpusError(f"unknown voice {voice!r}; known: {known}")


def plan_shards(
    sentences: list[str],
    held_out: list[str],
    voices: dict[str, int],
    validation: int = 300,
    others_validation: int = 24,
    shard_sentences: int = SHARD_SENTENCES,
    only_others: bool = False,
) -> list[ShardPlan]:
    """Divide sentences into shards.

    Args:
        sentences: training sentences; the first ``validation`` of them become the validation split.
        held_out: the test split, spoken by the first voice, the main one.
        voices: how many training sentences each voice speaks; each voice starts where the one
            before ended, and begins anew at the end of the list.
        validation: sentences of the validation split of the first voice.
        others_validation: of them, how many every other voice speaks.
        shard_sentences: most sentences in a shard.
        only_others: the main voice is not among them.
    """
    plans, train, start = [], sentences[validation:], 0
    for place, (voice, count) in enumerate(voices.items()):
        main = place == 0 and not only_others
        known = sentences[: validation if main else min(others_validation, validation)]
        parts = {"test": held_out if main else [], "validation": known}
        parts["train"] = [train[(start + i) % len(train)] for i in range(min(count, len(train)))]
        start += count
        for split, texts in parts.items():
            for number in range(0, len(texts), shard_sentences):
                plans.append(
                    ShardPlan(
                        name=f"{voice}-{split}-{number // shard_sentences:04d}",
                        voice=voice,
                        split=split,
                        sentences=tuple(texts[number : number + shard_sentences]),
                    )
                )
    return sorted(plans, key=lambda plan: (plan.split == "train", plan.name.rpartition("-")[2]))


def speak_shard(folder: Path, plan: ShardPlan, shortest_vowel_ms: int = hibari.UNIT_MS) -> float:
    """Speak and write one shard; returns its seconds."""
    synthesiser = synthesiser_for(plan.voice, shortest_vowel_ms)
    samples, pitches, utterances, offset = [], [], [], 0
    for number, text in enumerate(plan.sentences):
        spoken = synthesiser.say(text)
        if spoken is None or not any(phone != PAUSE for phone in spoken.phones):
            continue
        utterances.append(
            Utterance(
                id=f"{plan.name}-{number:03d}",
                text=text,
                voice=plan.voice,
                split=plan.split,
                shard=plan.name,
                offset=offset,
                samples=len(spoken.samples),
                words=[[word, " ".join(phones)] for word, phones in spoken.words],
                phones=" ".join(spoken.phones),
                starts=spoken.starts,
                ends=spoken.ends,
            )
        )
        samples.append(spoken.samples)
        if spoken.pitch is not None:
            pitches.append(spoken.pitch)
        offset += len(spoken.samples)
    write_shard(folder, plan.name, samples, utterances, pitches)
    return offset / synthesiser.rate_hz


def check_spoken(folder: Path, plans: list[ShardPlan]) -> None:
    """Make sure that the shards that are there hold sentences of these plans.

    Raises:
        CorpusError: one holds others: of another seed, list, number of sentences or shard's size.
    """
    for plan in plans:
        path = folder / f"{plan.name}.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        spoken = [json.loads(line) for line in lines[:1] + lines[-1:]]
        numbers = [int(one["id"].rpartition("-")[2]) for one in spoken]
        for number, one in zip(numbers, spoken, strict=True):
            if plan.sentences[number : number + 1] != (one["text"],):
                raise CorpusError(
                    f"{str(path)!r} holds other sentences than are asked for; give the seed, "
                    f"counts and sentences that {str(folder)!r} was begun with, or another folder"
                )
        if numbers and numbers[-1] + 1 < len(plan.sentences) - SPARE_SENTENCES:
            raise CorpusError(
                f"{str(path)!r} ends after {numbers[-1] + 1} of {len(plan.sentences)} sentences, "
                f"as fewer were asked for then; remove it to have all spoken, or give another "
                f"folder"
            )


def describe(folder: Path, voices: dict[str, Speaking]) -> None:
    """Write into the corpus's description which synthesisers speak in it, at what rate.

    Raises:
        CorpusError: they, or those that are there already, speak at different rates, or a voice
            that is there spoke with other shortest vowels.
    """
    path = folder / CORPUS_FILE
    known = json.loads(path.read_text()) if path.exists() else {"rate_hz": 0, "voices": {}}
    rates = {voice.rate_hz for voice in voices.values()} | ({known["rate_hz"]} - {0})
    if len(rates) > 1:
        raise CorpusError(
            f"voices of {' and '.join(map(str, sorted(rates)))} Hz cannot share a corpus; "
            "use another folder"
        )
    identities = {name: voice.identity() for name, voice in voices.items()}
    for name in identities.keys() & known["voices"].keys():
        before, now = (
            int(described[name].get(VOWEL, hibari.UNIT_MS))
            for described in (known["voices"], identities)
        )
        if before != now:
            raise CorpusError(
                f"in {str(folder)!r} vowels of {name} last {before} ms at least, and {now} are "
                f"asked for; give --shortest-vowel {before}, or another folder"
            )
    described = {"rate_hz": rates.pop(), "voices": {**known["voices"], **identities}}
    write_file(path, json.dumps(described, indent=1), CorpusError)


def synthesize(
    folder: Path,
    plans: list[ShardPlan],
    workers: int,
    shortest_vowel_ms: int = hibari.UNIT_MS,
) -> Iterator[float]:
    """Speak all shards that are not there yet; yields the seconds of each as it is done.

    Args:
        folder: of the corpus.
        plans: the shards.
        workers: processes.
        shortest_vowel_ms: how long vowels last at least.

    Raises:
        CorpusError: voices of different rates, an unknown voice, or other sentences are there.
        MissingExtraError: a synthesiser is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    check_spoken(folder, plans)
    names = {plan.voice for plan in plans}
    describe(folder, {name: synthesiser_for(name, shortest_vowel_ms) for name in names})
    missing = [plan for plan in plans if not (folder / f"{plan.name}.jsonl").exists()]
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(
            speak_shard, repeat(folder), missing, repeat(shortest_vowel_ms, len(missing))
        )
