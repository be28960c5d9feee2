from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.yamlfile import ContentError, Document, parse_yaml, read_yaml
from nlu.urgency import CrisisLexicon

SEED = Path(__file__).resolve().parents[2] / "config" / "seed" / "crisis_lexicon.yml"


@pytest.fixture(scope="module")
def document() -> Document:
    return read_yaml(SEED)


@pytest.fixture(scope="module")
def lexicon(document: Document) -> CrisisLexicon:
    return CrisisLexicon.from_document(document)


def small(body: str) -> CrisisLexicon:
    return CrisisLexicon.from_document(parse_yaml(body.encode(), "lexicon.yml"))


def test_the_seed_lexicon_passes_its_own_tests(lexicon: CrisisLexicon, document: Document) -> None:
    assert len(document.data["tests"]["must_trigger"]) > 30
    assert lexicon.failed_tests(document) == ()


def test_failing_tests_are_named_with_their_line() -> None:
    body = (
        "categories:\n  c:\n    hotline_text: 打110\n    phrases: {high: [着火]}\n"
        "false_friends:\n- {phrase: 着火, why: x}\n"
        "tests:\n  must_trigger:\n  - {text: 着火, category: c, min_severity: high}\n  must_not_trigger:\n  - 你好\n"
    )
    document = parse_yaml(body.encode(), "lexicon.yml")
    failures = CrisisLexicon.from_document(document).failed_tests(document)
    assert [failure.line for failure in failures] == [9, 4]


@pytest.mark.parametrize(
    "text",
    [
        "不 想 活 了",
        "不.想.活.了",
        "不\u200b想\u200b活了",
        "【不】【想】【活】了",
        "不想活了😭",
        "我真的不想活了。",
        "不，想，活，了",
    ],
)
def test_inserted_separators_hide_nothing(lexicon: CrisisLexicon, text: str) -> None:
    match = lexicon.scan(text)
    assert match is not None
    assert match.top_category == "self_harm"
    assert match.is_acute


@pytest.mark.parametrize(
    ("text", "category"), [("我想輕生", "self_harm"), ("他說要殺我", "violence"), ("廠裡著火了快來", "fire_medical")]
)
def test_traditional_characters_are_understood(lexicon: CrisisLexicon, text: str, category: str) -> None:
    match = lexicon.scan(text)
    assert match is not None
    assert match.top_category == category


@pytest.mark.parametrize(
    "text",
    [
        "",
        "怎么入团",
        "笑死我了，累死了",
        "想死你啦",
        "年轻生活",
        "我来自残疾人家庭",
        "大家暴露年龄",
        "周末不想活动",
        "😭😭",
        "\ud800",
    ],
)
def test_everyday_talk_rings_no_bell(lexicon: CrisisLexicon, text: str) -> None:
    assert lexicon.scan(text) is None


def test_a_false_friend_does_not_hide_what_stands_beside_it(lexicon: CrisisLexicon) -> None:
    match = lexicon.scan("笑死我了，可我其实想死")
    assert match is not None
    assert match.categories == {"self_harm": "high"}


def test_longer_false_friends_are_taken_out_first() -> None:
    rules = "categories: {c: {hotline_text: x, phrases: {high: [死了]}}}\n"
    body = rules + "false_friends: [{phrase: 笑死}, {phrase: 我笑死了}]\n"
    assert small(body).scan("我笑死了") is None
    assert small(body.replace(", {phrase: 我笑死了}", "")).scan("死了") is not None


def test_every_category_is_reported_with_its_worst_severity(lexicon: CrisisLexicon) -> None:
    match = lexicon.scan("感觉撑不住了，我想死，他威胁我")
    assert match is not None
    assert match.categories == {"self_harm": "high", "violence": "watch"}
    assert (match.top_category, match.severity, match.is_acute) == ("self_harm", "high", True)


def test_a_vague_sign_is_watched_but_not_acute(lexicon: CrisisLexicon) -> None:
    match = lexicon.scan("活着好累")
    assert match is not None
    assert not match.is_acute


def test_the_message_is_read_to_its_end(lexicon: CrisisLexicon) -> None:
    assert lexicon.scan("今天想问一下团费怎么交。" * 8_000 + "我不想活了") is not None


def test_a_nul_character_hides_nothing(lexicon: CrisisLexicon) -> None:
    # OpenCC stopped reading there, and the scan with it.
    assert lexicon.scan("你好\x00我不想活了") is not None


def test_hotline_text_is_per_category(lexicon: CrisisLexicon) -> None:
    assert all("1" in lexicon.hotline_text(category) for category in lexicon.categories)
    with pytest.raises(KeyError):
        lexicon.hotline_text("weather")


@pytest.mark.parametrize(
    ("pattern", "sentence", "is_found"),
    [
        ("(?<!年)轻生(?!活)", "他要轻生", True),
        ("(?<!年)轻生(?!活)", "年轻生活", False),
        (r"(甲)\1", "甲甲", True),  # a back-reference, which RE2 lacks
        (r"(?<![0-9])1[0-3]岁", "我12岁", True),
        (r"(?<![0-9])1[0-3]岁", "我112岁", False),
        ("在天台$", "我在天台。", True),
    ],
)
def test_patterns_that_re2_cannot_do_still_work(pattern: str, sentence: str, is_found: bool) -> None:
    body = f"categories:\n  c:\n    hotline_text: x\n    patterns:\n      high:\n      - '{pattern}'\n"
    assert (small(body).scan(sentence) is not None) is is_found


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("a: 1\n", 1),
        ("categories:\n  c:\n    hotline_text: x\n    patterns:\n      high:\n      - '好'\n      - '(坏'\n", 7),
        ("categories:\n  c:\n    hotline_text: x\n    patterns:\n      high:\n      - '坏?'\n", 6),
        ("categories:\n  c:\n    hotline_text: x\n    phrases:\n      hgh:\n      - 坏\n", 4),
        ("categories:\n  c:\n    phrases:\n      high:\n      - 坏\n", 2),
        ("categories:\n  c:\n    hotline_text: x\n    phrases:\n      high:\n      - '！'\n", 6),
        ("categories:\n  c:\n    hotline_text: x\nfalse_friends:\n- {phrase: 好}\n- {phrse: 好}\n", 6),
        ("categories:\n  c:\n    hotline_text: x\nfalse_friends:\n- {phrase: 好, pattern: '['}\n", 5),
    ],
)
def test_a_faulty_lexicon_names_its_line(body: str, line: int) -> None:
    with pytest.raises(ContentError) as caught:
        small(body)
    assert caught.value.line == line


@given(st.text(st.characters(codec=None), max_size=200))
def test_nothing_put_before_a_cry_for_help_hides_it(lexicon: CrisisLexicon, text: str) -> None:
    assert lexicon.scan(text + "。真的好想自杀") is not None


@pytest.mark.parametrize(
    "piece", ["今天想问一下团组织关系怎么转接", "笑死我了", "他老师孩子被", "被打我他孩子想死在楼女儿要去"]
)
def test_100_000_characters_are_scanned_in_a_moment(lexicon: CrisisLexicon, piece: str) -> None:
    text = piece * (100_000 // len(piece))
    lexicon.scan(text)
    started = time.perf_counter()
    lexicon.scan(text)
    # 30 to 60 ms on the machine where it was measured; ten times that leaves room for a busy one.
    assert time.perf_counter() - started < 0.6
