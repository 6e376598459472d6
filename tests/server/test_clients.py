"""Clients that people use: openai-python, openai-node and curl themselves; LiveKit's and Pipecat's
way to ask and to read, written anew from what they do."""

import base64
import io
import json
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("starlette")

TEXT = "Good morning. It is warm today, and the river is quiet."
LONG = "This sentence is one of many that are read aloud. " * 40
NODE_CLIENT = Path(__file__).parent / "node_client"
RATE = 24_000


def base_url(running) -> str:
    return f"http://127.0.0.1:{running.port}/v1"


@pytest.fixture
def openai_client(running) -> Iterator[Any]:
    openai = pytest.importorskip("openai")
    with openai.OpenAI(base_url=base_url(running), api_key="none", max_retries=0) as client:
        yield client


def leave(raw: socket.socket) -> None:
    """Go away without a goodbye."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_openai_python_gets_every_format(openai_client, name: str) -> None:
    if name == "aac":
        pytest.importorskip("av")
    speech = openai_client.audio.speech
    said = speech.create(input=TEXT, model="tts-1", voice="alloy", response_format=name)
    if name == "aac":  # ADTS begins with twelve ones (ISO 13818-7)
        assert said.content[0] == 0xFF
        assert said.content[1] >> 4 == 0xF
    elif name == "pcm":
        assert len(said.content) > RATE
    else:
        samples, rate = soundfile.read(io.BytesIO(said.content))
        assert len(samples) / rate > 0.5


def test_openai_python_reads_a_stream_of_events(openai_client) -> None:
    streaming = openai_client.audio.speech.with_streaming_response.create(
        input=TEXT,
        model="gpt-4o-mini-tts",
        voice="alloy",
        response_format="pcm",
        extra_body={"stream_format": "sse"},
    )
    with streaming as response:
        events = [json.loads(line[6:]) for line in response.iter_lines() if line[:6] == "data: "]
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    assert events[-1]["type"] == "speech.audio.done"
    assert events[-1]["usage"]["total_tokens"] > 0


def test_openai_python_tries_again_when_the_queue_was_full(
    start_server, monkeypatch: pytest.MonkeyPatch
) -> None:
    openai = pytest.importorskip("openai")
    running = start_server(slots=1, queue=0)
    held = running.post_raw({"input": LONG, "response_format": "pcm"})
    running.wait_for(lambda: len(running.service.speaking) == 1)
    waited = []

    def instead_of_sleep(seconds: float) -> None:
        waited.append(seconds)
        leave(held)
        running.wait_for(lambda: running.service.idle)

    monkeypatch.setattr("time.sleep", instead_of_sleep)
    with openai.OpenAI(base_url=base_url(running), api_key="none", max_retries=2) as client:
        asked = {"input": "Me too.", "model": "tts-1", "voice": "alloy", "response_format": "wav"}
        said = client.audio.speech.create(**asked)
    assert soundfile.info(io.BytesIO(said.content)).samplerate == RATE
    assert len(waited) == 1
    assert waited[0] >= 1  # as Retry-After says


def test_openai_python_sees_the_class_of_each_error(openai_client) -> None:
    import openai

    asked = {"input": "a", "model": "tts-1", "voice": "alloy"}
    for wrong, kind in (
        ({"voice": "nobody"}, openai.BadRequestError),
        ({"model": "gpt-9"}, openai.NotFoundError),
        ({"speed": 9.0}, openai.BadRequestError),
    ):
        with pytest.raises(kind) as told:
            openai_client.audio.speech.create(**asked | wrong)
        assert told.value.body["message"]
        assert told.value.request_id.startswith("req_")


def test_openai_node_speaks_streams_and_sees_errors(running) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (NODE_CLIENT / "node_modules" / "openai").is_dir():
        pytest.skip(f"openai-node is not installed; run npm install in {NODE_CLIENT.name}")
    answer = subprocess.run(
        [node, "client.mjs", str(running.port)],
        cwd=NODE_CLIENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    heads = {"mp3": "ID3", "opus": "OggS", "flac": "fLaC", "wav": "RIFF"}
    for name, head in heads.items():
        assert told["formats"][name]["head"].startswith(head)
    assert told["formats"]["pcm"]["bytes"] == told["streamed"] > RATE
    assert told["formats"]["aac"].get("refused") in (None, "format_missing")
    assert told["parts"] > 1
    assert told["errors"] == {
        "voice": {"kind": "BadRequestError", "status": 400, "param": "voice"},
        "model": {"kind": "NotFoundError", "status": 404, "param": "model"},
    }


def test_curl_gets_a_file_and_an_error(running, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")

    def ask(values: dict[str, str]) -> tuple[int, bytes]:
        out = tmp_path / "out"
        command = [curl, "-s", "-o", str(out), "-w", "%{http_code}", "-d", json.dumps(values)]
        command += ["-H", "content-type: application/json", f"{base_url(running)}/audio/speech"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return int(answer.stdout), out.read_bytes()

    status, data = ask({"input": TEXT, "response_format": "flac"})
    assert (status, soundfile.info(io.BytesIO(data)).samplerate) == (200, RATE)
    status, data = ask({"input": TEXT, "voice": "nobody"})
    assert (status, json.loads(data)["error"]["code"]) == (400, "voice_not_found")


def read_as_livekit(response: Any) -> bytes:
    """Sound as LiveKit's plugin for OpenAI reads it: events if the content type says so.

    It takes a line that begins with "data:", ends at [DONE], and finds sound under "delta" or
    "audio".
    """
    if "text/event-stream" not in response.headers["content-type"]:
        return b"".join(response.iter_bytes())
    sound = b""
    for line in response.iter_lines():
        payload = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if payload == "[DONE]":
            break
        if payload:
            event = json.loads(payload)
            sound += base64.b64decode(event.get("delta") or event.get("audio") or "")
    return sound


@pytest.mark.parametrize("model", ["gpt-4o-mini-tts", "tts-1"])
def test_livekits_plugin_for_openai_hears_the_whole_text(openai_client, model: str) -> None:
    asked = {"input": TEXT, "model": model, "voice": "ash", "response_format": "mp3", "speed": 1.0}
    if model != "tts-1":  # which it never asks for events
        asked["extra_body"] = {"stream_format": "sse"}
    streaming = openai_client.audio.speech.with_streaming_response.create(**asked, timeout=5.0)
    with streaming as response:
        samples, rate = soundfile.read(io.BytesIO(read_as_livekit(response)))
        assert response.request_id
    whole = openai_client.audio.speech.create(
        input=TEXT, model=model, voice="ash", response_format="pcm"
    )
    assert rate == RATE
    assert abs(len(samples) - len(whole.content) / 2) / RATE < 0.15


@pytest.mark.parametrize("voice", ["alloy", "cedar", "verse"])
def test_pipecats_service_gets_samples_in_its_pieces(openai_client, voice: str) -> None:
    piece_bytes = RATE // 2 * 2 // 10
    streaming = openai_client.audio.speech.with_streaming_response.create(
        input=TEXT,
        model="gpt-4o-mini-tts",
        voice=voice,
        response_format="pcm",
        extra_body={"instructions": "speak calmly"},
    )
    with streaming as response:
        assert response.status_code == 200
        pieces = list(response.iter_bytes(piece_bytes))
    assert {len(piece) for piece in pieces[:-1]} == {piece_bytes}
    assert np.frombuffer(b"".join(pieces), "<i2").any()


def read_as_livekits_websocket_client(connection: Any, flushes: int) -> dict[str, Any]:
    """What LiveKit's client of vLLM-Omni's WebSocket makes of messages, up to so many answers.

    Words are moved by the sound that came before their sentence; an error ends the turn.
    """
    sound, words, offset, sentences = b"", [], 0.0, 0
    while flushes:
        received = connection.recv(timeout=60)
        if isinstance(received, bytes):
            sound += received
            continue
        event = json.loads(received)
        match event["type"]:
            case "audio.start":
                assert event["sample_rate"] == RATE
                offset = len(sound) / (2 * RATE)
            case "audio.done":
                assert not event["error"]
                sentences += 1
                times = (event.get("timestamp_info") or {}).get("word_alignment") or {}
                names = ("words", "word_start_times_seconds", "word_end_times_seconds")
                rows = zip(*(times.get(name) or [] for name in names), strict=False)
                words += [(word, offset + start, offset + end) for word, start, end in rows]
            case "session.done":
                flushes -= 1
            case "error":
                raise AssertionError(event["message"])
    return {"sound": sound, "words": words, "sentences": sentences}


def test_livekits_websocket_client_keeps_a_session_over_turns(start_server) -> None:
    client = pytest.importorskip("websockets.sync.client")
    running = start_server(api_keys=("k1",))
    address = f"ws://127.0.0.1:{running.port}/v1/audio/speech/stream"
    config = {
        "task_type": "Base",
        "response_format": "pcm",
        "stream_audio": True,
        "speed": 1.0,
        "voice": "low",
        "language": "Auto",
    }
    headers = {"Authorization": "Api-Key k1"}

    def tell(connection: Any, kind: str, **values: Any) -> None:
        connection.send(json.dumps({"type": kind, **values}))

    with client.connect(address, additional_headers=headers, compression=None) as connection:
        tell(connection, "session.config", **config)
        for part in ("Good morn", "ing. It is ", "warm today."):
            tell(connection, "input.text", text=part)
        tell(connection, "input.done")
        first = read_as_livekits_websocket_client(connection, 1)
        tell(connection, "input.done")  # how it keeps a parked connection alive
        kept = read_as_livekits_websocket_client(connection, 1)
        tell(connection, "session.config", **config | {"voice": "high"})
        tell(connection, "input.text", text="Good morning. It is warm today.")
        tell(connection, "input.done")
        second = read_as_livekits_websocket_client(connection, 1)
        tell(connection, "session.close")
    assert (first["sentences"], kept["sentences"], second["sentences"]) == (2, 0, 2)
    assert len(first["sound"]) > RATE
    assert not kept["sound"]
    assert first["sound"] != second["sound"]


def test_livekits_websocket_client_is_told_when_words_are_heard(
    running, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = pytest.importorskip("websockets.sync.client")
    pytest.importorskip("pocketsphinx")
    from mamtra.synthesis.word_times import Aligner, WordTime

    def align(aligner: Aligner, audio: Any, text: str, offset: float = 0.0) -> list[WordTime]:
        words = text.split()
        return [
            WordTime(word=word, start=offset + 0.1 * n, end=offset + 0.1 * (n + 1))
            for n, word in enumerate(words)
        ]

    monkeypatch.setattr(Aligner, "align", align)  # the toy model's speech holds no words
    address = f"ws://127.0.0.1:{running.port}/v1/audio/speech/stream"
    asked = {"timestamp_type": "word", "timestamp_transport_strategy": "sync"}
    with client.connect(address) as connection:
        connection.send(json.dumps({"type": "session.config", "stream_audio": True, **asked}))
        connection.send(json.dumps({"type": "input.text", "text": "Good morning. It is warm."}))
        connection.send(json.dumps({"type": "input.done"}))
        told = read_as_livekits_websocket_client(connection, 1)
    assert [word.strip(".").lower() for word, _, _ in told["words"]] == [
        "good",
        "morning",
        "it",
        "is",
        "warm",
    ]
    starts = [start for _, start, _ in told["words"]]
    assert starts == sorted(starts)
    assert starts[2] > 0.2  # the second sentence counts from where its sound begins
