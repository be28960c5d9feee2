"""Places and organisations in free text, with the false friends that people really write."""

from __future__ import annotations

from time import perf_counter

import pytest

from routing.areas import PlaceFinder
from routing.org_units import OrgTree
from routing.requests import build_request

ZS = "442000"

PLACES = [
    ("中山小榄一家五金厂欠薪", (ZS, "小榄")),
    ("我在小榄镇上班", (ZS, "小榄")),
    ("小榄", (ZS, "小榄")),
    ("中山市小榄镇", (ZS, "小榄")),
    ("我在中山打工", (ZS, None)),
    ("广东省中山市", (ZS, None)),
    ("古镇灯饰厂拖欠工资", (ZS, "古镇")),
    ("在古镇镇上班", (ZS, "古镇")),
    ("中介说介绍去古镇灯饰厂", (ZS, "古镇")),
    ("火炬区电子厂", (ZS, "火炬开发区")),
    ("我在中山港街道", (ZS, "火炬开发区")),
    ("火炬开发区伶仃湾智造", (ZS, "火炬开发区")),
    ("住在天河", ("440106", None)),
    ("广州市天河区棠下", ("440106", None)),
    ("礼泉县我们村", ("610425", None)),
    ("想回礼泉种苹果", ("610425", None)),
    ("在杨凌示范区工作", ("610403", None)),
    ("杨陵区", ("610403", None)),
    ("韩城工地", ("610581", None)),
    ("西安高新区一家公司倒闭", ("610100", "西安高新区")),
    ("西安碑林", ("610103", None)),
    ("西安市高新区", ("610100", "西安高新区")),
    ("广州大学城", ("440100", None)),
    ("人在陕西", ("610000", None)),
    # Traditional characters
    ("我在中山小欖鎮打工", (ZS, "小榄")),
    ("禮泉縣的蘋果", ("610425", None)),
    ("楊凌", ("610403", None)),
    ("廣州天河區", ("440106", None)),
    ("火炬開發區", (ZS, "火炬开发区")),
    # where it happens, not where somebody comes from
    ("从西安调到中山东区工作", (ZS, "东区")),
    ("我家从小榄搬到南朗", (ZS, "南朗")),
    ("户口在礼泉，现在雁塔区上班", ("610113", None)),
    ("户口在韩城，想把团关系转回去", ("610581", None)),
    ("六月从广州木棉大学毕业回中山石岐", (ZS, "石岐")),
    ("礼泉县昭陵中学毕业去西安读大学", ("610100", None)),
    ("我不在中山，在石岐", (ZS, "石岐")),
    # bare names of towns need their city
    ("中山东区", (ZS, "东区")),
    ("中山市西区沙朗", (ZS, "西区")),
    ("我在中山，住东区", (ZS, "东区")),
    ("关系在东区街道", (ZS, "东区")),
    ("西安长安区", ("610116", None)),
    # a named organisation is somewhere
    ("松苑中学初三", (ZS, "东区")),
    ("中山松苑中学", (ZS, "东区")),
    ("我们学校是木棉大学", ("440113", None)),
    ("岐江中职安排我们去电子厂", (ZS, "石岐")),
    ("望月亭灯饰的普工", (ZS, "古镇")),
    ("我要找小榄团委", (ZS, "小榄")),
    ("伶仃洋职业学院21级", (ZS, None)),
    ("中山大学生创业", (ZS, None)),
]

FALSE_FRIENDS = [
    "我是南京大学的学生",
    "我在中山大学读研",
    "中山大学东区宿舍停水",
    "海珠区中山大学南校区",
    "家住中山路三十号",
    "上海中山东一路",
    "在中山公园跑步",
    "孙中山先生",
    "大连市中山区",
    "住在东区",
    "学校东区食堂太贵",
    "华东区销售经理",
    "广西区的政策",
    "周庄古镇一日游",
    "想去古镇旅游",
    "沙溪古镇风景",
    "武汉天河机场",
    "天河二号计算机",
    "蓝天白云真好看",
    "东莞长安镇电子厂",
    "长安汽车的销售",
    "西安交大研究生",
    "西安事变是哪一年",
    "广州路的奶茶店",
    "吃石岐乳鸽",
    "夜未央",
    "老板拖欠工资怎么办",
    "",
    "。",
]


@pytest.mark.parametrize(("text", "expected"), PLACES, ids=[text for text, _ in PLACES])
def test_a_place_is_found_in_what_people_write(
    finder: PlaceFinder, text: str, expected: tuple[str, str | None]
) -> None:
    place = finder.find_place(text)
    assert place is not None
    assert (place.area_code, place.locality) == expected


@pytest.mark.parametrize("text", FALSE_FRIENDS)
def test_a_false_friend_is_no_place(finder: PlaceFinder, text: str) -> None:
    assert finder.find_place(text) is None


def test_a_name_across_two_words_is_none(finder: PlaceFinder) -> None:
    place = finder.find_place("我是陕西安康的")
    assert place is not None
    assert place.area_code == "610000"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("东区", (ZS, "东区")),
        ("在西区", (ZS, "西区")),
        ("南區", (ZS, "南区")),
        ("高新区", ("610100", "西安高新区")),
        ("长安", ("610116", None)),
    ],
)
def test_a_bare_name_counts_as_an_answer(finder: PlaceFinder, text: str, expected: tuple[str, str | None]) -> None:
    assert finder.find_place(text) is None
    place = finder.find_place(text, is_answer=True)
    assert place is not None
    assert (place.area_code, place.locality) == expected


def test_an_answer_that_names_a_university_is_no_town(finder: PlaceFinder) -> None:
    assert finder.find_place("中山大学", is_answer=True) is None


def test_a_place_knows_its_name_and_where_it_was_said(finder: PlaceFinder) -> None:
    text = "老闆在 小欖鎮 開廠"
    place = finder.find_place(text)
    assert place is not None
    assert place.name == "中山市小榄镇"
    assert text[place.start : place.end] == "小欖鎮"


@pytest.mark.parametrize(
    ("area", "locality", "name"),
    [
        (ZS, "小榄", "中山市小榄镇"),
        (ZS, None, "中山市"),
        (ZS, "火炬区", "中山市火炬开发区"),
        ("610425", None, "咸阳市礼泉县"),
        ("610403", None, "杨凌示范区"),
        ("610581", None, "韩城市"),
        ("610100", "西安高新区", "西安高新区"),
        ("440105", None, "广州市"),
        ("440000", None, "广东省"),
        ("620100", None, ""),
        (None, None, ""),
    ],
)
def test_an_area_has_a_name_for_people(finder: PlaceFinder, area: str | None, locality: str | None, name: str) -> None:
    assert finder.area_names.name(area, locality) == name


ORGS = [
    ("我在松苑中学读书", "gd-zs-songyuan"),
    ("松苑中学初三3班", "gd-zs-songyuan-c303"),
    ("松苑中学初三（3）班的团支书", "gd-zs-songyuan-c303"),
    ("松苑中学初三三班", "gd-zs-songyuan-c303"),
    ("松苑中学初三13班", "gd-zs-songyuan"),
    ("岐江中职", "gd-zs-qijiang"),
    ("岐江中等职业学校机电1班", "gd-zs-qijiang-jd1"),
    ("木棉大学计算机学院23级2班", "gd-gz-mumian-cs2"),
    ("木棉大学软件学院", "gd-gz-mumian"),
    ("伶仃湾智造欠薪", "gd-zs-lingdingwan"),
    ("中山伶仃湾智造有限公司", "gd-zs-lingdingwan"),
    ("伶仃灣智造", "gd-zs-lingdingwan"),
    ("城墙职院的学生", "sn-xa-chengqiang"),
    ("后稷农科", "sn-yl-houji"),
    ("青苗志愿队的巡河", "gd-zs-qingmiao"),
    ("找小榄团委", "gd-zs-xiaolan"),
    ("小榄镇总工会", "gd-zs-union-xiaolan"),
    ("天河区团委", "gd-gz-tianhe"),
    ("换工作到云巷里软件", "gd-gz-yunxiangli"),
    ("专升本从城墙职业学院到雁鸣大学", "sn-xa-yanming"),
    ("小榄团委说松苑中学归他们管", "gd-zs-songyuan"),
    ("要选流动团员还是户籍地", None),
    ("松苑中学附近的网吧", None),
    ("临洲中学", None),
    ("南京大学", None),
]


@pytest.mark.parametrize(("text", "code"), ORGS, ids=[text for text, _ in ORGS])
def test_an_organisation_is_found_by_the_name_people_use(finder: PlaceFinder, text: str, code: str | None) -> None:
    unit = finder.find_org(text)
    assert (unit.code if unit else None) == code


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("我要找小榄团委", "gd-zs-xiaolan"),
        ("换成小榄镇总工会", "gd-zs-union-xiaolan"),
        ("小榄的工会", "gd-zs-union-xiaolan"),
        ("转给中山的12355", "gd-zs-12355"),
        ("坦洲的工会", "gd-zs-union"),
        ("换部门", None),
    ],
)
def test_a_person_may_name_the_unit_they_want(finder: PlaceFinder, text: str, first: str | None) -> None:
    units = finder.find_units(text)
    assert (units[0].code if units else None) == first


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("我在小榄一家五金厂上班，厂里没有团支部", "小榄一家五金厂"),
        ("临洲中学的老师体罚学生", "临洲中学"),
        ("在大壮贸易有限公司实习", "大壮贸易有限公司"),
        ("XX公司不发工资", "XX公司"),
        ("某某中学乱收费", "某某中学"),
        ("公司不发工资", None),
        ("我们学校食堂太贵", None),
        ("在松苑中学读初三", None),
        ("青年大学习没有记录", None),
    ],
)
def test_an_unknown_employer_or_school_is_quoted(finder: PlaceFinder, text: str, phrase: str | None) -> None:
    assert finder.org_phrase(text) == phrase


def test_every_unit_is_found_by_each_of_its_names(finder: PlaceFinder, tree: OrgTree) -> None:
    missing = []
    for unit in tree:
        for name in (unit.name, *unit.aliases):
            found = finder.find_org(f"我想找{name}")
            if found is None or found.code != unit.code:
                missing.append((name, found.code if found else None))
    assert missing == []


def test_every_unit_below_the_nation_is_somewhere(finder: PlaceFinder, tree: OrgTree) -> None:
    for unit in tree:
        place = finder.place_of(unit)
        assert place is not None
        assert place.area_code == unit.area_code
        if unit.area_code != "100000":
            assert place.name


@pytest.mark.parametrize(
    "piece", ["东区", "古镇", "小榄", "中山大学", "从小榄", "松苑中学初三", "1岁", "公司", "中山一所一所", "（"]
)
def test_a_very_long_message_is_read_quickly(finder: PlaceFinder, tree: OrgTree, piece: str) -> None:
    started = perf_counter()
    build_request(finder, tree, topic="labor.wage", text=piece * (6000 // len(piece)))
    assert perf_counter() - started < 2
