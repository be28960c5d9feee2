"""Back at the description, somebody told another story; topic, place and so the unit stayed those of the first."""

from __future__ import annotations

from tests.house import WAGES, House


async def test_a_request_told_anew_goes_where_the_new_words_say(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("求助", WAGES, "上一步")
    summary = await chat.say("古镇的房东不退我的押金，一共三千块", "匿名")
    assert "事项：租房纠纷" in summary
    assert "地点：中山市古镇镇" in summary
    assert "小榄" not in summary
