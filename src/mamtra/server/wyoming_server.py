"""The Wyoming protocol, by which Home Assistant speaks: events over TCP.

One audio-start and one audio-stop for an utterance, however many sentences it has; ``describe`` is
answered from what was prepared at the start, since Home Assistant waits for a second only.
"""

import asyncio
import logging
from functools import partial
from typing import Any
from urllib.parse import urlparse

import mamtra
from mamtra.errors import ConfigError, TextError, require
from mamtra.server.config import ServeConfig, is_loopback
from mamtra.server.encoding import as_pcm
from mamtra.server.http_errors import HTTPError, http_error_of, stopping
from mamtra.server.models import Models, ServerState
from mamtra.server.ticket import Job, Ticket
from mamtra.synthesis.text_stream import complete
from mamtra.voice.voice import Voice

log = logging.getLogger("mamtra.server")

PCM_WIDTH = 2  # bytes of a sample
MOST_CHARACTERS = 16_384  # of an utterance


def description(models: Models) -> Any:
    """Models and voices as Wyoming's ``info``."""
    info = require("wyoming.info", "wyoming")
    credit = info.Attribution(name="mamtra", url="https://pypi.org/project/mamtra/")
    programs = [
        info.TtsProgram(
            name=service.name,
            description="hybrid Mamba-Transformer speech synthesis",
            attribution=credit,
            installed=True,
            version=mamtra.__version__,
            supports_synthesize_streaming=True,
            voices=[
                info.TtsVoice(
                    name=voice,
                    description=voice,
                    attribution=credit,
                    installed=True,
                    version=mamtra.__version__,
                    languages=["en"],
                )
                for voice in service.synthesizer.voices
            ],
        )
        for service in models.services.values()
    ]
    return info.Info(tts=programs).event()


class Utterance:
    """Text of one utterance, spoken sentence by sentence into one stream of sound."""

    def __init__(self, models: Models, write: Any, voice: str | None) -> None:
        self.service, self.write = models.find(None), write
        self.voice_named = partial(models.voice_of, self.service)
        self.voice = self.known(voice)
        self.audio = require("wyoming.audio", "wyoming")
        self.form = {"rate": self.service.rate_hz, "width": PCM_WIDTH, "channels": 1}
        self.waiting, self.begun, self.characters = "", False, 0
        self.ticket: Ticket | None = None

    def known(self, name: str | None) -> Voice | str | None:
        """The voice of a name, as over HTTP; None, the default one, where it is unknown."""
        try:
            return self.voice_named(name)
        except HTTPError:
            log.warning("a client of Wyoming asked for an unknown voice; the default one speaks")
            return None

    async def say(self, text: str) -> None:
        """Speak a text and send its sound.

        Raises:
            TextError: it is longer than a request's may be.
        """
        if len(text) > (most := self.service.config.max_chars):
            raise TextError(
                f"the text holds {len(text)} characters; at most {most} are spoken at once"
            )
        if not self.begun:
            self.begun = True
            await self.write(self.audio.AudioStart(**self.form).event())
        notes = tuple(self.service.synthesizer.reader.notes(text))
        job = Job(text=text, voice=self.voice, voice_named=self.voice_named, notes=notes)
        self.ticket = self.service.submit(job, patient=True)
        try:
            async for piece in self.ticket:
                if len(piece.samples):
                    chunk = self.audio.AudioChunk(audio=as_pcm(piece.samples), **self.form)
                    await self.write(chunk.event())
        finally:
            self.ticket.cancel()

    async def hear(self, text: str) -> None:
        """Take text; speak the sentences that have ended.

        Raises:
            ConfigError: the utterance is too long.
        """
        self.characters += len(text)
        if self.characters > MOST_CHARACTERS:
            raise ConfigError(f"an utterance may hold {MOST_CHARACTERS} characters at most")
        ready, self.waiting = complete(self.waiting + text)
        for sentence in ready:
            await self.say(sentence)

    async def end(self) -> None:
        """Speak what is left, and end the sound."""
        if self.waiting.strip():
            await self.say(self.waiting.strip())
        if not self.begun:
            await self.write(self.audio.AudioStart(**self.form).event())
        await self.write(self.audio.AudioStop().event())


class Conversation:
    """One connection: events in, events out."""

    def __init__(self, state: ServerState, info: Any, write: Any) -> None:
        self.state, self.info, self.write = state, info, write
        self.tts = require("wyoming.tts", "wyoming")
        self.utterance: Utterance | None = None

    async def describe(self, event: Any) -> None:
        """Tell models and voices."""
        del event
        await self.write(self.info)

    async def whole(self, event: Any) -> None:
        """Speak a whole text."""
        if self.utterance is not None:
            return  # a client that streams sends the whole as well, for servers that cannot
        told = self.tts.Synthesize.from_event(event)
        utterance = await self.begin(event)
        await utterance.say(told.text)
        await self.finish()

    async def begin(self, event: Any) -> Utterance:
        """Begin an utterance in the voice that the event names.

        Raises:
            HTTPError: 503, the server is being stopped.
        """
        self.drop()
        if self.state.draining:
            raise stopping()
        voice = (event.data or {}).get("voice") or {}
        utterance = Utterance(self.state.models, self.write, voice.get("name"))
        self.utterance, self.state.utterances = utterance, self.state.utterances + 1
        return utterance

    def drop(self) -> None:
        """No utterance is under way any more."""
        self.state.utterances -= self.utterance is not None
        self.utterance = None

    async def more(self, event: Any) -> None:
        """Take the next part of a text."""
        if self.utterance is not None:
            await self.utterance.hear(self.tts.SynthesizeChunk.from_event(event).text)

    async def finish(self) -> None:
        """End the utterance."""
        if self.utterance is not None:
            await self.utterance.end()
        self.drop()

    async def stop(self, event: Any) -> None:
        """The text has ended."""
        del event
        await self.finish()
        await self.write(self.tts.SynthesizeStopped().event())

    async def respond(self, event: Any) -> None:
        """Do what an event asks for; others are ignored."""
        answers = {
            "describe": self.describe,
            "synthesize": self.whole,
            "synthesize-start": self.begin,
            "synthesize-chunk": self.more,
            "synthesize-stop": self.stop,
        }
        if (answer := answers.get(event.type)) is not None:
            await answer(event)

    def cancel(self) -> None:
        """The client has gone."""
        if self.utterance is not None and self.utterance.ticket is not None:
            self.utterance.ticket.cancel()
        self.drop()


def handler_class(state: ServerState, info: Any) -> Any:
    """The class of handlers: one for each connection."""
    server, errors = require("wyoming.server", "wyoming"), require("wyoming.error", "wyoming")

    class Handler(server.AsyncEventHandler):
        """One connection."""

        def __init__(self, reader: Any, writer: Any) -> None:
            super().__init__(reader, writer)
            self.conversation = Conversation(state, info, self.write_event)

        async def handle_event(self, event: Any) -> bool:
            """Answer an event; whether the connection stays open."""
            try:
                await self.conversation.respond(event)
            except (ConnectionError, asyncio.CancelledError):
                raise
            except Exception as problem:
                told = http_error_of(problem)
                self.conversation.drop()
                await self.write_event(errors.Error(text=told.message, code=told.code).event())
            return True

        async def disconnect(self) -> None:
            """Stop what is being spoken."""
            self.conversation.cancel()

    return Handler


def wyoming_at(uri: str) -> Any:
    """A server of the package ``wyoming`` that does not listen yet.

    Args:
        uri: as ``tcp://127.0.0.1:10200``.

    Raises:
        ConfigError: it is no address.
        MissingExtraError: the package is not installed.
    """
    library = require("wyoming.server", "wyoming")
    wrong = f"Wyoming address {uri!r} is none; give tcp://HOST:PORT"
    if not uri.startswith(("tcp://", "unix://")):
        raise ConfigError(wrong)
    try:
        return library.AsyncServer.from_uri(uri)
    except ValueError as problem:
        raise ConfigError(wrong) from problem


def check_address(uri: str, config: ServeConfig) -> None:
    """Refuse what is no address, or one that other computers reach: Wyoming knows no keys.

    Args:
        uri: as ``tcp://127.0.0.1:10200``.
        config: whether everybody may speak.

    Raises:
        ConfigError: the address is none, or not for this computer alone.
        MissingExtraError: the package is not installed.
    """
    wyoming_at(uri)
    host = urlparse(uri).hostname
    if host is not None and not (is_loopback(host) or config.no_auth):
        raise ConfigError(
            f"Wyoming address {uri!r} can be reached by other computers, and Wyoming asks for no "
            "key; give tcp://127.0.0.1:PORT, or --no-auth if everybody may use it"
        )


async def start_wyoming(state: ServerState, uri: str) -> Any:
    """Listen, and answer until the server that is returned is stopped.

    Args:
        state: what speaks, and whether it still may.
        uri: as ``wyoming_at`` takes it.

    Raises:
        ConfigError: the address cannot be used.
        MissingExtraError: the package is not installed.
    """
    server = wyoming_at(uri)
    try:
        await server.start(handler_class(state, description(state.models)))
    except (OSError, UnicodeError) as problem:
        raise ConfigError(
            f"cannot listen at {uri}: {problem}; choose another --wyoming"
        ) from problem
    return server
