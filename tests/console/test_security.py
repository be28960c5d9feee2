"""One-time codes: setting them up, signing in with them, and that nothing gets past them."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from urllib.parse import unquote

import pyotp
import pytest

from console import sign_in
from handlers import accounts, second_factor
from handlers.sealing import seal
from storage import users
from storage.models import Role, User
from tests.console.conftest import COOKIE, PASSWORD, TOWN, Browser, Desk

CODE_PAGE = "/console/sign-in/code"


def shown_secret(page: str) -> str:
    found = re.search(r'class="mono secret"[^>]*>([^<]+)<', page)
    assert found, page
    return found[1].replace(" ", "")


def set_up_field(page: str) -> str:
    found = re.search(r'name="setup" value="([^"]+)"', page)
    assert found, page
    return unescape(found[1])


def code_of(secret: str, desk: Desk, *, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(desk.now + timedelta(seconds=30 * steps))


async def stored(desk: Desk, login: str) -> User:
    async with desk.house.process.database.reading() as session:
        user = await users.by_login(session, login)
    assert user is not None
    return user


async def set_up(desk: Desk, browser: Browser) -> str:
    """Turn codes on; the secret. The next step has begun afterwards."""
    page = await browser.get("/console/security")
    secret = shown_secret(page.text)
    fields = {"setup": set_up_field(page.text), "code": code_of(secret, desk)}
    response = await browser.post("/console/security/on", fields)
    assert (response.status_code, response.headers["location"]) == (303, "/console/security")
    desk.house.clock.forward(seconds=60)
    return secret


async def coded_admin(desk: Desk) -> tuple[str, str]:
    """An admin's login and secret."""
    return "admin", await set_up(desk, await desk.admin())


async def test_setting_up_and_signing_in_with_a_code(desk: Desk) -> None:
    admin = await desk.admin()
    page = await admin.get("/console/security")
    assert "data:image/svg+xml" in page.text
    assert "no-store" in page.headers["cache-control"]
    secret = await set_up(desk, admin)
    assert "验证码登录已启用" in (await admin.get("/console/security")).text
    assert secret not in (await admin.get("/console/security")).text, (
        "the secret is shown before it counts, never after"
    )
    assert (await admin.get("/console/users")).status_code == 200, "the browser it was set up in stays signed in"

    browser = await desk.stranger()
    half = await browser.sign_in("admin", next="/console/units?lang=en&x=1")
    assert half.status_code == 303
    assert half.headers["location"].startswith(f"{CODE_PAGE}?next=")
    assert COOKIE not in browser.client.cookies, "the password alone makes no session"
    assert (await browser.get("/console/")).status_code == 303
    cookie = next(line for line in half.headers.get_list("set-cookie") if line.startswith(sign_in.CODE_COOKIE))
    for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/", "Max-Age=300"):
        assert part in cookie
    await browser.get(half.headers["location"])
    asked = unquote(half.headers["location"].partition("next=")[2])
    done = await browser.post(CODE_PAGE, {"code": code_of(secret, desk), "next": asked})
    assert (done.status_code, done.headers["location"]) == (303, "/console/units?lang=en&x=1")
    assert (await browser.get("/console/users")).status_code == 200
    assert sign_in.CODE_COOKIE not in browser.client.cookies


async def test_the_qr_code_holds_the_secret_and_fits_the_page_policy(desk: Desk) -> None:
    page = (await (await desk.admin()).get("/console/security")).text
    source = re.search(r'<img class="qr" src="(data:image/svg\+xml[^"]+)"', page)
    assert source
    assert "<script" not in unquote(source[1])
    assert "<svg" in unquote(source[1])


async def test_the_secret_is_kept_sealed(desk: Desk) -> None:
    login, secret = await coded_admin(desk)
    user = await stored(desk, login)
    assert user.totp_sealed is not None
    assert secret not in user.totp_sealed
    assert user.totp_used_step is not None


async def test_a_sealed_secret_moved_to_another_user_opens_nothing(desk: Desk) -> None:
    login, secret = await coded_admin(desk)
    await desk.cadre(TOWN)
    victim = f"cadre.{TOWN}"
    async with desk.house.process.database.transaction() as session:
        user = await users.by_login(session, victim, for_update=True)
        assert user is not None
        user.totp_sealed = (await stored(desk, login)).totp_sealed
    browser = await desk.stranger()
    await browser.sign_in(victim)
    await browser.get(CODE_PAGE)
    assert (await browser.post(CODE_PAGE, {"code": code_of(secret, desk)})).status_code == 401


async def test_after_a_change_of_the_secret_key_no_code_fits(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    login, secret = await coded_admin(desk)
    async with desk.house.process.database.transaction() as session:
        user = await users.by_login(session, login, for_update=True)
        assert user is not None
        user.totp_sealed = seal(b"another key" * 4, secret, purpose="totp", place=f"users|totp_secret|{login}")
    browser = await desk.stranger()
    await browser.sign_in(login)
    await browser.get(CODE_PAGE)
    assert (await browser.post(CODE_PAGE, {"code": code_of(secret, desk)})).status_code == 401
    assert "was the secret key changed" in caplog.text
    assert secret not in caplog.text


@pytest.mark.parametrize("steps", [-2, 2, None])
async def test_a_wrong_or_old_code_is_refused(desk: Desk, steps: int | None) -> None:
    login, secret = await coded_admin(desk)
    browser = await desk.stranger()
    await browser.sign_in(login)
    await browser.get(CODE_PAGE)
    code = "12345" if steps is None else code_of(secret, desk, steps=steps)
    refused = await browser.post(CODE_PAGE, {"code": code})
    assert refused.status_code == 401
    assert "验证码不对，或者已经用过" in refused.text
    assert COOKIE not in browser.client.cookies
    assert (await browser.post(CODE_PAGE, {"code": code_of(secret, desk, steps=-1)})).status_code == 303


async def test_a_code_works_once(desk: Desk) -> None:
    login, secret = await coded_admin(desk)
    code = code_of(secret, desk)
    for expected in (303, 401):
        browser = await desk.stranger()
        await browser.sign_in(login)
        await browser.get(CODE_PAGE)
        assert (await browser.post(CODE_PAGE, {"code": code})).status_code == expected


async def test_of_several_browsers_with_one_code_one_gets_in(desk: Desk) -> None:
    login, secret = await coded_admin(desk)
    browsers = [await desk.stranger() for _ in range(4)]
    for browser in browsers:
        await browser.sign_in(login)
        await browser.get(CODE_PAGE)
    code = code_of(secret, desk)
    answers = await asyncio.gather(*(browser.post(CODE_PAGE, {"code": code}) for browser in browsers))
    assert sorted(answer.status_code for answer in answers) == [303, 401, 401, 401]


async def test_guessing_codes_is_slowed_down_whatever_the_address(desk: Desk) -> None:
    login, _ = await coded_admin(desk)
    browser = await desk.stranger()
    await browser.sign_in(login)
    await browser.get(CODE_PAGE)
    answers = [await browser.post(CODE_PAGE, {"code": "000000"}) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_the_second_page_needs_the_first(desk: Desk) -> None:
    _, secret = await coded_admin(desk)
    stranger = await desk.stranger()
    to_sign_in = await stranger.get(CODE_PAGE)
    assert (to_sign_in.status_code, to_sign_in.headers["location"]) == (303, "/console/sign-in")
    assert (await stranger.post(CODE_PAGE, {"code": code_of(secret, desk)})).status_code == 403
    for forged in ("1.99999999999.x.y", "1..", f"{'9' * 30}.1.x.y", "x"):
        stranger.client.cookies.set(sign_in.CODE_COOKIE, forged)
        assert (await stranger.get(CODE_PAGE)).status_code == 303


async def test_what_is_pending_ends_after_five_minutes_and_with_the_password(desk: Desk) -> None:
    login, secret = await coded_admin(desk)
    browser = await desk.stranger()
    await browser.sign_in(login)
    await browser.get(CODE_PAGE)
    desk.house.clock.forward(minutes=6)
    late = await browser.post(CODE_PAGE, {"code": code_of(secret, desk)})
    assert late.status_code == 403
    assert "请再登录一次" in late.text

    for change in (
        lambda session: accounts.set_password(session, login, accounts.hash_password("another password")),
        lambda session: accounts.set_active(session, login, False),
        lambda session: second_factor.reset(session, login),
    ):
        async with desk.house.process.database.reading() as session:
            user = await users.by_login(session, login)
        assert user is not None
        pending = sign_in._new_pending(desk.house.process.running.site, user)
        async with desk.house.process.database.transaction() as session:
            await change(session)
        thief = await desk.stranger()
        thief.client.cookies.set(sign_in.CODE_COOKIE, pending)
        assert (await thief.get(CODE_PAGE)).status_code == 303
        async with desk.house.process.database.transaction() as session:
            await accounts.set_active(session, login, True)


async def test_a_code_form_of_another_site_is_refused(desk: Desk) -> None:
    login, secret = await coded_admin(desk)
    browser = await desk.stranger()
    await browser.sign_in(login)
    await browser.get(CODE_PAGE)
    fields = {"code": code_of(secret, desk)}
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "http://["}):
        assert (await browser.post(CODE_PAGE, fields, headers=headers)).status_code == 403
    assert (await browser.post(CODE_PAGE, fields, csrf="guessed")).status_code == 403
    assert (await browser.post(CODE_PAGE, {**fields, "next": "//evil.example"})).status_code == 403
    await browser.sign_in(login)
    await browser.get(CODE_PAGE)
    done = await browser.post(CODE_PAGE, {**fields, "next": "//evil.example"})
    assert (done.status_code, done.headers["location"]) == (303, "/console/")


async def test_a_mistyped_code_keeps_the_secret_shown(desk: Desk) -> None:
    admin = await desk.admin()
    page = await admin.get("/console/security")
    secret, setup = shown_secret(page.text), set_up_field(page.text)
    again = await admin.post("/console/security/on", {"setup": setup, "code": "12"})
    assert again.status_code == 422
    assert shown_secret(again.text) == secret
    fields = {"setup": set_up_field(again.text), "code": code_of(secret, desk)}
    assert (await admin.post("/console/security/on", fields)).status_code == 303
    twice = await admin.post("/console/security/on", fields)
    assert twice.status_code == 422, "a set-up does not replace another one"


async def test_setting_up_ends_the_sessions_begun_without_a_code(desk: Desk) -> None:
    admin, other = await desk.admin(), await desk.stranger()
    await other.sign_in("admin")
    assert (await other.get("/console/users")).status_code == 200
    await set_up(desk, admin)
    assert (await other.get("/console/users")).status_code == 303


async def test_turning_off_needs_the_password_and_a_code(desk: Desk) -> None:
    login, secret = await coded_admin(desk)
    admin = await desk.admin()
    await admin.get("/console/security")
    code = code_of(secret, desk)
    for fields in ({"password": "wrong", "code": code}, {"password": PASSWORD, "code": "000000"}, {}):
        assert (await admin.post("/console/security/off", fields)).status_code == 422
        assert (await stored(desk, login)).totp_sealed is not None
    assert (await admin.post("/console/security/off", {"password": PASSWORD, "code": code})).status_code == 303
    user = await stored(desk, login)
    assert (user.totp_sealed, user.totp_used_step) == (None, None)
    assert (await (await desk.stranger()).sign_in(login)).headers["location"] == "/console/"


async def test_a_new_password_from_an_admin_does_not_get_around_the_code(desk: Desk) -> None:
    await desk.house.add_user("second.admin", role=Role.ADMIN)
    second = await desk.stranger()
    await second.sign_in("second.admin")
    await set_up(desk, second)
    admin = await desk.admin()
    given = await admin.post("/console/users/second.admin/password")
    found = re.search(r'class="mono given">([^<]+)<', given.text)
    assert found
    half = await (await desk.stranger()).sign_in("second.admin", found[1])
    assert half.headers["location"] == CODE_PAGE


async def test_changing_the_password_keeps_the_codes(desk: Desk) -> None:
    login, _ = await coded_admin(desk)
    admin = await desk.admin()
    await admin.get("/console/password")
    new = "another-long-password"
    changed = await admin.post("/console/password", {"old": PASSWORD, "new": new, "again": new})
    assert changed.status_code == 303
    assert (await admin.get("/console/users")).status_code == 200
    assert (await (await desk.stranger()).sign_in(login, new)).headers["location"] == CODE_PAGE


async def test_the_operator_resets_a_lost_phone(desk: Desk) -> None:
    login, _ = await coded_admin(desk)
    async with desk.house.process.database.transaction() as session:
        assert await second_factor.reset(session, login)
    assert (await (await desk.admin()).get("/console/")).status_code == 303, "every session has ended"
    assert (await (await desk.stranger()).sign_in(login)).headers["location"] == "/console/"


async def test_cadres_may_have_codes_too(desk: Desk) -> None:
    secret = await set_up(desk, await desk.cadre(TOWN))
    browser = await desk.stranger()
    assert (await browser.sign_in(f"cadre.{TOWN}")).headers["location"] == CODE_PAGE
    await browser.get(CODE_PAGE)
    assert (await browser.post(CODE_PAGE, {"code": code_of(secret, desk)})).status_code == 303


# ── who must ────────────────────────────────────────────────────────────────────────────────────────────────────────


def in_production(desk: Desk) -> None:
    desk.app.state.site = replace(desk.app.state.site, must_admins_have_totp=True)


async def test_an_admin_in_production_sets_up_codes_before_anything_else(desk: Desk) -> None:
    admin, cadre, number = await desk.admin(), await desk.cadre(TOWN), await desk.ticket()
    in_production(desk)
    for path in ("/console/", "/console/users", "/console/password", f"/console/tickets/{number}", "/console/sign-in"):
        response = await admin.get(path)
        assert (response.status_code, response.headers["location"]) == (303, "/console/security"), path
    for path in ("/console/events", "/console/users"):
        assert (await admin.client.get(path, headers={"accept": "application/json"})).status_code == 403
    for path in ("/console/users", f"/console/users/cadre.{TOWN}/disable", "/console/password"):
        assert (await admin.post(path)).status_code == 403
    assert (await cadre.get("/console/")).status_code == 200, "cadres are not held up"
    page = await admin.get("/console/security")
    assert "管理员要先设置验证码登录" in page.text
    await set_up(desk, admin)
    assert (await admin.get("/console/users")).status_code == 200


async def test_an_admin_in_production_may_still_sign_out(desk: Desk) -> None:
    admin = await desk.admin()
    in_production(desk)
    await admin.get("/console/security")
    assert (await admin.post("/console/sign-out")).status_code == 303
    assert (await admin.get("/console/security")).headers["location"].startswith("/console/sign-in")


async def test_elsewhere_admins_are_advised_on_the_admin_pages(desk: Desk) -> None:
    admin, cadre = await desk.admin(), await desk.cadre(TOWN)
    advice = "建议管理员设置验证码登录"
    for path in ("/console/users", "/console/units", "/console/misses"):
        assert advice in (await admin.get(path)).text
    assert advice not in (await admin.get("/console/")).text
    assert advice not in (await cadre.get("/console/")).text
    await set_up(desk, admin)
    assert advice not in (await admin.get("/console/users")).text
