"""Sealing single fields, so that a copy of the database alone does not give them away.

AES-256-GCM (NIST SP 800-38D) under a key that HKDF-SHA256 (RFC 5869) derives from the process's secret, one key per
purpose. What is sealed is bound to its place ("users|totp_secret|zhang"): moved to another row it does not open.
"""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = "v1."
_NONCE_BYTES = 12
_TAG_BYTES = 16


class SealBroken(Exception):
    """Not sealed by us for this place, changed since, or sealed under another secret."""


def _cipher(secret: bytes, purpose: str) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret))


def seal(secret: bytes, plain: str, *, purpose: str, place: str) -> str:
    """``plain`` as ASCII text that only ``unseal`` with the same secret, purpose and place opens.

    A random 96-bit nonce is safe for some four thousand million fields of one purpose (SP 800-38D, 8.3).
    """
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + _cipher(secret, purpose).encrypt(nonce, plain.encode(), place.encode())
    return _VERSION + base64.urlsafe_b64encode(sealed).decode()


def unseal(secret: bytes, sealed: str, *, purpose: str, place: str) -> str:
    """What was sealed. Raises SealBroken."""
    if not sealed.startswith(_VERSION):
        raise SealBroken
    try:
        raw = base64.b64decode(sealed.removeprefix(_VERSION), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise SealBroken from error
    if len(raw) < _NONCE_BYTES + _TAG_BYTES:
        raise SealBroken
    try:
        return _cipher(secret, purpose).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode()).decode()
    except InvalidTag as error:
        raise SealBroken from error
