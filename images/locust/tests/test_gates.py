"""Each validity gate is tripped by what it watches, and by nothing else."""

import json
from dataclasses import replace
from typing import Any

import pytest

from chatload.clock import Offset
from chatload.gates import Evidence, Limits, complaints, judge, valid
from chatload.vitals import Vitals

GOOD = Evidence(
    worker_cpu_percent=40,
    loop_lag_p99_ms=3,
    loop_lag_all_p99_ms=4,
    loop_lag_samples=500,
    schedule_lag_p99_ms=2,
    schedule_lag_all_p99_ms=3,
    crowd_loop_lag_p99_ms=12,
    crowd_schedule_lag_p99_ms=12,
    longest_stall_ms=80,
    deliver_p99_ms=60,
    deliver_all_p99_ms=60,
    deliver_samples=5_000,
    clock_error_ms=0,
    workers_started=2,
    silence=1.2,
    posts_due=600,
    posts_expected=610,
    seconds=30,
    seconds_planned=29,
    seconds_measured=25,
    sent=10,
    delivered=100,
)


def test_a_good_run_is_valid() -> None:
    assert valid(judge(GOOD, Limits())) and complaints(judge(GOOD, Limits())) == []


@pytest.mark.parametrize(
    ("gate", "change"),
    [
        ("worker CPU", {"worker_cpu_percent": 85.1}),
        # Relative: 10 % of a p99 of 60 ms, though less than 20.
        ("loop lag", {"loop_lag_p99_ms": 6.1}),
        ("loop lag, ramp-up included", {"loop_lag_all_p99_ms": 6.1}),
        ("schedule lag", {"schedule_lag_p99_ms": 6.1}),
        ("schedule lag, ramp-up included", {"schedule_lag_all_p99_ms": 6.1}),
        # Absolute: what a generator that is out of breath shows, though the p99 is worse.
        ("loop lag", {"loop_lag_p99_ms": 20.1, "deliver_p99_ms": 5_000}),
        ("schedule lag", {"schedule_lag_p99_ms": 51, "deliver_p99_ms": 5_000}),
        ("crowd's loop lag", {"crowd_loop_lag_p99_ms": 20.5}),
        ("crowd's schedule lag", {"crowd_schedule_lag_p99_ms": 50.5}),
        ("longest stall", {"longest_stall_ms": 1_001}),
        ("clock error", {"clock_error_ms": 5.1}),
        ("clock error", {"clock_error_ms": None}),
        ("workers lost", {"workers_lost": 1}),
        ("worker silence", {"silence": 5.1}),
        ("readers unfinished", {"readers_unfinished": 1}),
        ("posts dropped", {"posts_dropped": 1}),
        ("posts without poster", {"posts_homeless": 1}),
        ("posts unsent", {"posts_unsent": 1}),
        ("posts unanswered", {"posts_unanswered": 1}),
        ("posts refused", {"posts_refused": 1}),
        ("rate kept", {"posts_due": 300}),
        ("rate kept", {"posts_due": 900}),
        ("users kept", {"seconds_off": 0.03}),
        ("load seconds", {"seconds": 12}),
        ("measured seconds", {"seconds_measured": 0}),
        ("deliver samples", {"deliver_samples": 999}),
        ("loop lag samples", {"loop_lag_samples": 99}),
        ("messages unproven", {"unproven": 1}),
        ("topics unread", {"unread": 1}),
        ("posts sent", {"sent": 0}),
        ("deliveries", {"delivered": 0}),
    ],
)
def test_each_gate_trips(gate: str, change: dict[str, Any]) -> None:
    gates = judge(replace(GOOD, **change), Limits())
    assert [one.name for one in gates if not one.passed] == [gate]
    assert not valid(gates) and gate in complaints(gates)[0]
    # Browsers read it: JSON knows no infinity.
    json.dumps([one.packed() for one in gates], allow_nan=False)


def test_a_few_arrivals_may_come_without_a_stamp() -> None:
    """The very first comes before the kernel has begun to stamp. It put a whole run back to the
    gates of one that is not stamped."""
    vitals = Vitals(Offset())
    for _ in range(1_000):
        vitals.arrived(stamped=True)
    for holds in (True, True, False):
        vitals.arrived(stamped=False)
        assert vitals.stamps_hold is holds
    other = Vitals(Offset())
    for holds in (True, False, False):
        other.arrived(stamped=False)
        assert other.stamps_hold is holds, "where nothing is stamped that is seen at once"


#: Where the kernel stamps what comes.
STAMPED = replace(GOOD, own_lag_p99_ms=1.0, own_lag_all_p99_ms=1.0, own_lag_samples=600)


@pytest.mark.parametrize(
    ("gate", "change"),
    [
        ("own lag", {"own_lag_p99_ms": 6.1}),
        ("own lag, ramp-up included", {"own_lag_all_p99_ms": 6.1}),
        ("own lag samples", {"own_lag_samples": 99}),
        ("loop lag", {"loop_lag_p99_ms": 20.1}),
        ("loop lag, ramp-up included", {"loop_lag_all_p99_ms": 20.1}),
        ("schedule lag", {"schedule_lag_p99_ms": 51}),
        ("schedule lag, ramp-up included", {"schedule_lag_all_p99_ms": 51}),
    ],
)
def test_where_arrivals_are_stamped_only_the_lag_in_the_times_stands_beside_them(
    gate: str, change: dict[str, Any]
) -> None:
    late = replace(STAMPED, loop_lag_p99_ms=9, schedule_lag_p99_ms=9, loop_lag_all_p99_ms=9)
    assert valid(judge(late, Limits()))
    gates = judge(replace(STAMPED, **change), Limits())
    assert [one.name for one in gates if not one.passed] == [gate]


def test_no_evidence_is_no_proof() -> None:
    """A run that measured nothing fails by more than one gate, whatever its ledger says."""
    names = {one.name for one in judge(Evidence(), Limits()) if not one.passed}
    assert names >= {"measured seconds", "deliver samples", "loop lag samples", "posts sent"}
