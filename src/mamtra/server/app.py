"""The HTTP application: routes, and what holds for all of them.

Every request passes the guard (key, host), gets an id, and is counted; every error leaves in
OpenAI's form. The routes themselves lie in ``speech_route``, ``voice_routes`` and ``websocket``.
"""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Match, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mamtra.errors import MamtraError
from mamtra.server import captions, openapi, speech_route, voice_routes, websocket
from mamtra.server.guarding import OPEN_PATHS, check_host, check_key, origin_allowed
from mamtra.server.http_errors import HTTPError, http_error_of, new_request_id, stopping
from mamtra.server.models import ServerState

PAGE = Path(__file__).parent / "page"
# WebAssembly is what speaks inside the browser
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "script-src 'self' 'wasm-unsafe-eval'"
)
log = logging.getLogger("mamtra.server")


Handler = Callable[[Request, ServerState], Awaitable[Response]]


class Gate:
    """Outermost layer: guard, request id, errors in OpenAI's form, counting, CORS."""

    def __init__(self, app: ASGIApp, state: ServerState) -> None:
        self.app, self.state = app, state

    def check(self, scope: Scope, headers: Headers) -> None:
        """Refuse what may not pass.

        Raises:
            HTTPError: 401, 403 or 503.
        """
        path = scope["path"].removeprefix(self.state.config.root_path)
        if path in OPEN_PATHS:
            return
        check_host(headers, self.state.config)
        if path.startswith(("/v1/", "/dev/", "/metrics")):
            check_key(headers, self.state.config)
        if path.startswith(("/v1/", "/dev/")) and scope["method"] == "POST":
            if not origin_allowed(headers, self.state.config):
                raise HTTPError(
                    403, "pages of this origin may not use the server; see --cors", "origin"
                )
            if self.state.draining:
                raise stopping()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it here."""
        prefix = self.state.config.root_path
        if prefix and scope.get("path", "").startswith(f"{prefix}/"):
            scope["root_path"] = prefix  # a proxy that does not strip its prefix
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id
        headers, begun = Headers(scope=scope), time.perf_counter()
        status = 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                out["X-Request-Id"] = request_id
                self.allow_origin(headers, out)
            await send(message)

        try:
            if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
                await self.preflight(headers)(scope, receive, counted)
                return
            self.check(scope, headers)
            await self.app(scope, receive, counted)
        except HTTPError as problem:
            await problem.response(request_id)(scope, receive, counted)
        finally:
            route = scope.get("route_name", "other")
            self.state.metrics.requests.labels(route, str(status)).inc()
            log.debug("%s %s %d %.3f s", request_id, route, status, time.perf_counter() - begun)

    def allow_origin(self, headers: Headers, out: MutableHeaders) -> None:
        """Tell a page of an allowed origin that it may read the answer."""
        origin = headers.get("origin")
        cors = self.state.config.cors
        if origin is not None and (origin in cors or "*" in cors):
            out["Access-Control-Allow-Origin"] = origin
            out["Access-Control-Expose-Headers"] = (
                "X-Request-Id, X-Sample-Rate, X-Stop-Reason, X-Audio-Seconds, X-Coverage, "
                "X-Misread, X-Ignored, X-Notes, Retry-After, X-Should-Retry"
            )
            out.add_vary_header("Origin")

    def preflight(self, headers: Headers) -> Response:
        """The answer to a browser that asks whether it may ask."""
        if not origin_allowed(headers, self.state.config):
            return PlainTextResponse("this origin is not allowed", 403)
        # OpenAI's client sends some ten headers of its own
        asked = headers.get("access-control-request-headers")
        return Response(
            status_code=204,
            headers={
                "Access-Control-Allow-Methods": "GET, POST, DELETE",
                "Access-Control-Allow-Headers": asked or "authorization, content-type, x-api-key",
                "Access-Control-Max-Age": "600",
            },
        )


async def health(request: Request, state: ServerState) -> Response:
    """The process lives."""
    del request, state
    return JSONResponse({"status": "ok"})


async def ready(request: Request, state: ServerState) -> Response:
    """The server takes requests."""
    del request
    if state.draining:
        return JSONResponse({"status": "draining"}, 503, {"Retry-After": "2"})
    return JSONResponse(
        {
            "status": "ready",
            "models": list(state.models.services),
            "upload": state.config.allow_upload,
            "browser": state.config.browser is not None,
            "key_needed": bool(state.config.api_keys),
        }
    )


async def metrics(request: Request, state: ServerState) -> Response:
    """Counters for Prometheus."""
    del request
    return Response(state.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def models(request: Request, state: ServerState) -> Response:
    """The models that are served."""
    del request
    return JSONResponse(state.models.list_models())


async def model(request: Request, state: ServerState) -> Response:
    """One of the models that are served."""
    return JSONResponse(state.models.model(request.path_params["name"]))


def route(path: str, handler: Handler, state: ServerState, *methods: str) -> Route:
    """A route whose handler is given the server's state."""

    async def endpoint(request: Request) -> Response:
        request.scope["route_name"] = path
        return await handler(request, state)

    return Route(path, endpoint, methods=list(methods or ("GET",)), name=path)


async def page(request: Request, state: ServerState) -> Response:
    """The page; relative addresses in it work under any path prefix."""
    del request, state
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    return Response(html, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})


def methods_of(request: Request) -> set[str]:
    """What a path can be asked with; each of its routes knows its own methods alone."""
    routes = [one for one in request.app.routes if isinstance(one, Route)]
    found = [one.methods for one in routes if one.matches(request.scope)[0] is Match.PARTIAL]
    return {method for methods in found for method in methods or ()}


async def refused(request: Request, error: Exception) -> Response:
    """Any exception of a route in OpenAI's form."""
    request_id = request.scope.get("state", {}).get("request_id", "")
    if isinstance(error, HTTPException):
        told = f"{request.method} {request.url.path} is not possible here; see /openapi.json"
        if error.status_code != 405:
            return HTTPError(error.status_code, told, "not_found").response(request_id)
        allow = {"Allow": ", ".join(sorted(methods_of(request)))}
        return HTTPError(405, told, "method_not_allowed", headers=allow).response(request_id)
    return http_error_of(error, request_id).response(request_id)


def make_app(state: ServerState) -> ASGIApp:
    """The application around some services.

    Args:
        state: settings and models; the services must be running.
    """

    def bound(path: str, handler: Handler, *methods: str) -> Route:
        return route(path, handler, state, *methods)

    routes: list = [
        bound("/v1/audio/speech", speech_route.speech, "POST"),
        bound("/v1/audio/speech/batch", speech_route.batch, "POST"),
        bound("/dev/captioned_speech", captions.captioned, "POST"),
        bound("/v1/models", models),
        bound("/v1/models/{name}", model),
        bound("/v1/audio/models", models),
        bound("/v1/audio/voices", voice_routes.list_voices),
        bound("/v1/audio/voices", voice_routes.upload, "POST"),
        bound("/v1/audio/voices/{name}", voice_routes.remove, "DELETE"),
        bound("/health", health),
        bound("/ready", ready),
        bound("/metrics", metrics),
        bound("/openapi.json", openapi.describe),
        WebSocketRoute("/v1/audio/speech/stream", websocket.endpoint(state)),
    ]
    if state.config.page:
        routes += [
            bound("/", page),
            Mount("/page", StaticFiles(directory=PAGE), name="page"),
        ]
        if state.config.browser is not None:
            files = StaticFiles(directory=state.config.browser)
            routes.append(Mount("/browser", files, name="browser"))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        yield
        for service in state.models.services.values():
            service.close()

    handlers = dict.fromkeys((HTTPError, MamtraError, HTTPException, Exception), refused)
    inner = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    inner.router.redirect_slashes = False
    return Gate(inner, state)
