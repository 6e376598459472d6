"""Utterances to distil from, and the batches that teacher and student both read.

A batch is drawn from its number alone: which utterances, and for each whether it is laid out
uni-stream or bi-stream. It is packed once, so teacher and student cannot see different layouts.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mamtra.checkpoints.format import ModelFolder
from mamtra.corpus.batches import LengthBatches
from mamtra.corpus.shards import Shards, read_index
from mamtra.corpus.synthetic.manifest import Corpus
from mamtra.corpus.synthetic.tokens import TokenTable
from mamtra.errors import CorpusError, TextError
from mamtra.files import file_sha256
from mamtra.speech_lm import SpeechLMConfig
from mamtra.speech_lm.batch import Batch, pack
from mamtra.speech_lm.prompt import MIX, TrainingSequence, is_bi_stream, training_sequence
from mamtra.synthesis.text_reader import Reader, model_reader
from mamtra.text.pronunciations import read_pronunciations
from mamtra.text.tokenizer import NanoTokenizer

# of a folder that mamtra nano works in
CORPUS, TOKENS, PRONUNCIATIONS = "corpus", "tokens.safetensors", "pronunciations.txt"
FINGERPRINT = 16  # hexadecimal digits that tell data apart
MARKS = 3  # start, task and end, beside text and speech


def ids_fingerprint(sequences: Iterable[Sequence[int] | np.ndarray]) -> str:
    """A name for sequences of ids."""
    total = hashlib.sha256()
    for ids in sequences:
        values = np.asarray(ids, np.int64)
        total.update(len(values).to_bytes(8, "little") + values.tobytes())
    return total.hexdigest()[:FINGERPRINT]


@dataclass(frozen=True, slots=True)
class UtterancesInMemory:
    """Utterances in memory."""

    pairs: Sequence[tuple[Sequence[int], Sequence[int]]]
    lead: Sequence[int] = ()
    lengths: Sequence[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lengths", [len(text) + len(said) for text, said in self.pairs])

    def utterance(self, number: int) -> tuple[Sequence[int], Sequence[int]]:
        """Text ids and speech ids of one utterance."""
        return self.pairs[number]

    def text_fingerprint(self) -> str:
        """A name for all text ids."""
        return ids_fingerprint([self.lead, *(text for text, _ in self.pairs)])


def random_utterances(
    config: SpeechLMConfig, count: int, speech: tuple[int, int] = (40, 320), seed: int = 0
) -> UtterancesInMemory:
    """Utterances of noise, to rehearse with.

    Args:
        config: of the model that shall read them.
        count: how many.
        speech: fewest and most speech ids; LibriTTS has 5.6 s on average, 140 ids.
        seed: of everything.
    """
    draw, pairs = np.random.default_rng(seed), []
    for _ in range(count):
        length = int(draw.integers(*speech))
        text = draw.integers(config.text_vocabulary, size=max(1, length // 7))
        pairs.append((text.tolist(), draw.integers(config.speech_vocabulary, size=length).tolist()))
    return UtterancesInMemory(pairs)


def nano_utterances(folder: Path) -> UtterancesInMemory:
    """The training sentences of nano's own corpus, read as the finished model reads them.

    Raises:
        CorpusError: the folder lacks the corpus or its speech tokens.
    """
    corpus, tokens = Corpus.open(folder / CORPUS), TokenTable.open(folder / TOKENS)
    words = folder / PRONUNCIATIONS
    tokenizer = NanoTokenizer(read_pronunciations(words) if words.exists() else None)
    known = [item for item in corpus.choose("train") if item.id in tokens]
    return UtterancesInMemory([(tokenizer.encode(u.text), tokens.of(u.id).tolist()) for u in known])


def ids_of(text: str, reader: Reader) -> Sequence[int] | None:
    """The ids of a text as it stands, else as it would be spoken; None if it cannot be read.

    Models of letters know neither numbers nor accents; CosyVoice 2 learnt from text as it stands.
    """
    for form in (lambda: text, lambda: reader.whole(text)):
        with suppress(TextError):
            return reader.encode(form())
    return None


class ShardUtterances:
    """Utterances of shards, their text in the ids of a model.

    All text is turned into ids once, at the beginning: seconds for LibriTTS.

    Args:
        shards: what ``mamtra prepare`` wrote.
        reader: how the model reads text.

    Attributes:
        left_out: names of the utterances whose text the model cannot read.
    """

    def __init__(self, shards: Shards, reader: Reader) -> None:
        read = [ids_of(line["text"], reader) for _, _, line in shards.rows]
        self.shards, self.lead = shards, reader.lead
        self.left_out = [
            row[2]["id"] for row, ids in zip(shards.rows, read, strict=True) if ids is None
        ]
        self.numbers = [number for number, ids in enumerate(read) if ids is not None]
        known = [np.asarray(ids, np.int32) for ids in read if ids is not None]
        self.ends = np.cumsum([0, *map(len, known)])
        self.ids = np.concatenate([np.zeros(0, np.int32), *known])
        said = shards.lengths[np.array(self.numbers, np.int64)]
        self.lengths: Sequence[int] = (np.diff(self.ends) + said).tolist()

    def utterance(self, number: int) -> tuple[Sequence[int], Sequence[int]]:
        """Text ids and speech ids of one utterance."""
        text = self.ids[self.ends[number] : self.ends[number + 1]]
        return text.tolist(), self.shards[self.numbers[number]].tokens.tolist()

    def text_fingerprint(self) -> str:
        """A name for all text ids, which change with the words of a model, or with its rules."""
        return ids_fingerprint([self.lead, self.ends, self.ids])


Utterances = UtterancesInMemory | ShardUtterances


def open_utterances(folder: Path, model: ModelFolder) -> Utterances:
    """Prepared speech from disk: shards, or the folder in which ``mamtra nano`` works.

    Args:
        folder: where it lies.
        model: how its text becomes ids.

    Raises:
        CorpusError: there is none that the model can read, or it is damaged.
        ModelError: the model cannot read text.
    """
    if (folder / TOKENS).is_file():
        return nano_utterances(folder)
    shards = Shards.open(folder, "train")
    if not len(shards):
        raise CorpusError(f"no utterance in {str(folder)!r} is of the split train")
    found = ShardUtterances(shards, model_reader(model))
    if not found.lengths:
        raise CorpusError(
            f"the model {model.config.name!r} can read none of the {len(shards)} texts in "
            f"{str(folder)!r}; prepare texts in its language"
        )
    return found


def fingerprint(folder: Path) -> str:
    """A name for the content of prepared speech, wherever it lies and however it is spelled.

    Raises:
        CorpusError: there is none, or its index cannot be read.
    """
    if (folder / TOKENS).is_file():
        return file_sha256(folder / TOKENS)[:FINGERPRINT]
    parts = json.dumps(read_index(folder)["parts"], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:FINGERPRINT]


class DistillBatches:
    """Batches for teacher and student.

    Args:
        utterances: what is prepared.
        config: of the models that read them.
        tokens: text and speech ids in a batch, padding included.
        held_out: utterances that are kept from training.
        bi_stream: lay half of the utterances that suit it out in two alternating streams.
        seed: of every draw.

    Raises:
        CorpusError: there are too few utterances.
    """

    def __init__(
        self,
        utterances: Utterances,
        config: SpeechLMConfig,
        *,
        tokens: int,
        held_out: int = 0,
        bi_stream: bool = True,
        seed: int = 0,
    ) -> None:
        self.utterances, self.config, self.tokens = utterances, config, tokens
        self.bi_stream, self.seed = bi_stream, seed
        count = len(utterances.lengths)
        if count <= held_out:
            raise CorpusError(
                f"{count} utterances are too few to keep held_out={held_out} of them from "
                f"training; prepare more, or keep fewer (--set held_out=N)"
            )
        order = np.random.default_rng((seed, 3)).permutation(count).tolist()
        self.held_out, self.trained = sorted(order[:held_out]), sorted(order[held_out:])
        self.beside = MARKS + len(utterances.lead)
        lengths = [utterances.lengths[number] + self.beside for number in self.trained]
        self.total = sum(lengths)
        self.draws = LengthBatches(lengths, tokens, seed)

    @property
    def ids(self) -> int:
        """How many speech ids a model can predict."""
        return self.config.vocabulary.size

    def sequence(self, number: int, draw: float) -> TrainingSequence:
        """One utterance as it is read.

        Raises:
            CorpusError: its ids are not the model's.
        """
        text, speech = self.utterances.utterance(number)
        for ids, rows, kind in (
            (text, self.config.text_vocabulary, "text"),
            (speech, self.config.speech_vocabulary, "speech"),
        ):
            if len(ids) and not 0 <= min(ids) <= max(ids) < rows:
                raise CorpusError(
                    f"utterance {number} has {kind} ids up to {max(ids)}, and the model has "
                    f"{rows} of them; prepare the data with this model's teacher"
                )
        lead = self.utterances.lead
        return training_sequence(text, speech, self.config.vocabulary, draw, lead=lead)

    def packed(self, numbers: Sequence[int], draws: Sequence[float]) -> Batch:
        """Utterances side by side."""
        return pack([self.sequence(*pair) for pair in zip(numbers, draws, strict=True)])

    def drawn(self, number: int) -> tuple[list[int], list[float]]:
        """The utterances of a batch, and the draw that lays each out."""
        numbers = [self.trained[item] for item in self.draws.at(number)]
        draw = np.random.default_rng((self.seed, number, 2))
        draws = draw.random(len(numbers)) if self.bi_stream else np.ones(len(numbers))
        return numbers, draws.tolist()

    def at(self, number: int) -> Batch:
        """The training batch of a number."""
        return self.packed(*self.drawn(number))

    def layouts(self, number: int) -> list[tuple[int, bool]]:
        """The utterances of a batch, and whether each is laid out in two streams."""
        return [
            (item, is_bi_stream(*self.utterances.utterance(item), draw))
            for item, draw in zip(*self.drawn(number), strict=True)
        ]

    def predicted(self) -> list[tuple[int, int]]:
        """Predicted tokens of every utterance, uni-stream and bi-stream (0 if it does not suit)."""
        found = []
        for number in range(len(self.utterances.lengths)):
            text, speech = self.utterances.utterance(number)
            marks = len(text) // MIX.text + 1
            found.append((len(speech) + 1, len(speech) + marks if MIX.suits(text, speech) else 0))
        return found

    def validation(self) -> list[Batch]:
        """The utterances kept from training, half of them bi-stream, in batches of the size."""
        groups: list[list[int]] = [[]]
        for number in sorted(self.held_out, key=lambda item: self.utterances.lengths[item]):
            longest = self.utterances.lengths[number] + self.beside
            if groups[-1] and longest * (len(groups[-1]) + 1) > self.tokens:
                groups.append([])
            groups[-1].append(number)
        return [
            self.packed(
                group, [float(not self.bi_stream or index % 2) for index in range(len(group))]
            )
            for group in groups
            if group
        ]

    def steps(self, epochs: float, batches_a_step: int) -> int:
        """Steps in which about every utterance is read so many times."""
        return max(1, math.ceil(epochs * self.total / (self.tokens * batches_a_step)))
