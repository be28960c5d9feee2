"""One real ticket on SQLite, and whatever requester and cadres may do to it in any order.

Nothing fails but with a sentence; the record tells the same as the status; no clock is moved and no breach forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from bot import seed
from bot.app import Content
from bot.dispatch import Dispatcher
from bot.metrics import Metrics
from bot.tasks import mark_all_overdue
from config.settings import Settings
from handlers import accounts, cadre
from handlers.access import Responder, responder_of
from handlers.errors import UserFacingError
from handlers.inbound import Inbound
from handlers.services import Services
from routing.lifecycle import TicketStatus
from storage import tickets
from storage.live import Hub
from storage.models import OrgUnitRow, Role, Ticket, TicketEvent, Timer
from storage.session import Database
from tests.house import WAGES, XIAOLAN_UNION, Clock, settings_for, trained_services
from tests.records import check_records
from tests.servers import settle_sqlite, sqlite_url_of

UNITS = (XIAOLAN_UNION, "gd-zs-union", "gd-zs-12355", "gd-12355", "gd-zs-union-guzhen")
SENDER = "somebody"
HOLDER = "whoever has it"
WHO = st.sampled_from((HOLDER, HOLDER, HOLDER, HOLDER, *UNITS))
SAID = (
    ("补充 {number}", "厂方只发了一半，还欠我六千块"),
    ("厂名是金辉五金，没有签合同",),
    ("催办 {number}",),
    ("撤回 {number}",),
    ("撤回 {number}", "取消"),
    ("撤回 {number}", "确认撤回"),
    ("/withdraw:{number}:yes",),
    ("换部门 {number}", "中山市总工会"),
    ("换部门 {number}", "松苑中学"),
    ("换部门 {number}", "不知道，请分办台判断"),
    ("换部门 {number}", "1"),
    ("评价 {number}", "解决了", "5", "很好"),
    ("解决了", "1", "跳过"),
    ("部分解决", "3", "怎么入团？"),
    ("没解决", "只发了一半"),
    ("/solved:{number}:yes", "/score:{number}:4"),
    ("/solved:{number}:no",),
    ("重开 {number}", "厂方又开始拖了"),
    ("重开 {number}", "跳过"),
    ("查进度 {number}",),
    ("取消",),
    ("求助", "匿名"),
)
TEXTS = st.sampled_from(("已联系厂方。", "厂名叫什么？", "\x00<b>", " ", "x" * 6_000))
OUTCOMES = st.sampled_from((*cadre.CLOSING_OUTCOMES, "withdrawn", "nonsense"))


@dataclass(frozen=True, slots=True)
class Beginning:
    """A database with one open ticket and a cadre in each unit; copied for every run."""

    file: Path
    services: Services
    responders: dict[str, Responder]
    number: str
    at: datetime


async def say(dispatcher: Dispatcher, text: str, at: datetime) -> str:
    inbound = Inbound("rest", "main", SENDER, uuid.uuid4().hex, text, at)
    fed = await dispatcher.feed(inbound, gives_waiting=True)
    return "\n".join(reply.text for reply in fed.replies)


async def begin(file: Path, services: Services, config: Settings, clock: Clock) -> tuple[dict[str, Responder], str]:
    database = Database(sqlite_url_of(file), Hub())
    await seed.load(database, services, config, wants_demo=False)
    responders = {}
    async with database.transaction() as session:
        for unit in UNITS:
            user = await accounts.create_user(
                session,
                services,
                login=f"cadre.{unit}",
                name=unit,
                role=Role.CADRE,
                unit_code=unit,
                password_hash="no sign-in here",
            )
            row = await session.get(OrgUnitRow, unit)
            assert row is not None
            responders[unit] = responder_of(user, row.path)
    dispatcher = Dispatcher(database, services, Metrics())
    for text in ("求助", WAGES, "匿名", "确认"):
        await say(dispatcher, text, clock())
    async with database.reading() as session:
        number = (await session.execute(select(Ticket.number))).scalar_one()
    await database.close()
    settle_sqlite(file)
    return responders, number


@pytest.fixture
def beginning(sqlite_template: Path, content: Content, models: Path, tmp_path: Path) -> Beginning:
    file = tmp_path / "begun.sqlite3"
    shutil.copyfile(sqlite_template, file)
    clock = Clock()
    config = settings_for(tmp_path / "data", sqlite_url_of(file), None)
    services = trained_services(config, content, models, clock)
    responders, number = asyncio.run(begin(file, services, config, clock))
    return Beginning(file, services, responders, number, clock())


class TicketLife(RuleBasedStateMachine):
    """Every rule is one act; each either happens or is refused with a sentence."""

    def __init__(self, beginning: Beginning) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="qingsheng-life-"))
        shutil.copyfile(beginning.file, self.folder / "q.sqlite3")
        self.clock = Clock(beginning.at)
        self.services = replace(beginning.services, now=self.clock)
        self.database = Database(sqlite_url_of(self.folder / "q.sqlite3"), Hub())
        self.dispatcher = Dispatcher(self.database, self.services, Metrics())
        self.responders, self.number = beginning.responders, beginning.number
        self.record: list[tuple[int, str, str]] = []
        self.breaches: dict[int, datetime] = {}
        self.due: dict[int, datetime] = {}

    def teardown(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    def _act(self, unit: str, act: Callable[..., Awaitable[Ticket]], *words: str) -> None:
        async def run() -> None:
            holder = (await self._look())[0].unit_code if unit == HOLDER else unit
            if holder not in self.responders:
                return
            with contextlib.suppress(UserFacingError):
                async with self.database.transaction() as session:
                    await act(session, self.responders[holder], self.number, *words, self.services)

        self.runner.run(run())

    @rule(hours=st.sampled_from((1, 5, 30, 80, 200, 800)))
    def time_passes(self, hours: int) -> None:
        self.clock.forward(hours=hours)
        self.runner.run(mark_all_overdue(self.database, self.services))

    @rule(said=st.sampled_from(SAID))
    def requester_says(self, said: tuple[str, ...]) -> None:
        for text in said:
            heard = self.runner.run(say(self.dispatcher, text.format(number=self.number), self.clock()))
            assert heard
            assert "我这边出了点问题" not in heard, "a crash, apologised for"

    @rule(unit=WHO)
    def take(self, unit: str) -> None:
        self._act(unit, cadre.take)

    @rule(unit=WHO, text=TEXTS)
    def answer(self, unit: str, text: str) -> None:
        self._act(unit, cadre.answer, text)

    @rule(unit=WHO, text=TEXTS)
    def ask(self, unit: str, text: str) -> None:
        self._act(unit, cadre.ask, text)

    @rule(unit=WHO, text=TEXTS)
    def note(self, unit: str, text: str) -> None:
        self._act(unit, cadre.note, text)

    @rule(unit=WHO, to=st.sampled_from((*UNITS, "cn", "nowhere")), text=TEXTS)
    def transfer(self, unit: str, to: str, text: str) -> None:
        self._act(unit, cadre.transfer, to, text)

    @rule(unit=WHO, outcome=OUTCOMES, text=TEXTS)
    def close(self, unit: str, outcome: str, text: str) -> None:
        self._act(unit, cadre.close, outcome, text)

    async def _look(self) -> tuple[Ticket, list[TicketEvent], list[Timer]]:
        async with self.database.reading() as session:
            ticket = await tickets.by_number(session, self.number)
            assert ticket is not None
            return (
                ticket,
                list(await tickets.events(session, ticket.id)),
                list(await tickets.timers(session, ticket.id)),
            )

    @invariant()
    def the_record_tells_the_status(self) -> None:
        self.runner.run(check_records(self.database))

    @invariant()
    def nothing_is_forgotten(self) -> None:
        ticket, events, timers = self.runner.run(self._look())
        record = [(event.seq, event.kind, event.text) for event in events]
        assert record[: len(self.record)] == self.record, "the record is only ever added to"
        self.record = record
        for timer in timers:
            assert timer.due_at == self.due.setdefault(timer.cycle, timer.due_at), "the citizen's clock was moved"
            if timer.cycle in self.breaches:
                assert timer.breached_at == self.breaches[timer.cycle], "a breach vanished"
            elif timer.breached_at is not None:
                self.breaches[timer.cycle] = timer.breached_at
        if ticket.status == TicketStatus.ANSWERED:
            assert ticket.first_reply_at is not None
            assert ticket.answered_at is not None
        if ticket.first_reply_at is not None:
            assert any(event.kind == "answered" for event in events)
        if ticket.status in (TicketStatus.DISPATCHED, TicketStatus.TRIAGE):
            assert ticket.assignee_id is None


def test_whatever_happens_to_a_ticket_its_record_stays_true(beginning: Beginning) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: TicketLife(beginning),
        settings=settings(max_examples=20, stateful_step_count=30, deadline=None),
    )
