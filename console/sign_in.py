"""Signing in at the desk, with a password and, for those who have them, a one-time code; and signing out."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from datetime import timedelta
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from console.auth import (
    COOKIE,
    HOME,
    SIGN_IN,
    SIGN_IN_COOKIE,
    SIGN_OUT,
    DeskRoute,
    Form,
    SignInNeeded,
    desk_page,
    drop_cookie,
    go_to,
    keep_cookie,
    read_form,
    safe_next,
    signed_in,
)
from console.origin import refuse_cross_site
from console.pages import locale_of
from console.site import Site, caller, site_of
from handlers import accounts, second_factor
from handlers.accounts import SESSION_LIFE, CodeNeeded, token_hash
from handlers.errors import SignInRefused
from storage import users
from storage.models import User

CODE = f"{SIGN_IN}/code"
CODE_COOKIE = "__Host-qs_code"
SIGN_IN_LIFE = timedelta(hours=1)
CODE_LIFE = timedelta(minutes=5)
MAX_LOGIN = 128

router = APIRouter(route_class=DeskRoute, include_in_schema=False)


def _signed(secret: bytes, what: str) -> str:
    return hmac.new(secret, what.encode(), hashlib.sha256).hexdigest()


def _is_young(site: Site, began: str, life: timedelta) -> bool:
    if not (began.isascii() and began.isdigit() and len(began) < 12):
        return False
    return -60 <= site.services.now().timestamp() - int(began) <= life.total_seconds()


# ── login and password ──────────────────────────────────────────────────────────────────────────────────────────────


def _new_sign_in_token(site: Site) -> str:
    stamp = f"{int(site.services.now().timestamp())}.{secrets.token_urlsafe(12)}"
    return f"{stamp}.{_signed(site.services.secret, f'sign-in:{stamp}')}"


def _is_fresh(site: Site, token: str, *, life: timedelta = SIGN_IN_LIFE) -> bool:
    stamp, _, signature = token.rpartition(".")
    expected = _signed(site.services.secret, f"sign-in:{stamp}")
    return hmac.compare_digest(signature.encode(), expected.encode()) and _is_young(site, stamp.partition(".")[0], life)


def _sign_in_page(
    request: Request, *, status: int = 200, login: str = "", refusal: str = "", wanted: str = HOME
) -> Response:
    """The form with a token that is also in a cookie: another site can set neither."""
    site = site_of(request)
    token = request.cookies.get(SIGN_IN_COOKIE, "")
    if not _is_fresh(site, token, life=SIGN_IN_LIFE / 2):
        token = _new_sign_in_token(site)
    page = desk_page(
        request, None, "sign_in.html", status=status, token=token, login=login, refusal=refusal, wanted=wanted
    )
    keep_cookie(page, SIGN_IN_COOKIE, token, SIGN_IN_LIFE)
    return page


@router.get(SIGN_IN)
async def sign_in_form(request: Request) -> Response:
    wanted = safe_next(request.query_params.get("next", ""))
    try:
        await signed_in(request)
    except SignInNeeded:
        return _sign_in_page(request, wanted=wanted)
    return go_to(wanted)


@router.post(SIGN_IN)
async def sign_in(request: Request) -> Response:
    site, locale = site_of(request), locale_of(request)
    refuse_cross_site(request)
    fields = await read_form(request)
    # Cut before it is used anywhere: a login of half a megabyte would be kept as the key of a rate limit.
    login, wanted = fields.get("login", "").strip()[:MAX_LOGIN], safe_next(fields.get("next", ""))

    def again(status: int, key: str, **values: object) -> Response:
        refusal = site.services.text(locale, key, **values)
        return _sign_in_page(request, status=status, login=login, refusal=refusal, wanted=wanted)

    kept = request.cookies.get(SIGN_IN_COOKIE, "")
    if not kept:
        # A __Host- cookie is kept over https and on this machine only; say so instead of "wrong password".
        return again(400, "ui_desk.sign_in_no_cookie")
    if not hmac.compare_digest(kept.encode(), fields.get("csrf", "").encode()) or not _is_fresh(site, kept):
        return again(403, "ui_desk.sign_in_form_expired")
    # A caller who has to wait does not use up the login's attempts as well.
    limit = site.limits.sign_in
    wait = limit.seconds_to_wait(("address", caller(request))) or limit.seconds_to_wait(("login", login.lower()))
    if wait > 0:
        return _with_retry(again(429, "ui_desk.sign_in_wait", seconds=math.ceil(wait)), wait)
    try:
        token, _ = await accounts.sign_in(site.database, login, fields.get("password", ""), now=site.services.now())
    except SignInRefused as error:
        return again(error.http_status, error.wording_key)
    except CodeNeeded as needed:
        response = go_to(f"{CODE}?next={quote(wanted)}" if wanted != HOME else CODE)
        keep_cookie(response, CODE_COOKIE, _new_pending(site, needed.user), CODE_LIFE)
        drop_cookie(response, SIGN_IN_COOKIE)
        return response
    return await _begin_session(request, token, wanted)


def _with_retry(response: Response, wait: float) -> Response:
    response.headers["Retry-After"] = str(math.ceil(wait))
    return response


async def _begin_session(request: Request, token: str, wanted: str) -> Response:
    """The browser's earlier session, if any, ends when a new one begins."""
    earlier = request.cookies.get(COOKIE, "")
    if earlier:
        async with site_of(request).database.transaction() as session:
            await users.sign_out(session, token_hash(earlier))
    response = go_to(wanted)
    keep_cookie(response, COOKIE, token, SESSION_LIFE)
    drop_cookie(response, SIGN_IN_COOKIE)
    return response


# ── one-time code ───────────────────────────────────────────────────────────────────────────────────────────────────


def _pending_signature(site: Site, stamp: str, user: User) -> str:
    # A new password or a new set-up makes what is pending worthless.
    return _signed(site.services.secret, f"sign-in-code:{stamp}:{user.password_hash}:{user.totp_sealed}")


def _new_pending(site: Site, user: User) -> str:
    """Proof for five minutes that this browser gave the right password."""
    stamp = f"{user.id}.{int(site.services.now().timestamp())}.{secrets.token_urlsafe(12)}"
    return f"{stamp}.{_pending_signature(site, stamp, user)}"


async def _pending_user(session: AsyncSession, request: Request, *, for_update: bool = False) -> User | None:
    """Whose password this browser gave within the last five minutes; None when nobody's."""
    site = site_of(request)
    stamp, _, signature = request.cookies.get(CODE_COOKIE, "").rpartition(".")
    user_id, _, rest = stamp.partition(".")
    if not (user_id.isascii() and user_id.isdigit() and len(user_id) < 19):
        return None
    if not _is_young(site, rest.partition(".")[0], CODE_LIFE):
        return None
    user = await users.by_id(session, int(user_id), for_update=for_update)
    if user is None or not user.is_active or user.totp_sealed is None:
        return None
    is_ours = hmac.compare_digest(signature.encode(), _pending_signature(site, stamp, user).encode())
    return user if is_ours else None


def _code_csrf(request: Request) -> str:
    return _signed(site_of(request).services.secret, f"sign-in-code-csrf:{request.cookies.get(CODE_COOKIE, '')}")


def _code_page(request: Request, *, wanted: str, status: int = 200, refusal: str = "") -> Response:
    return desk_page(
        request,
        None,
        "sign_in_code.html",
        status=status,
        token=_code_csrf(request),
        refusal=refusal,
        wanted=wanted,
    )


@router.get(CODE)
async def code_form(request: Request) -> Response:
    async with site_of(request).database.reading() as session:
        user = await _pending_user(session, request)
    if user is None:
        return go_to(SIGN_IN)
    return _code_page(request, wanted=safe_next(request.query_params.get("next", "")))


@router.post(CODE)
async def give_code(request: Request) -> Response:
    """The session begins here and nowhere else for a user with one-time codes."""
    site, locale = site_of(request), locale_of(request)
    refuse_cross_site(request)
    fields = await read_form(request)
    wanted = safe_next(fields.get("next", ""))

    def start_again() -> Response:
        refusal = site.services.text(locale, "ui_desk.sign_in_form_expired")
        return _sign_in_page(request, status=403, refusal=refusal, wanted=wanted)

    if not hmac.compare_digest(fields.get("csrf", "").encode(), _code_csrf(request).encode()):
        return start_again()
    async with site.database.reading() as session:
        user = await _pending_user(session, request)
    if user is None:
        return start_again()
    wait = site.limits.sign_in.seconds_to_wait(("address", caller(request))) or site.limits.code.seconds_to_wait(
        user.id
    )
    if wait > 0:
        refusal = site.services.text(locale, "ui_desk.sign_in_wait", seconds=math.ceil(wait))
        return _with_retry(_code_page(request, wanted=wanted, status=429, refusal=refusal), wait)
    token = None
    async with site.database.transaction() as session:
        locked = await _pending_user(session, request, for_update=True)
        if locked is not None and second_factor.use_code(site.services, locked, fields.get("code", "")):
            token, _ = await accounts.open_session(session, locked, now=site.services.now())
    if token is None:
        refusal = site.services.text(locale, "ui_desk.code_wrong")
        return _code_page(request, wanted=wanted, status=401, refusal=refusal)
    response = await _begin_session(request, token, wanted)
    drop_cookie(response, CODE_COOKIE)
    return response


@router.post(SIGN_OUT)
async def sign_out(request: Request, posted: Form) -> Response:
    async with site_of(request).database.transaction() as session:
        await users.sign_out(session, posted.user.token_hash)
    response = go_to(SIGN_IN)
    drop_cookie(response, COOKIE)
    return response
