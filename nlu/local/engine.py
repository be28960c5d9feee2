"""The default engine: n-gram features and a linear classifier, a table of known sentences, entities by shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nlu.engine import FALLBACK_INTENT, MAX_RANKING, NluResult, RankedIntent, Utterance
from nlu.local.classifier import LinearClassifier
from nlu.local.entities import find_entities
from nlu.local.features import FeatureSpace
from nlu.normalise import MAX_CLASSIFIED, compact, normalise


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """``known`` gives the label number of each training sentence after ``compact``: said so, it means so."""

    model_id: str
    features: FeatureSpace
    classifier: LinearClassifier
    known: Mapping[str, int]

    async def parse(self, utterance: Utterance) -> NluResult:
        """A fraction of a millisecond of arithmetic; nothing is awaited."""
        return self.classify(utterance.text)

    def classify(self, text: str) -> NluResult:
        """Read the first 1,000 characters; the result carries the whole text. Never raises.

        A text without letters or digits (empty, emoji, "？？") is headed by ``nlu_fallback`` with confidence 0.
        A training sentence gets confidence 1 and everything else 0, in the classifier's order.
        """
        read = text[:MAX_CLASSIFIED]
        normalised = normalise(read)
        key = compact(normalised)
        entities = find_entities(read)
        if not key:
            return NluResult(text, (RankedIntent(FALLBACK_INTENT, 0.0),), entities)
        probabilities = self.classifier.probabilities(self.classifier.scores(*self.features.vector(normalised)))
        exact = self.known.get(key)
        if exact is not None:
            probabilities = probabilities * 1e-12
            probabilities[exact] = 1.0
        # Stable: equal probabilities keep the order of the labels.
        order = np.argsort(-probabilities, kind="stable")[:MAX_RANKING]
        labels = self.classifier.labels
        ranking = tuple(RankedIntent(labels[i], round(float(probabilities[i]), 6)) for i in order)
        return NluResult(text, ranking, entities)
