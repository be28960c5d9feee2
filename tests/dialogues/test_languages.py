"""English and Traditional Chinese, chosen by ``metadata.locale`` and kept."""

from __future__ import annotations

import re

import pytest

from handlers import cadre
from tests.house import WAGES, XIAOLAN_UNION, Chat, House


async def whole_story(house: House, chat: Chat, locale: str, words: dict[str, str]) -> list[str]:
    """A request from the first word to the rating; everything that was heard."""
    heard: list[str] = []

    async def say(text: str) -> str:
        replies = await chat.send(text, locale=locale)
        heard.extend(reply["text"] for reply in replies)
        return "\n".join(reply["text"] for reply in replies)

    await say(words["hello"])
    await say(words["help"])
    await say(WAGES)
    await say(chat.buttons[words["anonymous"]])
    number = chat.opened(await say(chat.buttons[words["confirm"]]))
    await say(words["status"])
    await house.act(XIAOLAN_UNION, cadre.answer, number, "OK")
    await say(words["status"])
    await say(f"/solved:{number}:yes")
    await say("5")
    await say(words["skip"])
    return heard


ENGLISH = {
    "hello": "hello",
    "help": "help",
    "anonymous": "Anonymous",
    "confirm": "Confirm",
    "status": "status",
    "skip": "skip",
}


async def test_somebody_is_served_in_english(small_house: House) -> None:
    chat = small_house.chat()
    await chat.send("help", locale="en")
    titles = list(chat.buttons)
    assert titles
    assert all(title.isascii() for title in titles)
    heard = await chat.send(WAGES)
    assert all(button["title"].isascii() for button in heard[-1]["buttons"]), "the language is remembered"


async def test_the_sentences_of_a_whole_story_are_english(small_house: House) -> None:
    chat = small_house.chat()
    services = small_house.process.services
    words = ENGLISH | {
        "anonymous": services.text("en", "button.anonymous"),
        "confirm": services.text("en", "button.confirm"),
    }
    heard = await whole_story(small_house, chat, "en", words)
    for text in heard:
        assert re.search(r"[a-z]{3}", text), text
    assert any("Nov 27" in text or "27 Nov" in text or "11-27" in text or "11/27" in text for text in heard)


async def test_the_sentences_of_a_whole_story_are_traditional(small_house: House) -> None:
    chat = small_house.chat()
    services = small_house.process.services
    words = {
        "hello": "你好",
        "help": "求助",
        "status": "查進度",
        "skip": "跳過",
        "anonymous": services.text("zh_TW", "button.anonymous"),
        "confirm": services.text("zh_TW", "button.confirm"),
    }
    heard = await whole_story(small_house, chat, "zh_TW", words)
    assert "您" in "".join(heard) or "你" in "".join(heard)
    assert any("工單" in text for text in heard)
    assert any("查詢碼" in text for text in heard)


async def test_answers_are_converted_to_traditional(small_house: House) -> None:
    chat = small_house.chat()
    simplified = await small_house.chat().say("怎么入团？")
    (answer,) = await chat.send("怎麼入團？", locale="zh_TW")
    assert answer["text"].startswith("【")
    assert "團" in answer["text"]
    assert "团" not in answer["text"]
    assert answer["text"] != simplified


async def test_traditional_words_are_understood_as_simplified_ones(small_house: House) -> None:
    chat = small_house.chat()
    assert "請" in (await chat.send("求助", locale="zh_TW"))[0]["text"]
    (asked,) = await chat.send("老闆拖欠工資兩個月，在小欖一家五金廠", locale="zh_TW")
    assert "匿名" in asked["text"]
    (summary,) = await chat.send("匿名", locale="zh_TW")
    assert "老闆拖欠工資兩個月" in summary["text"], "a person's own words are never converted"


@pytest.mark.parametrize("locale", ["fr", "zh", "", "zh-CN", "en_US"])
async def test_a_language_that_is_not_ours_changes_nothing(small_house: House, locale: str) -> None:
    chat = small_house.chat()
    await chat.send("你好", locale="en")
    (heard,) = await chat.send("hello", locale=locale)
    assert heard["text"] == small_house.process.services.text("en", "greeting.first_time")


async def test_news_of_a_cadre_come_in_the_persons_language(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    await chat.send("status", locale="en")
    await small_house.act(XIAOLAN_UNION, cadre.take, number)
    (news, *_) = await chat.send("status")
    assert re.search(r"[a-z]{4}", news["text"])
    assert "受理" not in news["text"]


async def test_two_people_are_served_each_in_their_language(small_house: House) -> None:
    one, other = small_house.chat(), small_house.chat()
    await one.send("你好", locale="en")
    await other.send("你好", locale="zh_TW")
    assert (await one.say("菜单")) != (await other.say("菜单"))
