"""From examples to an engine, trained or taken from a cache."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from nlu.engine import OUT_OF_SCOPE_INTENT
from nlu.formats import TrainingData
from nlu.local.classifier import train_classifier
from nlu.local.engine import LocalEngine
from nlu.local.model_store import ENGINE_VERSION, ModelError, load_model, save_model
from nlu.normalise import MAX_CLASSIFIED, compact, normalise


def train(data: TrainingData) -> LocalEngine:
    """Fit the local engine. The same data give the same engine, byte for byte. Raises ValueError without examples.

    3,917 examples of 122 intents: 5 s on one core, nearly all of it calibration.
    """
    pairs = list(data.pairs())
    texts = [normalise(text[:MAX_CLASSIFIED]) for text, _ in pairs]
    keys = [compact(text) for text in texts]
    usable = [position for position, key in enumerate(keys) if key]
    features, classifier = train_classifier(
        [texts[position] for position in usable],
        [pairs[position][1] for position in usable],
        keep_together=[keys[position] for position in usable],
        never_strange=frozenset((OUT_OF_SCOPE_INTENT,)),
    )
    meant: dict[str, set[str]] = {}
    for position in usable:
        meant.setdefault(keys[position], set()).add(pairs[position][1])
    number = {label: index for index, label in enumerate(classifier.labels)}
    # A sentence that two intents claim is not a known one: the classifier decides.
    known = {key: number[min(labels)] for key, labels in sorted(meant.items()) if len(labels) == 1}
    return LocalEngine(model_id(data), features, classifier, known)


def model_id(data: TrainingData) -> str:
    """Names the model these data give with this engine: ``local-<engine version>-<12 hex digits>``."""
    return f"local-{ENGINE_VERSION}-{data.fingerprint[:12]}"


def train_or_load(data: TrainingData, cache_dir: Path, name: str) -> LocalEngine:
    """The engine for these data from ``cache_dir/<name>-<model id>``, trained and stored there if need be.

    A damaged entry is trained again; older entries of the same name are removed. Several processes may do this at
    once: an entry appears whole or not at all. Raises OSError when the directory cannot be written.
    """
    home = cache_dir / f"{name}-{model_id(data)}"
    try:
        return load_model(home)
    except ModelError:
        pass
    engine = train(data)
    cache_dir.mkdir(parents=True, exist_ok=True)
    workplace = Path(tempfile.mkdtemp(prefix=".training-", dir=cache_dir))
    try:
        save_model(engine, workplace / "model")
        _put(workplace / "model", home, workplace / "replaced")
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
    for other in cache_dir.glob(f"{name}-local-*"):
        if other != home:
            shutil.rmtree(other, ignore_errors=True)
    return engine


def _put(made: Path, home: Path, aside: Path) -> None:
    if home.exists():
        home.rename(aside)
    try:
        made.rename(home)
    except OSError:
        # Another process put the same bytes there first.
        if not home.is_dir():
            raise
