"""Pieces of text one after the other: each is written by the language model, then sounded whole.

Each piece draws from a seed of its own, derived from the caller's, so it sounds the same whatever
stands before it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mamtra.generation.generate import generate
from mamtra.synthesis.long_text import Context
from mamtra.synthesis.speaker import Speaker
from mamtra.synthesis.speech import ComputeSeconds, Speech
from mamtra.synthesis.stopwatch import Stopwatch
from mamtra.text.pauses import Passage


def say_piece(speaker: Speaker, piece: str, number: int, context: Context | None = None) -> Speech:
    """Speak one piece of normalised text.

    Args:
        speaker: the model in a voice.
        piece: the text.
        number: of the piece, from 0.
        context: what was said before, if the language model may know it; the piece is added.

    Raises:
        GenerationError: the model said nothing.
    """
    watch = Stopwatch()
    request = speaker.request(piece, number, context)
    text = watch.lap()
    model = speaker.model.speech_model
    generation = generate(model, request, speaker.sampling, speaker.guard)
    if context is not None:
        context.add(speaker.reader.encode(piece), generation.ids, generation.reason)
    spent = ComputeSeconds(text=text, speech_lm=watch.lap())
    speech = speaker.sound(piece, number, generation)
    return replace(speech, compute_seconds=speech.compute_seconds + spent)


def say_paragraphs(
    speaker: Speaker, paragraphs: Sequence[Sequence[str | Passage]]
) -> Iterator[Speech]:
    """Speak the pieces of paragraphs, each handed out when it is finished.

    Args:
        speaker: the model in a voice.
        paragraphs: pieces of normalised text, perhaps with the pauses that follow them.

    Raises:
        GenerationError: the model said nothing.
    """
    number = 0
    for paragraph in paragraphs:
        context = Context() if speaker.options.state == "carry" else None
        for last, given in enumerate(paragraph, start=1 - len(paragraph)):
            piece = given if isinstance(given, Passage) else Passage(given)
            if piece.voice is not None:
                speaker = speaker.with_voice(piece.voice)
                context = context and Context()
            speech = say_piece(speaker, piece.text, number, context)
            yield replace(speech, ends_paragraph=last == 0, asked_pause_seconds=piece.pause_seconds)
            number += 1
