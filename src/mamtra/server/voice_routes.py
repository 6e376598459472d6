"""Voices over HTTP: which there are, and new ones from recordings where the operator allows it."""

import asyncio
import re
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mamtra.audio.clip import Audio, claimed_seconds, read
from mamtra.errors import AudioError
from mamtra.server.config import UPLOAD_BYTES
from mamtra.server.http_errors import HTTPError
from mamtra.server.models import ServerState
from mamtra.server.speech_request import VOICE_ALIASES, read_body, refuse

NAME = re.compile(r"[a-z0-9_-]{1,64}")
SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,7}")
SHORTEST_SECONDS, LONGEST_SECONDS = 3.0, 30.0  # of a recording
LIMIT_DIGITS = 9
MOST_UPLOADED = 8  # voices of one model; the oldest makes room


async def list_voices(request: Request, state: ServerState) -> Response:
    """The voices of a model."""
    service = state.models.find(request.query_params.get("model") or None)
    limit = request.query_params.get("limit", "1000")
    if not limit.isdecimal() or len(limit) > LIMIT_DIGITS:
        raise refuse("limit", limit, f"give a whole number of up to {LIMIT_DIGITS} digits")
    return JSONResponse(state.models.list_voices(service, int(limit)))


def check_upload(state: ServerState) -> None:
    """Refuse uploads where the operator did not allow them.

    Raises:
        HTTPError: 403.
    """
    if not state.config.allow_upload:
        raise HTTPError(
            403,
            "this server makes no voices from recordings; its operator may start it with "
            "--allow-upload",
            "upload_off",
        )


def field_of(form: Any, name: str, needed: bool) -> str:
    """A text field of a form.

    Raises:
        HTTPError: 400, it is missing or no text.
    """
    value = form.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or (needed and not value.strip()):
        raise HTTPError(400, f"the form needs the field {name!r} as text", "invalid_value", name)
    return value.strip()


@asynccontextmanager
async def form_of(request: Request, body: bytes) -> AsyncIterator[FormData]:
    """The form in a body, whose files are closed at the end.

    Raises:
        HTTPError: 400, it is none.
    """

    async def again() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        form = await Request(request.scope, again).form(max_files=1, max_fields=8)
    except HTTPException as broken:
        raise HTTPError(
            400,
            f"the body is no form as multipart/form-data has it ({broken.detail.rstrip('.')}); "
            "send the fields name and consent and the file audio_sample, as curl -F does",
            "invalid_form",
        ) from broken
    try:
        yield form
    finally:
        await form.close()


def recording_in(sound: bytes, suffix: str) -> Audio:
    """An uploaded recording.

    Args:
        sound: a whole file.
        suffix: of the name that the client gave it.

    Raises:
        HTTPError: 422, it cannot be read, or is too short or too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"recording{suffix if SUFFIX.fullmatch(suffix) else ''}"
        path.write_bytes(sound)
        try:
            seconds = claimed_seconds(path)
            # an hour of silence is small as a file, and large once it is decoded
            clip = read(path) if seconds <= LONGEST_SECONDS else None
        except AudioError as broken:  # its message names the path
            raise HTTPError(
                422,
                f"the recording ({len(sound):,} bytes) cannot be read as sound; send a whole file "
                "as WAV, FLAC, OGG or MP3",
                "unusable_recording",
                "audio_sample",
            ) from broken
    if clip is None or clip.seconds < SHORTEST_SECONDS:
        raise HTTPError(
            422,
            f"the recording lasts {seconds:.1f} seconds; between "
            f"{SHORTEST_SECONDS:.0f} and {LONGEST_SECONDS:.0f} are needed",
            "unusable_recording",
            "audio_sample",
        )
    return clip


async def upload(request: Request, state: ServerState) -> Response:
    """Make a voice from a recording; the speaker's consent is required in words."""
    check_upload(state)
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        raise HTTPError(415, "send the recording as multipart/form-data", "content_type")
    body = await read_body(request, UPLOAD_BYTES)
    async with form_of(request, body) as form:
        name, consent = field_of(form, "name", True), field_of(form, "consent", True)
        words = field_of(form, "ref_text", False)
        recording = form.get("audio_sample")
        if recording is None or isinstance(recording, str):
            raise HTTPError(
                400,
                "the form needs the field 'audio_sample' as a file",
                "invalid_value",
                "audio_sample",
            )
        sound, suffix = await recording.read(), Path(recording.filename or "").suffix
    if not NAME.fullmatch(name):
        raise HTTPError(
            400, "a voice's name has 1 to 64 of a-z, 0-9, _ and -", "invalid_value", "name"
        )
    service = state.models.find(request.query_params.get("model") or None)
    if name in service.synthesizer.voices:
        raise HTTPError(
            409,
            f"the model has a voice {name!r} of its own; choose another name",
            "voice_exists",
            "name",
        )
    if name in VOICE_ALIASES:
        raise HTTPError(
            409,
            f"{name!r} stands for one of the model's own voices, as in OpenAI's clients; choose "
            "another name",
            "voice_exists",
            "name",
        )

    def make() -> Any:
        clip = recording_in(sound, suffix)
        return service.make_voice(clip, name, text=words, consent=consent)

    voice = await asyncio.to_thread(make)
    mine = state.models.uploaded.setdefault(service.name, {})
    mine.pop(name, None)
    while len(mine) >= MOST_UPLOADED:
        del mine[next(iter(mine))]
    mine[name] = voice
    return JSONResponse({"id": name, "name": name, "created_at": int(time.time())}, 201)


async def remove(request: Request, state: ServerState) -> Response:
    """Forget an uploaded voice."""
    check_upload(state)
    name = request.path_params["name"]
    service = state.models.find(request.query_params.get("model") or None)
    if state.models.uploaded.get(service.name, {}).pop(name, None) is None:
        raise HTTPError(
            404,
            f"no uploaded voice {name[:80]!r}; the model's own voices stay",
            "voice_not_found",
            "name",
        )
    return JSONResponse({"id": name, "deleted": True})
