"""Sequences to measure and to fit on, where there is no corpus: what a teacher itself says.

A teacher speaks some sentences; text ids and drawn speech tokens are then sequences as in training.
"""

from collections.abc import Sequence

from mamtra.errors import GenerationError
from mamtra.generation.generate import generate
from mamtra.generation.request import Request
from mamtra.speech_lm import Batch, cross_lingual, pack, uni_stream
from mamtra.synthesis.synthesizer import Synthesizer


def spoken_sequences(
    synthesizer: Synthesizer, sentences: Sequence[str], seed: int = 0
) -> list[Batch]:
    """What the teacher says of each sentence, each a batch of one sequence.

    No voice is needed: the language model says which sounds, whoever speaks them.

    Raises:
        GenerationError: the teacher says nothing of any of them.
    """
    model, batches = synthesizer.model.speech_model, []
    for index, sentence in enumerate(sentences):
        for piece in synthesizer.pieces(sentence):
            ids = synthesizer.reader.encode(piece)
            lead = synthesizer.reader.lead
            request = Request(tuple(cross_lingual([*lead, *ids])), len(ids), seed + index)
            said = generate(model, request, synthesizer.sampling, synthesizer.guard)
            if said.ids:
                batches.append(pack([uni_stream(ids, list(said.ids), model.vocabulary, lead)]))
    if not batches:
        raise GenerationError("the teacher said nothing; choose other sentences or another seed")
    return batches
