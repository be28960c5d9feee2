"""From a rule to a unit: the resolvers (kb/README.md; reference: resolve(), area_owner(), climb() in kb/check.py)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import Enum

from routing.org_units import OrgTree, OrgUnit
from routing.requests import RoutingRequest
from routing.rulebook import Resolver, RuleBook


class NoUnit(Enum):
    """What a resolver may say instead of a unit."""

    ASK = "ask"
    CONTINUE = "continue"


class Resolvers:
    def __init__(self, tree: OrgTree, rulebook: RuleBook) -> None:
        self._tree, self._rulebook = tree, rulebook

    def resolve(self, spec: Resolver, request: RoutingRequest) -> str | NoUnit | None:
        """The unit; ASK; CONTINUE with the next rule; or None when nobody was found and there is no fallback."""
        if spec.type == "ask_user":
            return NoUnit.ASK
        unit = self.direct(spec, request)
        if unit is not None:
            return unit
        match spec.fallback:
            case "continue":
                return NoUnit.CONTINUE
            case "triage_desk":
                return self.triage_desk(request)
            case "area_owner":
                return self.area_owner(request, ("county", "city", "province"))
            case "nearest_ancestor_with":
                return self.climb(request.member_org, request, skip_self=True)
            case _:
                return None

    def direct(self, spec: Resolver, request: RoutingRequest) -> str | None:
        """The unit the resolver itself finds, without its fallback."""
        find: Mapping[str, Callable[[], str | None]] = {
            "fixed": lambda: spec.unit,
            "crisis_desk": lambda: self.crisis_desk(request),
            "triage_desk": lambda: self.triage_desk(request),
            "user_choice": lambda: request.user_choice if self._handles(request.user_choice, request) else None,
            "area_owner": lambda: self.area_owner(request, spec.kinds, exclude=excluded(spec, request)),
            "common_ancestor": lambda: self.common_ancestor(request),
            "member_org": lambda: self.climb(request.member_org, request),
            "nearest_ancestor_with": lambda: self.climb(request.member_org, request, skip_self=spec.skip_self),
            "organizer": lambda: self.climb(request.organizer, request),
            "parent_of_handler": lambda: self.climb(request.handler, request, skip_self=True),
        }
        return find[spec.type]()

    def area_owner(
        self,
        request: RoutingRequest,
        kinds: tuple[str, ...],
        *,
        modes: Collection[str] = ("handle",),
        exclude: Collection[str] = (),
    ) -> str | None:
        """The unit of these kinds that covers the place most closely; then by order of ``kinds``, then of the file."""
        best: tuple[tuple[int, int], str] | None = None
        for unit, level in self._tree.covering(request.area, request.locality):
            if unit.kind not in kinds or unit.code in exclude:
                continue
            if self._tree.mode_for(unit.code, request.topic) not in modes:
                continue
            key = (-level, kinds.index(unit.kind))
            if best is None or key < best[0]:
                best = (key, unit.code)
        return best[1] if best else None

    def climb(self, start: str | None, request: RoutingRequest, *, skip_self: bool = False) -> str | None:
        """The nearest unit, from ``start`` upwards, that handles the topic."""
        return next((code for code in self.chain(start, skip_self=skip_self) if self._handles(code, request)), None)

    def chain(self, start: str | None, *, skip_self: bool = False) -> tuple[str, ...]:
        if start is None or start not in self._tree:
            return ()
        return self._tree.ancestors(start) if skip_self else (start, *self._tree.ancestors(start))

    def crisis_desk(self, request: RoutingRequest) -> str:
        codes = [(level, unit.code) for unit, level in self._covering(request) if unit.is_crisis_desk]
        return _closest(codes) or self._rulebook.default_crisis_unit

    def triage_desk(self, request: RoutingRequest) -> str:
        codes = [(level, unit.code) for unit, level in self._covering(request) if unit.is_triage_desk]
        return _closest(codes) or self._rulebook.default_triage_unit

    def common_ancestor(self, request: RoutingRequest) -> str | None:
        """The nearest unit above both (or one of them) that handles the topic, as the rule's require_mode says."""
        if request.between is None:
            return None
        first, second = request.between
        above_second = set(self.chain(second))
        shared = (code for code in self.chain(first) if code in above_second)
        return next((code for code in shared if self._handles(code, request)), None)

    def co_units(self, spec: Resolver, request: RoutingRequest, *, unit: str) -> tuple[str, ...]:
        """Units invited beside the first receiver: the closest of each co_kind that handles or advises."""
        found = [request.member_org] if spec.co_resolve == "member_org" else []
        found += [self.area_owner(request, (kind,), modes=("handle", "advise")) for kind in spec.co_kinds]
        return tuple(dict.fromkeys(code for code in found if code is not None and code in self._tree and code != unit))

    def _covering(self, request: RoutingRequest) -> list[tuple[OrgUnit, int]]:
        return self._tree.covering(request.area, request.locality)

    def _handles(self, code: str | None, request: RoutingRequest) -> bool:
        unit = self._tree.get(code)
        return unit is not None and unit.is_active and self._tree.mode_for(unit.code, request.topic) == "handle"


def excluded(spec: Resolver, request: RoutingRequest) -> frozenset[str]:
    """Whoever is complained about does not look into it."""
    out = {request.member_org} if spec.exclude_member_org else set()
    if spec.exclude_organizer:
        out.add(request.organizer)
    return frozenset(code for code in out if code)


def _closest(found: list[tuple[int, str]]) -> str | None:
    return max(found, key=lambda pair: pair[0])[1] if found else None
