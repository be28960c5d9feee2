"""Reading and validating the routing rules (``config/seed/routing_rules.yml``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from config.yamlfile import Document
from routing import fields
from routing.conditions import Condition, crisis_categories, parse
from routing.org_units import KINDS, MODES, OrgTree
from routing.reasons import PLACEHOLDERS
from routing.topics import TopicTree

RESOLVERS = frozenset(
    (
        "crisis_desk user_choice common_ancestor area_owner triage_desk ask_user member_org nearest_ancestor_with "
        "organizer parent_of_handler fixed"
    ).split()
)
_FALLBACKS = frozenset({"continue", "triage_desk", "area_owner", "nearest_ancestor_with"})
_QUESTIONS = frozenset({"area", "topic_or_area"})
_OPTIONS = frozenset(
    (
        "type kinds unit field then fallback require_mode exclude_member_org exclude_organizer skip_self co_kinds "
        "co_resolve"
    ).split()
)
MAX_EXPLAIN = 120  # characters; it is one chat message together with the ticket number (kb/README.md)


@dataclass(frozen=True, slots=True)
class Resolver:
    """How a rule finds its unit (kb/README.md, resolver); ``field`` and ``then`` belong to ask_user."""

    type: str
    kinds: tuple[str, ...] = ()
    unit: str | None = None
    field: str | None = None
    then: str | None = None
    fallback: str | None = None
    require_mode: str = "handle"
    exclude_member_org: bool = False
    exclude_organizer: bool = False
    skip_self: bool = False
    co_kinds: tuple[str, ...] = ()
    co_resolve: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One ordinary rule; lower priority numbers come first."""

    id: str
    name: str
    priority: int
    when: Condition
    resolve: Resolver
    explain: str
    owner: str
    version: int
    valid_from: date | None = None
    valid_to: date | None = None

    def is_valid_on(self, day: date) -> bool:
        """Both ends are included."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrisisRule(Rule):
    """A rule that comes before all others; ``categories`` are what its severity test looks at."""

    actions: Mapping[str, Any]
    categories: frozenset[str]

    @property
    def only_accompanies(self) -> bool:
        """Watch level: a question is asked beside the ordinary answer, and the ticket goes its ordinary way."""
        return bool(self.actions.get("merge_with_answer"))


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Rules in order of evaluation."""

    version: int
    rules: tuple[Rule, ...]
    crisis_rules: tuple[CrisisRule, ...]
    default_triage_unit: str
    default_crisis_unit: str
    max_questions: int = 2
    catalogue_name: str = ""

    def get(self, rule: str) -> Rule | None:
        return next((each for each in (*self.rules, *self.crisis_rules) if each.id == rule), None)

    @classmethod
    def from_document(cls, doc: Document, *, tree: OrgTree, topics: TopicTree) -> RuleBook:
        """Read and validate a rules file.

        Raises ContentError: unknown predicate, resolver, unit, topic, kind or placeholder; duplicate id or priority;
        ``then`` to a missing rule; dates that are none or in the wrong order.
        """
        reader = _Reader(doc, tree, topics)
        crisis = [reader.crisis_rule(item, index) for index, item in enumerate(fields.items(doc, "crisis_rules"))]
        rules = [reader.rule(item, index) for index, item in enumerate(fields.items(doc, "rules"))]
        reader.check_together(rules)
        root: Mapping[str, Any] = doc.data
        max_questions = fields.number(doc, root, "max_questions", where=())
        if max_questions < 0:
            raise doc.error("max_questions must not be negative", "max_questions")
        return cls(
            version=reader.version,
            rules=tuple(sorted(rules, key=lambda rule: rule.priority)),
            crisis_rules=tuple(sorted(crisis, key=lambda rule: rule.priority)),
            default_triage_unit=reader.unit(root, "default_triage_unit", where=()),
            default_crisis_unit=reader.unit(root, "default_crisis_unit", where=()),
            max_questions=max_questions,
            catalogue_name=fields.optional_text(doc, root, "catalogue_name", where=()) or "",
        )


class _Reader:
    def __init__(self, doc: Document, tree: OrgTree, topics: TopicTree) -> None:
        self.doc, self.tree, self.topics = doc, tree, topics
        self._leaves = {topic.code for topic in topics.leaves()}
        self._ids: set[str] = set()
        fields.items(doc, "rules")  # a mapping at the top, before anything is read from it
        self.version = fields.number(doc, doc.data, "version", where=())
        listed = doc.data.get("placeholders")
        self._placeholders = frozenset(listed) if isinstance(listed, Mapping) else PLACEHOLDERS
        for name in sorted(self._placeholders - PLACEHOLDERS):
            raise doc.error(f"placeholder {name} cannot be filled", "placeholders", name)

    def unit(self, item: Mapping[str, Any], key: str, *, where: fields.Where) -> str:
        code = fields.text(self.doc, item, key, where=where)
        if code not in self.tree:
            raise self.doc.error(f"“{key}” names an unknown unit {code}", *where, key)
        return code

    def rule(self, item: Mapping[str, Any], index: int) -> Rule:
        return Rule(**self._common(item, where=("rules", index)))

    def crisis_rule(self, item: Mapping[str, Any], index: int) -> CrisisRule:
        where = ("crisis_rules", index)
        common = self._common(item, where=where)
        actions = item.get("actions")
        if not isinstance(actions, Mapping):
            raise self.doc.error("a crisis rule needs actions", *where, "actions")
        for key in ("open_ticket", "open_ticket_adult"):
            topic = actions.get(key)
            if topic not in {None, "none", "ask"} and topic not in self._leaves:
                raise self.doc.error(f"{key}: {topic} is not a leaf topic", *where, "actions", key)
        categories = crisis_categories(common["when"])
        if not categories:
            raise self.doc.error("a crisis rule needs a crisis predicate", *where, "when")
        return CrisisRule(**common, actions=MappingProxyType(dict(actions)), categories=categories)

    def check_together(self, rules: list[Rule]) -> None:
        priorities: dict[int, str] = {}
        for index, rule in enumerate(rules):
            other = priorities.setdefault(rule.priority, rule.id)
            if other != rule.id:
                fault = f"rule {rule.id}: priority {rule.priority} already belongs to {other}"
                raise self.doc.error(fault, "rules", index, "priority")
            then = rule.resolve.then
            target = next((each for each in rules if each.id == then), None)
            if then is not None and (target is None or target.resolve.type == "ask_user"):
                fault = "is missing" if target is None else "would ask again"
                raise self.doc.error(f"rule {rule.id}: then {then} {fault}", "rules", index, "resolve", "then")

    def _common(self, item: Mapping[str, Any], *, where: fields.Where) -> dict[str, Any]:
        doc = self.doc
        rule_id = fields.text(doc, item, "id", where=where)
        if rule_id in self._ids:
            raise doc.error(f"rule {rule_id} is defined twice", *where, "id")
        self._ids.add(rule_id)
        valid_from = fields.day(doc, item, "valid_from", where=where)
        valid_to = fields.day(doc, item, "valid_to", where=where)
        if valid_from is None:
            raise doc.error(f"rule {rule_id}: valid_from is missing", *where, "valid_from")
        if valid_to is not None and valid_to < valid_from:
            raise doc.error(f"rule {rule_id}: valid_to is before valid_from", *where, "valid_to")
        version = fields.number(doc, item, "version", where=where) if "version" in item else self.version
        return {
            "id": rule_id,
            "name": fields.text(doc, item, "name", where=where),
            "priority": fields.number(doc, item, "priority", where=where),
            "when": parse(doc, item.get("when"), where=(*where, "when"), topics=self.topics),
            "resolve": self._resolver(item.get("resolve"), where=(*where, "resolve")),
            "explain": self._explain(item, where=where),
            "owner": self.unit(item, "owner", where=where),
            "version": version,
            "valid_from": valid_from,
            "valid_to": valid_to,
        }

    def _explain(self, item: Mapping[str, Any], *, where: fields.Where) -> str:
        explain = fields.text(self.doc, item, "explain", where=where)
        if len(explain) > MAX_EXPLAIN:
            raise self.doc.error(f"explain is longer than {MAX_EXPLAIN} characters", *where, "explain")
        for name in re.findall(r"{(\w*)}", explain):
            if name not in self._placeholders:
                raise self.doc.error(f"explain: unknown placeholder {{{name}}}", *where, "explain")
        if re.search(r"[{}]", re.sub(r"{\w+}", "", explain)):
            raise self.doc.error("explain: a brace is not closed", *where, "explain")
        return explain

    def _resolver(self, raw: Any, *, where: fields.Where) -> Resolver:
        doc = self.doc
        if not isinstance(raw, Mapping):
            raise doc.error("resolve must be a mapping", *where)
        for key in raw:
            if key not in _OPTIONS:
                raise doc.error(f"unknown option {key}", *where, key)
        for key, allowed in (("type", RESOLVERS), ("fallback", _FALLBACKS), ("require_mode", frozenset(MODES))):
            if raw.get(key) is not None and raw[key] not in allowed:
                word = "resolver" if key == "type" else key
                raise doc.error(f"unknown {word} {raw[key]}", *where, key)
        kinds = {key: fields.texts(doc, raw, key, where=where) for key in ("kinds", "co_kinds")}
        for key, listed in kinds.items():
            for kind in listed:
                if kind not in KINDS:
                    raise doc.error(f"unknown kind {kind}", *where, key)
        resolver_type = fields.text(doc, raw, "type", where=where)
        if resolver_type == "area_owner" and not kinds["kinds"]:
            raise doc.error("area_owner needs kinds", *where)
        if resolver_type == "ask_user" and raw.get("field") not in _QUESTIONS:
            raise doc.error("ask_user needs a field: area or topic_or_area", *where, "field")
        if raw.get("co_resolve") not in {None, "member_org"}:
            raise doc.error(f"unknown co_resolve {raw['co_resolve']}", *where, "co_resolve")
        return Resolver(
            type=resolver_type,
            unit=self.unit(raw, "unit", where=where) if resolver_type == "fixed" else None,
            field=fields.optional_text(doc, raw, "field", where=where),
            then=fields.optional_text(doc, raw, "then", where=where),
            fallback=fields.optional_text(doc, raw, "fallback", where=where),
            require_mode=fields.optional_text(doc, raw, "require_mode", where=where) or "handle",
            exclude_member_org=fields.flag(doc, raw, "exclude_member_org", where=where),
            exclude_organizer=fields.flag(doc, raw, "exclude_organizer", where=where),
            skip_self=fields.flag(doc, raw, "skip_self", where=where),
            co_resolve=fields.optional_text(doc, raw, "co_resolve", where=where),
            **kinds,
        )
