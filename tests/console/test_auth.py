"""Who may sign in, what a cookie is worth, and which posts are obeyed."""

from __future__ import annotations

import pytest

from console.auth import safe_next
from handlers import accounts
from tests.console.conftest import COOKIE, PASSWORD, SIGN_IN_COOKIE, TOWN, Desk

PAGES = ("/console/", "/console/figures", "/console/password", "/console/tickets/GD2611240001")
ADMIN_PAGES = ("/console/users", "/console/units", "/console/misses")
STREAMS = ("/console/events", "/console/tickets/GD2611240001/events")
ACTS = ("take", "answer", "ask", "note", "transfer", "close")
POSTS = (
    *(f"/console/tickets/GD2611240001/{act}" for act in ACTS),
    "/console/password",
    "/console/sign-out",
    "/console/users",
    *(f"/console/users/admin/{act}" for act in ("disable", "enable", "password")),
)


async def test_signing_in_leads_to_the_list_and_sets_a_guarded_cookie(desk: Desk) -> None:
    await desk.house.add_user("cadre.one", unit=TOWN)
    browser = await desk.stranger()
    response = await browser.sign_in("cadre.one")
    assert (response.status_code, response.headers["location"]) == (303, "/console/")
    cookie = next(line for line in response.headers.get_list("set-cookie") if line.startswith(COOKIE))
    for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie
    page = await browser.get("/console/")
    assert page.status_code == 200
    assert "中山市小榄镇总工会" in page.text


async def test_unknown_wrong_and_disabled_are_told_the_same(desk: Desk) -> None:
    await desk.house.add_user("cadre.one", unit=TOWN)
    await desk.house.add_user("cadre.two", unit=TOWN)
    async with desk.house.process.database.transaction() as session:
        await accounts.set_active(session, "cadre.two", False)
    for login, password in (
        ("nobody", PASSWORD),
        ("cadre.one", "wrong"),
        ("cadre.two", PASSWORD),
        ("", ""),
        ("\0", "\0"),
    ):
        response = await (await desk.stranger()).sign_in(login, password)
        assert response.status_code == 401
        assert "用户名或密码不对，或者账号已停用。" in response.text


async def test_the_session_changes_at_every_sign_in_and_the_old_one_ends(desk: Desk) -> None:
    browser = await desk.cadre(TOWN)
    old = browser.client.cookies[COOKIE]
    browser.client.cookies.delete(COOKIE)
    await browser.get("/console/sign-in")
    browser.client.cookies.set(COOKIE, old, domain="testserver.local")
    response = await browser.post("/console/sign-in", {"login": f"cadre.{TOWN}", "password": PASSWORD})
    assert response.status_code == 303
    assert browser.client.cookies[COOKIE] != old
    thief = await desk.stranger()
    thief.client.cookies.set(COOKIE, old)
    assert (await thief.get("/console/")).status_code == 303


async def test_a_sign_in_form_of_another_site_is_refused(desk: Desk) -> None:
    await desk.house.add_user("cadre.one", unit=TOWN)
    browser = await desk.stranger()
    await browser.get("/console/sign-in")
    fields = {"login": "cadre.one", "password": PASSWORD}
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        assert (await browser.post("/console/sign-in", fields, headers=headers)).status_code == 403
    assert (await browser.post("/console/sign-in", fields, csrf="guessed")).status_code == 403
    assert COOKIE not in browser.client.cookies


async def test_a_stale_sign_in_page_asks_again(desk: Desk) -> None:
    await desk.house.add_user("cadre.one", unit=TOWN)
    browser = await desk.stranger()
    await browser.get("/console/sign-in")
    desk.house.clock.forward(hours=2)
    response = await browser.post("/console/sign-in", {"login": "cadre.one", "password": PASSWORD})
    assert response.status_code == 403
    assert "请再登录一次" in response.text
    assert (await browser.post("/console/sign-in", {"login": "cadre.one", "password": PASSWORD})).status_code == 303


async def test_a_browser_that_keeps_no_cookie_is_told_why(desk: Desk) -> None:
    browser = await desk.stranger()
    await browser.get("/console/sign-in")
    browser.client.cookies.delete(SIGN_IN_COOKIE)
    response = await browser.post("/console/sign-in", {"login": "x", "password": "y"})
    assert response.status_code == 400
    assert "https://" in response.text


async def test_guessing_is_slowed_down(desk: Desk) -> None:
    browser = await desk.stranger()
    answers = [await browser.sign_in("cadre.one", "wrong") for _ in range(14)]
    assert [answer.status_code for answer in answers][-1] == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert "秒后再试" in answers[-1].text


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/console/",
        "//evil.example/console/",
        "/\\evil.example",
        "/console/../../evil",
        "/console//evil.example",
        "/console/%2e%2e/evil",
        "javascript:alert(1)",
        "/console/\r\nSet-Cookie: a=b",
        "/",
        "/console/sign-out",
        "/console/events",
        "",
    ],
)
def test_only_our_own_pages_follow_a_sign_in(wanted: str) -> None:
    assert safe_next(wanted) == "/console/"


def test_a_page_of_ours_follows_a_sign_in() -> None:
    assert safe_next("/console/tickets/GD2611240001?lang=en") == "/console/tickets/GD2611240001?lang=en"


@pytest.mark.parametrize("path", [*PAGES, *ADMIN_PAGES])
async def test_a_page_sends_strangers_to_the_sign_in_form(desk: Desk, path: str) -> None:
    response = await (await desk.stranger()).get(path)
    assert response.status_code == 303
    assert response.headers["location"].startswith("/console/sign-in?next=/console/")


@pytest.mark.parametrize("path", [*PAGES, *ADMIN_PAGES, *STREAMS])
async def test_programs_that_are_not_signed_in_get_401(desk: Desk, path: str) -> None:
    stranger = await desk.stranger()
    response = await stranger.client.get(path, headers={"accept": "application/json"})
    assert (response.status_code, response.headers["content-type"]) == (401, "application/problem+json")


@pytest.mark.parametrize("path", POSTS)
async def test_posts_need_a_session(desk: Desk, path: str) -> None:
    stranger = await desk.stranger()
    response = await stranger.client.post(path, data={"csrf": "x"})
    assert (response.status_code, response.headers["content-type"]) == (401, "application/problem+json")


@pytest.mark.parametrize("path", POSTS)
async def test_posts_need_the_pages_secret(desk: Desk, path: str) -> None:
    for browser in (await desk.cadre(TOWN), await desk.admin()):
        for csrf in ("", "guessed", "é"):
            assert (await browser.post(path, {"text": "x"}, csrf=csrf)).status_code == 403
        own = browser.csrf
        headers = {"sec-fetch-site": "same-site"}
        assert (await browser.post(path, {"text": "x"}, csrf=own, headers=headers)).status_code == 403
        headers = {"origin": "https://evil.example"}
        assert (await browser.post(path, {"text": "x"}, csrf=own, headers=headers)).status_code == 403


@pytest.mark.parametrize("path", ADMIN_PAGES)
async def test_administration_does_not_exist_for_cadres(desk: Desk, path: str) -> None:
    cadre, admin = await desk.cadre(TOWN), await desk.admin()
    assert (await cadre.get(path)).status_code == 404
    assert (await admin.get(path)).status_code == 200
    assert path not in (await cadre.get("/console/")).text


async def test_words_typed_after_the_session_ended_are_handed_back(desk: Desk) -> None:
    number = await desk.ticket()
    browser = await desk.cadre(TOWN)
    desk.house.clock.forward(hours=13)
    response = await browser.post(f"/console/tickets/{number}/answer", {"text": "写了很久的答复 <b>"})
    assert response.status_code == 401
    assert "写了很久的答复 &lt;b&gt;" in response.text


async def test_signing_out_ends_the_session(desk: Desk) -> None:
    browser = await desk.cadre(TOWN)
    token = browser.client.cookies[COOKIE]
    assert (await browser.post("/console/sign-out")).status_code == 303
    thief = await desk.stranger()
    thief.client.cookies.set(COOKIE, token)
    assert (await thief.get("/console/")).status_code == 303


async def test_a_disabled_user_is_out_at_once(desk: Desk) -> None:
    browser = await desk.cadre(TOWN)
    async with desk.house.process.database.transaction() as session:
        await accounts.set_active(session, f"cadre.{TOWN}", False)
    assert (await browser.get("/console/")).status_code == 303
    async with desk.house.process.database.transaction() as session:
        await accounts.set_active(session, f"cadre.{TOWN}", True)
    assert (await browser.get("/console/")).status_code == 303, "the old session must not come back"


async def test_changing_the_password_signs_out_the_other_browsers(desk: Desk) -> None:
    mine = await desk.cadre(TOWN)
    other = await desk.stranger()
    await other.sign_in(f"cadre.{TOWN}")
    assert (await other.get("/console/")).status_code == 200
    await mine.get("/console/password")
    new = "另一个很长的密码-2026"
    wrong = {"old": "wrong", "new": new, "again": new}
    assert "现在的密码不对" in (await mine.post("/console/password", wrong)).text
    differ = {"old": PASSWORD, "new": new, "again": new + "x"}
    assert "不一样" in (await mine.post("/console/password", differ)).text
    short = {"old": PASSWORD, "new": "short", "again": "short"}
    assert (await mine.post("/console/password", short)).status_code == 422
    changed = await mine.post("/console/password", {"old": PASSWORD, "new": new, "again": new})
    assert changed.status_code == 303
    page = await mine.get("/console/")
    assert page.status_code == 200
    assert "密码已修改" in page.text
    assert "密码已修改" not in (await mine.get("/console/")).text, "a flash is shown once"
    assert (await other.get("/console/")).status_code == 303
    assert (await (await desk.stranger()).sign_in(f"cadre.{TOWN}", new)).status_code == 303


async def test_other_kinds_of_body_are_refused(desk: Desk) -> None:
    browser = await desk.cadre(TOWN)
    response = await browser.client.post("/console/sign-out", json={"csrf": browser.csrf})
    assert response.status_code == 415


@pytest.mark.parametrize("locale", ["zh_CN", "zh_TW", "en"])
async def test_every_page_speaks_every_language(desk: Desk, locale: str) -> None:
    number = await desk.ticket()
    cadre, admin = await desk.cadre(TOWN), await desk.admin()
    await cadre.post(f"/console/tickets/{number}/answer", {"text": "好的"})
    for browser, paths in (
        (cadre, ("/console/", "/console/figures", "/console/password", f"/console/tickets/{number}")),
        (admin, ADMIN_PAGES),
    ):
        for path in paths:
            page = await browser.get(f"{path}?lang={locale}&view=all")
            assert page.status_code == 200
            assert {"zh_CN": "退出登录", "zh_TW": "退出登入", "en": "Sign out"}[locale] in page.text
            assert "{" not in page.text.split("announcer")[0].replace("{open}", "").replace("{late}", "").replace(
                "{count}", ""
            ).replace("{limit}", "")
