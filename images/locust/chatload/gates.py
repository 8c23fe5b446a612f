"""Validity gates: when a run measured the load generator, and not the server.

A run past any limit is INVALID: its figures are kept, but said to be worthless in the web UI, the
summary and the exit code. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may not exceed.

    cpu_percent: mean CPU of one worker over any 5 s, of one core. loop_lag_ms: how late the 99th
    percentile of a worker's timers fired. schedule_lag_ms: how late the 99th percentile of posts
    left. clock_error_ms: greatest possible error between two workers' clocks.
    """

    cpu_percent: float = 85.0
    loop_lag_ms: float = 20.0
    schedule_lag_ms: float = 50.0
    clock_error_ms: float = 5.0


@dataclass(slots=True)
class Evidence:
    """What the gates look at; the master collects it."""

    #: Highest 5 s mean of CPU percent of any worker.
    worker_cpu_percent: float = 0.0
    loop_lag_p99_ms: float = 0.0
    schedule_lag_p99_ms: float = 0.0
    #: Sum of the two greatest clock errors, ms; None when a worker never measured its own.
    clock_error_ms: float | None = 0.0
    workers_started: int = 0
    #: Workers that were there at the start and gave no account at the end.
    workers_lost: int = 0
    #: Readers that were not connected and caught up when the drain ran out of time.
    readers_unfinished: int = 0
    #: Posts that were due and never left, because no poster could take them.
    posts_dropped: int = 0
    sent: int = 0
    delivered: int = 0


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate: name, what was seen, the limit, whether it held, and the sentence to show."""

    name: str
    value: float
    limit: float
    unit: str
    passed: bool
    meaning: str

    def packed(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def judge(seen: Evidence, limits: Limits) -> list[Gate]:
    """Every gate with its outcome, in the order in which they are shown."""
    unknown = float("inf")
    clock = unknown if seen.clock_error_ms is None else seen.clock_error_ms

    def at_most(name: str, value: float, limit: float, unit: str, meaning: str) -> Gate:
        """A gate that holds while ``value`` is at most ``limit``."""
        return Gate(name, round(value, 3), limit, unit, value <= limit, meaning)

    def at_least(name: str, value: float, limit: float, unit: str, meaning: str) -> Gate:
        """A gate that holds while ``value`` is at least ``limit``."""
        return Gate(name, value, limit, unit, value >= limit, meaning)

    return [
        at_most(
            "worker CPU",
            seen.worker_cpu_percent,
            limits.cpu_percent,
            "%",
            "the busiest worker, mean over 5 s; above it, the worker's own queue is measured",
        ),
        at_most(
            "loop lag",
            seen.loop_lag_p99_ms,
            limits.loop_lag_ms,
            "ms",
            "how late the workers' timers fired, 99th percentile",
        ),
        at_most(
            "schedule lag",
            seen.schedule_lag_p99_ms,
            limits.schedule_lag_ms,
            "ms",
            "how long after its intended instant a post was handed to its poster, p99",
        ),
        at_most(
            "clock error",
            clock,
            limits.clock_error_ms,
            "ms",
            "greatest possible error of a time measured from one worker to another",
        ),
        at_most(
            "workers lost", seen.workers_lost, 0, "", "workers that gave no account at the end"
        ),
        at_most(
            "readers unfinished",
            seen.readers_unfinished,
            0,
            "",
            "readers not connected and heard out when the drain ended: nothing is proved for them",
        ),
        at_most(
            "posts dropped",
            seen.posts_dropped,
            0,
            "",
            "posts that were due and no poster could take: the load was not the one asked for",
        ),
        at_least("posts sent", seen.sent, 1, "", "a run without posts proves nothing"),
        at_least("deliveries", seen.delivered, 1, "", "a run without deliveries proves nothing"),
    ]


def valid(gates: Iterable[Gate]) -> bool:
    """Whether all gates held."""
    return all(gate.passed for gate in gates)


def complaints(gates: Sequence[Gate]) -> list[str]:
    """One sentence for each gate that did not hold."""
    return [
        f"{gate.name} {gate.value:g}{gate.unit} (limit {gate.limit:g}{gate.unit}): {gate.meaning}"
        for gate in gates
        if not gate.passed
    ]
