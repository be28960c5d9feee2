"""What is sealed opens at its own place, under its own secret, unchanged; nowhere and nothing else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.sealing import SealBroken, seal, unseal

SECRET = b"k" * 40
PLACE = "users|totp_secret|zhang"


def sealed(plain: str = "JBSWY3DPEHPK3PXP") -> str:
    return seal(SECRET, plain, purpose="totp", place=PLACE)


@given(st.text())
def test_it_opens_again(plain: str) -> None:
    assert unseal(SECRET, sealed(plain), purpose="totp", place=PLACE) == plain


def test_it_hides_the_text_and_never_looks_the_same() -> None:
    first, second = sealed(), sealed()
    assert first != second
    assert b"JBSWY3DPEHPK3PXP" not in base64.urlsafe_b64decode(first.removeprefix("v1."))
    assert first.isascii()


@pytest.mark.parametrize("place", ["users|totp_secret|wang", "users|totp_secret|", "", PLACE + " "])
def test_moved_to_another_place_it_is_refused(place: str) -> None:
    with pytest.raises(SealBroken):
        unseal(SECRET, sealed(), purpose="totp", place=place)


def test_under_another_secret_or_purpose_it_is_refused() -> None:
    with pytest.raises(SealBroken):
        unseal(b"j" * 40, sealed(), purpose="totp", place=PLACE)
    with pytest.raises(SealBroken):
        unseal(SECRET, sealed(), purpose="contact", place=PLACE)


def test_with_any_byte_changed_it_is_refused() -> None:
    raw = base64.urlsafe_b64decode(sealed().removeprefix("v1."))
    for index in range(len(raw)):
        changed = raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :]
        with pytest.raises(SealBroken):
            unseal(SECRET, "v1." + base64.urlsafe_b64encode(changed).decode(), purpose="totp", place=PLACE)


@pytest.mark.parametrize(
    "odd", ["", "v1.", "v1.AAAA", "v2.AAAA", "v1.***", "v1.A", "秘密", "v1.秘密", "JBSWY3DPEHPK3PXP"]
)
def test_what_was_never_sealed_is_refused(odd: str) -> None:
    with pytest.raises(SealBroken):
        unseal(SECRET, odd, purpose="totp", place=PLACE)


def test_a_shortened_one_is_refused() -> None:
    whole = sealed()
    for length in range(len(whole)):
        with pytest.raises(SealBroken):
            unseal(SECRET, whole[:length], purpose="totp", place=PLACE)
