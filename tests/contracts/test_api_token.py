"""QINGSHENG_API_TOKEN: with it the REST channel and the NLU endpoints want it; production always does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.app import Content
from tests.contracts.problems import problem
from tests.house import House, open_house, settings_for

TOKEN = "t" * 32
GUARDED: list[tuple[str, str, dict[str, Any] | None]] = [
    ("POST", "/webhooks/rest/webhook", {"sender": "somebody", "message": "谢谢"}),
    ("POST", "/model/parse", {"text": "谢谢"}),
    ("GET", "/status", None),
]
OPEN = ["/version", "/webhooks/rest/", "/healthz", "/readyz", "/"]


@pytest.fixture
async def guarded(sqlite_url: str, content: Content, models: Path, tmp_path: Path) -> AsyncIterator[House]:
    settings = settings_for(tmp_path / "data", sqlite_url, None, api_token=SecretStr(TOKEN))
    async with open_house(settings, content, models=models) as opened:
        yield opened


@pytest.fixture
async def production(sqlite_url: str, content: Content, models: Path, tmp_path: Path) -> AsyncIterator[House]:
    settings = settings_for(tmp_path / "data", sqlite_url, None, environment="production")
    async with open_house(settings, content, models=models) as opened:
        yield opened


@pytest.mark.parametrize(("method", "path", "body"), GUARDED)
async def test_the_token_opens_and_nothing_else_does(
    guarded: House, method: str, path: str, body: dict[str, Any] | None
) -> None:
    client = guarded.client
    for query, headers in (
        ("", {"Authorization": f"Bearer {TOKEN}"}),
        ("", {"Authorization": f"bearer {TOKEN}"}),
        (f"?token={TOKEN}", {}),
    ):
        assert (await client.request(method, path + query, json=body, headers=headers)).status_code == 200
    for query, headers in (
        ("", {}),
        ("?token=", {}),
        (f"?token={TOKEN[:-1]}", {}),
        (f"?token={TOKEN}t", {}),
        ("?token=%F0%9F%98%80%ff", {}),
        ("", {"Authorization": TOKEN}),
        ("", {"Authorization": f"Basic {TOKEN}"}),
        ("", {"Authorization": "Bearer"}),
        ("", {"Authorization": "Bearer wrong"}),
        ("", {"X-CSRF-Token": TOKEN, "Cookie": f"token={TOKEN}"}),
    ):
        refused = await client.request(method, path + query, json=body, headers=headers)
        problem(refused, 401, "error_token_needed")


async def test_who_has_no_token_is_refused_before_the_body_is_read(guarded: House) -> None:
    response = await guarded.client.post("/webhooks/rest/webhook", content=b"{broken")
    problem(response, 401)


@pytest.mark.parametrize("path", OPEN)
async def test_what_people_and_monitors_need_stays_open(guarded: House, path: str) -> None:
    assert (await guarded.client.get(path)).status_code == 200


@pytest.mark.parametrize(("method", "path", "body"), GUARDED)
async def test_without_a_token_development_is_open(
    small_house: House, method: str, path: str, body: dict[str, Any] | None
) -> None:
    assert (await small_house.client.request(method, path, json=body)).status_code == 200


@pytest.mark.parametrize(("method", "path", "body"), GUARDED)
async def test_without_a_token_production_is_closed(
    production: House, method: str, path: str, body: dict[str, Any] | None
) -> None:
    for query, headers in (("", {}), ("?token=", {}), ("", {"Authorization": "Bearer "})):
        refused = await production.client.request(method, path + query, json=body, headers=headers)
        problem(refused, 401, "error_token_needed")


async def test_the_web_chat_works_in_production_without_it(production: House) -> None:
    assert (await production.client.get("/")).status_code == 200
