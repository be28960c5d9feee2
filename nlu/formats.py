"""Rasa 3.1 YAML in, Rasa's NLU JSON out. The shapes were checked against a running Rasa 3.6.21."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from config.yamlfile import ContentError, Document, read_yaml
from nlu.engine import MAX_RANKING, NluResult, RankedIntent
from nlu.normalise import compact

_TOP_LEVEL = frozenset(
    "version nlu responses stories rules intents entities slots forms actions session_config e2e_actions "
    "recipe language pipeline policies assistant_id".split()
)
_KINDS = ("intent", "synonym", "regex", "lookup")
_EXAMPLE_KEYS = frozenset(("text", "metadata"))
_RESPONSE_KEYS = frozenset("text buttons image custom attachment channel condition id metadata elements".split())
_ANNOTATION_KEYS = frozenset(("entity", "value", "role", "group"))

# Rasa's own grammar for an annotation (rasa.shared.nlu.training_data.entities_parser).
_ANNOTATION = re.compile(
    r"\[(?P<text>[^\]]+?)\]"
    r"(?:\((?P<entity>[^:)]+?)(?::(?P<value>[^)]+))?\)|\{(?P<object>[^}]+?)\}|\[(?P<objects>\s*\{.*?\}\s*)\])"
)
_UNFINISHED = re.compile(r"\][({]|\[[^\]]*$")
_TOKEN = re.compile(r"[a-z0-9_]+|[^\W_]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Annotation:
    """A marked span of an example; ``start`` and ``end`` count characters of ``Example.text``."""

    entity: str
    start: int
    end: int
    value: str
    role: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """One training sentence without its annotation marks, and what they marked."""

    text: str
    entities: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Examples by full intent name, in the order read. ``fingerprint`` is a SHA-256 of names, texts and annotations."""

    examples: Mapping[str, tuple[Example, ...]]
    fingerprint: str = field(default="")

    def __post_init__(self) -> None:
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", _fingerprint(self.examples))

    @classmethod
    def from_texts(cls, texts: Mapping[str, Sequence[str]]) -> TrainingData:
        """Plain sentences by label; what the database holds and what tests write."""
        return cls({label: tuple(Example(text) for text in sentences) for label, sentences in texts.items()})

    def pairs(self) -> Iterator[tuple[str, str]]:
        """(text, label) for every example, in order."""
        for label, examples in self.examples.items():
            for example in examples:
                yield example.text, label


def _fingerprint(examples: Mapping[str, tuple[Example, ...]]) -> str:
    plain = {
        label: [[e.text, *([a.entity, a.start, a.end, a.value, a.role, a.group] for a in e.entities)] for e in found]
        for label, found in examples.items()
    }
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


# ---------------------------------------------------------------------------------------------------------- reading


def read_training_files(paths: Iterable[Path], *, may_conflict: bool = False) -> TrainingData:
    """Read Rasa NLU files; a directory stands for every ``*.yml`` and ``*.yaml`` in it that has an ``nlu:`` section.

    Every row is kept, repeated ones too. Raises ContentError, naming file and line, for a file that cannot be read, an
    unknown key, an intent without examples, an unfinished annotation, the same sentence (after ``compact``) in two
    intents, and when nothing at all was found. ``may_conflict`` lets the same sentence stand in two intents: in our own
    content that is a mistake, in collections made by others (and in test sets) it is a fact.
    """
    reader = _Reader(may_conflict=may_conflict)
    asked: list[Path] = []
    for path in paths:
        asked.append(path)
        if path.is_dir():
            files = sorted(found for found in path.rglob("*") if found.suffix in (".yml", ".yaml"))
            documents = [read_yaml(found) for found in files]
            chosen = [found for found in documents if isinstance(found.data, dict) and "nlu" in found.data]
        else:
            chosen = [read_yaml(path)]
        for document in chosen:
            reader.read(document)
    if not reader.examples:
        raise ContentError(asked[0] if asked else "<no files>", "no intents with examples found")
    return TrainingData({label: tuple(examples) for label, examples in reader.examples.items()})


def parse_training_document(document: Document, *, may_conflict: bool = False) -> TrainingData:
    """The same for one document that came from elsewhere, such as an upload. Raises ContentError likewise."""
    reader = _Reader(may_conflict=may_conflict)
    reader.read(document)
    if not reader.examples:
        raise document.error("no intents with examples found")
    return TrainingData({label: tuple(examples) for label, examples in reader.examples.items()})


def read_responses(path: Path) -> dict[str, str]:
    """Read a ``responses:`` section: ``{"utter_faq/league_join_how": text}``, the first text of each.

    Raises ContentError, naming file and line, for an unknown key, a response without text, or a missing section.
    """
    document = read_yaml(path)
    top = _mapping(document, "the file")
    _known(document, top, _TOP_LEVEL)
    responses = _mapping(document, "responses", "responses")
    found: dict[str, str] = {}
    for name, variants in responses.items():
        where = ("responses", name)
        if not isinstance(variants, list) or not variants:
            raise document.error(f"{name!r} must be a list with at least one '- text:'", *where)
        for index, variant in enumerate(variants):
            if not isinstance(variant, dict):
                raise document.error(f"{name!r} must be a list of '- text:' entries", *where, index)
            _known(document, variant, _RESPONSE_KEYS, *where, index)
        texts = [variant["text"] for variant in variants if isinstance(variant.get("text"), str)]
        if not texts or not texts[0].strip():
            raise document.error(f"{name!r} has no text", *where)
        found[str(name)] = texts[0].strip()
    return found


class _Reader:
    """Collects the examples of several documents and remembers who said a sentence first."""

    def __init__(self, *, may_conflict: bool) -> None:
        self.examples: dict[str, list[Example]] = {}
        self._may_conflict = may_conflict
        self._said: dict[str, tuple[str, str]] = {}

    def read(self, document: Document) -> None:
        top = _mapping(document, "the file")
        _known(document, top, _TOP_LEVEL)
        entries = top.get("nlu") or []
        if not isinstance(entries, list):
            raise document.error("'nlu' must be a list of '- intent:' entries", "nlu")
        for index, entry in enumerate(entries):
            self._entry(document, entry, index)

    def _entry(self, document: Document, entry: Any, index: int) -> None:
        where = ("nlu", index)
        if not isinstance(entry, dict):
            raise document.error("every entry under 'nlu' must be a mapping such as '- intent: greet'", *where)
        kinds = [kind for kind in _KINDS if kind in entry]
        _known(document, entry, frozenset((*_KINDS, "examples", "metadata")), *where)
        if len(kinds) != 1:
            raise document.error(f"an entry needs exactly one of {', '.join(_KINDS)}", *where)
        name = _name(document, entry[kinds[0]], *where, kinds[0])
        lines = list(_example_lines(document, entry, index))
        if not lines:
            raise document.error(f"{kinds[0]} {name!r} has no examples", *where)
        if kinds[0] == "intent":
            for line, marked in lines:
                self._example(document, name, marked, line)

    def _example(self, document: Document, intent: str, marked: str, line: int | None) -> None:
        example = _parse_example(document.path, marked, line)
        key = compact(example.text) or example.text.strip()
        other, said_at = self._said.setdefault(key, (intent, f"{document.path.name}:{line}"))
        if other != intent and not self._may_conflict:
            message = f"{example.text!r} is an example of {intent!r} and of {other!r} ({said_at})"
            raise ContentError(document.path, message, line)
        self.examples.setdefault(intent, []).append(example)


def _name(document: Document, value: Any, *where: str | int) -> str:
    if isinstance(value, bool):
        # YAML 1.1 reads an unquoted yes, no, on or off as a truth value; Rasa (YAML 1.2) reads it as the word.
        value = "yes" if value else "no"
    elif isinstance(value, int):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise document.error(f"'{where[-1]}' needs a name", *where)
    return value.strip()


def _example_lines(document: Document, entry: dict[str, Any], index: int) -> Iterator[tuple[int | None, str]]:
    """(line, marked text) of each example of an entry, whichever of Rasa's two notations it uses."""
    examples = entry.get("examples")
    where = ("nlu", index, "examples")
    if isinstance(examples, str):
        key_line = document.line(*where)
        for offset, raw in enumerate(examples.split("\n"), start=1):
            line = key_line + offset if key_line else None
            stripped = raw.strip()
            if not stripped:
                continue
            if not stripped.startswith("-"):
                raise ContentError(document.path, f"an example must begin with '- ': {stripped!r}", line)
            text = stripped[1:].strip()
            if not text:
                raise ContentError(document.path, "an example is empty", line)
            yield line, text
    elif isinstance(examples, list):
        for position, item in enumerate(examples):
            line = document.line(*where, position)
            if isinstance(item, dict):
                _known(document, item, _EXAMPLE_KEYS, *where, position)
            row: object = item.get("text") if isinstance(item, dict) else item
            if not isinstance(row, str) or not row.strip():
                raise ContentError(document.path, "an example needs a non-empty 'text'", line)
            stripped = row.strip()
            yield line, stripped[2:].strip() if stripped.startswith("- ") else stripped
    elif examples is not None:
        raise document.error("'examples' must be a block ('examples: |') or a list", *where)


def _parse_example(path: Path, marked: str, line: int | None) -> Example:
    text, position, entities = "", 0, []
    for match in _ANNOTATION.finditer(marked):
        plain = marked[position : match.start()]
        _finished(path, plain, line)
        text += plain
        start, position = len(text), match.end()
        text += match["text"]
        for note in _notes(path, match, line):
            value = str(note.get("value") or match["text"])
            role, group = (str(note[key]) if note.get(key) is not None else None for key in ("role", "group"))
            entities.append(Annotation(str(note["entity"]).strip(), start, len(text), value, role, group))
    _finished(path, marked[position:], line)
    text += marked[position:]
    if not text.strip():
        raise ContentError(path, "an example is empty", line)
    return Example(text, tuple(entities))


def _notes(path: Path, match: re.Match[str], line: int | None) -> list[dict[str, Any]]:
    if match["entity"]:
        return [{"entity": match["entity"], "value": match["value"]}]
    raw = "{" + match["object"] + "}" if match["object"] else "[" + match["objects"] + "]"
    try:
        parsed = json.loads(raw)
    except ValueError as error:
        raise ContentError(path, f"the annotation {match.group()!r} is not valid JSON", line) from error
    notes = parsed if isinstance(parsed, list) else [parsed]
    for note in notes:
        if not isinstance(note, dict) or not note.get("entity") or set(note) - _ANNOTATION_KEYS:
            allowed = ", ".join(sorted(_ANNOTATION_KEYS))
            raise ContentError(path, f"the annotation {match.group()!r} may hold {allowed}; 'entity' is needed", line)
    return notes


def _finished(path: Path, plain: str, line: int | None) -> None:
    if _UNFINISHED.search(plain):
        raise ContentError(path, f"a bracket is not closed in {plain.strip()!r}; write ［ ］ for plain brackets", line)


def _mapping(document: Document, what: str, *where: str) -> dict[str, Any]:
    data = document.data
    for key in where:
        data = data.get(key) if isinstance(data, dict) else None
    if not isinstance(data, dict):
        raise document.error(f"{what} must be a mapping", *where)
    return data


def _known(document: Document, mapping: Mapping[Any, Any], allowed: frozenset[str], *where: str | int) -> None:
    for key in mapping:
        if key not in allowed:
            raise document.error(f"unknown key {key!r}; known are {', '.join(sorted(allowed))}", *where, key)


# ---------------------------------------------------------------------------------------------------------- writing


def to_rasa(
    result: NluResult,
    *,
    retrieval: Literal["full", "rasa"] = "full",
    responses: Mapping[str, str] | None = None,
    message_id: str | None = None,
) -> dict[str, Any]:
    """Rasa's answer to ``POST /model/parse``.

    ``retrieval="full"`` names intents in full (``faq/x``); ``"rasa"`` folds each family into one entry (``faq``, its
    confidence the sum of its members) and adds ``full_retrieval_intent_name``. ``responses`` holds the answers by
    ``utter_faq/x`` and also tells which families exist when the ranking shows none. Confidences inside
    ``response_selector`` are shares of the family, as Rasa's selector gives them.
    """
    answers = responses or {}
    families: dict[str, list[RankedIntent]] = {
        name.removeprefix("utter_").split("/")[0]: [] for name in answers if name.startswith("utter_") and "/" in name
    }
    for ranked in result.ranking:
        if "/" in ranked.name:
            families.setdefault(ranked.name.split("/")[0], []).append(ranked)
    ranking = [{"name": r.name, "confidence": r.confidence} for r in result.ranking]
    intent: dict[str, Any] = dict(ranking[0])
    if retrieval == "rasa":
        ranking = _fold_families(result)
        intent = dict(ranking[0])
        members = families.get(intent["name"])
        if members:
            intent["full_retrieval_intent_name"] = members[0].name
    selector: dict[str, Any] = {"all_retrieval_intents": sorted(families)}
    for family, members in sorted(families.items()):
        selector[family] = _selected(members, answers)
    selector["default"] = _selected([], answers)
    answer: dict[str, Any] = {
        "text": result.text,
        "intent": intent,
        "entities": [
            {
                "entity": e.entity,
                "start": e.start,
                "end": e.end,
                "value": e.value,
                "extractor": e.extractor,
            }
            for e in result.entities
        ],
        "text_tokens": [[token.start(), token.end()] for token in _TOKEN.finditer(result.text)],
        "intent_ranking": ranking,
        "response_selector": selector,
    }
    if message_id is not None:
        answer["message_id"] = message_id
    return answer


def _fold_families(result: NluResult) -> list[dict[str, Any]]:
    """Each family once with the sum of its members; the head of the ranking keeps its place only as nlu_fallback."""
    sums: dict[str, float] = {}
    for ranked in result.ranking:
        name = ranked.name.split("/")[0]
        sums[name] = min(1.0, sums.get(name, 0.0) + ranked.confidence)
    head = result.intent.name if result.intent.name == "nlu_fallback" else None
    ordered = sorted(sums.items(), key=lambda item: (item[0] != head, -item[1]))
    return [{"name": name, "confidence": confidence} for name, confidence in ordered[:MAX_RANKING]]


def _selected(members: Sequence[RankedIntent], answers: Mapping[str, str]) -> dict[str, Any]:
    if not members:
        # What Rasa's ResponseSelector says when it has nothing to choose from.
        empty = {"responses": None, "confidence": 0.0, "intent_response_key": None, "utter_action": "utter_None"}
        return {"response": empty, "ranking": []}
    total = sum(member.confidence for member in members)
    shares = [(member.name, member.confidence / total if total else 0.0) for member in members]
    name, share = shares[0]
    utter = f"utter_{name}"
    return {
        "response": {
            "responses": [{"text": answers[utter]}] if utter in answers else [],
            "confidence": share,
            "intent_response_key": name,
            "utter_action": utter,
        },
        "ranking": [{"confidence": share, "intent_response_key": name} for name, share in shares],
    }
