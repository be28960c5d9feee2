"""The desk of tests/console, for bugs that were found there."""

from __future__ import annotations

from tests.console.conftest import desk

__all__ = ["desk"]
