"""The tree of responsible organisations, what each may handle and where (``config/seed/org_units.yml``)."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from config.yamlfile import Document
from routing import fields
from routing.topics import TopicTree

KINDS = frozenset(
    (
        "central province city county school enterprise branch service_desk_12355 trade_union social_org expert_team"
    ).split()
)
# Two capabilities of equal reach: the later one here wins (kb/check.py, mode_for).
MODES = ("refuse", "advise", "triage", "handle")
LEAGUE_KINDS = frozenset({"central", "province", "city", "county"})
MEMBER_KINDS = frozenset({"school", "enterprise", "branch"})


@dataclass(frozen=True, slots=True)
class Capability:
    """A unit's way (``mode``) with topic subtrees; ``"*"`` is every topic."""

    topics: tuple[str, ...]
    mode: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class OrgUnit:
    """One responsible organisation. ``area_code`` is GB/T 2260; the whole country is 100000 (our convention)."""

    code: str
    name: str
    aliases: tuple[str, ...] = ()
    kind: str = "county"
    parent: str | None = None
    area_code: str = "100000"
    area_excludes: tuple[str, ...] = ()
    localities: tuple[str, ...] = ()
    hours: str = "office"
    is_demo: bool = False
    is_active: bool = True
    is_crisis_desk: bool = False
    is_triage_desk: bool = False
    is_privacy_officer: bool = False
    capabilities: tuple[Capability, ...] = ()


@dataclass(frozen=True, slots=True)
class TreeFault:
    """Position in the list of units, the field at fault, and a sentence."""

    index: int
    field: str
    message: str


class OrgTreeError(ValueError):
    """Units that do not form a tree."""


def area_prefix(code: str) -> str:
    """The digits that every code inside the area begins with: 442000 → 4420, 100000 → ""."""
    if code == "100000":
        return ""
    while code.endswith("00"):
        code = code[:-2]
    return code


def name_key(name: str) -> str:
    """Names that differ only in width, case, spaces or punctuation are the same name."""
    folded = unicodedata.normalize("NFKC", name).lower()
    return "".join(char for char in folded if unicodedata.category(char)[0] not in "PSZC")


class OrgTree:
    """Units by code, in the order they were written. Raises OrgTreeError when they do not form a tree."""

    def __init__(self, units: Iterable[OrgUnit]) -> None:
        self.units: tuple[OrgUnit, ...] = tuple(units)
        for fault in _faults(self.units):
            raise OrgTreeError(fault.message)
        self._units = {unit.code: unit for unit in self.units}
        self._ancestors = {unit.code: tuple(self._climb(unit)) for unit in self.units}
        self._modes: dict[str, dict[str, Capability]] = {unit.code: _by_node(unit) for unit in self.units}
        self._sub_local = {unit.code for unit in self.units if self._is_sub_local(unit)}
        by_prefix: defaultdict[str, list[OrgUnit]] = defaultdict(list)
        for unit in self.units:
            if unit.is_active:
                by_prefix[area_prefix(unit.area_code)].append(unit)
        self._by_prefix = dict(by_prefix)

    @classmethod
    def from_document(cls, doc: Document, *, topics: TopicTree | None = None) -> OrgTree:
        """Read and validate a units file; with ``topics`` also that every capability names a known topic.

        Raises ContentError: unknown parent, cycle, duplicate id, duplicate name or alias, bad area code, an area
        outside the parent's, unknown kind, mode, hours or status.
        """
        units = [
            _read(doc, item, where=("units", index), topics=topics)
            for index, item in enumerate(fields.items(doc, "units"))
        ]
        for fault in _faults(units):
            raise doc.error(fault.message, "units", fault.index, fault.field)
        return cls(units)

    def __iter__(self) -> Iterator[OrgUnit]:
        return iter(self.units)

    def __contains__(self, code: object) -> bool:
        return code in self._units

    def __len__(self) -> int:
        return len(self.units)

    def get(self, code: str | None) -> OrgUnit | None:
        return self._units.get(code) if code is not None else None

    def ancestors(self, code: str) -> tuple[str, ...]:
        """The codes above a unit, nearest first; empty for a root or an unknown code."""
        return self._ancestors.get(code, ())

    def path(self, code: str) -> str:
        """From the root down: ``cn/gd/gd-zs``."""
        return "/".join((*reversed(self.ancestors(code)), code))

    def in_subtree(self, code: str, root: str) -> bool:
        return code == root or root in self.ancestors(code)

    def is_sub_local(self, code: str) -> bool:
        """A town or zone that shares its parent's area code and is told apart by its localities only."""
        return code in self._sub_local

    def capability(self, code: str, topic: str) -> Capability | None:
        """The capability that decides: the most specific subtree, then handle > triage > advise > refuse."""
        nodes = self._modes.get(code)
        if nodes is None:
            return None
        node = topic
        while node:
            if node in nodes:
                return nodes[node]
            node = node.rpartition(".")[0]
        return nodes.get("*")

    def mode_for(self, code: str, topic: str) -> str | None:
        """handle, triage, advise, refuse, or None when the unit says nothing about the topic."""
        capability = self.capability(code, topic)
        return capability.mode if capability else None

    def covers(self, code: str, area: str | None, locality: str | None = None) -> int | None:
        """How closely the unit covers the place (higher is closer), None when it does not (kb/check.py, covers)."""
        unit = self._units.get(code)
        if unit is None or not area or area in unit.area_excludes:
            return None
        prefix = area_prefix(unit.area_code)
        if not area.startswith(prefix):
            return None
        if code in self._sub_local:
            return len(prefix) + 1 if locality and locality in unit.localities else None
        return len(prefix)

    def covering(self, area: str | None, locality: str | None = None) -> list[tuple[OrgUnit, int]]:
        """Every active unit that covers the place with its specificity; file order within one specificity."""
        found: list[tuple[OrgUnit, int]] = []
        if not area:
            return found
        for length in (0, 2, 4, 6):
            prefix = area[:length]
            if len(prefix) < length:
                break
            for unit in self._by_prefix.get(prefix, ()):
                level = self.covers(unit.code, area, locality)
                if level is not None:
                    found.append((unit, level))
        return found

    def _climb(self, unit: OrgUnit) -> Iterator[str]:
        while unit.parent is not None:
            yield unit.parent
            unit = self._units[unit.parent]

    def _is_sub_local(self, unit: OrgUnit) -> bool:
        parent = self._units.get(unit.parent) if unit.parent else None
        if parent is None or parent.area_code != unit.area_code:
            return False
        return unit.kind == "county" or (unit.kind == "trade_union" and parent.kind == "trade_union")


def _by_node(unit: OrgUnit) -> dict[str, Capability]:
    nodes: dict[str, Capability] = {}
    for capability in unit.capabilities:
        for node in capability.topics:
            known = nodes.get(node)
            if known is None or MODES.index(capability.mode) > MODES.index(known.mode):
                nodes[node] = capability
    return nodes


def _faults(units: Sequence[OrgUnit]) -> Iterator[TreeFault]:
    by_code: dict[str, OrgUnit] = {}
    names: dict[str, str] = {}
    for index, unit in enumerate(units):
        if unit.code in by_code:
            yield TreeFault(index, "id", f"unit {unit.code} is defined twice")
        by_code[unit.code] = unit
        if unit.kind not in KINDS:
            yield TreeFault(index, "kind", f"unit {unit.code}: unknown kind {unit.kind}")
        if not re.fullmatch(r"[1-9][0-9]{5}", unit.area_code):
            yield TreeFault(index, "area_code", f"unit {unit.code}: area code {unit.area_code!r} is not six digits")
        for capability in unit.capabilities:
            if capability.mode not in MODES:
                yield TreeFault(index, "capabilities", f"unit {unit.code}: unknown mode {capability.mode}")
        for name in (unit.name, *unit.aliases):
            owner = names.setdefault(name_key(name), unit.code)
            if owner != unit.code:
                field = "name" if name == unit.name else "aliases"
                yield TreeFault(index, field, f"unit {unit.code}: the name {name} already belongs to {owner}")
    for index, unit in enumerate(units):
        yield from _parent_faults(index, unit, by_code=by_code)


def _parent_faults(index: int, unit: OrgUnit, *, by_code: Mapping[str, OrgUnit]) -> Iterator[TreeFault]:
    if unit.parent is None:
        return
    if unit.parent not in by_code:
        yield TreeFault(index, "parent", f"unit {unit.code}: unknown parent {unit.parent}")
        return
    parent = by_code[unit.parent]
    if not unit.area_code.startswith(area_prefix(parent.area_code)):
        message = f"unit {unit.code}: area {unit.area_code} is outside its parent's {parent.area_code}"
        yield TreeFault(index, "area_code", message)
    seen: set[str] = {unit.code}
    above: OrgUnit | None = parent
    while above is not None:
        if above.code in seen:
            yield TreeFault(index, "parent", f"unit {unit.code}: its parents form a cycle")
            return
        seen.add(above.code)
        above = by_code.get(above.parent) if above.parent else None


def _read(doc: Document, item: Mapping[str, object], *, where: fields.Where, topics: TopicTree | None) -> OrgUnit:
    code = fields.text(doc, item, "id", where=where)
    hours = fields.text(doc, item, "hours", where=where)
    if hours not in (doc.data.get("hours_profiles") or {}):
        raise doc.error(f"unit {code}: hours {hours} are not listed in hours_profiles", *where, "hours")
    status = fields.text(doc, item, "status", where=where)
    if status not in {"active", "inactive"}:
        raise doc.error(f"unit {code}: status must be active or inactive", *where, "status")
    excludes = fields.texts(doc, item, "area_excludes", where=where)
    for area in excludes:
        if not re.fullmatch(r"[1-9][0-9]{5}", area):
            raise doc.error(f"unit {code}: area code {area!r} is not six digits", *where, "area_excludes")
    return OrgUnit(
        code=code,
        name=fields.text(doc, item, "name", where=where),
        aliases=fields.texts(doc, item, "aliases", where=where),
        kind=fields.text(doc, item, "kind", where=where),
        parent=fields.optional_text(doc, item, "parent", where=where),
        area_code=fields.text(doc, item, "area_code", where=where),
        area_excludes=excludes,
        localities=fields.texts(doc, item, "localities", where=where),
        hours=hours,
        is_demo=fields.flag(doc, item, "demo", where=where),
        is_active=status == "active",
        is_crisis_desk=fields.flag(doc, item, "crisis_desk", where=where),
        is_triage_desk=fields.flag(doc, item, "triage_desk", where=where),
        is_privacy_officer=fields.flag(doc, item, "privacy_officer", where=where),
        capabilities=tuple(_capabilities(doc, item, code=code, where=where, topics=topics)),
    )


def _capabilities(
    doc: Document, item: Mapping[str, object], *, code: str, where: fields.Where, topics: TopicTree | None
) -> Iterator[Capability]:
    listed = item.get("capabilities")
    if not isinstance(listed, list):
        raise doc.error(f"unit {code}: “capabilities” must be a list", *where, "capabilities")
    for index, entry in enumerate(listed):
        here = (*where, "capabilities", index)
        if not isinstance(entry, Mapping):
            raise doc.error(f"unit {code}: a capability must be a mapping", *here)
        mode = fields.text(doc, entry, "mode", where=here)
        if mode not in MODES:
            raise doc.error(f"unit {code}: unknown mode {mode}", *here, "mode")
        nodes = fields.texts(doc, entry, "topics", where=here)
        if not nodes:
            raise doc.error(f"unit {code}: a capability needs topics", *here, "topics")
        for node in nodes:
            if topics is not None and node != "*" and node not in topics:
                raise doc.error(f"unit {code}: unknown topic {node}", *here, "topics")
        yield Capability(topics=nodes, mode=mode, note=fields.optional_text(doc, entry, "note", where=here) or "")
