"""Decisions on the seed rules: the dry-run cases of the rules file, and what the cases leave out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from config.yamlfile import read_yaml
from routing.areas import PlaceFinder
from routing.org_units import OrgTree
from routing.requests import RoutingRequest, build_request
from routing.rules import Router, Rule, RuleBook
from routing.topics import TopicTree

from .conftest import SEED

TODAY = date(2026, 11, 24)
CASES: list[dict[str, Any]] = read_yaml(SEED / "routing_rules.yml").data["dry_run_cases"]


def ask(**facts: Any) -> RoutingRequest:
    return RoutingRequest(**facts)


def is_tidy(reason: str) -> bool:
    return not any(odd in reason for odd in ("{", "}", "“”", "None", "，，", "，。", "，）", "由首接", "、。"))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_dry_run_case_is_decided_as_the_rules_file_says(router: Router, case: dict[str, Any]) -> None:
    assignment = router.route(ask(**case["given"]), today=TODAY)
    assert (assignment.rule, assignment.unit) == (case["expect_rule"], case["expect_unit"])
    assert is_tidy(assignment.reason)
    assert (assignment.unit is None) == (assignment.ask is not None)


def test_every_leaf_topic_has_a_destination_in_every_city_county_and_town(
    router: Router, tree: OrgTree, topics: TopicTree
) -> None:
    for unit in tree:
        if unit.kind not in {"city", "county"}:
            continue
        for leaf in topics.leaves():
            request = ask(topic=leaf.code, area=unit.area_code, locality=unit.localities[0], questions_asked=2)
            assignment = router.route(request, today=TODAY)
            assert assignment.unit is not None, (leaf.code, unit.code)
            assert tree.mode_for(assignment.unit, leaf.code) in {"handle", "triage"}, (leaf.code, unit.code)
            assert is_tidy(assignment.reason), assignment.reason


def test_every_leaf_topic_with_no_place_is_asked_about_or_handed_to_a_person(router: Router, topics: TopicTree) -> None:
    for leaf in topics.leaves():
        first = router.route(ask(topic=leaf.code), today=TODAY)
        assert first.ask or first.unit
        last = router.route(ask(topic=leaf.code, questions_asked=2), today=TODAY)
        assert last.unit == "gd-12355"
        assert is_tidy(last.reason)


def test_a_question_names_what_is_missing(router: Router) -> None:
    assert router.route(ask(topic="labor.wage"), today=TODAY).ask == "area"
    assert router.route(ask(topic="other.unclear", area="442000"), today=TODAY).ask == "topic_or_area"


def test_when_no_question_is_left_a_person_at_the_triage_desk_decides(router: Router) -> None:
    assignment = router.route(ask(topic="labor.wage", questions_asked=2), today=TODAY)
    assert (assignment.unit, assignment.rule, assignment.ask) == ("gd-12355", "R99", None)
    assert "分办" in assignment.reason
    local = router.route(ask(topic="other.unclear", area="442000", questions_asked=2), today=TODAY)
    assert (local.unit, local.rule) == ("gd-zs-12355", "R99")


def test_a_rule_without_anybody_is_no_dead_end(router: Router) -> None:
    # Only the province is known; R19 looks for counties and cities and finds nobody.
    assignment = router.route(ask(topic="activity.idea", area="440000"), today=TODAY)
    assert (assignment.rule, assignment.unit) == ("R99", "gd-12355")


def test_the_fallback_to_the_triage_desk_does_not_claim_to_handle_it(router: Router) -> None:
    assignment = router.route(ask(topic="labor.wage", area="620100"), today=TODAY)
    assert (assignment.rule, assignment.unit) == ("R15", "gd-12355")
    assert "分办" in assignment.reason
    assert "首接负责" not in assignment.reason


def test_the_own_choice_comes_first_when_it_may_handle_it(router: Router) -> None:
    request = ask(topic="league.card", area="442000", locality="东区", user_choice="gd-zs-xiaolan")
    assert router.route(request, today=TODAY).unit == "gd-zs-xiaolan"


def test_an_own_choice_that_may_not_is_passed_over_with_the_reason(router: Router) -> None:
    request = ask(topic="labor.wage", area="442000", locality="小榄", user_choice="gd-zs-xiaolan")
    assignment = router.route(request, today=TODAY)
    assert assignment.unit == "gd-zs-union-xiaolan"
    refused = next(each for each in assignment.candidates if each.unit == "gd-zs-xiaolan")
    assert not refused.chosen
    assert "不受理“拖欠工资”" in refused.why


def test_an_unknown_choice_is_said_to_be_unknown(router: Router) -> None:
    assignment = router.route(ask(topic="labor.wage", area="442000", user_choice="nobody"), today=TODAY)
    assert assignment.unit == "gd-zs-union"
    assert "没有找到" in next(each.why for each in assignment.candidates if each.unit == "nobody")


def test_nobody_investigates_themselves(router: Router, tree: OrgTree) -> None:
    for organizer in ("gd-zs", "gd-zs-12355", "gd-zs-xiaolan"):
        request = ask(topic="activity.fake", area="442000", locality="小榄", organizer=organizer)
        assignment = router.route(request, today=TODAY)
        assert assignment.unit not in {None, organizer}
        assert all(each.unit != organizer for each in router.alternatives(request))


def test_a_second_return_goes_to_the_common_ancestor(router: Router) -> None:
    request = ask(topic="league.card", area="442000", returned_times=2, between=("gd-zs-xiaolan", "gd-zs-dongqu"))
    assignment = router.route(request, today=TODAY)
    assert (assignment.rule, assignment.unit) == ("R02", "gd-zs")
    unknown = router.route(replace(request, between=None), today=TODAY)
    assert (unknown.rule, unknown.unit) == ("R02", "gd-zs-12355")


def test_a_crisis_comes_before_everything(router: Router) -> None:
    request = ask(topic="league.card", area="442000", crisis={"self_harm": "critical"}, user_choice="gd-zs-xiaolan")
    assignment = router.route(request, today=TODAY)
    assert (assignment.rule, assignment.unit) == ("C01", "gd-zs-12355")
    assert "12356" in assignment.reason


def test_a_watched_crisis_accompanies_the_ordinary_way(router: Router) -> None:
    request = ask(topic="league.card", area="442000", locality="小榄", crisis={"self_harm": "watch"})
    assert router.route(request, today=TODAY).unit == "gd-zs-xiaolan"
    decision = router.crisis_action(request.crisis, request, today=TODAY)
    assert decision is not None
    assert (decision.rule, decision.topic) == ("C07", None)
    assert decision.actions["merge_with_answer"] is True


def test_a_crisis_rule_looks_at_the_severity_of_its_own_categories(router: Router) -> None:
    decision = router.crisis_action({"self_harm": "watch", "violence": "high"}, ask(topic="law.family"), today=TODAY)
    assert decision is not None
    assert decision.rule == "C02"
    assert decision.unit == "gd-12355"
    assert "110" in decision.reason


def test_an_adult_and_a_minor_get_different_confidential_tickets(router: Router) -> None:
    crisis = {"sexual_assault": "high"}
    minor = router.crisis_action(crisis, ask(topic="law.minor", age="minor"), today=TODAY)
    adult = router.crisis_action(crisis, ask(topic="law.minor", age="adult"), today=TODAY)
    assert minor is not None
    assert adult is not None
    assert (minor.topic, adult.topic) == ("law.minor", "law.family")


def test_no_crisis_no_decision(router: Router) -> None:
    assert router.crisis_action({}, ask(topic="labor.wage"), today=TODAY) is None
    assert router.crisis_action({"unheard_of": "high"}, ask(topic="labor.wage"), today=TODAY) is None


def test_a_rule_is_used_within_its_dates_only(tree: OrgTree, topics: TopicTree, rulebook: RuleBook) -> None:
    def ended(rule: Rule) -> Rule:
        return replace(rule, valid_to=date(2026, 11, 23)) if rule.id == "R15" else rule

    router = Router(tree, topics, replace(rulebook, rules=tuple(map(ended, rulebook.rules))))
    request = ask(topic="labor.wage", area="442000", locality="古镇")
    assert router.route(request, today=date(2026, 11, 23)).rule == "R15"
    assert router.route(request, today=date(2026, 11, 24)).rule == "R99"


def test_before_any_rule_is_valid_the_capabilities_decide(router: Router) -> None:
    early = date(2020, 1, 1)
    by_place = router.route(ask(topic="labor.wage", area="442000", locality="古镇"), today=early)
    assert (by_place.rule, by_place.unit) == ("capability", "gd-zs-union-guzhen")
    by_unit = router.route(ask(topic="league.card", member_org="gd-zs-songyuan-c303"), today=early)
    assert (by_unit.rule, by_unit.unit) == ("capability", "gd-zs-songyuan-c303")
    unknown = router.route(ask(topic="league.card"), today=early)
    assert (unknown.rule, unknown.unit) == ("triage", "gd-12355")
    assert all(is_tidy(each.reason) for each in (by_place, by_unit, unknown))


def test_the_sentence_names_topic_place_unit_and_time(router: Router) -> None:
    request = ask(topic="campus.aid", area="610112", user_choice="sn-xa-chengqiang")
    with_time = router.route(request, today=TODAY, due_text="11月27日10:30").reason
    assert "11月27日10:30前答复" in with_time
    without = router.route(request, today=TODAY).reason
    assert "72小时内答复" in without
    labour = router.route(ask(topic="labor.wage", area="442000", locality="坦洲"), today=TODAY).reason
    assert all(part in labour for part in ("拖欠工资", "中山市坦洲镇", "中山市总工会", "12333", "R15"))


def test_co_units_are_named_or_the_clause_goes(router: Router) -> None:
    with_helpers = router.route(ask(topic="employment.rural", area="610425"), today=TODAY)
    assert with_helpers.co_units == ("sn-xy-guoxiang", "sn-startup")
    assert "果乡青年电商协会" in with_helpers.reason
    nobody = router.route(ask(topic="employment.rural", area="620100", questions_asked=2), today=TODAY)
    assert "co_units" not in nobody.reason


def test_an_unknown_organisation_is_called_as_the_person_called_it(router: Router) -> None:
    request = ask(topic="campus.bullying", area="442000", org_name="临洲中学")
    assert "临洲中学按规定配合" in router.route(request, today=TODAY).reason
    assert "学校按规定配合" in router.route(replace(request, org_name=""), today=TODAY).reason


def test_a_decision_can_be_stored_without_the_persons_words(router: Router) -> None:
    request = ask(topic="league.transfer.general", text="我叫张三，想转入石岐", area="442000", locality="石岐")
    assignment = router.route(request, today=TODAY)
    stored = json.dumps(assignment.to_json(), ensure_ascii=False)
    assert "张三" not in stored
    assert assignment.inputs["words"] == ["转入"]
    assert assignment.inputs["values"]["unit"]
    assert sum(each.chosen for each in assignment.candidates) == 1
    assert all(each.why for each in assignment.candidates)


def test_the_same_request_is_always_decided_alike(tree: OrgTree, topics: TopicTree, rulebook: RuleBook) -> None:
    request = ask(topic="employment.rural", area="610425", crisis={"abuse": "watch"})
    first, second = (Router(tree, topics, rulebook).route(request, today=TODAY) for _ in range(2))
    assert first.to_json() == second.to_json()


def test_confidence_is_less_for_a_handed_over_ticket(router: Router) -> None:
    town = router.route(ask(topic="labor.wage", area="442000", locality="古镇"), today=TODAY)
    city = router.route(ask(topic="labor.wage", area="442000"), today=TODAY)
    triage = router.route(ask(topic="campus.manage", area="442000"), today=TODAY)
    question = router.route(ask(topic="labor.wage"), today=TODAY)
    assert 1 >= town.confidence > city.confidence > triage.confidence > question.confidence == 0


def test_another_unit_is_offered_nearest_first(router: Router) -> None:
    request = ask(topic="labor.wage", area="442000", locality="小榄")
    offered = router.alternatives(request, exclude={"gd-zs-union-xiaolan"})
    assert [each.unit for each in offered] == ["gd-zs-union", "gd-union", "gd-zs-12355"]
    assert all(each.why for each in offered)


def test_a_confidential_topic_is_offered_to_crisis_desks_only(router: Router, tree: OrgTree) -> None:
    for each in router.alternatives(ask(topic="law.minor", area="442000", locality="小榄")):
        unit = tree.get(each.unit)
        assert unit is not None
        assert unit.is_crisis_desk


def test_the_employer_is_not_offered_a_complaint_about_itself(router: Router) -> None:
    request = ask(topic="labor.contract", area="442000", member_org="gd-zs-lingdingwan", target_is_member_org=True)
    assert all(each.unit != "gd-zs-lingdingwan" for each in router.alternatives(request, limit=9))


@pytest.mark.parametrize(
    ("unit", "topic", "able", "words"),
    [
        ("gd-zs-union", "labor.wage", True, "可以办理"),
        ("gd-zs", "labor.wage", False, "不受理“拖欠工资”：由同级工会办理"),
        ("gd-zs-xiaolan", "campus.aid", True, "可以办理"),
        ("gd-zs-12355", "labor.wage", False, "只分办"),
        ("gd-lawyers", "labor.wage", False, "只协办"),
        ("gd-zs-union", "points.account", False, "没有登记办理"),
        ("nobody", "labor.wage", False, "没有找到"),
    ],
)
def test_why_a_unit_may_or_may_not(router: Router, unit: str, topic: str, able: bool, words: str) -> None:
    may, why = router.may_handle(unit, topic)
    assert may is able
    assert words in why


TALKS = [
    ("labor.wage", "古镇一家灯饰厂欠我七八月工资共9600", "R15", "gd-zs-union-guzhen"),
    ("labor.wage", "伶仃湾智造拖欠工资两个月", "R05", "gd-zs-union-torch"),
    ("labor.wage", "老闆拖欠工資，我在小欖上班", "R15", "gd-zs-union-xiaolan"),
    ("labor.wage", "老板拖欠工资", "R16", None),
    ("league.card", "松苑中学初三3班，团员证丢了", "R12", "gd-zs-songyuan-c303"),
    ("league.record", "岐江中职机电1班团支部乱收费，想投诉", "R13", "gd-zs-qijiang"),
    ("campus.teacher", "礼泉县昭陵中学老师体罚学生", "R06", "sn-xy-12355"),
    ("labor.student_work", "我15岁，在碑林区酒吧打工", "R09", "sn-xa-12355"),
    ("volunteer.hours", "上周六在石岐参加青苗志愿队的巡河，时长没录", "R18", "gd-zs-qingmiao"),
    ("activity.fake", "青苗志愿队收了钱不办活动", "R17", "gd-zs"),
    ("platform.service", "小榄团委太敷衍了", "R29", "gd-zs"),
    ("employment.rural", "礼泉县苹果卖不出去", "R20", "sn-xy-liquan"),
]


@pytest.mark.parametrize(("topic", "text", "rule", "unit"), TALKS, ids=[text for _, text, _, _ in TALKS])
def test_a_message_goes_where_it_should(
    *, router: Router, finder: PlaceFinder, tree: OrgTree, topic: str, text: str, rule: str, unit: str | None
) -> None:
    assignment = router.route(build_request(finder, tree, topic=topic, text=text), today=TODAY)
    assert (assignment.rule, assignment.unit) == (rule, unit)
    assert is_tidy(assignment.reason)


def test_every_example_of_every_topic_is_decided_and_explained(
    router: Router, finder: PlaceFinder, tree: OrgTree, topics: TopicTree
) -> None:
    for topic in topics.leaves():
        for text in topic.examples:
            request = build_request(finder, tree, topic=topic.code, text=text)
            assignment = router.route(request, today=TODAY)
            assert assignment.unit or assignment.ask
            assert is_tidy(assignment.reason), (text, assignment.reason)
            assert len(assignment.reason) <= 200
