"""What every refusal over HTTP looks like (RFC 9457), checked in one place."""

from __future__ import annotations

from typing import Any

import httpx

FIELDS = {"type", "title", "status", "code", "detail"}


def problem(response: httpx.Response, status: int | None = None, code: str | None = None) -> dict[str, Any]:
    """The refusal, after checking that it is one: a stable code and one sentence for people."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    told: dict[str, Any] = response.json()
    assert set(told) == FIELDS
    assert told["status"] == response.status_code
    assert 400 <= response.status_code < 500 or response.status_code == 503, told
    assert told["code"].replace("_", "").isalnum()
    assert told["detail"].strip()
    assert "\n" not in told["detail"]
    assert len(told["detail"]) < 200
    assert "Traceback" not in told["detail"]
    if status is not None:
        assert response.status_code == status, told
    if code is not None:
        assert told["code"] == code
    return told
