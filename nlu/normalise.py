"""One spelling for every way a short Chinese message can be typed: width, script, case, emoji, repeats, spacing.

Both functions are total: any ``str`` goes in, including lone surrogates, NUL and 100,000 characters, and they never
raise. Neither keeps positions; spans are found on the original text (``nlu.local.entities``).
"""

from __future__ import annotations

import functools
import re
import unicodedata

import opencc

MAX_CLASSIFIED = 1_000
"""Characters an engine classifies. What follows is ignored: nobody's question begins after the thousandth character,
and the cost of a message stays bounded. The crisis lexicon still reads all of it."""

# NFKC sorts a run of combining marks by insertion, quadratic in its length (100,000 marks: minutes); pieces bound that.
_PIECE = 256

# Invisible although Unicode calls them letters (Hangul fillers, Braille blank is a symbol already).
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u17b4\u17b5")

# What OpenCC leaves: pronouns that Simplified does not distinguish, Hong Kong's 衞.
_VARIANTS = str.maketrans("妳牠祂衞", "你它他卫")

# WeChat writes its own emoticons as bracketed words. Only these names: "[团员]" is somebody's emphasis, not a picture.
_EMOTICON_NAMES = (
    "微笑 撇嘴 色 发呆 得意 流泪 害羞 闭嘴 睡 大哭 尴尬 发怒 调皮 呲牙 惊讶 难过 囧 抓狂 吐 偷笑 愉快 白眼 傲慢 "
    "困 惊恐 憨笑 悠闲 咒骂 疑问 嘘 晕 衰 骷髅 敲打 再见 擦汗 抠鼻 鼓掌 坏笑 右哼哼 鄙视 委屈 快哭了 阴险 亲亲 "
    "可怜 笑脸 生病 脸红 破涕为笑 恐惧 失望 无语 嘿哈 捂脸 奸笑 机智 皱眉 耶 吃瓜 加油 汗 天啊 emm 社会社会 旺柴 "
    "好的 打脸 哇 翻白眼 666 让我看看 叹气 苦涩 裂开 嘴唇 爱心 心碎 拥抱 强 弱 握手 胜利 抱拳 勾引 拳头 ok 合十 "
    "啤酒 咖啡 蛋糕 玫瑰 凋谢 菜刀 炸弹 便便 月亮 太阳 庆祝 礼物 红包 发 福 烟花 爆竹 猪头 跳跳 发抖 转圈"
)
_EMOTICON = re.compile(r"\[(?:" + "|".join(_EMOTICON_NAMES.split()) + r")\]")
_REPEATED_LETTER = re.compile(r"([^\W\d_])\1{2,}")
_REPEATED_MARK = re.compile(r"([^\w\s])(?:\s*\1)+")
_SPACES = re.compile(r"\s+")


def normalise(text: str) -> str:
    """The spelling that is classified: NFKC, Simplified, lower case, no emoji, repeats shortened, single spaces.

    ``哈哈哈哈`` becomes ``哈哈``, ``！！！`` becomes ``!``; digits are never shortened (a phone number may hold 0000).
    """
    folded = _EMOTICON.sub(" ", _fold(text))
    kept = "".join(_visible(character) for character in folded)
    kept = _REPEATED_LETTER.sub(r"\1\1", kept)
    kept = _REPEATED_MARK.sub(r"\1", kept)
    return _SPACES.sub(" ", kept).strip()


def compact(text: str) -> str:
    """Letters and digits only, folded as in :func:`normalise` but with repeats kept.

    Used where separators must not hide anything (``不 想.活 了``) and where two spellings count as the same example.
    """
    return "".join(character for character in _fold(text) if _is_letter_or_digit(character))


def _fold(text: str) -> str:
    # OpenCC speaks UTF-8 in C: it has no lone surrogates and drops everything after a NUL. Both go first.
    # U+FFFD stands where one of them was replaced on the way in.
    clean = text.encode("utf-8", "ignore").decode("utf-8").replace("\x00", "").replace("\ufffd", "")
    if clean.isascii():
        return clean.lower()
    wide = "".join(
        unicodedata.normalize("NFKC", clean[start : start + _PIECE]) for start in range(0, len(clean), _PIECE)
    )
    simplified: str = _traditional_to_simplified().convert(wide)
    return simplified.lower().translate(_VARIANTS).replace("甚么", "什么")


@functools.cache
def _traditional_to_simplified() -> opencc.OpenCC:
    # Not t2s, which leaves Taiwan's 著火 alone: that must be 着火 before the crisis lexicon reads it.
    return opencc.OpenCC("tw2s")


# The cache holds every character of everyday Chinese and stays bounded whatever is sent.
@functools.lru_cache(maxsize=16_384)
def _visible(character: str) -> str:
    """The character, a space (white space, emoji, symbols that are pictures) or nothing (controls, marks)."""
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    if category == "So" or (category == "Sk" and not character.isascii()):
        return " "
    if category[0] == "C" or category in ("Mn", "Me") or character in _INVISIBLE_LETTERS:
        return ""
    return character


@functools.lru_cache(maxsize=16_384)
def _is_letter_or_digit(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN" and character not in _INVISIBLE_LETTERS
