"""Text over a WebSocket, spoken sentence by sentence, as clients of vLLM-Omni expect it."""

import json
import signal
import time
from contextlib import contextmanager

import numpy as np
import pytest

from mamtra.synthesis.word_times import WordTime

pytest.importorskip("starlette")
client = pytest.importorskip("websockets.sync.client")

PLAIN = {"response_format": "pcm", "sample_rate": "native"}


@contextmanager
def open_session(running, **config):
    with client.connect(f"ws://127.0.0.1:{running.port}/v1/audio/speech/stream") as socket:
        socket.send(json.dumps({"type": "session.config", **PLAIN, **config}))
        yield socket


def send(socket, kind: str, **values) -> None:
    socket.send(json.dumps({"type": kind, **values}))


def until(socket, kind: str) -> tuple[list[dict], list[bytes]]:
    """Messages and frames up to a message of a kind."""
    messages, frames = [], []
    while True:
        received = socket.recv(timeout=60)
        if isinstance(received, bytes):
            frames.append(received)
            continue
        messages.append(json.loads(received))
        if messages[-1]["type"] == kind:
            return messages, frames


def test_sentences_are_spoken_as_they_end(running) -> None:
    with open_session(running, seed=2) as socket:
        for part in ("Good mor", "ning. It is wa", "rm to", "day. And"):
            send(socket, "input.text", text=part)
        messages, frames = until(socket, "audio.done")
        assert messages[0]["sentence_text"] == "Good morning."
        assert messages[0]["sample_rate"] == running.service.rate_hz
        assert messages[-1]["total_bytes"] == len(b"".join(frames))
        alone = running.service.synthesizer.stream("Good morning.", None, 2)
        samples = np.concatenate([piece.samples for piece in alone])
        wanted = (np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes()
        assert b"".join(frames) == wanted
        send(socket, "input.text", text=" so on")
        send(socket, "input.done")
        messages, _ = until(socket, "session.done")
    starts = [told["sentence_text"] for told in messages if told["type"] == "audio.start"]
    assert starts == ["It is warm today.", "And so on"]
    assert messages[-1] == {
        "type": "session.done",
        "utterance_index": 0,
        "total_sentences": 3,
        "notes": [],
    }


def test_a_session_has_many_utterances(running) -> None:
    with open_session(running) as socket:
        send(socket, "input.done")
        assert until(socket, "session.done")[0][-1]["total_sentences"] == 0
        send(socket, "input.text", text="Good morning.")
        send(socket, "input.done")
        told = until(socket, "session.done")[0][-1]
    assert (told["utterance_index"], told["total_sentences"]) == (1, 1)


def test_what_is_not_said_is_told_with_the_sentence_and_at_the_end(running) -> None:
    with open_session(running) as socket:
        send(socket, "input.text", text="And 你好. A 😀. The 😺 too. Good morning.")
        send(socket, "input.done")
        messages, _ = until(socket, "session.done")
        done = [told["notes"] for told in messages if told["type"] == "audio.done"]
        letters = "left out, this model reads Latin letters only: '你好'"
        signs = "left out, there are no words for: '😀'"
        assert done == [[letters], [signs], [signs.replace("😀", "😺")], []]
        assert messages[-1]["notes"] == [letters, signs]
        send(socket, "input.text", text="Good morning.")
        send(socket, "input.done")
        assert until(socket, "session.done")[0][-1]["notes"] == []


def test_a_listener_may_interrupt(running) -> None:
    with open_session(running) as socket:
        send(socket, "input.text", text="This goes on and on without an end. " * 20)
        until(socket, "audio.start")
        send(socket, "input.cancel")
        until(socket, "audio.cancelled")
        until(socket, "session.done")
        running.wait_for(lambda: running.service.idle)
        send(socket, "input.text", text="Good morning.")
        send(socket, "input.done")
        assert until(socket, "session.done")[0][-1]["total_sentences"] == 1


class Listener:
    """Stands in for pocketsphinx: one word, as long as the sound that it was given."""

    def align(self, audio, text, offset_seconds):
        end = offset_seconds + audio.seconds
        return [WordTime(word=text, start=offset_seconds, end=end)]


def test_words_are_sought_in_their_own_sentence_alone(running, monkeypatch) -> None:
    monkeypatch.setattr("mamtra.server.captions.Aligner", Listener)

    def times(socket) -> dict:
        return until(socket, "audio.done")[0][-1]["timestamp_info"]["word_alignment"]

    with open_session(running, timestamp_type="word") as socket:
        send(socket, "input.text", text="It is warm. ")
        first = times(socket)
        assert first["word_start_times_seconds"] == [0.0]
        send(socket, "input.text", text="It is warm. ")
        assert times(socket) == first
        send(socket, "input.text", text="This goes on and on without an end. " * 20)
        until(socket, "audio.start")
        assert isinstance(socket.recv(timeout=60), bytes)
        send(socket, "input.cancel")
        until(socket, "session.done")
        send(socket, "input.text", text="It is warm. ")
        assert times(socket) == first


def test_settings_may_be_an_object_of_their_own(running, monkeypatch) -> None:
    monkeypatch.setattr("mamtra.server.captions.Aligner", Listener)
    with open_session(running, session={**PLAIN, "timestamp_type": "word"}) as socket:
        send(socket, "input.text", text="It is warm. ")
        assert "timestamp_info" in until(socket, "audio.done")[0][-1]


def test_a_later_config_holds_from_the_next_sentence_on(running, monkeypatch) -> None:
    monkeypatch.setattr("mamtra.server.captions.Aligner", Listener)
    long = " ".join(["We went to the market", *["and to the harbour"] * 12]) + ". "
    with open_session(running, timestamp_type="word") as socket:
        send(socket, "input.text", text=f"{long}It is warm. {long}It is warm. ")
        for timed, later in ((True, {}), (False, {"timestamp_type": "word"})):
            until(socket, "audio.start")
            assert isinstance(socket.recv(timeout=60), bytes)
            send(socket, "session.config", **PLAIN, **later)
            assert ("timestamp_info" in until(socket, "audio.done")[0][-1]) is timed
            assert ("timestamp_info" in until(socket, "audio.done")[0][-1]) is not timed


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"type": "something.new"}, "'something.new' is unknown; possible are session.config, "),
        ({"value": 1}, "message type None is unknown; possible are session.config, input.text"),
        ({"type": ["input.text"]}, "is unknown; possible are"),
        ({"type": "input.text"}, "the text of input.text is nothing; give it as a string"),
        ({"type": "input.text", "text": 5}, "the text of input.text is 5; give it as a string"),
    ],
)
def test_messages_that_mean_nothing_are_told_and_the_session_goes_on(
    running, message, told
) -> None:
    with open_session(running, unknown_field=1) as socket:
        socket.send(json.dumps(message))
        assert told in until(socket, "error")[0][-1]["message"]
        send(socket, "input.text", text="Good morning.")
        send(socket, "input.done")
        assert until(socket, "session.done")[0][-1]["total_sentences"] == 1


@pytest.mark.parametrize("frame", [b"abc", b'{"type": "input.done"}'])
@pytest.mark.parametrize("configured", [True, False])
def test_a_binary_frame_is_told_to_be_text(running, frame, configured) -> None:
    with client.connect(f"ws://127.0.0.1:{running.port}/v1/audio/speech/stream") as socket:
        if configured:
            send(socket, "session.config", **PLAIN)
        socket.send(frame)
        assert until(socket, "error")[0][-1]["message"].endswith("send JSON as text")
        with pytest.raises(Exception, match="1008"):
            socket.recv(timeout=10)


@pytest.mark.parametrize("first", [{"type": "input.text", "text": "Hi."}, {"type": "nope"}, {}])
def test_a_session_begins_with_its_config(running, first) -> None:
    with client.connect(f"ws://127.0.0.1:{running.port}/v1/audio/speech/stream") as socket:
        socket.send(json.dumps(first))
        assert "session.config" in until(socket, "error")[0][-1]["message"]


def test_an_error_that_nobody_foresaw_is_told_with_its_name_in_the_log(
    running, monkeypatch: pytest.MonkeyPatch, server_log: list
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr("mamtra.server.session.Session.hear", broken)
    with open_session(running) as socket:
        send(socket, "input.text", text="Good morning.")
        told = until(socket, "error")[0][-1]["message"]
    request_id = told.rpartition(" ")[2]
    assert request_id.startswith("req_")
    assert any(request_id in record.getMessage() for record in server_log)


def test_a_sentence_that_cannot_be_spoken_does_not_end_the_session(running) -> None:
    with open_session(running) as socket:
        send(socket, "input.text", text="?! ")
        send(socket, "input.done")
        messages, _ = until(socket, "session.done")
        assert any(told.get("error") is True for told in messages)
        send(socket, "input.text", text="Good morning.")
        send(socket, "input.done")
        until(socket, "session.done")


def test_a_sentence_without_words_is_left_out_of_a_text_that_has_some(running) -> None:
    with open_session(running) as socket:
        send(socket, "input.text", text="Good morning!\n\n😀😀\n\n... How are you? ***")
        send(socket, "input.done")
        messages, frames = until(socket, "session.done")
    assert "error" not in [message["type"] for message in messages]
    assert not any(message.get("error") for message in messages)
    turns = [("Good morning!", "low"), ("How are you?", "low")]
    assert b"".join(frames) == b"".join(running.spoken(*turn) for turn in turns)


@pytest.mark.parametrize("size", [3, 1000])
def test_a_mark_holds_until_the_next_one_or_new_settings(running, size: int) -> None:
    text = "[voice:high] Who is it\n[voice:low] Me.\n[voice:high] You. And me."
    with open_session(running) as socket:
        for start in range(0, len(text), size):
            send(socket, "input.text", text=text[start : start + size])
        send(socket, "input.done")
        _, frames = until(socket, "session.done")
        send(socket, "session.config", **PLAIN, voice="low")
        send(socket, "input.text", text="You.")
        send(socket, "input.done")
        _, later = until(socket, "session.done")
    turns = [("Who is it", "high"), ("Me.", "low"), ("You.", "high"), ("And me.", "high")]
    assert b"".join(frames) == b"".join(running.spoken(*turn) for turn in turns)
    assert b"".join(later) == running.spoken("You.", "low")


def test_a_mark_of_nobody_is_told_once(running) -> None:
    with open_session(running) as socket:
        send(socket, "input.text", text="[voice:nobody] Good morning. How are you?")
        send(socket, "input.done")
        messages, frames = until(socket, "session.done")
    told = [message["message"] for message in messages if message["type"] == "error"]
    assert len(told) == 1
    assert "nobody" in told[0]
    assert b"".join(frames) == running.spoken("How are you?", "low")


def test_half_a_character_is_told_and_the_session_goes_on(running) -> None:
    with open_session(running) as socket:
        send(socket, "input.text", text="Good \ud83d morning. ")
        assert "not UTF-8" in until(socket, "error")[0][-1]["message"]
        send(socket, "input.text", text="Good morning. ")
        assert until(socket, "audio.done")[0][-1]["error"] is False


@pytest.mark.parametrize("config", [{"voice": "nobody"}, {"speed": 9}, {"model": "other"}])
def test_a_wrong_config_is_told_and_ends_the_session(running, config) -> None:
    with open_session(running, **config) as socket:
        messages, _ = until(socket, "error")
        assert messages[-1]["message"]
        with pytest.raises(Exception, match="1008"):
            socket.recv(timeout=10)


def test_who_only_listens_is_not_idle(running, monkeypatch) -> None:
    monkeypatch.setattr("mamtra.server.session.IDLE_SECONDS", 0.3)
    with open_session(running) as socket:
        send(socket, "input.text", text="This goes on and on without an end. " * 20)
        send(socket, "input.done")
        begun = time.monotonic()
        assert until(socket, "session.done")[0][-1]["total_sentences"] == 20
        assert time.monotonic() - begun > 0.3  # longer than an idle client may stay
        with pytest.raises(Exception, match="nothing came in time"):
            socket.recv(timeout=10)


def test_sentences_may_come_at_once(running) -> None:
    with open_session(running) as socket:
        send(socket, "input.text", text="This goes on and on without an end. " * 140)
        messages, _ = until(socket, "audio.done")
        assert messages[-1]["error"] is False
        send(socket, "input.cancel")
        until(socket, "session.done")


def test_too_much_text_is_refused_and_the_session_goes_on(start_server) -> None:
    with open_session(start_server(max_chars=100)) as socket:
        send(socket, "input.text", text="This is one of those that wait. " * 40)
        until(socket, "audio.start")
        send(socket, "input.text", text="This is one more than can wait. " * 40)
        assert "may; send them again later" in until(socket, "error")[0][-1]["message"]
        send(socket, "input.cancel")
        until(socket, "session.done")
        send(socket, "input.text", text="word " * 30)
        assert "a sentence holds 150 characters" in until(socket, "error")[0][-1]["message"]
        send(socket, "input.text", text="Good morning. " * 30)  # there is room again
        send(socket, "input.done")
        messages, _ = until(socket, "session.done")
        assert (messages[-1]["total_sentences"], messages[-1]["utterance_index"]) == (30, 1)


def test_a_server_that_is_stopped_finishes_the_utterance(start_server) -> None:
    running = start_server()
    with open_session(running) as socket, open_session(running) as idle:
        send(idle, "input.done")
        until(idle, "session.done")
        send(socket, "input.text", text="One sentence is finished after the other. " * 6)
        until(socket, "audio.start")
        running.server.handle_exit(signal.SIGTERM, None)
        send(idle, "input.text", text="Me too.")
        assert "is being stopped" in until(idle, "error")[0][-1]["message"]
        with client.connect(f"ws://127.0.0.1:{running.port}/v1/audio/speech/stream") as late:
            assert "is being stopped" in json.loads(late.recv(timeout=10))["message"]
        send(socket, "input.done")
        assert until(socket, "session.done")[0][-1]["total_sentences"] == 6
    running.thread.join(30)
    assert not running.thread.is_alive()
    assert not running.state.utterances


def counted(running, utterances: int) -> bool:
    """Whether so many utterances are under way soon; one is until its end was sent."""
    until = time.monotonic() + 10
    while running.state.utterances != utterances and time.monotonic() < until:
        time.sleep(0.01)
    return running.state.utterances == utterances


def test_an_utterance_that_came_before_the_end_of_the_last_one_is_counted_by_itself(
    running,
) -> None:
    with open_session(running) as socket:
        send(socket, "input.text", text="The first one is here.")
        send(socket, "input.done")
        send(socket, "input.text", text="The second one")
        until(socket, "session.done")
        assert counted(running, 1)
        send(socket, "input.text", text=" is here.")
        send(socket, "input.done")
        assert until(socket, "session.done")[0][-1]["utterance_index"] == 1
        send(socket, "input.text", text="Never heard")
        send(socket, "input.cancel")
        until(socket, "session.done")
        assert counted(running, 0)


def test_an_error_that_comes_with_the_config_is_told(running) -> None:
    with open_session(running) as socket:
        socket.send("no object")
        assert "not JSON" in until(socket, "error")[0][-1]["message"]


def test_who_closes_stops_the_speech(running) -> None:
    with open_session(running) as socket:
        send(socket, "input.text", text="This goes on and on without an end. " * 20)
        until(socket, "audio.start")
    running.wait_for(lambda: running.service.idle)


def test_sessions_are_bounded(start_server) -> None:
    running = start_server(websockets=1)
    with open_session(running) as first:
        send(first, "input.done")
        until(first, "session.done")
        with client.connect(f"ws://127.0.0.1:{running.port}/v1/audio/speech/stream") as second:
            assert "no room" in json.loads(second.recv(timeout=10))["message"]


def test_keys_are_asked_for(start_server) -> None:
    running = start_server(api_keys=("k",))
    address = f"ws://127.0.0.1:{running.port}/v1/audio/speech/stream"
    with client.connect(address) as socket:
        assert "API key" in json.loads(socket.recv(timeout=10))["message"]
    with client.connect(address, additional_headers={"Authorization": "Api-Key k"}) as socket:
        send(socket, "session.config", **PLAIN)
        send(socket, "input.done")
        until(socket, "session.done")
