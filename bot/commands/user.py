"""``user add``, ``user password``, ``user reset-totp``, ``user disable``, ``user enable``, ``user list``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from bot.app import Content, build_services
from bot.commands.serve import Failed, read_settings
from bot.seed import random_password
from handlers import accounts, second_factor
from handlers.errors import UserFacingError
from handlers.services import Services
from storage import users
from storage.live import Hub
from storage.models import Role
from storage.session import CONNECTION_LOST, Database

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Result = TypeVar("Result")


def _with_database(act: Callable[[AsyncSession, Services], Awaitable[Result]]) -> Result:
    """Run one act in one transaction. Raises Failed with the refusal's sentence."""
    settings = read_settings()
    services = build_services(settings, Content.read())

    async def run() -> Result:
        database = Database(settings.database(), Hub())
        try:
            async with database.transaction() as session:
                return await act(session, services)
        finally:
            await database.close()

    try:
        return asyncio.run(run())
    except UserFacingError as error:
        raise Failed(services.text("en", error.wording_key, **error.values)) from error
    except (*CONNECTION_LOST, DBAPIError) as error:
        raise Failed(
            "the database is not usable or not migrated yet (start the service once, or run `python -m bot seed`)"
        ) from error


def _new_password() -> tuple[str, bool]:
    """From QINGSHENG_NEW_PASSWORD (never from the command line, where others can read it), else a random one."""
    given = os.environ.get("QINGSHENG_NEW_PASSWORD", "")
    return (given, False) if given else (random_password(), True)


@app.command()
def add(
    login: str,
    name: Annotated[str, typer.Option(help="Name shown to colleagues.")],
    unit: Annotated[str | None, typer.Option(help="Unit code of a cadre; left out for an admin.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="Make an admin instead of a cadre.")] = False,
) -> int:
    """Create a user and print a password for them."""
    password, is_random = _new_password()

    async def act(session: AsyncSession, services: Services) -> None:
        accounts.check_password(password)
        await accounts.create_user(
            session,
            services,
            login=login,
            name=name,
            role=Role.ADMIN if admin else Role.CADRE,
            unit_code=unit,
            password_hash=accounts.hash_password(password),
        )

    _with_database(act)
    print(f"{login}: created" + (f", password {password}" if is_random else ""))
    return 0


@app.command()
def password(login: str) -> int:
    """Set a new password (random, or QINGSHENG_NEW_PASSWORD) and sign the user out everywhere."""
    new, is_random = _new_password()

    async def act(session: AsyncSession, services: Services) -> None:
        accounts.check_password(new)
        await accounts.set_password(session, login, accounts.hash_password(new))

    _with_database(act)
    print(f"{login}: password set" + (f": {new}" if is_random else ""))
    return 0


@app.command("reset-totp")
def reset_totp(login: str) -> int:
    """Forget a user's sign-in codes (a lost phone) and sign them out everywhere; the password alone then counts."""
    had_codes = _with_database(lambda session, _: second_factor.reset(session, login))
    print(f"{login}: sign-in codes reset" if had_codes else f"{login}: had no sign-in codes; signed out everywhere")
    return 0


@app.command()
def disable(login: str) -> int:
    """Sign a user out everywhere and refuse them from now on."""
    _with_database(lambda session, _: accounts.set_active(session, login, False))
    print(f"{login}: disabled")
    return 0


@app.command()
def enable(login: str) -> int:
    """Let a disabled user sign in again."""
    _with_database(lambda session, _: accounts.set_active(session, login, True))
    print(f"{login}: enabled")
    return 0


@app.command("list")
def show() -> int:
    """List all users."""
    for user, unit_name in _with_database(lambda session, _: users.all_users(session)):
        state = "" if user.is_active else "  (disabled)"
        print(f"{user.login}  {user.role}  {user.unit_code or '-'}  {unit_name or ''}{state}")
    return 0
