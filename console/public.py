"""The public progress page: for whoever has a ticket's number and its access code; nothing personal on it."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from console.origin import refuse_cross_site
from console.pages import locale_of
from console.site import Site, caller, site_of
from handlers import progress
from handlers.access import ticket_for_code, tidy_number
from handlers.errors import NotFound
from storage import tickets

COOKIE = "__Host-qs_case"
OPEN_SECONDS = 3600

router = APIRouter(include_in_schema=False)


def _pass(site: Site, number: str, until: int) -> str:
    signed = hmac.new(site.services.secret, f"case:{number}:{until}".encode(), hashlib.sha256).hexdigest()
    return f"{number}.{until}.{signed}"


def _may_see(request: Request, site: Site, number: str) -> bool:
    """The code was given within the last hour."""
    name, _, rest = request.cookies.get(COOKIE, "").partition(".")
    until = rest.partition(".")[0]
    if name != number or not re.fullmatch(r"[0-9]{1,12}", until) or int(until) < time.time():
        return False
    return hmac.compare_digest(request.cookies[COOKIE].encode(), _pass(site, number, int(until)).encode())


@router.get("/cases")
@router.get("/cases/")
async def look_up(request: Request) -> Response:
    return _form(request)


def _form(request: Request, *, number: str = "", error: str = "", status: int = 200) -> Response:
    page = site_of(request).pages.render(
        request, "case_lookup.html", status=status, csrf="", number=number, error=error
    )
    page.headers["X-Robots-Tag"] = "noindex"
    return page


@router.post("/cases")
@router.post("/cases/")
async def give_code(
    request: Request, number: Annotated[str, Form()] = "", code: Annotated[str, Form()] = ""
) -> Response:
    """Check number and code; the code itself never becomes part of an address."""
    refuse_cross_site(request)
    return await _open(request, number, code)


async def _open(request: Request, number: str, code: str) -> Response:
    site = site_of(request)
    number = tidy_number(number)
    locale = locale_of(request)
    # Two kinds of key: a "number" that is somebody's network address must not use up that address's attempts.
    limit = site.limits.case_code
    wait = limit.seconds_to_wait(("address", caller(request))) or limit.seconds_to_wait(("number", number))
    if wait:
        sentence = site.services.text(locale, "error.rate_limit", seconds=max(1, round(wait)))
        page = _form(request, number=number, error=sentence, status=429)
        page.headers["Retry-After"] = str(max(1, round(wait)))
        return page
    try:
        async with site.database.reading() as session:
            ticket = await ticket_for_code(session, site.services, number, code[:64])
    except NotFound:
        sentence = site.services.text(locale, "ticket_progress.wrong_code")
        return _form(request, number=number, error=sentence, status=404)
    response = RedirectResponse(f"/cases/{quote(ticket.number)}", status_code=303)
    until = int(time.time()) + OPEN_SECONDS
    response.set_cookie(
        COOKIE,
        _pass(site, ticket.number, until),
        max_age=OPEN_SECONDS,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/cases/{number}")
async def show(request: Request, number: str, code: Annotated[str, Query()] = "") -> Response:
    """The progress, or the form when the code was not given yet. Absent and locked look the same."""
    site = site_of(request)
    number = tidy_number(number)
    if code:
        return await _open(request, number, code)
    if not _may_see(request, site, number):
        return _form(request, number=number)
    locale = locale_of(request)
    async with site.database.reading() as session:
        ticket = await tickets.by_number(session, number)
        if ticket is None:
            return _form(request, number=number, status=404)
        case = await progress.case_shown(session, site.services, ticket, locale)
    page = site.pages.render(request, "case.html", locale=locale, case=case)
    page.headers["X-Robots-Tag"] = "noindex"
    return page
