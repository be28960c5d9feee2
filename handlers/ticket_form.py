"""The form behind a help request: which question comes next, how to go back. Pure: no wording, no database.

Steps: what happened → (which topic, if unclear) → where, at which school or employer → anonymous? → contact? → confirm.
Only what is missing is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any


class Step(StrEnum):
    TEXT = "text"
    TOPIC = "topic"
    PLACE = "place"
    ANONYMOUS = "anonymous"
    CONTACT = "contact"
    CONFIRM = "confirm"


@dataclass(frozen=True, slots=True)
class TicketForm:
    """What has been told so far. ``asked`` is the trail of questions, so that "back" returns along it."""

    step: Step = Step.TEXT
    asked: tuple[Step, ...] = ()
    text: str = ""
    topic: str | None = None
    is_topic_fixed: bool = False
    """The kind of request itself decides the topic (a complaint about the service, a fake activity)."""
    topic_choices: tuple[str, ...] = ()
    is_topic_settled: bool = False
    margin: float = 1.0
    area: str | None = None
    locality: str | None = None
    place: str | None = None
    organisation: str | None = None
    member_unit: str | None = None
    is_place_settled: bool = False
    was_place_unknown: bool = False
    """The first answer to "where?" named no place that we know; the second is taken as it is."""
    unit_choice: str | None = None
    is_anonymous: bool | None = None
    contact: str | None = None
    is_contact_settled: bool = False
    has_masked: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TicketForm:
        """Read a stored form; unknown keys of another version are dropped."""
        known = {field.name for field in fields(cls)}
        values = {key: value for key, value in data.items() if key in known}
        values["step"] = Step(values.get("step", Step.TEXT))
        values["asked"] = tuple(Step(step) for step in values.get("asked", ()))
        values["topic_choices"] = tuple(values.get("topic_choices", ()))
        return cls(**values)


def next_step(form: TicketForm) -> Step:
    """The first question whose answer is missing; CONFIRM when none is."""
    if not form.text:
        return Step.TEXT
    if not form.is_topic_settled:
        return Step.TOPIC
    if not form.is_place_settled:
        return Step.PLACE
    if form.is_anonymous is None:
        return Step.ANONYMOUS
    if not form.is_anonymous and not form.is_contact_settled:
        return Step.CONTACT
    return Step.CONFIRM


def advance(form: TicketForm) -> TicketForm:
    """Move to the next missing question and remember that it is asked."""
    step = next_step(form)
    asked = form.asked if form.asked and form.asked[-1] is step else (*form.asked, step)
    return replace(form, step=step, asked=asked)


_NO_TOPIC: Mapping[str, Any] = {"topic": None, "is_topic_settled": False, "topic_choices": (), "margin": 1.0}
_NO_PLACE: Mapping[str, Any] = {
    "was_place_unknown": False,
    "is_place_settled": False,
    "area": None,
    "locality": None,
    "place": None,
    "organisation": None,
    "member_unit": None,
}
_EMPTY: Mapping[Step, Mapping[str, Any]] = {
    # Who tells it anew tells a new topic and a new place, too.
    Step.TEXT: {"text": "", "has_masked": False, **_NO_TOPIC, **_NO_PLACE},
    Step.TOPIC: {"is_topic_settled": False},
    Step.PLACE: _NO_PLACE,
    Step.ANONYMOUS: {"is_anonymous": None, "contact": None, "is_contact_settled": False},
    Step.CONTACT: {"contact": None, "is_contact_settled": False},
    Step.CONFIRM: {},
}


def back(form: TicketForm) -> TicketForm:
    """Return to the question before the present one, its answer forgotten; the first question stays where it is."""
    if len(form.asked) < 2:
        return form
    previous = form.asked[-2]
    values = dict(_EMPTY[form.step]) | dict(_EMPTY[previous])
    if previous is Step.TEXT and form.is_topic_fixed:
        values |= {"topic": form.topic, "is_topic_settled": form.is_topic_settled}
    return replace(form, step=previous, asked=form.asked[:-1], **values)


def questions_asked(form: TicketForm) -> int:
    """How many of the routing questions (topic, place) were put to the person."""
    return sum(step in (Step.TOPIC, Step.PLACE) for step in set(form.asked))
