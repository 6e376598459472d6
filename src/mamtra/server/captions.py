"""``POST /dev/captioned_speech``: sound with the times of its words, in Kokoro-FastAPI's form.

The reply is JSON lines, one for each piece of text:
``{"audio": base64, "audio_format": ..., "timestamps": [{"word", "start_time", "end_time"}]}``.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mamtra.audio.clip import Audio
from mamtra.errors import MissingExtraError
from mamtra.server.http_errors import HTTPError
from mamtra.server.models import ServerState
from mamtra.server.replies import Output, notes_header
from mamtra.server.speech_request import read_json, speech_request
from mamtra.server.speech_route import job_of, watch
from mamtra.synthesis.stream import AudioPiece
from mamtra.synthesis.word_times import METHOD, Aligner, WordTime


class WordFinder:
    """Collects the sound of each piece of text, and finds its words when it is whole."""

    def __init__(self, speed: float) -> None:
        self.aligner, self.speed = Aligner(), speed
        self.parts: list[np.ndarray]
        self.before: int  # samples of earlier pieces
        self.begin()

    def begin(self) -> None:
        """Forget the sound so far; the next begins at 0 seconds."""
        self.parts, self.before = [], 0

    async def words_of(self, piece: AudioPiece) -> list[WordTime]:
        """The words of a piece that ends here; none while it goes on."""
        self.parts.append(piece.samples)
        if piece.spoken is None:
            return []
        samples = np.concatenate(self.parts)
        offset = self.before / piece.rate
        self.parts, self.before = [], self.before + len(samples)
        audio = Audio(samples=samples, rate_hz=piece.rate)
        return await asyncio.to_thread(self.aligner.align, audio, piece.spoken.text, offset)

    def row(self, word: WordTime) -> dict[str, Any]:
        """A word in Kokoro-FastAPI's form, at the speed that is heard."""
        return {
            "word": word.word,
            "start_time": round(word.start / self.speed, 3),
            "end_time": round(word.end / self.speed, 3),
        }

    def columns(self, words: list[WordTime]) -> dict[str, Any]:
        """Words in the form of vLLM-Omni's WebSocket, at the speed that is heard."""
        rows = [self.row(word) for word in words]
        return {
            "method": METHOD,
            "word_alignment": {
                "words": [row["word"] for row in rows],
                "word_start_times_seconds": [row["start_time"] for row in rows],
                "word_end_times_seconds": [row["end_time"] for row in rows],
            },
        }


def finder_for(speed: float, param: str) -> WordFinder:
    """What finds words, if a request asks for their times by a field.

    Raises:
        HTTPError: 400, pocketsphinx is not installed.
    """
    try:
        return WordFinder(speed)
    except MissingExtraError as missing:
        raise HTTPError(400, str(missing), "words_missing", param) from missing


async def captioned(request: Request, state: ServerState) -> Response:
    """Speak a text and tell when each word is heard."""
    wanted = speech_request(await read_json(request), state.config)
    service = state.models.find(wanted.model)
    job, _ = job_of(wanted, service, state)
    finder = finder_for(wanted.speed, "return_timestamps")
    output = Output(wanted, service.synthesizer, state.config.mark)
    ticket = service.submit(job)
    pieces = aiter(ticket)
    watching = asyncio.ensure_future(watch(request, ticket))
    try:
        first = await anext(pieces, None)
    finally:
        watching.cancel()

    async def body() -> AsyncIterator[bytes]:
        try:
            data = bytearray()
            upcoming = first
            while upcoming is not None:
                data += output.push(upcoming)
                words = await finder.words_of(upcoming)
                if upcoming.spoken is not None:
                    yield line(data, wanted.format_name, [finder.row(word) for word in words])
                    data.clear()
                upcoming = await anext(pieces, None)
            yield line(data + output.finish(), wanted.format_name, [])
        finally:
            ticket.cancel()

    headers = notes_header(job.notes)
    return StreamingResponse(body(), headers=headers, media_type="application/x-ndjson")


def line(data: bytes | bytearray, format_name: str, timestamps: list[dict[str, Any]]) -> bytes:
    """One line of the reply."""
    values = {
        "audio": base64.b64encode(data).decode(),
        "audio_format": format_name,
        "timestamps": timestamps,
        "method": METHOD,
    }
    return json.dumps(values).encode() + b"\n"
