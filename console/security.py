"""One's own account: the password, and one-time codes as a second factor."""

from __future__ import annotations

import asyncio
import math

import segno
from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.auth import (
    COOKIE,
    HOME,
    SECURITY,
    DeskRoute,
    Form,
    Posted,
    Someone,
    desk_page,
    go_to,
    keep_cookie,
    sentence,
)
from console.pages import locale_of
from console.site import Site, site_of
from handlers import accounts, second_factor
from handlers.accounts import SESSION_LIFE, SignedIn
from handlers.errors import BadInput, NotFound, UserFacingError
from handlers.sealing import SealBroken
from storage import users

router = APIRouter(route_class=DeskRoute, include_in_schema=False)


class TooManyGuesses(UserFacingError):
    wording_key, http_status = "ui_desk.sign_in_wait", 429


async def _check_own_password(site: Site, posted: Posted, field: str) -> None:
    """Raises BadInput for a wrong one, TooManyGuesses, NotFound."""
    login = posted.user.responder.login
    wait = site.limits.sign_in.seconds_to_wait(("password", login))
    if wait > 0:
        raise TooManyGuesses(seconds=math.ceil(wait))
    async with site.database.reading() as session:
        user = await users.by_login(session, login)
    if user is None:
        raise NotFound
    if not await asyncio.to_thread(accounts.password_fits, user.password_hash, posted.text(field)[:200]):
        raise BadInput("ui_desk.old_password_wrong")


# ── password ────────────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/console/password")
async def password_form(request: Request, user: Someone) -> Response:
    return desk_page(request, user, "desk_password.html", refusal="", minimum=accounts.MIN_PASSWORD)


@router.post("/console/password")
async def change_password(request: Request, posted: Form) -> Response:
    """Every other browser of this user is signed out; this one gets a new session."""
    try:
        token = await _change_password(site_of(request), posted)
    except UserFacingError as error:
        return desk_page(
            request,
            posted.user,
            "desk_password.html",
            status=error.http_status,
            refusal=sentence(request, error),
            minimum=accounts.MIN_PASSWORD,
        )
    response = go_to(HOME, flash="password_changed")
    keep_cookie(response, COOKIE, token, SESSION_LIFE)
    return response


async def _change_password(site: Site, posted: Posted) -> str:
    await _check_own_password(site, posted, "old")
    if posted.text("new") != posted.text("again"):
        raise BadInput("ui_desk.passwords_differ")
    new = accounts.check_password(posted.text("new"))
    new_hash = await asyncio.to_thread(accounts.hash_password, new)
    async with site.database.transaction() as session:
        user = await accounts.set_password(session, posted.user.responder.login, new_hash)
        token, _ = await accounts.open_session(session, user, now=site.services.now())
    return token


# ── one-time codes ──────────────────────────────────────────────────────────────────────────────────────────────────


def _security_page(
    request: Request, user: SignedIn, *, refusal: UserFacingError | None = None, secret: str | None = None
) -> Response:
    """What is set up, or a secret to set up with; the same one again after a mistyped code."""
    site = site_of(request)
    services, login = site.services, user.responder.login
    setup = qr = ""
    if not user.has_totp:
        secret = secret or second_factor.new_secret()
        setup = second_factor.seal_for_setup(services, secret, login, user.token_hash)
        address = second_factor.address_for_apps(secret, login, services.text(locale_of(request), "ui_base.brand"))
        qr = segno.make(address, error="m", micro=False).svg_data_uri(scale=5, dark="#000", light="#fff")
    return desk_page(
        request,
        user,
        "desk_security.html",
        status=refusal.http_status if refusal else 200,
        refusal=sentence(request, refusal) if refusal else "",
        has_totp=user.has_totp,
        is_needed=site.must_admins_have_totp and user.responder.is_admin,
        secret_groups=[secret[at : at + 4] for at in range(0, len(secret), 4)] if secret else [],
        setup=setup,
        qr=qr,
    )


@router.get(SECURITY)
async def security(request: Request, user: Someone) -> Response:
    return _security_page(request, user)


@router.post(f"{SECURITY}/on")
async def turn_on(request: Request, posted: Form) -> Response:
    """Confirm the shown secret with a code of it; other browsers of this user are signed out."""
    site, user = site_of(request), posted.user
    services, login, secret = site.services, user.responder.login, None
    try:
        try:
            secret = second_factor.unseal_from_setup(services, posted.text("setup"), login, user.token_hash)
        except SealBroken as error:
            raise BadInput("ui_desk.security_expired") from error
        async with site.database.transaction() as session:
            await second_factor.turn_on(
                session, services, login, secret, posted.text("code"), keep_session=user.token_hash
            )
    except BadInput as refusal:
        return _security_page(request, user, refusal=refusal, secret=secret)
    return go_to(SECURITY, flash="security_on")


@router.post(f"{SECURITY}/off")
async def turn_off(request: Request, posted: Form) -> Response:
    """Needs the password and a code: a browser left open must not be enough."""
    site = site_of(request)
    login = posted.user.responder.login
    try:
        await _check_own_password(site, posted, "password")
        wait = site.limits.code.seconds_to_wait(posted.user.responder.id)
        if wait > 0:
            raise TooManyGuesses(seconds=math.ceil(wait))
        async with site.database.transaction() as session:
            await second_factor.turn_off(session, site.services, login, posted.text("code"))
    except (BadInput, TooManyGuesses) as refusal:
        return _security_page(request, posted.user, refusal=refusal)
    return go_to(SECURITY, flash="security_off")
