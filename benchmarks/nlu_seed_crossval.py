"""Cross-validation of the local engine on the seed content, and what the thresholds of ``nlu.fallback`` make of it.

    OMP_NUM_THREADS=1 python benchmarks/nlu_seed_crossval.py [--sweep] [--strangers FILE.yml] [DATA.yml ...]

Five folds; a sentence is never judged by an engine that has seen it. "foreseen" are the out_of_scope examples held out
in turn; "unforeseen" asks the same of engines that never had an out_of_scope example. ``--strangers`` adds sentences of
another kind altogether (any Rasa file; all of it counts as out of scope). ``--sweep`` prints other thresholds too.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from nlu.engine import OUT_OF_SCOPE_INTENT, NluResult  # noqa: E402
from nlu.evaluation import report_on  # noqa: E402
from nlu.fallback import DEFAULT, Ambiguous, Confident, Thresholds, Unknown, decide  # noqa: E402
from nlu.formats import TrainingData, read_training_files  # noqa: E402
from nlu.local.engine import LocalEngine  # noqa: E402
from nlu.training import train  # noqa: E402

FOLDS = 5
Answers = list[tuple[str, str, NluResult]]


def folds(data: TrainingData, *, without: str | None = None) -> Iterable[tuple[LocalEngine, list[tuple[str, str]]]]:
    """(engine, held-out pairs); sentences of an intent are dealt round in a fixed, scattered order."""
    for fold in range(FOLDS):
        learned: dict[str, list[str]] = {}
        asked: list[tuple[str, str]] = []
        for label, examples in data.examples.items():
            for position, example in enumerate(examples):
                if (position * 7 + position // FOLDS) % FOLDS == fold:
                    asked.append((example.text, label))
                elif label != without:
                    learned.setdefault(label, []).append(example.text)
        yield train(TrainingData.from_texts(learned)), asked


def crossval(data: TrainingData, *, without: str | None = None) -> Answers:
    """(text, intent, result) for every example; ``without`` names an intent that no engine has learned."""
    held_out = folds(data, without=without)
    return [(text, label, engine.classify(text)) for engine, asked in held_out for text, label in asked]


def table(name: str, answers: Answers, thresholds: Thresholds) -> str:
    """One line for in-scope sentences: shares confident, right when confident, asked back, right one offered."""
    decisions = [(label, decide(result, thresholds)) for _, label, result in answers]
    confident = [(label, d) for label, d in decisions if isinstance(d, Confident)]
    offered = [(label, d) for label, d in decisions if isinstance(d, Ambiguous)]
    unknown = sum(isinstance(d, Unknown) for _, d in decisions)
    right = sum(label == d.intent for label, d in confident)
    among = sum(label in [r.name for r in d.intents] for label, d in offered)
    total = len(decisions)
    return (
        f"{name:<22} confident {len(confident) / total:.3f} (right {right / max(1, len(confident)):.3f})  "
        f"asked back {len(offered) / total:.3f} (right one offered {among / max(1, len(offered)):.3f})  "
        f"unknown {unknown / total:.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", type=Path, default=[ROOT / "config" / "seed" / "nlu.yml"])
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--strangers", type=Path)
    options = parser.parse_args()
    data = read_training_files(options.data)
    started = time.perf_counter()
    engine = train(data)
    seconds, examples = time.perf_counter() - started, sum(map(len, data.examples.values()))
    print(f"{len(data.examples)} intents, {examples} examples, {len(engine.features.names)} features")
    print(f"trained in {seconds:.1f} s")
    answers = crossval(data)
    report = report_on(answers, model_id=engine.model_id)
    print(f"accuracy {report.accuracy:.3f}  top-3 {report.top3:.3f}  macro-F1 {report.macro_f1:.3f}")
    groups: dict[str, Answers] = {
        "in scope": [a for a in answers if a[1] != OUT_OF_SCOPE_INTENT],
        "  faq": [a for a in answers if a[1].startswith("faq/")],
        "  functional": [a for a in answers if not a[1].startswith("faq/") and a[1] != OUT_OF_SCOPE_INTENT],
    }
    if report.out_of_scope:
        groups["out of scope, foreseen"] = [a for a in answers if a[1] == OUT_OF_SCOPE_INTENT]
        blind = crossval(data, without=OUT_OF_SCOPE_INTENT)
        groups["  unforeseen"] = [a for a in blind if a[1] == OUT_OF_SCOPE_INTENT]
        for name, figures in (("foreseen", report), ("unforeseen", report_on(blind, model_id="blind"))):
            if figures.out_of_scope:
                print(f"out of scope, {name}: AUROC {figures.out_of_scope.auroc:.3f}, recall at 5 % false alarms "
                      f"{figures.out_of_scope.recall_at_5_percent_false_alarms:.3f}")  # fmt: skip
    if options.strangers:
        pairs = read_training_files([options.strangers], may_conflict=True).pairs()
        groups["  strangers"] = [(text, OUT_OF_SCOPE_INTENT, engine.classify(text)) for text, _ in pairs]
    choices = [DEFAULT]
    if options.sweep:
        choices += [Thresholds(floor=f, margin=m) for f in (0.4, 0.5, 0.6, 0.7, 0.8) for m in (0.1, 0.3, 0.5)]
    for thresholds in choices:
        print(thresholds)
        for name, chosen in groups.items():
            print("  " + table(name, chosen, thresholds))


if __name__ == "__main__":
    main()
