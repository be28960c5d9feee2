"""Who may do what: every route of the real app, every kind of caller, the status each of them gets.

A new route needs an entry in ``MATRIX`` (and one that is gone must leave it), or the suite fails and names it. Each
cell is asked of a real house on SQLite, on a ticket of its own. Ids in bodies are below; that open streams end within
five seconds for a disabled user is in tests/console/test_events.py.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyotp
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import SecretStr
from starlette.routing import Mount, Route

from bot.app import Content, create_app
from bot.channels import webchat
from console import desk as desk_pages
from console import sign_in
from console.auth import COOKIE, SIGN_IN_COOKIE
from handlers import accounts, second_factor
from storage import conversations, tickets, users
from storage.models import Role
from tests.console.conftest import CITY, OTHER, TOWN, Desk
from tests.house import PASSWORD, open_house, settings_for

TOKEN = "t" * 40
ORIGIN = {"origin": "https://testserver", "sec-fetch-site": "same-origin"}
ELSEWHERE = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


# ── every route ─────────────────────────────────────────────────────────────────────────────────────────────────────


def routes_of(routes: Iterable[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(method, path) of every route, through routers within routers. Raises for a kind that cannot be looked into."""
    for route in routes:
        if isinstance(route, (APIRoute, Route)):
            yield from ((method, prefix + route.path) for method in sorted(route.methods or ()))
        elif isinstance(route, Mount):
            inner = route.routes
            yield from routes_of(inner, prefix + route.path) if inner else [("GET", f"{prefix}{route.path}/*")]
        elif hasattr(route, "original_router"):
            yield from routes_of(route.original_router.routes, prefix + (route.include_context.prefix or ""))
        else:
            raise TypeError(f"a {type(route).__name__} is a kind of route this test cannot see into yet")


def without_entry(app: FastAPI) -> list[str]:
    return [
        f"{method} {path} has no entry in MATRIX (tests/structure/test_authorisation_matrix.py): say who may"
        for method, path in routes_of(app.routes)
        if (method, path) not in MATRIX
    ]


# ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────────

CALLERS = (
    "anonymous",  # a browser that is not signed in
    "program",  # the same, asking for JSON
    "own",  # a cadre of the ticket's unit
    "parent",  # a cadre of the unit above it
    "other",  # a cadre of another unit
    "admin",
    "holder",  # who has what this route asks for instead of a session; see HOLDERS
    "no_csrf",  # the entitled one, without the page's secret
    "cross_site",  # the entitled one's browser, led here by another site's page
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to a route and the status for each caller.

    ``address`` and ``body`` may name ``{ticket}``: a fresh one of the unit, ``sensitivity`` as given. ``entitled`` is
    whose request is tampered with in the last two columns.
    """

    address: str
    cells: Mapping[str, int]
    body: Mapping[str, str] | None = None
    json: Mapping[str, Any] | None = None
    sensitivity: str = "internal"
    entitled: str = "own"


def cells(
    everybody: int | None = None, /, *, desk: int | None = None, changes: bool = False, **single: int
) -> dict[str, int]:
    """Statuses by caller: of everybody, of everybody signed in, of single ones. A change needs CSRF: 403 without."""
    found = dict.fromkeys(CALLERS[:6], everybody) if everybody is not None else {"anonymous": 303, "program": 401}
    if desk is not None:
        found |= dict.fromkeys(("own", "parent", "other", "admin"), desk)
    if changes:
        found |= {"no_csrf": 403, "cross_site": 403}
    return {caller: status for caller, status in (found | single).items() if status is not None}


PAGE = cells(desk=200)
ADMIN_PAGE = cells(own=404, parent=404, other=404, admin=200)
SIGNED_OUT = {"anonymous": 401, "program": 401}


def own_act(status: int) -> dict[str, int]:
    return cells(**SIGNED_OUT, own=status, parent=status, other=404, admin=403, changes=True)


def admin_act(status: int) -> dict[str, int]:
    return cells(**SIGNED_OUT, own=404, parent=404, other=404, admin=status, changes=True)


def desk_act(status: int) -> dict[str, int]:
    return cells(**SIGNED_OUT, desk=status, changes=True)


RESTRICTED_PAGE = cells(own=200, parent=404, other=404, admin=404)
RESTRICTED_ACT = cells(**SIGNED_OUT, own=303, parent=404, other=404, admin=404, changes=True)
SENSITIVE_PAGE = cells(own=200, parent=200, other=404, admin=404)
ACTS: dict[str, dict[str, str]] = {
    "take": {},
    "answer": {"text": "已联系厂方。"},
    "ask": {"text": "有合同吗？"},
    "note": {"text": "备注"},
    "transfer": {"text": "属市总工会", "target": CITY},
    "close": {"text": "已办妥", "outcome": "solved"},
}
TALK = {"sender": "somebody", "message": "你好"}
CHAT = {"text": "你好", "client_id": "12345678"}

MATRIX: dict[tuple[str, str], list[Ask]] = {
    # Open to the world: nothing of anybody's is in the answer.
    ("GET", "/openapi.json"): [Ask("/openapi.json", cells(200))],
    ("HEAD", "/"): [Ask("/", cells(200, holder=200))],
    ("HEAD", "/openapi.json"): [Ask("/openapi.json", cells(200))],
    ("GET", "/healthz"): [Ask("/healthz", cells(200))],
    ("GET", "/readyz"): [Ask("/readyz", cells(200))],
    ("GET", "/metrics"): [Ask("/metrics", cells(200))],
    ("GET", "/version"): [Ask("/version", cells(200))],
    ("GET", "/webhooks/rest/"): [Ask("/webhooks/rest/", cells(200))],
    ("GET", "/static/*"): [
        Ask("/static/base.css", cells(200)),
        Ask("/static/../templates/base.html", cells(404)),
        Ask("/static/%2e%2e/templates/base.html", cells(404)),
        Ask("/static/..%2f..%2fconfig%2fsettings.py", cells(404)),
        Ask("/static//etc/passwd", cells(404)),
        Ask("/static/", cells(404)),
    ],
    # The API: a token, and no cookie counts.
    ("GET", "/status"): [Ask("/status", cells(401, holder=200))],
    ("POST", "/webhooks/rest/webhook"): [Ask("/webhooks/rest/webhook", cells(401, holder=200), json=TALK)],
    ("POST", "/model/parse"): [Ask("/model/parse", cells(401, holder=200), json={"text": "你好"})],
    # The web chat: the browser's own cookie, whoever is signed in at the desk.
    ("GET", "/"): [Ask("/", cells(200, holder=200))],
    ("GET", "/chat/messages"): [Ask("/chat/messages", cells(200, holder=200))],
    ("GET", "/chat/events"): [Ask("/chat/events", cells(200, holder=200))],
    ("POST", "/chat/messages"): [
        Ask("/chat/messages", cells(403, holder=200, changes=True), json=CHAT, entitled="holder")
    ],
    ("POST", "/chat/send"): [
        Ask("/chat/send", cells(403, holder=303, changes=True), body={"text": "你好"}, entitled="holder")
    ],
    # The public progress page: number and access code. Giving them changes nothing but the giver's own cookie.
    ("GET", "/cases"): [Ask("/cases", cells(200))],
    ("GET", "/cases/"): [Ask("/cases/", cells(200))],
    ("POST", "/cases"): [
        Ask("/cases", cells(404, cross_site=403), body={"number": "{ticket}", "code": "22222222"}, entitled="anonymous")
    ],
    ("POST", "/cases/"): [
        Ask("/cases/", cells(404, holder=303, cross_site=403), body={"number": "{ticket}"}, entitled="holder")
    ],
    ("GET", "/cases/{number}"): [
        Ask("/cases/{ticket}", cells(200)),
        Ask("/cases/{ticket}?code=22222222", cells(404)),
    ],
    # Signing in and out.
    ("GET", "/console/sign-in"): [Ask("/console/sign-in", cells(200, desk=303))],
    ("POST", "/console/sign-in"): [
        Ask(
            "/console/sign-in",
            cells(400, holder=303, changes=True),
            body={"login": f"cadre.{TOWN}", "password": PASSWORD},
            entitled="holder",
        )
    ],
    ("GET", "/console/sign-in/code"): [Ask("/console/sign-in/code", cells(303, holder=200))],
    ("POST", "/console/sign-in/code"): [
        Ask("/console/sign-in/code", cells(403, holder=303, changes=True), body={}, entitled="holder")
    ],
    ("POST", "/console/sign-out"): [Ask("/console/sign-out", desk_act(303), body={})],
    # One's own account.
    ("GET", "/console/password"): [Ask("/console/password", PAGE)],
    ("POST", "/console/password"): [
        Ask("/console/password", desk_act(303), body={"old": PASSWORD, "new": PASSWORD, "again": PASSWORD}),
        Ask("/console/password", desk_act(422), body={"old": "wrong", "new": PASSWORD, "again": PASSWORD}),
    ],
    ("GET", "/console/security"): [Ask("/console/security", PAGE)],
    ("POST", "/console/security/on"): [Ask("/console/security/on", desk_act(422), body={"code": "000000"})],
    ("POST", "/console/security/off"): [
        Ask("/console/security/off", desk_act(422), body={"password": PASSWORD, "code": "000000"})
    ],
    # The desk.
    ("GET", "/console"): [Ask("/console", cells(303))],
    ("GET", "/console/"): [Ask("/console/", PAGE)],
    ("GET", "/console/figures"): [Ask("/console/figures", PAGE)],
    ("GET", "/console/events"): [Ask("/console/events", PAGE)],
    ("GET", "/console/tickets/{number}"): [
        Ask("/console/tickets/{ticket}", cells(own=200, parent=200, other=404, admin=200)),
        Ask("/console/tickets/{ticket}", SENSITIVE_PAGE, sensitivity="sensitive"),
        Ask("/console/tickets/{ticket}", RESTRICTED_PAGE, sensitivity="restricted"),
        Ask("/console/tickets/GD2611249999", cells(desk=404)),
    ],
    ("GET", "/console/tickets/{number}/events"): [
        Ask("/console/tickets/{ticket}/events", cells(own=200, parent=200, other=404, admin=200)),
        Ask("/console/tickets/{ticket}/events", SENSITIVE_PAGE, sensitivity="sensitive"),
        Ask("/console/tickets/{ticket}/events", RESTRICTED_PAGE, sensitivity="restricted"),
        Ask("/console/tickets/GD2611249999/events", cells(desk=404)),
    ],
    ("POST", "/console/tickets/{number}/{act}"): [
        *(Ask(f"/console/tickets/{{ticket}}/{act}", own_act(303), body=body) for act, body in ACTS.items()),
        *(
            Ask(f"/console/tickets/{{ticket}}/{act}", RESTRICTED_ACT, body=body, sensitivity="restricted")
            for act, body in ACTS.items()
            if act != "transfer"
        ),
        *(Ask(f"/console/tickets/GD2611249999/{act}", desk_act(404), body=body) for act, body in ACTS.items()),
        Ask("/console/tickets/{ticket}/delete", desk_act(404), body={}),
    ],
    # Administration: for everybody else it does not exist.
    ("GET", "/console/users"): [Ask("/console/users", ADMIN_PAGE)],
    ("GET", "/console/units"): [Ask("/console/units", ADMIN_PAGE)],
    ("GET", "/console/misses"): [Ask("/console/misses", ADMIN_PAGE)],
    ("POST", "/console/users"): [
        Ask("/console/users", admin_act(200), body={"login": "cadre.new", "name": "新", "unit": TOWN}, entitled="admin")
    ],
    **{
        ("POST", f"/console/users/{{login}}/{act}"): [
            Ask(f"/console/users/cadre.{OTHER}.second/{act}", admin_act(status), body={}, entitled="admin"),
            Ask(f"/console/users/nobody/{act}", admin_act(404), body={}, entitled="admin"),
            Ask(f"/console/users/admin/{act}", admin_act(422), body={}, entitled="admin"),
        ]
        for act, status in (("disable", 303), ("enable", 303), ("password", 200))
    },
}


# ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(slots=True)
class Request:
    method: str
    address: str
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


async def answer_to(app: Any, request: Request, *, stop_streams: bool = True) -> Answer:
    """Ask the app as a server does. An event stream is left as soon as it has begun."""
    path, _, query = request.address.partition("?")
    headers = {"host": "testserver", **request.headers}
    if request.cookies:
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in request.cookies.items())
    decoded = re.sub(r"%([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), path)
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": request.method, "scheme": "https",
        "path": decoded, "raw_path": path.encode(), "root_path": "", "query_string": query.encode(),
        "server": ("testserver", 443), "client": ("127.0.0.1", 5),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    has_left, was_read, started, body = asyncio.Event(), False, {}, bytearray()

    async def receive() -> dict[str, Any]:
        nonlocal was_read
        if not was_read:
            was_read = True
            return {"type": "http.request", "body": request.body, "more_body": False}
        await has_left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        started.update(message if message["type"] == "http.response.start" else {})
        body.extend(message.get("body", b""))
        if stop_streams and any(value.startswith(b"text/event-stream") for _, value in started["headers"]):
            # It has looked once by then; leaving in the middle of a look would tear its connection down.
            asyncio.get_running_loop().call_later(0.2, has_left.set)

    async with asyncio.timeout(10):
        await app(scope, receive, send)
    return Answer(started["status"], tuple(started["headers"]), bytes(body))


LOGINS = {"own": f"cadre.{TOWN}", "parent": f"cadre.{CITY}", "other": f"cadre.{OTHER}", "admin": "admin"}


@dataclass(slots=True)
class Scene:
    """A house with a cadre in each unit, an admin, and somebody with one-time codes."""

    desk: Desk

    async def populate(self) -> None:
        for login, unit in (
            *((f"cadre.{unit}", unit) for unit in (TOWN, CITY, OTHER)),
            (f"cadre.{OTHER}.second", OTHER),
            ("cadre.coded", TOWN),
        ):
            await self.desk.house.add_user(login, unit=unit)
        await self.desk.house.add_user("admin", role=Role.ADMIN)

    async def session(self, login: str) -> tuple[str, str]:
        """A new session's token and form secret."""
        async with self.desk.house.process.database.transaction() as session:
            user = await users.by_login(session, login)
            assert user is not None
            token, signed_in = await accounts.open_session(session, user, now=self.desk.now)
        return token, signed_in.csrf

    async def request(self, method: str, ask: Ask, caller: str) -> Request:
        """This ask as that caller sends it."""
        ticket = await self.desk.ticket(sensitivity=ask.sensitivity) if "{ticket}" in f"{ask.address}{ask.body}" else ""
        request = Request(method, ask.address.format(ticket=ticket), dict(ORIGIN))
        request.headers["accept"] = "application/json" if caller == "program" else "text/html"
        person = ask.entitled if caller in ("no_csrf", "cross_site") else caller
        fields = {name: value.format(ticket=ticket) for name, value in (ask.body or {}).items()}
        if person in LOGINS:
            request.cookies[COOKIE], fields["csrf"] = await self.session(LOGINS[person])
        elif person == "holder":
            await HOLDERS[method, ask.address](self, request, fields)
        if caller == "cross_site":
            request.headers |= ELSEWHERE
        if caller == "no_csrf":
            request.headers.pop("x-csrf-token", None)
            fields.pop("csrf", None)
        if ask.json is not None:
            request.headers["content-type"], request.body = "application/json", json.dumps(ask.json).encode()
        elif ask.body is not None:
            request.headers["content-type"] = "application/x-www-form-urlencoded"
            request.body = urlencode(fields).encode()
        return request


Fields = dict[str, str]


async def _with_token(scene: Scene, request: Request, fields: Fields) -> None:
    request.headers["authorization"] = f"Bearer {TOKEN}"


async def _with_chat_cookie(scene: Scene, request: Request, fields: Fields) -> None:
    visitor = webchat.Visitor("v" * 43, is_new=False)
    request.cookies[webchat.COOKIE] = visitor.token
    fields["csrf"] = request.headers["x-csrf-token"] = visitor.csrf(scene.desk.house.process.services.secret)


async def _with_access_code(scene: Scene, request: Request, fields: Fields) -> None:
    from handlers.privacy import access_code_hash

    process = scene.desk.house.process
    async with process.database.transaction() as session:
        ticket = await tickets.by_number(session, fields["number"])
        assert ticket is not None
        ticket.access_code_hash = access_code_hash(process.services.secret, ticket.number, "33333333")
    fields["code"] = "33333333"


async def _with_sign_in_form(scene: Scene, request: Request, fields: Fields) -> None:
    page = await answer_to(scene.desk.app, Request("GET", "/console/sign-in", {"accept": "text/html"}))
    cookie = next(value.decode() for name, value in page.headers if name == b"set-cookie")
    request.cookies[SIGN_IN_COOKIE] = fields["csrf"] = cookie.split(";")[0].partition("=")[2]


async def _with_right_password(scene: Scene, request: Request, fields: Fields) -> None:
    process = scene.desk.house.process
    scene.desk.house.clock.forward(seconds=60)  # a code works once
    async with process.database.transaction() as session:
        user = await users.by_login(session, "cadre.coded")
        assert user is not None
        if user.totp_sealed is None:
            code = pyotp.TOTP(SECRET).at(scene.desk.now - timedelta(seconds=30))
            await second_factor.turn_on(session, process.services, user.login, SECRET, code, keep_session="")
            await session.flush()
        request.cookies[sign_in.CODE_COOKIE] = pending = sign_in._new_pending(process.running.site, user)
    secret = process.services.secret
    fields["csrf"] = hmac.new(secret, f"sign-in-code-csrf:{pending}".encode(), sha256).hexdigest()
    fields["code"] = pyotp.TOTP(SECRET).at(scene.desk.now)


HOLDERS = {
    ("GET", "/status"): _with_token,
    ("POST", "/webhooks/rest/webhook"): _with_token,
    ("POST", "/model/parse"): _with_token,
    ("GET", "/"): _with_chat_cookie,
    ("HEAD", "/"): _with_chat_cookie,
    ("GET", "/chat/messages"): _with_chat_cookie,
    ("GET", "/chat/events"): _with_chat_cookie,
    ("POST", "/chat/messages"): _with_chat_cookie,
    ("POST", "/chat/send"): _with_chat_cookie,
    ("POST", "/cases/"): _with_access_code,
    ("POST", "/console/sign-in"): _with_sign_in_form,
    ("GET", "/console/sign-in/code"): _with_right_password,
    ("POST", "/console/sign-in/code"): _with_right_password,
}
"""How a caller gets what such a route asks for instead of a session."""


@pytest.fixture
async def scene(
    sqlite_url: str, content: Content, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Scene]:
    # All callers of this test have one address; how often one may try is tested elsewhere.
    monkeypatch.setattr("console.limits.RateLimit.seconds_to_wait", lambda self, key: 0.0)
    settings = settings_for(tmp_path / "data", sqlite_url, None, api_token=SecretStr(TOKEN))
    async with open_house(settings, content, models=models) as house, AsyncExitStack() as stack:
        scene = Scene(Desk(house, create_app(house.process), stack))
        await scene.populate()
        yield scene


# ── the tests ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_route_has_an_entry(scene: Scene) -> None:
    assert without_entry(scene.desk.app) == []


async def test_every_entry_has_a_route(scene: Scene) -> None:
    assert sorted(MATRIX.keys() - set(routes_of(scene.desk.app.routes))) == []


async def test_a_new_route_is_missed_by_name(scene: Scene) -> None:
    planted = APIRouter(prefix="/console")
    planted.add_api_route("/export", lambda: None, methods=["GET", "DELETE"])
    scene.desk.app.include_router(planted, prefix="/planted")
    assert [sentence.partition(" has no entry")[0] for sentence in without_entry(scene.desk.app)] == [
        "DELETE /planted/console/export",
        "GET /planted/console/export",
    ]


def test_every_act_on_a_ticket_is_asked_for() -> None:
    assert ACTS.keys() == desk_pages.ACTS.keys()


def test_every_change_is_tried_without_csrf_and_from_another_site() -> None:
    for (method, path), asks in MATRIX.items():
        for ask in asks if method not in ("GET", "HEAD") else ():
            takes_token = ask.cells.get("anonymous") == 401 and "own" in ask.cells and ask.cells["own"] == 401
            assert takes_token or "cross_site" in ask.cells, path
            assert takes_token or path.startswith("/cases") or "no_csrf" in ask.cells, path


async def test_every_cell_of_the_matrix(scene: Scene) -> None:
    wrong, asked = [], 0
    for (method, path), asks in MATRIX.items():
        for ask in asks:
            for caller, expected in ask.cells.items():
                answer = await answer_to(scene.desk.app, await scene.request(method, ask, caller))
                asked += 1
                if answer.status != expected:
                    wrong.append(f"{method} {path} as {ask.address} by {caller}: {answer.status}, not {expected}")
    assert wrong == []
    assert asked > 400


ANOTHER_ROUTE = {
    ("HEAD", "/static/*"): "files may be asked for by their head",
    ("POST", "/console/tickets/{number}/events"): "an act called events, which is not found",
}


async def test_no_route_obeys_another_method(scene: Scene) -> None:
    known: dict[str, set[str]] = {}
    for method, path in routes_of(scene.desk.app.routes):
        known.setdefault(path, set()).add(method)
    wrong = []
    for path, methods in known.items():
        address = re.sub(r"\{\w+\}", "take", path.replace("*", "base.css"))
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "EVIL"} - methods:
            if (method, path) in ANOTHER_ROUTE:
                continue
            request = Request(method, address, {"accept": "text/html"})
            request.cookies[COOKIE], _ = await scene.session("admin")
            status = (await answer_to(scene.desk.app, request)).status
            if status != 405:
                wrong.append(f"{method} {address}: {status}")
    assert wrong == []


@pytest.mark.parametrize("caller", ["anonymous", "program", "own", "parent", "other", "admin"])
@pytest.mark.parametrize("sensitivity", ["internal", "restricted"])
async def test_foreign_and_absent_are_the_same_to_the_byte(scene: Scene, caller: str, sensitivity: str) -> None:
    absent = "GD2611249999"
    compared = 0
    for (method, path), asks in MATRIX.items():
        if "{number}" not in path:
            continue
        for ask in (one for one in asks if "{ticket}" in one.address and one.sensitivity == sensitivity):
            if ask.cells[caller] not in (401, 404):
                continue
            request = await scene.request(method, ask, caller)
            foreign = await answer_to(scene.desk.app, request)
            number = re.findall(r"GD\d{10}", request.address)[0]
            request.address = request.address.replace(number, absent)
            missing = await answer_to(scene.desk.app, request)
            assert len(number) == len(absent)
            assert (foreign.status, foreign.headers) == (missing.status, missing.headers), ask
            assert foreign.body.replace(number.encode(), absent.encode()) == missing.body, ask
            compared += 1
    assert compared or (caller in ("own", "parent", "admin") and sensitivity == "internal") or caller == "own"


async def test_the_public_page_does_not_tell_which_numbers_exist(scene: Scene) -> None:
    number, absent = await scene.desk.ticket(), "GD2611249999"
    for address, body in (
        ("/cases/{0}", None),
        ("/cases/{0}?code=22222222", None),
        ("/cases/", "number={0}&code=22222222"),
        ("/cases", "number={0}"),
    ):
        answers = []
        for one in (number, absent):
            request = Request("POST" if body else "GET", address.format(one), {"accept": "text/html", **ORIGIN})
            if body:
                request.headers["content-type"] = "application/x-www-form-urlencoded"
                request.body = body.format(one).encode()
            answer = await answer_to(scene.desk.app, request)
            answers.append((answer.status, answer.headers, answer.body.replace(one.encode(), b"N")))
        assert answers[0] == answers[1], address


# ── ids in bodies ───────────────────────────────────────────────────────────────────────────────────────────────────


async def _post(scene: Scene, caller: str, address: str, **fields: str) -> Answer:
    ask = Ask(address, {}, body=fields)
    return await answer_to(scene.desk.app, await scene.request("POST", ask, caller))


async def _record(scene: Scene, number: str) -> tuple[str, str, int]:
    ticket = await scene.desk.stored(number)
    return ticket.unit_code, ticket.status, ticket.event_count


@pytest.mark.parametrize("target", ["nowhere", "", TOWN, "../users", "gd-zs-union-xiaolan\0", "GD2611240001"])
async def test_a_transfer_goes_only_to_a_unit_that_may_take_it(scene: Scene, target: str) -> None:
    number = await scene.desk.ticket()
    before = await _record(scene, number)
    answer = await _post(scene, "own", f"/console/tickets/{number}/transfer", target=target, text="理由")
    assert answer.status == 422
    assert await _record(scene, number) == before


async def test_a_restricted_ticket_is_not_passed_up_to_a_unit_that_only_sorts(scene: Scene) -> None:
    services = scene.desk.house.process.services
    sorters = [
        (topic.code, unit.code)
        for topic in services.topics
        for unit in services.tree
        if services.tree.mode_for(unit.code, topic.code) == "triage" and not unit.is_crisis_desk and unit.code != TOWN
    ]
    assert sorters
    for topic, code in sorters[:: max(1, len(sorters) // 5)]:
        number = await scene.desk.ticket(sensitivity="restricted", topic=topic)
        answer = await _post(scene, "own", f"/console/tickets/{number}/transfer", target=code, text="理由")
        assert answer.status == 422, (topic, code)
        assert (await _record(scene, number))[0] == TOWN


async def test_a_number_in_a_form_changes_no_other_ticket(scene: Scene) -> None:
    own, foreign = await scene.desk.ticket(TOWN), await scene.desk.ticket(OTHER, "别的单位的工单，老板欠薪")
    before = await _record(scene, foreign)
    for act, body in ACTS.items():
        ids = {"number": foreign, "ticket": foreign, "ticket_id": "2", "id": "2", "act": "close"}
        await _post(scene, "own", f"/console/tickets/{own}/{act}", **ids, **body)
    assert await _record(scene, foreign) == before


async def test_a_login_in_a_form_changes_no_other_account(scene: Scene) -> None:
    database = scene.desk.house.process.database
    async with database.reading() as session:
        before = await users.by_login(session, "admin")
    ids = {"login": "admin", "username": "admin", "user_id": "1", "role": "admin"}
    change = {"old": PASSWORD, "new": "x" * 20, "again": "x" * 20}
    assert (await _post(scene, "own", "/console/password", **ids, **change)).status == 303
    await _post(scene, "own", "/console/security/on", **ids, setup="v1.AAAA", code="000000")
    async with database.reading() as session:
        after = await users.by_login(session, "admin")
        cadre = await users.by_login(session, f"cadre.{TOWN}")
    assert before is not None
    assert after is not None
    assert cadre is not None
    assert (after.password_hash, after.totp_sealed) == (before.password_hash, None)
    assert cadre.role == Role.CADRE


async def test_a_form_makes_cadres_only_with_what_the_page_asks_for(scene: Scene) -> None:
    more = {"role": "admin", "is_demo": "1", "password": "chosen-password", "password_hash": "x", "totp_sealed": "x"}
    answer = await _post(scene, "admin", "/console/users", login="cadre.new", name="新", unit=TOWN, **more)
    assert answer.status == 200
    async with scene.desk.house.process.database.reading() as session:
        made = await users.by_login(session, "cadre.new")
    assert made is not None
    assert (made.role, made.unit_code, made.is_demo, made.totp_sealed) == (Role.CADRE, TOWN, False, None)
    assert not accounts.password_fits(made.password_hash, "chosen-password")


async def test_a_set_up_of_another_user_or_session_is_refused(scene: Scene) -> None:
    services = scene.desk.house.process.services
    code = pyotp.TOTP(SECRET).at(scene.desk.now)
    for login, session in (("admin", "x"), (f"cadre.{TOWN}", "another-session"), ("", "")):
        setup = second_factor.seal_for_setup(services, SECRET, login, session)
        answer = await _post(scene, "own", "/console/security/on", setup=setup, code=code)
        assert answer.status == 422
        assert SECRET.encode() not in answer.body.replace(b" ", b"")


PAYLOADS = (
    "/progress:{0}",
    "/add:{0}",
    "/urge:{0}",
    "/unit:{0}",
    "/unit:{0}:none",
    f"/unit:{{0}}:{CITY}",
    "/withdraw:{0}",
    "/withdraw:{0}:yes",
    "/reopen:{0}",
    "/reopen:{0}:skip",
    "/rate:{0}",
    "/solved:{0}:yes",
    "/solved:{0}:no",
    "/score:{0}:1",
    "/comment:{0}:skip",
)
WORDS = ("查进度 {0}", "进度 {0}", "催办 {0}", "撤回 {0}", "补充 {0} 内容", "评价 {0}", "重办 {0}", "换部门 {0}")


@pytest.mark.parametrize("is_offered", [False, True], ids=["made up", "as if we had offered it"])
@pytest.mark.parametrize("status", ["dispatched", "answered"])
async def test_somebody_elses_number_in_a_payload_does_nothing(scene: Scene, status: str, *, is_offered: bool) -> None:
    process, absent = scene.desk.house.process, "GD2611249999"
    number = await scene.desk.ticket(TOWN)
    if status == "answered":
        await _post(scene, "own", f"/console/tickets/{number}/answer", text="已联系厂方。")
    before = await _record(scene, number)

    async def said(sender: str, message: str) -> str:
        if is_offered and message.startswith("/"):
            async with process.database.transaction() as session:
                opened = await conversations.find_or_open(
                    session, channel="rest", account="main", peer=sender, locale="zh_CN", now=scene.desk.now
                )
                opened.state = {**opened.state, "offers": [[{"title": "按", "payload": message}]]}
        request = Request("POST", "/webhooks/rest/webhook", {"authorization": f"Bearer {TOKEN}"})
        request.body = json.dumps({"sender": sender, "message": message}).encode()
        return (await answer_to(scene.desk.app, request)).body.decode()

    for index, pattern in enumerate((*PAYLOADS, *WORDS)):
        foreign = await said(f"thief-a-{index:02}", pattern.format(number))
        missing = await said(f"thief-b-{index:02}", pattern.format(absent))
        assert foreign.replace(number, absent).replace("thief-a", "thief-b") == missing, pattern
    assert await _record(scene, number) == before


async def test_the_same_client_id_in_another_browser_is_another_message(scene: Scene) -> None:
    secret = scene.desk.house.process.services.secret
    answers = []
    for letter, text in (("v", "我的电话是13800138000"), ("w", "你好")):
        visitor = webchat.Visitor(letter * 43, is_new=False)
        request = Request("POST", "/chat/messages", {**ORIGIN, "x-csrf-token": visitor.csrf(secret)})
        request.cookies[webchat.COOKIE] = visitor.token
        request.body = f'{{"text": "{text}", "client_id": "same-client-id"}}'.encode()
        answers.append((await answer_to(scene.desk.app, request)).body.decode())
    assert "13800138000" in answers[0]
    assert "13800138000" not in answers[1]
    assert "你好" in answers[1]


async def test_a_sender_cannot_be_spelled_so_that_somebody_elses_message_is_repeated(scene: Scene) -> None:
    answers = []
    for sender, message, message_id in (("a", "撤回", "b:c"), ("a:b", "你好", "c"), ("1:a", "评价", "b:c")):
        request = Request("POST", "/webhooks/rest/webhook", {"authorization": f"Bearer {TOKEN}"})
        request.body = (
            f'{{"sender": "{sender}", "message": "{message}", "metadata": {{"message_id": "{message_id}"}}}}'.encode()
        )
        answers.append((await answer_to(scene.desk.app, request)).body)
    assert len(set(answers)) == 3


async def test_a_pass_for_one_case_opens_no_other(scene: Scene) -> None:
    first, second = await scene.desk.ticket(), await scene.desk.ticket(TOWN, "第二张，老板也欠薪")
    fields = {"number": first}
    request = Request("POST", "/cases/", {"accept": "text/html", **ORIGIN})
    await _with_access_code(scene, request, fields)
    request.headers["content-type"] = "application/x-www-form-urlencoded"
    request.body = urlencode(fields).encode()
    opened = await answer_to(scene.desk.app, request)
    cookie = next(value.decode() for name, value in opened.headers if name == b"set-cookie")
    value = cookie.split(";")[0].partition("=")[2]
    shown = Request("GET", f"/cases/{first}", {"accept": "text/html"}, {"__Host-qs_case": value})
    assert b"stepper" in (await answer_to(scene.desk.app, shown)).body
    for forged in (value, value.replace(first, second), value[:-1], "x"):
        shown = Request("GET", f"/cases/{second}", {"accept": "text/html"}, {"__Host-qs_case": forged})
        assert b"stepper" not in (await answer_to(scene.desk.app, shown)).body
