"""The models that a server offers, the names that clients use for them, what all routes share."""

from dataclasses import dataclass, field
from typing import Any

from mamtra.server.config import ServeConfig
from mamtra.server.http_errors import HTTPError
from mamtra.server.metrics import Metrics
from mamtra.server.service import Service
from mamtra.server.speech_request import MODEL_ALIASES, VOICE_ALIASES
from mamtra.voice.voice import Voice

CREATED = 1_767_225_600  # 2026-01-01; clients sort by it and nothing else


@dataclass(slots=True)
class Models:
    """Services by the name of their model; the first is the default.

    Attributes:
        uploaded: voices that were made from recordings, by name, for each model.
    """

    services: dict[str, Service]
    uploaded: dict[str, dict[str, Voice]] = field(default_factory=dict)

    @property
    def default(self) -> Service:
        """The service of requests that name none."""
        return next(iter(self.services.values()))

    def find(self, name: str | None) -> Service:
        """The service of a model.

        Raises:
            HTTPError: 404, there is no such model here.
        """
        if name is None or name in MODEL_ALIASES:
            return self.default
        if name not in self.services:
            possible = ", ".join([*self.services, *MODEL_ALIASES])
            raise HTTPError(
                404,
                f"model {name[:80]!r} is not served here; possible are {possible}",
                "model_not_found",
                "model",
            )
        return self.services[name]

    def voice_of(self, service: Service, name: str | None) -> "Voice | str | None":
        """The voice that a request means; names only, never paths.

        Raises:
            HTTPError: 400, the model has no such voice.
        """
        if name is None:
            return None
        own = service.synthesizer.voices
        if name in (mine := self.uploaded.get(service.name, {})):
            return mine[name]
        if name in own:
            return name
        if name in VOICE_ALIASES and own:
            return own[VOICE_ALIASES.index(name) % len(own)]
        possible = ", ".join([*own, *mine])
        raise HTTPError(
            400,
            f"voice {name[:80]!r} is unknown to model {service.name!r}; possible are {possible}",
            "voice_not_found",
            "voice",
        )

    def list_models(self) -> dict[str, Any]:
        """What ``GET /v1/models`` answers."""
        rows = [model_row(name) for name in (*self.services, *MODEL_ALIASES)]
        return {"object": "list", "data": rows, "models": rows}

    def model(self, name: str) -> dict[str, Any]:
        """What ``GET /v1/models/NAME`` answers.

        Raises:
            HTTPError: 404, there is no such model here.
        """
        self.find(name)
        return model_row(name)

    def list_voices(self, service: Service, limit: int = 1000) -> dict[str, Any]:
        """What ``GET /v1/audio/voices`` answers: the model's voices, uploaded ones, aliases."""
        rows = []
        for name in service.synthesizer.voices:
            voice = service.synthesizer.voice(name)
            rows.append(row_of(voice, name))
        rows += [row_of(voice, name) for name, voice in self.uploaded.get(service.name, {}).items()]
        known = {row["id"] for row in rows}
        if own := service.synthesizer.voices:
            for position, alias in enumerate(VOICE_ALIASES):
                if alias not in known:
                    target = own[position % len(own)]
                    rows.append({"id": alias, "name": alias, "alias_of": target})
        return {"voices": rows[:limit], "data": rows[:limit]}


def model_row(name: str) -> dict[str, Any]:
    """A model, or an alias, as OpenAI's clients list it."""
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "mamtra"}


def row_of(voice: Voice, name: str) -> dict[str, str]:
    """A voice as clients list it."""
    return {
        "id": name,
        "name": name,
        "language": "en",
        "licence": voice.licence,
        "source": voice.source,
        "consent": voice.consent,
    }


@dataclass(slots=True)
class ServerState:
    """What the routes share.

    Attributes:
        draining: the server is being stopped; nothing new is spoken.
        open_sockets: WebSockets.
        utterances: of WebSockets and Wyoming, begun and not told to be done.
    """

    config: ServeConfig
    models: Models
    metrics: Metrics = field(default_factory=Metrics)
    draining: bool = False
    open_sockets: int = 0
    utterances: int = 0

    @property
    def speaks(self) -> bool:
        """Whether any text is spoken or waits for it."""
        return self.utterances > 0 or not all(one.idle for one in self.models.services.values())
