"""What the local engine and the crisis lexicon cost: start, memory, time a message.

    OMP_NUM_THREADS=1 python benchmarks/nlu_speed.py

One core of a two-core virtual machine, 2026-11-23, 3,917 examples: train 4.6 s, load 27 ms, 57 MB resident (39 before);
30 characters: classify 0.15 ms, scan 0.07 ms; 100,000 characters: classify 1.5 ms (reads 1,000), scan 53 ms.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from config.yamlfile import read_yaml  # noqa: E402
from nlu.formats import read_training_files  # noqa: E402
from nlu.local.model_store import load_model  # noqa: E402
from nlu.training import train_or_load  # noqa: E402
from nlu.urgency import CrisisLexicon  # noqa: E402

QUESTION = "我想问一下团组织关系怎么转接到外省的单位去，需要什么材料呢"


def milliseconds(act: Callable[[], object], times: int) -> float:
    """Mean of ``times`` calls after one that warms caches."""
    act()
    started = time.perf_counter()
    for _ in range(times):
        act()
    return (time.perf_counter() - started) / times * 1e3


def resident_megabytes() -> int:
    """Linux only. Not ru_maxrss: a child starts with its parent's peak."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() // 2**20


def serve(home: Path) -> None:
    """In a process of its own, as in service: nothing of the training is in memory."""
    before = resident_megabytes()
    engine = load_model(home)
    took = milliseconds(lambda: load_model(home), 3)
    lexicon = CrisisLexicon.from_document(read_yaml(ROOT / "config" / "seed" / "crisis_lexicon.yml"))
    print(f"load {took:.0f} ms; memory {before} MB before, {resident_megabytes()} MB with model and lexicon")
    print(f"classify 30 characters {milliseconds(lambda: engine.classify(QUESTION), 2_000):.3f} ms")
    print(f"classify 100,000 characters {milliseconds(lambda: engine.classify(QUESTION * 3_500), 5):.1f} ms")
    print(f"scan 30 characters {milliseconds(lambda: lexicon.scan(QUESTION), 2_000):.3f} ms")
    print(f"scan 100,000 characters {milliseconds(lambda: lexicon.scan(QUESTION * 3_500), 5):.1f} ms")


def main() -> None:
    if len(sys.argv) == 2:
        serve(Path(sys.argv[1]))
        return
    data = read_training_files([ROOT / "config" / "seed" / "nlu.yml"])
    with tempfile.TemporaryDirectory() as directory:
        started = time.perf_counter()
        train_or_load(data, Path(directory), "intents")
        print(f"train {time.perf_counter() - started:.1f} s ({sum(map(len, data.examples.values()))} examples)")
        (home,) = Path(directory).iterdir()
        subprocess.run([sys.executable, __file__, str(home)], check=True)


if __name__ == "__main__":
    main()
