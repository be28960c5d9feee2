"""A refused act answers with the ticket's page; for restricted tickets that look was not written down."""

from __future__ import annotations

from storage import tickets
from tests.console.conftest import TOWN, Desk


async def test_the_page_after_a_refused_act_is_a_look_too(desk: Desk) -> None:
    number = await desk.ticket(sensitivity="restricted")
    browser = await desk.cadre(TOWN)
    page = await browser.post(f"/console/tickets/{number}/answer", {"text": " "})
    assert page.status_code == 422
    assert "老板拖欠工资" in page.text
    ticket = await desk.stored(number)
    async with desk.house.process.database.reading() as session:
        kinds = [event.kind for event in await tickets.events(session, ticket.id)]
    assert kinds.count("viewed") == 1
