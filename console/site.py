"""What every page needs, put together by bot/app.py and found through the request."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network

from fastapi import Request

from console.limits import RateLimit
from console.pages import Pages
from handlers.services import Services
from storage.live import Hub
from storage.session import Database


@dataclass(frozen=True, slots=True)
class Limits:
    """How often one key (an address or a login) may try."""

    sign_in: RateLimit = field(default_factory=lambda: RateLimit(burst=10, per_minute=6))
    # Three of a million codes are right at a time: who knows the password guesses one in some eight months.
    code: RateLimit = field(default_factory=lambda: RateLimit(burst=5, per_minute=1))
    case_code: RateLimit = field(default_factory=lambda: RateLimit(burst=10, per_minute=6))
    chat: RateLimit = field(default_factory=lambda: RateLimit(burst=20, per_minute=60))
    chat_open: RateLimit = field(default_factory=lambda: RateLimit(burst=60, per_minute=120))


@dataclass(frozen=True, slots=True)
class Site:
    services: Services
    database: Database
    hub: Hub
    pages: Pages
    limits: Limits = field(default_factory=Limits)
    must_admins_have_totp: bool = False
    """In production; elsewhere they are only advised to."""


def site_of(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


def caller(request: Request) -> str:
    """The caller's network address, for rate limits. A proxy's header counts only if the server trusts the proxy.

    Of an IPv6 address the /64: that is what one subscriber gets, and whose addresses nobody could count.
    """
    host = request.client.host if request.client else "unknown"
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ip_network((address, 64), strict=False))
    return str(address)
