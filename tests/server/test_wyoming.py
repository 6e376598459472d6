"""The Wyoming protocol, as Home Assistant's client speaks it."""

import asyncio
import logging
import warnings
from types import SimpleNamespace

import pytest

from mamtra.errors import ConfigError
from mamtra.server.config import ServeConfig

pytest.importorskip("starlette")
# wyoming imports a module that Python 3.13 drops, for which it has its own then
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    pytest.importorskip("wyoming.audio")
    from wyoming import client
    from wyoming.event import Event


def converse(running, events: list, until: str) -> list:
    """Send events; what is received up to an event of a type, or until the server "closes"."""
    from mamtra.server.wyoming_server import description, handler_class

    async def talk() -> list:
        state = running.state
        handler = handler_class(state, description(state.models))
        listening = await asyncio.start_server(
            lambda reader, writer: handler(reader, writer).run(), "127.0.0.1", 0
        )
        port = listening.sockets[0].getsockname()[1]
        received = []
        async with client.AsyncTcpClient("127.0.0.1", port) as talking:
            for event in events:
                await talking.write_event(event if isinstance(event, Event) else event.event())
            while not received or received[-1].type != until:
                event = await asyncio.wait_for(talking.read_event(), 60)
                if event is None and until == "closes":
                    break
                received.append(event)
        listening.close()
        await asyncio.wait_for(listening.wait_closed(), 60)
        assert not state.utterances
        return received

    return asyncio.run(talk())


def test_voices_are_described(running) -> None:
    from wyoming.info import Describe, Info

    (told,) = converse(running, [Describe()], "info")
    (program,) = Info.from_event(told).tts
    assert [voice.name for voice in program.voices] == running.service.synthesizer.voices
    assert program.supports_synthesize_streaming


def test_a_text_is_spoken(running) -> None:
    from wyoming.audio import AudioChunk
    from wyoming.tts import Synthesize

    received = converse(running, [Synthesize(text="Good morning.")], "audio-stop")
    assert received[0].type == "audio-start"
    chunks = [AudioChunk.from_event(event) for event in received if event.type == "audio-chunk"]
    sound = b"".join(chunk.audio for chunk in chunks)
    assert sound == running.spoken("Good morning.")
    assert {chunk.rate for chunk in chunks} == {running.service.rate_hz}


def test_text_in_parts_is_one_stream_of_sound(running) -> None:
    from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop

    parts = [SynthesizeChunk(text=part) for part in ("Good mor", "ning. How ", "are you")]
    whole = Synthesize(text="Good morning. How are you")
    events = [SynthesizeStart(), *parts, whole, SynthesizeStop()]
    received = converse(running, events, "synthesize-stopped")
    types = [event.type for event in received]
    assert types.count("audio-start") == types.count("audio-stop") == 1
    assert types.count("audio-chunk") >= 2


def sound_of(received: list) -> bytes:
    return b"".join(event.payload or b"" for event in received if event.type == "audio-chunk")


def in_parts(text: str, size: int) -> list:
    """The events of a text that arrives, with the whole of it for servers that cannot stream."""
    from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop

    parts = [text[start : start + size] for start in range(0, len(text), size)]
    chunks = [SynthesizeChunk(text=part) for part in parts]
    return [SynthesizeStart(), *chunks, Synthesize(text=text), SynthesizeStop()]


def test_a_sentence_without_words_is_left_out_of_a_text_that_has_some(running) -> None:
    events = in_parts("Good morning!\n\n😀😀\n\nHow are you?", 7)
    received = converse(running, events, "synthesize-stopped")
    assert {event.type for event in received[1:-2]} == {"audio-chunk"}
    turns = [("Good morning!", "low"), ("How are you?", "low")]
    assert sound_of(received) == b"".join(running.spoken(*turn) for turn in turns)


def test_a_mark_holds_until_the_next_one_while_text_arrives(running) -> None:
    events = in_parts("[voice:high] Who is it\n[voice:low] Me.\n[voice:high] You. And me.", 3)
    received = converse(running, events, "synthesize-stopped")
    turns = [("Who is it", "high"), ("Me.", "low"), ("You.", "high"), ("And me.", "high")]
    assert sound_of(received) == b"".join(running.spoken(*turn) for turn in turns)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_client_that_waits_for_the_end_is_not_left_waiting_after_an_error(
    running, streamed: bool
) -> None:
    from wyoming.tts import Synthesize

    events = in_parts("?!", 1) if streamed else [Synthesize(text="?!")]
    assert [event.type for event in converse(running, events, "closes")] == ["error"]


@pytest.mark.parametrize(
    ("data", "told"),
    [({}, "holds no text"), ({"text": 3}, "holds no text"), ({"text": "Hi.", "voice": "low"}, "")],
)
def test_events_of_another_form_are_told_or_understood(running, data: dict, told: str) -> None:
    received = converse(running, [Event("synthesize", data)], "closes" if told else "audio-stop")
    assert told in received[-1].data.get("text", "")


@pytest.mark.parametrize("line", [b"[1]\n", b"{}\n", b'{"type": "x", "data_length": "y"}\n'])
def test_what_is_no_event_ends_its_connection_alone(running, server_log, line: bytes) -> None:
    from mamtra.server.wyoming_server import handler_class

    async def talk() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(line)
        reader.feed_eof()
        closed = list[bool]()
        writer = SimpleNamespace(close=lambda: closed.append(True))
        await handler_class(running.state, None)(reader, writer).run()
        assert closed == [True]

    asyncio.run(talk())
    assert [record.levelname for record in server_log] == ["WARNING"]


def test_who_leaves_while_hearing_is_no_error(running, server_log, caplog) -> None:
    from wyoming.event import async_write_event
    from wyoming.tts import Synthesize

    from mamtra.server.wyoming_server import description, handler_class

    class Gone(SimpleNamespace):
        """A writer whose client has gone."""

        def writelines(self, data: list) -> None:
            raise ConnectionResetError

        write = writelines

    async def talk() -> None:
        reader = asyncio.StreamReader()
        sent = SimpleNamespace(writelines=lambda parts: [*map(reader.feed_data, parts)],
                               write=reader.feed_data, drain=lambda: asyncio.sleep(0))  # fmt: skip
        await async_write_event(Synthesize(text="Good morning.").event(), sent)
        writer = Gone(close=lambda: None)
        state = running.state
        await handler_class(state, description(state.models))(reader, writer).run()
        assert not state.utterances

    asyncio.run(talk())
    running.wait_for(lambda: running.service.idle)
    assert [one for one in server_log if one.levelno >= logging.WARNING] == []
    taken = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert taken == []  # asyncio tells of errors that nobody took


def test_a_voice_of_another_model_is_spoken_by_that_model(running, monkeypatch) -> None:
    from mamtra.server.service import Service
    from mamtra.server.wyoming_utterance import chosen

    models, other = running.state.models, Service.__new__(Service)
    other.name, other.synthesizer = "other", SimpleNamespace(voices=["anna"])
    monkeypatch.setattr(models, "services", {**models.services, "other": other})
    assert chosen(models, "anna") == (other, "anna")
    assert chosen(models, "low") == (running.service, "low")
    assert chosen(models, None) == chosen(models, "nobody") == (running.service, None)


def test_a_voice_goes_by_every_name_that_http_knows(running, monkeypatch) -> None:
    from wyoming.tts import Synthesize, SynthesizeVoice

    from mamtra.server.speech_request import VOICE_ALIASES

    def spoken(voice: str) -> bytes:
        event = Synthesize(text="Hello.", voice=SynthesizeVoice(name=voice))
        received = converse(running, [event], "audio-stop")
        return b"".join(event.payload or b"" for event in received if event.type == "audio-chunk")

    told = list[str]()
    monkeypatch.setattr("mamtra.server.wyoming_server.log.warning", told.append)
    low, high = (spoken(name) for name in ("low", "high"))
    assert low != high
    assert [spoken(name) for name in VOICE_ALIASES[:2]] == [low, high]
    assert told == []
    assert spoken("nobody") == low
    assert "unknown voice" in told[0]


def test_a_mark_names_voices_of_the_model_and_no_files(running, tmp_path) -> None:
    from wyoming.tts import Synthesize

    synthesizer = running.service.synthesizer
    own = synthesizer.voice("high").save(tmp_path / "own.safetensors")
    for name in (own, tmp_path / "none.safetensors"):
        received = converse(running, [Synthesize(text=f"[voice:{name}] Hello.")], "error")
        told = received[-1].data["text"]
        assert told.endswith("is unknown to model 'tiny'; possible are low, high")
    text = "[voice:high] Good morning.\n[voice:low] How are you?"
    received = converse(running, [Synthesize(text=text)], "audio-stop")
    assert sound_of(received) == running.spoken(text)


def test_a_whole_text_obeys_the_limit_of_characters(start_server) -> None:
    from wyoming.tts import Synthesize

    running = start_server(max_chars=100)
    received = converse(running, [Synthesize(text="Good morning. " * 8)], "closes")
    assert [event.type for event in received] == ["error"]
    told = "the text holds 112 characters; at most 100 are spoken at once"
    assert received[0].data["text"] == told
    received = converse(running, [Synthesize(text="Good morning.")], "audio-stop")
    assert received[0].type == "audio-start"


@pytest.mark.parametrize(
    ("address", "message"),
    [("tcp://0.0.0.0:10200", "--no-auth"), ("tcp://[::]:10200", "--no-auth"),
     ("tcp://home.example:10200", "--no-auth"), ("tcp://:10200", "is none"),
     ("tcp://127.0.0.1", "is none"), ("tcp://[::1", "is none"), ("http://localhost:1", "is none")],
)  # fmt: skip
def test_an_address_that_others_reach_needs_the_operators_word(address, message) -> None:
    from mamtra.server.run import run

    with pytest.raises(ConfigError, match=message):
        run(
            ["nano"], ServeConfig(port=0), device="cpu", threads=1, workers=1,
            wyoming=address, quiet=True,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("address", "no_auth"),
    [("tcp://127.0.0.1:1", False), ("tcp://localhost:1", False), ("tcp://[::1]:1", False),
     ("unix:///run/speech", False), ("tcp://0.0.0.0:1", True)],
)  # fmt: skip
def test_an_address_of_this_computer_needs_no_word(address, no_auth) -> None:
    from mamtra.server.wyoming_server import check_address

    check_address(address, ServeConfig(no_auth=no_auth))


def test_a_server_that_drains_begins_no_utterance(running, monkeypatch) -> None:
    from wyoming.tts import Synthesize

    monkeypatch.setattr(running.state, "draining", True)
    received = converse(running, [Synthesize(text="Hello there.")], "error")
    assert "is being stopped" in received[-1].data["text"]


def test_what_cannot_be_spoken_is_an_error_event(running) -> None:
    from wyoming.tts import Synthesize

    received = converse(running, [Synthesize(text="?!")], "error")
    assert received[-1].data["text"]
