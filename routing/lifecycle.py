"""What may happen to a ticket next: one table (shared/domain/tickets.md, “State machine”).

Urging, adding text and internal notes change no status and are not in the table. A cadre who answers a ticket that
nobody took does two steps: take, then answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class TicketStatus(StrEnum):
    SUBMITTED = "submitted"
    TRIAGE = "triage"
    DISPATCHED = "dispatched"
    ACCEPTED = "accepted"
    WORKING = "working"
    NEED_INFO = "need_info"
    ANSWERED = "answered"
    CLOSED = "closed"
    MERGED = "merged"
    WITHDRAWN = "withdrawn"
    RETURN_REQUESTED = "return_requested"


class TicketAction(StrEnum):
    DISPATCH = "dispatch"
    TO_TRIAGE = "to_triage"
    TAKE = "take"
    START = "start"
    ASK = "ask"
    SUPPLY = "supply"
    ANSWER = "answer"
    CLOSE = "close"
    SOLVED = "solved"
    NOT_SOLVED = "not_solved"
    REOPEN = "reopen"
    TRANSFER = "transfer"
    CHANGE_UNIT = "change_unit"
    WITHDRAW = "withdraw"
    MERGE = "merge"
    REQUEST_RETURN = "request_return"


class Outcome(StrEnum):
    """How a ticket ended; independent of its status."""

    SOLVED = "solved"
    PARTLY = "partly"
    EXPLAINED = "explained"
    OUT_OF_SCOPE = "out_of_scope"
    DUPLICATE_OF = "duplicate_of"
    WITHDRAWN = "withdrawn"
    NO_CONTACT = "no_contact"


class NotAllowed(Exception):
    """The table has no such step; ``status`` and ``action`` say which."""

    def __init__(self, status: TicketStatus, action: TicketAction) -> None:
        self.status, self.action = status, action
        super().__init__(f"{action} is not allowed while a ticket is {status}")


_S, _A = TicketStatus, TicketAction
_FINAL = frozenset({_S.CLOSED, _S.MERGED, _S.WITHDRAWN})
OPEN: Final = frozenset(TicketStatus) - _FINAL
UNANSWERED: Final = OPEN - {_S.ANSWERED}

TRANSITIONS: Final[Mapping[tuple[TicketStatus, TicketAction], TicketStatus]] = MappingProxyType(
    {
        **{(status, _A.DISPATCH): _S.DISPATCHED for status in (_S.SUBMITTED, _S.TRIAGE, _S.RETURN_REQUESTED)},
        **{(status, _A.TO_TRIAGE): _S.TRIAGE for status in UNANSWERED - {_S.TRIAGE}},
        **{(status, _A.TAKE): _S.ACCEPTED for status in (_S.DISPATCHED, _S.TRIAGE)},
        # Waiting for an answer may also end without one: after seven days the unit goes on with what it has.
        **{(status, _A.START): _S.WORKING for status in (_S.ACCEPTED, _S.NEED_INFO)},
        **{(status, _A.ASK): _S.NEED_INFO for status in (_S.ACCEPTED, _S.WORKING)},
        (_S.NEED_INFO, _A.SUPPLY): _S.WORKING,
        **{(status, _A.ANSWER): _S.ANSWERED for status in (_S.ACCEPTED, _S.WORKING, _S.NEED_INFO)},
        (_S.ANSWERED, _A.CLOSE): _S.CLOSED,
        (_S.ANSWERED, _A.SOLVED): _S.CLOSED,
        (_S.ANSWERED, _A.NOT_SOLVED): _S.WORKING,
        (_S.CLOSED, _A.REOPEN): _S.WORKING,
        **{(status, _A.TRANSFER): _S.DISPATCHED for status in UNANSWERED},
        **{(status, _A.CHANGE_UNIT): _S.DISPATCHED for status in UNANSWERED},
        **{(status, _A.REQUEST_RETURN): _S.RETURN_REQUESTED for status in (_S.DISPATCHED, _S.ACCEPTED)},
        **{(status, _A.WITHDRAW): _S.WITHDRAWN for status in OPEN},
        **{(status, _A.MERGE): _S.MERGED for status in OPEN},
    }
)

# 已接收 → 核实分析 → 协调解决 → 已反馈 → 请评价, as on the 找帮助 page. A merged or withdrawn ticket is at the end
# of the line: its page shows what became of it and asks for no rating.
STEPS: Final[Mapping[TicketStatus, int]] = MappingProxyType(
    {
        _S.SUBMITTED: 1,
        _S.TRIAGE: 2,
        _S.DISPATCHED: 2,
        _S.RETURN_REQUESTED: 2,
        _S.ACCEPTED: 3,
        _S.WORKING: 3,
        _S.NEED_INFO: 3,
        _S.ANSWERED: 4,
        _S.CLOSED: 5,
        _S.MERGED: 5,
        _S.WITHDRAWN: 5,
    }
)


def next_status(status: TicketStatus, action: TicketAction) -> TicketStatus:
    """Raises NotAllowed when the table has no such step."""
    try:
        return TRANSITIONS[status, action]
    except KeyError:
        raise NotAllowed(status, action) from None


def may(status: TicketStatus, action: TicketAction) -> bool:
    return (status, action) in TRANSITIONS


def is_open(status: TicketStatus) -> bool:
    """Still somebody's task; an answered ticket is open until it is closed."""
    return status in OPEN


def step(status: TicketStatus) -> int:
    """The public step, 1 to 5."""
    return STEPS[status]
