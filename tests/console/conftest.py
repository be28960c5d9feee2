"""The desk as browsers see it: the real service on SQLite, and people who sign in through the form."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.app import Content, create_app
from config.wording import LOCALES, Wording
from config.wording.catalogue import HERE, _flatten
from config.yamlfile import read_yaml
from console.auth import COOKIE, SIGN_IN_COOKIE
from handlers import accounts
from handlers.ticket_form import TicketForm
from handlers.tickets import open_ticket
from storage import conversations
from storage.models import Role, Ticket
from tests.house import PASSWORD, House, open_house, settings_for

HTML = {"accept": "text/html"}
HERE_ORIGIN = {"origin": "https://testserver", "sec-fetch-site": "same-origin"}
CITY, TOWN, OTHER = "gd-zs-union", "gd-zs-union-xiaolan", "gd-zs-union-guzhen"


def whole_wording() -> Wording:
    """The catalogue with the staging files that are not merged into it yet."""
    sentences: dict[str, dict[str, str]] = {}
    for locale in LOCALES:
        files = [HERE / f"{locale}.yml", *sorted(HERE.glob(f"ui_*.{locale}.yml"))]
        sentences[locale] = {}
        for file in files:
            sentences[locale] |= _flatten(read_yaml(file).data)
    return Wording(sentences)


@dataclass(slots=True)
class Browser:
    """One person's browser. ``post`` sends the form secret of the newest page unless told otherwise."""

    client: httpx.AsyncClient
    csrf: str = ""

    async def get(self, path: str, **headers: str) -> httpx.Response:
        response = await self.client.get(path, headers={**HTML, **headers})
        self._read(response)
        return response

    async def post(
        self,
        path: str,
        fields: Mapping[str, str] | None = None,
        *,
        csrf: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        sent = {"csrf": self.csrf if csrf is None else csrf, **(fields or {})}
        response = await self.client.post(
            path, data=sent, headers={**HTML, **(HERE_ORIGIN if headers is None else headers)}
        )
        self._read(response)
        return response

    def _read(self, response: httpx.Response) -> None:
        found = re.search(r'name="csrf" value="([^"]*)"', response.text)
        if found:
            self.csrf = unescape(found[1])

    async def sign_in(self, login: str, password: str = PASSWORD, **more: str) -> httpx.Response:
        await self.get("/console/sign-in")
        return await self.post("/console/sign-in", {"login": login, "password": password, **more})


@dataclass(slots=True)
class Desk:
    house: House
    app: Any
    stack: AsyncExitStack
    people: dict[str, Browser] = field(default_factory=dict)

    async def stranger(self) -> Browser:
        transport = httpx.ASGITransport(self.app, client=("127.0.0.1", 50001))
        client = httpx.AsyncClient(transport=transport, base_url="https://testserver")
        return Browser(await self.stack.enter_async_context(client))

    async def cadre(self, unit: str) -> Browser:
        """A signed-in cadre of this unit."""
        return await self._signed_in(f"cadre.{unit}", unit, Role.CADRE)

    async def admin(self) -> Browser:
        return await self._signed_in("admin", None, Role.ADMIN)

    async def _signed_in(self, login: str, unit: str | None, role: Role) -> Browser:
        if login not in self.people:
            await self.house.add_user(login, unit=unit, role=role)
            browser = await self.stranger()
            response = await browser.sign_in(login)
            assert response.status_code == 303, response.text
            await browser.get("/console/")
            self.people[login] = browser
        return self.people[login]

    async def ticket(self, unit: str = TOWN, text: str = "老板拖欠工资两个月，在小榄一家五金厂", **changes: Any) -> str:
        """A dispatched ticket at this unit; its number. ``changes`` are set on the stored ticket."""
        process = self.house.process
        async with process.database.transaction() as session:
            conversation = await conversations.find_or_open(
                session, channel="rest", account="main", peer=f"peer-{text[:20]}", locale="zh_CN", now=self.now
            )
            form = TicketForm(
                text=text, topic="labor.wage", area="442000", locality="小榄镇", place="小榄镇", is_anonymous=True
            )
            opened = await open_ticket(session, process.services, conversation, form, channel="rest", at=self.now)
            opened.ticket.unit_code = unit
            for name, value in changes.items():
                setattr(opened.ticket, name, value)
            return opened.ticket.number

    async def stored(self, number: str) -> Ticket:
        from storage.tickets import by_number

        async with self.house.process.database.reading() as session:
            ticket = await by_number(session, number)
        assert ticket is not None
        return ticket

    @property
    def now(self) -> datetime:
        return self.house.clock()


@pytest.fixture
async def desk(
    sqlite_url: str, content: Content, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    monkeypatch.setattr(Wording, "load", classmethod(lambda cls, folder=HERE: whole_wording()))
    settings = settings_for(tmp_path / "data", sqlite_url, None)
    async with open_house(settings, content, models=models) as house, AsyncExitStack() as stack:
        app = create_app(house.process)
        # Hundreds of sign-ins from one address are the tests', not an attack.
        yield Desk(house, app, stack)


__all__ = ["CITY", "COOKIE", "OTHER", "SIGN_IN_COOKIE", "TOWN", "Browser", "Desk", "accounts"]
