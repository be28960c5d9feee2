"""All pages of the desk in one router."""

from __future__ import annotations

from fastapi import APIRouter

from console import admin, auth, desk, events, public

router = APIRouter()
for part in (auth, events, admin, desk, public):
    router.include_router(part.router)
