"""Text that a client sends in parts: the sentences that have ended by now, and who speaks each."""

from dataclasses import dataclass

from mamtra.synthesis.text_stream import ArrivingSentences
from mamtra.text.dialogue import MARK
from mamtra.text.split import split_sentences


def sentences_of(arriving: ArrivingSentences, part: str) -> list[str]:
    """Take a part of a text; the sentences that it ends.

    Raises:
        TextError: the part is not UTF-8.
    """
    groups = arriving.push(part)
    return [sentence for texts, _ in groups for text in texts for sentence in split_sentences(text)]


@dataclass(slots=True)
class Marks:
    """Who speaks, where each sentence is spoken by itself: a mark holds until the next one.

    Attributes:
        voice: that the last mark asked for; nothing before the first one.
    """

    voice: str = ""

    def marked(self, sentence: str) -> str:
        """The sentence, with the mark that holds for it."""
        if MARK.match(sentence) or not self.voice:
            return sentence
        return f"[voice:{self.voice}] {sentence}"

    def follow(self, sentence: str) -> None:
        """Let the last mark of a sentence, if it has any, hold from now on."""
        if names := MARK.findall(sentence):
            self.voice = names[-1]
