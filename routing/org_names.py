"""The names people really use for a unit: official, short, and without the parts nobody says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from routing.name_index import Compact
from routing.org_units import MEMBER_KINDS, OrgTree, OrgUnit

_DEMO_MARK = "（示例）"
_COMMITTEE = re.compile(r"(?:团委|团工委|团总支|团支部)$")
_COMPANY = re.compile(r"(?:股份)?(?:有限责任|有限)公司$")
# Spoken short forms of a school's type.
_SCHOOL_FORMS = (
    ("职业技术学校", ("职校", "职业学校")),
    ("中等职业学校", ("中职", "职校")),
    ("职业技术学院", ("职院", "职业学院")),
    ("职业学院", ("职院", "学院", "职业技术学院")),
)
_LEAGUE_FORMS = ("团委", "团工委", "共青团", "团组织")


def spoken(name: str) -> str:
    """An organisation rather than its committee: 松苑中学团委 → 松苑中学, without the mark of a demo unit."""
    return _COMMITTEE.sub("", name.replace(_DEMO_MARK, "")) or name


def _without_place(name: str, *, places: Iterable[str]) -> str:
    for place in places:
        if name.startswith(place) and len(name) - len(place) >= 4:
            return name[len(place) :]
    return name


def _places(tree: OrgTree, unit: OrgUnit) -> list[str]:
    """Names of the places above a unit, longest first, for stripping them off its name."""
    names = {
        name
        for code in (unit.code, *tree.ancestors(unit.code))
        for above in [tree.get(code)]
        if above is not None and above.kind in {"province", "city", "county"}
        for name in above.localities
    }
    names |= {name for each in tree for name in each.localities if each.kind == "city" and _same_area(each, unit)}
    return sorted(names, key=lambda name: (-len(name), name))


def _same_area(city: OrgUnit, unit: OrgUnit) -> bool:
    return city.area_code[:4] == unit.area_code[:4]


def _of_organisation(tree: OrgTree, unit: OrgUnit) -> Iterator[str]:
    places = _places(tree, unit)
    for name in (unit.name, *unit.aliases):
        whole = spoken(name)
        for form in (whole, _COMPANY.sub("", whole), _COMPANY.sub("公司", whole)):
            # “流动团员团支部” or “青年导师团” without its place could be anybody's.
            short = form if unit.kind in {"branch", "expert_team"} else _without_place(form, places=places)
            for base in (form, short):
                yield base
                for long, spoken_forms in _SCHOOL_FORMS:
                    if base.endswith(long):
                        yield from (base.removesuffix(long) + spoken_form for spoken_form in spoken_forms)
                if unit.kind == "school":
                    yield from (f"{base}团委", f"{base}校团委")


def _of_office(unit: OrgUnit) -> Iterator[str]:
    for place in unit.localities:
        match unit.kind:
            case "trade_union":
                yield from (f"{place}总工会", f"{place}工会")
            case "service_desk_12355":
                yield from (f"{place}12355", f"{place}市12355", f"{place}青少年服务台")
            case "county" | "city" | "province":
                yield from (place + form for form in _LEAGUE_FORMS)
                yield f"团{place}委"
                if place[-1] in "区县市省镇":
                    yield f"{place[:-1]}团{place[-1]}委"


def names(tree: OrgTree) -> dict[str, str]:
    """Every searchable name → unit code. A derived name that would fit two units belongs to neither."""
    official: dict[str, str] = {}
    derived: dict[str, set[str]] = {}
    for unit in tree:
        if not unit.is_active:
            continue
        for name in (unit.name, unit.name.replace(_DEMO_MARK, ""), *unit.aliases):
            official.setdefault(Compact.of(name).text, unit.code)
        forms = _of_office(unit) if not _is_organisation(unit) else _of_organisation(tree, unit)
        for name in forms:
            if len(name) >= 4 or _is_organisation(unit):
                derived.setdefault(Compact.of(name).text, set()).add(unit.code)
    found = {name: codes.copy().pop() for name, codes in derived.items() if len(codes) == 1 and len(name) > 2}
    return found | official


def _is_organisation(unit: OrgUnit) -> bool:
    return unit.kind in MEMBER_KINDS or unit.kind in {"social_org", "expert_team"}


def branch_tails(tree: OrgTree) -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """For each school with branches: (branch code, pattern of what follows the school's name, such as 初三3班)."""
    tails: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for unit in tree:
        parent = tree.get(unit.parent)
        if unit.kind != "branch" or parent is None or parent.kind != "school":
            continue
        own = Compact.of(spoken(unit.name)).text
        prefixes = sorted((Compact.of(name).text for name in _of_organisation(tree, parent)), key=len, reverse=True)
        tail = next((own.removeprefix(prefix) for prefix in prefixes if own.startswith(prefix)), "")
        if tail:
            tails.setdefault(parent.code, []).append((unit.code, _tail_pattern(tail)))
    return tails


def _tail_pattern(tail: str) -> re.Pattern[str]:
    pieces = []
    for piece in re.split(r"(\d+级|\d+班)", tail):
        if re.fullmatch(r"20\d\d级", piece):
            pieces.append(f"(?:20)?{piece[2:]}")
        elif re.fullmatch(r"\d+班", piece):
            pieces.append(rf"(?<!\d){piece}")
        elif piece:
            pieces.append(re.escape(piece).replace("学院", "(?:学院|系)?"))
    return re.compile(".{0,4}?".join(pieces))


# ── organisations that are in no tree ─────────────────────────────────────────────────────────────────────────────
_KINDS_OF_ORG = (
    "有限责任公司 股份有限公司 有限公司 分公司 公司 集团 工厂 厂 作坊 职业学校 技工学校 小学 中学 高中 初中 学校 职校 "
    "中职 技校 幼儿园 医院 酒店 宾馆 餐厅 饭店 奶茶店 超市 门店 专卖店 美容院 理发店 网吧 工地 工作室 事务所 "
    "培训机构 中介 物流园 快递站 站点 律所"
).split()
_ORG_END = re.compile("|".join([*sorted(_KINDS_OF_ORG, key=len, reverse=True), "大学(?!习|生)", "学院"]))
# Where the phrase cannot reach further to the left.
_ORG_STOP = re.compile(
    r"[，。、；：！？,.;:!?…\n]|投诉|举报|老板|上班|打工|工作|应聘|就职|入职|实习|兼职|反映|毕业|考上|考到|现在|今年|去年"
    r"|以前|之前|因为|其实|孩子|上(?!海)|加入|工会|但是?|可是?|不过|如果|没有?|哪个|什么"
    r"|[在从到去我你他她们是被跟和与给找读念说把让叫向对了着过这那有进的于来回问想要就还欠由为此前后时用]"
)
_TOO_VAGUE = re.compile(
    r"(?:[一二两三几某各原新旧老小大本全该此别外每]?[家个所间]?|公立|私立|整个|同|单位|附近|自己|不同|转|一些|两边|本科|新建?"
    r"|民办|普通|[一某]家?(?:民营|私人|外包|小|大))"
)


def unknown_phrase(text: str) -> tuple[int, int] | None:
    """The longest-looking phrase for a school or employer in compact text, such as 小榄一家五金厂; None when vague."""
    best: tuple[int, int] | None = None
    for end in _ORG_END.finditer(text):
        floor = max(0, end.start() - 14)
        start = floor
        for stop in _ORG_STOP.finditer(text, floor, end.start()):
            start = stop.end()
        if _TOO_VAGUE.fullmatch(text[start : end.start()]) or end.start() == start:
            continue
        if best is None or end.end() - start > best[1] - best[0]:
            best = (start, end.end())
    return best
