"""Administration: who may sign in, which unit has nobody, and what the service did not understand."""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import dataclass, replace

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.auth import AdminForm, DeskRoute, Posted, SomeAdmin, desk_page, go_to, sentence
from console.desk import Choice, unit_choices, whole_number
from console.site import Site, site_of
from handlers import accounts
from handlers.access import Responder
from handlers.accounts import SignedIn
from handlers.errors import BadInput, NotFound, UserFacingError
from handlers.privacy import redact
from handlers.services import Services
from storage import misses, users
from storage.misses import MissShown
from storage.models import Role, User

USERS = "/console/users"
PER_PAGE = 50
_LOGIN = re.compile(r"[a-z0-9._-]{1,128}")
# 31 signs that nobody confuses when reading aloud; 14 of them are 69 bits.
_READABLE = "23456789abcdefghjkmnpqrstuvwxyz"

router = APIRouter(route_class=DeskRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class UnitShown:
    code: str
    name: str
    depth: int
    people: int
    is_active: bool
    is_empty: bool
    """Takes tickets, and nobody can sign in for it."""


def new_password() -> str:
    letters = "".join(secrets.choice(_READABLE) for _ in range(14))
    return f"{letters[:5]}-{letters[5:10]}-{letters[10:]}"


def _active_units(services: Services, responder: Responder) -> list[Choice]:
    found = unit_choices(services, responder)
    active = {unit.code for unit in services.tree.units if unit.is_active}
    return [choice for choice in found if choice.code in active]


async def _users_page(
    request: Request,
    user: SignedIn,
    *,
    refusal: UserFacingError | None = None,
    typed: Posted | None = None,
    given: tuple[str, str] | None = None,
) -> Response:
    """``given`` is (login, new password), shown once and kept nowhere."""
    site = site_of(request)
    search = request.query_params.get("q", "").strip()[:60]
    async with site.database.reading() as session:
        everybody = [(row, unit) for row, unit in await users.all_users(session) if _fits(search, row, unit)]
    return desk_page(
        request,
        user,
        "admin_users.html",
        status=refusal.http_status if refusal else 200,
        everybody=everybody,
        search=search,
        units=_active_units(site.services, user.responder),
        refusal=sentence(request, refusal) if refusal else "",
        typed=typed.fields if typed else {},
        given=given,
    )


def _fits(search: str, user: User, unit: str | None) -> bool:
    found_in = f"{user.login} {user.name} {unit or ''}".lower()
    return all(word in found_in for word in search.lower().split())


@router.get(USERS)
async def user_list(request: Request, user: SomeAdmin) -> Response:
    return await _users_page(request, user)


@router.post(USERS)
async def create_cadre(request: Request, posted: AdminForm) -> Response:
    """A new cadre. The page itself answers, not a redirect: the password is shown once and is stored nowhere."""
    site, password = site_of(request), new_password()
    password_hash = await asyncio.to_thread(accounts.hash_password, password)
    try:
        async with site.database.transaction() as session:
            created = await accounts.create_user(
                session,
                site.services,
                login=posted.text("login"),
                name=posted.text("name"),
                role=Role.CADRE,
                unit_code=posted.text("unit"),
                password_hash=password_hash,
            )
    except UserFacingError as error:
        return await _users_page(request, posted.user, refusal=error, typed=posted)
    return await _users_page(request, posted.user, given=(created.login, password))


def _other_login(posted: Posted, login: str) -> str:
    """A login that this admin may change here. Raises NotFound, and BadInput for their own."""
    if not _LOGIN.fullmatch(login):
        raise NotFound
    if login == posted.user.responder.login:
        raise BadInput("ui_desk.not_yourself")
    return login


async def _switch(request: Request, posted: Posted, login: str, *, is_active: bool) -> Response:
    site: Site = site_of(request)
    try:
        async with site.database.transaction() as session:
            await accounts.set_active(session, _other_login(posted, login), is_active)
    except BadInput as error:
        return await _users_page(request, posted.user, refusal=error)
    return go_to(USERS, flash="user_enabled" if is_active else "user_disabled")


@router.post(USERS + "/{login}/disable")
async def disable(request: Request, login: str, posted: AdminForm) -> Response:
    """Ends their sessions too: they are out at once, their open pages within seconds."""
    return await _switch(request, posted, login, is_active=False)


@router.post(USERS + "/{login}/enable")
async def enable(request: Request, login: str, posted: AdminForm) -> Response:
    return await _switch(request, posted, login, is_active=True)


@router.post(USERS + "/{login}/password")
async def give_password(request: Request, login: str, posted: AdminForm) -> Response:
    site, password = site_of(request), new_password()
    password_hash = await asyncio.to_thread(accounts.hash_password, password)
    try:
        async with site.database.transaction() as session:
            changed = await accounts.set_password(session, _other_login(posted, login), password_hash)
    except BadInput as error:
        return await _users_page(request, posted.user, refusal=error)
    return await _users_page(request, posted.user, given=(changed.login, password))


@router.get("/console/units")
async def units(request: Request, user: SomeAdmin) -> Response:
    site = site_of(request)
    async with site.database.reading() as session:
        people = await users.active_per_unit(session)
    shown = [_unit(site.services, choice, people) for choice in unit_choices(site.services, user.responder)]
    return desk_page(request, user, "admin_units.html", units=shown, empty=sum(1 for unit in shown if unit.is_empty))


def _unit(services: Services, choice: Choice, people: dict[str, int]) -> UnitShown:
    unit = services.tree.get(choice.code)
    is_active = unit is not None and unit.is_active
    takes = unit is not None and any(capability.mode in ("handle", "triage") for capability in unit.capabilities)
    number = people.get(choice.code, 0)
    return UnitShown(choice.code, choice.name, choice.depth, number, is_active, is_active and takes and number == 0)


@router.get("/console/misses")
async def not_understood(request: Request, user: SomeAdmin) -> Response:
    site = site_of(request)
    async with site.database.reading() as session:
        total = await misses.count(session)
        pages = max(1, -(-total // PER_PAGE))
        page = min(whole_number(request.query_params.get("page", "")), pages)
        found = await misses.newest(session, offset=(page - 1) * PER_PAGE, limit=PER_PAGE)
    return desk_page(
        request,
        user,
        "admin_misses.html",
        misses=[(_redacted(miss), [_nearest(site.services, each) for each in miss.nearest]) for miss in found],
        total=total,
        page=page,
        pages=pages,
        page_address=lambda number: f"/console/misses?page={number}",
    )


def _redacted(miss: MissShown) -> MissShown:
    return replace(miss, text=redact(miss.text)) if miss.text else miss


def _nearest(services: Services, stored: object) -> tuple[str, str]:
    """An intent that came close: (name for people, confidence in per cent or "")."""
    name, confidence = stored, None
    if isinstance(stored, dict):
        name, confidence = stored.get("name"), stored.get("confidence")
    elif isinstance(stored, (list, tuple)) and stored:
        name, confidence = stored[0], stored[1] if len(stored) > 1 else None
    share = f"{confidence:.0%}" if isinstance(confidence, (int, float)) else ""
    return str(name), share
