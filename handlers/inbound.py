"""A message as the handlers see it: no vendor type, no HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

MAX_TEXT = 100_000
"""Characters of one message that are read; a longer one is refused with a sentence."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message from one person. ``key`` identifies it within (channel, account) for ever."""

    channel: str
    account: str
    peer: str
    key: str
    text: str
    received_at: datetime
    payload: str | None = None
    locale: str | None = None


def clean_text(text: str) -> str:
    """Replace what no database stores: NUL and lone surrogates become U+FFFD. Everything else is kept as sent."""
    if not text.isprintable():
        text = _UNSTORABLE.sub("\ufffd", text)
    return text
