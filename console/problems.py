"""Errors as people and programs read them: a page for browsers, problem+json (RFC 9457) for everybody else."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from console.pages import locale_of, program_locale_of
from console.site import site_of
from handlers.errors import UserFacingError

PROBLEM = "application/problem+json"


def problem(status: int, code: str, title: str, detail: str, *, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail},
        status_code=status,
        headers=headers,
        media_type=PROBLEM,
    )


def wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") and request.method in ("GET", "POST", "HEAD")


def refusal(
    request: Request, key: str, status: int, *, headers: dict[str, str] | None = None, **values: object
) -> Response:
    """One sentence of ``config/wording`` as a page or as problem+json, in the reader's language."""
    site = site_of(request)
    is_page = wants_page(request)
    locale = locale_of(request) if is_page else program_locale_of(request)
    detail = site.services.text(locale, key, **values)
    title = site.services.text(locale, f"http.title_{status}") if status in TITLED else str(status)
    if is_page:
        page = site.pages.render(request, "error.html", status=status, title=title, detail=detail)
        page.headers.update(headers or {})
        return page
    return problem(status, key.replace(".", "_"), title, detail, headers=headers)


TITLED = frozenset({400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 503})


def of_error(request: Request, error: UserFacingError, *, headers: dict[str, str] | None = None) -> Response:
    return refusal(request, error.wording_key, error.http_status, headers=headers, **error.values)
