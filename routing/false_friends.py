"""Words that look like a place or an organisation and are not: masked before any name is looked for.

Every pattern runs on compact text (see ``name_index.Compact``). The list grows by what people really write: add the
sentence to ``tests/routing/test_areas.py`` with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# Names that are places elsewhere, or words, unless something near them says that ours is meant.
AMBIGUOUS = frozenset({"东区", "西区", "南区", "北区", "高新区", "开发区", "经开区", "长安"})

# Before these characters a bare 东区 or 古镇 starts a phrase of its own; after any other it is the end of a longer
# name (华东区, 校东区, 周庄古镇).
MAY_PRECEDE = frozenset(
    "在到去来回从住于是的我们厂往和跟与或给找问由转入过离进说这那，。、；：！？,.;:!?～~-—…\n0123456789省市"
)

# Directly before one of these a bare 东区 is part of a campus or of another word.
NEVER_FOLLOWS_DISTRICT = ("域", "块", "间", "别", "宿舍", "食堂", "教学", "操场", "校门", "图书馆", "门口", "快递点")

# Other provinces and regions swallow the character that follows: 广西区, 华东区, 云南区.
ELSEWHERE = (
    "北京 天津 上海 重庆 河北 山西 内蒙古 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广西 海南 四川 "
    "贵州 云南 西藏 甘肃 青海 宁夏 新疆 台湾 香港 澳门 华东 华南 华西 华北 华中 西南 西北 东南 东北 浦东 河西 河东 海东"
).split()

# Where nobody in the tree is nearer than the sorting desk: provinces, and the larger cities outside the tree.
NOT_SERVED = (
    *(
        name
        for name in ELSEWHERE
        if name[0] not in "华浦" and name not in ("西南 西北 东南 东北 河西 河东 海东".split())
    ),
    *(
        "深圳 东莞 佛山 珠海 惠州 汕头 江门 湛江 茂名 肇庆 清远 韶关 梅州 揭阳 潮州 阳江 河源 云浮 汕尾 "
        "宝鸡 渭南 汉中 安康 榆林 延安 铜川 商洛 成都 绵阳 武汉 长沙 南昌 福州 厦门 泉州 杭州 宁波 温州 南京 苏州 无锡 "
        "合肥 郑州 洛阳 济南 青岛 石家庄 太原 沈阳 大连 长春 哈尔滨 呼和浩特 兰州 西宁 银川 乌鲁木齐 拉萨 昆明 贵阳 "
        "南宁 桂林 海口 三亚"
    ).split(),
)

_FIXED = (
    # 中山 the man, the university in Guangzhou, and the roads, parks and hospitals named after him all over China
    r"孙中山|中山(?:先生|狼|装|陵|舰|公园|纪念|医院|医科|医学院|大厦|广场|堂|街道|门(?!口)|码头|[一二三]院|附[一二三])",
    r"(?:中山|西安)区(?!域)|中山大道|广州(?:话|大道)|广东(?:话|菜|音乐)|陕西(?:话|面|菜)|西安(?:话|事变)|石岐(?:乳鸽|佬)",
    r"武汉天河|天河(?:机场|[一二三]号)|白云(?:鄂博|矿区|苍狗|朵|飘)|蓝天白云|[朵片]白云|夜未央|长乐未央|未央歌|渭城(?:曲|朝雨)",
    r"东莞市?长安|长安(?:镇|街|汽车|福特|马自达|大戏院|十二时辰|花)",
    # 古镇, any old town that tourists visit
    r"(?:周庄|乌镇|凤凰|丽江|大理|平遥|阆中|西塘|同里|千灯|南浔|青木川|沙溪|和顺|束河|磁器口|洛带|黄龙溪|镇远|江南|水乡|千年|百年"
    r"|历史|文化|特色|旅游|一个|一座|这个|这座|那个|那座)古镇",
    r"古镇(?:旅游|游玩|一日游|两日游|自由行|景区|景点|风景|拍照|打卡|民宿|客栈|夜景|老街|玩)",
)
_ROAD = r"(?:[东西南北中]?[一二三四五六七八九十]?(?:路|马路|大道|大街|街(?!道)|巷|胡同))"
# 南京大学 is not in 南京 for us: universities carry names of places everywhere. 中山大学生 are students of 中山.
_UNIVERSITY = (
    r"[^，。、；！？,.;!?\s的了在读上念考去来到是和有进找回转与从某一所几家个这那名]{0,8}?(?:大学|学院)(?!城|生(?!物))"
)
_UNIVERSITY_SHORT = r"(?:交大|理工|外大|科大|师大|医大|工大|农大|财大)"


def pattern(short_names: Iterable[str]) -> re.Pattern[str]:
    """The mask, given the short names of provinces, cities and districts (广东, 中山, 天河)."""
    names = "|".join(sorted(map(re.escape, short_names), key=len, reverse=True))
    place = rf"(?:{names})(?![市区县省])"
    return re.compile("|".join((*_FIXED, f"{place}{_ROAD}", f"{place}{_UNIVERSITY}", f"{place}{_UNIVERSITY_SHORT}")))
