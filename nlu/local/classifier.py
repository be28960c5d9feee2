"""One linear score per intent, turned into probabilities that also leave room for "none of these"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlu.local.features import FeatureSpace, Floats, Ints, fit_features

_FOLDS = 5
_STRANGER_SHARE = 0.25
"""Weight of sentences of a left-out intent against ordinary ones while calibrating: about one message in five that
reaches a service desk fits nothing it knows."""


@dataclass(frozen=True, slots=True)
class LinearClassifier:
    """``weights`` is float32 (features, labels), ``intercept`` float32 (labels,).

    Probabilities are ``exp(sharpness * score)``, shared among all labels and "none of these", whose logit is
    ``none_logit``; so they sum to less than 1, and to little when every score is low.
    """

    labels: tuple[str, ...]
    weights: Floats
    intercept: Floats
    sharpness: float
    none_logit: float

    def scores(self, indices: Ints, values: Floats) -> Floats:
        """Distances to each label's hyperplane, shape (labels,)."""
        if not len(indices):
            return self.intercept
        scores: Floats = values @ self.weights[indices] + self.intercept
        return scores

    def probabilities(self, scores: Floats) -> Floats:
        """Shape (labels,), each 0 to 1, summing to at most 1."""
        logits = self.sharpness * scores.astype(np.float64)
        top = max(float(logits.max()), self.none_logit)
        powers = np.exp(logits - top)
        shared: Floats = powers / (powers.sum() + np.exp(self.none_logit - top))
        return shared


def train_classifier(
    texts: Sequence[str], labels: Sequence[str], *, keep_together: Sequence[str], never_strange: frozenset[str]
) -> tuple[FeatureSpace, LinearClassifier]:
    """Fit features, weights and calibration on normalised texts.

    ``keep_together`` gives each text a key; texts with one key fall into one fold, so that a repeated sentence does not
    vouch for itself. Labels in ``never_strange`` are not left out when strangers are simulated.
    Raises ValueError for no texts at all.
    """
    if not texts:
        raise ValueError("nothing to train on: no intent has an example")
    names = tuple(sorted(set(labels)))
    index = {name: position for position, name in enumerate(names)}
    targets = np.array([index[label] for label in labels])
    features = fit_features(texts)
    weights, intercept = _fit(features, texts, targets, len(names))
    sharpness, none_logit = _calibrate(
        texts,
        targets,
        len(names),
        folds=_folds(targets, keep_together),
        strange=np.array([name not in never_strange for name in names]),
    )
    return features, LinearClassifier(names, weights, intercept, sharpness, none_logit)


def _matrix(features: FeatureSpace, texts: Sequence[str]) -> Any:
    from scipy.sparse import csr_matrix

    rows = [features.vector(text) for text in texts]
    ends = np.cumsum([0] + [len(indices) for indices, _ in rows])
    columns = np.concatenate([indices for indices, _ in rows])
    values = np.concatenate([values for _, values in rows]).astype(np.float64)
    return csr_matrix((values, columns, ends), shape=(len(texts), len(features.names)))


def _fit(features: FeatureSpace, texts: Sequence[str], targets: Any, label_count: int) -> tuple[Floats, Floats]:
    """One-vs-rest squared hinge: (features, labels) and (labels,). Labels without a text get the lowest intercept."""
    from sklearn.svm import LinearSVC

    weights = np.zeros((len(features.names), label_count), np.float32)
    intercept = np.full(label_count, -1.0, np.float32)
    present = np.unique(targets)
    if len(present) == 1:
        intercept[present[0]] = 0.0
        return weights, intercept
    # dual=True draws a random order; the seed makes the same data give the same bytes.
    machine = LinearSVC(C=1.0, dual=True, random_state=0, max_iter=2_000)
    machine.fit(_matrix(features, texts), targets)
    coefficients, offsets = machine.coef_, machine.intercept_
    if len(present) == 2:
        coefficients, offsets = np.vstack([-coefficients, coefficients]), np.concatenate([-offsets, offsets])
    weights[:, present] = coefficients.T
    intercept[present] = offsets
    return weights, intercept


def _folds(targets: Any, keys: Sequence[str]) -> Any:
    """A fold number for each text: an intent's sentences dealt round, equal keys together."""
    dealt: dict[int, dict[str, int]] = {}
    folds = []
    for target, key in zip(targets.tolist(), keys, strict=True):
        hand = dealt.setdefault(target, {})
        folds.append((hand.setdefault(key, len(hand)) + target) % _FOLDS)
    return np.array(folds)


def _calibrate(
    texts: Sequence[str], targets: Any, label_count: int, *, folds: Any, strange: Any
) -> tuple[float, float]:
    """(sharpness, none_logit) with the least log loss on sentences the scorer has not seen.

    In each fold a fifth of the intents is left out altogether; their sentences stand for everything nobody foresaw.
    """
    position = np.arange(label_count)
    may_leave_out = label_count >= 2 * _FOLDS
    known_scores: list[Any] = []
    known_targets: list[Any] = []
    stranger_scores: list[Any] = []
    for fold in range(_FOLDS):
        left_out = strange & (position % _FOLDS == fold) if may_leave_out else np.zeros(label_count, bool)
        is_strange = left_out[targets]
        learns = (folds != fold) & ~is_strange
        asked = (folds == fold) & ~is_strange
        if not learns.any() or not (asked.any() or is_strange.any()):
            continue
        taught = [text for text, learn in zip(texts, learns, strict=True) if learn]
        features = fit_features(taught)
        weights, intercept = _fit(features, taught, targets[learns], label_count)
        intercept[np.bincount(targets[learns], minlength=label_count) == 0] = -np.inf
        for chosen, into in ((asked, known_scores), (is_strange, stranger_scores)):
            some = [text for text, take in zip(texts, chosen, strict=True) if take]
            if some:
                into.append(_matrix(features, some) @ weights + intercept)
        known_targets.append(targets[asked])
    if not known_scores:
        return 1.0, 0.0
    return _least_loss(np.vstack(known_scores), np.concatenate(known_targets), stranger_scores)


def _least_loss(known: Any, targets: Any, strangers: Sequence[Any]) -> tuple[float, float]:
    """Grid search: 16 sharpnesses by 49 logits. ``known`` is (texts, labels)."""
    own = known[np.arange(len(targets)), targets]
    usable = np.isfinite(own)
    known, own = known[usable], own[usable]
    strange = np.vstack(strangers) if strangers else np.zeros((0, known.shape[1]))
    weight = _STRANGER_SHARE * len(own) / len(strange) if len(strange) else 0.0
    best = (np.inf, 1.0, 0.0)
    for sharpness in np.geomspace(1.0, 16.0, 16):
        known_mass, strange_mass = _log_mass(sharpness * known), _log_mass(sharpness * strange)
        for none in np.linspace(-1.5, 1.5, 49) * sharpness:
            loss = (np.logaddexp(known_mass, none) - sharpness * own).sum()
            if len(strange):
                loss += weight * (np.logaddexp(strange_mass, none) - none).sum()
            if loss < best[0]:
                best = (float(loss), float(sharpness), float(none))
    return best[1], best[2]


def _log_mass(logits: Any) -> Any:
    if not len(logits):
        return np.zeros(0)
    top = logits.max(axis=1, keepdims=True)
    return top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
