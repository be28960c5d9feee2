from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.local.entities import find_entities, has_valid_check_digit


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("我的工单GD2611030012到哪了", [("ticket_no", "GD2611030012", "GD2611030012")]),
        ("ｇｄ２６１１０３００１２", [("ticket_no", "GD2611030012", "ｇｄ２６１１０３００１２")]),
        ("gd 2611030012", [("ticket_no", "GD2611030012", "gd 2611030012")]),
        (
            "电话13812345678，邮箱A.b@qq.com",
            [("phone", "13812345678", "13812345678"), ("email", "a.b@qq.com", "A.b@qq.com")],
        ),
        ("+86 138 1234 5678", [("phone", "13812345678", "+86 138 1234 5678")]),
        ("0760-88888888", [("phone", "076088888888", "0760-88888888")]),
        ("身份证11010519491231002x", [("id_number", "11010519491231002X", "11010519491231002x")]),
        ("5", [("score", "5", "5")]),
        (" 五！", [("score", "5", "五")]),
        ("给5分", [("score", "5", "5")]),
        ("服务打三颗星", [("score", "3", "三")]),
        ("满分5分，给3分", [("score", "3", "3")]),
    ],
)
def test_entities_are_found_where_they_stand(text: str, found: list[tuple[str, str, str]]) -> None:
    entities = find_entities(text)
    assert [(e.entity, e.value, text[e.start : e.end]) for e in entities] == found


@pytest.mark.parametrize(
    "text",
    [
        "身份证110105194912310021",  # wrong check digit
        "等了5分钟", "15分", "1.5分", "八十五分", "3月5日", "星期五", "5分之一", "五星级", "一星期", "6", "0",
        "ABCD2611030012", "GD26110300", "订单号138123456789012", "a@b",
    ],
)  # fmt: skip
def test_what_only_looks_alike_is_left_alone(text: str) -> None:
    assert find_entities(text) == ()


def test_the_check_digit_is_the_one_of_gb_11643() -> None:
    assert has_valid_check_digit("11010519491231002X")
    assert not has_valid_check_digit("110105194912310020")


@given(st.text(st.sampled_from("0123456789GDgd+-@. 分星给打1五Xx中"), max_size=80))
def test_entities_never_overlap_and_stand_in_order(text: str) -> None:
    entities = find_entities(text)
    assert all(0 <= e.start < e.end <= len(text) for e in entities)
    assert all(first.end <= second.start for first, second in pairwise(entities))
