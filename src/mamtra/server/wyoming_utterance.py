"""One utterance over Wyoming: text that is whole or arrives, spoken into one stream of sound."""

import logging
from functools import partial
from typing import Any

from mamtra.errors import ConfigError, NothingToSpeakError, TextError, require
from mamtra.server.arriving_text import Marks, sentences_of
from mamtra.server.encoding import as_pcm
from mamtra.server.http_errors import HTTPError
from mamtra.server.models import Models
from mamtra.server.service import Service
from mamtra.server.ticket import Job, Ticket
from mamtra.synthesis.text_stream import ArrivingSentences
from mamtra.voice.voice import Voice

PCM_WIDTH = 2  # bytes of a sample
MOST_CHARACTERS = 16_384  # of an utterance
log = logging.getLogger("mamtra.server")


def chosen(models: Models, name: str | None) -> tuple[Service, Voice | str | None]:
    """The first model that knows a voice, and the voice; the default ones where none does."""
    for service in models.services.values():
        try:
            return service, models.voice_of(service, name)
        except HTTPError:
            continue
    log.warning("a client of Wyoming asked for an unknown voice; the default one speaks")
    return models.default, None


class Utterance:
    """Text of one utterance, spoken sentence by sentence into one stream of sound."""

    def __init__(self, models: Models, write: Any, voice: str | None) -> None:
        self.write = write
        self.service, self.voice = chosen(models, voice)
        self.voice_named = partial(models.voice_of, self.service)
        self.audio = require("wyoming.audio", "wyoming")
        self.form = {"rate": self.service.rate_hz, "width": PCM_WIDTH, "channels": 1}
        self.arriving, self.marks = ArrivingSentences(), Marks()
        self.begun, self.characters = False, 0
        self.unsaid: NothingToSpeakError | None = None
        self.ticket: Ticket | None = None

    async def begin(self) -> None:
        """Begin the sound, unless it has begun."""
        if not self.begun:
            self.begun = True
            await self.write(self.audio.AudioStart(**self.form).event())

    async def say(self, text: str) -> None:
        """Speak a text and send its sound.

        Raises:
            TextError: it is longer than a request's may be, or holds nothing to speak.
        """
        if len(text) > (most := self.service.config.max_chars):
            raise TextError(
                f"the text holds {len(text)} characters; at most {most} are spoken at once"
            )
        notes = tuple(self.service.synthesizer.reader.notes(text))
        job = Job(text=text, voice=self.voice, voice_named=self.voice_named, notes=notes)
        self.ticket = self.service.submit(job, patient=True)
        try:
            async for piece in self.ticket:
                if len(piece.samples):
                    await self.begin()
                    chunk = self.audio.AudioChunk(audio=as_pcm(piece.samples), **self.form)
                    await self.write(chunk.event())
        finally:
            self.ticket.cancel()

    async def say_part(self, sentence: str) -> None:
        """Speak a sentence of a text that arrives; one without words is left out."""
        marked = self.marks.marked(sentence)
        self.marks.follow(sentence)
        try:
            await self.say(marked)
        except NothingToSpeakError as nothing:
            self.unsaid = nothing

    async def hear(self, text: str) -> None:
        """Take text; speak the sentences that have ended.

        Raises:
            ConfigError: the utterance is too long.
        """
        self.characters += len(text)
        if self.characters > MOST_CHARACTERS:
            raise ConfigError(f"an utterance may hold {MOST_CHARACTERS} characters at most")
        for sentence in sentences_of(self.arriving, text):
            await self.say_part(sentence)

    async def end(self) -> None:
        """Speak what is left, and end the sound.

        Raises:
            NothingToSpeakError: the text that arrived holds no word.
        """
        if rest := self.arriving.waiting.strip():
            await self.say_part(rest)
        if self.unsaid is not None and not self.begun:
            raise self.unsaid
        await self.begin()
        await self.write(self.audio.AudioStop().event())
