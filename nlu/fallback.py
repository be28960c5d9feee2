"""Whether to answer, to ask back, or to say "I don't know": a floor *and* a margin.

A confidence alone cannot tell "probably this" from "one of two". The numbers were chosen by cross-validation on the
seed content (122 intents, 3,917 examples; ``python benchmarks/nlu_seed_crossval.py --sweep``), aiming at nine right of
ten confident answers: 61 % of the held-out questions are answered at once (90.5 % of them rightly), 29 % are asked
back (the right one is among the offers in 81 %), 10 % are unknown. Of out-of-scope sentences 85 % are unknown and 4 %
answered wrongly; with no out-of-scope examples learned, 58 % and 6 %. Chosen and measured on the same folds: expect a
little less.
"""

from __future__ import annotations

from dataclasses import dataclass

from nlu.engine import FALLBACK_INTENT, OUT_OF_SCOPE_INTENT, NluResult, RankedIntent

MAX_OFFERS = 3
"""Buttons offered when it is not clear what was meant; more are not read."""

_NOTHING = frozenset((FALLBACK_INTENT, OUT_OF_SCOPE_INTENT))
# Understood when said, but nobody would choose them from a list of what they may have meant.
_NEVER_OFFERED = _NOTHING | {"greet", "thanks", "goodbye", "affirm", "deny", "cancel"}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """All are probabilities, 0 to 1.

    ``floor``: what the first intent needs to be acted on. ``margin``: by how much it must lead the second.
    ``offer_floor``: below this the first intent is not worth asking about. ``offer_share``: a further candidate is
    offered when it has at least this share of the best one's confidence.
    """

    floor: float = 0.65
    margin: float = 0.3
    offer_floor: float = 0.12
    offer_share: float = 0.15

    def __post_init__(self) -> None:
        for name in ("floor", "margin", "offer_floor", "offer_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")


DEFAULT = Thresholds()


@dataclass(frozen=True, slots=True)
class Confident:
    """Act on it."""

    intent: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Ask which of these 1 to 3 was meant, best first."""

    intents: tuple[RankedIntent, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Say so. ``nearest`` are up to 3 FAQ entries that are least far away, perhaps none; they are no answer."""

    nearest: tuple[RankedIntent, ...] = ()


Decision = Confident | Ambiguous | Unknown


def decide(result: NluResult, thresholds: Thresholds = DEFAULT) -> Decision:
    """Judge a ranking. Never raises for what an engine returns."""
    top = result.intent
    if top.name in _NOTHING:
        return Unknown(_nearest(result))
    second = result.ranking[1].confidence if len(result.ranking) > 1 else 0.0
    if top.confidence >= thresholds.floor and top.confidence - second >= thresholds.margin:
        return Confident(top.name, top.confidence)
    offered = [ranked for ranked in result.ranking if ranked.name not in _NEVER_OFFERED]
    if not offered or offered[0].confidence < thresholds.offer_floor:
        return Unknown(_nearest(result))
    least = offered[0].confidence * thresholds.offer_share
    return Ambiguous(tuple(ranked for ranked in offered[:MAX_OFFERS] if ranked.confidence >= least))


def _nearest(result: NluResult) -> tuple[RankedIntent, ...]:
    return tuple(ranked for ranked in result.ranking if ranked.name.startswith("faq/"))[:MAX_OFFERS]
