"""All pages of the desk in one router."""

from __future__ import annotations

from fastapi import APIRouter

from console import admin, desk, events, public, security, sign_in

router = APIRouter()
for part in (sign_in, security, events, admin, desk, public):
    router.include_router(part.router)
