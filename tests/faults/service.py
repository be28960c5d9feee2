"""Starting, killing and talking to `python -m bot serve`, with a ledger kept outside of it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from config.settings import ROOT
from tests.servers import LOOPBACK, free_port, start, stop, wait_until_ready

START_SECONDS = 60
WEBHOOK = "/webhooks/rest/webhook"


class Died(Exception):
    """The service ended before it answered: nothing was acknowledged."""


@dataclass(slots=True)
class Service:
    """One service on one data directory; started as often as a test likes, always on a new port."""

    data_dir: Path
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    starting: threading.Lock = field(default_factory=threading.Lock)

    def start(self, **environment: str) -> None:
        self.port = free_port()
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("QINGSHENG_", "FAILPOINTS"))}
        settings = {"QINGSHENG_DATA_DIR": str(self.data_dir), "QINGSHENG_DEMO_PASSWORD": "a-long-test-password"}
        command = [sys.executable, "-m", "bot", "serve", "--host", LOOPBACK, "--port", str(self.port)]
        self.process = start(command, self.log, cwd=ROOT, env=clean | settings | self.environment | environment)
        try:
            wait_until_ready("the service", self.process, self.log, self._is_up, START_SECONDS)
        except pytest.fail.Exception:
            if self.process.poll() != -signal.SIGKILL:  # a fail point may be hit while starting
                raise

    def start_again(self) -> None:
        """Start it if it is dead; of several who want that, one does."""
        with self.starting:
            if not self.is_running:
                self.start()

    def kill_if_running(self) -> None:
        """Not while somebody is starting it."""
        with self.starting:
            if self.is_running:
                self.kill()

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON (or text), over a connection of its own. Raises Died when it broke."""
        content = None if body is None else json.dumps(body)
        with closing(http.client.HTTPConnection(LOOPBACK, self.port, timeout=20)) as connection:
            try:
                connection.request(method, path, content, {"Content-Type": "application/json"})
                response = connection.getresponse()
                text = response.read().decode()
            except (OSError, http.client.HTTPException) as error:
                raise Died from error
        return response.status, json.loads(text) if text.startswith(("[", "{")) else text

    def _is_up(self) -> bool:
        try:
            return self.request("GET", "/readyz")[0] == http.client.OK
        except Died:
            return False

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """What a power cut leaves of a process."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process, signal.SIGTERM)

    def send(self, sender: str, message: str, message_id: str) -> list[dict[str, Any]]:
        """The replies. Raises Died when the connection broke instead."""
        body = {"sender": sender, "message": message, "metadata": {"message_id": message_id}}
        status, replies = self.request("POST", WEBHOOK, body)
        assert status == http.client.OK, replies
        return list(replies)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What is in the database file now, whether or not the service runs."""
        with closing(sqlite3.connect(self.data_dir / "qingsheng.sqlite3")) as connection:
            return connection.execute(query, values).fetchall()


@dataclass(slots=True)
class Ledger:
    """Everything that was sent and acknowledged, kept where no kill can reach it."""

    service: Service
    acknowledged: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    sent: dict[tuple[str, str], str] = field(default_factory=dict)

    def send(self, sender: str, message: str, message_id: str) -> list[dict[str, Any]]:
        """Send as a platform does: again and again until it is acknowledged, starting what died."""
        key = (sender, message_id)
        self.sent[key] = message
        give_up_at = time.monotonic() + START_SECONDS
        while True:
            self.service.start_again()
            try:
                replies = self.service.send(sender, message, message_id)
            except Died:
                if time.monotonic() > give_up_at:
                    pytest.fail("the service died again and again")
                continue
            assert self.acknowledged.setdefault(key, replies) == replies, "a repeat was answered differently"
            return replies

    def check(self) -> None:
        """Stored is what was acknowledged: every message once, as sent, and every reply that was given."""
        stored = self.service.rows("SELECT key, text FROM inbound_messages")
        assert len(stored) == len({key for key, _ in stored}) == len(self.sent)
        assert sorted(text for _, text in stored) == sorted(self.sent.values())
        given = [reply["text"] for replies in self.acknowledged.values() for reply in replies]
        answers = [
            text for (text,) in self.service.rows("SELECT text FROM outbox_messages WHERE inbound_id IS NOT NULL")
        ]
        assert sorted(answers) == sorted(given)
        for talk, following in self.service.rows("SELECT id, next_seq FROM conversations"):
            numbers = self.service.rows(
                "SELECT seq FROM inbound_messages WHERE conversation_id = ?"
                " UNION ALL SELECT seq FROM outbox_messages WHERE conversation_id = ?",
                talk,
                talk,
            )
            assert sorted(number for (number,) in numbers) == list(range(1, following))

    def check_repeats(self) -> None:
        """Every message once more: the same replies, and nothing happens."""
        before = self.service.rows("SELECT count(*) FROM outbox_messages")
        for (sender, message_id), message in self.sent.items():
            self.send(sender, message, message_id)
        assert self.service.rows("SELECT count(*) FROM outbox_messages") == before


def state_of(service: Service) -> dict[str, Any]:
    """What the only conversation remembers."""
    ((state,),) = service.rows("SELECT state FROM conversations")
    read: dict[str, Any] = json.loads(state)
    return read
