"""Throw-away servers for the suite: PostgreSQL and Redis on free loopback ports, each in a directory of its own.

Nothing that is installed or running on the machine is used or disturbed: every server is started here, is reached by
the port chosen here and is stopped by its own process id.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import asyncpg
import pytest

T = TypeVar("T")

LOOPBACK = "127.0.0.1"
START_SECONDS = 60
STOP_SECONDS = 20
LOG_LINES = 40


def unavailable(reason: str) -> NoReturn:
    """Skip with the reason; in CI, where everything is installed, fail with it."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"{reason} (CI is set, so this is a failure and not a skip)", pytrace=False)
    pytest.skip(reason)


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def in_own_thread(work: Callable[[], T]) -> T:
    """Run blocking work to its end in a thread that has no event loop, whether or not one runs in this thread."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(work).result()


def start(command: Sequence[str], log: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start a process that writes to ``log`` and does not receive the terminal's Ctrl-C: its fixture stops it."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, process_group=0, **options
        )


def stop(process: subprocess.Popen[bytes], sign: signal.Signals = signal.SIGTERM) -> None:
    """End one process by its id: politely, then not."""
    if process.poll() is None:
        process.send_signal(sign)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until_ready(
    name: str, process: subprocess.Popen[bytes], log: Path, is_ready: Callable[[], bool], seconds: float = START_SECONDS
) -> None:
    """Poll until ``is_ready``; a process that ended or took too long fails the test with the end of its log."""
    give_up_at = time.monotonic() + seconds
    while not is_ready():
        if process.poll() is not None:
            problem = f"{name} ended with code {process.returncode} instead of starting"
        elif time.monotonic() > give_up_at:
            problem = f"{name} was not ready after {seconds:.0f} seconds"
        else:
            time.sleep(0.05)
            continue
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
        pytest.fail(f"{problem}. The end of its log:\n{tail}", pytrace=False)


@contextlib.contextmanager
def own_directory(name: str) -> Iterator[Path]:
    """A new directory that a server's own user can be given: only we may enter the one above pytest's tmp_path."""
    directory = Path(tempfile.mkdtemp(prefix=f"qingsheng-{name}-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────────────────────────


def postgres_binaries() -> Path | None:
    """The directory with initdb and postgres: the newest that a package installed, else the one on PATH."""
    packaged = {
        int(initdb.parts[-3]): initdb.parent
        for initdb in Path("/usr/lib/postgresql").glob("*/bin/initdb")
        if initdb.parts[-3].isdigit() and (initdb.parent / "postgres").exists()
    }
    if packaged:
        return packaged[max(packaged)]
    on_path = shutil.which("initdb")
    if on_path and (Path(on_path).resolve().parent / "postgres").exists():
        return Path(on_path).resolve().parent
    return None


def _server_user() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as when we are root, which it refuses; None when we are not."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    unavailable("PostgreSQL does not run as root, and there is neither a user 'postgres' nor 'nobody' to run it as.")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running PostgreSQL with trust authentication on loopback."""

    port: int

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://postgres@{LOOPBACK}:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run one statement outside a transaction, in the maintenance database."""

        async def run() -> None:
            connection = await asyncpg.connect(host=LOOPBACK, port=self.port, user="postgres", database="postgres")
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        in_own_thread(lambda: asyncio.run(run()))

    def is_ready(self) -> bool:
        try:
            self.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    def create(self, database: str, *, template: str = "template0") -> None:
        """Copy ``template``; waits a moment for its last connection to be gone."""
        for attempt in range(50):
            try:
                return self.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
            except asyncpg.ObjectInUseError:
                if attempt == 49:
                    raise
                time.sleep(0.1)

    def drop(self, database: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start PostgreSQL as installed, with its default settings: durable as in production, since the product insists."""
    binaries = postgres_binaries()
    if binaries is None:
        unavailable("PostgreSQL is not installed: neither /usr/lib/postgresql/*/bin/initdb nor initdb on PATH.")
    user = _server_user()
    with own_directory("postgres") as directory:
        identity: dict[str, Any] = {}
        if user is not None:
            os.chown(directory, user.pw_uid, user.pw_gid)
            identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        options: dict[str, Any] = {
            "cwd": directory,
            "env": {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
        } | identity
        data, log = directory / "data", directory / "server.log"
        made = subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            capture_output=True,
            text=True,
            check=False,
            **options,
        )
        if made.returncode != 0:
            pytest.fail(f"initdb failed:\n{made.stdout}{made.stderr}", pytrace=False)
        server = PostgresServer(free_port())
        place = ["-h", LOOPBACK, "-p", str(server.port), "-k", str(directory)]
        process = start([str(binaries / "postgres"), "-D", str(data), *place], log, **options)
        try:
            wait_until_ready("PostgreSQL", process, log, server.is_ready)
            yield server
        finally:
            stop(process, signal.SIGINT)  # PostgreSQL's "fast" shutdown: does not wait for forgotten connections


# ── Redis ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A running Redis on loopback."""

    port: int

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def _says(self, command: bytes, answer: bytes) -> bool:
        with socket.create_connection((LOOPBACK, self.port), timeout=5) as connection:
            connection.sendall(command + b"\r\n")
            return connection.recv(64).startswith(answer)

    def is_ready(self) -> bool:
        try:
            return self._says(b"PING", b"+PONG")
        except OSError:
            return False

    def empty(self) -> None:
        if not self._says(b"FLUSHALL", b"+OK"):
            raise RuntimeError("Redis could not be emptied")


@contextlib.contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Start Redis without persistence."""
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    if binary is None:
        unavailable("Redis is not installed: there is no redis-server on PATH.")
    with own_directory("redis") as directory:
        server, log = RedisServer(free_port()), directory / "server.log"
        place = ["--bind", LOOPBACK, "--port", str(server.port), "--dir", str(directory)]
        process = start([binary, *place, "--save", "", "--appendonly", "no"], log)
        try:
            wait_until_ready("Redis", process, log, server.is_ready)
            yield server
        finally:
            stop(process)


# ── SQLite ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def sqlite_url_of(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def settle_sqlite(path: Path) -> None:
    """Move what is still in the write-ahead log into the file, so that the file alone can be copied."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
