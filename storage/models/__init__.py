"""All tables."""

from storage.models.base import Base
from storage.models.messages import InboundMessage, OutboxMessage, OutboxStatus
from storage.models.people import Address, Conversation, Person
from storage.models.ratings import AnswerFeedback, Miss, Rating
from storage.models.staff import OrgUnitRow, Role, User, UserSession
from storage.models.tickets import NumberSeries, RoutingDecision, Ticket, TicketEvent, Timer, Visibility

__all__ = [
    "Address",
    "AnswerFeedback",
    "Base",
    "Conversation",
    "InboundMessage",
    "Miss",
    "NumberSeries",
    "OrgUnitRow",
    "OutboxMessage",
    "OutboxStatus",
    "Person",
    "Rating",
    "Role",
    "RoutingDecision",
    "Ticket",
    "TicketEvent",
    "Timer",
    "User",
    "UserSession",
    "Visibility",
]
