"""What every engine takes and gives. Two exist: the local one (``nlu.local``) and a Rasa server (``nlu.rasa``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

FALLBACK_INTENT = "nlu_fallback"
"""Rasa's name for "nothing recognised"; heads the ranking when a text has no words at all."""

OUT_OF_SCOPE_INTENT = "out_of_scope"
"""The intent whose examples are about something else entirely."""

MAX_RANKING = 10
"""Rasa's own limit on ``intent_ranking``."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One thing a person said, as they typed it."""

    text: str
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class RankedIntent:
    """An intent by its full name (``faq/league_join_how``) and its probability, 0 to 1."""

    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class FoundEntity:
    """``start`` and ``end`` count characters of the original text; ``value`` is what stands there, tidied."""

    entity: str
    start: int
    end: int
    value: str
    extractor: str


@dataclass(frozen=True, slots=True)
class NluResult:
    """``ranking`` has 1 to 10 intents, most probable first, confidences summing to at most 1."""

    text: str
    ranking: tuple[RankedIntent, ...]
    entities: tuple[FoundEntity, ...] = ()

    @property
    def intent(self) -> RankedIntent:
        """The first of the ranking."""
        return self.ranking[0]


class IntentEngine(Protocol):
    """A reader of utterances. ``parse`` raises nothing for any text."""

    @property
    def model_id(self) -> str:
        """Names the model that answers, for logs and ``GET /status``."""

    async def parse(self, utterance: Utterance) -> NluResult: ...
