from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.yamlfile import ContentError, parse_yaml
from nlu.engine import FoundEntity, NluResult, RankedIntent
from nlu.formats import (
    Annotation,
    Example,
    TrainingData,
    parse_training_document,
    read_responses,
    read_training_files,
    to_rasa,
)

HEAD = 'version: "3.1"\nnlu:\n'


def parsed(body: str, *, may_conflict: bool = False) -> TrainingData:
    return parse_training_document(parse_yaml((HEAD + body).encode(), "nlu.yml"), may_conflict=may_conflict)


def fault(body: str) -> ContentError:
    with pytest.raises(ContentError) as caught:
        parsed(body)
    return caught.value


def test_block_examples_are_read_with_full_intent_names() -> None:
    data = parsed(
        "- intent: faq/join\n  examples: |\n    - 怎么入团\n    - 入团流程\n\n"
        "- intent: greet\n  examples: |\n    - 你好\n"
    )
    assert list(data.pairs()) == [("怎么入团", "faq/join"), ("入团流程", "faq/join"), ("你好", "greet")]


def test_an_intent_may_occur_several_times() -> None:
    data = parsed("- intent: greet\n  examples: |\n    - 你好\n- intent: greet\n  examples: |\n    - 早上好\n")
    assert [e.text for e in data.examples["greet"]] == ["你好", "早上好"]


def test_list_examples_with_metadata_are_read() -> None:
    data = parsed(
        "- intent: greet\n  examples:\n  - text: |\n      你好\n    metadata: {sentiment: good}\n  - text: 嗨\n"
    )
    assert [e.text for e in data.examples["greet"]] == ["你好", "嗨"]


def test_synonyms_regexes_and_lookups_are_accepted_and_are_no_intents() -> None:
    extra = "".join(f"- {kind}: x\n  examples: |\n    - [y](\n" for kind in ("synonym", "regex", "lookup"))
    assert list(parsed(extra + "- intent: greet\n  examples: |\n    - 你好\n").examples) == ["greet"]


@pytest.mark.parametrize("word", ["yes", "no"])
def test_an_intent_called_yes_or_no_keeps_its_name(word: str) -> None:
    assert list(parsed(f"- intent: {word}\n  examples: |\n    - 好\n").examples) == [word]


@pytest.mark.parametrize(
    ("marked", "text", "entities"),
    [
        ("我在[中山](area)读书", "我在中山读书", [Annotation("area", 2, 4, "中山")]),
        ("买[笔记本](device:电脑)", "买笔记本", [Annotation("device", 1, 4, "电脑")]),
        (
            '去[西安]{"entity":"area","value":"610100","role":"to","group":"1"}吧',
            "去西安吧",
            [Annotation("area", 1, 3, "610100", "to", "1")],
        ),
        (
            '[一号楼][{"entity":"place"},{"entity":"org","value":"1"}]见',
            "一号楼见",
            [Annotation("place", 0, 3, "一号楼"), Annotation("org", 0, 3, "1")],
        ),
        ("[甲](a)和[乙](b)", "甲和乙", [Annotation("a", 0, 1, "甲"), Annotation("b", 2, 3, "乙")]),
        ("［注意］（好）", "［注意］（好）", []),
        ("好的[微笑]", "好的[微笑]", []),
    ],
)
def test_annotations_become_spans_of_the_plain_text(marked: str, text: str, entities: list[Annotation]) -> None:
    assert parsed(f"- intent: i\n  examples: |\n    - {marked}\n").examples["i"] == (Example(text, tuple(entities)),)


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        ("- intent: a\n  exmples: |\n    - 好\n", 4, "unknown key 'exmples'"),
        ("- intent: a\n  examples: |\n    - 好\n- intent: b\n", 6, "has no examples"),
        ("- intent: a\n  examples: |\n    - 好\n    - 我在[中山](area读书\n", 6, "not closed"),
        ("- intent: a\n  examples: |\n    - 我在[中山读书\n", 5, "not closed"),
        ('- intent: a\n  examples: |\n    - [中山]{"entity":area}\n', 5, "not valid JSON"),
        ('- intent: a\n  examples: |\n    - [中山]{"entiy":"area"}\n', 5, "may hold"),
        (
            "- intent: a\n  examples: |\n    - 你好 吗\n- intent: b\n  examples: |\n    - 好\n    - 你好吗？\n",
            9,
            "of 'b' and of 'a'",
        ),
        ("- intent: a\n  examples: |\n    好\n", 5, "must begin with"),
        ("- intent: a\n  examples: |\n    -\n", 5, "is empty"),
        ("- intent: ''\n  examples: |\n    - 好\n", 3, "needs a name"),
        ("- synonym: a\n  intent: b\n  examples: |\n    - 好\n", 3, "exactly one of"),
        ("- 好\n", 3, "must be a mapping"),
        ("- intent: a\n  examples: 5\n", 4, "must be a block"),
        ("- intent: a\n  examples:\n  - text: 好\n    txt: x\n", 6, "unknown key 'txt'"),
    ],
)
def test_a_fault_names_file_and_line(body: str, line: int, words: str) -> None:
    error = fault(body)
    assert (str(error.path), error.line) == ("nlu.yml", line)
    assert words in error.message


def test_an_unknown_section_is_a_fault() -> None:
    with pytest.raises(ContentError, match="unknown key 'nul'"):
        parse_training_document(parse_yaml(b"nul: []\n", "x.yml"))


def test_other_peoples_data_may_say_the_same_in_two_intents() -> None:
    body = "- intent: a\n  examples: |\n    - 你好\n- intent: b\n  examples: |\n    - 你好\n    - 你好\n"
    assert len(list(parsed(body, may_conflict=True).pairs())) == 3


def test_a_directory_stands_for_its_training_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.yml").write_text(HEAD + "- intent: a\n  examples: |\n    - 甲\n", "utf-8")
    (tmp_path / "deep" / "b.yaml").write_text(HEAD + "- intent: b\n  examples: |\n    - 乙\n", "utf-8")
    (tmp_path / "credentials.yml").write_text("rest: {}\n", "utf-8")
    (tmp_path / "notes.txt").write_text("nlu", "utf-8")
    assert set(read_training_files([tmp_path]).examples) == {"a", "b"}


def test_the_same_sentence_in_two_files_names_the_first(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(HEAD + "- intent: a\n  examples: |\n    - 甲\n", "utf-8")
    (tmp_path / "b.yml").write_text(HEAD + "- intent: b\n  examples: |\n    - 甲\n", "utf-8")
    with pytest.raises(ContentError, match=r"b\.yml:5: .*a\.yml:5"):
        read_training_files([tmp_path])


def test_nothing_found_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="no intents"):
        read_training_files([tmp_path])
    with pytest.raises(ContentError, match="cannot be read"):
        read_training_files([tmp_path / "absent.yml"])


# Plain text as people write it between annotations; brackets are the annotations' own.
words = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="[](){}-:\"'\\"), min_size=1, max_size=8
)


@given(st.lists(st.tuples(words, st.none() | st.sampled_from(["area", "org"])), min_size=1, max_size=5))
def test_marks_and_spans_agree_for_any_sentence(parts: list[tuple[str, str | None]]) -> None:
    marked = "".join(f"[{word}]({kind})" if kind else word for word, kind in parts)
    row = json.dumps([{"text": marked}], ensure_ascii=False)
    example = parsed(f"- intent: i\n  examples: {row}\n").examples["i"][0]
    assert example.text == "".join(word for word, _ in parts)
    assert [(a.entity, example.text[a.start : a.end]) for a in example.entities] == [(k, w) for w, k in parts if k]


@given(st.text(max_size=200))
def test_any_yaml_is_read_or_refused_with_a_content_error(text: str) -> None:
    with contextlib.suppress(ContentError):
        data = parsed("- intent: i\n  examples: |\n    - " + text)
        assert all(example.text.strip() for example in data.examples["i"])


def test_the_fingerprint_follows_the_content() -> None:
    first = TrainingData.from_texts({"a": ["甲"], "b": ["乙"]})
    assert first.fingerprint == TrainingData.from_texts({"b": ["乙"], "a": ["甲"]}).fingerprint
    assert first.fingerprint != TrainingData.from_texts({"a": ["甲"], "b": ["丙"]}).fingerprint


def test_responses_are_read_by_name(tmp_path: Path) -> None:
    path = tmp_path / "responses.yml"
    path.write_text(
        'version: "3.1"\nresponses:\n  utter_faq/a:\n  - text: |-\n      一\n      二\n  utter_b:\n  - text: 三\n',
        "utf-8",
    )
    assert read_responses(path) == {"utter_faq/a": "一\n二", "utter_b": "三"}


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("responses:\n  utter_a: []\n", 2),
        ("responses:\n  utter_a:\n  - txt: 好\n", 3),
        ("responses:\n  utter_a:\n  - text: ''\n", 2),
    ],
)
def test_a_faulty_response_names_its_line(tmp_path: Path, body: str, line: int) -> None:
    (tmp_path / "r.yml").write_text(body, "utf-8")
    with pytest.raises(ContentError) as caught:
        read_responses(tmp_path / "r.yml")
    assert caught.value.line == line


RESULT = NluResult(
    "我在APP交团费",
    (
        RankedIntent("faq/fee", 0.5),
        RankedIntent("ticket_status", 0.2),
        RankedIntent("faq/join", 0.125),
        RankedIntent("chat/weather", 0.05),
    ),
    (FoundEntity("phone", 0, 2, "x", "RegexEntityExtractor"),),
)
ANSWERS = {"utter_faq/fee": "这样交。", "utter_greet": "你好"}


def test_the_full_form_keeps_full_names_and_fills_the_selector() -> None:
    answer = to_rasa(RESULT, responses=ANSWERS, message_id="m1")
    assert answer["intent"] == {"name": "faq/fee", "confidence": 0.5}
    assert [r["name"] for r in answer["intent_ranking"]] == ["faq/fee", "ticket_status", "faq/join", "chat/weather"]
    assert answer["message_id"] == "m1"
    assert answer["entities"] == [
        {"entity": "phone", "start": 0, "end": 2, "value": "x", "extractor": "RegexEntityExtractor"}
    ]
    assert answer["text_tokens"] == [[0, 1], [1, 2], [2, 5], [5, 6], [6, 7], [7, 8]]
    selector = answer["response_selector"]
    assert selector["all_retrieval_intents"] == ["chat", "faq"]
    assert selector["faq"] == {
        "response": {
            "responses": [{"text": "这样交。"}],
            "confidence": 0.8,
            "intent_response_key": "faq/fee",
            "utter_action": "utter_faq/fee",
        },
        "ranking": [
            {"confidence": 0.8, "intent_response_key": "faq/fee"},
            {"confidence": 0.2, "intent_response_key": "faq/join"},
        ],
    }
    assert selector["default"]["response"]["utter_action"] == "utter_None"


def test_rasas_own_form_folds_a_family_into_one_intent() -> None:
    answer = to_rasa(RESULT, retrieval="rasa")
    assert answer["intent"] == {"name": "faq", "confidence": 0.625, "full_retrieval_intent_name": "faq/fee"}
    assert answer["intent_ranking"] == [
        {"name": "faq", "confidence": 0.625},
        {"name": "ticket_status", "confidence": 0.2},
        {"name": "chat", "confidence": 0.05},
    ]


@pytest.mark.parametrize("retrieval", ["full", "rasa"])
def test_an_unrecognised_text_is_headed_by_the_fallback(retrieval: Any) -> None:
    result = NluResult("", (RankedIntent("nlu_fallback", 0.0), RankedIntent("faq/fee", 0.2)))
    assert to_rasa(result, retrieval=retrieval)["intent"] == {"name": "nlu_fallback", "confidence": 0.0}


@pytest.mark.parametrize("retrieval", ["full", "rasa"])
def test_the_answer_survives_json(retrieval: Any) -> None:
    answer = to_rasa(RESULT, retrieval=retrieval, responses=ANSWERS)
    assert json.loads(json.dumps(answer)) == answer
