"""The REST channel and the NLU endpoints, in Rasa's shapes, so that Rasa's clients and test tools work.

https://legacy-docs-oss.rasa.com/docs/rasa/connectors/your-own-website#restinput and
https://legacy-docs-oss.rasa.com/docs/rasa/pages/http-api describe what is imitated.
"""

from __future__ import annotations

import hmac
import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from bot.bodies import read_json
from bot.channels.base import SendResult, WindowClosed
from bot.running import running
from console.site import site_of
from handlers.errors import BadInput, UserFacingError
from handlers.inbound import Inbound, clean_text
from nlu.engine import Utterance
from nlu.formats import to_rasa
from storage.conversations import Said
from storage.outbox import Claim

KIND, ACCOUNT = "rest", "main"
MAX_SENDER = 255
MAX_MESSAGE_ID = 200
VERSION = "0.1.0"

router = APIRouter(tags=["rasa"])


class TokenNeeded(UserFacingError):
    wording_key, http_status = "error.token_needed", 401


class RestChannel:
    """Answers in the response; cannot write first."""

    kind = KIND

    async def send(self, message: Claim) -> SendResult:
        return WindowClosed()


class Metadata(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    message_id: str | int | None = None
    locale: str | None = None


class RestMessage(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")
    sender: str = Field(min_length=1, max_length=MAX_SENDER)
    message: str
    metadata: Metadata | None = None


class ParseRequest(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")
    text: str
    message_id: str | None = None


def token_checked(request: Request, token: Annotated[str, Query()] = "") -> None:
    """With QINGSHENG_API_TOKEN set, these endpoints want it as ?token= or as bearer. Production always wants it."""
    settings = running(request).settings
    wanted = settings.api_token.get_secret_value()
    if not wanted:
        if settings.environment == "production":
            raise TokenNeeded
        return
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    given = bearer if scheme.lower() == "bearer" else token
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        raise TokenNeeded


def _body(shape: type[BaseModel]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": shape.model_json_schema()}}}}


@router.get("/webhooks/rest/")
def rest_health() -> dict[str, str]:
    return {"status": "ok"}


@router.post("/webhooks/rest/webhook", dependencies=[Depends(token_checked)], openapi_extra=_body(RestMessage))
async def rest_webhook(request: Request) -> Response:
    """One message in, the replies out. The same ``metadata.message_id`` again: the same replies, no second effect."""
    message = await read_json(request, RestMessage)
    if clean_text(message.sender) != message.sender:
        raise BadInput(
            "error.bad_field", field="sender", problem=site_of(request).services.named("error.problem_value")
        )
    message_id = message.metadata.message_id if message.metadata else None
    if message_id is not None and not 1 <= len(str(message_id)) <= MAX_MESSAGE_ID:
        problem = site_of(request).services.named("error.problem_value")
        raise BadInput("error.bad_field", field="metadata.message_id", problem=problem)
    # The length keeps "a:b" with id "c" apart from "a" with id "b:c".
    named = f"{len(message.sender)}:{message.sender}:{clean_text(str(message_id))}"
    key = uuid.uuid4().hex if message_id is None else named
    fed = await running(request).dispatcher.feed(
        Inbound(
            channel=KIND,
            account=ACCOUNT,
            peer=message.sender,
            key=key,
            text=clean_text(message.message),
            received_at=site_of(request).services.now(),
            locale=_locale(message.metadata),
        ),
        gives_waiting=True,
    )
    return JSONResponse([_reply(message.sender, said) for said in fed.replies])


def _locale(metadata: Metadata | None) -> str | None:
    wanted = metadata.locale if metadata else None
    return wanted if wanted in ("zh_CN", "zh_TW", "en") else None


def _reply(sender: str, said: Said) -> dict[str, Any]:
    reply: dict[str, Any] = {"recipient_id": sender, "text": said.text}
    if said.buttons:
        reply["buttons"] = [{"title": button["title"], "payload": button["payload"]} for button in said.buttons]
    return reply


@router.post("/model/parse", dependencies=[Depends(token_checked)], openapi_extra=_body(ParseRequest))
async def parse(request: Request, retrieval: Annotated[str, Query()] = "full") -> Response:
    """The understanding of one text, as Rasa's NLU gives it; ``?retrieval=rasa`` names retrieval intents its way."""
    wanted = await read_json(request, ParseRequest)
    services = site_of(request).services
    if retrieval not in ("full", "rasa"):
        problem = services.named("error.problem_value")
        raise BadInput("error.bad_field", field="retrieval", problem=problem)
    result = await services.engine.parse(Utterance(clean_text(wanted.text), wanted.message_id))
    return JSONResponse(
        to_rasa(
            result,
            retrieval="rasa" if retrieval == "rasa" else "full",
            responses=running(request).responses,
            message_id=wanted.message_id,
        )
    )


@router.get("/status", dependencies=[Depends(token_checked)])
def status(request: Request) -> dict[str, Any]:
    model_id = site_of(request).services.engine.model_id
    return {"model_file": f"{model_id}", "model_id": model_id, "num_active_training_jobs": 0}


@router.get("/version")
def version() -> dict[str, str]:
    return {"version": VERSION, "minimum_compatible_version": VERSION}
