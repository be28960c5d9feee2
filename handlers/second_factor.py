"""One-time codes as a second factor of signing in (TOTP, RFC 6238: SHA-1, six digits, 30 seconds, as every app has it).

A code counts one step to either side, for clocks that are a little off, and once: the step it belongs to is kept, and
neither it nor an earlier one is accepted again (RFC 6238, 5.2).
"""

from __future__ import annotations

import hmac
import logging
import re
from datetime import datetime

import pyotp
from sqlalchemy.ext.asyncio import AsyncSession

from handlers.errors import BadInput, NotFound
from handlers.sealing import SealBroken, seal, unseal
from handlers.services import Services
from storage import users
from storage.models import User

log = logging.getLogger(__name__)

STEP_SECONDS = 30
STEPS_ASIDE = 1
_PURPOSE = "totp"


def new_secret() -> str:
    """160 random bits in base32, what RFC 4226 recommends and apps take by hand."""
    return pyotp.random_base32()


def address_for_apps(secret: str, login: str, issuer: str) -> str:
    """The ``otpauth://`` address that a QR code carries."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=issuer)


def fitting_step(secret: str, code: str, *, at: datetime, used_step: int | None) -> int | None:
    """The step that this code belongs to; None when it is wrong, too old or used."""
    digits = re.sub(r"\s", "", code[:40])
    if not re.fullmatch(r"[0-9]{6}", digits):
        return None
    totp, now = pyotp.TOTP(secret, interval=STEP_SECONDS), int(at.timestamp()) // STEP_SECONDS
    found = None
    for step in range(now - STEPS_ASIDE, now + STEPS_ASIDE + 1):
        if hmac.compare_digest(totp.generate_otp(step), digits) and (used_step is None or step > used_step):
            found = step
    return found


def _place(login: str) -> str:
    return f"users|totp_secret|{login}"


def seal_for_setup(services: Services, secret: str, login: str, session: str) -> str:
    """A secret that is not confirmed yet, to travel through this user's own form in this session only."""
    return seal(services.secret, secret, purpose=_PURPOSE, place=f"set-up|{login}|{session}")


def unseal_from_setup(services: Services, sealed: str, login: str, session: str) -> str:
    """Raises SealBroken for another user's or another session's."""
    return unseal(services.secret, sealed[:500], purpose=_PURPOSE, place=f"set-up|{login}|{session}")


def use_code(services: Services, user: User, code: str) -> bool:
    """Whether this code is right now; it is then used up. Lock the user's row first: of two with one code, one wins."""
    if user.totp_sealed is None:
        return False
    try:
        secret = unseal(services.secret, user.totp_sealed, purpose=_PURPOSE, place=_place(user.login))
    except SealBroken:
        log.error("the one-time-code secret of user %d does not open: was the secret key changed?", user.id)
        return False
    step = fitting_step(secret, code, at=services.now(), used_step=user.totp_used_step)
    if step is None:
        return False
    user.totp_used_step = step
    return True


async def turn_on(
    session: AsyncSession, services: Services, login: str, secret: str, code: str, *, keep_session: str
) -> None:
    """Confirmed by a first code; the user's other sessions, begun without one, end. Raises BadInput, NotFound."""
    user = await users.by_login(session, login, for_update=True)
    if user is None:
        raise NotFound
    if user.totp_sealed is not None:
        raise BadInput("ui_desk.security_is_on")
    step = fitting_step(secret, code, at=services.now(), used_step=None)
    if step is None:
        raise BadInput("ui_desk.code_wrong")
    user.totp_sealed = seal(services.secret, secret, purpose=_PURPOSE, place=_place(user.login))
    user.totp_used_step = step
    await users.sign_out_everywhere(session, user.id, but=keep_session)


async def turn_off(session: AsyncSession, services: Services, login: str, code: str) -> None:
    """For the user themselves, whose password was checked. Raises BadInput, NotFound."""
    user = await users.by_login(session, login, for_update=True)
    if user is None:
        raise NotFound
    if not use_code(services, user, code):
        raise BadInput("ui_desk.code_wrong")
    user.totp_sealed = user.totp_used_step = None


async def reset(session: AsyncSession, login: str) -> bool:
    """For a lost phone, by the operator: forget the secret, end every session; whether there was one.

    Raises NotFound.
    """
    user = await users.by_login(session, login, for_update=True)
    if user is None:
        raise NotFound
    had_one = user.totp_sealed is not None
    user.totp_sealed = user.totp_used_step = None
    await users.sign_out_everywhere(session, user.id)
    return had_one
