"""Text to a sparse vector: Han characters and Latin words as units, their 1- to 3-grams, and pieces of Latin words.

No segmenter: on short Chinese questions characters do as well (nlu.md: .906 against .907 with words) and have no
dictionary to go stale. Each kind of n-gram is a block with its own length, so that a long sentence's many trigrams do
not drown its characters. The square root of idf is a compromise: none at all was as good on the mean of three
collections (seed .747, SMP2017 .920, 泰迪 .877 against .745, .922, .876), full idf worse (.743, .918, .871).

Serving needs NumPy and a dict only: importing SciPy and scikit-learn costs 1 s and 80 MB.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

BLOCK_WEIGHTS = (1.0, 1.0, 0.3, 0.7)
"""Units, pairs, triples, pieces of Latin words."""

_MINIMUM_COUNTS = (1, 1, 2, 2)
MAX_FEATURES = 80_000
"""The commonest are kept; 80,000 features for 150 intents are 48 MB of float32."""

# A single space between Latin words separates nothing that their being two units does not; elsewhere it is a comma.
_UNIT = re.compile(r"[a-z\u00e0-\u00ff']+|[0-9]+|\w|(?!(?<=[a-z0-9']) (?=[a-z0-9']))[^\w]+")
_WORD = re.compile(r"[a-z\u00e0-\u00ff']{2,}")
_EDGE_START, _EDGE_END, _BREAK = "^", "$", " "


@dataclass(frozen=True, slots=True)
class FeatureSpace:
    """``names[i]`` is a feature, ``weights[i]`` its idf ** 0.5 (float32), ``blocks[i]`` its block number."""

    names: tuple[str, ...]
    weights: Floats
    blocks: Ints
    unseen_weight: float
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {name: index for index, name in enumerate(self.names)})

    def vector(self, text: str) -> tuple[Ints, Floats]:
        """(indices, values) of a normalised text, both of shape (k,); k is 0 when nothing in it is known.

        Grams never seen in training count in a block's length: a text made of strange words is far from everything.
        """
        indices: list[int] = []
        values: list[float] = []
        for block, grams in enumerate(_grams(text)):
            if not grams:
                continue
            square, first = 0.0, len(values)
            for gram, count in Counter(grams).items():
                index = self._index.get(gram)
                weight = self.unseen_weight if index is None else float(self.weights[index])
                value = (1.0 + math.log(count)) * weight
                if index is not None:
                    indices.append(index)
                    values.append(value)
                elif _MINIMUM_COUNTS[block] > 1:
                    # Rare triples were never candidates; counting them as strange would shrink ordinary sentences.
                    continue
                square += value * value
            if len(values) > first:
                scale = BLOCK_WEIGHTS[block] / math.sqrt(square)
                values[first:] = [value * scale for value in values[first:]]
        return np.array(indices, np.int32), np.array(values, np.float32)


def fit_features(texts: Sequence[str]) -> FeatureSpace:
    """Choose the features of normalised training texts; the same texts in any order give the same space."""
    counts: list[Counter[str]] = [Counter() for _ in BLOCK_WEIGHTS]
    for text in texts:
        for block, grams in enumerate(_grams(text)):
            counts[block].update(set(grams))
    candidates = [
        (count, block, gram)
        for block, counted in enumerate(counts)
        for gram, count in counted.items()
        if count >= _MINIMUM_COUNTS[block]
    ]
    candidates.sort(key=lambda item: (-item[0], item[1], item[2]))
    kept = sorted(candidates[:MAX_FEATURES], key=lambda item: (item[1], item[2]))
    documents = len(texts)
    return FeatureSpace(
        names=tuple(gram for _, _, gram in kept),
        weights=np.array([_weight(documents, count) for count, _, _ in kept], np.float32),
        blocks=np.array([block for _, block, _ in kept], np.int32),
        unseen_weight=_weight(documents, 0),
    )


def _weight(documents: int, count: int) -> float:
    return math.sqrt(math.log((1 + documents) / (1 + count)) + 1)


def _grams(text: str) -> tuple[list[str], list[str], list[str], list[str]]:
    units = [_EDGE_START]
    units.extend(unit if unit[0].isalnum() or unit[0] in "_'" else _BREAK for unit in _UNIT.findall(text))
    units.append(_EDGE_END)
    pairs = list(map("\t".join, pairwise(units)))
    triples = list(map("\t".join, zip(units, units[1:], units[2:], strict=False)))
    return units, pairs, triples, list(_pieces(_WORD.findall(text)))


def _pieces(words: Iterable[str]) -> Iterable[str]:
    for word in words:
        padded = f" {word} "
        for length in (3, 4):
            for start in range(len(padded) - length + 1):
                yield "#" + padded[start : start + length]
