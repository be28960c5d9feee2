"""Keeping out of tickets what nobody should send: identity-card and bank-card numbers; access codes; redaction."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

_DIGITS = re.compile(r"(?<![0-9A-Za-z])(?:[0-9][ -]?){14,18}[0-9Xx](?![0-9A-Za-z])")
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_LENGTH = 8


def _is_identity_number(digits: str) -> bool:
    """Checksum of the 18-character resident identity number (GB 11643-1999, ISO 7064 MOD 11-2)."""
    if len(digits) != 18 or not digits[:17].isdigit():
        return False
    total = sum(int(digit) * weight for digit, weight in zip(digits, _ID_WEIGHTS, strict=False))
    return _ID_CHECKS[total % 11] == digits[17].upper()


def _is_card_number(digits: str) -> bool:
    """Luhn check of a bank card of 16 to 19 digits (ISO/IEC 7812-1)."""
    if not digits.isdigit() or not 16 <= len(digits) <= 19:
        return False
    doubled = (int(digit) * (2 if index % 2 else 1) for index, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def mask_numbers(text: str) -> tuple[str, bool]:
    """The text with identity and bank-card numbers starred out, and whether there were any."""
    found = False

    def star(match: re.Match[str]) -> str:
        nonlocal found
        digits = re.sub(r"[ -]", "", match.group())
        if not (_is_identity_number(digits) or _is_card_number(digits)):
            return match.group()
        found = True
        return f"{digits[:3]}{'*' * (len(digits) - 5)}{digits[-2:]}"

    return _DIGITS.sub(star, text), found


_PHONE = re.compile(r"(?<!\d)1[3-9]\d(?:[ -]?\d){8}(?!\d)")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def redact(text: str) -> str:
    """For people who do not handle the case: no identity, card or phone number and no mail address."""
    masked, _ = mask_numbers(text)
    return _EMAIL.sub("***@***", _PHONE.sub("1**********", masked))


def new_access_code() -> str:
    """Eight characters without look-alikes: 40 bits, so guessing is hopeless behind a rate limit."""
    return "".join(secrets.choice(_CODE_ALPHABET) for _ in range(CODE_LENGTH))


def access_code_hash(secret: bytes, number: str, code: str) -> str:
    normal = re.sub(r"[^0-9A-Z]", "", code.upper())
    return hmac.new(secret, f"access-code:{number}:{normal}".encode(), hashlib.sha256).hexdigest()


def access_code_matches(secret: bytes, number: str, code: str, stored_hash: str) -> bool:
    return hmac.compare_digest(access_code_hash(secret, number, code), stored_hash)
