from __future__ import annotations

from pathlib import Path

import pytest

from nlu import training
from nlu.formats import TrainingData
from nlu.local.engine import LocalEngine
from nlu.local.model_store import save_model
from nlu.training import train, train_or_load


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_the_same_data_give_the_same_bytes(small_data: TrainingData, engine: LocalEngine, tmp_path: Path) -> None:
    save_model(engine, tmp_path / "a")
    save_model(train(small_data), tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_the_second_time_comes_from_the_cache(
    small_data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train_or_load(small_data, tmp_path / "cache", "topics")
    monkeypatch.setattr(training, "train", lambda data: pytest.fail("trained again"))
    second = train_or_load(small_data, tmp_path / "cache", "topics")
    assert second.model_id == first.model_id
    assert second.classify("团费在哪交呀") == first.classify("团费在哪交呀")


def test_a_damaged_cache_is_trained_again(small_data: TrainingData, tmp_path: Path) -> None:
    first = train_or_load(small_data, tmp_path, "intents")
    (home,) = tmp_path.iterdir()
    before = contents(home)
    (home / "weights.npy").write_bytes(b"broken")
    assert train_or_load(small_data, tmp_path, "intents").classify("入团") == first.classify("入团")
    assert contents(home) == before
    assert list(tmp_path.iterdir()) == [home]


def test_changed_data_replace_the_old_entry_of_that_name_only(small_data: TrainingData, tmp_path: Path) -> None:
    other = TrainingData.from_texts({"a": ["甲乙丙", "甲乙"], "b": ["子丑寅", "子丑"]})
    train_or_load(small_data, tmp_path, "intents")
    train_or_load(small_data, tmp_path, "topics")
    train_or_load(other, tmp_path, "intents")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [f"intents-{training.model_id(other)}", f"topics-{training.model_id(small_data)}"]
    )


def test_nothing_to_learn_from_is_said_plainly() -> None:
    with pytest.raises(ValueError, match="nothing to train on"):
        train(TrainingData.from_texts({"a": ["😀", "!!"]}))


@pytest.mark.parametrize(
    "texts",
    [
        {"a": ["只有一个意图"]},
        {"a": ["甲乙"], "b": ["丙丁"]},
        {"a": ["甲乙", "甲丙"], "b": ["子丑"], "c": ["寅卯"]},
    ],
)
def test_the_smallest_data_still_give_an_engine(texts: dict[str, list[str]]) -> None:
    engine = train(TrainingData.from_texts(texts))
    for label, sentences in texts.items():
        assert all(engine.classify(sentence).intent.name == label for sentence in sentences)
    assert sum(ranked.confidence for ranked in engine.classify("甲").ranking) <= 1.0


def test_a_sentence_that_two_intents_claim_is_not_a_known_one() -> None:
    data = TrainingData.from_texts({"a": ["你好", "早上好"], "b": ["您好", "你好！"]})
    engine = train(data)
    assert engine.classify("你好").intent.confidence < 1.0
    assert engine.classify("早上好").intent.confidence == 1.0
