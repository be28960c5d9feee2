"""The cadres' desk: the list of their unit's tickets, one ticket with all that can be done to it, and figures."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from console.auth import HOME, DeskRoute, Form, Posted, Someone, desk_page, go_to, sentence
from console.clocks import Clock, Words, clock_of
from console.pages import locale_of
from console.site import Site, site_of
from console.ticket_page import OUTCOMES, STATUS_BADGES, ticket_shown
from handlers import cadre
from handlers.access import Responder, ticket_for_responder
from handlers.accounts import SignedIn
from handlers.errors import NotFound, UserFacingError
from handlers.services import Services
from scoring.unit_figures import total
from storage import ratings, tickets, users
from storage.models import Ticket
from storage.session import Overloaded
from storage.tickets import Filters, ViewCounts

VIEWS = ("open", "mine", "late", "answered", "closed", "all")
PER_PAGE = 30
MAX_PAGE = 10_000
_NUMBER = re.compile(r"[A-Za-z0-9]{1,24}")

router = APIRouter(route_class=DeskRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Row:
    ticket: Ticket
    topic: str
    unit: str
    assignee: str
    clock: Clock
    status_badge: str


@dataclass(frozen=True, slots=True)
class Choice:
    code: str
    name: str
    depth: int = 0


class DeskBusy(UserFacingError):
    wording_key, http_status = "error.busy", 503


def words(site: Site, request: Request) -> Words:
    return site.pages.words(locale_of(request))


def clean_number(number: str) -> str:
    """A ticket number as it may be asked for. Raises NotFound for what cannot be one."""
    if not _NUMBER.fullmatch(number):
        raise NotFound
    return number.upper()


def whole_number(value: str, *, most: int = MAX_PAGE) -> int:
    """A page number from an address: 1 when it is nonsense."""
    return max(1, min(int(value), most)) if value.isascii() and value.isdigit() and len(value) < 9 else 1


def unit_choices(services: Services, responder: Responder) -> list[Choice]:
    """The units whose tickets this person may see, as a tree."""
    top = responder.unit_code
    units = [unit for unit in services.tree.units if top is None or services.tree.in_subtree(unit.code, top)]
    base = len(services.tree.ancestors(top)) if top else 0
    units.sort(key=lambda unit: services.tree.path(unit.code))
    return [Choice(unit.code, unit.name, len(services.tree.ancestors(unit.code)) - base) for unit in units]


def topic_choices(services: Services, locale: str) -> list[Choice]:
    return [
        Choice(topic.code, services.topics.name(topic.code, locale), topic.code.count(".")) for topic in services.topics
    ]


def filters_of(request: Request, services: Services, responder: Responder) -> Filters:
    """What the address asks for; whatever is unknown or out of reach is left out."""
    asked = request.query_params
    unit, topic = asked.get("unit", ""), asked.get("topic", "")
    may_see = {choice.code for choice in unit_choices(services, responder)}
    return Filters(
        view=asked["view"] if asked.get("view") in VIEWS else "open",
        topic=topic if topic in services.topics else None,
        unit=unit if unit in may_see else None,
        text=asked.get("q", "").replace("\0", "").strip()[:100],
        assignee_id=responder.id,
    )


def list_address(filters: Filters, **changed: str) -> str:
    """The list's address with these filters."""
    asked = {
        "view": filters.view,
        "topic": filters.topic or "",
        "unit": filters.unit or "",
        "q": filters.text,
    } | changed
    kept = {name: value for name, value in asked.items() if value and (name, value) != ("view", "open")}
    return f"{HOME}?{urlencode(kept)}" if kept else HOME


def list_stamp(counts: ViewCounts) -> str:
    """Changes whenever the list would look different."""
    at = int(counts.updated_at.timestamp() * 1000) if counts.updated_at else 0
    return ".".join(str(number) for number in (*counts.views.values(), at))


@router.get("/console", include_in_schema=False)
async def without_slash() -> Response:
    return go_to(HOME)


@router.get(HOME)
async def ticket_list(request: Request, user: Someone) -> Response:
    site, locale = site_of(request), locale_of(request)
    services, responder, now = site.services, user.responder, site.services.now()
    filters = filters_of(request, services, responder)
    is_filtered = bool(filters.topic or filters.unit or filters.text)
    async with site.database.reading() as session:
        counts = await tickets.view_counts(session, responder.scope, filters, now=now)
        unfiltered = counts
        if is_filtered:
            everything = Filters(assignee_id=responder.id)
            unfiltered = await tickets.view_counts(session, responder.scope, everything, now=now)
        total = counts.views[filters.view]
        pages = max(1, -(-total // PER_PAGE))
        page = min(whole_number(request.query_params.get("page", "")), pages)
        found = await tickets.listing(
            session, responder.scope, filters, now=now, offset=(page - 1) * PER_PAGE, limit=PER_PAGE
        )
        names = await users.names(session, {ticket.assignee_id for ticket, _ in found if ticket.assignee_id})
    return desk_page(
        request,
        user,
        "desk_list.html",
        rows=_rows(found, names, services, now=now, t=words(site, request), locale=locale),
        views=[(view, counts.views[view], list_address(filters, view=view)) for view in VIEWS],
        filters=filters,
        is_filtered=is_filtered,
        topics=topic_choices(services, locale),
        units=unit_choices(services, responder),
        total=total,
        page=page,
        pages=pages,
        page_address=lambda number: list_address(filters, page=str(number)),
        stamp=list_stamp(unfiltered),
    )


def _rows(
    found: list[tuple[Ticket, str]],
    names: Mapping[int, str],
    services: Services,
    *,
    now: datetime,
    t: Words,
    locale: str,
) -> list[Row]:
    return [
        Row(
            ticket,
            services.topics.name(ticket.topic, locale) or ticket.topic,
            unit,
            names.get(ticket.assignee_id, "") if ticket.assignee_id else "",
            clock_of(ticket, now, t),
            STATUS_BADGES.get(ticket.status, "plain"),
        )
        for ticket, unit in found
    ]


@router.get("/console/tickets/{number}")
async def ticket_page(request: Request, number: str, user: Someone) -> Response:
    return await show_ticket(request, user, clean_number(number))


async def show_ticket(
    request: Request,
    user: SignedIn,
    number: str,
    *,
    refusal: UserFacingError | None = None,
    act: str = "",
    typed: Mapping[str, str] | None = None,
) -> Response:
    """The ticket page; after a refused act with the sentence and everything that was typed."""
    site, locale = site_of(request), locale_of(request)
    t = words(site, request)
    async with site.database.reading() as session:
        ticket = await ticket_for_responder(session, user.responder, number)
    if ticket.sensitivity == tickets.RESTRICTED:
        # Who looked is written down before anything is shown, after a refused act as well.
        async with site.database.transaction() as session:
            ticket = await ticket_for_responder(session, user.responder, number, for_update=True)
            await cadre.opened_by(session, user.responder, ticket, site.services)
    async with site.database.reading() as session:
        ticket = await ticket_for_responder(session, user.responder, number)
        shown = await ticket_shown(session, site.services, user.responder, ticket, t=t, locale=locale)
    return desk_page(
        request,
        user,
        "ticket.html",
        status=refusal.http_status if refusal else 200,
        shown=shown,
        ticket=ticket,
        refusal=sentence(request, refusal) if refusal else "",
        act=act,
        typed=typed or {},
        outcomes=OUTCOMES,
        limit=cadre.MAX_WORDS,
        asks=cadre.MAX_ASKS,
    )


Act = Callable[[AsyncSession, Responder, str, Posted, Services], Awaitable[Ticket]]


async def _take(session: AsyncSession, who: Responder, number: str, posted: Posted, services: Services) -> Ticket:
    return await cadre.take(session, who, number, services)


async def _answer(session: AsyncSession, who: Responder, number: str, posted: Posted, services: Services) -> Ticket:
    return await cadre.answer(session, who, number, posted.text("text"), services)


async def _ask(session: AsyncSession, who: Responder, number: str, posted: Posted, services: Services) -> Ticket:
    return await cadre.ask(session, who, number, posted.text("text"), services)


async def _note(session: AsyncSession, who: Responder, number: str, posted: Posted, services: Services) -> Ticket:
    return await cadre.note(session, who, number, posted.text("text"), services)


async def _transfer(session: AsyncSession, who: Responder, number: str, posted: Posted, services: Services) -> Ticket:
    return await cadre.transfer(session, who, number, posted.text("target"), posted.text("text"), services)


async def _close(session: AsyncSession, who: Responder, number: str, posted: Posted, services: Services) -> Ticket:
    return await cadre.close(session, who, number, posted.text("outcome"), posted.text("text"), services)


ACTS: Mapping[str, Act] = {
    "take": _take,
    "answer": _answer,
    "ask": _ask,
    "note": _note,
    "transfer": _transfer,
    "close": _close,
}


@router.post("/console/tickets/{number}/{act}")
async def act_on_ticket(request: Request, number: str, act: str, posted: Form) -> Response:
    """One act; refused ones show the ticket again with what was typed."""
    site, user, number = site_of(request), posted.user, clean_number(number)
    if act not in ACTS:
        raise NotFound
    try:
        async with site.database.transaction() as session:
            await ACTS[act](session, user.responder, number, posted, site.services)
    except NotFound:
        raise
    except (UserFacingError, Overloaded) as error:
        refusal = DeskBusy() if isinstance(error, Overloaded) else error
        return await show_ticket(request, user, number, refusal=refusal, act=act, typed=posted.fields)
    async with site.database.reading() as session:
        is_still_ours = await tickets.in_scope(session, number, user.responder.scope) is not None
    done = {"take": "taken", "answer": "answered", "ask": "asked", "note": "noted", "transfer": "transferred"}
    target = f"/console/tickets/{number}" if is_still_ours else HOME
    return go_to(target, flash=done.get(act, "closed"), number=number)


@router.get("/console/figures")
async def figures(request: Request, user: Someone) -> Response:
    site, responder = site_of(request), user.responder
    async with site.database.reading() as session:
        if responder.is_admin:
            units = await ratings.per_unit(session, None)
        else:
            units = await ratings.per_unit(session, responder.unit_path) if responder.unit_path else []
    return desk_page(
        request,
        user,
        "desk_figures.html",
        rows=units,
        total=total(units),
    )
