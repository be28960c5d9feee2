"""Rendering HTML: templates, wording, times and static files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from config.wording import LOCALES, Wording, closest_locale
from config.wording.catalogue import HTML_LANG
from handlers.services import LOCAL_TIME

HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"
LOCALE_COOKIE = "__Host-qs_locale"


def locale_of(request: Request) -> str:
    """A page's language: asked for in the address, or chosen earlier; else Chinese, Traditional if the browser says so.

    Many phones of our readers are set to English: that alone does not make the page English.
    """
    for wanted in (request.query_params.get("lang"), request.cookies.get(LOCALE_COOKIE)):
        if wanted in LOCALES:
            return wanted
    return "zh_TW" if closest_locale(request.headers.get("accept-language")) == "zh_TW" else "zh_CN"


def program_locale_of(request: Request) -> str:
    """The language of an error for a program: as chosen for pages, else what Accept-Language says, English included."""
    chosen = locale_of(request)
    return closest_locale(request.headers.get("accept-language")) if chosen == "zh_CN" else chosen


class Pages:
    """Renders ``console/templates``; each has ``t``, ``locale``, ``lang``, ``static`` and the time filters."""

    def __init__(self, wording: Wording) -> None:
        self._wording = wording
        self._versions: dict[str, str] = {}
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["local_time"] = lambda at: at.astimezone(LOCAL_TIME).strftime("%H:%M")
        self._environment.filters["local_day"] = self._day_filter
        self._environment.filters["local_iso"] = lambda at: at.astimezone(LOCAL_TIME).isoformat(timespec="minutes")

    @pass_context
    def _day_filter(self, context: Context, at: datetime) -> str:
        return self.local_day(context["locale"], at)

    def static(self, name: str) -> str:
        """The address of a static file, with a hash of its content so that browsers may keep it for ever."""
        if name not in self._versions:
            self._versions[name] = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
        return f"/static/{name}?v={self._versions[name]}"

    def words(self, locale: str) -> Callable[..., str]:
        def t(key: str, **values: object) -> str:
            return self._wording.text(locale, key, **values)

        return t

    def section(self, locale: str, prefix: str) -> dict[str, str]:
        return self._wording.section(locale, prefix)

    def local_day(self, locale: str, at: datetime) -> str:
        day = at.astimezone(LOCAL_TIME)
        return self._wording.text(locale, "time.day", month=day.month, day=day.day)

    def local_moment(self, locale: str, at: datetime) -> str:
        local = at.astimezone(LOCAL_TIME)
        return self._wording.text(
            locale, "time.moment", month=local.month, day=local.day, clock=local.strftime("%H:%M")
        )

    def fragment(self, template: str, locale: str, **context: Any) -> str:
        """A template as text."""
        return self._environment.get_template(template).render(
            t=self.words(locale),
            locale=locale,
            lang=HTML_LANG[locale],
            static=self.static,
            local_day=lambda at: self.local_day(locale, at),
            local_moment=lambda at: self.local_moment(locale, at),
            lines=_lines,
            **context,
        )

    def render(self, request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """A whole page in the reader's language; an explicit ``?lang=`` is remembered in a cookie."""
        locale = context.pop("locale", None) or locale_of(request)
        response = HTMLResponse(
            self.fragment(template, locale, request_path=request.url.path, status=status, **context), status
        )
        response.headers["Vary"] = "Cookie, Accept-Language"
        response.headers["Cache-Control"] = "no-store"
        if request.query_params.get("lang") in LOCALES:
            response.set_cookie(
                LOCALE_COOKIE, locale, max_age=31_536_000, path="/", secure=True, httponly=True, samesite="lax"
            )
        return response


def _lines(text: str) -> Markup:
    """Text with its line breaks kept, everything else escaped."""
    return Markup("<br>").join(text.split("\n"))
