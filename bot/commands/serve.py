"""``serve``, ``work`` and ``seed``: running the service."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import IO, Annotated

import typer
import uvicorn
from pydantic import ValidationError

from bot import app as composition
from bot import seed as seeding
from config import logs
from config.settings import Settings
from storage.migrate import SchemaTooNew
from storage.session import CONNECTION_LOST, NotDurable

SHUTDOWN_SECONDS = 4
BACKLOG = 8192
"""Connections that may wait to be accepted: a crowd arrives at once when a message is forwarded."""


class Failed(Exception):
    """One sentence for the operator."""


def read_settings(**overrides: object) -> Settings:
    """Raises Failed naming the first faulty variable."""
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise Failed(f"QINGSHENG_{name}: {first['msg']}") from error


_claimed: list[IO[str]] = []
"""Kept open as long as the process lives: closing the file would give the claim back."""


def _claim_data_dir(settings: Settings) -> None:
    """One serving process per SQLite file. Raises Failed when another one has it."""
    if not settings.database().startswith("sqlite"):
        return
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    claim = (settings.data_dir / "serve.lock").open("a")
    try:
        import fcntl

        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # not on Windows
        return
    except OSError as error:
        claim.close()
        raise Failed(
            f"another Qingsheng already serves the data in {settings.data_dir.resolve()}; "
            "SQLite allows one, PostgreSQL (QINGSHENG_DATABASE_URL) as many as you like"
        ) from error
    _claimed.append(claim)


def _allow_many_connections() -> None:
    """Every open page holds a connection: use as many file descriptors as the system lets us have."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):  # macOS caps it below what it calls the hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def serve(
    demo: Annotated[
        bool, typer.Option("--demo", help="Load the starter content once and create the demo users.")
    ] = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on (default 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default 8000).")] = None,
) -> int:
    """Serve the web chat, the REST channel, the desk and the public pages."""
    settings = read_settings(host=host, port=port)
    logs.configure("WARNING" if demo and settings.log_level == "INFO" else settings.log_level)
    listener = _listen(settings)
    _claim_data_dir(settings)
    _allow_many_connections()
    _say("Reading the content and the language models (the first start trains them, a few seconds)…")
    process = composition.build_process(settings, wants_demo=demo)
    process.on_ready = lambda loaded: _show_start(settings, loaded)
    process.on_failure = lambda sentence: _say(f"Not ready yet: {sentence}")
    server = _Server(
        _uvicorn_config(composition.create_app(process), settings.trusted_proxies), process.hub.close_streams
    )
    server.run(sockets=[listener])
    _say("Stopped.")
    return 0


def _uvicorn_config(app: object, trusted_proxies: str) -> uvicorn.Config:
    """``trusted_proxies``: whose X-Forwarded-For and X-Forwarded-Proto count. Rate limits count callers by the result.

    Given in full, so that the environment variable FORWARDED_ALLOW_IPS decides nothing.
    """
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        loop="auto",
        http="auto",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies,
        backlog=BACKLOG,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        lifespan="on",
        ws="none",
    )


class _Server(uvicorn.Server):
    """Ends open event streams when asked to stop, and does not raise the signal again afterwards."""

    def __init__(self, config: uvicorn.Config, before_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._before_exit = before_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._captured_signals.clear()
        loop = asyncio.get_event_loop_policy().get_event_loop()
        loop.call_soon_threadsafe(self._before_exit)


def _listen(settings: Settings) -> socket.socket:
    """A bound socket. Raises Failed in one sentence when the port is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise Failed(
                f"port {settings.port} is in use by another program; stop it, or choose another: PORT=9000 make run"
            ) from error
        raise Failed(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from error
    listener.set_inheritable(True)
    return listener


def _say(text: str) -> None:
    print(text, flush=True)


def _show_start(settings: Settings, loaded: seeding.Loaded) -> None:
    shown_host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host  # noqa: S104 - compared only
    base = f"http://{f'[{shown_host}]' if ':' in shown_host else shown_host}:{settings.port}"
    lines = [
        "青声 Qingsheng is running",
        "",
        f"  web chat 网页聊天      {base}/",
        f"  desk 工作台            {base}/console/",
        f"  progress page 查进度   {base}/cases/",
        f"  REST channel           {base}/webhooks/rest/webhook",
    ]
    if loaded.demo_users:
        password = loaded.password or "as shown at the first start (reset: python -m bot user password admin)"
        lines += [
            "",
            f"  demo users 演示用户    admin, cadre.<unit code>   ({loaded.demo_users} in all)",
            "                         e.g. cadre.gd-zs-union-xiaolan (小榄镇总工会), cadre.gd-zs-12355 (中山12355)",
            f"  password 密码          {password}",
        ]
    lines += ["", f"  data 数据              {settings.data_dir.resolve()}", "  Stop with Ctrl-C. 按 Ctrl-C 停止。"]
    bar = "─" * 78
    _say("\n".join([bar, *lines, bar]))


def work() -> int:
    """Run deliveries and timers only, beside one or more `serve` processes (PostgreSQL)."""
    settings = read_settings()
    logs.configure(settings.log_level)
    if settings.database().startswith("sqlite"):
        raise Failed(
            "with SQLite the worker runs inside `serve`; a separate one needs QINGSHENG_DATABASE_URL=postgresql://…"
        )
    process = composition.build_process(settings)
    asyncio.run(_work(process))
    return 0


async def _work(process: composition.Process) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    started = await process.start()
    await stopping.wait()
    await process.stop(started)


def seed(
    demo: Annotated[bool, typer.Option("--demo", help="Also create the demo users.")] = False,
) -> int:
    """Migrate the database, load the organisation tree, and stop."""
    settings = read_settings()
    logs.configure(settings.log_level)
    process = composition.build_process(settings, wants_demo=demo)
    loaded = asyncio.run(_prepare_once(process))
    if loaded.demo_users and loaded.password:
        print(f"demo users: {loaded.demo_users}, password: {loaded.password}")
    print("The database is ready.", file=sys.stderr)
    return 0


async def _prepare_once(process: composition.Process) -> seeding.Loaded:
    try:
        return await process.prepare()
    except (NotDurable, SchemaTooNew, *CONNECTION_LOST) as error:
        raise Failed(f"the database is not usable: {error}") from error
    finally:
        await process.database.close()
