"""Who is responsible, and why (shared/domain/tickets.md, “Routing”; reference implementation: route() in kb/check.py).

Order: crisis → the person's own choice → rules by priority → capability look-up → triage desk. A place or topic that is
not known is asked for, at most ``max_questions`` times; then a person at the triage desk decides. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

from routing.areas import AreaNames
from routing.assignments import Assignment, Candidate, CrisisDecision
from routing.conditions import SEVERITIES, holds, walk
from routing.org_names import spoken
from routing.org_units import OrgTree, OrgUnit
from routing.reasons import fill, hotline_for_crisis, hotline_for_topic
from routing.requests import RoutingRequest
from routing.resolvers import NoUnit, Resolvers, excluded
from routing.rulebook import CrisisRule, Resolver, Rule, RuleBook
from routing.topics import TopicTree, is_under

__all__ = [
    "Assignment",
    "Candidate",
    "CrisisDecision",
    "CrisisRule",
    "Resolver",
    "Router",
    "Rule",
    "RuleBook",
]

# Ids of the two steps that need no rule in the file.
CAPABILITY, TRIAGE = "capability", "triage"
_CAPABILITY_EXPLAIN = "“{topic}”由{area}的{unit}首接负责，{due}前答复。如不对，回复“换部门”。"
_TRIAGE_EXPLAIN = "暂时没有完全对应的单位，先由{unit}分办，确定后会告诉你由谁负责。"
_CLIMBING = frozenset({"member_org", "nearest_ancestor_with", "organizer", "parent_of_handler", "common_ancestor"})
# A handed-over decision is right less often than a direct one; a city is right less often than a town.
_TRIAGE_CONFIDENCE, _COARSE_PLACE = 0.3, 0.8

KIND_NAMES: Mapping[str, str] = {
    "central": "团中央",
    "province": "省级团委",
    "city": "市级团委",
    "county": "县区镇街团组织",
    "school": "学校",
    "enterprise": "企业",
    "branch": "团支部",
    "service_desk_12355": "12355服务台",
    "trade_union": "工会",
    "social_org": "社会组织",
    "expert_team": "专家团",
}
_WHY_CHOSEN: Mapping[str, str] = {
    "user_choice": "本人指定，可以办理",
    "fixed": "规则指定的单位",
    "crisis_desk": "最近的危机岗",
    "triage_desk": "最近的分办台",
    "member_org": "所在组织自下而上，最近的能办单位",
    "nearest_ancestor_with": "所在组织往上，最近的能办单位",
    "organizer": "主办单位自下而上，最近的能办单位",
    "parent_of_handler": "被反映单位往上，最近的能办单位",
    "common_ancestor": "双方最近的共同上级",
    "area_owner": "管当地、能办这类事的最近单位",
    CAPABILITY: "管当地、能办这类事的最近单位",
}


@dataclass(frozen=True, slots=True)
class _Choice:
    """A unit and how it was found; ``rule`` is None for the built-in steps."""

    unit: str
    rule: Rule | None
    how: str
    is_fallback: bool = False
    barred: frozenset[str] = frozenset()


class Router:
    """Built once per published rule set; every method is a pure function of its arguments."""

    def __init__(self, tree: OrgTree, topics: TopicTree, rulebook: RuleBook) -> None:
        self.tree, self.topics, self.rulebook = tree, topics, rulebook
        self.area_names = AreaNames(tree)
        self._resolvers = Resolvers(tree, rulebook)

    def route(self, request: RoutingRequest, *, today: date, due_text: str = "") -> Assignment:
        """Decide. ``due_text`` is when the citizen will have an answer, as said to them (“11月24日10:30”)."""
        crisis = self._crisis_rule(request, today=today, accompanying=False)
        if crisis is not None:
            choice = _Choice(self._resolvers.crisis_desk(request), crisis, "crisis_desk")
            return self._assignment(choice, request, today=today, due_text=due_text)
        found = self._first_match(request, today=today)
        if isinstance(found, Rule):
            return self._question(found, request, today=today)
        return self._assignment(found, request, today=today, due_text=due_text)

    def crisis_action(
        self, categories: Mapping[str, str], request: RoutingRequest, *, today: date
    ) -> CrisisDecision | None:
        """What a crisis (category → severity, from the lexicon) asks for; None when no crisis rule applies."""
        request = replace(request, crisis=categories)
        rule = self._crisis_rule(request, today=today, accompanying=True)
        if rule is None:
            return None
        unit = self._resolvers.crisis_desk(request)
        category, severity = _worst(rule, categories)
        topic = rule.actions.get("open_ticket")
        if request.age == "adult" and rule.actions.get("open_ticket_adult"):
            topic = rule.actions["open_ticket_adult"]
        return CrisisDecision(
            rule=rule.id,
            rule_version=rule.version,
            actions=rule.actions,
            unit=unit,
            reason=fill(rule.explain, self._values(request, rule=rule, unit=unit)),
            category=category,
            severity=severity,
            topic=None if topic in {None, "none", "ask"} else str(topic),
        )

    def alternatives(
        self, request: RoutingRequest, *, exclude: Collection[str] = frozenset(), limit: int = 3
    ) -> tuple[Candidate, ...]:
        """Other units that could handle this topic there, for “换部门”; with room left, the triage desk last.

        A complaint is never offered to the one it is about, and a confidential topic only to crisis desks.
        """
        topic = self.topics.get(request.topic)
        kinds = topic.unit_kinds if topic else ()
        barred = set(exclude)
        if request.target_is_member_org and request.member_org:
            barred.add(request.member_org)
        if is_under(request.topic, ("activity.fake",)) and request.organizer:
            barred.add(request.organizer)
        if is_under(request.topic, ("platform.service",)) and request.handler:
            barred.add(request.handler)
        ranked: list[tuple[int, int, str]] = []
        for unit, level in self.tree.covering(request.area, request.locality):
            if unit.kind not in kinds or self.tree.mode_for(unit.code, request.topic) != "handle":
                continue
            if topic and topic.sensitivity == "restricted" and not unit.is_crisis_desk:
                continue
            if unit.kind in {"school", "enterprise", "branch"} and unit.code != request.member_org:
                continue  # somebody else's school or employer
            ranked.append((-level, kinds.index(unit.kind), unit.code))
        codes = [code for _, _, code in sorted(ranked, key=lambda entry: entry[:2])]
        if not (topic and topic.sensitivity == "restricted"):
            chain = self._resolvers.chain(request.member_org)
            codes[:0] = [code for code in chain if self.may_handle(code, request.topic)[0]]
        codes.append(self._resolvers.triage_desk(request))
        offered = [each for code in dict.fromkeys(codes) if code not in barred and (each := self.tree.get(code))]
        return tuple(Candidate(each.code, each.name, False, self._offer(each, request)) for each in offered[:limit])

    def may_handle(self, unit: str, topic: str) -> tuple[bool, str]:
        """May the unit be the one responsible for the topic? And the sentence that says so, or says why not."""
        org, name = self.tree.get(unit), self.topics.name(topic) or "这类事"
        if org is None:
            return False, "没有找到这个单位。"
        if not org.is_active:
            return False, f"{org.name}已停用，不再接收工单。"
        capability = self.tree.capability(unit, topic)
        note = f"：{capability.note}" if capability and capability.note else ""
        match capability.mode if capability else None:
            case "handle":
                return True, f"{org.name}可以办理“{name}”。"
            case "triage":
                return False, f"{org.name}只分办“{name}”，不作最终承办{note}。"
            case "advise":
                return False, f"{org.name}只协办“{name}”，不作承办{note}。"
            case "refuse":
                return False, f"{org.name}不受理“{name}”{note}。"
            case _:
                return False, f"{org.name}没有登记办理“{name}”。"

    # ── deciding ──────────────────────────────────────────────────────────────────────────────────────────────────
    def _crisis_rule(self, request: RoutingRequest, *, today: date, accompanying: bool) -> CrisisRule | None:
        if not request.crisis:
            return None
        for rule in self.rulebook.crisis_rules:
            if rule.only_accompanies and not accompanying:
                continue
            if rule.is_valid_on(today) and holds(rule.when, request, tree=self.tree, scope=rule.categories):
                return rule
        return None

    def _first_match(self, request: RoutingRequest, *, today: date) -> _Choice | Rule:
        """The first rule that finds somebody; the rule itself when it is a question that may still be asked."""
        barred: set[str] = set()
        for rule in self.rulebook.rules:
            if not (rule.is_valid_on(today) and holds(rule.when, request, tree=self.tree)):
                continue
            spec = rule.resolve
            found = self._resolvers.resolve(spec, request)
            if found is NoUnit.ASK:
                if request.questions_asked < self.rulebook.max_questions:
                    return rule
                return self._unanswered(rule, request, today=today, barred=barred)
            # Avoidance outlives its rule: whoever was excluded here is not chosen by a later rule either.
            barred |= excluded(spec, request)
            if isinstance(found, str) and found not in barred:
                is_fallback = self._resolvers.direct(spec, request) is None
                how = "triage_desk" if is_fallback and spec.fallback == "triage_desk" else spec.type
                return _Choice(found, rule, how, is_fallback, frozenset(barred))
        unit = self._by_capability(request, barred=barred)
        if unit is not None:
            return _Choice(unit, None, CAPABILITY, barred=frozenset(barred))
        return self._triage(request, today=today, barred=barred)

    def _unanswered(self, asking: Rule, request: RoutingRequest, *, today: date, barred: Iterable[str]) -> _Choice:
        """No more questions: the rule's ``then`` if it fits what is known, else a person decides."""
        then = self.rulebook.get(asking.resolve.then) if asking.resolve.then else None
        if then is not None and then.is_valid_on(today) and holds(then.when, request, tree=self.tree):
            unit = self._resolvers.direct(then.resolve, request)
            if unit is not None:
                return _Choice(unit, then, then.resolve.type, barred=frozenset(barred))
        return self._triage(request, today=today, barred=barred)

    def _by_capability(self, request: RoutingRequest, *, barred: Collection[str]) -> str | None:
        """Up the tree from the most specific thing known: the person's own unit, else the place."""
        about_own = request.target_is_member_org
        for code in self._resolvers.chain(request.member_org, skip_self=about_own):
            if code not in barred and self.may_handle(code, request.topic)[0]:
                return code
        topic = self.topics.get(request.topic)
        return self._resolvers.area_owner(request, topic.unit_kinds, exclude=barred) if topic else None

    def _triage(self, request: RoutingRequest, *, today: date, barred: Iterable[str]) -> _Choice:
        """The catch-all rule of the file if there is one, so that the sentence is the owner's."""
        rules = (rule for rule in self.rulebook.rules if rule.resolve.type == "triage_desk" and rule.is_valid_on(today))
        rule = next((rule for rule in rules if holds(rule.when, request, tree=self.tree)), None)
        return _Choice(self._resolvers.triage_desk(request), rule, "triage_desk", barred=frozenset(barred))

    # ── explaining ────────────────────────────────────────────────────────────────────────────────────────────────
    def _question(self, rule: Rule, request: RoutingRequest, *, today: date) -> Assignment:
        values = self._values(request, rule=rule)
        return Assignment(
            unit=None,
            rule=rule.id,
            rule_version=rule.version,
            reason=fill(rule.explain, values),
            ask=rule.resolve.field,
            candidates=tuple(self._own_choice(request)),
            co_units=(),
            confidence=0.0,
            inputs=self._inputs(request, rule=rule, values=values, today=today),
        )

    def _assignment(self, choice: _Choice, request: RoutingRequest, *, today: date, due_text: str) -> Assignment:
        rule = choice.rule
        handed_over = choice.how == "triage_desk"
        co_units: tuple[str, ...] = ()
        if rule is not None and not handed_over:
            co_units = self._resolvers.co_units(rule.resolve, request, unit=choice.unit)
            co_units = tuple(code for code in co_units if code not in choice.barred)
        values = self._values(request, rule=rule, unit=choice.unit, co_units=co_units, due=due_text)
        explain = rule.explain if rule else _TRIAGE_EXPLAIN if handed_over else _CAPABILITY_EXPLAIN
        if choice.is_fallback and handed_over:
            triage = self._triage(request, today=today, barred=()).rule
            explain = triage.explain if triage else _TRIAGE_EXPLAIN
        return Assignment(
            unit=choice.unit,
            rule=rule.id if rule else TRIAGE if handed_over else CAPABILITY,
            rule_version=rule.version if rule else self.rulebook.version,
            reason=fill(explain, values),
            ask=None,
            candidates=tuple(self._candidates(choice, request)),
            co_units=co_units,
            confidence=self._confidence(choice, request),
            inputs=self._inputs(request, rule=rule, values=values, today=today),
        )

    def _values(
        self,
        request: RoutingRequest,
        *,
        rule: Rule | None,
        unit: str | None = None,
        co_units: Sequence[str] = (),
        due: str = "",
    ) -> dict[str, str]:
        own, chosen = self.tree.get(request.member_org), self.tree.get(unit)
        org = spoken(own.name) if own else request.org_name
        if not org and is_under(request.topic, ("campus",)):
            org = "学校"
        hotline = hotline_for_topic(request.topic)
        if isinstance(rule, CrisisRule):
            hotline = hotline_for_crisis(*_worst(rule, request.crisis))
        return {
            "topic": self.topics.name(request.topic),
            "area": self.area_names.name(request.area, request.locality),
            "org": org,
            "unit": chosen.name if chosen else "",
            "co_units": "、".join(each.name for code in co_units if (each := self.tree.get(code))),
            "rule_id": rule.id if rule else "",
            "due": due,
            "hotline": hotline,
        }

    def _inputs(
        self, request: RoutingRequest, *, rule: Rule | None, values: Mapping[str, str], today: date
    ) -> dict[str, Any]:
        """What was looked at, without the person's words: of the text only the rule's own words that it contains."""
        looked_at = {each.name: getattr(request, each.name) for each in fields(request) if each.name != "text"}
        looked_at["crisis"] = dict(request.crisis)
        looked_at["between"] = list(request.between) if request.between else None
        tests = [test.value for test in walk(rule.when) if test.predicate == "words"] if rule else []
        looked_at["words"] = [
            word for value in tests if isinstance(value, tuple) for word in value if word in request.text
        ]
        return {**looked_at, "today": today.isoformat(), "values": dict(values)}

    def _confidence(self, choice: _Choice, request: RoutingRequest) -> float:
        """0–1, a rule of thumb for reports: certainty of the topic, less when handed over or in a whole city."""
        if choice.how in {"user_choice", "crisis_desk", "fixed"}:
            return 1.0
        sure = min(1.0, max(0.0, request.margin))
        if choice.how == "triage_desk":
            return sure * _TRIAGE_CONFIDENCE
        has_towns = request.area is not None and request.area.endswith("00")
        return sure * _COARSE_PLACE if choice.how not in _CLIMBING and has_towns and not request.locality else sure

    def _own_choice(self, request: RoutingRequest, *, unit: str | None = None) -> Iterator[Candidate]:
        """The unit the person named, when it is not the one that got the ticket."""
        if not request.user_choice or request.user_choice == unit:
            return
        org = self.tree.get(request.user_choice)
        able, why = self.may_handle(request.user_choice, request.topic)
        if able:
            why = "本人指定；按规则这类事不由提问人选择单位"
        yield Candidate(request.user_choice, org.name if org else request.user_choice, False, why.rstrip("。"))

    def _candidates(self, choice: _Choice, request: RoutingRequest) -> Iterator[Candidate]:
        spec = choice.rule.resolve if choice.rule else None
        chosen = self.tree.get(choice.unit)
        if chosen is not None:
            yield Candidate(chosen.code, chosen.name, True, _WHY_CHOSEN[choice.how])
        seen = {choice.unit}
        for candidate in self._own_choice(request, unit=choice.unit):
            seen.add(candidate.unit)
            yield candidate
        starts = {"organizer": request.organizer, "parent_of_handler": request.handler}
        chain = self._resolvers.chain(starts.get(choice.how, request.member_org))
        levels = {unit.code: level for unit, level in self.tree.covering(request.area, request.locality)}
        nearby = sorted(levels, key=lambda code: -levels[code])
        for code in dict.fromkeys((*chain, *nearby)):
            unit = self.tree.get(code)
            if unit is None or code in seen or (code not in chain and not self.tree.mode_for(code, request.topic)):
                continue
            seen.add(code)
            yield Candidate(code, unit.name, False, self._why_not(unit, choice, request, spec=spec, levels=levels))

    def _why_not(
        self,
        unit: OrgUnit,
        choice: _Choice,
        request: RoutingRequest,
        *,
        spec: Resolver | None,
        levels: Mapping[str, int],
    ) -> str:
        if unit.code in choice.barred:
            return "按回避规则，不派给被反映的单位"
        able, why = self.may_handle(unit.code, request.topic)
        if not able:
            return why.rstrip("。")
        if choice.how == "user_choice":
            return "可以办理，但本人指定了别的单位"
        if spec is not None and spec.kinds and choice.how == "area_owner" and unit.kind not in spec.kinds:
            return f"可以办理，但这条规则只派给{'、'.join(KIND_NAMES[kind] for kind in spec.kinds)}"
        if choice.how in {"crisis_desk", "triage_desk", "fixed"}:
            return f"可以办理，但这条规则交给{_WHY_CHOSEN[choice.how]}"
        if choice.how in _CLIMBING:
            return "可以办理，但按组织层级不在最近的一级"
        mine, theirs = levels.get(unit.code, -1), levels.get(choice.unit, -1)
        return "可以办理，但选中的单位离当地更近" if mine < theirs else "可以办理，但选中的单位次序在前"

    def _offer(self, unit: OrgUnit, request: RoutingRequest) -> str:
        able, why = self.may_handle(unit.code, request.topic)
        if not able:
            return "可以分办：判明后转给承办单位"
        return why.rstrip("。")


def _worst(rule: CrisisRule, categories: Mapping[str, str]) -> tuple[str, str]:
    """The gravest of the categories the rule is about; the first of equals."""
    own = [(name, severity) for name, severity in categories.items() if name in rule.categories]
    return max(own, key=lambda pair: SEVERITIES.get(pair[1], 0), default=("", "high"))
