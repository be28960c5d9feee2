"""The composition root: settings in, a running service out. Nothing else builds collaborators."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import opencc
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError

from bot import seed, tasks, web
from bot.channels.rest import RestChannel
from bot.channels.webchat import WebChannel
from bot.delivery import Delivery
from bot.dispatch import Dispatcher
from bot.metrics import Metrics
from bot.running import Running
from config import failpoints
from config.settings import SEED, Settings
from config.wording import Wording
from config.yamlfile import read_yaml
from console.pages import Pages
from console.site import Site
from handlers.faq import PREFIX, FaqBook
from handlers.services import Services
from nlu.fallback import Thresholds
from nlu.formats import Example, TrainingData, read_responses, read_training_files
from nlu.training import train_or_load
from nlu.urgency import CrisisLexicon
from routing.areas import PlaceFinder
from routing.org_units import OrgTree
from routing.rules import Router, RuleBook
from routing.topics import TopicTree
from storage import migrate
from storage.live import Hub
from storage.session import CONNECTION_LOST, Database, NotDurable

log = logging.getLogger(__name__)

RECONNECT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Content:
    """Everything read from one content folder. Reading raises ContentError with file and line."""

    topics: TopicTree
    tree: OrgTree
    rulebook: RuleBook
    lexicon: CrisisLexicon
    intents: TrainingData
    responses: Mapping[str, str]
    faq: FaqBook

    @classmethod
    def read(cls, folder: Path = SEED) -> Content:
        topics = TopicTree.from_document(read_yaml(folder / "topics.yml"))
        tree = OrgTree.from_document(read_yaml(folder / "org_units.yml"))
        responses = read_responses(folder / "responses.yml")
        faq = FaqBook.from_documents(read_yaml(folder / "faq_meta.yml"), responses)
        return cls(
            topics=topics,
            tree=tree,
            rulebook=RuleBook.from_document(read_yaml(folder / "routing_rules.yml"), tree=tree, topics=topics),
            lexicon=CrisisLexicon.from_document(read_yaml(folder / "crisis_lexicon.yml")),
            intents=_with_titles(read_training_files([folder / "nlu.yml"]), faq),
            responses=responses,
            faq=faq,
        )

    def topic_examples(self) -> TrainingData:
        """Help requests by topic; questions count for the topic their entry escalates to."""
        texts = {topic.code: dict.fromkeys(topic.examples) for topic in self.topics.leaves()}
        for entry in self.faq:
            found = self.intents.examples.get(f"{PREFIX}{entry.slug}", ())
            texts[entry.escalate_topic].update(dict.fromkeys(example.text for example in found))
        return TrainingData.from_texts({code: list(found) for code, found in texts.items()})


def _with_titles(data: TrainingData, faq: FaqBook) -> TrainingData:
    """Every entry's title is a way to ask for it, too."""
    examples = dict(data.examples)
    for entry in faq:
        intent = f"{PREFIX}{entry.slug}"
        examples[intent] = (*examples.get(intent, ()), Example(entry.title))
    return TrainingData(examples)


def utc_now() -> datetime:
    return datetime.now(UTC)


@cache
def _converter() -> opencc.OpenCC:
    # Loading its dictionaries takes a tenth of a second; most processes never need them.
    return opencc.OpenCC("s2twp")


def _to_traditional(text: str) -> str:
    converted: str = _converter().convert(text)
    return converted


def build_services(
    settings: Settings, content: Content, *, now: Callable[[], datetime] = utc_now, wording: Wording | None = None
) -> Services:
    """Train or load the models and put the pure parts together."""
    models = settings.data_dir / "models"
    return Services(
        wording=wording or Wording.load(),
        engine=train_or_load(content.intents, models, "intents"),
        topic_engine=train_or_load(content.topic_examples(), models, "topics"),
        thresholds=Thresholds(),
        lexicon=content.lexicon,
        faq=content.faq,
        topics=content.topics,
        tree=content.tree,
        places=PlaceFinder(content.tree),
        router=Router(content.tree, content.topics, content.rulebook),
        secret=settings.secret(),
        now=now,
        traditional=_to_traditional,
    )


@dataclass(slots=True)
class Process:
    """One running process: its parts, and whether it may take requests."""

    settings: Settings
    services: Services
    database: Database
    hub: Hub
    delivery: Delivery
    running: Running
    wants_demo: bool
    is_ready: bool = False
    failure: str = ""
    on_ready: Callable[[seed.Loaded], None] | None = None
    on_failure: Callable[[str], None] | None = None

    async def start(self) -> list[asyncio.Task[None]]:
        """Begin to connect; the returned tasks run until cancelled."""
        self.hub.start()
        return [asyncio.create_task(self._connect_and_work())]

    async def _connect_and_work(self) -> None:
        """A database that is away is waited for; nothing here ends the process."""
        loaded: seed.Loaded | None = None
        while loaded is None:
            try:
                loaded = await self.prepare()
            except (NotDurable, migrate.SchemaTooNew) as error:
                self._say_failure(str(error))
            except (*CONNECTION_LOST, DBAPIError) as error:
                self._say_failure(f"the database cannot be reached ({type(error).__name__}); trying again")
            if loaded is None:
                await asyncio.sleep(RECONNECT_SECONDS)
        self.is_ready = True
        if self.on_ready is not None:
            self.on_ready(loaded)
        async with asyncio.TaskGroup() as group:
            group.create_task(tasks.deliver_forever(self.delivery, self.hub))
            group.create_task(tasks.sweep_forever(self.delivery))
            group.create_task(tasks.watch_clocks_forever(self.database, self.services))

    def _say_failure(self, sentence: str) -> None:
        if sentence != self.failure:
            log.warning("not ready: %s", sentence)
            if self.on_failure is not None:
                self.on_failure(sentence)
        self.failure = sentence

    async def prepare(self) -> seed.Loaded:
        if await migrate.is_outdated(self.database):
            await asyncio.to_thread(migrate.upgrade, self.database.url)
        await self.database.check_durability()
        return await seed.load(self.database, self.services, self.settings, wants_demo=self.wants_demo)

    async def stop(self, started: list[asyncio.Task[None]]) -> None:
        self.is_ready = False
        for task in started:
            task.cancel()
        for task in started:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.hub.stop()
        await self.database.close()


def build_process(
    settings: Settings,
    *,
    wants_demo: bool = False,
    services: Services | None = None,
    content: Content | None = None,
) -> Process:
    """Put a process together; nothing is connected yet. Raises ContentError for faulty content."""
    failpoints.refuse_in_production(settings.environment)
    content = content or Content.read()
    services = services or build_services(settings, content)
    hub = Hub(settings.redis_url)
    database = Database(settings.database(), hub)
    metrics = Metrics()
    channels = {channel.kind: channel for channel in (RestChannel(), WebChannel())}
    return Process(
        settings=settings,
        services=services,
        database=database,
        hub=hub,
        delivery=Delivery(database, channels, services.now, metrics),
        running=Running(
            settings=settings,
            site=Site(
                services=services,
                database=database,
                hub=hub,
                pages=Pages(services.wording),
                must_admins_have_totp=settings.environment == "production",
            ),
            dispatcher=Dispatcher(database, services, metrics),
            metrics=metrics,
            responses=content.responses,
        ),
        wants_demo=wants_demo,
    )


def create_app(process: Process) -> FastAPI:
    """The ASGI application of a process."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        started = await process.start()
        try:
            yield
        finally:
            await process.stop(started)

    return web.build(process.running, lifespan=lifespan, is_ready=lambda: process.is_ready)
