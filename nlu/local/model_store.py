"""A model as a directory: plain NumPy arrays and JSON, each file's SHA-256 in a manifest. No pickle: data, not code."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from nlu.local.classifier import LinearClassifier
from nlu.local.engine import LocalEngine
from nlu.local.features import FeatureSpace

FORMAT = "qingsheng-local-nlu"
FORMAT_VERSION = 1
ENGINE_VERSION = 2
"""Raise with every change to normalisation, features or training: cached models of other versions are not used."""

_ARRAYS = ("weights", "intercept", "feature_weights", "feature_blocks")
_FILES = ("model.json", *(f"{name}.npy" for name in _ARRAYS))
_MANIFEST = "manifest.json"


class ModelError(Exception):
    """A directory is not a model that this program can use; one sentence says why."""


def save_model(engine: LocalEngine, directory: Path) -> None:
    """Write the model; the directory is created and may exist. The same engine gives the same bytes."""
    directory.mkdir(parents=True, exist_ok=True)
    contents = {
        "weights.npy": _array_bytes(engine.classifier.weights),
        "intercept.npy": _array_bytes(engine.classifier.intercept),
        "feature_weights.npy": _array_bytes(engine.features.weights),
        "feature_blocks.npy": _array_bytes(engine.features.blocks),
        "model.json": _json_bytes(
            {
                "model_id": engine.model_id,
                "labels": engine.classifier.labels,
                "sharpness": engine.classifier.sharpness,
                "none_logit": engine.classifier.none_logit,
                "features": engine.features.names,
                "unseen_weight": engine.features.unseen_weight,
                "known": dict(engine.known),
            }
        ),
    }
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "engine_version": ENGINE_VERSION,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())},
    }
    # Last, so that a directory with a manifest is complete.
    (directory / _MANIFEST).write_bytes(_json_bytes(manifest))


def load_model(directory: Path) -> LocalEngine:
    """Read what ``save_model`` wrote. Raises ModelError for anything missing, altered or foreign."""
    manifest = _read_manifest(directory)
    contents: dict[str, bytes] = {}
    for name in _FILES:
        try:
            contents[name] = (directory / name).read_bytes()
        except OSError as error:
            raise ModelError(f"{directory} is not a usable model: {name} cannot be read ({error.strerror})") from error
        if hashlib.sha256(contents[name]).hexdigest() != manifest["files"].get(name):
            raise ModelError(f"{directory} is not a usable model: {name} is not the file that was saved")
    try:
        return _assemble(contents)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ModelError(f"{directory} is not a usable model: its parts do not fit together ({error})") from error


def _read_manifest(directory: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((directory / _MANIFEST).read_bytes())
    except OSError as error:
        raise ModelError(f"{directory} is not a model: {_MANIFEST} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{directory} is not a model: {_MANIFEST} is not JSON") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelError(f"{directory} is not a model of this program")
    for key, expected in (("format_version", FORMAT_VERSION), ("engine_version", ENGINE_VERSION)):
        if manifest.get(key) != expected:
            raise ModelError(f"{directory} has {key} {manifest.get(key)!r}, this program needs {expected}: train again")
    if not isinstance(manifest.get("files"), dict):
        raise ModelError(f"{directory} is not a model: {_MANIFEST} lists no files")
    return manifest


def _assemble(contents: dict[str, bytes]) -> LocalEngine:
    about = json.loads(contents["model.json"])
    arrays = {name: _array(contents[f"{name}.npy"]) for name in _ARRAYS}
    features = FeatureSpace(
        names=tuple(about["features"]),
        weights=arrays["feature_weights"],
        blocks=arrays["feature_blocks"],
        unseen_weight=float(about["unseen_weight"]),
    )
    classifier = LinearClassifier(
        labels=tuple(about["labels"]),
        weights=arrays["weights"],
        intercept=arrays["intercept"],
        sharpness=float(about["sharpness"]),
        none_logit=float(about["none_logit"]),
    )
    shape = (len(features.names), len(classifier.labels))
    if (
        classifier.weights.shape != shape
        or classifier.intercept.shape != shape[1:]
        or features.weights.shape != shape[:1]
        or features.blocks.shape != shape[:1]
    ):
        raise ValueError(f"arrays do not have {shape[0]} features and {shape[1]} labels")
    known = {str(key): int(number) for key, number in about["known"].items()}
    if any(not 0 <= number < shape[1] for number in known.values()):
        raise ValueError("a known sentence names a label that does not exist")
    return LocalEngine(str(about["model_id"]), features, classifier, known)


def _array_bytes(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _array(content: bytes) -> Any:
    return np.load(io.BytesIO(content), allow_pickle=False)


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
