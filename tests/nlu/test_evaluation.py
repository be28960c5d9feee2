from __future__ import annotations

import json
import random

import pytest
from sklearn.metrics import f1_score, roc_auc_score

from nlu.engine import NluResult, RankedIntent
from nlu.evaluation import auroc, evaluate, recall_at, report_on, to_json
from nlu.formats import TrainingData
from nlu.local.engine import LocalEngine


def result(name: str, confidence: float = 0.9) -> NluResult:
    return NluResult("x", (RankedIntent(name, confidence), RankedIntent("other", 0.05)))


def test_accuracy_f1_and_confusions_are_counted() -> None:
    expected = ["a", "a", "a", "b", "b", "c"]
    predicted = ["a", "a", "b", "b", "c", "a"]
    report = report_on(
        [(f"{i}", w, result(g)) for i, (w, g) in enumerate(zip(expected, predicted, strict=True))], model_id="m"
    )
    assert report.accuracy == 0.5
    assert report.macro_f1 == pytest.approx(f1_score(expected, predicted, average="macro"))
    assert report.intents["a"].support == 3
    assert report.intents["a"].precision == pytest.approx(2 / 3)
    assert [(c.expected, c.predicted, c.count, c.example) for c in report.confusions] == [
        ("a", "b", 1, "2"),
        ("b", "c", 1, "4"),
        ("c", "a", 1, "5"),
    ]
    assert report.out_of_scope is None


def test_auroc_agrees_with_scikit_learn_ties_included() -> None:
    source = random.Random(7)
    positive = [source.randint(3, 9) / 10 for _ in range(60)]
    negative = [source.randint(0, 7) / 10 for _ in range(90)]
    expected = roc_auc_score([1] * 60 + [0] * 90, positive + negative)
    assert auroc(positive, negative) == pytest.approx(expected)


def test_recall_is_taken_where_false_alarms_stay_within_bounds() -> None:
    negative = [i / 100 for i in range(100)]
    assert recall_at([0.93, 0.945, 0.96, 2.0], negative, 0.05) == 0.75
    assert recall_at([0.5], [0.5] * 10, 0.05) == 0.0


def test_out_of_scope_figures_appear_with_out_of_scope_data() -> None:
    answers = [("1", "a", result("a", 0.9)), ("2", "a", result("a", 0.6)), ("3", "out_of_scope", result("a", 0.2))]
    answers.append(("4", "out_of_scope", result("out_of_scope", 0.9)))
    report = report_on(answers, model_id="m")
    assert report.out_of_scope is not None
    assert report.out_of_scope.auroc == 1.0
    assert report.out_of_scope.recall_at_5_percent_false_alarms == 1.0
    assert report.in_scope_accuracy == 1.0
    assert report.accuracy == 0.75


def test_an_engine_knows_its_own_sentences(engine: LocalEngine, small_data: TrainingData) -> None:
    report = evaluate(engine, small_data)
    assert report.accuracy == 1.0
    assert report.model_id == engine.model_id
    assert json.loads(json.dumps(to_json(report)))["examples"] == len(list(small_data.pairs()))


def test_no_examples_is_a_misuse(engine: LocalEngine) -> None:
    with pytest.raises(ValueError, match="no examples"):
        evaluate(engine, TrainingData({}))
