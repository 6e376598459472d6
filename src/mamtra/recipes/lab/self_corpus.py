"""The laboratory's small way: a corpus of what a teacher itself says, where nano was not made.

The teacher speaks some hundred sentences made from templates; texts and drawn speech tokens lie in
a folder in the form of nano's own, so that every trial reads them as it would read those. There is
no sound in it, and no phones: text is given in letters only. Students then learn their teacher's
speech, not people's, from few sentences: enough to compare students with each other, and no measure
of how well they would speak.
"""

import json
import random
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
from safetensors.torch import save_file

from mamtra.atomic import write_file, written_beside
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.modules import open_language_model
from mamtra.corpus.synthetic.filling import filled_templates
from mamtra.corpus.synthetic.manifest import Utterance
from mamtra.corpus.synthetic.neighbours import exclude_neighbours
from mamtra.corpus.synthetic.sentences import held_out_sentences
from mamtra.corpus.synthetic.tokens import write_tokens
from mamtra.distillation.self_data import spoken_sequences
from mamtra.errors import CorpusError
from mamtra.recipes.nano.speech_lm import SpeechLMRun
from mamtra.recipes.nano.stages import Workshop
from mamtra.synthesis.load import open_folder

SHARD = "self"
VALIDATION_SHARE = 0.2
FEWEST = 20  # sentences


def missing(workshop: Workshop) -> list[str]:
    """What a laboratory needs of the folder in which nano was made and does not find there."""
    needs = {
        "a corpus": any(workshop.corpus.glob("*.jsonl")),
        "its speech tokens": workshop.tokens.is_file(),
        "a teacher": workshop.weights("teacher").is_file(),
    }
    paths = (workshop.corpus, workshop.tokens, workshop.weights("teacher"))
    return [
        f"{what} ({path})"
        for (what, there), path in zip(needs.items(), paths, strict=True)
        if not there
    ]


def check_workshop(workshop: Workshop) -> None:
    """Refuse a folder in which something is missing; all of it is listed.

    Raises:
        CorpusError: something is missing.
    """
    if lacking := missing(workshop):
        raise CorpusError(
            f"the laboratory needs {', '.join(lacking)}; making nano takes hours "
            f"(mamtra nano all -f {workshop.folder}). The small way needs minutes: "
            f"--teacher nano-teacher, whose own speech is then the data"
        )


def speak_corpus(
    workshop: Workshop,
    teacher: ModelFolder,
    sentences: int,
    seed: int = 0,
    report: Callable[[], None] = lambda: None,
) -> None:
    """Fill a folder with what a teacher says and with its weights, unless that was done.

    Args:
        workshop: the folder.
        teacher: a model that speaks.
        sentences: how many it says; a fifth of them is for validation.
        seed: of the sentences and of what is drawn.
        report: called after each sentence.

    Raises:
        CorpusError: there are too few sentences.
    """
    if not missing(workshop):
        return
    if sentences < FEWEST:
        raise CorpusError(f"{sentences} sentences are too few; the least is {FEWEST}")
    synthesizer, rows, tokens = open_folder(teacher), list[Utterance](), dict[str, np.ndarray]()
    voice = SpeechLMRun().voice
    templates = filled_templates(sentences, random.Random(f"laboratory {seed}"))
    for number, sentence in enumerate(exclude_neighbours(templates, held_out_sentences())):
        said = spoken_sequences(synthesizer, [sentence], seed + number)
        report()
        if len(said) != 1:
            continue
        name = f"{SHARD}-{number:05d}"
        split = "validation" if number < VALIDATION_SHARE * sentences else "train"
        tokens[name] = said[0].speech_ids.numpy()
        rows.append(
            Utterance(
                id=name,
                text=synthesizer.pieces(sentence)[0],
                voice=voice,
                split=split,
                shard=SHARD,
                offset=0,
                samples=0,
                words=[],
                phones="",
            )
        )
    write_workshop(workshop, teacher, rows, tokens)


def write_workshop(
    workshop: Workshop, teacher: ModelFolder, rows: list[Utterance], tokens: dict[str, np.ndarray]
) -> None:
    """Write manifest, tokens and weights; the weights last, so that they stand for all."""
    manifest = "".join(json.dumps(asdict(row)) + "\n" for row in rows)
    write_file(workshop.corpus / f"{SHARD}.jsonl", manifest, CorpusError)
    write_tokens(workshop.tokens, tokens.items())
    with written_beside(workshop.weights("teacher"), CorpusError) as beside:
        save_file(open_language_model(teacher).state_dict(), beside)
