from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.local.classifier import LinearClassifier


def classifier(sharpness: float = 5.0, none_logit: float = 0.0) -> LinearClassifier:
    weights = np.eye(3, dtype=np.float32)
    return LinearClassifier(("a", "b", "c"), weights, np.zeros(3, np.float32), sharpness, none_logit)


scores = st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3)


@given(scores, st.floats(0.1, 50), st.floats(-100, 100))
def test_probabilities_sum_to_at_most_one_and_keep_the_order(
    values: list[float], sharpness: float, none: float
) -> None:
    probabilities = classifier(sharpness, none).probabilities(np.array(values, np.float32))
    assert (probabilities >= 0).all()
    assert probabilities.sum() <= 1.0 + 1e-9
    best = int(np.argmax(values))
    assert probabilities[best] == probabilities.max()


def test_low_scores_leave_room_for_none_of_these() -> None:
    high = classifier().probabilities(np.array([1.0, -1.0, -1.0], np.float32))
    low = classifier().probabilities(np.array([-1.0, -1.2, -1.2], np.float32))
    assert high.sum() > 0.99
    assert low.sum() < 0.05


def test_scores_add_the_weights_of_the_features_present() -> None:
    got = classifier().scores(np.array([0, 2], np.int32), np.array([0.5, 2.0], np.float32))
    assert got.tolist() == pytest.approx([0.5, 0.0, 2.0])


def test_no_features_leave_the_intercepts() -> None:
    nothing = np.array([], np.int32), np.array([], np.float32)
    assert classifier().scores(*nothing).tolist() == [0.0, 0.0, 0.0]
