"""Questions that the service can answer, half understands, or does not know."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from nlu.engine import Utterance
from nlu.fallback import Ambiguous, Unknown, decide
from storage.models import AnswerFeedback, InboundMessage, Miss
from tests.house import House

HALF_UNDERSTOOD = (
    "公司 学校 合同 押金 工资",
    "累死了",
    "团费和转团关系",
    "租房和工作",
    "志愿者 团课 入团",
    "学校 老师 钱",
)
NOT_OURS = ("帮我写一首诗", "今天晚上吃什么好呢", "明天股票会涨吗", "讲个笑话", "你喜欢什么颜色")


async def _thumbs(house: House) -> list[tuple[str, bool]]:
    async with house.process.database.reading() as session:
        rows = await session.execute(select(AnswerFeedback).order_by(AnswerFeedback.id))
        return [(row.entry, row.is_helpful) for row in rows.scalars()]


async def _misses(house: House) -> list[tuple[str, str | None]]:
    """Kind and words of everything that was not understood."""
    async with house.process.database.reading() as session:
        rows = await session.execute(
            select(Miss.kind, InboundMessage.text)
            .outerjoin(InboundMessage, InboundMessage.id == Miss.inbound_id)
            .order_by(Miss.id)
        )
        return [(kind, text) for kind, text in rows]


async def _first(house: House, sentences: tuple[str, ...], verdict: type[Ambiguous | Unknown]) -> str:
    """The first of these sentences that the engine judges so: engines change, what follows from a verdict does not."""
    services = house.process.services
    for sentence in sentences:
        judged = decide(await services.engine.parse(Utterance(sentence)), services.thresholds)
        if isinstance(judged, Unknown) and verdict is Unknown:
            return sentence
        if isinstance(judged, Ambiguous) and verdict is Ambiguous:
            shown = [one for one in judged.intents if services.faq.of_intent(one.name)]
            if len(shown) >= 2 and len(shown) == len(judged.intents):
                return sentence
    pytest.fail(f"the engine judges none of {sentences} as {verdict.__name__}")


async def test_a_question_that_is_understood_is_answered_under_its_title(small_house: House) -> None:
    chat = small_house.chat()
    replies = await chat.send("怎么入团？")
    assert len(replies) == 1
    assert replies[0]["text"].startswith("【怎么申请加入共青团？】\n")
    assert replies[0]["recipient_id"] == chat.sender
    assert list(chat.buttons) == ["有帮助", "没帮助"]


async def test_a_thumb_up_is_stored_and_thanked(house: House) -> None:
    chat = house.chat()
    await chat.say("怎么入团？")
    assert await chat.press("有帮助") == "太好了，谢谢反馈。"
    assert await _thumbs(house) == [("league_join_how", True)]


async def test_a_thumb_down_is_stored_as_a_miss_and_offers_related_questions_and_a_person(house: House) -> None:
    chat = house.chat()
    await chat.say("怎么入团？")
    assert "没帮上" in await chat.press("没帮助")
    *related, person = chat.buttons.items()
    assert 1 <= len(related) <= 3
    assert all(payload.startswith("/faq:") for _, payload in related)
    assert person == ("找人帮忙", "/help")
    assert await _thumbs(house) == [("league_join_how", False)]
    assert await _misses(house) == [("not_helpful", None)]


async def test_a_related_question_is_answered_when_chosen(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("怎么入团？")
    await chat.press("没帮助")
    title = next(iter(chat.buttons))
    assert (await chat.press(title)).startswith(f"【{title}】\n")


async def test_who_was_not_helped_need_not_tell_it_twice(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("被公司辞退了没有赔偿怎么办，我在小榄上班", "没帮助")
    asked = await chat.press("找人帮忙")
    assert "要不要匿名" in asked, "what and where were told already"
    assert "被公司辞退了没有赔偿怎么办" in await chat.say("匿名")


@pytest.mark.parametrize("way", ["number", "title", "payload", "full width number"])
async def test_a_half_understood_question_gets_up_to_three_titles_to_choose_from(house: House, way: str) -> None:
    chat = house.chat()
    sentence = await _first(house, HALF_UNDERSTOOD, Ambiguous)
    assert "你问的是不是下面这些" in await chat.say(sentence)
    offers = list(chat.buttons.items())
    assert 2 <= len(offers) <= 3
    title, payload = offers[1]
    chosen = {"number": "2", "title": title, "payload": payload, "full width number": "２"}[way]
    assert (await chat.say(chosen)).startswith(f"【{title}】\n")
    assert await _misses(house) == [("ambiguous", sentence)]


async def test_none_of_these_offers_a_person(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say(await _first(small_house, HALF_UNDERSTOOD, Ambiguous))
    assert "换个说法" in await chat.say("都不是")
    assert list(chat.buttons) == ["找人帮忙"]


async def test_a_number_beyond_the_choices_chooses_nothing(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say(await _first(small_house, HALF_UNDERSTOOD, Ambiguous))
    assert "【" not in await chat.say("9")


async def test_what_is_not_known_is_admitted_and_a_person_offered(house: House) -> None:
    chat = house.chat()
    sentence = await _first(house, NOT_OURS, Unknown)
    said = await chat.say(sentence)
    assert "不乱答" in said or "我不会答" in said
    assert "【" not in said, "a guess is not an answer"
    *related, person = chat.buttons.items()
    assert len(related) <= 3
    assert all(payload.startswith("/faq:") for _, payload in related)
    assert person == ("找人帮忙", "/help")
    assert await _misses(house) == [("unknown", sentence)]


async def test_an_answer_whose_review_is_past_says_so(small_house: House) -> None:
    chat = small_house.chat()
    assert "核对期限已过" not in await chat.say("怎么入团？")
    small_house.clock.forward(days=1000)
    assert "核对期限已过" in await chat.say("怎么入团？")


@pytest.mark.parametrize("said", ["你好", "谢谢", "再见", "菜单"])
async def test_small_talk_and_the_menu_are_answered_without_a_guess(small_house: House, said: str) -> None:
    heard = await small_house.chat().say(said)
    assert heard
    assert "【" not in heard
    assert await _misses(small_house) == []


async def test_every_button_of_the_menu_leads_somewhere(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("菜单")
    for title, payload in dict(chat.buttons).items():
        heard = await chat.say("菜单", payload)
        assert heard, title
        assert "过期" not in heard, title
        await chat.say("取消")


@pytest.mark.parametrize("said", ["找活动", "预约场地", "团员证", "积分"])
async def test_a_function_of_a_later_version_is_not_promised(small_house: House, said: str) -> None:
    chat = small_house.chat()
    assert "还没有开通" in await chat.say(said)
    assert "找人帮忙" in chat.buttons


async def test_a_message_of_blanks_is_told_to_be_empty(small_house: House) -> None:
    assert "空的" in await small_house.chat().say(" \n\t　")
