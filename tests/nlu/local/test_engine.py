from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.engine import IntentEngine, Utterance
from nlu.local.engine import LocalEngine
from nlu.local.model_store import save_model

ROOT = Path(__file__).resolve().parents[3]


async def test_the_local_engine_is_an_intent_engine(engine: LocalEngine) -> None:
    asked: IntentEngine = engine
    result = await asked.parse(Utterance("团费在哪里交啊", message_id="1"))
    assert result == engine.classify("团费在哪里交啊")
    assert result.intent.name == "faq/league_fee"


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("想入团，咋弄", "faq/league_join_how"),
        ("欠團費了怎麼補交", "faq/league_fee"),
        ("我那個工單有結果沒", "ticket_status"),
        ("能不能给我转个人工！！！", "human_handoff"),
        ("推荐个火锅", "out_of_scope"),
    ],
)
def test_unseen_wordings_are_understood(engine: LocalEngine, text: str, intent: str) -> None:
    assert engine.classify(text).intent.name == intent


@pytest.mark.parametrize("text", ["转人工", "转 人工。", "轉人工", "转人工😀", " 转\u200b人工！！"])
def test_a_training_sentence_is_certain_however_it_is_typed(engine: LocalEngine, text: str) -> None:
    assert (engine.classify(text).intent.name, engine.classify(text).intent.confidence) == ("human_handoff", 1.0)


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "😀😀", "[捂脸]", "？？？", "\ud800", "\x00", "👍🏻"])
def test_a_text_without_words_is_not_recognised(engine: LocalEngine, text: str) -> None:
    result = engine.classify(text)
    assert (result.intent.name, result.intent.confidence, result.text) == ("nlu_fallback", 0.0, text)


def test_strange_words_leave_little_confidence(engine: LocalEngine) -> None:
    result = engine.classify("鹦鹉螺号潜艇航速几节")
    assert max(ranked.confidence for ranked in result.ranking if ranked.name != "out_of_scope") < 0.2


@given(st.text(st.characters(codec=None), max_size=120))
def test_any_text_gets_a_well_formed_result(engine: LocalEngine, text: str) -> None:
    result = engine.classify(text)
    confidences = [ranked.confidence for ranked in result.ranking]
    assert 1 <= len(confidences) <= 10
    assert confidences == sorted(confidences, reverse=True)
    assert sum(confidences) <= 1.0 + 1e-5
    assert all(0.0 <= confidence <= 1.0 for confidence in confidences)
    assert len({ranked.name for ranked in result.ranking}) == len(confidences)
    assert result.text == text


def test_only_the_first_1_000_characters_are_classified(engine: LocalEngine) -> None:
    question = "团费在哪里交啊" + "。" * 993
    assert engine.classify(question + "转人工" * 30_000).ranking == engine.classify(question).ranking


def test_100_000_characters_cost_no_more_than_1_000(engine: LocalEngine) -> None:
    text = "团费在哪里交啊？" * 12_500
    engine.classify(text)
    started = time.perf_counter()
    engine.classify(text)
    assert time.perf_counter() - started < 0.2


def test_entities_are_spans_of_the_original_text(engine: LocalEngine) -> None:
    result = engine.classify("哈哈哈哈，工單ＧＤ2611030012怎麼樣了")
    (entity,) = result.entities
    assert result.text[entity.start : entity.end] == "ＧＤ2611030012"
    assert entity.value == "GD2611030012"


def test_serving_imports_neither_scikit_learn_nor_scipy(engine: LocalEngine, tmp_path: Path) -> None:
    # They cost a second of start-up and 80 MB in every process that only answers.
    save_model(engine, tmp_path)
    program = (
        "import sys; from pathlib import Path; from nlu.local.model_store import load_model\n"
        "import nlu.training, nlu.evaluation, nlu.fallback, nlu.urgency, nlu.formats\n"
        f"engine = load_model(Path({str(tmp_path)!r}))\n"
        "assert engine.classify('团费在哪里交啊').intent.name == 'faq/league_fee'\n"
        "heavy = {'sklearn', 'scipy', 'sqlalchemy', 'redis', 'rasa'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
