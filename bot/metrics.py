"""Counters of this process in Prometheus's text format."""

from __future__ import annotations

from collections import Counter

LABELS = {
    "messages": ("channel", "result"),
    "deliveries": ("channel", "result"),
    "requests": ("status",),
}
HELP = {
    "messages": "Messages received, by channel and what became of them.",
    "deliveries": "Messages sent outside a callback, by channel and result.",
    "requests": "HTTP responses by status class.",
}


class Metrics:
    def __init__(self) -> None:
        self._counts: Counter[tuple[str, ...]] = Counter()

    def count(self, name: str, *labels: str) -> None:
        self._counts[name, *labels] += 1

    def text(self) -> str:
        lines = []
        for name, labels in LABELS.items():
            lines += [f"# HELP qingsheng_{name}_total {HELP[name]}", f"# TYPE qingsheng_{name}_total counter"]
            for (counted, *values), number in sorted(self._counts.items()):
                if counted == name:
                    pairs = ",".join(f'{label}="{value}"' for label, value in zip(labels, values, strict=True))
                    lines.append(f"qingsheng_{name}_total{{{pairs}}} {number}")
        return "\n".join(lines) + "\n"
