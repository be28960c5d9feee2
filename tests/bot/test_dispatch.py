"""One message that cannot be handled harms nobody else, and is not lost."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from bot.app import Content, create_app
from handlers.services import Services
from nlu.engine import IntentEngine, NluResult, Utterance
from storage.models import InboundMessage, OutboxMessage
from tests.conftest import Backend
from tests.house import WAGES, House, open_house, settings_for
from tests.records import check_records

POISON = "这句话有毒"
APOLOGY = re.compile(r"我这边出了点问题，编号([0-9a-f]{8})。")


@dataclass(frozen=True, slots=True)
class FaultyEngine:
    """The engine of the house, with one bug."""

    engine: IntentEngine
    error: Exception

    @property
    def model_id(self) -> str:
        return self.engine.model_id

    async def parse(self, utterance: Utterance) -> NluResult:
        if POISON in utterance.text:
            raise self.error
        return await self.engine.parse(utterance)


def _with(error: Exception) -> Callable[[Services], Services]:
    def change(services: Services) -> Services:
        return replace(services, engine=FaultyEngine(services.engine, error))

    return change


@pytest.fixture(
    params=[RuntimeError("a bug"), IntegrityError("INSERT", {}, Exception("a constraint"))], ids=["bug", "constraint"]
)
async def faulty(
    request: pytest.FixtureRequest, backend: Backend, content: Content, models: Path, tmp_path: Path
) -> AsyncIterator[House]:
    """The whole service with an engine that fails for one text."""
    settings = settings_for(tmp_path / "data", backend.database_url, backend.redis_url)
    async with open_house(settings, content, models=models, change=_with(request.param)) as opened:
        yield opened
        await check_records(opened.process.database)


async def stored(house: House) -> tuple[list[str], list[str]]:
    """All that was received, and all that was answered."""
    async with house.process.database.reading() as session:
        received = (await session.execute(select(InboundMessage.text).order_by(InboundMessage.id))).scalars().all()
        answered = (await session.execute(select(OutboxMessage.text).order_by(OutboxMessage.id))).scalars().all()
    return list(received), list(answered)


async def test_the_person_gets_an_apology_with_a_reference_that_is_in_the_log(
    faulty: House, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        said = await faulty.chat().say(POISON)
    found = APOLOGY.match(said)
    assert found is not None, said
    assert found.group(1) in caplog.text
    assert POISON not in caplog.text, "a log holds no words of people"


async def test_the_message_is_kept_and_a_repeat_gets_the_same_apology(faulty: House) -> None:
    chat = faulty.chat()
    first = await chat.send(POISON, message_id="m-1")
    assert await chat.send(POISON, message_id="m-1") == first
    received, answered = await stored(faulty)
    assert received == [POISON]
    assert answered == [first[0]["text"]]


async def test_others_at_the_same_moment_are_served(faulty: House) -> None:
    chats = [faulty.chat() for _ in range(10)]
    said = await asyncio.gather(*(chat.say(POISON if nth == 4 else "谢谢") for nth, chat in enumerate(chats)))
    assert [bool(APOLOGY.match(text)) for text in said] == [nth == 4 for nth in range(10)]


async def test_what_was_begun_goes_on_afterwards(faulty: House) -> None:
    chat = faulty.chat()
    await chat.say("求助", WAGES)
    assert APOLOGY.match(await chat.say(f"{POISON}怎么办？"))
    number = chat.opened(await chat.say("匿名", "确认"))
    assert (await faulty.ticket(number)).text == WAGES


async def test_the_failure_is_counted(faulty: House) -> None:
    await faulty.chat().say(POISON)
    metrics = (await faulty.client.get("/metrics")).text
    assert 'qingsheng_messages_total{channel="rest",result="failed"} 1' in metrics


async def test_parsing_the_same_text_is_one_problem_and_no_stack_trace(faulty: House) -> None:
    transport = httpx.ASGITransport(create_app(faulty.process), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
        response = await client.post("/model/parse", json={"text": POISON})
    assert response.status_code in (500, 503)
    assert response.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in response.text
    assert "a bug" not in response.text
