"""Finding many names in one text in a single pass, longest name first."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Generic, TypeVar

import opencc

T = TypeVar("T")

_DIGITS = str.maketrans("一二三四五六七八九", "123456789")
_DROPPED = frozenset(" \t\u3000()（）[]【】《》“”\"'‘’·•「」『』〈〉")


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


def simplify(text: str) -> str:
    """Simplified Chinese, half width and lower case, character for character: positions stay the same."""
    folded = []
    for char in text:
        plain = unicodedata.normalize("NFKC", char).lower()
        folded.append(plain if len(plain) == 1 else char)
    same_width = "".join(folded)
    converted = str(_converter().convert(same_width))
    if len(converted) != len(same_width):  # a phrase that changes its length; single characters never do
        converted = "".join(str(_converter().convert(char))[:1] or char for char in same_width)
    return converted


@dataclass(frozen=True, slots=True)
class Compact:
    """Text as it is searched: simplified, without spaces, brackets and quotation marks, 三班 as 3班."""

    text: str
    positions: tuple[int, ...]  # of every character in the original, and the original's length

    @classmethod
    def of(cls, original: str) -> Compact:
        kept = [(char, index) for index, char in enumerate(simplify(original)) if char not in _DROPPED]
        chars = [char for char, _ in kept]
        for index, char in enumerate(chars[1:], start=1):
            if char == "班":
                chars[index - 1] = chars[index - 1].translate(_DIGITS)
        return cls("".join(chars), (*(index for _, index in kept), len(original)))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where a piece of the compact text lies in the original."""
        return self.positions[start], self.positions[end - 1] + 1 if end > start else self.positions[start]


@dataclass(frozen=True, slots=True)
class Mention(Generic[T]):
    start: int
    end: int
    name: str
    value: T


class NameIndex(Generic[T]):
    """Names by their first two characters; names of one character are not indexed (they say too little)."""

    def __init__(self, names: Mapping[str, T]) -> None:
        buckets: defaultdict[str, list[tuple[str, T]]] = defaultdict(list)
        for name, value in names.items():
            if len(name) > 1:
                buckets[name[:2]].append((name, value))
        self._buckets = {key: sorted(found, key=lambda pair: -len(pair[0])) for key, found in buckets.items()}

    def mentions(self, text: str, *, blocked: Iterable[tuple[int, int]] = ()) -> Iterator[Mention[T]]:
        """Names from left to right, the longest at each place, none overlapping a blocked span or each other."""
        taken = bytearray(len(text))
        for start, end in blocked:
            taken[start:end] = b"\x01" * (end - start)
        position = 0
        while position < len(text) - 1:
            for name, value in self._buckets.get(text[position : position + 2], ()):
                end = position + len(name)
                if text.startswith(name, position) and not any(taken[position:end]):
                    yield Mention(position, end, name, value)
                    position = end
                    break
            else:
                position += 1
