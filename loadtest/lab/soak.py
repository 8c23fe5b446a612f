"""What a long run left behind: an early stretch of it beside the last one."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.results import Run, read_csv

#: The stretches that are compared, as shares of the time between the first sample and the last: an
#: early one, when caches and pools are full, and the end.
EARLY, LATE = (0.1, 0.2), (0.9, 1.0)
#: Names of samples, by whose they are.
CHAT, REDIS, GENERATOR = r"pod-\d+", r"redis-\d+", r"loadtest"

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Growth:
    """A figure early and late. what, unit: in words."""

    what: str
    unit: str
    early: float
    late: float


def sampled(run: Run, whose: str, column: str) -> dict[str, list[tuple[float, float]]]:
    """(second, value) of a column of ``samples.csv``, by the name of what was sampled. whose: a
    pattern of the names."""
    out: dict[str, list[tuple[float, float]]] = {}
    for row in read_csv(run.path / "samples.csv"):
        if re.fullmatch(whose, row["what"]) and row.get(column):
            out.setdefault(row["what"], []).append((float(row["second"]), float(row[column])))
    return out


def by_minute(points: Points) -> list[tuple[float, float]]:
    """The median of each minute, at its middle."""
    minutes: dict[int, list[float]] = {}
    for second, value in points:
        minutes.setdefault(int(second // 60), []).append(value)
    return [(60.0 * at + 30, statistics.median(found)) for at, found in sorted(minutes.items())]


def _beside(
    what: str, unit: str, points: Points, middle: Callable[[Sequence[float]], float]
) -> list[Growth]:
    """The figure of the two stretches; nothing where one of them has no points."""
    if not points:
        return []
    first, last = min(at for at, _ in points), max(at for at, _ in points)
    found = []
    for begin, end in (EARLY, LATE):
        low, high = (first + share * (last - first) for share in (begin, end))
        found.append([value for at, value in points if low <= at <= high])
    if not all(found):
        return []
    return [Growth(what, unit, middle(found[0]), middle(found[1]))]


def growth(run: Run) -> list[Growth]:
    """What may grow in a long run: memory and goroutines of the chat's pods (the mean of one),
    memory of a Redis, and the latencies (the median of the seconds' percentiles)."""
    out: list[Growth] = []
    for whose, column, what, unit in (
        (CHAT, "memory_mb", "memory of a chat pod", "MB"),
        (CHAT, "goroutines", "goroutines of a chat pod", ""),
        (CHAT, "connections", "sockets of a chat pod", ""),
        (REDIS, "memory_mb", "memory of a Redis", "MB"),
        (GENERATOR, "memory_mb", "memory of the load", "MB"),
    ):
        points = [point for one in sampled(run, whose, column).values() for point in one]
        out += _beside(what, unit, points, statistics.fmean)
    for column, what in (
        ("deliver_p50_ms", "delivery p50"), ("deliver_p99_ms", "delivery p99"),
        ("ack_p99_ms", "acknowledgement p99"),
    ):  # fmt: skip
        points = [(row["second"], row[column]) for row in run.series if column in row]
        out += _beside(what, "ms", points, statistics.median)
    return out
