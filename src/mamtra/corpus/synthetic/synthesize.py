"""Speak a list of sentences into a corpus folder, shard by shard, on all cores.

A killed run goes on where it stopped: complete shards are kept, the rest is spoken again, and the
    result is the same.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mamtra.corpus.synthetic import espeak, flite
from mamtra.corpus.synthetic.manifest import Utterance, write_shard
from mamtra.errors import CorpusError

SHARD_SENTENCES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPlan:
    """What one shard will hold."""

    name: str
    voice: str
    split: str
    sentences: tuple[str, ...]


def synthesiser_for(voice: str) -> flite.Flite | espeak.Espeak:
    """The synthesiser that has a voice.

    Raises:
        CorpusError: none has it.
        MissingExtraError: the one that has it is not installed.
    """
    if voice in flite.VOICES:
        return flite.Flite(voice)
    if voice in espeak.VOICES:
        return espeak.Espeak(voice)
    known = ", ".join((*flite.VOICES, *espeak.VOICES))
    raise CorpusError(f"unknown voice {voice!r}; known: {known}")


def plan_shards(
    sentences: list[str],
    held_out: list[str],
    voices: dict[str, int],
    validation: int = 300,
) -> list[ShardPlan]:
    """Divide sentences into shards.

    Args:
        sentences: training sentences; the first ``validation`` of them become the validation split.
        held_out: the test split, spoken by every voice.
        voices: how many training sentences each voice speaks; each voice starts where the one
            before ended, and
            begins anew at the end of the list.
        validation: sentences of the validation split, spoken by every voice.
    """
    plans, train, start = [], sentences[validation:], 0
    for voice, count in voices.items():
        parts = {"test": held_out, "validation": sentences[:validation]}
        parts["train"] = [train[(start + i) % len(train)] for i in range(min(count, len(train)))]
        start += count
        for split, texts in parts.items():
            for number in range(0, len(texts), SHARD_SENTENCES):
                plans.append(
                    ShardPlan(
                        name=f"{voice}-{split}-{number // SHARD_SENTENCES:04d}",
                        voice=voice,
                        split=split,
                        sentences=tuple(texts[number : number + SHARD_SENTENCES]),
                    )
                )
    return plans


def speak_shard(folder: Path, plan: ShardPlan) -> int:
    """Speak and write one shard; returns its number of samples."""
    synthesiser = synthesiser_for(plan.voice)
    samples, utterances, offset = [], [], 0
    for number, text in enumerate(plan.sentences):
        spoken = synthesiser.say(text)
        if not any(phone != flite.PAUSE for phone in spoken.phones):
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
            )
        )
        samples.append(spoken.samples)
        offset += len(spoken.samples)
    write_shard(folder, plan.name, samples, utterances)
    return offset


def synthesize(folder: Path, plans: list[ShardPlan], workers: int) -> Iterator[int]:
    """Speak all shards that are not there yet; yields the samples of each as it is done."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [plan for plan in plans if not (folder / f"{plan.name}.jsonl").exists()]
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(speak_shard, [folder] * len(missing), missing)
