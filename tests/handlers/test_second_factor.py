"""Codes: the standard's own numbers, one step aside, once."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from handlers.second_factor import address_for_apps, fitting_step, new_secret

# RFC 6238, appendix B (SHA-1); its eight digits end in the six that apps show.
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_CODES = {59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"}
NOW = datetime(2026, 11, 24, 2, 0, 10, tzinfo=UTC)


def code_at(at: datetime) -> str:
    return pyotp.TOTP(RFC_SECRET).at(at)


@pytest.mark.parametrize(("seconds", "code"), RFC_CODES.items())
def test_the_codes_of_the_standard_fit(seconds: int, code: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    assert fitting_step(RFC_SECRET, code, at=at, used_step=None) == seconds // 30


@pytest.mark.parametrize(("steps", "fits"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_one_step_aside_fits_and_no_more(steps: int, fits: bool) -> None:
    code = code_at(NOW + timedelta(seconds=30 * steps))
    assert (fitting_step(RFC_SECRET, code, at=NOW, used_step=None) is not None) == fits


def test_a_code_and_every_earlier_one_fit_once() -> None:
    earlier, code = code_at(NOW - timedelta(seconds=30)), code_at(NOW)
    step = fitting_step(RFC_SECRET, code, at=NOW, used_step=None)
    assert step is not None
    for again in (code, earlier):
        assert fitting_step(RFC_SECRET, again, at=NOW + timedelta(seconds=5), used_step=step) is None
    following = NOW + timedelta(seconds=30)
    assert fitting_step(RFC_SECRET, code_at(following), at=following, used_step=step) == step + 1


@pytest.mark.parametrize(
    "odd", ["", "12345", "1234567", "abcdef", "１２３４５６", "²²²²²²", "\0" * 6, "9" * 100_000, "-12345"]
)
def test_what_is_no_code_does_not_fit(odd: str) -> None:
    assert fitting_step(RFC_SECRET, odd, at=NOW, used_step=None) is None


def test_a_code_may_be_typed_with_a_space() -> None:
    code = code_at(NOW)
    assert fitting_step(RFC_SECRET, f" {code[:3]} {code[3:]}", at=NOW, used_step=None) is not None


def test_a_secret_has_160_bits_and_an_address_for_apps() -> None:
    secret = new_secret()
    assert len(base64.b32decode(secret)) == 20
    assert new_secret() != secret
    address = address_for_apps(secret, "admin", "青声")
    parsed = pyotp.parse_uri(address)
    assert (parsed.secret, parsed.name, parsed.issuer) == (secret, "admin", "青声")
