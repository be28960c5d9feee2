"""Logs: one event, one line. No message text, no address of a person in clear, no token."""

from __future__ import annotations

import logging
import re
import sys
import time

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What a terminal or a log reader would obey instead of showing: new lines, escape sequences."""


class _OneLine(logging.Formatter):
    def __init__(self) -> None:
        self.converter = time.gmtime
        super().__init__("%(asctime)sZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return _UNPRINTABLE.sub("\ufffd", super().format(record).replace("\n", " | "))


def configure(level: str) -> None:
    """Send everything to standard error; the web server's access log stays off (it would hold tokens in URLs)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("aiosqlite", "alembic", "httpx", "httpcore", "asyncio", "watchfiles"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
