"""Many at the same moment, on both databases: one winner, no number twice, nobody stuck."""

from __future__ import annotations

import asyncio

from sqlalchemy import func, select

from handlers import cadre
from handlers.access import Responder
from handlers.errors import TicketMovedOn
from storage import tickets
from storage.models import NumberSeries, OutboxMessage
from tests.house import WAGES, XIAOLAN_UNION, House


async def told_that_it_was_taken(house: House, number: str) -> int:
    """How many messages about being taken wait for the requester."""
    async with house.process.database.reading() as session:
        statement = (
            select(func.count()).select_from(OutboxMessage).where(OutboxMessage.text.startswith(f"{number}已由"))
        )
        return (await session.execute(statement)).scalar_one()


async def test_of_twenty_who_take_a_ticket_one_gets_it(house: House) -> None:
    number = await house.chat().open_ticket()
    logins = [f"cadre-{nth}" for nth in range(20)]
    for login in logins:
        await house.add_user(login, unit=XIAOLAN_UNION)
    responders = [await house.signed_in(login) for login in logins]

    async def take(responder: Responder) -> str:
        try:
            async with house.process.database.transaction() as session:
                await cadre.take(session, responder, number, house.process.services)
        except TicketMovedOn as refused:
            return refused.wording_key
        return "won"

    outcomes = await asyncio.gather(*(take(responder) for responder in responders))
    assert outcomes.count("won") == 1
    assert set(outcomes) == {"won", "error.ticket_taken_by"}
    ticket = await house.ticket(number)
    assert ticket.assignee_id == responders[outcomes.index("won")].id
    assert [event.kind for event in await house.events(number)] == ["opened", "routed", "taken"]
    assert await told_that_it_was_taken(house, number) == 1


async def test_a_number_is_given_out_once(house: House) -> None:
    async def draw() -> str:
        async with house.process.database.transaction() as session:
            return await tickets.next_number(session, "GD261124")

    numbers = await asyncio.gather(*(draw() for _ in range(60)))
    assert sorted(numbers) == [f"GD261124{nth:04d}" for nth in range(1, 61)]


async def test_a_number_of_a_failed_opening_is_drawn_again(house: House) -> None:
    database = house.process.database
    for _ in range(3):
        try:
            async with database.transaction() as session:
                await tickets.next_number(session, "GD261124")
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
    async with database.transaction() as session:
        assert await tickets.next_number(session, "GD261124") == "GD2611240001"


async def test_after_nine_thousand_nine_hundred_and_ninety_nine_numbers_grow_longer(house: House) -> None:
    async with house.process.database.transaction() as session:
        session.add(NumberSeries(prefix="GD261124", last=9_999))
    chat = house.chat()
    number = await chat.open_ticket()
    assert number == "GD26112410000"
    assert number in await chat.say(f"查进度 {number}")


async def test_many_people_who_confirm_at_once_get_a_ticket_each(house: House) -> None:
    chats = [house.chat() for _ in range(15)]
    await asyncio.gather(*(chat.say("求助", f"{WAGES}，第{nth}家", "匿名") for nth, chat in enumerate(chats)))
    opened = await asyncio.gather(*(chat.say("确认") for chat in chats))
    numbers = {chat.opened(text) for chat, text in zip(chats, opened, strict=True)}
    assert len(numbers) == 15


async def test_requester_and_cadre_at_the_same_moment_never_wait_for_each_other(house: House) -> None:
    """Both need the conversation and the ticket; taken in different orders, PostgreSQL ends one as a deadlock."""
    chats = [house.chat() for _ in range(6)]
    numbers = [await chat.open_ticket() for chat in chats]
    await house.responder(XIAOLAN_UNION)
    for round_ in range(3):
        await asyncio.gather(
            *(house.act(XIAOLAN_UNION, cadre.note, number, f"备注{round_}") for number in numbers),
            *(chat.say(f"补充 {number}", f"补充{round_}") for chat, number in zip(chats, numbers, strict=True)),
        )
    await asyncio.gather(
        *(house.act(XIAOLAN_UNION, cadre.ask, number, "厂名叫什么？") for number in numbers),
        *(chat.say("催办") for chat in chats),
    )
    for number in numbers:
        kinds = [event.kind for event in await house.events(number)]
        assert kinds.count("noted") == kinds.count("added") == 3
        assert {"asked", "urged"} <= set(kinds)


async def test_an_answer_and_a_withdrawal_at_the_same_moment_leave_one_story(house: House) -> None:
    """Whoever comes second is told, or finds an answered ticket withdrawn: the record tells the same as the status."""
    chats = [house.chat() for _ in range(6)]
    numbers = [await chat.open_ticket() for chat in chats]
    await house.responder(XIAOLAN_UNION)
    for chat in chats:
        await chat.say("撤回")

    async def answer(number: str) -> bool:
        try:
            await house.act(XIAOLAN_UNION, cadre.answer, number, "已联系厂方。")
        except TicketMovedOn:
            return False
        return True

    answered = await asyncio.gather(*(answer(number) for number in numbers), *(chat.say("确认撤回") for chat in chats))
    for number, was_answered in zip(numbers, answered[:6], strict=True):
        assert (await house.ticket(number)).status == "withdrawn"
        assert ("answered" in [event.kind for event in await house.events(number)]) == was_answered
