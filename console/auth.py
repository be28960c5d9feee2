"""Signing in at the desk, and the two questions every desk route asks: who is this, and did they mean to post this?"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import re
import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote, urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import APIRoute

from console.origin import refuse_cross_site
from console.pages import locale_of
from console.problems import TITLED, problem, wants_page
from console.site import Site, caller, site_of
from handlers import accounts
from handlers.accounts import SESSION_LIFE, SignedIn, session_of, token_hash
from handlers.errors import BadInput, NotAllowedHere, NotFound, SignInRefused, UserFacingError
from storage import users

COOKIE = "__Host-qs_session"
SIGN_IN_COOKIE = "__Host-qs_sign_in"
FLASH_COOKIE = "__Host-qs_flash"
HOME = "/console/"
SIGN_IN = "/console/sign-in"
SIGN_IN_LIFE = timedelta(hours=1)
MAX_FORM_BYTES = 1_048_576
MAX_FIELDS = 40
_FLASH = re.compile(r"([a-z_]{1,40}):([A-Z0-9]{0,24})")


class SignInNeeded(Exception):
    """Nobody is signed in (any more)."""


class FormTooLarge(UserFacingError):
    wording_key, http_status = "ui_desk.form_too_large", 413


class FormUnknown(UserFacingError):
    wording_key, http_status = "ui_desk.form_unknown", 415


@dataclass(frozen=True, slots=True)
class Posted:
    """A form that was really sent by this user from one of our pages."""

    user: SignedIn
    fields: Mapping[str, str]

    def text(self, name: str) -> str:
        return self.fields.get(name, "")


class DeskRoute(APIRoute):
    """Turns "sign in first" and refusals into answers, so that every desk route does it the same way."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_or_refuse(request: Request) -> Response:
            try:
                return await handle(request)
            except SignInNeeded:
                return await _ask_to_sign_in(request)
            except UserFacingError as error:
                return refused(request, error)

        return handle_or_refuse


router = APIRouter(route_class=DeskRoute, include_in_schema=False)


async def signed_in(request: Request) -> SignedIn:
    """Whoever this browser's cookie belongs to. Raises SignInNeeded."""
    site = site_of(request)
    async with site.database.reading() as session:
        found = await session_of(session, request.cookies.get(COOKIE, ""), now=site.services.now())
    if found is None:
        raise SignInNeeded
    request.state.signed_in = found
    return found


Someone = Annotated[SignedIn, Depends(signed_in)]


async def signed_in_admin(user: Someone) -> SignedIn:
    """An admin; for everybody else these pages do not exist."""
    if not user.responder.is_admin:
        raise NotFound
    return user


SomeAdmin = Annotated[SignedIn, Depends(signed_in_admin)]


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a plain form. NUL, which PostgreSQL cannot store, is dropped.

    Raises FormTooLarge and FormUnknown.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise FormUnknown
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise FormTooLarge
    try:
        pairs = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, errors="replace", max_num_fields=MAX_FIELDS
        )
    except ValueError as error:
        raise FormUnknown from error
    return {name: value.replace("\0", "") for name, value in pairs}


async def csrf_checked(request: Request, user: Someone) -> Posted:
    """The posted form, once it is sure that this user's own page sent it. Raises NotAllowedHere."""
    refuse_cross_site(request)
    fields = await read_form(request)
    if not hmac.compare_digest(fields.get("csrf", "").encode(), user.csrf.encode()):
        raise NotAllowedHere("error.csrf")
    return Posted(user, fields)


Form = Annotated[Posted, Depends(csrf_checked)]


async def admin_form(posted: Form) -> Posted:
    """A form posted by an admin; for everybody else it does not exist."""
    if not posted.user.responder.is_admin:
        raise NotFound
    return posted


AdminForm = Annotated[Posted, Depends(admin_form)]


def safe_next(wanted: str) -> str:
    """A place at our own desk to go to after signing in; the list for anything else."""
    parts = urlsplit(wanted) if wanted.isprintable() and "\\" not in wanted else None
    if (
        parts is None
        or parts.scheme
        or parts.netloc
        or not parts.path.startswith(HOME)
        or re.search(r"//|\.\.|%", parts.path)
    ):
        return HOME
    if parts.path.startswith((SIGN_IN, "/console/sign-out")) or parts.path.endswith("/events"):
        return HOME
    return wanted


def go_to(path: str, *, flash: str = "", number: str = "") -> RedirectResponse:
    """303 to a page of ours; ``flash`` names the sentence (``ui_desk.flash_…``) that it shows once."""
    response = RedirectResponse(path, status_code=303)
    if flash:
        keep_cookie(response, FLASH_COOKIE, f"{flash}:{number}", timedelta(minutes=1))
    return response


def keep_cookie(response: Response, name: str, value: str, life: timedelta) -> None:
    response.set_cookie(
        name, value, max_age=int(life.total_seconds()), path="/", secure=True, httponly=True, samesite="lax"
    )


def drop_cookie(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")


def sentence(request: Request, error: UserFacingError) -> str:
    """A refusal in the reader's language; a field that it names is called as on the page."""
    site, locale = site_of(request), locale_of(request)
    values = dict(error.values)
    field = f"ui_desk.field_{values.get('field')}"
    if field in site.services.wording.keys():  # noqa: SIM118 - not a mapping
        values["field"] = site.services.text(locale, field)
    return site.services.text(locale, error.wording_key, **values)


def _flash(request: Request) -> str:
    match = _FLASH.fullmatch(request.cookies.get(FLASH_COOKIE, ""))
    wording = site_of(request).services.wording
    known = wording.keys()
    key = f"ui_desk.flash_{match[1]}" if match else ""
    return wording.text(locale_of(request), key, number=match[2]) if match and key in known else ""


def language_links(request: Request) -> dict[str, str]:
    """This page in each language, with its other parameters kept."""
    base = request.url if request.method == "GET" else request.url.replace(path=HOME, query="")
    return {
        code: f"?{base.include_query_params(lang=code).query}" if request.method == "GET" else f"{HOME}?lang={code}"
        for code in ("zh_CN", "zh_TW", "en")
    }


def desk_page(request: Request, user: SignedIn | None, template: str, *, status: int = 200, **context: Any) -> Response:
    """A page of the desk with its top bar."""
    site = site_of(request)
    flash = _flash(request)
    response = site.pages.render(
        request,
        template,
        status=status,
        me=user.responder if user else None,
        my_unit=site.services.unit_name(user.responder.unit_code) if user else "",
        csrf=user.csrf if user else "",
        flash=flash,
        now=site.services.now(),
        language_links=language_links(request),
        **context,
    )
    if flash:
        drop_cookie(response, FLASH_COOKIE)
    return response


def refused(
    request: Request, error: UserFacingError, *, headers: Mapping[str, str] | None = None, typed: str = ""
) -> Response:
    """A refusal as a page of the desk, or as problem+json for programs."""
    site, locale = site_of(request), locale_of(request)
    detail = sentence(request, error)
    status = error.http_status
    title = site.services.text(locale, f"http.title_{status}") if status in TITLED else str(status)
    if not wants_page(request):
        return problem(status, error.code, title, detail, headers=dict(headers or {}))
    user = getattr(request.state, "signed_in", None)
    page = desk_page(
        request, user, "desk_error.html", status=status, title=title, detail=detail, typed=typed, shown=status
    )
    page.headers.update(headers or {})
    return page


async def _ask_to_sign_in(request: Request) -> Response:
    if request.method in ("GET", "HEAD") and wants_page(request):
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{SIGN_IN}?next={quote(safe_next(wanted))}", status_code=303)
    typed = ""
    if wants_page(request):
        # The session ended while somebody was writing: hand the words back instead of losing them.
        try:
            refuse_cross_site(request)
            typed = (await read_form(request)).get("text", "")
        except UserFacingError:
            typed = ""
    return refused(request, SignInRefused("error.sign_in_first"), typed=typed)


# ── signing in ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _signature(secret: bytes, stamp: str) -> str:
    return hmac.new(secret, f"sign-in:{stamp}".encode(), hashlib.sha256).hexdigest()[:32]


def _new_sign_in_token(site: Site) -> str:
    stamp = f"{int(site.services.now().timestamp())}.{secrets.token_urlsafe(12)}"
    return f"{stamp}.{_signature(site.services.secret, stamp)}"


def _is_fresh(site: Site, token: str, *, life: timedelta = SIGN_IN_LIFE) -> bool:
    stamp, _, signature = token.rpartition(".")
    began = stamp.partition(".")[0]
    if not (began.isascii() and began.isdigit() and len(began) < 12):
        return False
    is_ours = hmac.compare_digest(signature.encode(), _signature(site.services.secret, stamp).encode())
    age = site.services.now().timestamp() - int(began)
    return is_ours and -60 <= age <= life.total_seconds()


def _sign_in_page(
    request: Request, *, status: int = 200, login: str = "", refusal: str = "", wanted: str = HOME
) -> Response:
    """The form with a token that is also in a cookie: another site can set neither."""
    site = site_of(request)
    token = request.cookies.get(SIGN_IN_COOKIE, "")
    if not _is_fresh(site, token, life=SIGN_IN_LIFE / 2):
        token = _new_sign_in_token(site)
    page = desk_page(
        request, None, "sign_in.html", status=status, token=token, login=login[:128], refusal=refusal, wanted=wanted
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
    login, wanted = fields.get("login", "").strip(), safe_next(fields.get("next", ""))

    def again(status: int, key: str, **values: object) -> Response:
        refusal = site.services.text(locale, key, **values)
        return _sign_in_page(request, status=status, login=login, refusal=refusal, wanted=wanted)

    kept = request.cookies.get(SIGN_IN_COOKIE, "")
    if not kept:
        # A __Host- cookie is kept over https and on this machine only; say so instead of "wrong password".
        return again(400, "ui_desk.sign_in_no_cookie")
    if not hmac.compare_digest(kept.encode(), fields.get("csrf", "").encode()) or not _is_fresh(site, kept):
        return again(403, "ui_desk.sign_in_form_expired")
    waits = [
        site.limits.sign_in.seconds_to_wait(key) for key in (("address", caller(request)), ("login", login.lower()))
    ]
    if max(waits) > 0:
        seconds = math.ceil(max(waits))
        page = again(429, "ui_desk.sign_in_wait", seconds=seconds)
        page.headers["Retry-After"] = str(seconds)
        return page
    try:
        token, _ = await accounts.sign_in(site.database, login, fields.get("password", ""), now=site.services.now())
    except SignInRefused as error:
        return again(error.http_status, error.wording_key)
    await _forget_session(site, request.cookies.get(COOKIE, ""))
    response = go_to(wanted)
    keep_cookie(response, COOKIE, token, SESSION_LIFE)
    drop_cookie(response, SIGN_IN_COOKIE)
    return response


async def _forget_session(site: Site, token: str) -> None:
    """The browser's earlier session, if any, ends when a new one begins."""
    if token:
        async with site.database.transaction() as session:
            await users.sign_out(session, token_hash(token))


@router.post("/console/sign-out")
async def sign_out(request: Request, posted: Form) -> Response:
    async with site_of(request).database.transaction() as session:
        await users.sign_out(session, posted.user.token_hash)
    response = go_to(SIGN_IN)
    drop_cookie(response, COOKIE)
    return response


@router.get("/console/password")
async def password_form(request: Request, user: Someone) -> Response:
    return desk_page(request, user, "desk_password.html", refusal="", minimum=accounts.MIN_PASSWORD)


@router.post("/console/password")
async def change_password(request: Request, posted: Form) -> Response:
    """Every other browser of this user is signed out; this one gets a new session."""
    site = site_of(request)
    try:
        token = await _change_password(site, posted, now=site.services.now())
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


class TooManyGuesses(UserFacingError):
    wording_key, http_status = "ui_desk.sign_in_wait", 429


async def _change_password(site: Site, posted: Posted, *, now: datetime) -> str:
    login = posted.user.responder.login
    wait = site.limits.sign_in.seconds_to_wait(("password", login))
    if wait > 0:
        raise TooManyGuesses(seconds=math.ceil(wait))
    async with site.database.reading() as session:
        user = await users.by_login(session, login)
    if user is None:
        raise NotFound
    if not await asyncio.to_thread(accounts.password_fits, user.password_hash, posted.text("old")[:200]):
        raise BadInput("ui_desk.old_password_wrong")
    if posted.text("new") != posted.text("again"):
        raise BadInput("ui_desk.passwords_differ")
    new = accounts.check_password(posted.text("new"))
    new_hash = await asyncio.to_thread(accounts.hash_password, new)
    async with site.database.transaction() as session:
        await accounts.set_password(session, login, new_hash)
    token, _ = await accounts.sign_in(site.database, login, new, now=now)
    return token
