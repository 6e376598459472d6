"""``mamtra evaluate reading``: find the head that follows the text, and calibrate the guard."""

import json
from pathlib import Path
from typing import Annotated

import typer

from mamtra.checkpoints.locate import CONFIG, DEFAULT, locate
from mamtra.cli import evaluate_options as options
from mamtra.cli.options import Model, Seed

HEADS_FROM = 12  # sentences that tell which head it is
TOGETHER = 3  # held-out sentences that make one long piece; words get lost in long ones
SHOWN = ("sentences", "with_a_dropped_word", "words", "dropped_words", "attempts")


def evaluate_reading(
    model: Model = DEFAULT,
    judge: Annotated[str, typer.Option("--judge", help="Who hears the words.")] = options.JUDGE,
    limit: options.Limit = None,
    together: Annotated[
        int, typer.Option("--together", min=1, help="Held-out sentences in one long piece.")
    ] = TOGETHER,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Measure the head and threshold of the model as they are."),
    ] = False,
    seed: Seed = 0,
    threads: options.Threads = 1,
    write: Annotated[
        bool, typer.Option("--write", help="Put the result into the model's config.json.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file of rows; one is added.")
    ] = None,
) -> None:
    """Find the attention head that follows the text, and from where on a word counts as skipped.

    mamtra evaluate reading --model nano --judge whisper:whisper-base --write
    """
    folder = locate(model)
    from mamtra.atomic import append_row, write_json
    from mamtra.checkpoints.checksums import renew_checksums
    from mamtra.corpus.synthetic.sentences import held_out_sentences
    from mamtra.errors import ConfigError, ModelError
    from mamtra.evaluation.judges.judge import Hearing
    from mamtra.evaluation.judges.registry import open_judge
    from mamtra.evaluation.reading import calibrate, rank_heads, torch_model
    from mamtra.figures.provenance import provenance
    from mamtra.synthesis.load import load

    sentences = held_out_sentences()[: limit or None]
    groups = [sentences[i : i + together] for i in range(0, len(sentences), together)]
    hearing = open_judge(judge, sentences, "en", threads)
    if not isinstance(hearing, Hearing):
        raise ConfigError(f"judge {judge!r} hears no words; pocketsphinx and whisper:FOLDER do")
    synthesizer = load(folder, engine="torch")
    speaker, whole = synthesizer.speaker(), synthesizer.reader.whole
    texts = [whole(" ".join(group)) for group in groups]
    if keep:
        reading = torch_model(speaker).reading
        if reading is None:
            raise ConfigError(f"{folder / CONFIG} has no section 'reading'; leave --keep out")
        found = calibrate(speaker, texts, hearing, seed, reading)
    else:
        heads = rank_heads(speaker, [whole(line) for line in sentences[:HEADS_FROM]], seed)
        found = calibrate(speaker, texts, hearing, seed, heads=heads)
    row = {
        "evaluation": "reading",
        "model": synthesizer.name,
        "sentences_in_a_piece": together,
        "judge": hearing.identity.row(),
        **found,
        "provenance": provenance(seed),
    }
    for name in ("before", "after"):
        print(name, *(f"{key} {found[name][key]}" for key in SHOWN))
    for threshold in found["thresholds"]:
        print(json.dumps(threshold))
    print("chosen", json.dumps(found["chosen"]))
    print("reading", json.dumps(found["reading"]))
    if output is not None:
        append_row(output, row, ConfigError)
    if write:
        path = folder / CONFIG
        values = json.loads(path.read_text(encoding="utf-8"))
        write_json(path, values | {"reading": found["reading"]}, indent=2, error=ModelError)
        renew_checksums(folder)
        print(f"{path}: written; mamtra export {folder} --to onnx makes its graphs again")
