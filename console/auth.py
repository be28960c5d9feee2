"""The two questions every desk route asks: who is this, and did they mean to post this?"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote, urlsplit

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import APIRoute

from console.origin import refuse_cross_site
from console.pages import locale_of
from console.problems import TITLED, problem, wants_page
from console.site import site_of
from handlers.accounts import SignedIn, session_of
from handlers.errors import NotAllowedHere, NotFound, SignInRefused, UserFacingError

COOKIE = "__Host-qs_session"
SIGN_IN_COOKIE = "__Host-qs_sign_in"
FLASH_COOKIE = "__Host-qs_flash"
HOME = "/console/"
SIGN_IN = "/console/sign-in"
SIGN_OUT = "/console/sign-out"
SECURITY = "/console/security"
OPEN_WITHOUT_TOTP = frozenset({SECURITY, f"{SECURITY}/on", f"{SECURITY}/off", SIGN_OUT})
"""What an admin who must set up one-time codes first can reach until then."""
MAX_FORM_BYTES = 1_048_576
MAX_FIELDS = 40
MAX_NEXT = 1_000
_FLASH = re.compile(r"([a-z_]{1,40}):([A-Z0-9]{0,24})")


class SignInNeeded(Exception):
    """Nobody is signed in (any more)."""


class FormTooLarge(UserFacingError):
    wording_key, http_status = "ui_desk.form_too_large", 413


class FormUnknown(UserFacingError):
    wording_key, http_status = "ui_desk.form_unknown", 415


class TotpNeeded(UserFacingError):
    """An admin in production sets up one-time codes before anything else."""

    wording_key, http_status = "ui_desk.security_needed", 403


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
            except TotpNeeded as error:
                is_page = request.method in ("GET", "HEAD") and wants_page(request)
                return go_to(SECURITY) if is_page else refused(request, error)
            except UserFacingError as error:
                return refused(request, error)

        return handle_or_refuse


async def signed_in(request: Request) -> SignedIn:
    """Whoever this browser's cookie belongs to. Raises SignInNeeded and TotpNeeded."""
    site = site_of(request)
    async with site.database.reading() as session:
        found = await session_of(session, request.cookies.get(COOKIE, ""), now=site.services.now())
    if found is None:
        raise SignInNeeded
    request.state.signed_in = found
    is_lacking_totp = site.must_admins_have_totp and found.responder.is_admin and not found.has_totp
    if is_lacking_totp and request.url.path not in OPEN_WITHOUT_TOTP:
        raise TotpNeeded
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
    if not wanted.isprintable() or "\\" in wanted or len(wanted) > MAX_NEXT:
        return HOME
    try:
        parts = urlsplit(wanted)
    except ValueError:  # "//[" is no address at all
        return HOME
    if parts.scheme or parts.netloc or not parts.path.startswith(HOME) or re.search(r"//|\.\.|%", parts.path):
        return HOME
    if parts.path.startswith((SIGN_IN, SIGN_OUT)) or parts.path.endswith("/events"):
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
        is_totp_advised=user is not None and user.responder.is_admin and not user.has_totp,
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
