"""Reading request bodies: capped, JSON, checked field by field, each fault one sentence."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from console.site import site_of
from handlers.errors import BadInput, UserFacingError


class BadJson(UserFacingError):
    wording_key, http_status = "error.bad_json", 400


Shape = TypeVar("Shape", bound=BaseModel)


def _no_constant(name: str) -> NoReturn:
    """NaN and Infinity are JavaScript, not JSON (RFC 8259, section 6)."""
    raise ValueError(name)


async def read_json(request: Request, shape: type[Shape]) -> Shape:
    """The body as ``shape``. Raises BadJson (400) for broken JSON, BadInput (422) naming the first wrong field."""
    raw = await request.body()
    try:
        data: Any = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadJson from error
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "JSON"
        kind = "missing" if first["type"] == "missing" else "type" if first["type"].endswith("_type") else "value"
        raise BadInput(
            "error.bad_field", field=field, problem=site_of(request).services.named(f"error.problem_{kind}")
        ) from error
