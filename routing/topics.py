"""The tree of topics a ticket can be about (``config/seed/topics.yml``); only leaves are opened as tickets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import opencc

from config.yamlfile import Document
from routing import fields


@dataclass(frozen=True, slots=True)
class Topic:
    """One node. ``unit_kinds`` are the kinds of unit that could handle it; who really does is a capability."""

    code: str
    parent: str | None
    name_zh: str
    name_en: str
    description: str
    sensitivity: str
    default_urgency: str
    unit_kinds: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


def is_under(topic: str, nodes: Iterable[str]) -> bool:
    """Is ``topic`` one of ``nodes`` or below one of them? (codes are dotted paths)"""
    return any(topic == node or topic.startswith(f"{node}.") for node in nodes)


@cache
def _to_traditional() -> opencc.OpenCC:
    return opencc.OpenCC("s2twp")


class TopicTree:
    """Topics in the order they were written."""

    def __init__(self, topics: Iterable[Topic]) -> None:
        self._topics = {topic.code: topic for topic in topics}
        parents = {topic.parent for topic in self._topics.values()}
        self._leaves = tuple(topic for topic in self._topics.values() if topic.code not in parents)

    @classmethod
    def from_document(cls, doc: Document) -> TopicTree:
        """Read and validate a topics file.

        Raises ContentError: unknown parent, code without its parent's prefix, duplicate, unlisted sensitivity or
        urgency, a leaf without unit kinds, an inner node with them.
        """
        topics: dict[str, Topic] = {}
        places: dict[str, int] = {}
        entries = fields.items(doc, "topics")
        for index, item in enumerate(entries):
            topic = _read(doc, item, where=("topics", index))
            if topic.code in topics:
                raise doc.error(f"topic {topic.code} is defined twice", "topics", index, "code")
            if topic.parent is not None and topic.parent not in topics:
                raise doc.error(
                    f"topic {topic.code}: parent {topic.parent} is unknown or written later", "topics", index, "parent"
                )
            topics[topic.code], places[topic.code] = topic, index
        tree = cls(topics.values())
        leaves = set(tree.leaves())
        for topic in topics.values():
            if (topic in leaves) != bool(topic.unit_kinds):
                fault = "a leaf needs unit_kinds" if topic in leaves else "only a leaf may have unit_kinds"
                raise doc.error(f"topic {topic.code}: {fault}", "topics", places[topic.code], "unit_kinds")
        return tree

    def __iter__(self) -> Iterator[Topic]:
        return iter(self._topics.values())

    def __contains__(self, code: object) -> bool:
        return code in self._topics

    def __len__(self) -> int:
        return len(self._topics)

    def leaves(self) -> tuple[Topic, ...]:
        return self._leaves

    def get(self, code: str) -> Topic | None:
        return self._topics.get(code)

    def is_under(self, topic: str, nodes: Iterable[str]) -> bool:
        return is_under(topic, nodes)

    def name(self, code: str, locale: str = "zh_CN") -> str:
        """The name for people; "" for an unknown code. English, Traditional (zh_TW, zh_HK) or Simplified."""
        topic = self._topics.get(code)
        if topic is None:
            return ""
        if locale.lower().startswith("en"):
            return topic.name_en
        if locale.lower().replace("-", "_") in {"zh_tw", "zh_hk", "zh_hant"}:
            return str(_to_traditional().convert(topic.name_zh))
        return topic.name_zh


def _read(doc: Document, item: Mapping[str, object], *, where: fields.Where) -> Topic:
    topic = Topic(
        code=fields.text(doc, item, "code", where=where),
        parent=fields.optional_text(doc, item, "parent", where=where),
        name_zh=fields.text(doc, item, "name_zh", where=where),
        name_en=fields.text(doc, item, "name_en", where=where),
        description=fields.text(doc, item, "description", where=where),
        sensitivity=fields.text(doc, item, "sensitivity", where=where),
        default_urgency=fields.text(doc, item, "default_urgency", where=where),
        unit_kinds=fields.texts(doc, item, "unit_kinds", where=where),
        examples=fields.texts(doc, item, "examples", where=where),
    )
    if topic.code.rpartition(".")[0] != (topic.parent or ""):
        raise doc.error(f"topic {topic.code}: the code must be its parent's code and one more word", *where, "code")
    if topic.sensitivity not in (doc.data.get("sensitivity_levels") or {}):
        raise doc.error(f"topic {topic.code}: sensitivity {topic.sensitivity} is not listed", *where, "sensitivity")
    if topic.default_urgency not in (doc.data.get("urgency_levels") or {}):
        raise doc.error(f"topic {topic.code}: urgency {topic.default_urgency} is not listed", *where, "default_urgency")
    return topic
