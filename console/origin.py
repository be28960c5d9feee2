"""Refusing changes that another site's page asks for."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request

from handlers.errors import UserFacingError


class CrossSite(UserFacingError):
    wording_key, http_status = "error.cross_site", 403


def refuse_cross_site(request: Request) -> None:
    """Raises CrossSite when the browser says that the request comes from another origin."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise CrossSite
    origin = request.headers.get("origin")
    if origin is None:
        return
    try:
        sender = urlsplit(origin).netloc
    except ValueError as error:  # "http://[" is no address at all
        raise CrossSite from error
    if sender.lower() != request.headers.get("host", "").lower():
        raise CrossSite
