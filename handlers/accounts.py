"""Signing in and out, and looking after users."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy.ext.asyncio import AsyncSession

from handlers.access import Responder, responder_of
from handlers.errors import BadInput, NotFound, SignInRefused
from handlers.services import Services
from storage import users
from storage.models import OrgUnitRow, Role, User, UserSession
from storage.session import Database

SESSION_LIFE = timedelta(hours=12)
MIN_PASSWORD = 10
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")

# RFC 9106, second recommended option scaled to a small server: 19 MiB, two passes (OWASP's minimum for argon2id).
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@dataclass(frozen=True, slots=True)
class SignedIn:
    responder: Responder
    csrf: str
    token_hash: str
    has_totp: bool


class CodeNeeded(Exception):
    """The password is right, and this user also has one-time codes."""

    def __init__(self, user: User) -> None:
        self.user = user
        super().__init__(user.id)


@cache
def _hash_of_nobody() -> str:
    return _hasher.hash("nobody has this password")


def hash_password(password: str) -> str:
    return _hasher.hash(password)


def password_fits(password_hash: str, password: str) -> bool:
    """Takes some ten milliseconds of CPU by design: call it outside the event loop."""
    try:
        return _hasher.verify(password_hash, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def check_password(password: str) -> str:
    """Raises BadInput when it is too short or endless."""
    if not MIN_PASSWORD <= len(password) <= 200:
        raise BadInput("error.password_length", minimum=MIN_PASSWORD)
    return password


async def sign_in(database: Database, login: str, password: str, *, now: datetime) -> tuple[str, SignedIn]:
    """The new session's token and user. Raises SignInRefused, the same for unknown, wrong and disabled; CodeNeeded."""
    user = await check_credentials(database, login, password)
    if user.totp_sealed is not None:
        raise CodeNeeded(user)
    async with database.transaction() as session:
        return await open_session(session, user, now=now)


async def check_credentials(database: Database, login: str, password: str) -> User:
    """Whose login and password these are. Raises SignInRefused, the same for unknown, wrong and disabled.

    No transaction is open meanwhile: hashing must not hold the one writer.
    """
    async with database.reading() as session:
        user = await users.by_login(session, login.strip().lower()[:128])
    # An unknown login costs the same time as a wrong password.
    known_hash = user.password_hash if user is not None else await asyncio.to_thread(_hash_of_nobody)
    fits = await asyncio.to_thread(password_fits, known_hash, password[:200])
    if user is None or not fits or not user.is_active:
        raise SignInRefused
    return user


async def open_session(session: AsyncSession, user: User, *, now: datetime) -> tuple[str, SignedIn]:
    """A new session for somebody who has proved who they are: the cookie's token, and what it stands for."""
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    await users.forget_expired(session, now=now)
    session.add(
        UserSession(
            token_hash=token_hash(token),
            user_id=user.id,
            csrf=csrf,
            created_at=now,
            expires_at=now + SESSION_LIFE,
            last_seen_at=now,
        )
    )
    unit = await session.get(OrgUnitRow, user.unit_code) if user.unit_code else None
    return token, _signed_in(user, unit.path if unit else None, csrf, token_hash(token))


def _signed_in(user: User, unit_path: str | None, csrf: str, session_hash: str) -> SignedIn:
    return SignedIn(responder_of(user, unit_path), csrf, session_hash, has_totp=user.totp_sealed is not None)


async def session_of(session: AsyncSession, token: str, *, now: datetime) -> SignedIn | None:
    """Who this cookie's token belongs to; None when expired, signed out or disabled."""
    if not token or len(token) > 100:
        return None
    found = await users.signed_in(session, token_hash(token), now=now)
    if found is None:
        return None
    user, user_session, path = found
    return _signed_in(user, path, user_session.csrf, user_session.token_hash)


async def create_user(
    session: AsyncSession,
    services: Services,
    *,
    login: str,
    name: str,
    role: Role,
    unit_code: str | None,
    password_hash: str,
    is_demo: bool = False,
) -> User:
    """Raises BadInput for a bad or taken login, an unknown unit, or a cadre without one."""
    login = login.strip().lower()
    if not _LOGIN.fullmatch(login):
        raise BadInput("error.bad_login")
    if await users.by_login(session, login) is not None:
        raise BadInput("error.login_taken", login=login)
    if role is Role.CADRE and (not unit_code or services.tree.get(unit_code) is None):
        raise BadInput("error.no_such_unit", unit=(unit_code or "")[:40])
    user = User(
        login=login,
        name=name.strip()[:60] or login,
        role=role,
        unit_code=unit_code if role is Role.CADRE else None,
        password_hash=password_hash,
        locale="zh_CN",
        is_active=True,
        is_demo=is_demo,
        created_at=services.now(),
    )
    session.add(user)
    await session.flush()
    return user


async def set_active(session: AsyncSession, login: str, is_active: bool) -> User:
    """Disabling also ends every session. Raises NotFound."""
    user = await users.by_login(session, login)
    if user is None:
        raise NotFound
    user.is_active = is_active
    if not is_active:
        await users.sign_out_everywhere(session, user.id)
    return user


async def set_password(session: AsyncSession, login: str, password_hash: str) -> User:
    """Also ends every session of the user. Raises NotFound."""
    user = await users.by_login(session, login)
    if user is None:
        raise NotFound
    user.password_hash = password_hash
    await users.sign_out_everywhere(session, user.id)
    return user
