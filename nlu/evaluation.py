"""How well an engine does on labelled sentences."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nlu.engine import FALLBACK_INTENT, OUT_OF_SCOPE_INTENT, IntentEngine, NluResult, Utterance
from nlu.formats import TrainingData

MAX_CONFUSIONS = 50
_FALSE_ALARMS = 0.05


@dataclass(frozen=True, slots=True)
class IntentFigures:
    """``support`` is the number of test sentences; the others are 0 to 1."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """``count`` sentences of ``expected`` were taken for ``predicted``; ``example`` is the first."""

    expected: str
    predicted: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class OutOfScopeFigures:
    """How well "1 − the sum of the in-scope confidences" separates ``out_of_scope`` from the rest.

    The sum, not the best: two close FAQ entries share the confidence of a clear question (seed content: AUROC .950
    against .934).

    ``recall_at_5_percent_false_alarms``: share of out-of-scope sentences caught when at most 5 % of the in-scope ones
    are taken for out of scope.
    """

    auroc: float
    recall_at_5_percent_false_alarms: float
    support: int


@dataclass(frozen=True, slots=True)
class Report:
    """``macro_f1`` is the mean over the intents that have test sentences; ``top3`` counts the right one among three."""

    model_id: str
    examples: int
    accuracy: float
    top3: float
    macro_f1: float
    in_scope_accuracy: float
    mean_confidence: float
    intents: dict[str, IntentFigures]
    confusions: tuple[Confusion, ...]
    out_of_scope: OutOfScopeFigures | None


def evaluate(engine: IntentEngine, data: TrainingData) -> Report:
    """Ask the engine for every example. Synchronous: not for use inside a running event loop (see evaluate_async)."""
    return asyncio.run(evaluate_async(engine, data))


async def evaluate_async(engine: IntentEngine, data: TrainingData) -> Report:
    """The same within an event loop. Raises ValueError for no examples."""
    answers = [(text, label, await engine.parse(Utterance(text))) for text, label in data.pairs()]
    return report_on(answers, model_id=engine.model_id)


def report_on(answers: Sequence[tuple[str, str, NluResult]], *, model_id: str) -> Report:
    """Figures for (text, expected intent, result) triples, such as those of a cross-validation."""
    if not answers:
        raise ValueError("nothing to evaluate: no examples")
    expected = [label for _, label, _ in answers]
    predicted = [result.intent.name for _, _, result in answers]
    right = [want == got for want, got in zip(expected, predicted, strict=True)]
    in_scope = [ok for ok, want in zip(right, expected, strict=True) if want != OUT_OF_SCOPE_INTENT]
    intents = _per_intent(expected, predicted)
    return Report(
        model_id=model_id,
        examples=len(answers),
        accuracy=_mean(right),
        top3=_mean([want in [r.name for r in result.ranking[:3]] for _, want, result in answers]),
        macro_f1=_mean([figures.f1 for figures in intents.values()]),
        in_scope_accuracy=_mean(in_scope),
        mean_confidence=_mean([result.intent.confidence for _, _, result in answers]),
        intents=intents,
        confusions=_confusions(answers),
        out_of_scope=_out_of_scope(answers),
    )


def to_json(report: Report) -> dict[str, Any]:
    """Plain data for ``json.dump``."""
    return asdict(report)


def _mean(values: Sequence[float | bool]) -> float:
    return sum(values) / len(values) if values else 0.0


def _per_intent(expected: Sequence[str], predicted: Sequence[str]) -> dict[str, IntentFigures]:
    support, given = Counter(expected), Counter(predicted)
    hits = Counter(want for want, got in zip(expected, predicted, strict=True) if want == got)
    table = {}
    for intent in sorted(support):
        precision = hits[intent] / given[intent] if given[intent] else 0.0
        recall = hits[intent] / support[intent]
        f1 = 2 * precision * recall / (precision + recall) if hits[intent] else 0.0
        table[intent] = IntentFigures(precision, recall, f1, support[intent])
    return table


def _confusions(answers: Sequence[tuple[str, str, NluResult]]) -> tuple[Confusion, ...]:
    counted: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    for text, want, result in answers:
        if want != result.intent.name:
            counted[want, result.intent.name] += 1
            first.setdefault((want, result.intent.name), text)
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:MAX_CONFUSIONS]
    return tuple(Confusion(want, got, count, first[want, got]) for (want, got), count in ordered)


def _out_of_scope(answers: Sequence[tuple[str, str, NluResult]]) -> OutOfScopeFigures | None:
    strange = [_strangeness(result) for _, want, result in answers if want == OUT_OF_SCOPE_INTENT]
    usual = [_strangeness(result) for _, want, result in answers if want != OUT_OF_SCOPE_INTENT]
    if not strange or not usual:
        return None
    return OutOfScopeFigures(auroc(strange, usual), recall_at(strange, usual, _FALSE_ALARMS), len(strange))


def _strangeness(result: NluResult) -> float:
    strange = (OUT_OF_SCOPE_INTENT, FALLBACK_INTENT)
    return 1.0 - sum(ranked.confidence for ranked in result.ranking if ranked.name not in strange)


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Chance that a positive scores above a negative, ties counting half (Mann-Whitney U)."""
    ordered = sorted([(value, True) for value in positive] + [(value, False) for value in negative])
    rank_sum, position = 0.0, 0
    while position < len(ordered):
        end = position
        while end < len(ordered) and ordered[end][0] == ordered[position][0]:
            end += 1
        shared_rank = (position + 1 + end) / 2
        rank_sum += shared_rank * sum(is_positive for _, is_positive in ordered[position:end])
        position = end
    pairs = len(positive) * len(negative)
    return (rank_sum - len(positive) * (len(positive) + 1) / 2) / pairs


def recall_at(positive: Sequence[float], negative: Sequence[float], false_alarms: float) -> float:
    """The best recall over all thresholds at which at most this share of the negatives is flagged."""
    allowed = int(false_alarms * len(negative))
    # Flag what lies strictly above the highest negative that must stay unflagged.
    limit = sorted(negative, reverse=True)[allowed] if allowed < len(negative) else float("-inf")
    return sum(value > limit for value in positive) / len(positive)
