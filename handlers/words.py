"""Short words a person may type instead of pressing a button, and the commands of the menu."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from nlu.normalise import compact, normalise

COMMANDS: dict[str, str] = {
    "求助": "open_ticket",
    "我要求助": "open_ticket",
    "查进度": "ticket_status",
    "进度": "ticket_status",
    "补充": "add_to_ticket",
    "撤回": "withdraw_ticket",
    "撤销": "withdraw_ticket",
    "重开": "reopen_ticket",
    "重办": "reopen_ticket",
    "查工单": "ticket_status",
    "我的工单": "ticket_status",
    "人工客服": "human_handoff",
    "人工服务": "human_handoff",
    "换个部门": "change_unit",
    "换个单位": "change_unit",
    "催一下": "urge_ticket",
    "打分": "rate",
    "没解决": "reopen_ticket",
    "换部门": "change_unit",
    "换单位": "change_unit",
    "催办": "urge_ticket",
    "转人工": "human_handoff",
    "人工": "human_handoff",
    "评价": "rate",
    "吐槽": "complaint_about_service",
    "举报活动": "report_fake_activity",
    "找活动": "find_activity",
    "报名": "join_activity",
    "找青年之家": "find_venue",
    "预约场地": "book_venue",
    "团员证": "my_card",
    "积分": "my_points",
    "转接": "transfer_membership",
    "问卷": "survey",
    "菜单": "help_menu",
    "帮助": "help_menu",
    "取消": "cancel",
    "退出": "cancel",
    "上一步": "back",
    "返回上一步": "back",
    "继续": "resume",
    "找人帮忙": "human_handoff",
    "请人来帮忙": "human_handoff",
    "算了": "cancel",
    "算了吧": "cancel",
    "没事": "cancel",
    "没事了": "cancel",
    "不弄了": "cancel",
    "不办了": "cancel",
    "不填了": "cancel",
    "都不是": "none_of_these",
    "都不对": "none_of_these",
    "noneofthese": "none_of_these",
    "help": "open_ticket",
    "menu": "help_menu",
    "cancel": "cancel",
    "back": "back",
    "status": "ticket_status",
    "human": "human_handoff",
    "agent": "human_handoff",
    "progress": "ticket_status",
    "reopen": "reopen_ticket",
    "rate": "rate",
    "withdraw": "withdraw_ticket",
    "remind": "urge_ticket",
    "quit": "cancel",
    "resume": "resume",
}

_YES = frozenset(
    """
    是 是的 对 对的 好 好的 好啊 行 可以 嗯 嗯嗯 确认 确定 提交 确认提交 没错 没问题 ok okay yes y sure
    confirm submit
    """.split()
)
_NO = frozenset("否 不 不是 不对 不用 不要 不行 没有 不确认 no n nope".split())
_SKIP = frozenset(
    """
    跳过 不留 不用 不用了 不需要 没有 无 不方便 不方便说 不想说 不知道 不清楚 不想留 不留了 不要 没 不填 略过 skip
    none no nothanks nothing
    """.split()
)
_ANONYMOUS = frozenset("匿名 要匿名 要 是 是的 好 好的 可以 我要匿名 匿名吧 选匿名 匿名提交 anonymous yes 1".split())
_NAMED = frozenset(
    """
    不匿名 不用匿名 不要匿名 不想匿名 匿名不用 不用 不要 不 否 不需要匿名 实名 实名吧 可以实名 不用了 没必要 跳过 skip
    named no notanonymous 2
    """.split()
)
_BACK = frozenset("上一步 返回上一步 返回 回到上一步 修改 改一下 我要改 back".split())
_NUMBER = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{2,3}\d{10,14})(?![A-Za-z0-9])")
_CODE = re.compile(r"(?<![A-Za-z0-9])([A-Za-z0-9]{4}[- ]?[A-Za-z0-9]{4})(?![A-Za-z0-9])")
_QUESTION = re.compile(
    r"[?？]|吗|嘛|呢|怎么|怎样|如何|什么|啥|多少|几[个天点时岁年月次号块]|能不能|可不可以|可以不|是否|为什么|咋|谁|哪"
    r"|\b(what|how|why|where|when|can i)\b"
)
_CONTACT = re.compile(r"\d{5,}|@|微信|qq|电话|手机|邮箱|wx|vx|v信|wechat|\b(?=[a-z_-]*[0-9])[a-z][a-z0-9_-]{5,}")


LONGEST_CHOICE = 8
"""A longer answer to "anonymous?" says something else as well, and is not read as a bare choice."""

_VERDICTS = {
    "yes": frozenset("解决 解决了 已解决 已经解决 已经解决了 都解决了 问题解决了 搞定了 solved".split()),
    "partly": frozenset("部分 部分解决 解决了一部分 部分解决了 解决一部分 partly".split()),
    "no": frozenset("没解决 没有解决 未解决 还没解决 没搞定 notsolved".split()),
}


def verdict(text: str) -> str | None:
    """yes, partly or no, when the text says whether something is solved."""
    words = plain(text)
    return next((answer for answer, said in _VERDICTS.items() if words in said), None)


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """Half width, lower case, without spaces and punctuation, Simplified. Titles of buttons come again and again."""
    return compact(text)


def command_of(text: str) -> str | None:
    """The function a text names exactly (a number may follow: 查进度 GD2611230001)."""
    words = plain(_without_codes(text))
    return COMMANDS.get(words) if words else None


_WITH_WORDS = re.compile(
    r"^\s*(?:我要|我想|我)?(补充|换部门|换单位|重开|撤回|催办)(?:一下|到|成|为)?\s*(?:[:：,，、\s]|(?=[A-Za-z]{2}\d))\s*(.+)$",
    re.DOTALL,
)


def command_with_words(text: str) -> tuple[str, str] | None:
    """A command and what follows it: 补充：我有工资条 → (add_to_ticket, 我有工资条). A ticket number is no words."""
    found = _WITH_WORDS.match(text)
    if found is None:
        return None
    said = _NUMBER.sub("", found.group(2)).strip(" \t\n:：,，、")
    return (COMMANDS[found.group(1)], said) if said else None


def _without_codes(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)
    number = _NUMBER.search(text)
    return text if number is None else text[: number.start()]


def ticket_number(text: str) -> str | None:
    found = _NUMBER.search(unicodedata.normalize("NFKC", text))
    return found.group(1).upper() if found else None


def access_code(text: str) -> str | None:
    """The access code after a ticket number."""
    text = unicodedata.normalize("NFKC", text)
    number = _NUMBER.search(text)
    found = _CODE.search(text, number.end() if number else 0)
    return found.group(1) if found else None


def is_yes(text: str) -> bool:
    return plain(text) in _YES


def is_no(text: str) -> bool:
    return plain(text) in _NO


def is_skip(text: str) -> bool:
    return plain(text) in _SKIP


def is_back(text: str) -> bool:
    return plain(text) in _BACK


def anonymity(text: str) -> bool | None:
    """True for anonymous, False for named, None when the text says neither."""
    words = plain(text)
    if words in _NAMED or words in _ANONYMOUS:
        return words in _ANONYMOUS
    if len(words) > LONGEST_CHOICE:
        return None
    if words.startswith(("不匿名", "不用匿名", "实名", "不需要匿名")):
        return False
    return True if words.startswith(("匿名", "我要匿名", "要匿名", "请匿名", "我想匿名", "想匿名")) else None


def is_question(text: str) -> bool:
    return _QUESTION.search(normalise(text)) is not None


def is_contact(text: str) -> bool:
    return not is_skip(text) and _CONTACT.search(normalise(text)) is not None
