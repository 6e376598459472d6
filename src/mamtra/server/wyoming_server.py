"""The Wyoming protocol, by which Home Assistant speaks: events over TCP.

One audio-start and one audio-stop for an utterance, however many sentences it has; ``describe`` is
answered from what was prepared at the start, since Home Assistant waits for a second only.
"""

import asyncio
import logging
from typing import Any
from urllib.parse import urlparse

import mamtra
from mamtra.errors import ConfigError, TextError, require
from mamtra.server.config import ServeConfig, is_loopback
from mamtra.server.http_errors import http_error_of, stopping
from mamtra.server.models import Models, ServerState
from mamtra.server.wyoming_utterance import Utterance

log = logging.getLogger("mamtra.server")


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


def values_of(event: Any) -> dict[str, Any]:
    """What an event tells; nothing where its data are no object."""
    return event.data if isinstance(event.data, dict) else {}


def text_of(event: Any) -> str:
    """The text of an event.

    Raises:
        TextError: it has none.
    """
    text = values_of(event).get("text")
    if not isinstance(text, str):
        raise TextError(f"the event {event.type!r} holds no text; give its data a string 'text'")
    return text


def voice_in(event: Any) -> str | None:
    """The name of the voice that an event asks for, if it asks for one."""
    voice = values_of(event).get("voice")
    name = voice.get("name") if isinstance(voice, dict) else voice
    return name if isinstance(name, str) and name else None


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
        text = text_of(event)
        utterance = await self.begin(event)
        await utterance.say(text)
        await self.finish()

    async def begin(self, event: Any) -> Utterance:
        """Begin an utterance in the voice that the event names.

        Raises:
            HTTPError: 503, the server is being stopped.
        """
        self.drop()
        if self.state.draining:
            raise stopping()
        utterance = Utterance(self.state.models, self.write, voice_in(event))
        self.utterance, self.state.utterances = utterance, self.state.utterances + 1
        return utterance

    def drop(self) -> None:
        """No utterance is under way any more."""
        self.state.utterances -= self.utterance is not None
        self.utterance = None

    async def more(self, event: Any) -> None:
        """Take the next part of a text."""
        if self.utterance is not None:
            await self.utterance.hear(text_of(event))

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

        async def run(self) -> None:
            """Answer events until the client goes, or sends what is none."""
            try:
                await super().run()
            except ConnectionError:
                pass  # it has gone while it was spoken to
            except Exception:
                log.warning("a client of Wyoming sent what is no event, and was closed")

        async def handle_event(self, event: Any) -> bool:
            """Answer an event; whether the connection stays open.

            It is closed after an error: a client that waits for the end of the sound, as Home
            Assistant does, does not look at error events.
            """
            try:
                await self.conversation.respond(event)
            except (ConnectionError, asyncio.CancelledError):
                raise
            except Exception as problem:
                told = http_error_of(problem)
                self.conversation.drop()
                await self.write_event(errors.Error(text=told.message, code=told.code).event())
                return False
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
