"""The web chat: a page, a small JSON API, and server-sent events. The transcript in SQL is the mailbox."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from bot.bodies import read_json
from bot.channels.base import SendResult, Sent
from bot.dispatch import Fed
from bot.running import running
from console.origin import refuse_cross_site
from console.pages import locale_of
from console.site import Site, site_of
from handlers.errors import NotAllowedHere, UserFacingError
from handlers.inbound import Inbound, clean_text
from handlers.state import ConversationState
from storage import conversations
from storage.conversations import Said
from storage.outbox import Claim

KIND, ACCOUNT = "webchat", "main"
COOKIE = "__Host-qs_chat"
COOKIE_SECONDS = 180 * 24 * 3600
HEARTBEAT_SECONDS = 15.0
LOOK_SECONDS_WITHOUT_RELAY = 5.0
SAMPLES = 6
MAX_SEQ = 2**31 - 1

router = APIRouter(tags=["web chat"])


class WebChannel:
    """What is committed can be read on the page at once: there is nothing else to send."""

    kind = KIND

    async def send(self, message: Claim) -> SendResult:
        return Sent()


class TooFast(UserFacingError):
    wording_key, http_status = "error.rate_limit", 429


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser. Only the hash of its token is stored, as the address."""

    token: str
    is_new: bool

    @property
    def peer(self) -> str:
        return hashlib.sha256(self.token.encode()).hexdigest()

    def csrf(self, secret: bytes) -> str:
        return hmac.new(secret, f"chat-csrf:{self.peer}".encode(), hashlib.sha256).hexdigest()


def visitor_of(request: Request) -> Visitor:
    token = request.cookies.get(COOKIE, "")
    if not 30 <= len(token) <= 64 or not token.isascii():
        return Visitor(secrets.token_urlsafe(32), is_new=True)
    return Visitor(token, is_new=False)


def _check(request: Request, site: Site, csrf: str) -> Visitor:
    """A known browser, on our own page, not too fast. Raises a refusal otherwise."""
    refuse_cross_site(request)
    visitor = visitor_of(request)
    if visitor.is_new or not hmac.compare_digest(csrf.encode(), visitor.csrf(site.services.secret).encode()):
        raise NotAllowedHere("error.csrf")
    wait = site.limits.chat.seconds_to_wait(visitor.peer)
    if wait:
        raise TooFast(seconds=max(1, round(wait)))
    return visitor


@router.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
async def page(request: Request) -> Response:
    site = site_of(request)
    visitor = visitor_of(request)
    locale = locale_of(request)
    async with site.database.reading() as session:
        found = await conversations.find(session, channel=KIND, account=ACCOUNT, peer=visitor.peer)
        said = await conversations.transcript(session, found.id) if found is not None else []
    response = site.pages.render(
        request,
        "chat.html",
        locale=locale,
        csrf=visitor.csrf(site.services.secret),
        messages=[Shown.of(one, site, locale) for one in said],
        strings=_script_strings(site, locale),
        samples=[site.services.text(locale, f"sample.{number}") for number in range(1, SAMPLES + 1)],
    )
    if visitor.is_new:
        response.set_cookie(
            COOKIE, visitor.token, max_age=COOKIE_SECONDS, path="/", secure=True, httponly=True, samesite="lax"
        )
    return response


def _script_strings(site: Site, locale: str) -> dict[str, str]:
    words = site.pages.section(locale, "ui_chat")
    return {key.removeprefix("js_"): text for key, text in words.items() if key.startswith("js_")}


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as the template and the script take it."""

    id: int
    side: str
    author: str | None
    text: str
    at: Any
    buttons: tuple[dict[str, str], ...]
    client_id: str | None

    @classmethod
    def of(cls, said: Said, site: Site, locale: str) -> Shown:
        text = said.text
        if said.side == "person" and text.startswith("/"):
            text = site.services.text(locale, "ui_chat.pressed_button")
        client_id = said.key.partition(":")[2] if said.key else None
        return cls(said.seq, said.side, said.author, text, said.at, said.buttons, client_id)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "side": self.side,
            "author": self.author,
            "text": self.text,
            "at": self.at.isoformat(),
            "buttons": list(self.buttons),
            "client_id": self.client_id,
        }


class ChatMessage(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")
    text: str = ""
    client_id: str = Field(min_length=8, max_length=64)
    payload: str | None = Field(default=None, max_length=200)


async def _feed(request: Request, visitor: Visitor, *, text: str, payload: str | None, client_id: str) -> Fed:
    site = site_of(request)
    return await running(request).dispatcher.feed(
        Inbound(
            channel=KIND,
            account=ACCOUNT,
            peer=visitor.peer,
            key=f"{visitor.peer}:{clean_text(client_id)}",
            text=clean_text(text),
            payload=clean_text(payload) if payload else None,
            received_at=site.services.now(),
            locale=locale_of(request),
        )
    )


@router.post("/chat/messages")
async def send(request: Request) -> Response:
    """One message. Committed before this answers; the same ``client_id`` again gives the same."""
    site = site_of(request)
    visitor = _check(request, site, request.headers.get("x-csrf-token", ""))
    message = await read_json(request, ChatMessage)
    fed = await _feed(request, visitor, text=message.text, payload=message.payload, client_id=message.client_id)
    locale = locale_of(request)
    shown = [Shown.of(said, site, locale).to_json() for said in (fed.received, *fed.replies)]
    return JSONResponse({"messages": shown})


@router.post("/chat/send", include_in_schema=False)
async def send_form(
    request: Request,
    csrf: Annotated[str, Form()] = "",
    text: Annotated[str, Form()] = "",
    payload: Annotated[str, Form()] = "",
) -> Response:
    """The same for a page without JavaScript."""
    visitor = _check(request, site_of(request), csrf)
    if text.strip() or payload:
        title = await _title_of(request, visitor, payload) if payload else text
        await _feed(request, visitor, text=title, payload=payload or None, client_id=uuid.uuid4().hex)
    return RedirectResponse("/#latest", status_code=303)


async def _title_of(request: Request, visitor: Visitor, payload: str) -> str:
    """What the pressed button said, for the transcript."""
    async with site_of(request).database.reading() as session:
        found = await conversations.find(session, channel=KIND, account=ACCOUNT, peer=visitor.peer)
    state = ConversationState.from_json(found.state if found is not None else {})
    titles = {button["payload"]: button["title"] for offer in state.offers for button in offer}
    return titles.get(payload, payload)


@router.get("/chat/messages")
async def newer(request: Request, after: Annotated[int, Query(ge=0, le=MAX_SEQ)] = 0) -> Response:
    site = site_of(request)
    return JSONResponse({"messages": await _after(request, site, visitor_of(request), after)})


async def _after(request: Request, site: Site, visitor: Visitor, after: int) -> list[dict[str, Any]]:
    if visitor.is_new:
        return []
    locale = locale_of(request)
    async with site.database.reading() as session:
        found = await conversations.find(session, channel=KIND, account=ACCOUNT, peer=visitor.peer)
        said = await conversations.transcript(session, found.id, after=after) if found is not None else []
    return [Shown.of(one, site, locale).to_json() for one in said]


@router.get("/chat/events")
async def events(request: Request, after: Annotated[int, Query(ge=0, le=MAX_SEQ)] = 0) -> Response:
    """New messages as they are committed. Resumes from Last-Event-ID."""
    site = site_of(request)
    visitor = visitor_of(request)
    last = request.headers.get("last-event-id", "")
    start = int(last) if re.fullmatch(r"[0-9]{1,9}", last) else after
    return StreamingResponse(
        _stream(request, site, visitor, start),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(request: Request, site: Site, visitor: Visitor, after: int) -> AsyncIterator[str]:
    # Several processes without Redis cannot ring each other: then the stream looks by itself.
    must_look = not site.database.is_sqlite and not site.hub.spans_processes
    may_have_news = True
    conversation_id: int | None = None
    yield "retry: 2000\n\n"
    with site.hub.subscribe(f"address:{KIND}:{ACCOUNT}:{visitor.peer}") as bell:
        while not site.hub.closing.is_set():
            if may_have_news and conversation_id is None:
                # Looked for once we listen: a first message that begins it meanwhile has rung the bell.
                conversation_id = await _conversation_id(site, visitor)
                if conversation_id is not None:
                    site.hub.also(bell, f"conversation:{conversation_id}")
            if may_have_news:
                for message in await _after(request, site, visitor, after):
                    after = message["id"]
                    yield f"event: message\nid: {after}\ndata: {json.dumps(message, ensure_ascii=False)}\n\n"
            heard = await bell.wait(LOOK_SECONDS_WITHOUT_RELAY if must_look else HEARTBEAT_SECONDS)
            may_have_news = must_look or bool(heard)
            if not heard:
                yield ": still here\n\n"


async def _conversation_id(site: Site, visitor: Visitor) -> int | None:
    async with site.database.reading() as session:
        found = await conversations.find(session, channel=KIND, account=ACCOUNT, peer=visitor.peer)
    return found.id if found is not None else None
