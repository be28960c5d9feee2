"""Entities with a shape of their own: ticket number, phone, e-mail, identity number, score.

Found on the original text, so that spans can be masked in it; full-width digits and letters count as ordinary ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from nlu.engine import FoundEntity

EXTRACTOR = "RegexEntityExtractor"

# One character to one character, so that positions stay: full-width forms ！..～ to ASCII, ideographic space to space.
_NARROW = {0xFF01 + offset: 0x21 + offset for offset in range(94)} | {0x3000: 0x20}

# Ticket numbers: two or three letters, then ten digits or more (GD2611030012); people type spaces and lower case.
_TICKET = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2,3}[ -]?[0-9]{10,16}(?![A-Za-z0-9])")
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.[A-Za-z]{2,24}(?![A-Za-z0-9])"
)
# GB 11643-1999; the last character is an ISO 7064 MOD 11-2 check.
_ID_NUMBER = re.compile(r"(?<![A-Za-z0-9])[1-9][0-9]{5}(?:19|20)[0-9]{9}[0-9Xx](?![A-Za-z0-9])")
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_MOBILE = re.compile(r"(?<![A-Za-z0-9])(?:(?:\+|00)86[ -]?)?1[3-9][0-9](?:[ -]?[0-9]{4}){2}(?![0-9])")
_LANDLINE = re.compile(
    r"(?<![A-Za-z0-9-])(?:0[1-9][0-9]{1,2}[- ]?[2-9][0-9]{6,7}|[48]00[- ]?[0-9]{3}[- ]?[0-9]{4})(?![0-9])"
)

_DIGITS = {"一": "1", "二": "2", "两": "2", "三": "3", "四": "4", "五": "5"}
_POINT = "[1-5一二两三四五]"
_SCORE = re.compile(
    rf"(?<![0-9.一二三四五六七八九十百千两第])(?<!满分)(?P<given>{_POINT})"
    r"(?= ?(?:分(?![0-9钟鐘享期类開开配支之部半组])|[颗顆]星|星(?![期座级])))"
    rf"|(?:打|给|給|評|评)个?(?P<verb>{_POINT})(?=$|[ ,，。.!！~])"
)
_BARE_SCORE = re.compile(rf"\s*(?P<given>{_POINT})\s*[.。!！~]?\s*")


def find_entities(text: str) -> tuple[FoundEntity, ...]:
    """Entities in order of their start, never overlapping; ``value`` is the tidy form (digits joined, upper case)."""
    narrow = text.translate(_NARROW)
    found: list[FoundEntity] = []
    for shape in _SHAPES:
        for match in shape.pattern.finditer(narrow):
            if shape.accept(match.group()):
                value = shape.tidy(match.group())
                _keep(found, FoundEntity(shape.entity, match.start(), match.end(), value, EXTRACTOR))
    bare = _BARE_SCORE.fullmatch(narrow)
    for match in [bare] if bare else _SCORE.finditer(narrow):
        group = "given" if match["given"] else "verb"
        value = _DIGITS.get(match[group], match[group])
        _keep(found, FoundEntity("score", match.start(group), match.end(group), value, EXTRACTOR))
    return tuple(sorted(found, key=lambda entity: entity.start))


def has_valid_check_digit(number: str) -> bool:
    """Whether an 18-character identity number passes GB 11643 (ISO 7064 MOD 11-2)."""
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _ID_WEIGHTS, strict=True))
    return "10X98765432"[total % 11] == number[17].upper()


@dataclass(frozen=True, slots=True)
class _Shape:
    entity: str
    pattern: re.Pattern[str]
    tidy: Callable[[str], str]
    accept: Callable[[str], bool] = bool


# In order of precedence: a stretch of text is one thing only.
_SHAPES = (
    _Shape("email", _EMAIL, str.lower),
    _Shape("ticket_no", _TICKET, lambda raw: re.sub("[ -]", "", raw).upper()),
    _Shape("id_number", _ID_NUMBER, str.upper, has_valid_check_digit),
    _Shape("phone", _MOBILE, lambda raw: re.sub("[^0-9]", "", raw)[-11:]),
    _Shape("phone", _LANDLINE, lambda raw: re.sub("[^0-9]", "", raw)),
)


def _keep(found: list[FoundEntity], entity: FoundEntity) -> None:
    if all(entity.end <= other.start or other.end <= entity.start for other in found):
        found.append(entity)
