from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.normalise import compact, normalise

any_text = st.text(st.characters(codec=None), max_size=400)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("哈哈哈哈", "哈哈"),
        ("怎么办！！！", "怎么办!"),
        ("在吗？？ ？", "在吗?"),
        ("團組織關係怎麼轉", "团组织关系怎么转"),
        ("廠裡著火了", "厂里着火了"),
        ("妳在幹甚麼", "你在干什么"),
        ("名著", "名著"),
        ("ＡＰＰ　打不开", "app 打不开"),
        ("不\u200b想\ufeff去", "不想去"),
        ("好的👍🏻谢谢😀", "好的 谢谢"),
        ("好的[捂脸]", "好的"),
        ("[团员]怎么转", "[团员]怎么转"),
        ("  入团\t\n流程  ", "入团 流程"),
        ("电话10000000", "电话10000000"),
        ("1️⃣入团", "1入团"),
        ("", ""),
        ("😀👨‍👩‍👧", ""),
    ],
)
def test_one_spelling_for_many_ways_to_type(typed: str, read: str) -> None:
    assert normalise(typed) == read


@pytest.mark.parametrize(
    "typed", ["不想活", "不 想 活", "不.想.活", "【不】~想~活！", "不\u200d想\u0336活", "不想活😭", "不ㅤ想活"]
)
def test_compact_sees_through_separators(typed: str) -> None:
    assert compact(typed) == "不想活"


def test_compact_keeps_repeats_and_digits() -> None:
    assert compact("哈哈哈，１２３ Ab") == "哈哈哈123ab"


@given(any_text)
def test_any_string_is_read_without_an_error(text: str) -> None:
    read = normalise(text)
    assert read == read.strip()
    assert "\x00" not in read
    assert "\u200b" not in read
    assert "  " not in read
    assert not any(0xD800 <= ord(character) <= 0xDFFF for character in read)
    assert all(character.isalnum() for character in compact(text) if character.isascii())


@given(any_text)
def test_spaces_and_punctuation_never_change_the_compact_form(text: str) -> None:
    assert compact("。 ".join(["", text, ""])) == compact(text)


@pytest.mark.parametrize(
    "text",
    [
        "\ud800" * 100_000,
        "\x00" * 100_000,
        "轉團關係 " * 20_000,
        "\u0316\u0301" * 50_000,
        "！ " * 50_000,
        "哈" * 100_000,
    ],
)
def test_100_000_characters_take_well_under_a_second(text: str) -> None:
    # Sorting 100,000 combining marks in one piece takes NFKC more than a minute.
    started = time.perf_counter()
    normalise(text)
    compact(text)
    assert time.perf_counter() - started < 1.0
