from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlu.local.classifier import LinearClassifier
from nlu.local.engine import LocalEngine
from nlu.local.features import FeatureSpace
from nlu.local.model_store import ModelError, load_model, save_model


@pytest.fixture
def saved(engine: LocalEngine, tmp_path: Path) -> Path:
    save_model(engine, tmp_path / "model")
    return tmp_path / "model"


def test_a_saved_model_answers_as_before(engine: LocalEngine, saved: Path) -> None:
    loaded = load_model(saved)
    for text in ("团费在哪交", "转人工", "鹦鹉螺号", "GD2611030012", ""):
        assert loaded.classify(text) == engine.classify(text)
    assert loaded.model_id == engine.model_id


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(texts, min_size=1, max_size=6, unique=True),
    st.lists(texts, min_size=1, max_size=4, unique=True),
    st.data(),
)
def test_any_model_comes_back_as_it_was(
    tmp_path: Path, names: list[str], labels: list[str], data: st.DataObject
) -> None:
    numbers = st.floats(-1e6, 1e6, width=32)
    size = len(names) * len(labels)
    weights = np.array(data.draw(st.lists(numbers, min_size=size, max_size=size)), np.float32)
    engine = LocalEngine(
        "local-1-test",
        FeatureSpace(tuple(names), np.ones(len(names), np.float32), np.zeros(len(names), np.int32), 1.5),
        LinearClassifier(
            tuple(labels), weights.reshape(len(names), len(labels)), np.zeros(len(labels), np.float32), 3.0, -0.5
        ),
        {"你好": 0},
    )
    save_model(engine, tmp_path / "any")
    loaded = load_model(tmp_path / "any")
    assert loaded.features.names == engine.features.names
    assert loaded.classifier.labels == engine.classifier.labels
    assert np.array_equal(loaded.classifier.weights, engine.classifier.weights)
    assert (loaded.known, loaded.model_id) == (engine.known, engine.model_id)
    assert (loaded.classifier.sharpness, loaded.classifier.none_logit) == (3.0, -0.5)


def test_one_changed_byte_is_noticed_in_every_file(saved: Path) -> None:
    for path in saved.iterdir():
        if path.name == "manifest.json":
            continue
        original = path.read_bytes()
        path.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
        with pytest.raises(ModelError, match=f"{path.name} is not the file that was saved"):
            load_model(saved)
        path.write_bytes(original)
    load_model(saved)


@pytest.mark.parametrize("name", ["manifest.json", "model.json", "weights.npy", "intercept.npy"])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ModelError, match=name):
        load_model(saved)


def rewrite(saved: Path, name: str, content: bytes) -> None:
    """Alter a file and its entry in the manifest, as somebody who knows the format would."""
    import hashlib

    (saved / name).write_bytes(content)
    manifest = json.loads((saved / "manifest.json").read_text("utf-8"))
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (saved / "manifest.json").write_text(json.dumps(manifest), "utf-8")


def test_a_pickle_is_never_opened(saved: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "opened",))  # type: ignore[return-value]

    rewrite(saved, "weights.npy", pickle.dumps(Bomb()))
    with pytest.raises(ModelError, match="do not fit together"):
        load_model(saved)
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize("content", [b"{}", b"[]", b"null", b"not json", b'{"labels": 5}'])
def test_parts_that_do_not_fit_are_refused(saved: Path, content: bytes) -> None:
    rewrite(saved, "model.json", content)
    with pytest.raises(ModelError, match="do not fit together"):
        load_model(saved)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("[]", "not a model of this program"),
        ("{}", "not a model of this program"),
        ("x", "is not JSON"),
        ('{"format":"qingsheng-local-nlu","format_version":99}', "format_version 99"),
        ('{"format":"qingsheng-local-nlu","format_version":1,"engine_version":0}', "train again"),
    ],
)
def test_a_foreign_directory_is_refused_in_one_sentence(tmp_path: Path, manifest: str, words: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest, "utf-8")
    with pytest.raises(ModelError, match=words) as caught:
        load_model(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(tmp_path / "absent")
