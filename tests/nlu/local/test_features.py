from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.local import features as module
from nlu.local.features import BLOCK_WEIGHTS, fit_features

TEXTS = ["怎么入团", "怎么交团费", "查 ticket 进度", "how to join", "how to pay", "入团要多久"]


def test_every_block_of_a_known_text_has_its_own_length() -> None:
    space = fit_features(TEXTS)
    indices, values = space.vector("how to join")
    for block, weight in enumerate(BLOCK_WEIGHTS):
        length = math.sqrt(float((values[space.blocks[indices] == block] ** 2).sum()))
        # Triples and pieces seen once are not features, so those blocks may be empty.
        assert length == pytest.approx(weight, abs=1e-6) or (block >= 2 and length == 0.0)


def test_latin_words_are_units_and_are_also_cut_in_pieces() -> None:
    names = set(fit_features(TEXTS).names)
    assert {"ticket", "how", "how\tto", "#how", "入\t团"} <= names
    assert "t" not in names


def test_strange_words_shorten_the_rest() -> None:
    space = fit_features(TEXTS)
    index = space.names.index("入")

    def share(text: str) -> float:
        indices, values = space.vector(text)
        return float(values[list(indices).index(index)])

    assert share("入团") > share("入团鹦鹉螺号")


def test_a_text_of_strange_words_only_has_no_features_but_its_edges() -> None:
    indices, _ = fit_features(TEXTS).vector("鹦鹉螺")
    space = fit_features(TEXTS)
    assert {space.names[i] for i in indices} <= {"^", "$"}


def test_the_order_of_texts_does_not_matter() -> None:
    shuffled = TEXTS[:]
    random.Random(1).shuffle(shuffled)
    first, second = fit_features(TEXTS), fit_features(shuffled)
    assert first.names == second.names
    assert np.array_equal(first.weights, second.weights)


def test_only_the_commonest_features_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FEATURES", 3)
    assert set(fit_features(TEXTS).names) == {"^", "$", "团"}


@given(st.text(max_size=60))
def test_any_text_has_finite_features(text: str) -> None:
    space = fit_features(TEXTS)
    indices, values = space.vector(text)
    assert indices.shape == values.shape
    assert np.isfinite(values).all()
    assert len(set(indices.tolist())) == len(indices)
