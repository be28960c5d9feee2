"""Faults in the content files are named by file and line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

import pytest

from config.yamlfile import ContentError, parse_yaml
from routing.lint import lint
from routing.org_units import Capability, OrgTree, OrgTreeError, OrgUnit
from routing.requests import RoutingRequest
from routing.rules import Router, RuleBook
from routing.topics import TopicTree

from .conftest import SEED
from .test_rules import TODAY


def edited(name: str, old: str, new: str) -> bytes:
    text = (SEED / name).read_text(encoding="utf-8")
    assert old in text
    return text.replace(old, new, 1).encode()


Read = Callable[[bytes], object]


def fault(read: Read, raw: bytes, message: str) -> None:
    with pytest.raises(ContentError, match=message) as raised:
        read(raw)
    assert raised.value.line is not None
    assert raised.value.line > 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("parent: league\n", "parent: leage\n", "code must be its parent's code"),
        ("- code: league.join", "- code: leage.join", "code must be its parent's code"),
        ("- code: league.join\n", "- code: league.fee\n", "defined twice"),
        ("sensitivity: public", "sensitivity: secret", "sensitivity secret is not listed"),
        ("default_urgency: normal", "default_urgency: soon", "urgency soon is not listed"),
        ("unit_kinds: [school, branch, enterprise, county, city]", "unit_kinds: []", "a leaf needs unit_kinds"),
        ("name_en: League affairs", "name_en:", "name_en"),
    ],
)
def test_a_fault_in_the_topics_is_pointed_at(old: str, new: str, message: str) -> None:
    fault(lambda raw: TopicTree.from_document(parse_yaml(raw, "topics.yml")), edited("topics.yml", old, new), message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("parent: gd-zs\n", "parent: gd-sz\n", "unknown parent gd-sz"),
        ("kind: county", "kind: village", "unknown kind village"),
        ("mode: handle}", "mode: hadle}", "unknown mode hadle"),
        ("aliases: [小榄镇团委, 小榄团委]", "aliases: [古镇镇团委]", "already belongs to"),
        ('area_code: "440106"', 'area_code: "44010"', "not six digits"),
        ('area_code: "440106"', 'area_code: "610106"', "outside its parent's"),
        ("- id: gd-zs-xiaolan\n", "- id: gd-zs-guzhen\n", "defined twice"),
        ("topics: [league, volunteer", "topics: [leage, volunteer", "unknown topic leage"),
        ("hours: desk_24h", "hours: always", "hours always"),
        ("status: active", "status: maybe", "active or inactive"),
    ],
)
def test_a_fault_in_the_units_is_pointed_at(topics: TopicTree, old: str, new: str, message: str) -> None:
    def read(raw: bytes) -> object:
        return OrgTree.from_document(parse_yaml(raw, "org_units.yml"), topics=topics)

    fault(read, edited("org_units.yml", old, new), message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{user_choice: true}", "{user_chose: true}", "unknown predicate user_chose"),
        ("{type: user_choice,", "{type: user_chose,", "unknown resolver user_chose"),
        ("kinds: [trade_union], exclude_member_org", "kinds: [union], exclude_member_org", "unknown kind union"),
        ("{topic: [mind.crisis]}", "{topic: [mind.crises]}", "unknown topic mind.crises"),
        ("由{unit}首接负责“{topic}”，{due}", "由{units}首接负责“{topic}”，{due}", "unknown placeholder"),
        ("由{unit}首接负责“{topic}”，{due}", "由{unit}首接负责“{topic}”，{due", "brace"),
        ("then: R15", "then: R98", "then R98 is missing"),
        ("then: R15", "then: R16", "would ask again"),
        ("- id: R02", "- id: R01", "R01 is defined twice"),
        ("priority: 110", "priority: 100", "priority 100 already belongs to R01"),
        ("owner: gd-union", "owner: gd-onion", "unknown unit gd-onion"),
        ("default_triage_unit: gd-12355", "default_triage_unit: nobody", "unknown unit nobody"),
        ('valid_from: "2024-01-01"', 'valid_from: "2026-13-41"', "must be a date"),
        ("valid_to: null", 'valid_to: "2020-01-01"', "valid_to is before valid_from"),
        ("open_ticket: mind.crisis", "open_ticket: mind", "not a leaf topic"),
        ("severity_at_least: high", "severity_at_least: huge", "unknown severity huge"),
        ("field: area, then", "field: shoe_size, then", "needs a field"),
        ("fallback: continue", "fallback: shrug", "unknown fallback shrug"),
        ("{margin_below: 0.15}", "{margin_below: yes}", "takes a number"),
        ("when: {always: true}", "when: {always: true, topic: [labor]}", "exactly one predicate"),
    ],
)
def test_a_fault_in_the_rules_is_pointed_at(tree: OrgTree, topics: TopicTree, old: str, new: str, message: str) -> None:
    def read(raw: bytes) -> object:
        return RuleBook.from_document(parse_yaml(raw, "routing_rules.yml"), tree=tree, topics=topics)

    fault(read, edited("routing_rules.yml", old, new), message)


def test_the_line_is_the_line(tree: OrgTree, topics: TopicTree) -> None:
    raw = edited("routing_rules.yml", "then: R15", "then: R98")
    line = next(number for number, text in enumerate(raw.decode().splitlines(), start=1) if "then: R98" in text)
    with pytest.raises(ContentError) as raised:
        RuleBook.from_document(parse_yaml(raw, "routing_rules.yml"), tree=tree, topics=topics)
    assert raised.value.line == line


def test_a_cycle_of_parents_is_a_fault() -> None:
    units = [OrgUnit(code="a", name="甲", parent="b"), OrgUnit(code="b", name="乙", parent="a")]
    with pytest.raises(OrgTreeError, match="cycle"):
        OrgTree(units)


def test_the_seed_content_has_no_faults(tree: OrgTree, topics: TopicTree, rulebook: RuleBook) -> None:
    assert lint(tree, topics, rulebook) == []


def test_lint_names_a_hole(tree: OrgTree, topics: TopicTree, rulebook: RuleBook) -> None:
    closed = OrgTree(replace(unit, is_active=unit.kind != "trade_union") for unit in tree)
    found = lint(closed, topics, rulebook)
    assert any("gd-union is unknown or inactive" in fault for fault in found)
    owned = tuple(replace(rule, owner="gd") for rule in rulebook.rules)
    holes = lint(closed, topics, replace(rulebook, rules=owned))
    assert any(re.search("hole: .*小榄.* labor.contract", fault) for fault in holes)


def test_lint_names_rules_that_cannot_fire(tree: OrgTree, topics: TopicTree, rulebook: RuleBook) -> None:
    last = rulebook.rules[-1]
    first = replace(last, id="R00", priority=1)
    found = lint(tree, topics, replace(rulebook, rules=(first, *rulebook.rules)))
    assert any(fault.startswith("rule R15 can never fire: R00") for fault in found)
    twin = replace(rulebook.rules[2], id="R03b", priority=121)
    found = lint(tree, topics, replace(rulebook, rules=(*rulebook.rules[:3], twin, *rulebook.rules[3:])))
    assert any("R03b can never fire" in fault for fault in found)


def test_lint_names_an_unknown_topic_of_a_unit(topics: TopicTree, tree: OrgTree, rulebook: RuleBook) -> None:
    odd = [
        replace(unit, capabilities=(Capability(("moon",), "handle"),)) if unit.code == "sn-ops" else unit
        for unit in tree
    ]
    assert "unit sn-ops: unknown topic moon" in lint(OrgTree(odd), topics, rulebook)


def test_the_most_specific_capability_decides(tree: OrgTree) -> None:
    assert tree.mode_for("gd-zs", "mind.crisis") == "refuse"
    assert tree.mode_for("gd-zs", "campus.aid") == "handle"
    assert tree.mode_for("gd-zs", "campus.bullying") == "triage"
    assert tree.mode_for("gd-zs-12355", "labor.wage") == "triage"
    assert tree.mode_for("nobody", "labor.wage") is None


def test_towns_that_share_a_code_are_told_apart_by_locality(tree: OrgTree) -> None:
    assert tree.covers("gd-zs-xiaolan", "442000", "小榄") == 5
    assert tree.covers("gd-zs-xiaolan", "442000", "古镇") is None
    assert tree.covers("gd-zs", "442000", "小榄") == 4
    assert tree.covers("sn-xy", "610403") is None, "杨凌 is not 咸阳's, although its code begins alike"
    assert tree.covers("sn-xy", "610425") == 4
    assert tree.covers("gd-zs", None) is None


def test_a_path_leads_from_the_root_down(tree: OrgTree) -> None:
    assert tree.path("gd-zs") == "cn/gd/gd-zs"
    assert tree.ancestors("gd-zs-songyuan-c303") == ("gd-zs-songyuan", "gd-zs-dongqu", "gd-zs", "gd", "cn")
    assert tree.in_subtree("gd-zs-songyuan", "gd-zs")
    assert not tree.in_subtree("gd-zs", "gd-zs-songyuan")


def test_a_topic_has_a_name_in_three_locales(topics: TopicTree) -> None:
    assert [topics.name("labor.wage", locale) for locale in ("zh_CN", "zh_TW", "en")] == [
        "拖欠工资",
        "拖欠工資",
        topics.name("labor.wage", "en"),
    ]
    assert topics.name("labor.wage", "en").isascii()
    assert topics.name("nonsense", "en") == ""


def test_one_decision_takes_well_under_a_millisecond(router: Router) -> None:
    request = RoutingRequest(topic="labor.wage", area="442000", locality="小榄")
    started = perf_counter()
    for _ in range(200):
        router.route(request, today=TODAY)
    # Measured 0.17 ms; the bound leaves room for a busy machine.
    assert (perf_counter() - started) / 200 < 0.001
