"""Faults that only show when units, topics and rules are looked at together (``python -m bot routing lint``)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from routing.areas import AreaNames
from routing.conditions import Condition, Group, walk
from routing.org_units import KINDS, OrgTree
from routing.requests import RoutingRequest
from routing.resolvers import Resolvers
from routing.rulebook import CrisisRule, Rule, RuleBook
from routing.rules import Router
from routing.topics import TopicTree, is_under


def lint(tree: OrgTree, topics: TopicTree, rulebook: RuleBook) -> list[str]:
    """Sentences, empty when all is well: unknown references, topic × area holes, rules that cannot fire."""
    found = [*_unit_faults(tree, topics), *_reference_faults(tree, topics, rulebook), *_dead_rules(rulebook)]
    if not found:  # holes are only worth reading once the references are right
        found += _holes(tree, topics, rulebook)
    return found


def _unit_faults(tree: OrgTree, topics: TopicTree) -> Iterator[str]:
    for topic in topics:
        for kind in topic.unit_kinds:
            if kind not in KINDS:
                yield f"topic {topic.code}: unknown unit kind {kind}"
    for unit in tree:
        for capability in unit.capabilities:
            for node in capability.topics:
                if node != "*" and node not in topics:
                    yield f"unit {unit.code}: unknown topic {node}"
        for leaf in topics.leaves():
            if tree.mode_for(unit.code, leaf.code) == "handle" and unit.kind not in leaf.unit_kinds:
                yield f"unit {unit.code}: handles {leaf.code}, which is not for units of kind {unit.kind}"


def _reference_faults(tree: OrgTree, topics: TopicTree, rulebook: RuleBook) -> Iterator[str]:
    for code, desk in ((rulebook.default_triage_unit, "triage"), (rulebook.default_crisis_unit, "crisis")):
        unit = tree.get(code)
        if unit is None or not unit.is_active:
            yield f"default {desk} unit {code} is unknown or inactive"
    every: tuple[Rule, ...] = (*rulebook.crisis_rules, *rulebook.rules)
    for rule in every:
        for named in filter(None, (rule.owner, rule.resolve.unit)):
            unit = tree.get(named)
            if unit is None or not unit.is_active:
                yield f"rule {rule.id}: unit {named} is unknown or inactive"
        for test in walk(rule.when):
            if test.predicate == "topic" and isinstance(test.value, tuple):
                for node in test.value:
                    if node not in topics:
                        yield f"rule {rule.id}: unknown topic {node}"
        if rule.resolve.then is not None and rulebook.get(rule.resolve.then) is None:
            yield f"rule {rule.id}: then {rule.resolve.then} is missing"


def _dead_rules(rulebook: RuleBook) -> Iterator[str]:
    """Obvious cases only: a rule behind one that always fires or has the same condition, or that contradicts itself."""
    for rules in (rulebook.crisis_rules, rulebook.rules):
        for index, rule in enumerate(rules):
            if _contradicts_itself(rule.when):
                yield f"rule {rule.id} can never fire: its condition contradicts itself"
            for earlier in rules[:index]:
                if not _covers_dates(earlier, rule) or _may_pass_on(earlier):
                    continue
                if _is_always(earlier.when):
                    yield f"rule {rule.id} can never fire: {earlier.id} before it always does"
                    break
                if earlier.when == rule.when:
                    yield f"rule {rule.id} can never fire: {earlier.id} before it has the same condition"
                    break


def _covers_dates(earlier: Rule, later: Rule) -> bool:
    starts = (earlier.valid_from or date.min) <= (later.valid_from or date.min)
    return starts and (earlier.valid_to or date.max) >= (later.valid_to or date.max)


def _may_pass_on(rule: Rule) -> bool:
    if isinstance(rule, CrisisRule):
        return False
    return rule.resolve.fallback == "continue" or (
        rule.resolve.fallback is None and rule.resolve.type not in {"ask_user", "fixed", "crisis_desk", "triage_desk"}
    )


def _is_always(condition: Condition) -> bool:
    if isinstance(condition, Group):
        join = {"all": all, "any": any}.get(condition.how)
        return join is not None and join(_is_always(part) for part in condition.parts)
    return condition.predicate == "always"


def _contradicts_itself(condition: Condition) -> bool:
    if not isinstance(condition, Group):
        return False
    if condition.how == "not":
        return _is_always(condition.parts[0])
    inner = [_contradicts_itself(part) for part in condition.parts]
    if condition.how == "any":
        return all(inner)
    opposed = any(
        isinstance(part, Group) and part.how == "not" and part.parts[0] in condition.parts for part in condition.parts
    )
    return any(inner) or opposed or _topics_are_disjoint(condition)


def _topics_are_disjoint(condition: Group) -> bool:
    wanted = [
        part.value
        for part in condition.parts
        if not isinstance(part, Group) and part.predicate == "topic" and isinstance(part.value, tuple)
    ]
    return any(
        not any(is_under(one, (other,)) or is_under(other, (one,)) for one in first for other in second)
        for index, first in enumerate(wanted)
        for second in wanted[index + 1 :]
    )


def _holes(tree: OrgTree, topics: TopicTree, rulebook: RuleBook) -> Iterator[str]:
    """Every leaf topic × every city, county and town must have a unit that can handle it, and a way there."""
    resolvers, names, router = Resolvers(tree, rulebook), AreaNames(tree), Router(tree, topics, rulebook)
    today = max((rule.valid_from for rule in rulebook.rules if rule.valid_from), default=date.min)
    places = dict.fromkeys(
        (unit.area_code, unit.localities[0] if unit.localities else None)
        for unit in tree
        if unit.is_active and unit.kind in {"city", "county"}
    )
    for leaf in topics.leaves():
        for area, locality in places:
            request = RoutingRequest(topic=leaf.code, area=area, locality=locality, questions_asked=99)
            where = names.name(area, locality) or area
            if resolvers.area_owner(request, leaf.unit_kinds) is None:
                yield f"hole: in {where} nobody can handle {leaf.code}"
            unit = router.route(request, today=today).unit
            if tree.mode_for(unit or "", leaf.code) not in {"handle", "triage"}:
                yield f"hole: in {where} {leaf.code} goes to {unit}, which may not take it"
