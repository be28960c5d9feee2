"""The running process: what bot/app.py put together, found through the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request

from bot.dispatch import Dispatcher
from bot.metrics import Metrics
from config.settings import Settings
from console.site import Site


@dataclass(frozen=True, slots=True)
class Running:
    settings: Settings
    site: Site
    dispatcher: Dispatcher
    metrics: Metrics
    responses: Mapping[str, str]


def running(request: Request) -> Running:
    found: Running = request.app.state.running
    return found
