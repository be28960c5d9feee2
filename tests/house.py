"""The whole service in one test process: real handlers, real database, fake clock. Tests talk to it."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from bot.app import Content, Process, build_process, build_services, create_app
from config.settings import Settings
from handlers import accounts
from storage.models import Role

START = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
"""Ten in the morning in China, after every seed rule has become valid."""
PASSWORD = "a-long-test-password"
SECRET = "s" * 40
_PASSWORD_HASH = accounts.hash_password(PASSWORD)


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

    async def send(self, message: str, **metadata: Any) -> list[dict[str, Any]]:
        """The raw replies; the buttons of the last message that has some are remembered."""
        body: dict[str, Any] = {"sender": self.sender, "message": message}
        if metadata:
            body["metadata"] = metadata
        response = await self.client.post("/webhooks/rest/webhook", json=body)
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


@dataclass(slots=True)
class House:
    process: Process
    client: httpx.AsyncClient
    clock: Clock

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

    async def responder(self, unit: str) -> Any:
        """A cadre of this unit, as the handlers see them; created on first use."""
        login = f"cadre.{unit}"
        with contextlib.suppress(accounts.BadInput):
            await self.add_user(login, unit=unit)
        _, signed_in = await accounts.sign_in(self.process.database, login, PASSWORD, now=self.clock())
        return signed_in.responder

    async def deliver(self) -> None:
        """Let the delivery worker drain the outbox."""
        while await self.process.delivery.run_once():
            pass


def settings_for(data_dir: Path, database_url: str, redis_url: str | None, **more: Any) -> Settings:
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        data_dir=data_dir,
        database_url=database_url,
        redis_url=redis_url or "",
        secret_key=SecretStr(SECRET),
        **more,
    )


@asynccontextmanager
async def open_house(settings: Settings, content: Content, *, models: Path, wants_demo: bool = False) -> AsyncIterator[House]:
    """Start the service on this database and stop it again."""
    clock = Clock()
    trained = build_services(settings.model_copy(update={"data_dir": models}), content, now=clock)
    process = build_process(settings, services=trained, content=content, wants_demo=wants_demo)
    app = create_app(process)
    started = await process.start()
    try:
        async with asyncio.timeout(30):
            while not process.is_ready:
                await asyncio.sleep(0.01)
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))
        async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
            yield House(process, client, clock)
    finally:
        await process.stop(started)
