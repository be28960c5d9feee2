"""Whatever is sent: an answer, or one sentence that says what is wrong with it; never a crash."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from storage.models import InboundMessage
from tests.contracts.problems import problem
from tests.house import House

WEBHOOK, PARSE = "/webhooks/rest/webhook", "/model/parse"
LIMIT = 2 * 1024 * 1024
CHINESE = re.compile("[\u4e00-\u9fff]")
GOOD = {"sender": "somebody", "message": "你好"}

BROKEN = {
    "empty": b"",
    "blank": b"  \n",
    "half": b'{"sender": "a", "mess',
    "not JSON": b"sender=a&message=b",
    "two values": b'{"sender": "a", "message": "b"} {}',
    "single quotes": b"{'sender': 'a', 'message': 'b'}",
    "invalid UTF-8": b'{"sender": "a", "message": "\xff\xfe"}',
    "GBK": '{"sender": "a", "message": "你好"}'.encode("gbk"),
    "UTF-16": '{"sender": "a", "message": "b"}'.encode("utf-16"),
    "NUL bytes": b"\x00" * 40,
    "deep arrays": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000,
    "endless number": b'{"sender": "a", "message": ' + b"9" * 5_000 + b"}",
    "NaN": b'{"sender": "a", "message": NaN}',
    "NaN elsewhere": b'{"sender": "a", "message": "b", "metadata": {"x": NaN}}',
    "Infinity elsewhere": b'{"sender": "a", "message": "b", "metadata": {"x": [-Infinity]}}',
}
WRONG: dict[str, Any] = {
    "array": [],
    "array of messages": [GOOD],
    "number": 17,
    "null": None,
    "true": True,
    "text": "你好",
    "empty object": {},
    "no message": {"sender": "a"},
    "no sender": {"message": "b"},
    "message is null": {"sender": "a", "message": None},
    "message is a number": {"sender": "a", "message": 17},
    "message is a list": {"sender": "a", "message": ["b"]},
    "message is an object": {"sender": "a", "message": {"text": "b"}},
    "sender is a number": {"sender": 17, "message": "b"},
    "sender is null": {"sender": None, "message": "b"},
    "sender is empty": {"sender": "", "message": "b"},
    "sender too long": {"sender": "a" * 256, "message": "b"},
    "sender with NUL": {"sender": "a\x00b", "message": "b"},
    "sender with half a character": {"sender": "a\ud83d", "message": "b"},
    "metadata is text": {**GOOD, "metadata": "x"},
    "metadata is a list": {**GOOD, "metadata": []},
    "message id is empty": {**GOOD, "metadata": {"message_id": ""}},
    "message id too long": {**GOOD, "metadata": {"message_id": "m" * 201}},
    "message id is a list": {**GOOD, "metadata": {"message_id": [1]}},
    "message id is a fraction": {**GOOD, "metadata": {"message_id": 1.5}},
    "message id is true": {**GOOD, "metadata": {"message_id": True}},
    "locale is a number": {**GOOD, "metadata": {"locale": 17}},
}
WRONG_TEXTS: dict[str, Any] = {
    "array": [],
    "null": None,
    "no text": {"message": "b"},
    "text is null": {"text": None},
    "text is a number": {"text": 17},
    "message id is a number": {"text": "b", "message_id": 17},
}


async def count_messages(house: House) -> int:
    async with house.process.database.reading() as session:
        return (await session.execute(select(func.count()).select_from(InboundMessage))).scalar_one()


async def post(house: House, path: str, body: bytes, **headers: str) -> httpx.Response:
    return await house.client.post(path, content=body, headers={"Content-Type": "application/json", **headers})


async def pieces(body: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    """Without a length: the server learns how much it is by reading."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


# ── broken, wrong ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", [WEBHOOK, PARSE])
async def test_what_is_no_json_is_told_so(small_house: House, path: str) -> None:
    for name, body in BROKEN.items():
        told = problem(await post(small_house, path, body))
        assert told["status"] in (400, 422), name
        assert (told["status"], told["code"]) in ((400, "error_bad_json"), (422, "error_bad_field")), name
    assert await count_messages(small_house) == 0


async def test_a_field_that_is_missing_or_wrong_is_named(small_house: House) -> None:
    for name, body in WRONG.items():
        told = problem(await post(small_house, WEBHOOK, json.dumps(body).encode()), 422, "error_bad_field")
        assert any(field in told["detail"] for field in ("sender", "message", "metadata", "JSON")), name
    assert await count_messages(small_house) == 0


async def test_a_text_to_parse_is_checked_the_same_way(small_house: House) -> None:
    for body in WRONG_TEXTS.values():
        problem(await post(small_house, PARSE, json.dumps(body).encode()), 422, "error_bad_field")
    told = await small_house.client.post(f"{PARSE}?retrieval=nonsense", json={"text": "你好"})
    problem(told, 422, "error_bad_field")


async def test_a_byte_order_mark_or_another_content_type_is_no_crash(small_house: House) -> None:
    good = json.dumps(GOOD).encode()
    for body, kind in ((b"\xef\xbb\xbf" + good, "application/json"), (good, "text/plain"), (good, "nonsense")):
        response = await post(small_house, WEBHOOK, body, **{"Content-Type": kind})
        if response.status_code != 200:
            problem(response, 400)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh-CN,zh;q=0.9", "请求内容不是有效的JSON"),
        ("zh-TW,zh;q=0.9", "請求"),
        ("en-GB,en;q=0.9", "JSON"),
        ("", "请求内容不是有效的JSON"),
        ("tlh, *;q=0.1", "请求内容不是有效的JSON"),
        ("\x7f;;;,,=", "请求内容不是有效的JSON"),
    ],
)
async def test_the_sentence_is_in_the_callers_language_and_the_code_is_not(
    small_house: House, language: str, words: str
) -> None:
    told = problem(await post(small_house, WEBHOOK, b"{", **{"Accept-Language": language}), 400, "error_bad_json")
    assert words in told["detail"]
    assert (CHINESE.search(told["detail"]) is None) == language.startswith("en")
    field = problem(await post(small_house, WEBHOOK, b"[]", **{"Accept-Language": language}), 422, "error_bad_field")
    assert (CHINESE.search(field["detail"]) is None) == language.startswith("en")


async def test_a_browser_gets_a_page_instead(small_house: House) -> None:
    response = await small_house.client.get("/absent", headers={"Accept": "text/html,*/*"})
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", WEBHOOK, 405),
        ("DELETE", PARSE, 405),
        ("GET", "/absent", 404),
        ("POST", "/absent", 404),
        ("GET", "/webhooks/rest/webhook/../../etc/passwd", 404),
        ("GET", "/static/../../../../etc/passwd", 404),
        ("GET", "/static/%2e%2e/%2e%2e/pages.py", 404),
    ],
)
async def test_other_methods_and_addresses_are_refused_in_the_same_form(
    small_house: House, method: str, path: str, status: int
) -> None:
    problem(await small_house.client.request(method, path), status)


# ── large ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def of_size(size: int) -> bytes:
    """A valid body of exactly this many bytes."""
    frame = len(json.dumps({"sender": "a", "message": ""}))
    return json.dumps({"sender": "a", "message": "x" * (size - frame)}).encode()


@pytest.mark.parametrize("way", ["declared", "chunked"])
async def test_a_body_over_two_mebibytes_is_refused_whole(small_house: House, way: str) -> None:
    body = of_size(LIMIT + 1)
    content = body if way == "declared" else pieces(body)
    response = await small_house.client.post(WEBHOOK, content=content)
    told = problem(response, 413, "error_body_too_large")
    assert "2048" in told["detail"]
    assert await count_messages(small_house) == 0


@pytest.mark.parametrize("way", ["declared", "chunked"])
async def test_a_body_of_two_mebibytes_is_read(small_house: House, way: str) -> None:
    body = of_size(LIMIT)
    content = body if way == "declared" else pieces(body)
    response = await small_house.client.post(WEBHOOK, content=content)
    assert response.status_code == 200
    assert "太长" in response.json()[0]["text"]


@pytest.mark.parametrize(("path", "limit"), [("/absent", 64), ("/cases", 512), ("/console/sign-in", 512)])
async def test_other_bodies_are_capped_lower(small_house: House, path: str, limit: int) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    response = await small_house.client.post(path, content=b"a=" + b"x" * (limit * 1024), headers=kind)
    assert response.status_code == 413, path


async def test_a_lying_length_does_no_harm(small_house: House) -> None:
    for length in ("-1", "1e9", "nonsense", "00000000000000000000000017"):
        response = await post(small_house, WEBHOOK, json.dumps(GOOD).encode(), **{"Content-Length": length})
        assert response.status_code in (200, 400, 413), length


async def test_of_what_is_refused_only_so_much_is_read(small_house: House) -> None:
    """Enough that the sender gets to read the refusal, not enough to keep the service busy."""
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x" * 2**20

    headers = {"Content-Length": str(10**15)}
    problem(await small_house.client.post(WEBHOOK, content=endless(), headers=headers), 413)
    assert read <= 17


# ── anything ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(alphabet=st.characters(), max_size=30)
    | st.text(alphabet=st.characters(categories=["Cs", "Cc", "Cf", "Mn", "So"]), max_size=10)
)
ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
MESSAGES = st.fixed_dictionaries(
    {"sender": st.just("a") | st.text(max_size=300) | ANYTHING, "message": st.text(max_size=60) | ANYTHING},
    optional={
        "metadata": ANYTHING
        | st.fixed_dictionaries({}, optional={"message_id": ANYTHING, "locale": ANYTHING, "x": ANYTHING}),
        "text": ANYTHING,
        "message_id": ANYTHING,
    },
)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=ANYTHING | MESSAGES)
async def test_any_json_gets_replies_or_one_sentence(small_house: House, body: Any) -> None:
    raw = json.dumps(body).encode()
    for path in (WEBHOOK, PARSE):
        response = await post(small_house, path, raw)
        if response.status_code == 200:
            answer = response.json()
            assert isinstance(answer, list if path == WEBHOOK else dict)
        else:
            assert problem(response)["status"] in (400, 422)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
async def test_any_bytes_get_one_sentence(small_house: House, body: bytes) -> None:
    response = await post(small_house, WEBHOOK, body)
    assert problem(response)["status"] in (400, 422)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=st.text(alphabet=st.characters(), max_size=200))
async def test_any_text_gets_a_reply(small_house: House, text: str) -> None:
    response = await small_house.client.post(WEBHOOK, content=json.dumps({"sender": "anybody", "message": text}))
    assert response.status_code == 200
    assert response.json()
    await small_house.chat("anybody").say("取消")
