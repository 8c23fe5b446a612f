"""A run's record: shares of the rate, evidence, and what it comes to."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chatload.options import Options
from chatload.run import EXIT_BROKEN, EXIT_CLEAN, EXIT_GAPS, EXIT_INVALID, Run
from chatload.timing import Slot
from chatload.verdict import Counts, Verdict

EASY: dict[str, Any] = {
    "max_lag_share": 1e6, "min_samples": 1, "min_measured_seconds": 0.0, "max_loop_lag_ms": 1e5,
    "max_schedule_lag_ms": 1e5,
}  # fmt: skip


def evidence(**more: Any) -> dict[str, Any]:
    """A worker's evidence, nothing wrong in it."""
    zeros = (
        "cpu_highest cpu_seconds loop_lag_p99 loop_lag_all_p99 longest_stall schedule_lag_p99 "
        "schedule_lag_all_p99 clock_error homeless dropped unsent unanswered abandoned"
    )
    own = {"own_lag_p99": None, "own_lag_all_p99": None, "own_lag_samples": 500}
    return {
        **dict.fromkeys(zeros.split(), 0), "loop_lag_samples": 500, "probe": False, **own, **more,
    }  # fmt: skip


def a_run(**options: Any) -> Run:
    """A run that just began, of two workers."""
    return Run("run", Options(**{**EASY, **options}), "http://chat", 2)


def report(run: Run, index: int, *, posters: int, users: int = 10, **more: Any) -> None:
    """A worker's second."""
    counts = dict.fromkeys(Counts.__dataclass_fields__, 0)
    run.reports[index] = {
        "posters": posters,
        "users": users,
        "pods": {},
        "counts": counts,
        "cpu": 1.0,
        "evidence": evidence(**more),
    }
    run.heard[index] = time.monotonic()


def finished(verdict: Verdict, **more: Any) -> Run:
    """A run that was measured for ten seconds and has come to an end."""
    run = a_run()
    run.started -= 12
    run.measured_from = run.started + 2
    run.ended = run.started + 12
    slot = Slot()
    slot.row("deliver").record(5_000, 2_000)
    run.series.merge(5, slot)
    for second in range(12):
        due = Slot()
        due.counters["arrivals"] = 20
        run.series.merge(second, due)
    for index in (0, 1):
        report(run, index, posters=1)
        run.settled[index] = {"evidence": evidence(**more)}
    verdict.sent = verdict.delivered = 10
    run.verdict = verdict
    run.state = "finished"
    run.gates = run.judge()
    return run


def test_posts_are_due_where_there_are_posters() -> None:
    """Half of the rate got lost on a worker that had no poster."""
    run = a_run(rate=40.0)
    report(run, 0, posters=3)
    report(run, 1, posters=0)
    assert run.shares() == {0: 40.0, 1: 0.0}
    report(run, 1, posters=1)
    assert run.shares() == {0: 30.0, 1: 10.0}
    run.heard[0] -= 60  # it is gone: the other one takes all
    assert run.shares() == {1: 40.0}


def test_while_people_arrive_posts_come_as_they_do() -> None:
    """The first few would have posted for all: what waited for the limit of posts a session still
    waited when the figures began, and a search took that for the chat's limit."""
    run = a_run(rate=40.0)
    run.measured_from = None
    report(run, 0, posters=3)
    report(run, 1, posters=2, users=0, probe=True)
    assert run.users() == 10
    assert run.shares(100) == {0: 4.0, 1: 10.0}, "a tenth is there; the probes are all there"
    assert run.shares(10) == run.shares(5) == run.shares() == {0: 40.0, 1: 10.0}
    run.measured_from = time.time()
    assert run.shares(100) == {0: 40.0, 1: 10.0}, "later, who is there posts for those who are not"


def test_probes_keep_their_own_rate_and_are_no_users() -> None:
    run = a_run(rate=40.0, probe_rate=10.0)
    report(run, 0, posters=4)
    report(run, 1, posters=6, users=0, probe=True)
    assert run.shares() == {0: 40.0, 1: 10.0} and run.users() == 10


def test_users_asked_for_anew_may_take_a_while_but_not_for_ever() -> None:
    run = a_run()
    run.measured_from = time.time() - 90
    report(run, 0, posters=1)
    report(run, 1, posters=1)
    for target in [20] * 10 + [25] * 20:
        run.watch(target, settled=True)
    run.judge()
    assert run.evidence.seconds_off == 0
    for _ in range(20):
        run.watch(25, settled=True)
    run.judge()
    assert run.evidence.seconds_off == pytest.approx(0.5)


def test_the_rate_is_compared_by_whole_seconds_after_the_ramp_up() -> None:
    run = a_run(rate=40.0, probe_rate=10.0)
    run.probed = True
    run.started -= 20
    run.measured_from = run.started + 3.4
    run.ended = run.started + 12.7
    run._rates = [(0.0, 40.0), (8.1, 90.0)]
    for second in range(14):
        slot = Slot()
        slot.counters["arrivals"] = 50 if second < 8 else 100
        run.series.merge(second, slot)
    gates = {gate.name: gate for gate in run.judge()}
    # Seconds 4 to 11: four at 40, four at 90, and ten more for the probes.
    assert run.evidence.posts_expected == 4 * 50 + 4 * 100 == run.evidence.posts_due
    assert gates["rate kept"].passed
    run._rates = [(0.0, 90.0)]
    assert not {gate.name: gate for gate in run.judge()}["rate kept"].passed


def test_users_that_are_too_few_for_a_while_are_seen() -> None:
    run = a_run()
    run.measured_from = time.time() - 30
    report(run, 0, posters=1)
    report(run, 1, posters=1)
    for second in range(20):
        if second == 10:
            run.heard[1] -= 60
        run.watch(20, settled=True)
    run.judge()
    assert run.evidence.seconds_off == 0.5 and run.evidence.silence > 60


@pytest.mark.parametrize(
    ("verdict", "more", "code"),
    [
        (Verdict(), {}, EXIT_CLEAN),
        (Verdict(lost=1), {}, EXIT_BROKEN),
        (Verdict(vanished=1), {"unanswered": 1}, EXIT_BROKEN),
        (Verdict(gaps=2, skipped=7), {}, EXIT_GAPS),
        (Verdict(gaps=2, skipped=7), {"unsent": 1}, EXIT_INVALID),
        (Verdict(unread=1), {}, EXIT_INVALID),
        (Verdict(unproven=1), {}, EXIT_INVALID),
        (Verdict(), {"homeless": 1}, EXIT_INVALID),
    ],
)
def test_what_it_comes_to(verdict: Verdict, more: dict[str, Any], code: int) -> None:
    run = finished(verdict, **more)
    assert run.exit_code == code, [gate for gate in run.gates if not gate.passed]
    assert ("2 cursors" in run.gap_sentence()) == (verdict.gaps == 2)


def test_a_run_that_was_cut_short_or_measured_nothing_is_invalid() -> None:
    cut = finished(Verdict())
    cut.planned = 60.0
    cut.gates = cut.judge()
    assert cut.exit_code == EXIT_INVALID
    blink = finished(Verdict())
    blink.options = Options(**{**EASY, "min_measured_seconds": 5.0})
    blink.measured_from = blink.ended  # all of it was ramp-up
    blink.gates = blink.judge()
    assert {gate.name for gate in blink.gates if not gate.passed} == {"measured seconds"}


def test_where_probes_measure_the_crowds_lag_does_not_stand_beside_their_figures() -> None:
    run = finished(Verdict())
    run.options = Options(**{**EASY, "max_lag_share": 0.1, "max_loop_lag_ms": 20.0})
    run.settled = {
        0: {"evidence": evidence(loop_lag_p99=15.0)},
        1: {"evidence": evidence(loop_lag_p99=0.3, probe=True)},
    }
    names = {gate.name: gate for gate in run.judge()}
    # deliver p99 is 5 ms: 15 would be most of it, 0.3 is a small part.
    assert names["loop lag"].passed and names["loop lag"].limit == pytest.approx(0.5, abs=0.01)
    assert names["crowd's loop lag"].passed and names["crowd's loop lag"].value == 15.0
    run.settled[1]["evidence"]["loop_lag_p99"] = 0.6
    assert not {gate.name: gate for gate in run.judge()}["loop lag"].passed
    # What the kernel stamps does not wait for the probe: then only what it adds itself counts.
    run.settled[1]["evidence"].update(own_lag_p99=0.4, own_lag_all_p99=0.4)
    names = {gate.name: gate for gate in run.judge()}
    assert names["loop lag"].passed and names["loop lag"].limit == 20.0
    assert names["own lag"].passed and names["own lag"].limit == pytest.approx(0.5, abs=0.01)
    run.settled[1]["evidence"]["own_lag_p99"] = 0.6
    assert not {gate.name: gate for gate in run.judge()}["own lag"].passed
