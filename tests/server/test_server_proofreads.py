"""The server proofreads as ``say`` does: the same for many clients, and a failure stays alone."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import mamtra
from mamtra.checkpoints.locate import locate

pytest.importorskip("starlette")

TEXTS = (
    "I always feel better after a long walk.",
    "We sang songs all the way to the lake.",
    "The cook added garlic, pepper and a spoon of honey.",
    "The dog barked at a stranger by the gate.",
    "Hello there.",
)


def pcm(running, text: str) -> tuple[int, bytes]:
    status, _, body = running.speak(text, response_format="pcm", voice="heart", seed=0)
    return status, body


@pytest.mark.parametrize("proofread", [True, False])
def test_clients_side_by_side_hear_what_a_stream_says(start_server, proofread: bool) -> None:
    running = start_server(locate("nano"), slots=3, queue=8, proofread=proofread)
    nano = mamtra.load("nano")
    with ThreadPoolExecutor(len(TEXTS)) as clients:
        replies = list(clients.map(lambda text: pcm(running, text), TEXTS))
    changed = 0
    for text, (status, body) in zip(TEXTS, replies, strict=True):
        assert status == 200
        heard = np.frombuffer(body, "<i2").astype(np.float64) / 2**15
        pieces = nano.stream(text, voice="heart", seed=0, proofread=proofread)
        wanted = np.concatenate([piece.samples for piece in pieces])
        assert heard.shape == wanted.shape
        assert np.abs(heard - wanted).max() < 2e-3
        other = nano.say(text, voice="heart", seed=0, proofread=not proofread)
        mine = nano.say(text, voice="heart", seed=0, proofread=proofread)
        changed += other.speech_tokens != mine.speech_tokens
    assert changed  # else nothing was drawn again, and this test shows nothing


def test_a_text_whose_check_fails_ends_alone(start_server) -> None:
    running = start_server(locate("nano"), slots=3, queue=8)
    synthesizer = running.service.synthesizer
    check_of = synthesizer.check_of

    def broken(ids: list[int]):
        check = check_of(ids)

        def fails(speech: object) -> float:
            raise RuntimeError("the check is broken")

        return fails if len(ids) > 25 else check

    synthesizer.check_of = broken
    with ThreadPoolExecutor(2) as clients:
        (bad, _), (good, body) = clients.map(lambda text: pcm(running, text), (TEXTS[0], TEXTS[4]))
    assert bad == 500
    assert good == 200
    assert len(body) > 10_000
    running.wait_for(lambda: running.service.idle)


def test_what_is_still_misread_is_told(start_server) -> None:
    running = start_server(locate("nano"), slots=3, queue=8)
    form = {"response_format": "wav", "voice": "heart"}
    _, headers, _ = running.speak(TEXTS[4], **form)
    assert "x-misread" not in headers
    running.service.synthesizer.check_of = lambda _: lambda _: 2.5
    _, headers, _ = running.speak(TEXTS[4], **form)
    assert headers["x-misread"] == "2.500"
    _, _, events = running.speak(TEXTS[4], stream_format="sse", **form)
    assert json.loads(events.decode().split("data: ")[-1])["misread"] == 2.5
