"""Words that must reach a person at once, looked for before any classifier and in the whole message.

The lexicon is content (``config/seed/crisis_lexicon.yml``). Steps: fold the text to letters and digits
(``compact``, so that spaces, full stops or zero-width characters between the letters hide nothing), blank out the false
friends from the longest to the shortest, then look for phrases and patterns. A match only rings the bell; what happens
next is for the crisis rules and the person on duty.

One RE2 alternation per category and severity keeps the cost linear: 0.1 ms for an everyday message. Patterns with
look-around, which RE2 lacks, are tried with ``re`` only after RE2 found the same pattern without its look-arounds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import re2

from config.yamlfile import ContentError, Document
from nlu.normalise import compact

SEVERITIES = ("watch", "high", "critical")
"""Rising. From ``high`` on a match is acute."""

_BLANK = "\u25a0"
_LOOK_AROUND = re.compile(r"\(\?<?[=!]")
_RULE_KINDS = ("phrases", "patterns")
_FRIEND_KEYS = frozenset(("phrase", "pattern", "why"))


@dataclass(frozen=True, slots=True)
class CrisisMatch:
    """``categories`` gives the worst severity found in each category; ``top_category`` has the worst of all."""

    categories: dict[str, str]
    top_category: str
    severity: str

    @property
    def is_acute(self) -> bool:
        """Whether it cannot wait for the next question (``high`` or ``critical``)."""
        return SEVERITIES.index(self.severity) >= SEVERITIES.index("high")


@dataclass(frozen=True, slots=True)
class _Group:
    """Everything that means one severity of one category."""

    category: str
    severity: str
    plain: Any
    relaxed: Any
    exact: tuple[re.Pattern[str], ...]

    def found_in(self, text: str) -> bool:
        if self.plain is not None and self.plain.search(text):
            return True
        if self.relaxed is not None and not self.relaxed.search(text):
            return False
        return any(pattern.search(text) for pattern in self.exact)


@dataclass(frozen=True, slots=True)
class CrisisLexicon:
    """Built by :meth:`from_document`; holds no text of any requester."""

    _any_friend: Any
    _friends: tuple[str | re.Pattern[str], ...]
    _groups: tuple[_Group, ...]
    _hotlines: Mapping[str, str]

    @classmethod
    def from_document(cls, document: Document) -> CrisisLexicon:
        """Raises ContentError, with the line, for a missing part, an unknown severity, or a pattern that is not one."""
        data = document.data
        if not isinstance(data, dict) or not isinstance(data.get("categories"), dict) or not data["categories"]:
            raise document.error("a crisis lexicon needs 'categories'")
        friends = _read_friends(document, data.get("false_friends") or [])
        groups: list[_Group] = []
        hotlines: dict[str, str] = {}
        for category, body in data["categories"].items():
            where = ("categories", category)
            if not isinstance(body, dict):
                raise document.error(f"{category!r} must be a mapping", *where)
            hotline = body.get("hotline_text")
            if not isinstance(hotline, str) or not hotline.strip():
                raise document.error(f"{category!r} needs 'hotline_text'", *where)
            hotlines[category] = hotline.strip()
            groups.extend(_read_groups(document, category, body))
        return cls(_any_of(friends), friends, tuple(groups), hotlines)

    @property
    def categories(self) -> tuple[str, ...]:
        """In the order of the lexicon, which also breaks ties of severity."""
        return tuple(self._hotlines)

    def scan(self, text: str) -> CrisisMatch | None:
        """The worst severity of every category named in the text, or None. Never raises; reads all of the text."""
        folded = self._without_false_friends(compact(text))
        found: dict[str, str] = {}
        # Groups of a category run from critical to watch; the first to match settles it.
        for group in self._groups:
            if group.category not in found and group.found_in(folded):
                found[group.category] = group.severity
        if not found:
            return None
        top = max(found, key=lambda category: SEVERITIES.index(found[category]))
        return CrisisMatch(found, top, found[top])

    def hotline_text(self, category: str) -> str:
        """What is sent to the person at once. Raises KeyError for a category that the lexicon does not have."""
        return self._hotlines[category]

    def failed_tests(self, document: Document) -> tuple[ContentError, ...]:
        """The lexicon's own ``tests`` (must_trigger, must_not_trigger) that it fails, and phrases that cannot match."""
        tests = (document.data or {}).get("tests") or {}
        failures: list[ContentError] = []
        for index, case in enumerate(tests.get("must_trigger") or []):
            match = self.scan(case["text"])
            got = match.categories.get(case["category"]) if match else None
            if got is None or SEVERITIES.index(got) < SEVERITIES.index(case["min_severity"]):
                message = f"{case['text']!r} must be {case['category']} {case['min_severity']}, got {got}"
                failures.append(document.error(message, "tests", "must_trigger", index))
        for index, text in enumerate(tests.get("must_not_trigger") or []):
            match = self.scan(text)
            if match:
                message = f"{text!r} must not trigger, got {match.categories}"
                failures.append(document.error(message, "tests", "must_not_trigger", index))
        for category, body in document.data["categories"].items():
            for severity, phrases in (body.get("phrases") or {}).items():
                for index, phrase in enumerate(phrases or []):
                    if self.scan(phrase) is None:
                        where = ("categories", category, "phrases", severity, index)
                        failures.append(document.error(f"{phrase!r} is hidden by a false friend", *where))
        return tuple(failures)

    def _without_false_friends(self, text: str) -> str:
        if self._any_friend is not None and not self._any_friend.search(text):
            return text
        for friend in self._friends:
            if isinstance(friend, str):
                text = text.replace(friend, _BLANK * len(friend))
            else:
                text = friend.sub(lambda match: _BLANK * len(match.group()), text)
        return text


def _read_friends(document: Document, friends: Any) -> tuple[str | re.Pattern[str], ...]:
    if not isinstance(friends, list):
        raise document.error("'false_friends' must be a list", "false_friends")
    read: list[tuple[int, str | re.Pattern[str]]] = []
    for index, friend in enumerate(friends):
        where = ("false_friends", index)
        if not isinstance(friend, dict) or not isinstance(friend.get("phrase"), str) or set(friend) - _FRIEND_KEYS:
            raise document.error("a false friend is {phrase, why} and may have a pattern", *where)
        folded = compact(friend["phrase"])
        if not folded:
            raise document.error("a false friend needs letters", *where)
        pattern = friend.get("pattern")
        read.append((len(friend["phrase"]), folded if pattern is None else _compiled(document, pattern, *where)))
    # Stable: equally long friends keep the order of the file.
    return tuple(friend for _, friend in sorted(read, key=lambda item: -item[0]))


def _any_of(friends: Sequence[str | re.Pattern[str]]) -> Any:
    """A quick test whether any friend can occur at all; None when there is no such test."""
    return _re2("|".join(re2.escape(f) if isinstance(f, str) else _relaxed(f.pattern) for f in friends))


def _read_groups(document: Document, category: str, body: dict[str, Any]) -> list[_Group]:
    where = ("categories", category)
    for kind in _RULE_KINDS:
        by_severity = body.get(kind) or {}
        if not isinstance(by_severity, dict):
            raise document.error(f"{kind!r} must be a mapping of severities", *where, kind)
        for severity, rules in by_severity.items():
            if severity not in SEVERITIES:
                raise document.error(f"unknown severity {severity!r}; known are {', '.join(SEVERITIES)}", *where, kind)
            if not isinstance(rules or [], list) or not all(isinstance(rule, str) for rule in rules or []):
                raise document.error(f"{kind!r} must list texts", *where, kind, severity)
    groups = []
    for severity in reversed(SEVERITIES):
        phrases = (body.get("phrases") or {}).get(severity) or []
        patterns = (body.get("patterns") or {}).get(severity) or []
        plain: list[str] = []
        for index, phrase in enumerate(phrases):
            if not compact(phrase):
                raise document.error("a phrase needs letters", *where, "phrases", severity, index)
            plain.append(re2.escape(compact(phrase)))
        exact: list[re.Pattern[str]] = []
        for index, pattern in enumerate(patterns):
            compiled = _compiled(document, pattern, *where, "patterns", severity, index)
            if _LOOK_AROUND.search(pattern) or _re2(pattern) is None:
                exact.append(compiled)
            else:
                plain.append(f"(?:{pattern})")
        if plain or exact:
            relaxed = _re2("|".join(f"(?:{_relaxed(pattern.pattern)})" for pattern in exact)) if exact else None
            groups.append(_Group(category, severity, _re2("|".join(plain)) if plain else None, relaxed, tuple(exact)))
    return groups


def _compiled(document: Document, pattern: Any, *where: str | int) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except (re.error, TypeError, OverflowError, RecursionError) as error:
        raise document.error(f"the pattern {pattern!r} is not a regular expression: {error}", *where) from error
    if compiled.search(""):
        raise document.error(f"the pattern {pattern!r} matches everything", *where)
    return compiled


def _re2(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    # A larger automaton cache (default 8 MiB) keeps RE2 from falling back to its slower engine on long texts.
    options.max_mem = 32 << 20
    try:
        return re2.compile(pattern, options=options)
    except re2.error:
        return None


def _relaxed(pattern: str) -> str:
    """The pattern without its look-arounds: matches wherever the pattern does, and more."""
    while opening := _LOOK_AROUND.search(pattern):
        depth, end = 1, opening.end()
        while depth and end < len(pattern):
            if pattern[end] == "\\":
                end += 1
            elif pattern[end] in "()":
                depth += 1 if pattern[end] == "(" else -1
            end += 1
        pattern = pattern[: opening.start()] + pattern[end:]
    return pattern
