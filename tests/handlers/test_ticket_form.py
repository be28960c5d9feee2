"""The form as a machine: whatever is answered in whatever order, it asks for what is missing and loses nothing."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from handlers.ticket_form import Step, TicketForm, advance, back, next_step, questions_asked

ORDER = list(Step)
WORDS = st.text(min_size=1, max_size=12)
ANSWERS = {
    Step.TEXT: ("text", "has_masked"),
    Step.TOPIC: ("topic", "is_topic_settled"),
    Step.PLACE: ("place", "area", "locality", "organisation", "member_unit", "is_place_settled"),
    Step.ANONYMOUS: ("is_anonymous",),
    Step.CONTACT: ("contact", "is_contact_settled"),
    Step.CONFIRM: (),
}


def answers_of(form: TicketForm, step: Step) -> tuple[object, ...]:
    return tuple(getattr(form, name) for name in ANSWERS[step])


def is_complete(form: TicketForm) -> bool:
    """Said without next_step: everything a ticket needs was told."""
    contact = form.is_anonymous is True or (form.is_anonymous is False and form.is_contact_settled)
    return bool(form.text) and form.is_topic_settled and form.is_place_settled and contact


class FormMachine(RuleBasedStateMachine):
    """Somebody fills in the form: answers what is asked, tells more than was asked, goes back."""

    def __init__(self) -> None:
        super().__init__()
        self.form = TicketForm()

    @initialize(topic=st.none() | WORDS, is_fixed=st.booleans())
    def begin(self, topic: str | None, is_fixed: bool) -> None:
        self.form = advance(TicketForm(topic=topic, is_topic_fixed=is_fixed and topic is not None))

    def _answer(self, **values: object) -> None:
        before = self.form
        self.form = advance(replace(self.form, **values))  # type: ignore[arg-type]
        assert ORDER.index(self.form.step) >= ORDER.index(before.step)

    @precondition(lambda self: self.form.step is Step.TEXT)
    @rule(text=WORDS, topic=st.none() | WORDS, place=st.none() | WORDS)
    def tell(self, text: str, topic: str | None, place: str | None) -> None:
        """A description that may name topic and place, too."""
        values: dict[str, object] = {"text": text}
        if self.form.is_topic_fixed:
            values |= {"is_topic_settled": True}
        elif topic is not None:
            values |= {"topic": topic, "is_topic_settled": True}
        if place is not None:
            values |= {"place": place, "is_place_settled": True}
        self._answer(**values)

    @precondition(lambda self: self.form.step is Step.TOPIC)
    @rule(topic=WORDS)
    def choose_topic(self, topic: str) -> None:
        self._answer(topic=topic, is_topic_settled=True)

    @precondition(lambda self: self.form.step is Step.PLACE)
    @rule(place=st.none() | WORDS)
    def name_place(self, place: str | None) -> None:
        self._answer(place=place, is_place_settled=True)

    @precondition(lambda self: self.form.step is Step.ANONYMOUS)
    @rule(is_anonymous=st.booleans())
    def choose_anonymity(self, is_anonymous: bool) -> None:
        self._answer(is_anonymous=is_anonymous)

    @precondition(lambda self: self.form.step is Step.CONTACT)
    @rule(contact=st.none() | WORDS)
    def leave_contact(self, contact: str | None) -> None:
        self._answer(contact=contact, is_contact_settled=True)

    @precondition(lambda self: self.form.text)
    @rule(more=WORDS)
    def tell_more(self, more: str) -> None:
        """Details at any later question: the form stays where it is."""
        step = self.form.step
        self.form = replace(self.form, text=f"{self.form.text}\n{more}")
        assert advance(self.form).step is step

    @rule()
    def store_and_read(self) -> None:
        read = TicketForm.from_json(json.loads(json.dumps(self.form.to_json())))
        assert read == self.form
        self.form = read

    @rule()
    def go_back(self) -> None:
        before = self.form
        self.form = back(before)
        if len(before.asked) < 2:
            assert self.form == before, "there is nothing before the first question"
            return
        assert self.form.step is before.asked[-2]
        assert self.form.asked == before.asked[:-1]
        assert next_step(self.form) is self.form.step, "its question is open again"
        for step in ORDER[: ORDER.index(self.form.step)]:
            assert answers_of(self.form, step) == answers_of(before, step), f"{step} was lost"

    @invariant()
    def the_question_is_the_first_that_is_missing(self) -> None:
        assert self.form.step is next_step(self.form)

    @invariant()
    def it_can_be_sent_exactly_when_nothing_is_missing(self) -> None:
        assert (self.form.step is Step.CONFIRM) == is_complete(self.form)

    @invariant()
    def the_trail_is_short_and_in_order(self) -> None:
        places = [ORDER.index(step) for step in self.form.asked]
        assert places == sorted(set(places))
        assert len(places) <= len(ORDER)
        if self.form.asked:
            assert self.form.asked[-1] is self.form.step

    @invariant()
    def who_is_anonymous_leaves_no_contact(self) -> None:
        if self.form.is_anonymous is not False:
            assert self.form.contact is None


FormMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
test_the_form_keeps_its_promises = FormMachine.TestCase


def told(**values: object) -> TicketForm:
    """A form at the anonymity question, of which everything was told in one sentence."""
    form = TicketForm(
        text="老板拖欠工资，在小榄",
        topic="labor.wages",
        is_topic_settled=True,
        margin=0.4,
        topic_choices=("labor.wages",),
        area="442000",
        locality="小榄镇",
        place="中山市小榄镇",
        organisation="五金厂",
        member_unit="some-unit",
        is_place_settled=True,
    )
    asked = advance(TicketForm())
    return advance(replace(form, asked=asked.asked, **values))  # type: ignore[arg-type]


def test_who_tells_it_anew_tells_a_new_topic_and_a_new_place() -> None:
    form = back(told())
    assert form == TicketForm(step=Step.TEXT, asked=(Step.TEXT,))


def test_a_topic_that_the_kind_of_request_decides_survives_going_back() -> None:
    form = back(told(topic="activity.fake", is_topic_fixed=True))
    assert (form.topic, form.is_topic_settled, form.place) == ("activity.fake", True, None)


def test_choosing_the_topic_again_keeps_the_choices() -> None:
    form = advance(TicketForm(text="有点事", topic="a", topic_choices=("a", "b")))
    form = advance(replace(form, topic="b", is_topic_settled=True))
    assert back(form).topic_choices == ("a", "b")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_only_questions_that_help_to_route_are_counted(count: int) -> None:
    asked = (Step.TEXT, *(Step.TOPIC, Step.PLACE)[:count], Step.ANONYMOUS, Step.CONFIRM)
    assert questions_asked(TicketForm(asked=asked)) == count


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=3,
)


@given(
    extra=st.dictionaries(
        st.text(max_size=12).filter(lambda key: key not in {f.name for f in fields(TicketForm)}), _JSON
    )
)
def test_a_form_of_another_version_is_read_without_what_is_unknown(extra: dict[str, object]) -> None:
    form = told()
    assert TicketForm.from_json({**json.loads(json.dumps(form.to_json())), **extra}) == form


def test_a_form_of_an_earlier_version_is_read_with_what_is_missing() -> None:
    assert TicketForm.from_json({"text": "有点事"}) == TicketForm(text="有点事")
