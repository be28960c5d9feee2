"""Who may hold what. The only way from a number to a ticket, for requesters, cadres and the public page."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from handlers.errors import NotFound
from handlers.privacy import access_code_matches
from handlers.services import Services
from storage import tickets
from storage.models import Role, Ticket, User
from storage.tickets import Scope


@dataclass(frozen=True, slots=True)
class Responder:
    """A signed-in user with what they may see."""

    id: int
    login: str
    name: str
    role: Role
    unit_code: str | None
    unit_path: str | None
    locale: str

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN

    @property
    def scope(self) -> Scope:
        return Scope(self.unit_code, self.unit_path, sees_all_units=self.is_admin)


def responder_of(user: User, unit_path: str | None) -> Responder:
    return Responder(user.id, user.login, user.name, Role(user.role), user.unit_code, unit_path, user.locale)


def tidy_number(number: str) -> str:
    """A number as typed; NUL, which PostgreSQL cannot look up, is dropped."""
    return number.replace("\0", "").strip().upper()[:24]


async def ticket_for_responder(
    session: AsyncSession, responder: Responder, number: str, *, for_update: bool = False
) -> Ticket:
    """The ticket if it lies in the responder's scope. Raises NotFound for absent and foreign alike."""
    ticket = await tickets.in_scope(session, tidy_number(number), responder.scope, for_update=for_update)
    if ticket is None:
        raise NotFound
    return ticket


async def ticket_for_requester(
    session: AsyncSession, person_id: int, number: str, *, for_update: bool = False
) -> Ticket:
    """The person's own ticket. Raises NotFound for absent and foreign alike."""
    ticket = await tickets.by_number(session, tidy_number(number), for_update=for_update)
    if ticket is None or ticket.person_id != person_id:
        raise NotFound
    return ticket


async def ticket_for_code(session: AsyncSession, services: Services, number: str, code: str) -> Ticket:
    """The ticket for whoever has its number and access code. Raises NotFound for absent and wrong alike."""
    ticket = await tickets.by_number(session, tidy_number(number))
    stored = ticket.access_code_hash if ticket is not None else "0" * 64
    if not access_code_matches(services.secret, tidy_number(number), code, stored) or ticket is None:
        raise NotFound
    return ticket
