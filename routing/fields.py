"""Typed fields out of a content file; every fault is a ContentError that names file and line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, cast

from config.yamlfile import Document

Where = tuple[str | int, ...]


def items(doc: Document, key: str) -> Sequence[Mapping[str, Any]]:
    """The list of mappings under the top-level ``key``."""
    if not isinstance(doc.data, Mapping):
        raise doc.error("must be a mapping")
    listed = doc.data.get(key)
    if not isinstance(listed, list):
        raise doc.error(f"needs a list “{key}”", key)
    for index, item in enumerate(listed):
        if not isinstance(item, Mapping):
            raise doc.error(f"an entry of “{key}” must be a mapping", key, index)
    return cast("Sequence[Mapping[str, Any]]", listed)


def text(doc: Document, item: Mapping[str, Any], key: str, *, where: Where) -> str:
    """A required, non-empty string."""
    value = item.get(key)
    if not isinstance(value, str) or not value.strip():
        raise doc.error(f"“{key}” must be a non-empty text", *where, key)
    return value


def optional_text(doc: Document, item: Mapping[str, Any], key: str, *, where: Where) -> str | None:
    """A string, or None when the key is absent or null."""
    return None if item.get(key) is None else text(doc, item, key, where=where)


def texts(doc: Document, item: Mapping[str, Any], key: str, *, where: Where) -> tuple[str, ...]:
    """A list of strings; absent or null is empty."""
    value = item.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise doc.error(f"“{key}” must be a list of texts", *where, key)
    return tuple(value)


def flag(doc: Document, item: Mapping[str, Any], key: str, *, where: Where) -> bool:
    """A boolean; absent is false."""
    value = item.get(key, False)
    if not isinstance(value, bool):
        raise doc.error(f"“{key}” must be true or false", *where, key)
    return value


def number(doc: Document, item: Mapping[str, Any], key: str, *, where: Where) -> int:
    """A required whole number (YAML's true and false are not numbers)."""
    value = item.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise doc.error(f"“{key}” must be a whole number", *where, key)
    return value


def day(doc: Document, item: Mapping[str, Any], key: str, *, where: Where) -> date | None:
    """A date, written with or without quotation marks; null or absent is None."""
    value = item.get(key)
    if value is None:
        return None
    if type(value) is date:
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise doc.error(f"“{key}” must be a date such as 2026-11-21", *where, key) from None
