"""Where something happens and which organisation is meant, out of free text.

The gazetteer is the organisation tree itself: localities of the League's provinces, cities, districts and towns.
The most specific place wins (中山小榄 is 小榄); what merely carries a place's name (南京大学, 中山路) is masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from routing import false_friends, org_names
from routing.name_index import Compact, Mention, NameIndex, simplify
from routing.org_units import MEMBER_KINDS, OrgTree, OrgUnit, area_prefix

_GAZETTEER_KINDS = ("province", "city", "county")

# A place after one of these is where somebody came from; it only counts when no other place is named.
_ORIGIN_BEFORE = tuple(
    "从 自 老家 老家在 户籍 户籍在 户口 户口在 原籍 籍贯 来自 离开 原来在 以前在 之前在 毕业于".split()
)
_ORIGIN_AFTER = ("户口", "户籍", "人氏", "籍")
_NEGATED = ("不在", "不是", "并非")
_GOAL_BEFORE = ("到", "去", "来", "回", "在", "转入", "往")
_NEAR_BY = ("附近", "旁边", "对面", "隔壁", "后面", "门口")
# Words that name a kind of unit rather than the unit, as in 小榄的工会; the third is a part of the unit's name.
_OFFICE_WORDS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("12355", ("service_desk_12355",), ""),
    ("服务台", ("service_desk_12355",), ""),
    ("工会", ("trade_union",), ""),
    ("律师", ("expert_team",), "律师"),
    ("心理", ("expert_team",), "心理"),
    ("导师", ("expert_team",), "导师"),
    ("社工", ("social_org",), "社工"),
    ("志愿", ("social_org",), "志愿"),
    ("共青团", _GAZETTEER_KINDS, ""),
    ("团组织", _GAZETTEER_KINDS, ""),
    ("团委", _GAZETTEER_KINDS, ""),
    ("团工委", _GAZETTEER_KINDS, ""),
    ("团市委", ("city",), ""),
    ("团区委", ("county",), ""),
    ("团县委", ("county",), ""),
    ("团省委", ("province",), ""),
)


@dataclass(frozen=True, slots=True)
class Place:
    """An area, and the locality within it where the code is not enough. ``start``/``end`` index the original text."""

    area_code: str
    locality: str | None
    name: str
    start: int = 0
    end: int = 0

    @property
    def level(self) -> int:
        """Digits that are known: 2 province, 4 city, 6 district, county or town."""
        return 6 if self.locality else len(area_prefix(self.area_code))


class AreaNames:
    """Names of areas for people: 中山市小榄镇, 咸阳市礼泉县; "" when the tree has no name for the code."""

    def __init__(self, tree: OrgTree) -> None:
        self._tree = tree
        self._own: dict[tuple[str, str | None], str] = {}
        self._cities: set[str] = set()  # 杨凌 is a city by itself although its code lies within 咸阳's
        for unit in tree:
            if unit.kind in _GAZETTEER_KINDS and unit.localities:
                key = (unit.area_code, unit.localities[0] if tree.is_sub_local(unit.code) else None)
                self._own.setdefault(key, _own_name(unit))
                if unit.kind == "city":
                    self._cities.add(unit.area_code)

    def name(self, area: str | None, locality: str | None = None) -> str:
        if not area:
            return ""
        prefix = area_prefix(area)
        within = len(prefix) >= 4 and not (area in self._cities and len(prefix) == 6)
        city = self._own.get((f"{prefix[:4]}00", None), "") if within else ""
        own = self._own.get((area, locality)) or ("" if not locality else self._by_any_form(area, locality))
        if own:
            return own if _is_said_with(own, city) else f"{city}{own}"
        if area == f"{prefix[:4]}00" and city:
            return f"{city}{locality}" if locality and locality not in city else city
        return self._own.get((area, None)) or city or self._own.get((f"{prefix[:2]}0000", None), "")

    def _by_any_form(self, area: str, locality: str) -> str:
        for unit in self._tree:
            if unit.area_code == area and locality in unit.localities and self._tree.is_sub_local(unit.code):
                return self._own.get((area, unit.localities[0]), "")
        return ""


def _is_said_with(own: str, city: str) -> bool:
    return own == city or own.startswith(city.removesuffix("市")) if city else True


def _own_name(unit: OrgUnit) -> str:
    """The longest locality that is part of the unit's own name, else its first: 小榄镇, 火炬开发区."""
    inside = [name for name in unit.localities if name in unit.name]
    longest = max(inside, key=len, default=unit.localities[0])
    formal = [name for name in unit.localities if name.startswith(longest) and name[-1] in "省市区县镇"]
    return min(formal, key=len) if formal and longest[-1] not in "省市区县镇道" else longest


class PlaceFinder:
    """Built once per tree; every method is a pure function of its arguments."""

    def __init__(self, tree: OrgTree) -> None:
        self._tree = tree
        self.area_names = AreaNames(tree)
        self._towns = {
            (town.area_code, name): town.localities[0]
            for town in tree
            if town.kind == "county" and tree.is_sub_local(town.code)
            for name in town.localities
        }
        places: dict[str, Place | None] = dict.fromkeys(false_friends.ELSEWHERE)
        self._bare: set[str] = set()  # names that need their city named beside them
        for unit in tree:
            if unit.is_active and unit.kind in _GAZETTEER_KINDS:
                self._add(unit, places)
        self._places = NameIndex(places)
        self._orgs = NameIndex(org_names.names(tree))
        self._tails = org_names.branch_tails(tree)
        short = {name for name, place in places.items() if place is not None and name[-1] not in "省市区县镇"}
        self._false_friends = false_friends.pattern(short)

    def simplify(self, text: str) -> str:
        """The text as rules compare it: Simplified, half width, lower case, same length."""
        return simplify(text)

    def find_place(self, text: str, *, is_answer: bool = False) -> Place | None:
        """The place where it happens, or None.

        ``is_answer``: the text answers “where?”, so that a bare 东区 counts without 中山 beside it. Without an explicit
        place, the place of an organisation that is named (松苑中学 is in 东区).
        """
        compact = Compact.of(text)
        orgs = self._org_mentions(compact.text)
        blocked = [(mention.start, mention.end) for mention in orgs]
        masked = _mask(compact.text, blocked)
        blocked += [match.span() for match in self._false_friends.finditer(masked)]
        mentions = list(self._places.mentions(compact.text, blocked=blocked))
        known = [mention for mention in mentions if mention.value is not None]
        of_org = self._org_place(compact, orgs)
        explicit = self._best_place(compact.text, known, is_answer=is_answer, near=of_org)
        if explicit is None:
            return of_org
        start, end = compact.span(explicit.start, explicit.end)
        place = replace(explicit, start=start, end=end)
        if of_org is not None and of_org.level > place.level and _is_inside(of_org, place):
            return of_org
        return place

    def elsewhere(self, text: str) -> str | None:
        """A province or city outside the tree that the text names, and no place in it: 成都."""
        if self.find_place(text) is not None:
            return None
        compact = Compact.of(text)
        named = [name for name in false_friends.NOT_SERVED if name in compact.text]
        return max(named, key=len, default=None)

    def find_org(self, text: str) -> OrgUnit | None:
        """The organisation the person belongs to or complains about: branch before school, either before an office."""
        compact = Compact.of(text)
        best = self._best_org(compact.text, self._org_mentions(compact.text))
        return self._tree.get(best.value) if best else None

    def find_units(self, text: str, *, limit: int = 5) -> tuple[OrgUnit, ...]:
        """Units somebody may mean when choosing one (“我要找小榄团委”, “小榄的工会”), best first."""
        compact = Compact.of(text)
        mentions = self._org_mentions(compact.text) or self._org_mentions(compact.text.replace("的", ""))
        named = sorted(mentions, key=lambda mention: (-len(mention.name), mention.start))
        codes = dict.fromkeys(mention.value for mention in named)
        if not codes:
            codes = dict.fromkeys(self._offices(compact.text))
        units = [self._tree.get(code) for code in codes]
        return tuple(unit for unit in units if unit is not None)[:limit]

    def org_phrase(self, text: str) -> str | None:
        """A school or employer that is in no tree, as the person wrote it: 小榄一家五金厂."""
        compact = Compact.of(text)
        known = [(mention.start, mention.end) for mention in self._org_mentions(compact.text)]
        found = org_names.unknown_phrase(_mask(compact.text, known, by="，"))
        if found is None:
            return None
        start, end = compact.span(*found)
        return text[start:end].strip()

    def place_of(self, unit: OrgUnit) -> Place | None:
        """Where a unit is: its area, and the town of the nearest unit above it that is told apart by localities."""
        locality = None
        for code in (unit.code, *self._tree.ancestors(unit.code)):
            above = self._tree.get(code)
            if above is None or above.area_code != unit.area_code:
                break
            locality = self._town(above)
            if locality or self._tree.is_sub_local(code):
                break
        return Place(unit.area_code, locality, self.area_names.name(unit.area_code, locality))

    # ── places ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _add(self, unit: OrgUnit, places: dict[str, Place | None]) -> None:
        is_town = self._tree.is_sub_local(unit.code)
        locality = unit.localities[0] if is_town and unit.localities else None
        place = Place(unit.area_code, locality, self.area_names.name(unit.area_code, locality))
        parent = self._tree.get(unit.parent)
        for name in unit.localities:
            key = Compact.of(name).text
            places[key] = place
            if key in false_friends.AMBIGUOUS:
                self._bare.add(key)
            for city in parent.localities if parent and is_town else ():
                rest = key.removeprefix(city)
                if rest != key and rest in false_friends.AMBIGUOUS:
                    places.setdefault(rest, place)
                    self._bare.add(rest)

    def _town(self, unit: OrgUnit) -> str | None:
        """The first locality of the town that the unit itself names (a school's 东区, a union's 火炬区)."""
        for name in unit.localities:
            town = self._towns.get((unit.area_code, name))
            if town is not None:
                return town
        return None

    def _org_place(self, compact: Compact, orgs: Sequence[Mention[str]]) -> Place | None:
        best = self._best_org(compact.text, orgs)
        unit = self._tree.get(best.value) if best else None
        place = self.place_of(unit) if unit else None
        if best is None or place is None or place.level == 0:
            return None
        start, end = compact.span(best.start, best.end)
        return replace(place, start=start, end=end)

    def _best_place(
        self, text: str, mentions: Sequence[Mention[Place | None]], *, is_answer: bool, near: Place | None
    ) -> Place | None:
        ranked: list[tuple[tuple[int, int, int, int], Place]] = []
        unsure = self._bare | {"古镇"}
        context = {near, *(mention.value for mention in mentions if mention.name not in unsure)}
        for mention in mentions:
            place = mention.value
            before, after = text[: mention.start], text[mention.end :]
            if place is None or (before.endswith(_NEGATED) and not before.endswith("是不是")):
                continue
            if mention.name in unsure:
                is_near = any(other is not None and _is_inside(place, other) for other in context)
                if not _stands_alone(mention, before, after, is_near=is_near, is_answer=is_answer):
                    continue
            is_origin = before.endswith(_ORIGIN_BEFORE) or after.startswith(_ORIGIN_AFTER)
            is_goal = before.endswith(_GOAL_BEFORE)
            rank = (int(is_origin), -place.level, -int(is_goal), mention.start)
            ranked.append((rank, replace(place, start=mention.start, end=mention.end)))
        return min(ranked, key=lambda pair: pair[0])[1] if ranked else None

    # ── organisations ─────────────────────────────────────────────────────────────────────────────────────────────
    def _org_mentions(self, text: str) -> list[Mention[str]]:
        found = []
        for mention in self._orgs.mentions(text):
            for branch, tail in self._tails.get(mention.value, ()):
                match = tail.search(text, mention.end, mention.end + 24)
                if match is not None:
                    mention = Mention(mention.start, match.end(), text[mention.start : match.end()], branch)  # noqa: PLW2901 - the same mention, read further
                    break
            found.append(mention)
        return found

    def _best_org(self, text: str, mentions: Sequence[Mention[str]]) -> Mention[str] | None:
        def rank(mention: Mention[str]) -> tuple[bool, int, int, int, int]:
            unit = self._tree.get(mention.value)
            kind = unit.kind if unit else ""
            order = 0 if kind in MEMBER_KINDS else 1 if kind == "social_org" else 2
            is_origin = text[: mention.start].endswith(("从", "自", "离开"))
            return (is_origin, order, -(kind == "branch"), -len(mention.name), mention.start)

        near_by = [mention for mention in mentions if text.startswith(_NEAR_BY, mention.end)]
        return min((mention for mention in mentions if mention not in near_by), key=rank, default=None)

    def _offices(self, text: str) -> list[str]:
        place = self.find_place(text, is_answer=True)
        if place is None:
            return []
        for word, kinds, part in _OFFICE_WORDS:
            if word in text:
                covering = self._tree.covering(place.area_code, place.locality)
                fitting = [(level, unit) for unit, level in covering if unit.kind in kinds and part in unit.name]
                fitting.sort(key=lambda pair: -pair[0])
                return [unit.code for _, unit in fitting]
        return []


def _mask(text: str, spans: Sequence[tuple[int, int]], *, by: str = "■") -> str:
    for start, end in spans:
        text = text[:start] + by * (end - start) + text[end:]
    return text


def _is_inside(place: Place, other: Place) -> bool:
    """Is ``place`` within ``other``, or a neighbour of it in the same city?"""
    prefix = area_prefix(other.area_code)
    return bool(prefix) and place.area_code.startswith(prefix[:4] if len(prefix) > 4 else prefix)


def _stands_alone(mention: Mention[Place | None], before: str, after: str, *, is_near: bool, is_answer: bool) -> bool:
    """Is a word such as 东区 or 古镇 a name here, and ours?"""
    if after.startswith(false_friends.NEVER_FOLLOWS_DISTRICT) and not (is_near and before.endswith(("中山", "市"))):
        return False
    starts = not before or before[-1] in false_friends.MAY_PRECEDE
    if mention.name == "古镇":
        return starts or is_near
    follows_city = is_near and before.endswith(("中山", "西安", "市", "省", "广东", "陕西"))
    return follows_city or (starts and (is_near or is_answer))
