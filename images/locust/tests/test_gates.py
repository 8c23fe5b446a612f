"""Each validity gate is tripped by what it watches, and by nothing else."""

from dataclasses import replace

import pytest

from chatload.gates import Evidence, Limits, complaints, judge, valid

GOOD = Evidence(
    worker_cpu_percent=40,
    loop_lag_p99_ms=3,
    schedule_lag_p99_ms=2,
    clock_error_ms=0,
    workers_started=2,
    sent=10,
    delivered=100,
)


def test_a_good_run_is_valid() -> None:
    assert valid(judge(GOOD, Limits())) and complaints(judge(GOOD, Limits())) == []


@pytest.mark.parametrize(
    ("gate", "change"),
    [
        ("worker CPU", {"worker_cpu_percent": 85.1}),
        ("loop lag", {"loop_lag_p99_ms": 20.5}),
        ("schedule lag", {"schedule_lag_p99_ms": 51}),
        ("clock error", {"clock_error_ms": 5.1}),
        ("clock error", {"clock_error_ms": None}),
        ("workers lost", {"workers_lost": 1}),
        ("readers unfinished", {"readers_unfinished": 1}),
        ("posts dropped", {"posts_dropped": 1}),
        ("posts sent", {"sent": 0}),
        ("deliveries", {"delivered": 0}),
    ],
)
def test_each_gate_trips(gate: str, change: dict[str, float | None]) -> None:
    gates = judge(replace(GOOD, **change), Limits())  # type: ignore[arg-type]
    assert [one.name for one in gates if not one.passed] == [gate]
    assert not valid(gates) and gate in complaints(gates)[0]
