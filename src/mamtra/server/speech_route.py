"""``POST /v1/audio/speech``, and its form for many texts at once."""

import asyncio
import base64
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mamtra.server.http_errors import HTTPError, client_gone, http_error_of
from mamtra.server.models import ServerState
from mamtra.server.replies import Output, reply
from mamtra.server.service import Service
from mamtra.server.speech_request import (
    SpeechRequest,
    read_json,
    speech_request,
)
from mamtra.server.ticket import Job, Ticket
from mamtra.text.dialogue import voices_in

BATCH_BYTES = 1024 * 1024  # largest body of a batch


def job_of(wanted: SpeechRequest, service: Service, state: ServerState) -> tuple[Job, list[str]]:
    """What to speak, and which fields mean nothing to this model.

    Raises:
        HTTPError: 400, the voice is unknown.
    """
    ignored = []
    instruct = wanted.instructions
    if instruct is not None and service.synthesizer.reader.end_of_prompt is None:
        # clients send it by habit, and a refusal would shut them out
        ignored, instruct = ["instructions"], None

    voice_named = partial(state.models.voice_of, service)
    for name in voices_in(wanted.text):
        voice_named(name)
    job = Job(
        text=wanted.text,
        voice=voice_named(wanted.voice),
        voice_named=voice_named,
        seed=wanted.seed,
        instruct=instruct,
        notes=tuple(service.synthesizer.reader.notes(wanted.text)),
    )
    return job, ignored


async def left(request: Request) -> None:
    """Wait until the client has gone; the body must have been read to its end."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def watch(request: Request, ticket: Ticket) -> None:
    """Cancel a ticket whose client goes away before any sound was sent."""
    await left(request)
    ticket.cancel()


async def speech(request: Request, state: ServerState) -> Response:
    """Speak one text."""
    wanted = speech_request(await read_json(request), state.config)
    service = state.models.find(wanted.model)
    job, ignored = job_of(wanted, service, state)
    output = Output(wanted, service.synthesizer, state.config.mark)
    ticket = service.submit(job)
    # once a stream has begun, its response notices by itself that the client has gone
    watching = asyncio.ensure_future(watch(request, ticket))
    try:
        return await reply(wanted, ticket, output, ignored)
    finally:
        watching.cancel()


@dataclass(slots=True)
class Places:
    """What a batch holds of the server, so that others get their turn.

    Attributes:
        free: one for each slot; an item keeps one while it waits in the queue or is spoken.
        admitted: models whose queue has let the batch in.
        refused: why the first queue did not.
    """

    free: asyncio.Semaphore
    admitted: set[str] = field(default_factory=set)
    refused: HTTPError | None = None

    def submit(self, service: Service, job: Job) -> Ticket:
        """Put an item into a model's queue: the first one like a request, the others after it.

        Raises:
            HTTPError: 429, the queue is full; 503, the server is being stopped.
        """
        if self.refused is not None:
            raise self.refused
        try:
            ticket = service.submit(job, patient=service.name in self.admitted)
        except HTTPError as refusal:
            if not self.admitted:
                self.refused = refusal
            raise
        self.admitted.add(service.name)
        return ticket


async def spoken_item(values: Any, state: ServerState, places: Places) -> dict[str, Any]:
    """One item of a batch: its sound in base64, or its error."""
    ticket = None
    await places.free.acquire()
    try:
        if not isinstance(values, dict):
            raise HTTPError(400, "an item is not a JSON object", "invalid_json", "items")
        wanted = speech_request(values, state.config)
        service = state.models.find(wanted.model)
        job, _ = job_of(wanted, service, state)
        output = Output(wanted, service.synthesizer, state.config.mark)
        ticket = places.submit(service, job)
        parts = [output.push(piece) async for piece in ticket]
        parts.append(output.finish())
    except Exception as error:
        return http_error_of(error).body()
    finally:
        places.free.release()
        if ticket is not None:
            ticket.cancel()
    return {
        "audio": base64.b64encode(b"".join(parts)).decode(),
        "format": wanted.format_name,
        "sample_rate": output.rate_hz,
        "stop_reason": output.stop_reason,
        "audio_seconds": round(output.audio_seconds, 3),
        "notes": job.notes,
        "usage": output.usage(),
    }


async def batch(request: Request, state: ServerState) -> Response:
    """Speak several texts, as many side by side as there are slots.

    Each item has the fields of a speech request.
    """
    values = await read_json(request, BATCH_BYTES)
    items = values.pop("items", None)
    if not isinstance(items, list) or not 1 <= len(items) <= state.config.batch_items:
        raise HTTPError(
            400,
            f"items must be a list of 1 to {state.config.batch_items} objects with an input each",
            "invalid_value",
            "items",
        )
    merged = [values | item if isinstance(item, dict) else item for item in items]
    places = Places(asyncio.Semaphore(state.config.slots))
    speaking = asyncio.gather(*(spoken_item(item, state, places) for item in merged))
    leaving = asyncio.ensure_future(left(request))
    try:
        await asyncio.wait([speaking, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not speaking.done():
            raise client_gone()
        results = speaking.result()
    finally:
        speaking.cancel()
        leaving.cancel()
    if places.refused is not None:
        raise places.refused
    rows = [{"index": index} | result for index, result in enumerate(results)]
    return JSONResponse({"results": rows})
