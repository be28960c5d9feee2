from __future__ import annotations

import pytest

from routing.areas import PlaceFinder
from routing.org_units import OrgTree
from routing.requests import age_group, build_request, is_about_own_org


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("我15岁", "minor"),
        ("我今年十七岁", "minor"),
        ("我18岁", "adult"),
        ("今年二十四岁，在厂里上班", "adult"),
        ("我读初二", "minor"),
        ("初三3班", "minor"),
        ("高一下学期", "minor"),
        ("高三住校", "unknown"),
        ("未成年打赏主播", "minor"),
        ("我不是未成年人", "adult"),
        ("大三在读", "adult"),
        ("找个大一点的房子", "unknown"),
        ("9岁的儿子充了两万", "minor"),
        ("我妈50岁了", "unknown"),
        ("我25岁，孩子3岁", "adult"),
        ("初中毕业出来打工", "unknown"),
        ("在高新区上班", "unknown"),
        ("工龄15年", "unknown"),
    ],
)
def test_the_age_group_is_read_from_the_text(text: str, group: str) -> None:
    assert age_group(text) == group


@pytest.mark.parametrize(
    ("topic", "text", "kind", "about"),
    [
        ("labor.wage", "拖欠工资", "enterprise", True),
        ("labor.wage", "门口奶茶店拖欠工资", "school", False),
        ("campus.teacher", "老师骂人", "school", True),
        ("campus.manage", "宿舍停水", "school", True),
        ("campus.aid", "申请助学金", "school", False),
        ("campus.bullying", "被同学打", "school", False),
        ("league.card", "团员证丢了", "school", False),
        ("league.fee", "团支书乱收费", "branch", True),
        ("labor.student_work", "学校强制我们去电子厂", "school", True),
        ("labor.student_work", "实习协议怎么签", "school", False),
    ],
)
def test_a_complaint_about_the_own_organisation_is_recognised(topic: str, text: str, kind: str, about: bool) -> None:
    assert is_about_own_org(topic, text, kind=kind) is about


def test_a_named_organisation_gives_the_place(finder: PlaceFinder, tree: OrgTree) -> None:
    request = build_request(finder, tree, topic="league.card", text="我在松苑中学读书")
    assert (request.member_org, request.area, request.locality) == ("gd-zs-songyuan", "442000", "东区")


def test_what_the_caller_knows_wins_over_the_text(finder: PlaceFinder, tree: OrgTree) -> None:
    place = finder.find_place("天河区")
    org = tree.get("gd-gz-mumian")
    request = build_request(
        finder, tree, topic="league.card", text="我在松苑中学读书", place=place, org=org, age="adult"
    )
    assert (request.member_org, request.area, request.age) == ("gd-gz-mumian", "440106", "adult")


def test_an_office_is_nobodys_school(finder: PlaceFinder, tree: OrgTree) -> None:
    request = build_request(finder, tree, topic="platform.service", text="小榄团委不理人")
    assert (request.member_org, request.handler, request.locality) == (None, "gd-zs-xiaolan", "小榄")


def test_traditional_text_is_compared_in_simplified(finder: PlaceFinder, tree: OrgTree) -> None:
    assert "转入" in build_request(finder, tree, topic="league.transfer.general", text="想轉入石岐").text
