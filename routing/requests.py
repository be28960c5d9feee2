"""What is to be routed, and how it is read off a message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from routing.org_units import MEMBER_KINDS, OrgTree, OrgUnit
from routing.topics import is_under

if TYPE_CHECKING:
    from routing.areas import Place, PlaceFinder

NO_CRISIS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRequest:
    """Everything a rule may look at. Units are codes; ``crisis`` is category → severity (watch, high, critical).

    ``text`` is Simplified Chinese; ``org_name`` is an organisation the person named that is in no tree.
    """

    topic: str
    text: str = ""
    area: str | None = None
    locality: str | None = None
    member_org: str | None = None
    target_is_member_org: bool = False
    organizer: str | None = None
    handler: str | None = None
    user_choice: str | None = None
    membership: str = "unknown"
    age: str = "unknown"
    urgency: str | None = None
    sensitivity: str | None = None
    channel: str | None = None
    margin: float = 1.0
    returned_times: int = 0
    between: tuple[str, str] | None = None
    crisis: Mapping[str, str] = field(default_factory=lambda: NO_CRISIS)
    questions_asked: int = 0
    org_name: str = ""


def build_request(  # noqa: PLR0913 - one parameter per fact a rule may look at, all by name
    finder: PlaceFinder,
    tree: OrgTree,
    *,
    topic: str,
    text: str,
    place: Place | None = None,
    org: OrgUnit | None = None,
    channel: str | None = None,
    margin: float = 1.0,
    user_choice: str | None = None,
    questions_asked: int = 0,
    membership: str = "unknown",
    age: str | None = None,
    organizer: str | None = None,
    handler: str | None = None,
    urgency: str | None = None,
    sensitivity: str | None = None,
    returned_times: int = 0,
    between: tuple[str, str] | None = None,
    crisis: Mapping[str, str] = NO_CRISIS,
) -> RoutingRequest:
    """The request for a message. ``place`` and ``org``, when not given, are looked for in ``text``.

    Derived: the place of a named organisation; whether the complaint is about it; the age group; who organised an
    activity, and who handled a ticket that is complained about, when the text names the unit.
    """
    plain = finder.simplify(text)
    org = org or finder.find_org(plain)
    place = place or finder.find_place(plain) or (finder.place_of(org) if org else None)
    member = org if org is not None and org.kind in MEMBER_KINDS else None
    if org is not None and member is None and tree.get(org.code) is not None:
        if is_under(topic, ("activity", "volunteer", "venue")) and org.kind == "social_org":
            organizer = organizer or org.code
        elif is_under(topic, ("platform.service",)):
            handler = handler or org.code
    return RoutingRequest(
        topic=topic,
        text=plain,
        area=place.area_code if place else None,
        locality=place.locality if place else None,
        member_org=member.code if member else None,
        target_is_member_org=member is not None and is_about_own_org(topic, plain, kind=member.kind),
        organizer=organizer,
        handler=handler,
        user_choice=user_choice,
        membership=membership,
        age=age or age_group(plain),
        urgency=urgency,
        sensitivity=sensitivity,
        channel=channel,
        margin=margin,
        returned_times=returned_times,
        between=between,
        crisis=crisis,
        questions_asked=questions_asked,
        org_name="" if member else finder.org_phrase(text) or "",
    )


_COMPLAINT = re.compile(
    r"投诉|举报|反映|有意见|不满|不公|黑箱|内定|内幕|偏心|走后门|没有?公示|没投票|乱收费|多收|私吞|挪用|推诿|敷衍|踢皮球|不理|不管我?们?|态度差|态度恶劣"
    r"|强制|强迫|逼|克扣|扣着|扣押|不给毕业|不让|拒绝|刁难|打击报复|违规"
)


def is_about_own_org(topic: str, text: str, *, kind: str) -> bool:
    """Is the person's own organisation what they complain about, so that it must not handle it itself?

    Labour with an employer always is, teachers and school management with a school always are; the League's own
    matters, and student work with a school, only with words of complaint (routing_rules.yml, R05, R06, R13).
    """
    if is_under(topic, ("labor",)) and kind == "enterprise":
        return True
    if is_under(topic, ("campus.teacher", "campus.manage")) and kind in {"school", "branch"}:
        return True
    if is_under(topic, ("league",)) or (is_under(topic, ("labor.student_work",)) and kind in {"school", "branch"}):
        return _COMPLAINT.search(text) is not None
    return False


_AGE = re.compile(r"(?<!\d)(\d{1,2}|[一二三四五六七八九]?十[一二三四五六七八九]?|[一二三四五六七八九])(?:周)?岁")
_RELATIVES = (
    r"(?:孩子|儿子|女儿|宝宝|小孩|妈|爸|父亲|母亲|爷爷|奶奶|外公|外婆|老人|侄[子女]|弟|妹|哥|姐|邻居|老公|老婆|丈夫|妻子|同学"
    r"|室友)"
)
_RELATIVE_BEFORE = re.compile(rf"{_RELATIVES}[^，。；！？,.;!?我]{{0,4}}$")
_RELATIVE_AFTER = re.compile(rf"的?{_RELATIVES}")
_GROWN = re.compile(r"已成年|我?成年了|大[一二三四](?![点些家天])|研究生|研[一二三]|博士")
_MINOR = re.compile(r"未成年|初[一二三](?!中)|高[一二](?!中)|[七八九]年级|初中生|小学生|童工")
_NOT_MINOR = re.compile(r"(?:不是|并非|不再是|已不是)未成年")


def age_group(text: str) -> str:
    """minor, adult or unknown: the writer's age, or else that of a minor the text is about.

    Somebody else's adult age (“我妈50岁”) says nothing about who is affected.
    """
    text = _NOT_MINOR.sub("已成年", text)
    own: list[int] = []
    others: list[int] = []
    for found in _AGE.finditer(text):
        is_other = _RELATIVE_BEFORE.search(text, max(0, found.start() - 8), found.start()) or _RELATIVE_AFTER.match(
            text, found.end()
        )
        (others if is_other else own).append(_number(found.group(1)))
    if own:
        return "adult" if max(own) >= 18 else "minor"
    if (others and min(others) < 18) or _MINOR.search(text):
        return "minor"
    return "adult" if _GROWN.search(text) else "unknown"


def _number(text: str) -> int:
    if text.isdigit():
        return int(text)
    digits = "零一二三四五六七八九"
    if "十" not in text:
        return digits.index(text)
    tens, _, ones = text.partition("十")
    return (digits.index(tens) if tens else 1) * 10 + (digits.index(ones) if ones else 0)
