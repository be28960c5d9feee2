"""The table of steps, by example and by random walks."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.lifecycle import (
    STEPS,
    TRANSITIONS,
    NotAllowed,
    TicketAction,
    TicketStatus,
    is_open,
    may,
    next_status,
    step,
)

S, A = TicketStatus, TicketAction
walks = st.lists(st.sampled_from(A), max_size=40)


def walk(actions: list[TicketAction]) -> list[TicketStatus]:
    """The statuses passed through; steps that are not allowed leave the ticket where it is."""
    passed = [S.SUBMITTED]
    for action in actions:
        if may(passed[-1], action):
            passed.append(next_status(passed[-1], action))
    return passed


def test_the_usual_way() -> None:
    actions = [A.DISPATCH, A.TAKE, A.ASK, A.SUPPLY, A.ANSWER, A.NOT_SOLVED, A.ANSWER, A.SOLVED]
    assert walk(actions) == [
        S.SUBMITTED,
        S.DISPATCHED,
        S.ACCEPTED,
        S.NEED_INFO,
        S.WORKING,
        S.ANSWERED,
        S.WORKING,
        S.ANSWERED,
        S.CLOSED,
    ]


@pytest.mark.parametrize("status", [S.DISPATCHED, S.TRIAGE])
def test_a_ticket_is_taken_from_dispatch_or_triage(status: TicketStatus) -> None:
    assert next_status(status, A.TAKE) is S.ACCEPTED


def test_a_direct_answer_is_two_steps() -> None:
    assert not may(S.DISPATCHED, A.ANSWER)
    assert next_status(next_status(S.DISPATCHED, A.TAKE), A.ANSWER) is S.ANSWERED


def test_only_an_answered_ticket_is_closed() -> None:
    sources = {status for (status, _), target in TRANSITIONS.items() if target is S.CLOSED}
    assert sources == {S.ANSWERED}


def test_a_closed_ticket_can_be_reopened_and_nothing_else() -> None:
    assert {action for action in A if may(S.CLOSED, action)} == {A.REOPEN}
    assert next_status(S.CLOSED, A.REOPEN) is S.WORKING


@pytest.mark.parametrize("status", [S.MERGED, S.WITHDRAWN])
def test_merged_and_withdrawn_are_final(status: TicketStatus) -> None:
    assert not any(may(status, action) for action in A)


def test_any_open_ticket_may_be_withdrawn_or_merged() -> None:
    for status in S:
        assert may(status, A.WITHDRAW) == may(status, A.MERGE) == is_open(status)


def test_a_ticket_is_transferred_until_it_is_answered() -> None:
    for status in S:
        assert may(status, A.TRANSFER) == (is_open(status) and status is not S.ANSWERED)


def test_a_return_is_asked_for_before_the_work_begins_and_decided_by_dispatch_or_triage() -> None:
    assert {status for status in S if may(status, A.REQUEST_RETURN)} == {S.DISPATCHED, S.ACCEPTED}
    assert next_status(S.RETURN_REQUESTED, A.DISPATCH) is S.DISPATCHED
    assert next_status(S.RETURN_REQUESTED, A.TO_TRIAGE) is S.TRIAGE


def test_a_refused_step_says_which() -> None:
    with pytest.raises(NotAllowed) as refused:
        next_status(S.CLOSED, A.ANSWER)
    assert (refused.value.status, refused.value.action) == (S.CLOSED, A.ANSWER)


def test_every_status_can_be_reached_and_has_a_public_step() -> None:
    assert set(TRANSITIONS.values()) | {S.SUBMITTED} == set(S)
    assert set(STEPS) == set(S)
    assert [step(status) for status in (S.SUBMITTED, S.DISPATCHED, S.WORKING, S.ANSWERED, S.CLOSED)] == [1, 2, 3, 4, 5]


@given(walks)
def test_no_walk_leaves_the_table(actions: list[TicketAction]) -> None:
    status = S.SUBMITTED
    for action in actions:
        if may(status, action):
            status = next_status(status, action)
            assert isinstance(status, S)
        else:
            with pytest.raises(NotAllowed):
                next_status(status, action)


@given(walks)
def test_closed_is_reached_only_from_answered(actions: list[TicketAction]) -> None:
    passed = walk(actions)
    for before, after in pairwise(passed):
        if after is S.CLOSED:
            assert before is S.ANSWERED


@given(walks)
def test_an_answer_needs_somebody_who_took_the_ticket(actions: list[TicketAction]) -> None:
    passed = walk(actions)
    if S.ANSWERED in passed:
        assert S.ACCEPTED in passed[: passed.index(S.ANSWERED)] or S.CLOSED in passed


@given(walks)
def test_a_walk_that_ended_stays_ended(actions: list[TicketAction]) -> None:
    passed = walk(actions)
    assert all(status not in {S.MERGED, S.WITHDRAWN} for status in passed[:-1])
