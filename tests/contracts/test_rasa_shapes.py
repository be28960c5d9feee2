"""The REST channel and the NLU endpoints answer in Rasa's shapes, to the letter: its clients and tools rely on it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.house import House

WEBHOOK = "/webhooks/rest/webhook"


async def parse(house: House, text: str, **more: Any) -> dict[str, Any]:
    query = f"?retrieval={more.pop('retrieval')}" if "retrieval" in more else ""
    response = await house.client.post(f"/model/parse{query}", json={"text": text, **more})
    assert response.status_code == 200
    parsed: dict[str, Any] = response.json()
    return parsed


# ── POST /webhooks/rest/webhook ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_reply_is_a_list_of_texts_with_buttons(house: House) -> None:
    response = await house.client.post(WEBHOOK, json={"sender": "somebody", "message": "怎么入团？"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    (reply,) = response.json()
    assert set(reply) == {"recipient_id", "text", "buttons"}
    assert reply["recipient_id"] == "somebody"
    assert isinstance(reply["text"], str)
    assert reply["buttons"] == [
        {"title": "有帮助", "payload": "/helpful:league_join_how"},
        {"title": "没帮助", "payload": "/unhelpful:league_join_how"},
    ]


async def test_a_reply_without_buttons_has_no_such_key(small_house: House) -> None:
    response = await small_house.client.post(WEBHOOK, json={"sender": "somebody", "message": "谢谢"})
    (reply,) = response.json()
    assert set(reply) == {"recipient_id", "text"}


async def test_metadata_and_fields_of_other_clients_are_allowed(small_house: House) -> None:
    body = {
        "sender": "somebody",
        "message": "谢谢",
        "metadata": {"message_id": None, "locale": None, "app": {"version": [1, 2]}},
        "input_channel": "rest",
        "stream": False,
    }
    response = await small_house.client.post(WEBHOOK, json=body)
    assert response.status_code == 200
    assert len(response.json()) == 1


async def test_the_channel_tells_that_it_is_there(small_house: House) -> None:
    response = await small_house.client.get("/webhooks/rest/")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


# ── POST /model/parse ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_parsing_names_intents_in_full(small_house: House) -> None:
    parsed = await parse(small_house, "怎么入团？")
    assert set(parsed) == {"text", "intent", "entities", "text_tokens", "intent_ranking", "response_selector"}
    assert parsed["text"] == "怎么入团？"
    assert set(parsed["intent"]) == {"name", "confidence"}
    assert parsed["intent"]["name"] == "faq/league_join_how"
    ranking = parsed["intent_ranking"]
    assert ranking[0] == parsed["intent"]
    assert 2 <= len(ranking) <= 10
    assert all(set(ranked) == {"name", "confidence"} for ranked in ranking)
    confidences = [ranked["confidence"] for ranked in ranking]
    assert confidences == sorted(confidences, reverse=True)
    assert all(0.0 <= confidence <= 1.0 for confidence in confidences)
    assert sum(confidences) <= 1.0 + 1e-6
    assert all(0 <= start < end <= len(parsed["text"]) for start, end in parsed["text_tokens"])


async def test_the_response_selector_is_filled_as_rasa_does(small_house: House) -> None:
    parsed = await parse(small_house, "怎么入团？")
    selector = parsed["response_selector"]
    assert set(selector) == {"all_retrieval_intents", "faq", "default"}
    assert selector["all_retrieval_intents"] == ["faq"]
    assert selector["default"] == {
        "response": {"responses": None, "confidence": 0.0, "intent_response_key": None, "utter_action": "utter_None"},
        "ranking": [],
    }
    response = selector["faq"]["response"]
    assert set(response) == {"responses", "confidence", "intent_response_key", "utter_action"}
    assert response["intent_response_key"] == "faq/league_join_how"
    assert response["utter_action"] == "utter_faq/league_join_how"
    assert set(response["responses"][0]) == {"text"}
    best = selector["faq"]["ranking"][0]
    assert best == {"confidence": response["confidence"], "intent_response_key": "faq/league_join_how"}


async def test_with_retrieval_rasa_the_family_is_the_intent(small_house: House) -> None:
    parsed = await parse(small_house, "怎么入团？", retrieval="rasa")
    assert parsed["intent"]["name"] == "faq"
    assert parsed["intent"]["full_retrieval_intent_name"] == "faq/league_join_how"
    names = [ranked["name"] for ranked in parsed["intent_ranking"]]
    assert not any("/" in name for name in names)
    assert len(names) == len(set(names))


async def test_entities_are_given_with_their_place_in_the_text(small_house: House) -> None:
    parsed = await parse(small_house, "查进度 GD2611240001")
    assert parsed["entities"]
    for entity in parsed["entities"]:
        assert set(entity) == {"entity", "start", "end", "value", "extractor"}
        assert parsed["text"][entity["start"] : entity["end"]]


async def test_a_message_id_comes_back(small_house: House) -> None:
    assert (await parse(small_house, "你好", message_id="m-17"))["message_id"] == "m-17"
    assert "message_id" not in await parse(small_house, "你好")


@pytest.mark.parametrize("text", ["", " ", "🙂", "\u200b", "？？？", "\u202e反", "a" * 100_000])
async def test_whatever_the_text_there_is_an_intent(small_house: House, text: str) -> None:
    parsed = await parse(small_house, text)
    assert parsed["text"] == text
    assert parsed["intent"]["name"]
    assert parsed["intent_ranking"]


async def test_parsing_stores_nothing(small_house: House) -> None:
    await parse(small_house, "我不想活了")
    chat = small_house.chat()
    assert "没有查到你的工单" in await chat.say("查进度")


# ── GET /status, GET /version ────────────────────────────────────────────────────────────────────────────────────────


async def test_status_names_the_model(small_house: House) -> None:
    response = await small_house.client.get("/status")
    assert response.status_code == 200
    status = response.json()
    assert set(status) == {"model_file", "model_id", "num_active_training_jobs"}
    assert status["model_id"] == small_house.process.services.engine.model_id
    assert status["num_active_training_jobs"] == 0


async def test_version_names_the_version(small_house: House) -> None:
    response = await small_house.client.get("/version")
    assert response.status_code == 200
    version = response.json()
    assert set(version) == {"version", "minimum_compatible_version"}
    assert all(part.isdigit() for part in version["version"].split("."))


async def test_every_answer_forbids_guessing_its_type(small_house: House) -> None:
    for path in ("/version", "/", "/webhooks/rest/", "/absent"):
        response = await small_house.client.get(path)
        assert response.headers["x-content-type-options"] == "nosniff", path
        assert "default-src 'none'" in response.headers["content-security-policy"], path
