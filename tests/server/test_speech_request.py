"""The fields of a speech request: what passes, and what each wrong one is told."""

import pytest

pytest.importorskip("starlette")

from mamtra.errors import ConfigError
from mamtra.server.config import ServeConfig
from mamtra.server.http_errors import HTTPError, busy, http_error_of
from mamtra.server.speech_request import object_of, speech_request

CONFIG = ServeConfig(max_chars=20)


def test_the_defaults_are_those_of_openai() -> None:
    wanted = speech_request({"input": "Hello."}, CONFIG)
    assert (wanted.format_name, wanted.rate_hz, wanted.speed) == ("mp3", 24_000, 1.0)
    assert not wanted.streamed
    assert not wanted.sse


def test_unknown_fields_are_ignored() -> None:
    assert speech_request({"input": "Hello.", "user": "me", "voice_id": 3}, CONFIG).text == "Hello."


def test_a_voice_may_be_an_object() -> None:
    assert speech_request({"input": "a", "voice": {"id": "slt"}}, CONFIG).voice == "slt"


def test_control_characters_are_dropped_and_letters_composed() -> None:
    assert speech_request({"input": "cafe\u0301\x00\x07"}, CONFIG).text == "caf\u00e9"


def test_the_models_own_rate_can_be_asked_for() -> None:
    assert speech_request({"input": "a", "sample_rate": "native"}, CONFIG).rate_hz is None


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({}, "input"),
        ({"input": 3}, "input"),
        ({"input": ""}, "input"),
        ({"input": " \x00 "}, "input"),
        ({"input": "x" * 21}, "input"),
        ({"input": "\ud800"}, "input"),
        ({"input": "a", "voice": 3}, "voice"),
        ({"input": "a", "response_format": "midi"}, "response_format"),
        ({"input": "a", "stream_format": "xml"}, "stream_format"),
        ({"input": "a", "speed": 4}, "speed"),
        ({"input": "a", "speed": "fast"}, "speed"),
        ({"input": "a", "speed": float("nan")}, "speed"),
        ({"input": "a", "speed": True}, "speed"),
        ({"input": "a", "seed": -1}, "seed"),
        ({"input": "a", "seed": 1.5}, "seed"),
        ({"input": "a", "seed": 2**63}, "seed"),
        ({"input": "a", "sample_rate": 96_000}, "sample_rate"),
        ({"input": "a", "sample_rate": 23_999}, "sample_rate"),
        ({"input": "a", "response_format": "opus", "sample_rate": 22_050}, "sample_rate"),
    ],
)
def test_a_wrong_field_is_named(values: dict, param: str) -> None:
    with pytest.raises(HTTPError) as refused:
        speech_request(values, CONFIG)
    assert refused.value.status == 400
    assert refused.value.param == param
    assert refused.value.body()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"3", b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_json_object_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(HTTPError) as refused:
        object_of(body)
    assert refused.value.status == 400


def test_a_full_queue_says_when_to_come_again() -> None:
    problem = busy("full", 3.4)
    assert (problem.status, problem.headers["Retry-After"]) == (429, "3")


@pytest.mark.parametrize("problem", [MemoryError(), RuntimeError("can't start new thread")])
def test_a_machine_that_gives_no_more_is_an_error_to_be_tried_again(problem: Exception) -> None:
    told = http_error_of(problem)
    assert (told.status, told.headers["Retry-After"]) == (503, "2")


def test_errors_that_nobody_foresaw_tell_nothing_of_the_inside() -> None:
    problem = http_error_of(RuntimeError("/secret/path"), "req_1")
    assert problem.status == 500
    assert "secret" not in problem.message
    assert "req_1" in problem.message
    assert http_error_of(RuntimeError()).message != http_error_of(RuntimeError()).message


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_other_computers_need_a_key_or_the_operators_word(host: str) -> None:
    with pytest.raises(ConfigError, match="--no-auth"):
        ServeConfig(host=host)
    assert ServeConfig(host=host, no_auth=True).host == host
    assert ServeConfig(host=host, api_keys=("k",)).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.9.1"])
def test_loopback_needs_no_key(host: str) -> None:
    assert ServeConfig(host=host).loopback


@pytest.mark.parametrize(
    "values", [{"slots": 0}, {"queue": -1}, {"port": 70_000}, {"root_path": "tts"}]
)
def test_settings_that_cannot_work_are_refused(values: dict) -> None:
    with pytest.raises(ConfigError):
        ServeConfig(**values)
