"""The outbox on its way: claim with a lease, send outside any transaction, settle, retry with back-off."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta

from bot.channels.base import Ambiguous, Channel, Forbidden, RetryAfter, SendResult, Sent, WindowClosed
from bot.metrics import Metrics
from config import failpoints
from storage import outbox
from storage.models import OutboxStatus
from storage.outbox import LEASE, Claim
from storage.session import Database

log = logging.getLogger(__name__)

FIRST_RETRY = timedelta(seconds=1)
LONGEST_RETRY = timedelta(minutes=15)
GIVE_UP_AFTER = 60
"""Attempts: with the back-off above about two days."""


def back_off(attempts: int) -> timedelta:
    """Doubling from one second to fifteen minutes, with up to 20 % of jitter."""
    seconds = min(FIRST_RETRY.total_seconds() * 2 ** min(attempts - 1, 20), LONGEST_RETRY.total_seconds())
    return timedelta(seconds=seconds * (1 + random.random() * 0.2))  # noqa: S311 - spreading load, not a secret


class Delivery:
    def __init__(
        self, database: Database, channels: Mapping[str, Channel], now: Callable[[], datetime], metrics: Metrics
    ) -> None:
        self._database, self._channels, self._now, self._metrics = database, channels, now, metrics

    async def run_once(self) -> int:
        """Send what is due now. Returns how many messages were claimed."""
        async with self._database.reading() as session:
            if not await outbox.has_due(session, now=self._now()):
                return 0
        async with self._database.transaction() as session:
            claims = await outbox.claim(session, now=self._now())
        failpoints.hit("after_claim")
        await asyncio.gather(*(self._deliver(claimed) for claimed in claims))
        return len(claims)

    async def sweep(self) -> int:
        """Free what a dead worker had claimed."""
        async with self._database.transaction() as session:
            return await outbox.sweep(session, now=self._now())

    async def _deliver(self, claimed: Claim) -> None:
        channel = self._channels.get(claimed.channel)
        failpoints.hit("before_send")
        result: SendResult
        if channel is None:
            result = Forbidden("no such channel")
        else:
            async with self._heartbeat(claimed):
                result = await channel.send(claimed)
        failpoints.hit("after_send")
        status, delay, failure = self._verdict(claimed, result)
        async with self._database.transaction() as session:
            now = self._now()
            kept = await outbox.settle(
                session, claimed, status, now=now, next_attempt_at=now + delay if delay else None, failure=failure
            )
        self._metrics.count("deliveries", claimed.channel, status if kept else "lease_lost")
        if status is OutboxStatus.UNDELIVERABLE:
            log.warning("message %s given up: %s", claimed.id, failure)

    def _verdict(self, claimed: Claim, result: SendResult) -> tuple[OutboxStatus, timedelta | None, str | None]:
        match result:
            case Sent():
                return OutboxStatus.SENT, None, None
            case WindowClosed():
                return OutboxStatus.HELD, None, None
            case Forbidden(why=why):
                return OutboxStatus.UNDELIVERABLE, None, why
            case RetryAfter(delay=delay, why=why):
                if claimed.attempts >= GIVE_UP_AFTER:
                    return OutboxStatus.UNDELIVERABLE, None, why
                return OutboxStatus.PENDING, max(delay, back_off(claimed.attempts)), why
            case Ambiguous(why=why):
                # It may have arrived: repeat only what must not get lost.
                if claimed.is_essential and claimed.attempts < GIVE_UP_AFTER:
                    return OutboxStatus.PENDING, back_off(claimed.attempts), why
                return OutboxStatus.UNDELIVERABLE, None, why

    @contextlib.asynccontextmanager
    async def _heartbeat(self, claimed: Claim) -> AsyncIterator[None]:
        async def beat() -> None:
            while True:
                await asyncio.sleep(LEASE.total_seconds() / 3)
                async with self._database.transaction() as session:
                    await outbox.extend_lease(session, claimed, now=self._now())

        beating = asyncio.create_task(beat())
        try:
            yield
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beating
