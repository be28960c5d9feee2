"""Telling open pages and the delivery worker, here and (through Redis) in other processes, that something changed.

A notice carries only a topic such as ``conversation:17``; whoever hears it reads the truth from SQL. Losing a notice
costs time (listeners also look on their own), never data.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

CHANNEL = "qingsheng:live"
RECONNECT_SECONDS = 2.0


@dataclass(eq=False, slots=True)
class Subscription:
    """A listener's bell: it rings once however many notices arrive before it is heard."""

    topics: frozenset[str]
    heard: set[str] = field(default_factory=set)
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self, topic: str) -> None:
        self.heard.add(topic)
        self.bell.set()

    async def wait(self, seconds: float) -> frozenset[str]:
        """Topics heard, or an empty set after ``seconds``."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.bell.wait(), seconds)
        self.bell.clear()
        heard, self.heard = frozenset(self.heard), set()
        return heard


def _connect(url: str) -> Redis:
    # Imported only where it is used: a quarter of a second of every start.
    from redis.asyncio import Redis

    return Redis.from_url(url)


def _redis_errors() -> tuple[type[Exception], ...]:
    from redis.exceptions import RedisError

    return (RedisError, OSError)


class Hub:
    """Fan-out of notices. Without Redis it reaches this process only."""

    def __init__(self, redis_url: str = "") -> None:
        self._listeners: dict[str, set[Subscription]] = defaultdict(set)
        self._redis: Redis | None = _connect(redis_url) if redis_url else None
        self._relay: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self.closing = asyncio.Event()

    @property
    def spans_processes(self) -> bool:
        return self._redis is not None

    @contextlib.contextmanager
    def subscribe(self, *topics: str) -> Iterator[Subscription]:
        subscription = Subscription(frozenset(topics))
        for topic in topics:
            self._listeners[topic].add(subscription)
        try:
            yield subscription
        finally:
            for topic in subscription.topics:
                self._listeners[topic].discard(subscription)
                if not self._listeners[topic]:
                    del self._listeners[topic]

    def also(self, subscription: Subscription, topic: str) -> None:
        """Let a running subscription hear one more topic."""
        subscription.topics |= {topic}
        self._listeners[topic].add(subscription)

    def publish(self, topics: Iterable[str]) -> None:
        """Ring every listener of these topics here at once, and elsewhere soon."""
        topics = list(topics)
        self._ring(topics)
        if self._redis is not None and topics:
            task = asyncio.create_task(self._send(self._redis, "\n".join(topics)))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    def _ring(self, topics: Iterable[str]) -> None:
        for topic in topics:
            for subscription in tuple(self._listeners.get(topic, ())):
                subscription.ring(topic)

    async def _send(self, redis: Redis, text: str) -> None:
        try:
            await redis.publish(CHANNEL, text)
        except _redis_errors() as error:
            log.warning("live notice not relayed: %s", error)

    def start(self) -> None:
        if self._redis is not None:
            self._relay = asyncio.create_task(self._relay_forever(self._redis))

    async def _relay_forever(self, redis: Redis) -> None:
        while True:
            try:
                async with redis.pubsub() as pubsub:
                    await pubsub.subscribe(CHANNEL)
                    async for message in pubsub.listen():
                        if message["type"] == "message":
                            self._ring(message["data"].decode().split("\n"))
            except _redis_errors() as error:
                log.warning("live updates lost Redis, trying again: %s", error)
            await asyncio.sleep(RECONNECT_SECONDS)

    def close_streams(self) -> None:
        """Let every open stream end, so that the server can stop."""
        self.closing.set()
        for listeners in tuple(self._listeners.values()):
            for subscription in tuple(listeners):
                subscription.bell.set()

    async def stop(self) -> None:
        self.close_streams()
        if self._relay is not None:
            self._relay.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._relay
        if self._sending:
            await asyncio.gather(*self._sending, return_exceptions=True)
        if self._redis is not None:
            await self._redis.aclose()
