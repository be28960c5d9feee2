"""Words that break pages which treat them as anything but words."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.async_api import Page, StorageState

from tests.browser.people import Browsers, Requester, Visits

MARKUP = '<script>ran=1;alert(1)</script><img src=x onerror="ran=1;alert(1)">"><svg onload=ran=1>{{7*7}}'
RIGHT_TO_LEFT = "\u202e倒着写的字"
ENDLESS = "W" * 10_000
"""Nothing in it tells where to break the line."""
NASTY = f"{MARKUP}{RIGHT_TO_LEFT}"

_LOOK = """() => {
    const found = [];
    if (typeof ran !== "undefined") found.push("a script ran");
    for (const one of document.querySelectorAll("*")) {
        for (const attribute of one.attributes) if (/^on/i.test(attribute.name)) found.push(one.outerHTML.slice(0, 80));
    }
    for (const one of document.scripts) {
        const isOurs = one.src.startsWith(`${location.origin}/static/`) || one.type === "application/json";
        if (!isOurs) found.push(one.outerHTML.slice(0, 80));
    }
    for (const one of document.images) if (!one.src.startsWith(`${location.origin}/static/`)) found.push(one.outerHTML);
    return found;
}"""


async def assert_only_text(page: Page, where: str = "") -> None:
    """Nothing that somebody wrote has become part of the page's markup, and nothing ran."""
    found = await page.evaluate(_LOOK)
    assert not found, f"{where or page.url}: {found}"


@dataclass(frozen=True, slots=True)
class NastyTicket:
    number: str
    code: str
    requester: StorageState
    """The cookies of who opened it, for a look at the conversation."""


async def open_nasty_ticket(browsers: Browsers) -> NastyTicket:
    visits = Visits(browsers)
    page = await visits.new()
    somebody = Requester(page)
    await somebody.come()
    story = f"老板拖欠工资三个月 {NASTY} {ENDLESS}"
    number = await somebody.open_ticket(story, f"古镇 {NASTY}", "不匿名", f"微信 {MARKUP}")
    requester = await page.context.storage_state()
    await visits.close()
    assert not visits.troubles, visits.troubles
    return NastyTicket(number, somebody.code, requester)
