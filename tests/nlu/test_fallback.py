from __future__ import annotations

import pytest

from nlu.engine import NluResult, RankedIntent
from nlu.fallback import Ambiguous, Confident, Decision, Thresholds, Unknown, decide

THRESHOLDS = Thresholds(floor=0.5, margin=0.2, offer_floor=0.1, offer_share=0.25)


def decided(**confidences: float) -> Decision:
    ranking = tuple(RankedIntent(name.replace("faq_", "faq/"), value) for name, value in confidences.items())
    return decide(NluResult("x", ranking), THRESHOLDS)


def names(decision: Decision) -> list[str]:
    ranked = (
        decision.nearest
        if isinstance(decision, Unknown)
        else decision.intents
        if isinstance(decision, Ambiguous)
        else ()
    )
    return [r.name for r in ranked]


def test_above_the_floor_and_clear_of_the_second_it_acts() -> None:
    assert decided(faq_a=0.7, faq_b=0.2) == Confident("faq/a", 0.7)


def test_high_but_close_to_the_second_it_asks() -> None:
    decision = decided(faq_a=0.5, faq_b=0.45)
    assert isinstance(decision, Ambiguous)
    assert names(decision) == ["faq/a", "faq/b"]


def test_clear_of_the_second_but_below_the_floor_it_asks() -> None:
    decision = decided(faq_a=0.4, faq_b=0.05)
    assert isinstance(decision, Ambiguous)
    assert names(decision) == ["faq/a"]


def test_at_most_three_are_offered() -> None:
    assert len(names(decided(faq_a=0.2, faq_b=0.2, faq_c=0.2, faq_d=0.2))) == 3


def test_nothing_likely_is_unknown_with_the_nearest_entries() -> None:
    decision = decided(faq_a=0.05, greet=0.04, faq_b=0.03)
    assert isinstance(decision, Unknown)
    assert names(decision) == ["faq/a", "faq/b"]


@pytest.mark.parametrize("name", ["out_of_scope", "nlu_fallback"])
def test_something_else_entirely_is_unknown_however_sure(name: str) -> None:
    decision = decided(**{name: 0.99, "ticket_status": 0.004, "faq_a": 0.002})
    assert isinstance(decision, Unknown)
    assert names(decision) == ["faq/a"]


def test_out_of_scope_counts_as_a_rival_but_is_never_offered() -> None:
    decision = decided(faq_a=0.5, out_of_scope=0.4, faq_b=0.05)
    assert isinstance(decision, Ambiguous)
    assert names(decision) == ["faq/a"]


def test_small_talk_is_acted_on_but_never_offered() -> None:
    assert decided(thanks=0.9, faq_a=0.05) == Confident("thanks", 0.9)
    assert names(decided(thanks=0.4, faq_a=0.35)) == ["faq/a"]
    assert isinstance(decided(thanks=0.4, faq_a=0.05), Unknown)


def test_a_single_candidate_needs_no_second() -> None:
    assert decided(faq_a=0.6) == Confident("faq/a", 0.6)


@pytest.mark.parametrize("field", ["floor", "margin", "offer_floor", "offer_share"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_threshold_is_a_probability(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        Thresholds(**{field: value})
