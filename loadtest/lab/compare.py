"""Two sets of runs side by side, with a noise floor from the repetitions.

A difference counts only when it is larger than what repetitions of the same thing differ by, and
than a least share that is worth talking about.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Least relative change that is worth a word.
LEAST_CHANGE = 0.05
#: Floor when there are no repetitions to learn the noise from: be slow to accuse.
UNKNOWN_NOISE = 0.25
#: Figure → (path in summary.json, whether more is better).
FIGURES: dict[str, tuple[tuple[str, ...], bool]] = {
    "deliveries/s": (("throughput", "deliveries_per_s"), True),
    "posts/s": (("throughput", "posts_per_s"), True),
    "deliver p50, ms": (("rows_ms", "deliver", "p50"), False),
    "deliver p99, ms": (("rows_ms", "deliver", "p99"), False),
    "ack p50, ms": (("rows_ms", "ack", "p50"), False),
    "ack p99, ms": (("rows_ms", "ack", "p99"), False),
    "chat CPU, µs a delivery": (("cost", "chat_cpu_us_per_delivery"), False),
    "Redis CPU, µs a post": (("cost", "redis_cpu_us_per_post"), False),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure: medians of both sides, relative change, noise floor, and what it amounts to."""

    figure: str
    before: float
    after: float
    change: float
    noise: float
    verdict: str


def summary_of(folder: Path) -> dict[str, Any]:
    """A run's summary; ValueError says what is missing."""
    path = folder / "summary.json"
    if not path.is_file():
        raise ValueError(f"{folder}: no summary.json, so no run")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def figure_of(summary: dict[str, Any], path: Sequence[str]) -> float | None:
    """A figure by its path; None when this run has none."""
    value: Any = summary
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return float(value) if isinstance(value, (int, float)) else None


def _noise(groups: Sequence[Sequence[float]]) -> float:
    """Largest relative spread within any group; a guess when nothing was repeated."""
    spreads = [
        (max(group) - min(group)) / statistics.median(group)
        for group in groups
        if len(group) > 1 and statistics.median(group) > 0
    ]
    return max(spreads) if spreads else UNKNOWN_NOISE


def compare(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> list[Difference]:
    """Every figure that both sides have. Runs that are not clean do not take part; ValueError
    when a side has none left."""
    sides = [[run for run in side if run.get("outcome") == "clean"] for side in (before, after)]
    for name, side in zip(("before", "after"), sides, strict=True):
        if not side:
            raise ValueError(f"{name}: no clean run to compare")
    out = []
    for figure, (path, more_is_better) in FIGURES.items():
        old, new = (
            [value for run in side if (value := figure_of(run, path)) is not None] for side in sides
        )
        if not old or not new or statistics.median(old) <= 0:
            continue
        was, now = statistics.median(old), statistics.median(new)
        change = now / was - 1
        noise = max(LEAST_CHANGE, _noise([old, new]))
        worse = -change if more_is_better else change
        verdict = "regression" if worse > noise else "better" if -worse > noise else "same"
        out.append(Difference(figure, was, now, change, noise, verdict))
    return out


def table(differences: Sequence[Difference]) -> str:
    """The comparison as text."""
    lines = [f"{'figure':26} {'before':>10} {'after':>10} {'change':>8} {'noise':>7}  verdict"]
    lines += [
        f"{d.figure:26} {d.before:10.3f} {d.after:10.3f} {d.change:+8.1%} ±{d.noise:6.1%}  "
        f"{d.verdict}"
        for d in differences
    ]
    return "\n".join(lines)
