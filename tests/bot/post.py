"""A channel that can write first, of which only the wire is a fake; and a worker that delivers through it."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sqlalchemy import select

from bot.channels.base import SendResult, Sent
from bot.delivery import Delivery
from bot.dispatch import Dispatcher
from handlers.inbound import Inbound
from storage import conversations, outbox
from storage.models import OutboxMessage
from storage.outbox import Claim
from storage.session import Database
from tests.house import Clock

KIND = "fake"


@dataclass(slots=True)
class Wire:
    """Stands for a platform: answers each message with the next prepared result, else with Sent."""

    results: deque[SendResult | Exception] = field(default_factory=deque)
    sent: list[Claim] = field(default_factory=list)
    while_sending: Callable[[Claim], Awaitable[None]] | None = None
    kind: str = KIND

    async def send(self, message: Claim) -> SendResult:
        if self.while_sending is not None:
            await self.while_sending(message)
        result = self.results.popleft() if self.results else Sent()
        if isinstance(result, Exception):
            raise result
        self.sent.append(message)
        return result

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.sent]


@dataclass(slots=True)
class Post:
    """Database, dispatcher and delivery without the process around them: nothing runs unless a test says so."""

    database: Database
    dispatcher: Dispatcher
    delivery: Delivery
    wire: Wire
    clock: Clock

    async def hear(self, peer: str, text: str, *, channel: str = KIND) -> list[str]:
        """Somebody writes to us; what is answered in the callback."""
        inbound = Inbound(channel, "main", peer, uuid.uuid4().hex, text, self.clock())
        fed = await self.dispatcher.feed(inbound, gives_waiting=True)
        return [reply.text for reply in fed.replies]

    async def write(self, peer: str, *texts: str, is_essential: bool = True, channel: str = KIND) -> list[int]:
        """Queue messages to somebody, in one transaction; their ids."""
        async with self.database.transaction() as session:
            conversation = await conversations.find_or_open(
                session, channel=channel, account="main", peer=peer, locale="zh_CN", now=self.clock()
            )
            queued = [
                outbox.enqueue(session, conversation, text, now=self.clock(), is_essential=is_essential)
                for text in texts
            ]
        return [message.id for message in queued]

    async def stored(self, message_id: int) -> OutboxMessage:
        async with self.database.reading() as session:
            return (await session.execute(select(OutboxMessage).where(OutboxMessage.id == message_id))).scalar_one()

    async def status(self, message_id: int) -> str:
        return (await self.stored(message_id)).status

    async def drain(self) -> None:
        while await self.delivery.run_once():
            pass

    async def claim(self, *, limit: int = 50) -> list[Claim]:
        """What another worker would take in hand now (and perhaps die with)."""
        async with self.database.transaction() as session:
            return await outbox.claim(session, now=self.clock(), limit=limit)
