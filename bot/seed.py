"""Bringing the content's organisation tree into the database, and the demo users."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

from config.settings import Settings
from handlers.accounts import create_user, hash_password, password_fits
from handlers.services import Services
from storage import org_units, users
from storage.locks import lock_in_transaction
from storage.models import OrgUnitRow, Role
from storage.session import Database

ADMIN_LOGIN = "admin"
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the start screen tells. ``password`` is None when it was set at an earlier start."""

    demo_users: int
    password: str | None


def random_password() -> str:
    """Sixteen characters in groups, easy to type: about 79 bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


async def load(database: Database, services: Services, settings: Settings, *, wants_demo: bool) -> Loaded:
    rows = [
        OrgUnitRow(
            code=unit.code,
            parent=unit.parent,
            path=services.tree.path(unit.code),
            name=unit.name,
            kind=unit.kind,
            is_active=unit.is_active,
        )
        for unit in services.tree
    ]
    async with database.transaction() as session:
        await lock_in_transaction(session, "seed")
        await org_units.synchronise(session, rows)
    return await _load_demo_users(database, services, settings) if wants_demo else Loaded(0, None)


async def _load_demo_users(database: Database, services: Services, settings: Settings) -> Loaded:
    """Create ``admin`` and one ``cadre.<unit>`` per unit; a password in the environment is applied to all of them."""
    async with database.reading() as session:
        known = {user.login: user for user, _ in await users.all_users(session)}
    given = settings.demo_password.get_secret_value()
    password = given or (None if known else random_password())
    logins = {ADMIN_LOGIN: None} | {f"cadre.{unit.code}": unit for unit in services.tree if unit.is_active}
    missing = [login for login in logins if login not in known]
    demo = [user for user in known.values() if user.is_demo]
    has_changed = bool(given and demo) and not await asyncio.to_thread(password_fits, demo[0].password_hash, given)
    if not missing and not has_changed:
        return Loaded(len(logins), given or None)
    if password is None:
        password = random_password()
    # One hash for all demo users: a hundred separate ones would take seconds, and they share the password anyway.
    shared_hash = await asyncio.to_thread(hash_password, password)
    async with database.transaction() as session:
        await lock_in_transaction(session, "seed")
        # Another process may have started at the same moment and made them meanwhile.
        made_meanwhile = {user.login for user, _ in await users.all_users(session)} - known.keys()
        missing = [login for login in missing if login not in made_meanwhile]
        if has_changed:
            for user in demo:
                (await users.by_login(session, user.login) or user).password_hash = shared_hash
        for login in missing:
            unit = logins[login]
            await create_user(
                session,
                services,
                login=login,
                name="管理员" if unit is None else f"{(unit.aliases or (unit.name,))[0]}承办人",
                role=Role.ADMIN if unit is None else Role.CADRE,
                unit_code=unit.code if unit is not None else None,
                password_hash=shared_hash,
                is_demo=True,
            )
    return Loaded(len(logins), password)
