"""Text that is still being written, cut into what can be spoken by now.

Models that read whole sentences get them as soon as a sentence has ended: a mark, then a blank,
and nothing that says otherwise ("Dr. "). Models trained on the bi-stream layout get words, a few
ids at a time, in utterances of a good length. A whole text passes through the first way paragraph
by paragraph.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mamtra.errors import NothingToSpeakError, TextError
from mamtra.synthesis.long_text import PARAGRAPH
from mamtra.text.dialogue import LINE_BEFORE_MARK, with_marks_before_words
from mamtra.text.pauses import Passage, attached, together
from mamtra.text.split import cut, split_sentences
from mamtra.text.windows import check_characters

ENDED = re.compile(r"[.!?。！？][\"'”’)\]]*$")
# where arriving text is cut at once: an empty line, or a line that changes the voice
BREAK = re.compile(rf"(?P<paragraph>{PARAGRAPH.pattern})|{LINE_BEFORE_MARK}", re.IGNORECASE)
# words that may come next, to ask whether a sentence has ended whichever it is
PROBES = ("The", "the", "5", "Lee")
NEXT_WORDS = 2  # after which no later word tells that a sentence goes on: 5 p.m. Sept. 5
LONGEST = 400  # characters without an end after which text is cut all the same
# a word whose reading does not depend on the next one
PLAIN = re.compile(r"\s*(?:[A-Za-z]?[a-z']+|I|[\u3040-\u30ff\u4e00-\u9fff]+)[,;。！？；，、]?")
DOUBTFUL_END = re.compile(r"\..*\.|\b[A-Z][a-z]{0,4}\.|\d\.")  # perhaps an abbreviation
SETTLED_AFTER = 2  # plain words after which no later word changes how a figure is read
CONTEXT = 3  # words before a figure that may change how it is read
# a word is complete when a blank or a Chinese mark follows
WORD = re.compile(r"\s*(?:[^\s。！？；，、]*[。！？；，、]|\S+(?=\s))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A piece of text that can be spoken.

    Attributes:
        text: normalised, of a sentence or so.
        starts_paragraph: whether a longer pause comes before it.
        pause_seconds: the pause that the text asks for before it; None where it does not.
        voice: who speaks from here on; None where that does not change.
    """

    text: str
    pause_seconds: float | None = None
    starts_paragraph: bool = False
    voice: str | None = None


Cut = Callable[[str], list[Passage]]


def has_ended(sentence: str) -> bool:
    """Whether what was read so far is a whole sentence, whatever follows."""
    return bool(ENDED.search(sentence)) and all(
        len(split_sentences(f"{sentence} {probe}")) > 1 for probe in PROBES
    )


def complete(waiting: str) -> tuple[list[str], str]:
    """Sentences that have ended, and what is left."""
    sentences = split_sentences(waiting)
    if not sentences:
        return [], waiting
    blanks = waiting[len(waiting.rstrip()) :]
    if blanks and has_ended(sentences[-1]):
        return sentences, blanks
    ready, rest = sentences[:-1], sentences[-1]
    next_words = len(rest.split()) - (not blanks)
    if ready and next_words < NEXT_WORDS and not has_ended(ready[-1]):
        rest = f"{ready.pop()} {rest}"
    if len(rest) > LONGEST:
        *parts, rest = cut(rest, LONGEST, len)
        return ready + parts, rest + blanks
    # as it was written, since a mark of who speaks means nothing but at the start of a line
    words = [word.start() for word in re.finditer(r"\S+", waiting)]
    return ready, waiting[words[-len(rest.split())] :]


def checked_parts(text: str | Iterable[str]) -> str | Iterator[str]:
    """A text, or the parts of one, each checked when it comes.

    Raises:
        TextError: it is neither; while iterating: a part is no text.
    """
    if isinstance(text, str):
        return text
    if not isinstance(text, Iterable) or isinstance(text, bytes | bytearray):
        raise TextError(f"{str(text)[:60]!r} is no text; give a string, or an iterator of strings")

    def parts() -> Iterator[str]:
        for part in text:
            if not isinstance(part, str):
                raise TextError(f"{str(part)[:60]!r} is no part of a text; give strings")
            yield part

    return parts()


@dataclass(slots=True)
class ArrivingSentences:
    """Text that arrives in parts, which may end anywhere, cut into what can be spoken by now.

    Attributes:
        waiting: text that is not cut off yet.
        begins: whether a paragraph begins with what is cut off next.
    """

    waiting: str = ""
    begins: bool = True

    def push(self, part: str) -> list[tuple[list[str], bool]]:
        """Take a part; the groups of text that it ends, each with whether a paragraph begins.

        Raises:
            TextError: the part is not UTF-8.
        """
        check_characters(part)
        groups = list[tuple[list[str], bool]]()
        self.waiting = with_marks_before_words(self.waiting + part)
        while end := BREAK.search(self.waiting):
            if before := self.waiting[: end.start()].strip():
                groups.append(([before], self.begins))
                self.begins = False
            self.waiting = self.waiting[end.end() :]
            self.begins = self.begins or end["paragraph"] is not None
        ready, self.waiting = complete(self.waiting)
        if ready:
            groups.append((ready, self.begins))
            self.begins = False
        return groups


def paragraphs_of(text: str | Iterable[str]) -> Iterator[tuple[list[str], bool]]:
    """Groups of text that can be cut by now, each with whether a paragraph begins with it."""
    if isinstance(text, str):
        for paragraph in PARAGRAPH.split(with_marks_before_words(attached(text.strip()))):
            yield [paragraph], True
        return
    sentences = ArrivingSentences()
    for part in text:
        yield from sentences.push(part)
    if rest := sentences.waiting.strip():
        yield [rest], sentences.begins


def arriving_pieces(text: str | Iterable[str], pieces: Cut) -> Iterator[Arrived]:
    """Pieces to be spoken, each as soon as its text is there.

    Args:
        text: a whole text, or parts of one that arrive; parts may end anywhere.
        pieces: normalises a text and cuts it.

    Raises:
        TextError: the text ended without anything that can be spoken, or a word in phones is wrong.
    """
    spoken = begins = False
    asked: float | None = None
    voice: str | None = None
    for group, first in paragraphs_of(text):
        begins = begins or first
        for part in group:
            try:
                found = pieces(part)
            except NothingToSpeakError:  # it is left out
                continue
            for piece in found:
                voice = piece.voice or voice
                if not piece.text:  # a pause that stands alone, or a voice
                    asked = together(asked, piece.pause_seconds)
                    continue
                yield Arrived(
                    text=piece.text,
                    starts_paragraph=spoken and begins,
                    pause_seconds=asked,
                    voice=voice,
                )
                spoken, begins, asked, voice = True, False, piece.pause_seconds, None
    if not spoken:
        raise NothingToSpeakError("the text holds nothing to speak; give at least one word")


class ArrivingWords:
    """Words of arriving text as ids, in utterances that end with a sentence.

    Numbers, signs and abbreviations wait until what follows cannot change how they are read.

    Args:
        text: parts of the text; they may end anywhere.
        encode: text to ids.
        enough: ids after which an utterance ends with its sentence.
        say: writes text as it is spoken; without it words stay as they are written.

    Attributes:
        words: of the utterance that is being read, as they are spoken.
        before: the last words as they were written.
    """

    def __init__(
        self,
        text: str | Iterable[str],
        encode: Callable[[str], list[int]],
        enough: int,
        say: Callable[[str], str] | None = None,
    ) -> None:
        self.parts = iter([text] if isinstance(text, str) else text)
        self.encode, self.enough, self.say = encode, enough, say
        self.waiting = ""
        self.words: list[str] = []
        self.before: list[str] = []

    def take_part(self) -> bool:
        """Wait for the next part of the text; False when it has ended.

        Raises:
            TextError: the part is not UTF-8.
        """
        part = next(self.parts, None)
        if part is None:
            return False
        check_characters(part)
        self.waiting += part
        return True

    def next_word(self) -> str | None:
        """The next word with a blank before it if there was one; None when the text has ended."""
        while not (found := WORD.match(self.waiting)):
            if not self.take_part():
                word, self.waiting = self.waiting.rstrip(), ""
                return word if word.strip() else None
        self.waiting = self.waiting[found.end() :]
        word = found.group()
        return f" {word.lstrip()}" if word[:1].isspace() else word

    def has_more(self) -> bool:
        """Whether text follows; waits for it."""
        while not self.waiting.strip():
            if not self.take_part():
                return False
        return True

    def utterance(self) -> Iterator[list[int]]:
        """The ids of one utterance, word by word."""
        self.words, count = [], 0
        for group, ended in self.groups():
            text = self.spoken(group)
            if not text:
                continue
            self.words.append(text)
            ids = self.encode(text)
            count += len(ids)
            yield ids
            if count >= self.enough and ended:
                return

    def groups(self) -> Iterator[tuple[str, bool]]:
        """Words that can be spoken by now, and whether a sentence ends with them."""
        group, settled, plain = "", 0, True
        while (word := self.next_word()) is not None:
            group += word
            is_plain = PLAIN.fullmatch(word) is not None
            settled, plain = settled + 1 if is_plain else 0, plain and is_plain
            ended = bool(ENDED.search(word)) and (not word.isascii() or has_ended(group.strip()))
            sure = ended and not DOUBTFUL_END.search(word)
            if self.say is None or sure or plain or settled >= SETTLED_AFTER:
                yield group, ended
                group, settled, plain = "", 0, True
        if group:
            yield group, True

    def spoken(self, group: str) -> str:
        """Words as they are spoken after those before them; nothing where they hold none."""
        blank = " " if group[:1].isspace() and self.words else ""
        text = group.strip()
        if self.say is not None and not PLAIN.fullmatch(group):
            context = " ".join(self.before)
            try:
                whole, first = self.say(f"{context} {text}"), self.say(context) if context else ""
                text = whole.removeprefix(first) if whole.startswith(first) else self.say(text)
            except NothingToSpeakError:
                text = ""
        self.before = [*self.before, *group.split()][-CONTEXT:]
        return blank + text.strip() if text.strip() else ""

    @property
    def text(self) -> str:
        """The utterance as far as it was read."""
        return "".join(self.words)
