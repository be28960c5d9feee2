"""The ASGI application: channels, pages, health, metrics; body caps and security headers around all of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.channels import rest, webchat
from bot.running import Running
from console import server
from console.pages import STATIC
from console.problems import of_error, refusal
from handlers.errors import UserFacingError
from storage.session import CONNECTION_LOST, Overloaded

log = logging.getLogger(__name__)

KIB = 1024
LARGE_BODY = 2 * KIB * KIB
"""A text of 100,000 characters, each escaped as a surrogate pair, fits."""
SMALL_BODY = 64 * KIB
FORM_BODY = 512 * KIB
DISCARDED_BODY = 16 * KIB * KIB
DISCARD_SECONDS = 5
LARGE_PATHS = ("/webhooks/rest/", "/model/", "/chat/")
RETRY = {"Retry-After": "2"}

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cache-control", b"no-store"),  # of whatever says nothing else: answers belong to one reader
]


class BodyTooLarge(Exception):
    def __init__(self, limit: int) -> None:
        self.limit = limit


def body_limit(path: str) -> int:
    if path.startswith(LARGE_PATHS):
        return LARGE_BODY
    return FORM_BODY if path.startswith(("/console/", "/cases/")) else SMALL_BODY


class Guard:
    """Outermost layer: readiness, body caps and headers, without buffering anything."""

    def __init__(self, app: ASGIApp, running: Running, is_ready: Callable[[], bool]) -> None:
        self._app, self._running, self._is_ready = app, running, is_ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        limit = body_limit(path)
        read = 0

        async def capped_receive() -> Message:
            nonlocal read
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > limit:
                    raise BodyTooLarge(limit)
            return message

        async def dressed_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in HEADERS if pair[0] not in names)]
                self._running.metrics.count("requests", f"{message['status'] // 100}xx")
            await send(message)

        if not self._is_ready() and path not in ("/healthz", "/readyz", "/metrics") and not path.startswith("/static/"):
            await self._refuse(scope, dressed_send, "error.starting", 503, RETRY)
            return
        try:
            declared = dict(scope["headers"]).get(b"content-length", b"0")
            if declared.isdigit() and int(declared) > limit:
                raise BodyTooLarge(limit)
            await self._app(scope, capped_receive, dressed_send)
        except BodyTooLarge:
            await _discard_body(receive)
            await self._refuse(scope, dressed_send, "error.body_too_large", 413, {}, limit=limit // KIB)

    async def _refuse(
        self, scope: Scope, send: Send, key: str, status: int, headers: dict[str, str], **values: object
    ) -> None:
        request = Request(scope)
        response = refusal(request, key, status, headers=headers, **values)
        response.headers["Connection"] = "close"

        async def nothing() -> Message:
            return {"type": "http.disconnect"}

        await response(scope, nothing, send)


async def _discard_body(receive: Receive) -> None:
    """Read on without keeping anything, so that the sender gets to read the refusal instead of a broken connection."""
    discarded = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while discarded < DISCARDED_BODY:
                message = await receive()
                discarded += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return


def build(running: Running, *, lifespan: Any, is_ready: Callable[[], bool]) -> FastAPI:
    """Put routes, error answers and layers together."""
    app = FastAPI(
        title="青声 Qingsheng",
        version=rest.VERSION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.running = running
    app.state.site = running.site
    app.include_router(rest.router)
    app.include_router(webchat.router)
    app.include_router(server.router)
    _add_health(app, running, is_ready)
    _add_error_answers(app, running)
    app.mount("/static", KeptFiles(directory=STATIC), name="static")
    app.add_middleware(Guard, running=running, is_ready=is_ready)
    return app


class KeptFiles(StaticFiles):
    """Static files; their addresses carry a content hash, so browsers may keep them."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _add_health(app: FastAPI, running: Running, is_ready: Callable[[], bool]) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def alive() -> Response:
        return PlainTextResponse("ok\n")

    @app.get("/readyz", include_in_schema=False)
    async def ready() -> Response:
        if is_ready() and await running.site.database.is_reachable():
            return PlainTextResponse("ready\n")
        return PlainTextResponse("not ready\n", 503, headers=RETRY)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return PlainTextResponse(running.metrics.text(), media_type="text/plain; version=0.0.4")


def _add_error_answers(app: FastAPI, running: Running) -> None:
    @app.exception_handler(UserFacingError)
    async def refused(request: Request, error: UserFacingError) -> Response:
        headers = {"Retry-After": str(error.values["seconds"])} if "seconds" in error.values else None
        return of_error(request, error, headers=headers)

    @app.exception_handler(Overloaded)
    async def busy(request: Request, _error: Overloaded) -> Response:
        return refusal(request, "error.busy", 503, headers=RETRY)

    async def away(request: Request, error: Exception) -> Response:
        log.warning("database: %s", type(error).__name__)
        return refusal(request, "error.busy", 503, headers=RETRY)

    for kind in (*CONNECTION_LOST, DBAPIError):
        app.add_exception_handler(kind, away)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        field = ".".join(str(part) for part in error.errors()[0]["loc"][1:])
        problem = request.app.state.site.services.named("error.problem_value")
        return refusal(request, "error.bad_field", 422, field=field, problem=problem)

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> Response:
        keys = {404: "error.not_found", 405: "error.method_not_allowed", 415: "error.unsupported_type"}
        headers = dict(error.headers) if error.headers else None
        return refusal(request, keys.get(error.status_code, "error.bad_request"), error.status_code, headers=headers)

    @app.exception_handler(Exception)
    async def crashed(request: Request, error: Exception) -> Response:
        reference = secrets.token_hex(4)
        log.error("request failed, reference %s", reference, exc_info=error)
        response = refusal(request, "error.generic", 500, reference=reference)
        # Starlette answers crashes outside of every middleware, so the guard does not see this one.
        for name, value in HEADERS:
            response.headers.setdefault(name.decode(), value.decode())
        running.metrics.count("requests", "5xx")
        return response
