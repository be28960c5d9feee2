"""What runs beside the requests: deliveries, the sweep of lost leases, the overdue sweep."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.delivery import Delivery
from handlers.services import Services
from handlers.tickets import mark_overdue
from storage.live import Hub
from storage.outbox import DELIVERY_TOPIC
from storage.session import Database
from storage.tickets import overdue_tickets

log = logging.getLogger(__name__)

DELIVERY_LOOK_SECONDS = 5.0
LEASE_SWEEP_SECONDS = 60.0
OVERDUE_SWEEP_SECONDS = 30.0
OVERDUE_BATCH = 100


async def _forever(name: str, job: Callable[[], Awaitable[object]], pause: Callable[[], Awaitable[object]]) -> None:
    """The worker loop: a crash of one round is logged and the next round runs all the same."""
    while True:
        try:
            await job()
        except Exception:
            log.exception("%s failed, trying again", name)
            await asyncio.sleep(1)
        await pause()


async def deliver_forever(delivery: Delivery, hub: Hub) -> None:
    with hub.subscribe(DELIVERY_TOPIC) as bell:

        async def drain() -> None:
            while await delivery.run_once():
                pass

        await _forever("delivery", drain, lambda: bell.wait(DELIVERY_LOOK_SECONDS))


async def sweep_forever(delivery: Delivery) -> None:
    await _forever("lease sweep", delivery.sweep, lambda: asyncio.sleep(LEASE_SWEEP_SECONDS))


async def mark_all_overdue(database: Database, services: Services) -> int:
    """Mark every clock that ran out, to exhaustion; one transaction each. Returns how many were marked here."""
    marked = 0
    while True:
        async with database.reading() as session:
            late = await overdue_tickets(session, now=services.now(), limit=OVERDUE_BATCH)
        for ticket_id in late:
            async with database.transaction() as session:
                marked += await mark_overdue(session, services, ticket_id)
        if len(late) < OVERDUE_BATCH:
            return marked


async def watch_clocks_forever(database: Database, services: Services) -> None:
    async def mark_all() -> None:
        await mark_all_overdue(database, services)

    await _forever("overdue sweep", mark_all, lambda: asyncio.sleep(OVERDUE_SWEEP_SECONDS))
