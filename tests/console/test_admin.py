"""Users, units and what was not understood: for admins only."""

from __future__ import annotations

import re

import pytest

from storage import users
from storage.models import Miss
from tests.console.conftest import PASSWORD, TOWN, Desk

POSTS = {
    "/console/users": {"login": "cadre.new", "name": "新人", "unit": TOWN},
    "/console/users/cadre.other/disable": {},
    "/console/users/cadre.other/enable": {},
    "/console/users/cadre.other/password": {},
}


def shown_password(page: str) -> str:
    found = re.search(r'class="mono given">([^<]+)<', page)
    assert found, page
    return found[1]


@pytest.mark.parametrize("path", list(POSTS))
async def test_only_admins_change_users(desk: Desk, path: str) -> None:
    await desk.house.add_user("cadre.other", unit=TOWN)
    assert (await (await desk.cadre(TOWN)).post(path, POSTS[path])).status_code == 404
    async with desk.house.process.database.reading() as session:
        assert await users.by_login(session, "cadre.new") is None
    assert (await (await desk.admin()).post(path, POSTS[path])).status_code in (200, 303)


async def test_a_new_cadre_signs_in_with_the_password_shown_once(desk: Desk) -> None:
    admin = await desk.admin()
    created = await admin.post("/console/users", {"login": "Cadre.New", "name": "<b>新人</b>", "unit": TOWN})
    assert "<b>新人" not in created.text
    password = shown_password(created.text)
    assert password not in (await admin.get("/console/users")).text
    browser = await desk.stranger()
    assert (await browser.sign_in("cadre.new", password)).status_code == 303
    assert "小榄镇总工会" in (await browser.get("/console/")).text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"login": "<script>", "name": "x", "unit": TOWN}, "用户名只能用"),
        ({"login": "admin", "name": "x", "unit": TOWN}, "已经有人用了"),
        ({"login": "cadre.x", "name": "写好的名字", "unit": "nowhere"}, "没有“nowhere”这个单位"),
        ({}, "用户名只能用"),
    ],
)
async def test_a_refused_new_cadre_keeps_what_was_typed(desk: Desk, fields: dict[str, str], sentence: str) -> None:
    response = await (await desk.admin()).post("/console/users", fields)
    assert response.status_code == 422
    assert sentence in response.text
    assert "<script>" not in response.text
    assert fields.get("name", "") in response.text


async def test_disabling_and_enabling(desk: Desk) -> None:
    cadre, admin = await desk.cadre(TOWN), await desk.admin()
    login = f"cadre.{TOWN}"
    assert (await admin.post(f"/console/users/{login}/disable")).status_code == 303
    assert "已停用" in (await admin.get("/console/users")).text
    assert (await cadre.get("/console/")).status_code == 303
    assert (await (await desk.stranger()).sign_in(login)).status_code == 401
    assert (await admin.post(f"/console/users/{login}/enable")).status_code == 303
    assert (await (await desk.stranger()).sign_in(login)).status_code == 303


async def test_a_new_password_ends_the_old_one_and_its_sessions(desk: Desk) -> None:
    cadre, admin = await desk.cadre(TOWN), await desk.admin()
    response = await admin.post(f"/console/users/cadre.{TOWN}/password")
    assert (await cadre.get("/console/")).status_code == 303
    assert (await (await desk.stranger()).sign_in(f"cadre.{TOWN}", PASSWORD)).status_code == 401
    assert (await (await desk.stranger()).sign_in(f"cadre.{TOWN}", shown_password(response.text))).status_code == 303


@pytest.mark.parametrize("act", ["disable", "password"])
async def test_admins_cannot_lock_themselves_out(desk: Desk, act: str) -> None:
    admin = await desk.admin()
    assert (await admin.post(f"/console/users/admin/{act}")).status_code == 422
    assert (await admin.get("/console/users")).status_code == 200


@pytest.mark.parametrize("login", ["nobody", "%00", "a%2Fb", "' OR 1=1"])
async def test_absent_users_are_not_found(desk: Desk, login: str) -> None:
    assert (await (await desk.admin()).post(f"/console/users/{login}/disable")).status_code == 404


async def test_searching_users(desk: Desk) -> None:
    await desk.cadre(TOWN)
    admin = await desk.admin()
    assert f"cadre.{TOWN}" in (await admin.get("/console/users?q=小榄")).text
    assert "没有符合条件的用户" in (await admin.get("/console/users?q=%3Cb%3E")).text


async def test_units_without_anybody_are_flagged(desk: Desk) -> None:
    await desk.cadre(TOWN)
    page = (await (await desk.admin()).get("/console/units")).text
    shown = re.findall(r'<li class="unit depth-\d( is-empty)?">.*?mono">([^<]+)<', page, re.DOTALL)
    by_code = {code: flag for flag, code in shown}
    assert not by_code[TOWN]
    assert by_code["gd-zs-union-guzhen"]
    assert "无人值守" in page


async def test_what_was_not_understood_is_listed_newest_first(desk: Desk) -> None:
    chat = desk.house.chat()
    await chat.say("<script>阿巴阿巴</script>")
    async with desk.house.process.database.transaction() as session:
        session.add(
            Miss(inbound_id=None, kind="not_helpful", nearest=[["faq/x<b>", 1.0], "odd", {"name": "n"}], at=desk.now)
        )
        session.add(Miss(inbound_id=None, kind="something_new", nearest=[], at=desk.now))
    page = (await (await desk.admin()).get("/console/misses")).text
    assert "没帮上" in page
    assert "faq/x&lt;b&gt;" in page
    assert "100%" in page
    assert "<script>阿" not in page
    assert "&lt;script&gt;阿巴阿巴" in page
