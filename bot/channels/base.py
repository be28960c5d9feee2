"""What a channel is to the rest of the house: it can be written to, and says what became of that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from storage.outbox import Claim


@dataclass(frozen=True, slots=True)
class Sent:
    """The person can see it."""


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Not now; nothing was sent."""

    delay: timedelta
    why: str


@dataclass(frozen=True, slots=True)
class WindowClosed:
    """This channel may not write first (now): keep the message for the person's next one."""


@dataclass(frozen=True, slots=True)
class Forbidden:
    """It will never work: the address is gone or has blocked us."""

    why: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The request left and no answer came: it may or may not have been sent."""

    why: str


SendResult = Sent | RetryAfter | WindowClosed | Forbidden | Ambiguous


class Channel(Protocol):
    """A way to reach people."""

    @property
    def kind(self) -> str:
        """The name in ``addresses.channel``."""

    async def send(self, message: Claim) -> SendResult:
        """Deliver one message. ``message.id`` is its idempotency key. Never raises for a refusal of the platform."""
