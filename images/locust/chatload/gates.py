"""Validity gates: when a run measured the load generator, or too little, and not the server.

A run past any limit is INVALID: its figures are kept, but said to be worthless in the web UI, the
summary and the exit code. A gate that lacks the evidence it needs does not hold. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

#: Seconds that a worker may be silent while the load runs.
MAX_SILENCE = 5.0
#: Share of the measured seconds in which the number of users may be another than asked for.
MAX_SECONDS_OFF = 0.02
#: How far the number of posts may be from the rate asked for: a share of it, and so many standard
#: deviations of Poisson arrivals.
RATE_SHARE, RATE_SIGMAS = 0.02, 4.0
#: Least readings of the loop's lateness: a 99th percentile of fewer says nothing.
LAG_SAMPLES = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may not exceed.

    cpu_percent: mean CPU of one worker over any 5 s, of one core. loop_lag_ms, schedule_lag_ms: the
    99th percentile of how late a worker's timers fired and its posts left; lag_share: what of these
    is in the times, as a share of the ``deliver`` p99 that it stands beside. clock_error_ms:
    greatest possible error between two workers' clocks, also bound by the share. stall_ms: longest
    standstill of any worker. samples: least number of deliveries behind the percentiles.
    measured_seconds: least length of the measured stretch.
    """

    cpu_percent: float = 85.0
    loop_lag_ms: float = 20.0
    schedule_lag_ms: float = 50.0
    clock_error_ms: float = 5.0
    lag_share: float = 0.1
    stall_ms: float = 1_000.0
    samples: int = 1_000
    measured_seconds: float = 5.0


@dataclass(slots=True)
class Evidence:
    """What the gates look at; the master collects it. *Measuring* workers are the probe where there
    is one, else all; the others are the crowd."""

    #: Highest 5 s mean of CPU percent of any worker.
    worker_cpu_percent: float = 0.0
    #: Of the measuring workers, ms: since the ramp-up, and over the whole run.
    loop_lag_p99_ms: float = 0.0
    loop_lag_all_p99_ms: float = 0.0
    loop_lag_samples: int = 0
    schedule_lag_p99_ms: float = 0.0
    schedule_lag_all_p99_ms: float = 0.0
    #: Of the measuring workers, where the kernel stamps what comes: what they themselves add to the
    #: times, ms, since the ramp-up and over the whole run. None: any lateness may be in the times.
    own_lag_p99_ms: float | None = None
    own_lag_all_p99_ms: float | None = None
    own_lag_samples: int = 0
    #: Of the crowd, where others measure; None where all measure.
    crowd_loop_lag_p99_ms: float | None = None
    crowd_schedule_lag_p99_ms: float | None = None
    #: Longest standstill of any worker, ms.
    longest_stall_ms: float = 0.0
    #: 99th percentile of ``deliver``, ms: since the ramp-up, and over the whole run.
    deliver_p99_ms: float = 0.0
    deliver_all_p99_ms: float = 0.0
    deliver_samples: int = 0
    #: Sum of the two greatest clock errors, ms; None when a worker never measured its own.
    clock_error_ms: float | None = 0.0
    workers_started: int = 0
    #: Workers that were there at the start and gave no account at the end.
    workers_lost: int = 0
    #: Longest time, s, without a report of some worker.
    silence: float = 0.0
    #: Readers that were not connected and heard out when the drain ran out of time.
    readers_unfinished: int = 0
    #: Posts that were due and did not become messages, by where they ended.
    posts_dropped: int = 0
    posts_homeless: int = 0
    posts_unsent: int = 0
    posts_unanswered: int = 0
    posts_refused: int = 0
    #: Posts due in the measured stretch, and what the rate makes expect (0: closed model).
    posts_due: int = 0
    posts_expected: float = 0.0
    #: Share of the measured seconds in which the number of users was another than asked for.
    seconds_off: float = 0.0
    #: Seconds of load, and how many were planned (0: until stopped).
    seconds: float = 0.0
    seconds_planned: float = 0.0
    seconds_measured: float = 0.0
    #: Acknowledged messages older than the history, and topics whose history could not be read.
    unproven: int = 0
    unread: int = 0
    #: Rooms, conversations and their readers that could not be looked at.
    unchecked: int = 0
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
    gates = [*_generator(seen, limits), *_load(seen), *_proof(seen, limits)]
    return [one for one in gates if one is not None]


def at_most(name: str, value: float | None, limit: float, unit: str, meaning: str) -> Gate:
    """A gate that holds while ``value`` is known and at most ``limit``. JSON has no infinity, so an
    unknown value is shown as -1."""
    # Without evidence a gate does not hold.
    if value is None:
        return Gate(name, -1.0, round(limit, 3), unit, False, f"unknown; {meaning}")
    return Gate(name, round(value, 3), round(limit, 3), unit, value <= limit, meaning)


def at_least(name: str, value: float, limit: float, unit: str, meaning: str) -> Gate:
    """A gate that holds while ``value`` is at least ``limit``."""
    return Gate(name, round(value, 3), round(limit, 3), unit, value >= limit, meaning)


def _generator(seen: Evidence, limits: Limits) -> list[Gate | None]:
    """Was it the generator that was measured?"""
    # A lag that is a large part of a latency is that latency.
    beside = limits.lag_share * seen.deliver_p99_ms
    beside_all = limits.lag_share * seen.deliver_all_p99_ms
    share = f"at most {100 * limits.lag_share:g} % of the deliver p99 beside it"
    own = seen.own_lag_p99_ms
    # Known by itself, it is what stands beside the times; else all lateness may be in them.
    late, late_all = (beside, beside_all) if own is None else (math.inf, math.inf)
    late_share = f"; {share}" if own is None else ""
    crowd_loop, crowd_schedule = seen.crowd_loop_lag_p99_ms, seen.crowd_schedule_lag_p99_ms
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
            min(limits.loop_lag_ms, late),
            "ms",
            f"how late the measuring workers' timers fired, p99{late_share}",
        ),
        at_most(
            "loop lag, ramp-up included",
            seen.loop_lag_all_p99_ms,
            min(limits.loop_lag_ms, late_all),
            "ms",
            "the same over the whole run",
        ),
        at_most(
            "schedule lag",
            seen.schedule_lag_p99_ms,
            min(limits.schedule_lag_ms, late),
            "ms",
            f"how long after its intended instant a post was handed to its poster, p99{late_share}",
        ),
        at_most(
            "schedule lag, ramp-up included",
            seen.schedule_lag_all_p99_ms,
            min(limits.schedule_lag_ms, late_all),
            "ms",
            "the same over the whole run",
        ),
        *_own_lag(seen, beside, beside_all, share, limits.samples),
        None
        if crowd_loop is None
        else at_most(
            "crowd's loop lag",
            crowd_loop,
            limits.loop_lag_ms,
            "ms",
            "how late the crowd's timers fired, p99; above it the generator is out of breath",
        ),
        None
        if crowd_schedule is None
        else at_most(
            "crowd's schedule lag",
            crowd_schedule,
            limits.schedule_lag_ms,
            "ms",
            "how late the crowd's posts left, p99: the load was not the one asked for",
        ),
        at_most(
            "longest stall",
            seen.longest_stall_ms,
            limits.stall_ms,
            "ms",
            "the longest standstill of any worker, ramp-up included",
        ),
        at_most(
            "clock error",
            seen.clock_error_ms,
            min(limits.clock_error_ms, beside),
            "ms",
            "greatest possible error of a time measured from one worker to another",
        ),
        at_most("workers lost", seen.workers_lost, 0, "", "workers without an account at the end"),
        at_most(
            "worker silence",
            seen.silence,
            MAX_SILENCE,
            "s",
            "the longest that some worker did not report while the load ran",
        ),
    ]


def _own_lag(
    seen: Evidence, beside: float, beside_all: float, share: str, samples: int
) -> list[Gate]:
    """What the measuring workers add to the times, where that is known; beside, beside_all: its
    limits, ms; samples: least number of deliveries."""
    # Then the gates of lateness have these limits.
    if seen.own_lag_p99_ms is None:
        return []
    return [
        at_most(
            "own lag",
            seen.own_lag_p99_ms,
            beside,
            "ms",
            f"from when a post could leave until the kernel had it, p99, all that the measuring "
            f"workers add to a time; {share}",
        ),
        at_most(
            "own lag, ramp-up included",
            seen.own_lag_all_p99_ms,
            beside_all,
            "ms",
            "the same over the whole run",
        ),
        at_least(
            "own lag samples",
            seen.own_lag_samples,
            min(LAG_SAMPLES, samples),
            "",
            "posts of the measuring workers",
        ),
    ]


def _load(seen: Evidence) -> list[Gate | None]:
    """Was the load the one that was asked for?"""
    allowed = RATE_SHARE * seen.posts_expected + RATE_SIGMAS * math.sqrt(seen.posts_expected)
    return [
        at_most("posts dropped", seen.posts_dropped, 0, "", "due, and no outbox had room"),
        at_most("posts without poster", seen.posts_homeless, 0, "", "due, and nobody was there"),
        at_most("posts unsent", seen.posts_unsent, 0, "", "due, and never put on the wire"),
        at_most(
            "posts unanswered",
            seen.posts_unanswered,
            0,
            "",
            "sent, and neither acknowledged nor refused within the drain",
        ),
        at_most("posts refused", seen.posts_refused, 0, "", "answered with a final error"),
        at_most(
            "rate kept",
            abs(seen.posts_due - seen.posts_expected),
            allowed,
            "posts",
            "how many more or fewer posts were due than the rate asked for",
        )
        if seen.posts_expected
        else None,
        at_most(
            "users kept",
            100 * seen.seconds_off,
            100 * MAX_SECONDS_OFF,
            "%",
            "of the measured seconds had another number of users than asked for",
        ),
        at_least("load seconds", seen.seconds, seen.seconds_planned, "s", "the run was cut short"),
    ]


def _proof(seen: Evidence, limits: Limits) -> list[Gate | None]:
    """Is there enough to go by?"""
    return [
        at_least(
            "measured seconds",
            seen.seconds_measured,
            limits.measured_seconds,
            "s",
            "what remained after the ramp-up",
        ),
        at_least(
            "deliver samples",
            seen.deliver_samples,
            limits.samples,
            "",
            "deliveries behind the percentiles: fewer tell nothing",
        ),
        at_least(
            "loop lag samples",
            seen.loop_lag_samples,
            min(LAG_SAMPLES, limits.samples),
            "",
            "readings of the workers' lateness",
        ),
        at_most(
            "readers unfinished",
            seen.readers_unfinished,
            0,
            "",
            "readers not connected and heard out when the drain ended: nothing is proved for them",
        ),
        at_most(
            "messages unproven",
            seen.unproven,
            0,
            "",
            "acknowledged, and older than the history that the server keeps",
        ),
        at_most("topics unread", seen.unread, 0, "", "whose history could not be read back"),
        at_most(
            "people unchecked",
            seen.unchecked,
            0,
            "",
            "rooms and conversations that were not made or read back, readers with a gap",
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
