"""What an attacker sends: odd headers and addresses, endless values, other people's addresses, crashes."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.requests import Request as StarletteRequest

from bot.commands.serve import _uvicorn_config
from config.logs import _OneLine
from config.settings import Settings
from console.site import caller
from tests.console.conftest import COOKIE, HERE_ORIGIN, HTML, SIGN_IN_COOKIE, TOWN, Desk

LATIN_DIGITS = "²³¹".encode("latin-1")  # str.isdigit() says yes, int() raises
PRIVATE = ("/", "/console/", "/console/figures", "/console/password", "/console/security", "/chat/messages", "/cases/")


async def raw(desk: Desk, method: str, path: str, **headers: bytes) -> httpx.Response:
    """A request whose headers need not be text."""
    transport = httpx.ASGITransport(desk.app, client=("127.0.0.1", 5), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
        sent = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
        return await client.request(method, path, headers=sent)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/cases/GD2611240001", {"cookie": b"__Host-qs_case=GD2611240001." + LATIN_DIGITS + b".x"}),
        ("/cases/GD2611240001", {"cookie": b"__Host-qs_case=GD2611240001." + b"9" * 5_000 + b".x"}),
        ("/console/sign-in/code", {"cookie": b"__Host-qs_code=" + LATIN_DIGITS + b"." + LATIN_DIGITS + b".x.y"}),
        ("/console/sign-in/code", {"cookie": b"__Host-qs_code=1." + b"9" * 11 + b".x.y"}),
        ("/console/sign-in", {"cookie": f"{SIGN_IN_COOKIE}=".encode() + LATIN_DIGITS + b".x.y"}),
        ("/console/sign-in?next=//[", {}),
        ("/console/sign-in?next=http://[/console/", {}),
        ("/console/sign-in?next=/console/%5B%00", {}),
        ("/console/", {"cookie": f"{COOKIE}=".encode() + b"\xff" * 50}),
        ("/console/", {"cookie": f"{COOKIE}=".encode() + b"x" * 20_000}),
        ("/", {"cookie": b"__Host-qs_chat=" + b"\xe9" * 40}),
        ("/", {"accept_language": b"\xff" * 100 + b"," * 1_000}),
        ("/chat/messages?after=99999999999999999999999999", {}),
        ("/chat/messages?after=%00", {}),
        ("/cases/%00", {}),
        ("/cases/" + "A" * 5_000, {}),
        ("/cases/A%00?code=%00", {}),
        ("/%00", {}),
        ("/%ff%fe", {}),
        ("/static/%00", {}),
        ("/static/" + "a" * 5_000, {}),
        ("/console/?page=" + "9" * 5_000, {}),
    ],
)
async def test_odd_requests_are_refused_not_crashed_on(desk: Desk, path: str, headers: dict[str, bytes]) -> None:
    response = await raw(desk, "GET", path, accept=b"text/html", **headers)
    assert response.status_code < 500, response.text


@pytest.mark.parametrize(
    "origin", [b"http://[", b"null", b"https://testserver.evil.example", b"\xff", b"//testserver@evil"]
)
@pytest.mark.parametrize("path", ["/console/sign-in", "/console/sign-out", "/cases/", "/chat/send", "/chat/messages"])
async def test_an_odd_origin_is_another_site(desk: Desk, path: str, origin: bytes) -> None:
    response = await raw(desk, "POST", path, origin=origin, content_type=b"application/x-www-form-urlencoded")
    assert response.status_code in (401, 403)


@pytest.mark.parametrize("host", [b"", b"[", b"evil.example", b"a b", b"\xff", b"testserver:99999999"])
async def test_an_odd_host_is_never_repeated(desk: Desk, host: bytes) -> None:
    for path in ("/", "/console/", "/console/sign-in", "/nothing"):
        response = await raw(desk, "GET", path, host=host, accept=b"text/html")
        assert response.status_code < 500
        assert "evil.example" not in response.text
        assert "evil.example" not in str(response.headers)


async def test_every_answer_has_the_guarding_headers_and_stays_out_of_caches(desk: Desk) -> None:
    browser, number = await desk.cadre(TOWN), await desk.ticket()
    paths = (*PRIVATE, f"/console/tickets/{number}", "/console/tickets/none", "/console/users", "/nothing", "/console")
    for path in paths:
        for client in (browser.client, (await desk.stranger()).client):
            for accept in ("text/html", "application/json"):
                response = await client.get(path, headers={"accept": accept})
                assert response.headers["cache-control"] == "no-store", path
                assert response.headers["x-content-type-options"] == "nosniff"
                assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    static = await browser.client.get("/static/base.css")
    assert "immutable" in static.headers["cache-control"]
    assert "set-cookie" not in static.headers


async def test_every_cookie_is_bound_to_the_host(desk: Desk) -> None:
    browser = await desk.cadre(TOWN)
    seen = set()
    for response in (
        await (await desk.stranger()).get("/?lang=en"),
        await (await desk.stranger()).get("/console/sign-in?lang=en"),
        await browser.get("/console/?lang=zh_TW"),
        await browser.post("/console/sign-out"),
    ):
        for cookie in response.headers.get_list("set-cookie"):
            seen.add(cookie.partition("=")[0])
            for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
                assert part in cookie, cookie
            assert cookie.startswith("__Host-")
            assert "domain" not in cookie.lower()
    assert len(seen) >= 4


async def test_a_crash_tells_a_reference_and_nothing_else(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    async def crash() -> None:
        raise RuntimeError("secret detail")

    desk.app.add_api_route("/crash", crash)
    for accept in (b"text/html", b"application/json"):
        response = await raw(desk, "GET", "/crash", accept=accept)
        assert response.status_code == 500
        assert "secret detail" not in response.text
        assert "Traceback" not in response.text
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "secret detail" in caplog.text


async def test_a_failed_statement_is_logged_without_its_values(desk: Desk) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    with pytest.raises(DBAPIError) as caught:
        async with desk.house.process.database.transaction() as session:
            await session.execute(text("SELECT :words FROM no_such_table"), {"words": "老板打人"})
    assert "老板打人" not in str(caught.value)


async def test_no_log_line_has_a_token_a_password_or_what_people_wrote(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the test's own client
    browser, number = await desk.cadre(TOWN), await desk.ticket(text="老板欠薪，我的电话13800138000")
    await browser.post(f"/console/tickets/{number}/answer", {"text": "已联系厂方，请放心"})
    await (await desk.stranger()).sign_in("zhang", "a-wrong-password")
    await desk.house.chat().say("我想不开")
    for secret in (browser.client.cookies[COOKIE], browser.csrf, "a-wrong-password", "13800138000", "请放心", "想不开"):
        lines = [record for record in caplog.records if record.name.split(".")[0] not in ("aiosqlite", "sqlalchemy")]
        assert not [line.getMessage() for line in lines if secret in line.getMessage()]


def test_a_log_line_stays_one_line_and_obeys_nobody() -> None:
    record = logging.LogRecord("q", logging.INFO, "f", 1, "a\r\nb\x1b[31m\u2028c\x00", (), None)
    line = _OneLine().format(record)
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    assert "\x00" not in line


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_endless_login_or_password_costs_nothing_to_keep(desk: Desk) -> None:
    browser = await desk.stranger()
    for login, password in (("x" * 300_000, "y" * 100_000), ("é" * 50_000, "\0" * 1_000)):
        response = await browser.sign_in(login, password)
        assert response.status_code == 401
        assert len(response.text) < 20_000
    assert max(len(str(key)) for key in desk.app.state.site.limits.sign_in._buckets) < 200


async def test_who_must_wait_does_not_use_up_somebody_elses_attempts(desk: Desk) -> None:
    await desk.house.add_user("cadre.one", unit=TOWN)
    attacker = await desk.stranger()
    for _ in range(30):
        await attacker.sign_in("nobody", "wrong")
    for _ in range(30):
        assert (await attacker.sign_in("cadre.one", "wrong")).status_code == 429
    assert not [key for key in desk.app.state.site.limits.sign_in._buckets if key == ("login", "cadre.one")]


async def test_a_number_that_is_an_address_does_not_lock_that_address_out(desk: Desk) -> None:
    for _ in range(12):
        await raw_code(desk, "203.0.113.1", {"number": "203.0.113.7", "code": "22222222"})
    answer = await raw_code(desk, "203.0.113.7", {"number": "GD2611240001", "code": "22222222"})
    assert answer.status_code == 404


async def raw_code(desk: Desk, address: str, fields: dict[str, str]) -> httpx.Response:
    transport = httpx.ASGITransport(desk.app, client=(address, 5))
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
        return await client.post("/cases/", data=fields, headers={**HTML, **HERE_ORIGIN})


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
    ],
)
def test_a_subscriber_counts_as_one_caller(host: str, counted: str) -> None:
    assert caller(StarletteRequest({"type": "http", "client": (host, 1), "headers": []})) == counted


async def seen_address(proxies: str, peer: str, forwarded: str) -> str:
    """Whom the app takes for its caller, behind uvicorn as we configure it."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])

    config: uvicorn.Config = _uvicorn_config(app, proxies)
    config.load()
    scope = {
        "type": "http",
        "client": (peer, 1),
        "scheme": "http",
        "headers": [(b"x-forwarded-for", forwarded.encode())],
    }
    await config.loaded_app(scope, None, None)  # type: ignore[arg-type]
    return seen[0]


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "seen"),
    [
        ("127.0.0.1,::1", "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("127.0.0.1,::1", "127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1,::1", "127.0.0.1", "10.9.9.9, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.0/8", "10.1.2.3", "6.6.6.6, 198.51.100.1, 10.7.7.7", "198.51.100.1"),
        ("10.0.0.0/8", "127.0.0.1", "198.51.100.1", "127.0.0.1"),
        ("", "127.0.0.1", "198.51.100.1", "127.0.0.1"),
    ],
)
async def test_only_a_trusted_proxy_says_who_the_caller_is(
    proxies: str, peer: str, forwarded: str, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    assert await seen_address(proxies, peer, forwarded) == seen


@pytest.mark.parametrize("value", ["*", "proxy.example", "10.0.0.0/99", "127.0.0.1 ::1"])
def test_a_proxy_is_an_address_or_a_network(value: str) -> None:
    with pytest.raises(ValueError, match="addresses or networks"):
        Settings(_env_file=None, trusted_proxies=value)  # type: ignore[call-arg]
