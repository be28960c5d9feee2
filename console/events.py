"""Server-sent events for open desk pages: a bell and a few counts, never a word of a ticket.

A stream asks again every few seconds whether its user may still listen, so that disabling somebody or signing out ends
it (shared/domain/reliability.md, rule 11: within 5 s), and looks on its own in case a notice was lost.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy.exc import DBAPIError

from console.auth import COOKIE, DeskRoute, Someone
from console.desk import clean_number, list_stamp
from console.site import Site, site_of
from console.ticket_page import stamp_of
from handlers.access import Responder, ticket_for_responder
from handlers.accounts import session_of
from handlers.errors import NotFound
from storage import tickets
from storage.session import CONNECTION_LOST
from storage.tickets import Filters

log = logging.getLogger(__name__)

CHECK_SECONDS = 3.0
HEARTBEAT_SECONDS = 15.0
COALESCE_SECONDS = 0.5
"""A burst of changes is one refresh of the page."""

State = dict[str, Any]
Look = Callable[[Site, Responder], Awaitable[State]]

router = APIRouter(route_class=DeskRoute, include_in_schema=False)


@router.get("/console/events")
async def list_events(request: Request, user: Someone) -> Response:
    """Rings when a ticket of the user's units changed; ``data`` has the counts of the list's views."""
    topic = "desk:" if user.responder.is_admin else f"desk:{user.responder.unit_code}"
    return _stream(request, topic, _list_state)


@router.get("/console/tickets/{number}/events")
async def ticket_events(request: Request, number: str, user: Someone) -> Response:
    """Rings when this ticket changed."""
    site, number = site_of(request), clean_number(number)

    async def look(site: Site, responder: Responder) -> State:
        async with site.database.reading() as session:
            return {"stamp": stamp_of(await ticket_for_responder(session, responder, number))}

    await look(site, user.responder)
    return _stream(request, f"ticket:{number}", look)


async def _list_state(site: Site, responder: Responder) -> State:
    async with site.database.reading() as session:
        counts = await tickets.view_counts(
            session, responder.scope, Filters(assignee_id=responder.id), now=site.services.now()
        )
    return {"stamp": list_stamp(counts), "counts": counts.views}


def _stream(request: Request, topic: str, look: Look) -> StreamingResponse:
    site, token = site_of(request), request.cookies.get(COOKIE, "")
    return StreamingResponse(
        _events(site, token, topic, look),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _event(name: str, data: State) -> str:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"


async def _still_signed_in(site: Site, token: str) -> Responder | None:
    async with site.database.reading() as session:
        found = await session_of(session, token, now=site.services.now())
    return found.responder if found else None


async def _events(site: Site, token: str, topic: str, look: Look) -> AsyncIterator[str]:
    """One page's stream. It ends when the server stops, the user may listen no more or the database is away."""
    stamp, quiet_since = "", time.monotonic()
    yield "retry: 3000\n\n"
    with site.hub.subscribe(topic) as bell:
        rang = True
        while not site.hub.closing.is_set():
            try:
                responder = await _still_signed_in(site, token)
                if responder is None:
                    yield _event("signed_out", {})
                    return
                is_time = time.monotonic() - quiet_since >= HEARTBEAT_SECONDS
                state = await look(site, responder) if rang or is_time else None
            except NotFound:
                yield _event("gone", {})
                return
            except (*CONNECTION_LOST, DBAPIError) as error:
                log.warning("desk stream ended, the database is away: %s", type(error).__name__)
                return
            if state is not None and state["stamp"] != stamp:
                stamp, quiet_since = state["stamp"], time.monotonic()
                yield _event("changed", state)
            elif is_time:
                quiet_since = time.monotonic()
                yield ": still here\n\n"
            rang = bool(await bell.wait(CHECK_SECONDS))
            if rang and not site.hub.closing.is_set():
                await bell.wait(COALESCE_SECONDS)
