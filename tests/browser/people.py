"""The people of the browser tests: visitors with a browser each, somebody at the chat, a cadre at the desk."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Dialog, Error, Locator, Page, expect

PAGE_MILLISECONDS = 15_000
PHONE = {"width": 390, "height": 844}
SCREEN = {"width": 1280, "height": 800}

XIAOLAN = "gd-zs-union-xiaolan"
"""Kept for tests/browser/test_main_job.py: it counts this unit's tickets."""
GUZHEN = "gd-zs-union-guzhen"
TORCH = "gd-zs-union-torch"
WAGES_IN_GUZHEN = "老板拖欠工资三个月，在古镇一家灯饰厂"
"""A whole help request in one sentence: it goes to the union of Guzhen."""

_NUMBER = re.compile(r"[A-Z]{2}\d{10,}")
_CODE = re.compile(r"查询码([2-9A-Z]{8})")

_SEND = """async text => {
    const csrf = document.querySelector("#composer [name=csrf]").value;
    const response = await fetch("/chat/messages", {
        method: "POST",
        headers: {"Content-Type": "application/json", "X-CSRF-Token": csrf},
        body: JSON.stringify({text, client_id: `test-${Math.random()}`}),
    });
    return response.json();
}"""

SignedInAs = Callable[..., Coroutine[Any, Any, Page]]


@dataclass(frozen=True, slots=True)
class Service:
    """The running service: `admin` and every `cadre.<unit code>` of the demo sign in with `password`."""

    base_url: str
    password: str
    pid: int
    log: Path


@dataclass(slots=True)
class Browsers:
    """Chromium's contexts, each what a person calls another browser; lent, since starting one costs much."""

    chromium: Browser
    service: Service
    _free: list[BrowserContext] = field(default_factory=list)

    async def new(self, **options: Any) -> BrowserContext:
        """A screen of 1280 by 800 in Shanghai, unless told otherwise."""
        chosen = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai", "viewport": SCREEN, **options}
        context = await self.chromium.new_context(base_url=self.service.base_url, **chosen)
        context.set_default_timeout(PAGE_MILLISECONDS)
        return context

    async def lend(self) -> BrowserContext:
        """One without cookies, drafts or anything else of an earlier visitor."""
        if self._free:
            return self._free.pop()
        context = await self.new()
        await (await context.new_page()).goto("/static/icon.svg")  # stays open and keeps the process
        return context

    async def take_back(self, context: BrowserContext) -> None:
        """Drafts went with the tabs, which are closed; the rest goes here."""
        await context.unroute_all()
        await context.set_offline(False)
        await context.clear_cookies()
        self._free.append(context)


@dataclass  # no slots: Playwright keeps its wrappers of our handlers on the instance
class Visits:
    """The pages of one test; whatever goes wrong in one of them is collected in ``troubles``."""

    browsers: Browsers
    troubles: list[str] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    _lent: list[BrowserContext] = field(default_factory=list)
    _own: list[BrowserContext] = field(default_factory=list)

    async def new(self, **options: Any) -> Page:
        """A page in a browser that nobody has used; for ``options`` see `Browsers.new`."""
        if options:
            context = await self.browsers.new(**options)
            self._own.append(context)
        else:
            context = await self.browsers.lend()
            self._lent.append(context)
        context.on("page", self._watch)  # a second tab as well
        return await context.new_page()

    async def another(self, context: BrowserContext) -> Page:
        """One more page in a browser that outlives this test."""
        page = await context.new_page()
        self._watch(page)
        return page

    def _watch(self, page: Page) -> None:
        self.pages.append(page)
        page.on("pageerror", self._on_error)
        page.on("console", self._on_console)
        page.on("dialog", self._on_dialog)

    def _on_error(self, error: Error) -> None:
        self.troubles.append(f"script error: {error}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.troubles.append(message.text)

    async def _on_dialog(self, dialog: Dialog) -> None:
        if dialog.type != "beforeunload":  # “leave without sending?” is ours
            self.troubles.append(f"{dialog.type}: {dialog.message}")
        await dialog.accept()

    async def close(self) -> None:
        for context in self._own:
            await context.close()
        for page in self.pages:
            await page.close()
        for context in self._lent:
            context.remove_listener("page", self._watch)
            await self.browsers.take_back(context)


@dataclass(slots=True)
class Cadres:
    """Signs each user in once a run: the service allows ten sign-ins at once and one more every ten seconds.

    Sign out only what you signed in yourself.
    """

    browsers: Browsers
    _contexts: dict[str, BrowserContext] = field(default_factory=dict)

    async def context(self, login: str) -> BrowserContext:
        """The browser in which this user is signed in."""
        if login not in self._contexts:
            context = await self.browsers.new()
            page = await context.new_page()
            await sign_in(page, login, self.browsers.service.password)
            await page.goto("/static/icon.svg")  # stays open and keeps the process
            self._contexts[login] = context
        return self._contexts[login]


async def sign_in(page: Page, login: str, password: str, *, at: str = "/console/") -> None:
    """From any page of the desk through the sign-in form to that page."""
    await page.goto(at)
    await fill_sign_in(page, login, password)
    await expect(page.get_by_role("navigation", name="工作台菜单")).to_be_visible()


async def fill_sign_in(page: Page, login: str, password: str) -> None:
    await page.get_by_label("用户名", exact=True).fill(login)
    await page.get_by_label("密码", exact=True).fill(password)
    await page.get_by_role("button", name="登录", exact=True).click()


@dataclass(slots=True)
class Requester:
    """Somebody at the chat page."""

    page: Page
    number: str = ""
    code: str = ""

    async def come(self) -> None:
        await self.page.goto("/")

    async def say(self, text: str) -> str:
        """Write it and press Enter; what is answered at once, joined by line breaks."""
        await self.box.fill(text)
        async with self.page.expect_response(is_sending) as sent:
            await self.box.press("Enter")
        return await self._answer(await (await sent.value).json())

    async def press(self, title: str) -> str:
        """Press one of the buttons under the conversation; what is answered at once."""
        async with self.page.expect_response(is_sending) as sent:
            await self.choices.get_by_role("button", name=title, exact=True).click()
        return await self._answer(await (await sent.value).json())

    async def _answer(self, body: dict[str, Any]) -> str:
        said = [message for message in body["messages"] if message["side"] != "person"]
        assert said, f"no answer: {body}"
        await expect(self.page.locator(f"#m{said[-1]['id']}")).to_be_attached()
        return "\n".join(message["text"] for message in said)

    @property
    def box(self) -> Locator:
        """Where one writes."""
        return self.page.get_by_label("写给青声的话")

    @property
    def choices(self) -> Locator:
        return self.page.get_by_role("group", name="可以直接选")

    async def offered(self) -> list[str]:
        """The titles of the buttons that can be pressed now."""
        return await self.choices.get_by_role("button").all_inner_texts()

    async def heard(self, side: str = "") -> list[str]:
        """All messages of the page in their order; of one side (bot, person, staff, system) if named."""
        chosen = f".msg-{side}" if side else ".msg"
        return await self.page.locator(f"#log {chosen} .msg-bubble").all_inner_texts()

    async def wait_for(self, text: str, *, side: str) -> None:
        """Until a message with this text arrives by itself."""
        await expect(self.page.locator(f"#log .msg-{side} .msg-bubble", has_text=text).last).to_be_visible()

    async def open_ticket(self, text: str = WAGES_IN_GUZHEN, *answers: str) -> str:
        """Ask for help, answer what is asked (“匿名” unless told otherwise), confirm; the ticket's number.

        The page's own address is spoken to, without typing: many tests begin with a ticket.
        """
        body: dict[str, Any] = {}
        for words in ("求助", text, *(answers or ("匿名",)), "确认"):
            body = await self.page.evaluate(_SEND, words)
        return self.opened(await self._answer(body))

    def opened(self, text: str) -> str:
        """The number of the ticket that this answer says was opened; number and code are remembered."""
        number, code = _NUMBER.search(text), _CODE.search(text)
        assert number is not None, text
        assert code is not None, text
        self.number, self.code = number.group(), code.group(1)
        return self.number


def is_sending(response: Any) -> bool:
    """A response to a message that the chat page sent."""
    return response.request.method == "POST" and response.url.endswith("/chat/messages")


async def stamp(page: Page) -> None:
    """Mark this document, so that `is_same` can tell whether it was loaded again."""
    await page.evaluate("document.body.dataset.marked = 'yes'")


async def is_same(page: Page) -> bool:
    return await page.evaluate("document.body.dataset.marked === 'yes'")


async def open_act(page: Page, act: str) -> Locator:
    """The form of one act on the ticket page (answer, ask, note, transfer, close), unfolded."""
    fold = page.locator(f"#act-{act}")
    if await fold.get_attribute("open") is None:
        await fold.locator("summary").click()
    return fold
