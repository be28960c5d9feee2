"""The ``when`` of a rule: predicates under all / any / not (kb/README.md 路由谓词; reference: match(), kb/check.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from config.yamlfile import Document
from routing import fields
from routing.org_units import KINDS, OrgTree, area_prefix
from routing.requests import RoutingRequest
from routing.topics import TopicTree, is_under

SEVERITIES: Mapping[str, int] = {"watch": 1, "high": 2, "critical": 3}
_MEMBERSHIPS = frozenset({"league_member", "union_member", "none", "unknown"})
_AGES = frozenset({"minor", "adult", "unknown"})
_WORDS_LISTS = frozenset("topic area member_org_kind membership urgency sensitivity age words channel crisis".split())
_BOOLEANS = frozenset({"always", "area_known", "target_is_member_org", "organizer_known", "user_choice"})
_NUMBERS = frozenset({"margin_below", "returned_times_gte"})
PREDICATES = _WORDS_LISTS | _BOOLEANS | _NUMBERS | {"severity_at_least"}


@dataclass(frozen=True, slots=True)
class Test:
    """One predicate with its argument: a tuple of words, a boolean, a number or a severity."""

    predicate: str
    value: tuple[str, ...] | bool | float | str


@dataclass(frozen=True, slots=True)
class Group:
    """all / any of the parts; "not" has exactly one part."""

    how: str
    parts: tuple[Condition, ...]


Condition = Test | Group


def walk(condition: Condition) -> Iterator[Test]:
    """Every predicate in the condition."""
    if isinstance(condition, Test):
        yield condition
    else:
        for part in condition.parts:
            yield from walk(part)


def crisis_categories(condition: Condition) -> frozenset[str]:
    """The crisis categories a rule is about; severity_at_least looks at these only."""
    tests = [test.value for test in walk(condition) if test.predicate == "crisis"]
    return frozenset(name for value in tests if isinstance(value, tuple) for name in value)


def holds(condition: Condition, request: RoutingRequest, *, tree: OrgTree, scope: frozenset[str] = frozenset()) -> bool:
    """Does the request satisfy the condition? ``scope``: crisis categories that severity_at_least looks at."""
    if isinstance(condition, Test):
        return _test(condition, request, tree=tree, scope=scope)
    if condition.how == "all":
        return all(holds(part, request, tree=tree, scope=scope) for part in condition.parts)
    if condition.how == "any":
        return any(holds(part, request, tree=tree, scope=scope) for part in condition.parts)
    return not holds(condition.parts[0], request, tree=tree, scope=scope)


def _test(test: Test, request: RoutingRequest, *, tree: OrgTree, scope: frozenset[str]) -> bool:
    match test.value:
        case bool(value):
            return _flag(test.predicate, request) == value
        case tuple(words):
            return _words(test.predicate, words, request, tree=tree)
        case str(severity):
            found = [SEVERITIES.get(level, 0) for name, level in request.crisis.items() if not scope or name in scope]
            return max(found, default=0) >= SEVERITIES[severity]
        case number:
            return request.margin < number if test.predicate == "margin_below" else request.returned_times >= number


def _flag(predicate: str, request: RoutingRequest) -> bool:
    match predicate:
        case "area_known":
            return bool(request.area)
        case "target_is_member_org":
            return request.target_is_member_org
        case "organizer_known":
            return bool(request.organizer)
        case "user_choice":
            return bool(request.user_choice)
        case _:  # always
            return True


def _words(predicate: str, words: tuple[str, ...], request: RoutingRequest, *, tree: OrgTree) -> bool:
    match predicate:
        case "topic":
            return is_under(request.topic, words)
        case "area":
            return bool(request.area) and any(str(request.area).startswith(area_prefix(code)) for code in words)
        case "member_org_kind":
            member = tree.get(request.member_org)
            return member is not None and member.kind in words
        case "words":
            return any(word in request.text for word in words)
        case "crisis":
            return any(name in words for name in request.crisis)
        case _:
            return getattr(request, predicate) in words


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def parse(doc: Document, raw: Any, *, where: fields.Where, topics: TopicTree) -> Condition:
    """Raises ContentError for anything but one known predicate, or all / any / not, per mapping."""
    if not isinstance(raw, Mapping) or len(raw) != 1:
        raise doc.error("a condition is a mapping with exactly one predicate, or all / any / not", *where)
    ((name, value),) = raw.items()
    here = (*where, name)
    if name in {"all", "any"}:
        if not isinstance(value, list) or not value:
            raise doc.error(f"“{name}” needs a list of conditions", *here)
        parts = (parse(doc, part, where=(*here, index), topics=topics) for index, part in enumerate(value))
        return Group(name, tuple(parts))
    if name == "not":
        return Group("not", (parse(doc, value, where=here, topics=topics),))
    if name not in PREDICATES:
        raise doc.error(f"unknown predicate {name}", *here)
    return Test(name, _argument(doc, name, value, where=here, topics=topics))


def _argument(
    doc: Document, name: str, value: Any, *, where: fields.Where, topics: TopicTree
) -> tuple[str, ...] | bool | float | str:
    if name in _BOOLEANS:
        if not isinstance(value, bool) or (name == "always" and not value):
            raise doc.error(f"{name} takes {'true' if name == 'always' else 'true or false'}", *where)
        return value
    if name in _NUMBERS:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise doc.error(f"{name} takes a number", *where)
        return value
    if name == "severity_at_least":
        if value not in SEVERITIES:
            raise doc.error(f"unknown severity {value}", *where)
        return str(value)
    if not isinstance(value, list) or not value or not all(isinstance(word, str) and word for word in value):
        raise doc.error(f"{name} takes a list of texts", *where)
    allowed: Mapping[str, object] = {
        "topic": topics,
        "member_org_kind": KINDS,
        "membership": _MEMBERSHIPS,
        "age": _AGES,
    }
    for word in value:
        if name in allowed and word not in allowed[name]:  # type: ignore[operator]
            raise doc.error(f"unknown {name} {word}", *where)
        if name == "area" and not (len(word) == 6 and word.isdigit()):
            raise doc.error(f"area code {word!r} is not six digits", *where)
    return tuple(value)
