"""A real Chromium and the real service, started as a person starts it: `python -m bot serve --demo`.

Playwright's asynchronous API, in one event loop for the session: its synchronous one keeps a loop running in the main
thread for as long as the browser lives, and every asynchronous test that follows fails.
"""

from __future__ import annotations

import http.client
import os
import re
import secrets
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Error, Page, async_playwright

from tests.browser.nasty import NastyTicket, open_nasty_ticket
from tests.browser.people import Browsers, Cadres, Requester, Service, SignedInAs, Visits
from tests.servers import LOOPBACK, free_port, start, stop, unavailable, wait_until_ready

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FAILURES = HERE / "failures"

SERVICE_START_SECONDS = 120  # the first start makes the database, loads the content and trains the engine
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # containers run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--process-per-site",  # tabs of one browser share a process: starting one costs more than most tests
]
_REPORT = pytest.StashKey[pytest.TestReport]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every asynchronous test here runs in the loop that the browser lives in."""
    for item in items:
        if item.path.is_relative_to(HERE) and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.when == "call":
        item.stash[_REPORT] = report
    return report  # type: ignore[return-value]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """`python -m bot serve --demo` on a free port with a data directory of its own, once a session."""
    directory = tmp_path_factory.mktemp("service")
    port, password, log = free_port(), secrets.token_urlsafe(16), directory / "service.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QINGSHENG_")}
    environment |= {"QINGSHENG_DATA_DIR": str(directory / "var"), "QINGSHENG_DEMO_PASSWORD": password}
    command = [sys.executable, "-m", "bot", "serve", "--demo", "--host", LOOPBACK, "--port", str(port)]
    process = start(command, log, cwd=ROOT, env=environment)

    def is_ready() -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)  # no proxy, whatever the environment says
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    try:
        wait_until_ready("The service", process, log, is_ready, SERVICE_START_SECONDS)
        yield Service(f"http://{LOOPBACK}:{port}", password, process.pid, log)
    finally:
        stop(process, signal.SIGTERM)


def _chromium() -> str:
    for name in ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    unavailable("Chromium is not installed: neither chromium, chromium-browser nor google-chrome is on PATH.")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium, headless, once a session."""
    executable = _chromium()
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browsers(browser: Browser, service: Service) -> Browsers:
    """Browsers of visitors and cadres, all closed with Chromium itself."""
    return Browsers(browser, service)


@pytest_asyncio.fixture(loop_scope="session")
async def visits(browsers: Browsers, request: pytest.FixtureRequest) -> AsyncIterator[Visits]:
    """Visitors of this test: `await visits.new()` is a browser of its own.

    A script error, a dialog or a breach of the content security policy on any page fails the test; a failed test
    leaves pictures in tests/browser/failures/.
    """
    opened = Visits(browsers)
    yield opened
    report = request.node.stash.get(_REPORT, None)
    if report is not None and report.failed:
        FAILURES.mkdir(exist_ok=True)
        name = re.sub(r"[^\w.-]+", "_", request.node.name)
        for number, visited in enumerate(opened.pages, start=1):
            try:
                await visited.screenshot(path=FAILURES / f"{name}.{number}.png", full_page=True)
            except Error as error:  # the browser may be what failed
                request.node.add_report_section("teardown", "screenshot", str(error))
    await opened.close()
    assert not opened.troubles, "trouble on the pages: " + "; ".join(opened.troubles)


@pytest_asyncio.fixture(loop_scope="session")
async def page(visits: Visits) -> Page:
    """A page of a new visitor at the service: `await page.goto("/")`."""
    return await visits.new()


@pytest_asyncio.fixture(loop_scope="session")
async def somebody(page: Page) -> Requester:
    """Somebody who has just opened the chat."""
    requester = Requester(page)
    await requester.come()
    return requester


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cadres(browsers: Browsers) -> Cadres:
    """The demo users' sessions of this run."""
    return Cadres(browsers)


@pytest_asyncio.fixture(loop_scope="session")
async def desk(visits: Visits, cadres: Cadres) -> SignedInAs:
    """`await desk("admin")`, `await desk(f"cadre.{GUZHEN}")`: a page of the browser in which this user is signed in."""

    async def signed_in(login: str, **options: Any) -> Page:
        context = await cadres.context(login)
        await context.clear_cookies(name="qs_locale")  # the language that an earlier test chose
        if not options:
            return await visits.another(context)
        return await visits.new(storage_state=await context.storage_state(), **options)

    return signed_in


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def nasty_ticket(browsers: Browsers) -> NastyTicket:
    """A ticket of Guzhen whose every field holds markup and endless words; opened once a run."""
    return await open_nasty_ticket(browsers)
