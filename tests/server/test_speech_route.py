"""``POST /v1/audio/speech`` over real sockets: what clients get, also when many ask at once."""

import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile

pytest.importorskip("starlette")

TEXT = "Good morning. It is warm today, and the river is quiet."


def pcm(data: bytes) -> np.ndarray:
    return np.frombuffer(data, "<i2")


def alone(running, text: str = TEXT, seed: int = 0, voice: str | None = None) -> np.ndarray:
    """What the model says when nobody else asks."""
    pieces = running.service.synthesizer.stream(text, voice, seed)
    samples = np.concatenate([piece.samples for piece in pieces])
    return (np.clip(samples, -1, 1) * 32767).round().astype("<i2")


def test_the_answer_is_what_the_model_says_alone(running) -> None:
    status, headers, data = running.speak(TEXT, response_format="pcm", sample_rate="native", seed=3)
    assert status == 200
    assert headers["content-type"].startswith("audio/pcm")
    assert headers["x-sample-rate"] == str(running.service.rate_hz)
    assert np.array_equal(pcm(data), alone(running, seed=3))


def test_many_at_once_get_their_own_speech(running) -> None:
    texts = [f"Sentence number {n} is not the others." for n in range(8)]

    def ask(n: int) -> np.ndarray:
        body = {"response_format": "pcm", "sample_rate": "native", "seed": n}
        return pcm(running.speak(texts[n], **body)[2])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    for n, answer in enumerate(answers):
        assert np.array_equal(answer, alone(running, texts[n], seed=n))


def test_a_dialogue_is_spoken_in_its_voices(running) -> None:
    text = "[voice:high] Where have you been?\n[voice:low] In town, all day."
    form = {"response_format": "pcm", "sample_rate": "native"}
    status, _, data = running.speak(text, **form)
    assert status == 200
    assert np.array_equal(pcm(data), alone(running, text))
    status, _, data = running.speak("[voice:anna] Hello.", **form)
    told = json.loads(data)["error"]
    assert (status, told["code"]) == (400, "voice_not_found")
    assert told["message"].endswith("possible are low, high")


@pytest.mark.parametrize("name", ["mp3", "opus", "wav", "flac"])
def test_every_format_can_be_decoded(running, name: str) -> None:
    status, _, data = running.speak(TEXT, response_format=name)
    assert status == 200
    samples, rate = soundfile.read(io.BytesIO(data))
    assert rate in (24_000, 48_000)
    assert len(samples) > rate // 2


def test_a_stream_of_a_format_that_cannot_stream_comes_whole(running) -> None:
    form = {"response_format": "flac", "sample_rate": "native"}
    whole = running.speak(TEXT, **form)[2]
    status, headers, data = running.speak(TEXT, stream_format="audio", **form)
    assert (status, headers["content-type"], data) == (200, "audio/flac", whole)


def test_the_default_is_mp3_at_24_khz(running) -> None:
    status, headers, data = running.speak("Good morning.")
    assert (status, headers["content-type"]) == (200, "audio/mpeg")
    assert soundfile.info(io.BytesIO(data)).samplerate == 24_000


def test_a_whole_wav_has_its_length_and_the_account(running) -> None:
    _, headers, data = running.speak(TEXT, response_format="wav")
    assert int(headers["content-length"]) == len(data)
    assert float(headers["x-audio-seconds"]) == pytest.approx(len(data) / 48_000, abs=0.01)
    assert headers["x-stop-reason"]


@pytest.mark.parametrize("speed", [0.5, 1.5])
def test_speed_changes_the_length(running, speed: float) -> None:
    form = {"response_format": "pcm", "sample_rate": "native"}
    whole = pcm(running.speak(TEXT, **form)[2])
    changed = pcm(running.speak(TEXT, speed=speed, **form)[2])
    assert abs(len(changed) - len(whole) / speed) <= 2


def events_of(data: bytes) -> list[dict]:
    lines = data.decode().split("\n\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


def test_events_carry_the_same_sound_and_an_account(running) -> None:
    form = {"response_format": "pcm", "sample_rate": "native"}
    status, headers, data = running.speak(TEXT, stream_format="sse", **form)
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    events = events_of(data)
    assert events[-1]["type"] == "speech.audio.done"
    usage = events[-1]["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0
    sound = b"".join(base64.b64decode(event.get("audio", "")) for event in events)
    assert np.array_equal(pcm(sound), alone(running))
    told = [event["mamtra"] for event in events if "speech_tokens" in event.get("mamtra", {})]
    assert sum(len(piece["speech_tokens"]) for piece in told) == usage["output_tokens"]
    assert all(piece["state_bytes"] > 0 for piece in told)


def test_usage_counts_what_the_model_reads(running) -> None:
    data = running.speak("It is {W AO1 R M}.", stream_format="sse", response_format="pcm")[2]
    # each phone is one id, however many letters write it
    assert events_of(data)[-1]["usage"]["input_tokens"] == len("It is ") + 4 + len(".")


@pytest.mark.parametrize(
    ("values", "status", "param"),
    [
        ({"input": ""}, 400, "input"),
        ({"input": "?!"}, 400, "input"),
        ({"input": "a", "voice": "nobody"}, 400, "voice"),
        ({"input": "a", "voice": "../../etc/passwd"}, 400, "voice"),
        ({"input": "a", "model": "gpt-9"}, 404, "model"),
        ({"input": "x" * 5000}, 400, "input"),
    ],
)
def test_wrong_requests_are_refused_in_openais_form(running, values, status, param) -> None:
    answered, headers, data = running.ask("POST", "/v1/audio/speech", values)
    error = json.loads(data)["error"]
    assert (answered, error["param"]) == (status, param)
    assert error["message"]
    assert headers["x-request-id"].startswith("req_")


def test_openais_voices_and_models_are_understood(running) -> None:
    assert running.speak("Good morning.", voice="alloy", model="tts-1")[0] == 200


def test_instructions_are_ignored_and_named_where_the_model_has_none(running) -> None:
    status, headers, _ = running.speak("Good morning.", instructions="whisper")
    assert (status, headers["x-ignored"]) == (200, "instructions")


NOTED = "And 你好 another one 😀."
NOTES = [
    "left out, this model reads Latin letters only: '你好'",
    "left out, there are no words for: '😀'",
]


def notes_in(headers: dict[str, str]) -> list[str]:
    return [unquote(note) for note in headers["x-notes"].split("; ")]


@pytest.mark.parametrize("form", [{}, {"stream_format": "audio"}, {"stream_format": "sse"}])
def test_what_is_not_said_is_told_in_a_header(running, form) -> None:
    status, headers, data = running.speak(NOTED, response_format="wav", **form)
    assert (status, notes_in(headers)) == (200, NOTES)
    assert headers["x-notes"].isascii()
    if form.get("stream_format") == "sse":
        assert events_of(data)[-1]["notes"] == NOTES
    _, headers, _ = running.speak("Good morning.", response_format="wav", **form)
    assert "x-notes" not in headers


def test_the_header_of_notes_is_bounded_and_can_be_cut_into_them(running) -> None:
    text = (
        "Hello. " + "漢" * 900 + "".join(map(chr, range(0x1F600, 0x1F640))) + f"<a ;%{'漢' * 90}>"
    )
    status, headers, _ = running.speak(text, response_format="wav")
    assert status == 200
    assert notes_in(headers) == list(running.service.synthesizer.reader.notes(text))
    assert len(notes_in(headers)) == 3
    assert ";%" in notes_in(headers)[2]
    assert len(headers["x-notes"]) < 1500


def test_captions_and_batches_tell_what_is_not_said(running) -> None:
    body = {"items": [{"input": NOTED}, {"input": "Good morning."}]}
    rows = json.loads(running.ask("POST", "/v1/audio/speech/batch", body)[2])["results"]
    assert [row["notes"] for row in rows] == [NOTES, []]
    pytest.importorskip("pocketsphinx")
    _, headers, _ = running.ask("POST", "/dev/captioned_speech", {"input": NOTED})
    assert notes_in(headers) == NOTES


def test_a_batch_answers_item_by_item(running) -> None:
    items = [{"input": "One."}, {"input": ""}, {"input": "Three.", "seed": 5}, 7]
    body = {"response_format": "pcm", "sample_rate": "native", "items": items}
    status, _, data = running.ask("POST", "/v1/audio/speech/batch", body)
    rows = json.loads(data)["results"]
    assert (status, [row["index"] for row in rows]) == (200, [0, 1, 2, 3])
    assert ["error" in row for row in rows] == [False, True, False, True]
    sound = pcm(base64.b64decode(rows[2]["audio"]))
    assert np.array_equal(sound, alone(running, "Three.", seed=5))


@pytest.mark.parametrize("items", [None, [], [{}] * 33, "a"])
def test_a_batch_of_no_or_too_many_items_is_refused(running, items) -> None:
    status, _, data = running.ask("POST", "/v1/audio/speech/batch", {"items": items})
    assert (status, json.loads(data)["error"]["param"]) == (400, "items")
