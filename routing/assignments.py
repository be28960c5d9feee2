"""What a routing decision is: the unit, the rule, the sentence, and why every other candidate was not taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unit that was considered; ``why`` says in Chinese why it was or was not chosen."""

    unit: str
    name: str
    chosen: bool
    why: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """``unit`` is None exactly when a question comes first: ``ask`` is then "area" or "topic_or_area".

    ``inputs`` is what the decision rested on, without the person's own words, with the values of the sentence's
    placeholders under "values" so that it can be said in another language.
    """

    unit: str | None
    rule: str
    rule_version: int
    reason: str
    ask: str | None
    candidates: tuple[Candidate, ...]
    co_units: tuple[str, ...]
    confidence: float
    inputs: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """For ``python -m bot routing explain --json`` and the stored decision."""
        return {
            "unit": self.unit,
            "rule": self.rule,
            "rule_version": self.rule_version,
            "reason": self.reason,
            "ask": self.ask,
            "co_units": list(self.co_units),
            "confidence": round(self.confidence, 3),
            "inputs": dict(self.inputs),
            "candidates": [
                {"unit": each.unit, "name": each.name, "chosen": each.chosen, "why": each.why}
                for each in self.candidates
            ],
        }


@dataclass(frozen=True, slots=True)
class CrisisDecision:
    """``actions`` are the rule's, as written; ``topic`` is the ticket's to open at once, None for none or "ask"."""

    rule: str
    rule_version: int
    actions: Mapping[str, Any]
    unit: str
    reason: str
    category: str
    severity: str
    topic: str | None
