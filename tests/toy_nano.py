"""A toy workshop of nano: a corpus of noise, all models trained for two steps."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from mamtra.acoustic.speech_tokenizer import SpeechTokenizerConfig
from mamtra.backbone import BackboneConfig
from mamtra.corpus.synthetic.manifest import Corpus, Utterance, write_shard
from mamtra.corpus.synthetic.tokens import write_tokens
from mamtra.recipes.nano.speech_lm import SpeechLMRun, train_teacher
from mamtra.recipes.nano.stages import Workshop
from mamtra.recipes.nano.student import StudentRun
from mamtra.recipes.nano.tokenizer import TokenizerRun, train_tokenizer
from mamtra.recipes.nano.tokens import tokens_of, trained_tokenizer
from mamtra.speech_lm.model import SpeechLMConfig
from mamtra.training.loop import LoopSettings

WORDS = [["Hello", "hh ax l ow"], ["old", "ow l d"], ["world", "w er l d"]]
SETTINGS = LoopSettings(steps=2, warmup_steps=1, log_every=1, evaluate_every=2)
SIZES = SpeechTokenizerConfig(bins=100, dim=16, blocks=1)
TOY_LM = SpeechLMRun(
    config=SpeechLMConfig(
        backbone=BackboneConfig(
            dim=16,
            layout="AAAA",
            query_heads=2,
            kv_heads=1,
            head_dim=8,
            mlp_dim=16,
            rope_theta=10_000.0,
        ),
        text_vocabulary=76,
        speech_vocabulary=729,
    ),
    settings=SETTINGS,
    batch_places=400,
    compiled=False,
)
TOY_STUDENT = StudentRun(teacher=TOY_LM, layout="AMAM", settings=SETTINGS)


def utterance(number: int, samples: int = 0, offset: int = 0, split: str = "train") -> Utterance:
    return Utterance(
        id=f"slt-{split}-{number}",
        text="Hello, old world.",
        voice="heart",
        split=split,
        shard=split,
        offset=offset,
        samples=samples,
        words=WORDS,
        phones="hh ax l ow pau ow l d w er l d",
    )


PHONES = "hh ax l ow pau ow l d w er l d"
STEP = 1920  # samples: two tokens a phone


def timed(number: int, split: str, step: int = STEP) -> Utterance:
    """An utterance whose phones follow each other every ``step`` samples."""
    places = [step * place for place in range(len(PHONES.split()) + 1)]
    made = utterance(number, places[-1], places[-1] * number, split)
    return replace(made, phones=PHONES, starts=places[:-1], ends=places[1:])


def timed_corpus(folder: Path, sound: np.ndarray) -> Corpus:
    """Utterances whose phones are known, all of one sound."""
    (folder / "corpus.json").write_text('{"rate_hz": 24000}')
    for split, count in (("train", 8), ("validation", 2)):
        items = [timed(number, split) for number in range(count)]
        write_shard(folder, split, [sound for _ in items], items)
    return Corpus.open(folder)


def make_workshop(folder: Path) -> Workshop:
    made = Workshop(folder=folder, workers=1)
    made.corpus.mkdir()
    (made.corpus / "corpus.json").write_text('{"rate_hz": 24000}')
    random = np.random.default_rng(0)
    for split, count in (("train", 12), ("validation", 3)):
        clips = [
            (1000 * random.standard_normal(24_000 + 960 * n)).astype(np.int16) for n in range(count)
        ]
        starts = np.cumsum([0, *map(len, clips)])
        write_shard(
            made.corpus,
            split,
            clips,
            [utterance(n, len(clip), int(starts[n]), split) for n, clip in enumerate(clips)],
        )
    corpus = Corpus.open(made.corpus)
    train_tokenizer(
        corpus,
        made.folder / "tokenizer",
        TokenizerRun(config=SIZES, settings=SETTINGS, batch_frames=400),
    )
    tokenizer = trained_tokenizer(made.weights("tokenizer"), SIZES)
    write_tokens(made.tokens, tokens_of(corpus, corpus.utterances, tokenizer))
    train_teacher(made.corpus, made.tokens, made.folder / "teacher", TOY_LM)
    return made
