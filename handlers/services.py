"""The collaborators of the whole process, put together once by bot/app.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from config.wording import Wording
from handlers.faq import FaqBook
from nlu.engine import IntentEngine
from nlu.fallback import Thresholds
from nlu.urgency import CrisisLexicon
from routing.areas import PlaceFinder
from routing.org_units import OrgTree
from routing.rules import Router
from routing.topics import TopicTree

LOCAL_TIME = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China has one time zone and no daylight saving time (since 1991)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    wording: Wording
    engine: IntentEngine
    topic_engine: IntentEngine
    thresholds: Thresholds
    lexicon: CrisisLexicon
    faq: FaqBook
    topics: TopicTree
    tree: OrgTree
    places: PlaceFinder
    router: Router
    secret: bytes
    now: Callable[[], datetime]
    traditional: Callable[[str], str]
    """Simplified to Traditional Chinese, for content that is written in Simplified only."""

    def text(self, locale: str, key: str, **values: object) -> str:
        """One sentence; a value may be a function of the locale (a time, a status)."""
        filled = {name: value(locale) if callable(value) else value for name, value in values.items()}
        return self.wording.text(locale, key, **filled)

    def moment(self, at: datetime) -> Callable[[str], str]:
        """A moment to put into a sentence whose language is not known yet."""
        return lambda locale: self.time_text(locale, at)

    def named(self, key: str) -> Callable[[str], str]:
        """A word to put into a sentence whose language is not known yet."""
        return lambda locale: self.text(locale, key)

    def unit_name(self, code: str | None) -> str:
        unit = self.tree.get(code) if code else None
        return unit.name if unit is not None else (code or "")

    def local(self, at: datetime) -> datetime:
        return at.astimezone(LOCAL_TIME)

    def time_text(self, locale: str, at: datetime) -> str:
        """A moment as people say it, in China's time: 11月26日 19:20."""
        local = self.local(at)
        return self.text(locale, "time.moment", month=local.month, day=local.day, clock=local.strftime("%H:%M"))
