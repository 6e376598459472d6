"""A server under unkind clients and at its end: leaving, not reading, too many, wrong, stopping."""

import http.client
import io
import json
import math
import signal
import socket
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile

from mamtra.voice.voice import default_voice

pytest.importorskip("starlette")

POST = "POST /v1/audio/speech HTTP/1.1\r\n"
LONG = "This sentence is one of many that are read aloud. " * 40


def leave(raw: socket.socket) -> None:
    """Go away without a goodbye."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


def test_who_leaves_while_waiting_frees_the_queue(start_server) -> None:
    running = start_server(slots=1, queue=4)
    speaking = running.post_raw({"input": LONG, "response_format": "pcm"})
    running.wait_for(lambda: len(running.service.speaking) == 1)
    waiting = running.post_raw({"input": LONG})
    running.wait_for(lambda: len(running.service.waiting) == 1)
    leave(waiting)
    running.wait_for(lambda: not running.service.waiting)
    leave(speaking)
    running.wait_for(lambda: running.service.idle)


@pytest.mark.parametrize("path", ["/v1/audio/speech/batch", "/dev/captioned_speech"])
def test_who_leaves_other_routes_frees_the_queue(start_server, path: str) -> None:
    if path.startswith("/dev"):
        pytest.importorskip("pocketsphinx")
    running = start_server(slots=1, queue=4)
    speaking = running.post_raw({"input": LONG, "response_format": "pcm"})
    running.wait_for(lambda: len(running.service.speaking) == 1)
    body = json.dumps({"input": LONG, "items": [{"input": LONG}, {"input": LONG}]}).encode()
    waiting = running.connect()
    head = POST.replace("/v1/audio/speech", path) + "Host: localhost\r\n"
    waiting.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    running.wait_for(lambda: len(running.service.waiting) >= 1)
    leave(waiting)
    running.wait_for(lambda: not running.service.waiting)
    leave(speaking)
    running.wait_for(lambda: running.service.idle)


def test_who_leaves_while_hearing_frees_the_slot(start_server) -> None:
    running = start_server(slots=1)
    raw = running.post_raw({"input": LONG, "response_format": "pcm"})
    assert raw.recv(200).startswith(b"HTTP/1.1 200")
    leave(raw)
    running.wait_for(lambda: running.service.idle)
    assert running.speak("Still here.")[0] == 200


@pytest.mark.slow
def test_who_reads_nothing_is_cut_off(start_server) -> None:
    running = start_server(slots=1, write_seconds=0.3, max_chars=100_000)
    raw = running.connect()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    body = json.dumps(
        {"input": LONG * 10, "response_format": "pcm", "sample_rate": 48_000}
    ).encode()
    head = (
        f"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    raw.sendall(head.encode() + body)
    running.wait_for(lambda: bool(running.service.speaking))
    running.wait_for(lambda: running.service.idle, 60)
    received = b""
    while part := raw.recv(65_536):
        received += part
    assert not received.endswith(b"0\r\n\r\n")  # half a sound must not look whole
    raw.close()


def test_too_many_are_told_to_come_again(start_server) -> None:
    running = start_server(slots=1, queue=1)
    held = []
    for number in (1, 2):
        held.append(running.post_raw({"input": LONG, "response_format": "pcm"}))
        running.wait_for(
            lambda n=number: len(running.service.speaking) + len(running.service.waiting) == n
        )
    running.wait_for(lambda: len(running.service.speaking) == 1)
    status, headers, data = running.speak("Me too.")
    assert (status, json.loads(data)["error"]["code"]) == (429, "queue_full")
    assert int(headers["retry-after"]) >= 1
    for raw in held:
        leave(raw)


def test_a_batch_leaves_others_their_turn(start_server) -> None:
    running = start_server(slots=1, queue=1)
    items = [{"input": f"Sentence number {n} is not the others."} for n in range(8)]
    body = {"response_format": "pcm", "items": items}
    with ThreadPoolExecutor(1) as pool:
        batch = pool.submit(running.ask, "POST", "/v1/audio/speech/batch", body)
        running.wait_for(lambda: bool(running.service.speaking))
        for _ in range(2):
            assert running.speak("Me too.")[0] == 200
            assert not batch.done()
        status, _, data = batch.result(60)
    rows = json.loads(data)["results"]
    assert (status, [row["index"] for row in rows]) == (200, list(range(8)))
    assert all(row["audio"] for row in rows)


def test_a_batch_is_refused_like_a_request_where_the_queue_is_full(start_server) -> None:
    running = start_server(slots=1, queue=0)
    raw = running.post_raw({"input": LONG, "response_format": "pcm"})
    running.wait_for(lambda: len(running.service.speaking) == 1)
    body = {"items": [7, {"input": "Me too."}, {"input": "And me."}]}
    status, headers, data = running.ask("POST", "/v1/audio/speech/batch", body)
    assert (status, json.loads(data)["error"]["code"]) == (429, "queue_full")
    assert int(headers["retry-after"]) >= 1
    assert not running.service.waiting
    leave(raw)
    running.wait_for(lambda: running.service.idle)
    status, _, data = running.ask("POST", "/v1/audio/speech/batch", body)
    assert (status, ["audio" in row for row in json.loads(data)["results"]]) == (
        200,
        [False, True, True],
    )


def test_nobody_waits_for_ever(start_server) -> None:
    running = start_server(slots=1, queue=2, queue_seconds=0.2)
    raw = running.post_raw({"input": LONG, "response_format": "pcm"})
    running.wait_for(lambda: len(running.service.speaking) == 1)
    status, headers, _ = running.speak("Me too.")
    assert status == 503
    assert "retry-after" in headers
    leave(raw)


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 400),
        (
            "POST /v1/audio/speech HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n{}",
            403,
        ),
        ("GET /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("GET /page/../app.py HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("GET /page/%2e%2e/app.py HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("nonsense\r\n\r\n", 400),
    ],
)
def test_wrong_requests_get_their_code(running, request_text: str, status: int) -> None:
    raw = running.connect()
    raw.sendall(request_text.encode())
    assert f" {status} ".encode() in raw.recv(4096)
    raw.close()
    assert running.service.idle


HEAD = "POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize("sent", ["", "POST /v1/au", HEAD, f"GET /health HTTP/1.1\r\n{HEAD[-17:]}"])
def test_a_head_that_does_not_come_is_not_waited_for(
    start_server, monkeypatch: pytest.MonkeyPatch, sent: str
) -> None:
    monkeypatch.setattr("mamtra.server.header_timeout.PunctualProtocol.header_seconds", 0.2)
    running = start_server()
    raw = running.connect()
    raw.sendall(sent.encode())
    assert raw.recv(4096) == b""  # closed, and nothing was answered
    raw.close()
    assert not running.server.server_state.connections
    assert running.speak("Good.")[0] == 200


def test_half_a_body_is_not_waited_for(start_server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mamtra.server.speech_request.BODY_SECONDS", 0.2)
    running = start_server()
    raw = running.connect()
    raw.sendall(f'{HEAD}Content-Length: 1000\r\n\r\n{{"input"'.encode())
    assert b" 408 " in raw.recv(4096)
    raw.close()
    leaving = running.connect()
    leaving.sendall(f'{HEAD}Content-Length: 1000\r\n\r\n{{"input"'.encode())
    leave(leaving)
    running.wait_for(lambda: not running.server.server_state.connections)
    assert running.service.idle


def test_who_leaves_within_a_body_is_counted_and_no_error(running, server_log) -> None:
    leaving = running.connect()
    leaving.sendall(f'{HEAD}Content-Length: 1000\r\n\r\n{{"input"'.encode())
    leave(leaving)
    gone = 'mamtra_requests_total{code="408",route="/v1/audio/speech"} 1.0'
    running.wait_for(lambda: gone in running.state.metrics.text().decode())
    assert [record for record in server_log if record.levelname == "ERROR"] == []


def test_a_wrong_length_is_refused(running) -> None:
    raw = running.connect()
    raw.sendall(f"{HEAD}Content-Length: many\r\n\r\n{{}}".encode())
    assert b" 400 " in raw.recv(4096)
    raw.close()


def test_a_body_that_is_too_large_is_refused_while_it_arrives(running) -> None:
    status, _, data = running.speak("a", padding="x" * 1_000_000)
    assert (status, json.loads(data)["error"]["code"]) == (413, "body_too_large")


def test_another_content_type_is_refused(running) -> None:
    status, _, _ = running.ask(
        "POST", "/v1/audio/speech", "input=a", {"content-type": "application/x-www-form-urlencoded"}
    )
    assert status == 415


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/v1/audio/speech/batch"])
@pytest.mark.parametrize(
    ("kind", "status"),
    [("application/json", 200), ("Application/JSON; charset=UTF-8", 200), ("text/plain", 415)],
)
def test_json_goes_by_its_name_in_any_case(running, path: str, kind: str, status: int) -> None:
    body = json.dumps({"input": "Good.", "items": [{"input": "Good."}]})
    assert running.ask("POST", path, body, {"content-type": kind})[0] == status


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/v1/audio/speech", "POST"), ("PUT", "/v1/audio/voices", "GET, HEAD, POST")],
)
def test_a_method_that_is_not_possible_is_told_those_that_are(
    running, method: str, path: str, allowed: str
) -> None:
    status, headers, data = running.ask(method, path)
    assert (status, headers["allow"]) == (405, allowed)
    assert json.loads(data)["error"]["code"] == "method_not_allowed"


def test_a_server_at_another_loopback_address_is_asked_by_it(start_server) -> None:
    running = start_server(host="127.0.0.2")
    connection = http.client.HTTPConnection("127.0.0.2", running.port, timeout=60)
    connection.request("GET", "/v1/models")
    assert connection.getresponse().status == 200
    connection.close()


def test_pages_of_other_origins_may_not_speak(running) -> None:
    headers = {"origin": "https://evil.example"}
    assert running.ask("POST", "/v1/audio/speech", {"input": "a"}, headers)[0] == 403
    own = {"origin": f"http://127.0.0.1:{running.port}"}
    assert running.ask("POST", "/v1/audio/speech", {"input": "Good."}, own)[0] == 200


def test_an_allowed_origin_may_read_the_answer(start_server) -> None:
    running = start_server(cors=("https://good.example",))
    headers = {"origin": "https://good.example"}
    status, told, _ = running.ask("POST", "/v1/audio/speech", {"input": "Good."}, headers)
    assert (status, told["access-control-allow-origin"]) == (200, "https://good.example")
    asked = {**headers, "access-control-request-method": "POST"}
    assert running.ask("OPTIONS", "/v1/audio/speech", None, asked)[0] == 204
    wanted = "authorization,content-type,x-stainless-lang"  # as OpenAI's client asks in a page
    asked["access-control-request-headers"] = wanted
    _, told, _ = running.ask("OPTIONS", "/v1/audio/speech", None, asked)
    assert told["access-control-allow-headers"] == wanted
    assert "Retry-After" in told["access-control-expose-headers"]


@pytest.mark.parametrize(
    ("header", "status"),
    [({}, 401), ({"authorization": "Bearer wrong"}, 401), ({"authorization": "Bearer k1"}, 200),
     ({"authorization": "Api-Key k2"}, 200), ({"x-api-key": "k1"}, 200),
     ({"x-api-key": "clé".encode().decode("latin-1")}, 200)],
)  # fmt: skip
def test_keys_are_asked_for_where_they_are_set(start_server, header, status) -> None:
    running = start_server(api_keys=("k1", "k2", "clé"))
    assert running.ask("GET", "/v1/models", None, header)[0] == status
    assert running.ask("GET", "/health")[0] == 200


def test_each_model_is_described_as_in_the_list(running) -> None:
    rows = json.loads(running.ask("GET", "/v1/models")[2])["data"]
    assert len(rows) > 1
    for row in rows:
        status, _, body = running.ask("GET", f"/v1/models/{row['id']}")
        assert (status, json.loads(body)) == (200, row)


def test_a_model_that_is_not_served_is_not_described(running) -> None:
    status, _, body = running.ask("GET", "/v1/models/gpt-9")
    assert status == 404
    assert json.loads(body)["error"]["code"] == "model_not_found"


def test_lists_describe_models_and_voices(running) -> None:
    models = json.loads(running.ask("GET", "/v1/models")[2])
    assert models["data"][0]["id"] == running.service.name
    voices = json.loads(running.ask("GET", "/v1/audio/voices?limit=100")[2])
    own = running.service.synthesizer.voices
    assert [voice["id"] for voice in voices["voices"]][: len(own)] == own
    assert voices["data"] == voices["voices"]
    alloy = next(voice for voice in voices["voices"] if voice["id"] == "alloy")
    assert alloy["alias_of"] == own[0] == default_voice(running.service.synthesizer.folder)


def test_aliases_are_listed_where_the_model_has_voices(running, monkeypatch) -> None:
    synthesizer = running.service.synthesizer
    own = {running.service.name: {"mine": synthesizer.voice("low")}}
    monkeypatch.setattr(running.state.models, "uploaded", own)
    monkeypatch.setattr(type(synthesizer), "voices", [])
    voices = json.loads(running.ask("GET", "/v1/audio/voices")[2])["voices"]
    assert [voice["id"] for voice in voices] == ["mine"]


@pytest.mark.parametrize("limit", ["9" * 5000, "many", "-1"])
def test_a_limit_that_is_not_possible_is_refused(running, limit: str) -> None:
    status, _, data = running.ask("GET", f"/v1/audio/voices?limit={limit}")
    error = json.loads(data)["error"]
    assert (status, error["param"]) == (400, "limit")
    assert len(error["message"]) < 200


def test_metrics_and_description_are_there(running) -> None:
    running.speak("Good morning.")
    text = running.ask("GET", "/metrics")[2].decode()
    for name in ("requests_total", "queue_depth", "slots_busy", "first_audio_seconds", "realtime"):
        assert f"mamtra_{name}" in text
    described = json.loads(running.ask("GET", "/openapi.json")[2])
    headers = described["paths"]["/v1/audio/speech"]["post"]["responses"]["200"]["headers"]
    told = running.speak("A 😀.", response_format="wav", instructions="whisper")[1]
    own = {name for name in told if name.startswith("x-")} - {"x-request-id", "x-accel-buffering"}
    assert {"x-notes", "x-ignored"} <= own <= {name.lower() for name in headers}


def ends_whole(running, raw, received: bytes) -> None:
    """A stream of a server that was told to stop comes to its end, and then the server does."""
    while part := raw.recv(65_536):
        received += part
    assert received.endswith(b"0\r\n\r\n")
    raw.close()
    running.thread.join(30)
    assert not running.thread.is_alive()


def test_a_server_that_is_stopped_finishes_what_it_speaks(start_server) -> None:
    running = start_server(slots=1)
    raw = running.post_raw({"input": "One sentence is finished. " * 4, "response_format": "pcm"})
    received = raw.recv(4096)
    running.server.handle_exit(signal.SIGTERM, None)
    ends_whole(running, raw, received)


def test_a_server_that_is_stopped_answers_until_all_is_said(start_server) -> None:
    running = start_server(slots=1, drain_seconds=60.0)
    raw = running.post_raw({"input": LONG[:1000], "response_format": "pcm"})
    received = raw.recv(4096)
    running.server.handle_exit(signal.SIGTERM, None)
    while len(received) < 1_000_000:  # less than half
        received += raw.recv(65_536)
        assert running.ask("GET", "/ready")[0] == 503
    status, headers, data = running.speak("Me too.")
    told = json.loads(data)["error"]
    assert (status, told["code"], headers["retry-after"]) == (503, "draining", "2")
    assert told["message"] == "the server is being stopped; ask again"
    assert running.ask("GET", "/health")[0] == 200
    assert not running.service.idle
    ends_whole(running, raw, received)
    with pytest.raises(ConnectionRefusedError):
        running.connect()


def test_a_server_may_be_told_to_end_all_that_it_speaks(start_server) -> None:
    running = start_server(drain_seconds=math.inf)
    running.server.handle_exit(signal.SIGTERM, None)
    running.thread.join(30)
    assert running.service.slots.closed


def test_a_server_that_drains_cuts_off_what_takes_longer(start_server) -> None:
    running = start_server(slots=1, max_chars=100_000, drain_seconds=0.2)
    raw = running.post_raw({"input": LONG * 20, "response_format": "pcm"})
    received = raw.recv(4096)
    running.server.handle_exit(signal.SIGTERM, None)
    running.thread.join(30)
    assert not running.thread.is_alive()
    while part := raw.recv(65_536):
        received += part
    assert not received.endswith(b"0\r\n\r\n")
    raw.close()


def form_with(fields: dict[str, str], sound: bytes, file: str) -> tuple[bytes, dict[str, str]]:
    """A multipart body with fields and a file, and its header."""
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--b\r\nContent-Disposition: form-data; name="audio_sample"; filename="{file}"\r\n'
    head += "Content-Type: audio/wav\r\n\r\n"
    body = b"".join(parts) + head.encode() + sound + b"\r\n--b--\r\n"
    return body, {"content-type": "multipart/form-data; boundary=b"}


AGREED = {"name": "guest", "consent": "yes, the speaker agreed"}


@pytest.mark.parametrize("sound", [b"", b"RIFF\x00\x00\x00\x00WAVEfmt ", b"no sound at all"])
@pytest.mark.parametrize("file", ["a.wav", "a.mp3", "a.raw", "a.\x00", "a"])
def test_a_recording_that_is_no_sound_is_named_as_the_recording(running, sound, file) -> None:
    status, _, data = running.ask("POST", "/v1/audio/voices", *form_with(AGREED, sound, file))
    error = json.loads(data)["error"]
    assert (status, error["code"], error["param"]) == (422, "unusable_recording", "audio_sample")
    assert error["message"].startswith(f"the recording ({len(sound)} bytes) cannot be read")
    assert "/" not in error["message"]


def test_a_recording_that_is_too_long_is_refused_before_it_is_decoded(
    running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mamtra.server.voice_routes.read", None)
    file = io.BytesIO()
    soundfile.write(file, np.zeros(31 * 8_000, np.float32), 8_000, format="FLAC")
    form = form_with(AGREED, file.getvalue(), "a.flac")
    status, _, data = running.ask("POST", "/v1/audio/voices", *form)
    told = "the recording lasts 31.0 seconds; between 3 and 30 are needed"
    assert (status, json.loads(data)["error"]["message"]) == (422, told)


@pytest.mark.parametrize("name", ["alloy", "low"])
def test_an_upload_takes_no_name_that_means_a_voice_of_the_model(running, name) -> None:
    body, headers = form_with(AGREED | {"name": name}, b"", "a.wav")
    status, _, data = running.ask("POST", "/v1/audio/voices", body, headers)
    error = json.loads(data)["error"]
    assert (status, error["code"], error["param"]) == (409, "voice_exists", "name")
    assert error["message"].endswith("choose another name")


@pytest.mark.parametrize(
    ("body", "boundary", "told"),
    [
        (b"name=guest", "; boundary=b", "multipart"),
        (b"--b\r\n\r\nguest\r\n--b--\r\n", "; boundary=b", "Content-Disposition"),
        (b"--b--\r\n", "", "boundary"),
    ],
)
def test_a_form_that_is_none_is_told_what_is_wrong(running, body, boundary, told) -> None:
    headers = {"content-type": f"multipart/form-data{boundary}"}
    status, _, data = running.ask("POST", "/v1/audio/voices", body, headers)
    error = json.loads(data)["error"]
    assert (status, error["code"]) == (400, "invalid_form")
    assert told in error["message"].partition("; send the fields")[0].partition("(")[2]


def test_voices_are_uploaded_with_consent_used_and_forgotten(running) -> None:
    import numpy as np

    from mamtra.audio.clip import Audio, encode

    time = np.arange(4 * 16_000) / 16_000
    sound = encode(Audio(samples=(0.3 * np.sin(700 * time)).astype(np.float32), rate_hz=16_000))

    def form(fields: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        return form_with(fields, sound, "a.wav")

    path = "/v1/audio/voices"
    body, headers = form({"name": "guest"})
    status, _, data = running.ask("POST", path, body, headers)
    assert (status, json.loads(data)["error"]["param"]) == (400, "consent")
    body, headers = form({"name": "../guest", "consent": "yes, the speaker agreed"})
    assert running.ask("POST", path, body, headers)[0] == 400
    body, headers = form({"name": "guest", "consent": "yes, the speaker agreed"})
    status, _, data = running.ask("POST", path, body, headers)
    assert (status, json.loads(data)["id"]) == (201, "guest")
    assert running.speak("Good morning.", voice="guest")[0] == 200
    assert running.ask("DELETE", f"{path}/guest")[0] == 200
    assert running.speak("Good morning.", voice="guest")[0] == 400
    assert running.ask("DELETE", f"{path}/{running.service.synthesizer.voices[0]}")[0] == 404


def test_uploads_are_off_unless_allowed(start_server) -> None:
    running = start_server()
    assert running.ask("POST", "/v1/audio/voices", b"", {"content-type": "text/plain"})[0] == 403


def test_a_path_prefix_is_understood_with_and_without_it(start_server) -> None:
    running = start_server(root_path="/tts")
    assert running.ask("GET", "/tts/health")[0] == 200
    assert running.ask("GET", "/health")[0] == 200
