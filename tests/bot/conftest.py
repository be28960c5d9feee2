from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app import Content
from bot.delivery import Delivery
from bot.dispatch import Dispatcher
from bot.metrics import Metrics
from storage.live import Hub
from storage.session import Database
from tests.bot.post import KIND, Post, Wire
from tests.house import Clock, settings_for, trained_services


@pytest.fixture
async def post(database_url: str, content: Content, models: Path, tmp_path: Path) -> AsyncIterator[Post]:
    """On both databases: a channel that can write first, and its worker."""
    clock, wire, metrics = Clock(), Wire(), Metrics()
    services = trained_services(settings_for(tmp_path / "data", database_url, None), content, models, clock)
    database = Database(database_url, Hub())
    yield Post(
        database=database,
        dispatcher=Dispatcher(database, services, metrics),
        delivery=Delivery(database, {KIND: wire}, clock, metrics),
        wire=wire,
        clock=clock,
    )
    await database.close()
