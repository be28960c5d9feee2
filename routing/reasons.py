"""The sentence for the citizen: a rule's ``explain`` with every placeholder filled and nothing odd left over."""

from __future__ import annotations

import re
from collections.abc import Mapping

PLACEHOLDERS = frozenset({"topic", "area", "org", "unit", "co_units", "rule_id", "due", "hotline"})

# National numbers only. 12333 human resources, 12345 government line, 12348 legal aid, 12351 trade unions, 12355 youth
# service desk, 12356 mental health, 110 police, 119 fire, 120 ambulance (kb/README.md).
_BY_TOPIC: Mapping[str, str] = {
    "labor": "12333",
    "union": "12351",
    "law.aid": "12348",
    "law": "110",
    "mind.crisis": "110或12356",
    "mind": "12356",
    "campus.teacher": "12345",
    "campus": "12355",
    "activity.fake": "110",
    "cyber": "110",
    "employment.scam": "110",
    "employment": "12333",
    "dating.safety": "110",
    "housing.rent": "110",  # said only to “已经被骗或受威胁” (R26)
}
_BY_CRISIS: Mapping[str, str] = {
    "self_harm": "12356或110",
    "violence": "110",
    "sexual_assault": "110",
    "abuse": "110",
    "missing_minor": "110",
    "fire_medical": "119或120",
}
# Not yet an emergency: somebody to talk to rather than the police.
_BY_WATCHED_CRISIS: Mapping[str, str] = {"self_harm": "12356或12355", "violence": "12355", "abuse": "12355"}
_FALLBACKS: Mapping[str, str] = {
    "topic": "你的问题",
    "area": "当地",
    "org": "你说的单位",
    "unit": "值班台",
    "due": "72小时",
    "hotline": "12345",
}
_CLAUSE = re.compile(r"[^，。；]+[，。；]?")


def hotline_for_topic(topic: str) -> str:
    """The number of the most specific topic that has one, else the general line 12345."""
    node = topic
    while node:
        if node in _BY_TOPIC:
            return _BY_TOPIC[node]
        node = node.rpartition(".")[0]
    return _FALLBACKS["hotline"]


def hotline_for_crisis(category: str, severity: str) -> str:
    if severity == "watch" and category in _BY_WATCHED_CRISIS:
        return _BY_WATCHED_CRISIS[category]
    return _BY_CRISIS.get(category, "110")


def fill(explain: str, values: Mapping[str, str]) -> str:
    """Fill the placeholders.

    A clause about co-units goes when there are none; “{due}前” without a time is “72小时内”; “由{area}的{unit}” is just
    the unit when its name says where it is; any other empty value has a general word.
    """
    if not values.get("co_units"):
        explain = _without_clause(explain, "{co_units}")
    if not values.get("due"):
        explain = explain.replace("{due}前", "72小时内")
    if values.get("unit") and _names_its_place(values["unit"], values.get("area", "")):
        explain = explain.replace("{area}的{unit}", "{unit}")
    return re.sub(r"{(\w+)}", lambda match: values.get(match[1]) or _FALLBACKS.get(match[1], ""), explain)


def _without_clause(explain: str, placeholder: str) -> str:
    kept: list[str] = []
    for clause in _CLAUSE.findall(explain):
        if placeholder not in clause:
            kept.append(clause)
        elif kept and clause[-1] in "。；":
            kept[-1] = kept[-1].rstrip("，") + clause[-1]
    return "".join(kept)


def _names_its_place(unit: str, area: str) -> bool:
    """中山市总工会 in 中山市小榄镇: the unit's name begins with (a part of) the place."""
    return any(part and part in unit for part in re.split(r"[省市区县]", area)) if area else False
