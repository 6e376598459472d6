"""The run that makes nano's teacher: an all-attention speech language model that reads letters.

Reading English letters is hard to learn from little speech. So most words are given in phones,
which the synthesiser told the corpus, as the file of pronunciations will give them to the finished
model; words that the file lacks are in letters, so the model learns both. Each utterance draws anew
which of its words are in phones. In a share of the batches two or three utterances follow each
other in one sequence, so that the model can go on from what it said and speak longer texts.
"""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mamtra.atomic import write_file
from mamtra.backbone import BackboneConfig
from mamtra.backbone.block import Block
from mamtra.corpus.batches import LengthBatches
from mamtra.corpus.synthetic.manifest import Corpus, Utterance
from mamtra.corpus.synthetic.tokens import TokenTable
from mamtra.errors import TrainingError
from mamtra.recipes.nano.ahead import Ahead, workers_for
from mamtra.recipes.nano.start import START, start_language_model
from mamtra.recipes.nano.tokenizer import NANO_TOKENIZER
from mamtra.speech_lm.batch import Batch, pack
from mamtra.speech_lm.measure import mean_cross_entropy
from mamtra.speech_lm.model import SpeechLM, SpeechLMConfig
from mamtra.speech_lm.prompt import uni_stream
from mamtra.text.tokenizer import PHONES, NanoTokenizer
from mamtra.training.checkpoint import FILE as CHECKPOINT
from mamtra.training.loop import LoopSettings, train

EDGE_MARKS = ".,?!;:-"
LAYERS = 12  # every ratio of the paper divides it


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechLMRun:
    """Everything that decides the teacher's training.

    Attributes:
        voice: the corpus voice whose rhythm is learned.
        batch_places: text and speech ids in a batch, padding included.
        all_letters, all_phones: shares of utterances given wholly in letters or in phones; in the
            rest each word is drawn by itself.
        joined_share: share of batches whose sequences hold several utterances.
        most_joined: the most utterances in a sequence.
        compiled: let torch.compile join the small operations of a layer; a step takes two thirds of
            the time, and a C compiler must be there.
    """

    config: SpeechLMConfig = field(
        default_factory=lambda: SpeechLMConfig(
            backbone=BackboneConfig(
                dim=192,
                layout="A" * LAYERS,
                query_heads=4,
                kv_heads=2,
                head_dim=48,
                mlp_dim=512,
                rope_theta=10_000.0,
            ),
            text_vocabulary=NanoTokenizer().size,
            speech_vocabulary=3**NANO_TOKENIZER.digits,
        )
    )
    settings: LoopSettings = field(
        default_factory=lambda: LoopSettings(
            steps=1600,
            learning_rate=2e-3,
            warmup_steps=100,
            precision="bfloat16",
            optimizer="muon",
            weight_decay=0.02,
        )
    )
    voice: str = "heart"
    batch_places: int = 6000
    all_letters: float = 0.15
    all_phones: float = 0.25
    joined_share: float = 0.3
    most_joined: int = 3
    compiled: bool = True


def spelled(utterance: Utterance, share: float, random: np.random.Generator) -> str:
    """The text of an utterance with about this share of its words in phones."""
    written = utterance.text.split()
    if share == 0 or len(written) != len(utterance.words):
        return utterance.text
    words = []
    for word, (_, phones) in zip(written, utterance.words, strict=True):
        body = word.strip(EDGE_MARKS)
        known = phones and all(phone in PHONES for phone in phones.split())
        chosen = body and known and random.random() < share
        words.append(word.replace(body, f"{{{phones}}}", 1) if chosen else word)
    return " ".join(words)


class SpeechLMTask:
    """Batches of a corpus for a speech language model, its loss and its measures."""

    def __init__(
        self, run: SpeechLMRun, corpus: Corpus, tokens: TokenTable, device: str = "cpu"
    ) -> None:
        self.run, self.tokens = run, tokens
        self.tokenizer = NanoTokenizer()
        self.train = [u for u in corpus.choose("train", run.voice) if u.id in tokens]
        self.validation = corpus.choose("validation", run.voice)[:200]
        self.batches = LengthBatches(
            [len(u.text) + len(tokens.of(u.id)) + 2 for u in self.train],
            run.batch_places,
            run.settings.seed,
        )
        self.ahead = Ahead(self.batch, workers_for(device))
        torch.manual_seed(run.settings.seed)
        self.model = SpeechLM(run.config).to(device)
        self.vocabulary = self.model.vocabulary

    def joined(self, utterances: list[Utterance], texts: list[str], count: int) -> Batch:
        """Lay utterances behind each other, so many in a sequence, and the sequences side by side.

        Utterances that are left over at the end are left out.
        """
        rows = []
        for start in range(0, max(1, len(texts) - count + 1), count):
            group = slice(start, start + count)
            tokens = np.concatenate([self.tokens.of(item.id) for item in utterances[group]])
            text = self.tokenizer.encode(" ".join(texts[group]))
            rows.append(uni_stream(text, tokens.tolist(), self.vocabulary))
        return pack(rows)

    def batch(self, number: int) -> Batch:
        """The training batch of a number, spelled anew each time it is drawn."""
        random = np.random.default_rng((self.run.settings.seed, number, 1))
        utterances = [self.train[item] for item in self.batches.at(number)]
        texts = []
        for utterance in utterances:
            draw, share = random.random(), random.random()
            if draw < self.run.all_letters:
                share = 0.0
            elif draw < self.run.all_letters + self.run.all_phones:
                share = 1.0
            texts.append(spelled(utterance, share, random))
        count = 1
        if random.random() < self.run.joined_share:
            count = int(random.integers(2, self.run.most_joined + 1))
        return self.joined(utterances, texts, count)

    def loss(self, number: int) -> dict[str, Tensor]:
        """Cross entropy of one batch, in nats a speech token."""
        losses = self.model.loss(self.ahead.at(number).to(self.model.device))
        return {"loss": losses.loss, "accuracy": losses.correct / losses.predicted}

    def evaluate(self) -> dict[str, float]:
        """Held-out cross entropy: text in letters, in phones, and another sentence's text."""
        random = np.random.default_rng(0)
        chosen = sorted(self.validation, key=lambda utterance: len(utterance.text))
        batches: dict[str, list[Batch]] = {"letters": [], "phones": [], "wrong_text": []}
        for start in range(0, len(chosen), 50):
            group = chosen[start : start + 50]
            letters = [utterance.text for utterance in group]
            forms = {
                "letters": letters,
                "phones": [spelled(utterance, 1.0, random) for utterance in group],
                "wrong_text": [*letters[1:], letters[0]],
            }
            for name, texts in forms.items():
                batches[name].append(self.joined(group, texts, 1))
        return {
            f"validation_{name}": round(mean_cross_entropy(self.model, forms), 4)
            for name, forms in batches.items()
        }


def compile_layers(model: SpeechLM) -> None:
    """Compile the attention layers for batches of any shape.

    Mamba layers stay as they are but for their MLPs: compiling the chunked scan for changing
    lengths took more than five minutes.

    Raises:
        TrainingError: there is no C++ compiler.
    """
    if shutil.which("g++") is None:
        raise TrainingError(
            "compiling layers needs the compiler g++, which is not installed; "
            "run: apt-get install g++, or set compiled=False in the recipe"
        )
    for layer, kind in zip(model.backbone.layers, model.backbone.config.layout, strict=True):
        assert isinstance(layer, Block)
        (layer if kind == "A" else layer.mlp).compile(dynamic=True)


def train_teacher(
    corpus_folder: Path,
    tokens_path: Path,
    folder: Path,
    run: SpeechLMRun | None = None,
    start: Path | None = None,
    device: str = "cpu",
) -> None:
    """Train the teacher; ``folder/model.safetensors`` then holds the ``SpeechLM``.

    Args:
        corpus_folder: the spoken sentences.
        tokens_path: their speech tokens.
        folder: where the run lives.
        run: what decides it.
        start: folder of an earlier model to begin with; ``folder/start.json`` then says which of
            its weights were taken.
        device: where to compute.
    """
    run = run or SpeechLMRun()
    corpus, tokens = Corpus.open(corpus_folder), TokenTable.open(tokens_path)
    task = SpeechLMTask(run, corpus, tokens, device)
    if start is not None and not (folder / CHECKPOINT).exists():
        told = start_language_model(task.model, start, corpus, tokens)
        write_file(folder / START, json.dumps(told, indent=1))
    if run.compiled:
        compile_layers(task.model)
    train(folder, task.model, task.loss, run.settings, task.evaluate)
