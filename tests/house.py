"""The whole service in one test process: real handlers, real database, fake clock. Tests talk to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import select

from bot.app import Content, Process, build_process, build_services, create_app
from bot.tasks import mark_all_overdue
from config.settings import Settings
from console import auth
from handlers import accounts
from handlers.access import Responder
from handlers.services import Services
from storage import tickets
from storage.models import OutboxMessage, OutboxStatus, Role, Ticket, TicketEvent

START = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
"""Ten in the morning in China, after every seed rule has become valid."""
PASSWORD = "a-long-test-password"
SECRET = "s" * 40
_PASSWORD_HASH = accounts.hash_password(PASSWORD)
XIAOLAN_UNION = "gd-zs-union-xiaolan"
WAGES = "老板拖欠工资两个月，在小榄一家五金厂"
"""A whole help request in one sentence: its topic and its place are known, and it goes to the union of Xiaolan."""
_NUMBER = re.compile(r"[A-Z]{2}\d{10,}")
_CODE = re.compile(r"(?:查询码|查詢碼|code )([2-9A-Z]{8})")


@dataclass(slots=True)
class Clock:
    """The only clock of the service under test."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass(slots=True)
class Chat:
    """One person on the REST channel."""

    client: httpx.AsyncClient
    sender: str
    buttons: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    """Access codes by ticket number, of the tickets opened here."""

    async def send(self, message: str, **metadata: Any) -> list[dict[str, Any]]:
        """The raw replies; the buttons of the last message that has some are remembered."""
        body: dict[str, Any] = {"sender": self.sender, "message": message}
        if metadata:
            body["metadata"] = metadata
        # Escaped, because half a character (a lone surrogate) can be sent in no other way.
        content, kind = json.dumps(body), {"Content-Type": "application/json"}
        response = await self.client.post("/webhooks/rest/webhook", content=content, headers=kind)
        assert response.status_code == 200, response.text
        replies: list[dict[str, Any]] = response.json()
        for reply in replies:
            if reply.get("buttons"):
                self.buttons = {button["title"]: button["payload"] for button in reply["buttons"]}
        return replies

    async def say(self, *messages: str) -> str:
        """Say one thing after another; all texts of the last answer, joined by line breaks."""
        replies: list[dict[str, Any]] = []
        for message in messages:
            replies = await self.send(message)
        return "\n".join(reply["text"] for reply in replies)

    async def press(self, title: str) -> str:
        """Press one of the newest buttons by its title."""
        return await self.say(self.buttons[title])

    async def open_ticket(self, text: str = WAGES, *answers: str) -> str:
        """Ask for help, answer what is asked (“匿名” unless told otherwise), confirm; the number of the new ticket."""
        await self.say("求助", text, *(answers or ("匿名",)))
        opened = await self.press("确认提交")
        return self.opened(opened)

    def opened(self, text: str) -> str:
        """The number of the ticket that this text says was opened; its code is remembered."""
        number, code = _NUMBER.search(text), _CODE.search(text)
        assert number is not None, text
        assert code is not None, text
        self.codes[number.group()] = code.group(1)
        return number.group()


@dataclass(slots=True)
class House:
    process: Process
    client: httpx.AsyncClient
    clock: Clock
    responders: dict[str, Responder] = field(default_factory=dict)

    def chat(self, sender: str | None = None) -> Chat:
        return Chat(self.client, sender or f"person-{uuid.uuid4().hex[:8]}")

    async def add_user(self, login: str, *, unit: str | None = None, role: Role = Role.CADRE) -> None:
        async with self.process.database.transaction() as session:
            await accounts.create_user(
                session,
                self.process.services,
                login=login,
                name=f"{login} 干部",
                role=role,
                unit_code=unit,
                password_hash=_PASSWORD_HASH,
            )

    async def responder(self, unit: str) -> Responder:
        """A cadre of this unit, as the handlers see them; created on first use."""
        if unit not in self.responders:
            login = f"cadre.{unit}"
            with contextlib.suppress(accounts.BadInput):
                await self.add_user(login, unit=unit)
            self.responders[unit] = await self.signed_in(login)
        return self.responders[unit]

    async def signed_in(self, login: str) -> Responder:
        _, signed_in = await accounts.sign_in(self.process.database, login, PASSWORD, now=self.clock())
        return signed_in.responder

    async def act(self, unit: str, act: Callable[..., Awaitable[Ticket]], number: str, *words: str) -> Ticket:
        """A cadre of this unit does one act of handlers/cadre.py, in one transaction; what it says is delivered."""
        responder = await self.responder(unit)
        async with self.process.database.transaction() as session:
            ticket = await act(session, responder, number, *words, self.process.services)
        await self.deliver()
        return ticket

    async def desk_page(self, unit: str, path: str) -> httpx.Response:
        """A page of the desk as a cadre of this unit gets it."""
        await self.responder(unit)
        token, _ = await accounts.sign_in(self.process.database, f"cadre.{unit}", PASSWORD, now=self.clock())
        return await self.client.get(path, headers={"Cookie": f"{auth.COOKIE}={token}"})

    async def ticket(self, number: str) -> Ticket:
        """The ticket as stored."""
        async with self.process.database.reading() as session:
            found = await tickets.by_number(session, number)
        assert found is not None, f"there is no ticket {number}"
        return found

    async def events(self, number: str) -> Sequence[TicketEvent]:
        """The ticket's record, oldest first."""
        ticket = await self.ticket(number)
        async with self.process.database.reading() as session:
            return await tickets.events(session, ticket.id)

    async def watch_clocks(self) -> int:
        """One round of the overdue sweep; how many clocks it found run out."""
        found = await mark_all_overdue(self.process.database, self.process.services)
        await self.deliver()
        return found

    async def deliver(self) -> None:
        """Drain the outbox, and wait for what the running worker has in hand."""
        in_hand = select(OutboxMessage.id).where(OutboxMessage.status == OutboxStatus.CLAIMED)
        async with asyncio.timeout(10):
            while True:
                if await self.process.delivery.run_once():
                    continue
                async with self.process.database.reading() as session:
                    if (await session.execute(in_hand)).first() is None:
                        return
                await asyncio.sleep(0.005)


def settings_for(data_dir: Path, database_url: str, redis_url: str | None, **more: Any) -> Settings:
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        data_dir=data_dir,
        database_url=database_url,
        redis_url=redis_url or "",
        secret_key=SecretStr(SECRET),
        **more,
    )


_TRAINED: dict[Path, tuple[Content, Services]] = {}


def trained_services(settings: Settings, content: Content, models: Path, clock: Clock) -> Services:
    """The services with this clock. Put together once a session: reading the models takes longer than most tests."""
    if models not in _TRAINED or _TRAINED[models][0] is not content:
        elsewhere = settings.model_copy(update={"data_dir": models})
        _TRAINED[models] = content, build_services(elsewhere, content, now=clock)
    return replace(_TRAINED[models][1], now=clock, secret=settings.secret())


@asynccontextmanager
async def open_house(
    settings: Settings,
    content: Content,
    *,
    models: Path,
    wants_demo: bool = False,
    change: Callable[[Services], Services] = lambda services: services,
) -> AsyncIterator[House]:
    """Start the service on this database and stop it again. ``change`` exchanges a collaborator."""
    clock = Clock()
    services = change(trained_services(settings, content, models, clock))
    process = build_process(settings, services=services, content=content, wants_demo=wants_demo)
    app = create_app(process)
    ready = asyncio.Event()
    process.on_ready = lambda _loaded: ready.set()
    started = await process.start()
    try:
        async with asyncio.timeout(30):
            await ready.wait()
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))
        async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
            yield House(process, client, clock)
    finally:
        await process.stop(started)
