"""The search for capacity: against servers whose limit is known, and cut off anywhere."""

from __future__ import annotations

import random
from typing import Any

import pytest

from lab.capacity import NARROW, Try, bracket, judge, next_rate


def search(limit: float, start: float = 20, noise: float = 0.0, seed: int = 1) -> list[Try]:
    """A search to its end against a server that holds up to ``limit``, more or less."""
    chance, tries = random.Random(seed), list[Try]()
    while (rate := next_rate(tries, start)) is not None:
        held = rate <= limit * (1 + chance.uniform(-noise, noise))
        tries.append(Try(rate, held, "" if held else "objective"))
        assert len(tries) < 40
    return tries


@pytest.mark.parametrize("limit", [3.1, 20, 21, 77, 640, 999])
def test_the_limit_lies_in_a_narrow_bracket_whose_ends_are_sure(limit: float) -> None:
    tries = search(limit)
    found = bracket(tries)
    assert found.held is not None and found.failed is not None
    assert found.held <= limit < found.failed <= found.held * NARROW * 1.0001
    for rate, held in ((found.held, True), (found.failed, False)):
        assert sum(one.rate == rate and one.held == held for one in tries) >= 2


@pytest.mark.parametrize("seed", range(20))
def test_an_unsteady_server_still_gets_a_bracket(seed: int) -> None:
    found = bracket(search(200, noise=0.3, seed=seed))
    assert found.held is not None and found.failed is not None and found.held < found.failed
    assert 100 < found.held < 300


def test_a_search_that_was_cut_off_goes_on_where_it_was() -> None:
    whole = search(130)
    for cut in range(len(whole)):
        assert next_rate(whole[:cut], 20) == whole[cut].rate


def test_one_hiccup_is_no_limit() -> None:
    tries = [Try(20, True), Try(40, False, "objective")]
    assert next_rate(tries, 20) == 40
    tries.append(Try(40, True))
    assert next_rate(tries, 20) == 40
    tries.append(Try(40, True))
    assert next_rate(tries, 20) == 80


def test_a_server_that_holds_nothing_is_not_searched_for_ever() -> None:
    assert len(search(0)) < 20 and bracket(search(0)).held is None


def test_where_the_generator_failed_no_limit_of_the_chat_is_told() -> None:
    tries = [Try(20, True), Try(20, True), *[Try(24, False, "generator")] * 2]
    text = bracket(tries).sentence(100, 250)
    assert text.startswith("At least 20 posts/s") and "not known" in text
    tries[-1] = Try(24, False, "objective")
    assert bracket(tries).who == "both" and bracket(tries).sentence(1, 1).startswith("At least")
    tries[-2] = Try(24, False, "objective")
    assert "failed twice with a healthy generator" in bracket(tries).sentence(100, 250)
    assert bracket([]).sentence(100, 250) == "No rate held twice yet."


def gate_of(name: str, value: float, *, passed: bool) -> dict[str, Any]:
    """A gate as a run's summary has it."""
    return {"name": name, "value": value, "limit": 20.0, "unit": "ms", "passed": passed}


def summary(outcome: str, p99: float, *failed: str) -> dict[str, Any]:
    """A run's summary as far as it matters here: gates that did not hold."""
    return {
        "rate": 40.0,
        "outcome": outcome,
        "rows_ms": {"deliver": {"p99": p99}},
        "gates": [gate_of(name, 30.0, passed=False) for name in failed],
        "invalid_because": list(failed),
        "failures": {},
    }


@pytest.mark.parametrize(
    ("run", "who"),
    [
        (summary("clean", 9), ""),
        (summary("GAPS", 9), ""),
        (summary("clean", 251), "objective"),
        (summary("BROKEN", 9), "objective"),
        (summary("BROKEN", 9, "worker CPU"), "generator"),
        (summary("INVALID", 9, "posts unanswered"), "objective"),
        (summary("INVALID", 9, "posts dropped", "rate kept"), "objective"),
        (summary("INVALID", 9, "posts unanswered", "crowd's loop lag"), "generator"),
        (summary("INVALID", 9, "loop lag, ramp-up included"), "generator"),
        (summary("INVALID", 900, "worker CPU"), "generator"),
    ],
)
def test_who_failed(run: dict[str, Any], who: str) -> None:
    found = judge(run, 250)
    assert found is not None and (found.held, found.who) == (not who, who)


def test_a_probes_late_timers_count_also_where_its_own_lag_is_known() -> None:
    """They are in no time then; but it may be the chat that keeps them from firing, and so keeps
    its own busy moments out of the times."""
    run = summary("INVALID", 60, "schedule lag, ramp-up included")
    run["gates"].append(gate_of("own lag", 0.6, passed=True))
    found = judge(run, 250)
    assert found is not None and found.who == "generator"
    run["gates"][0]["value"] = 24.0
    found = judge(run, 250)
    assert found is not None and found.held


def test_above_what_the_chat_keeps_nothing_is_tried() -> None:
    tries: list[Try] = []
    while (rate := next_rate(tries, 40, ceiling=150)) is not None:
        tries.append(Try(rate, True))
    assert [one.rate for one in tries] == [40, 80, 150, 150]
    assert bracket(tries).sentence(300, 250).startswith("At least 150 posts/s")
    assert next_rate([], 40, ceiling=20) == 20


def test_posts_that_pile_up_where_no_probe_looks_are_no_hold() -> None:
    """A session may post so many times a second; the crowd's posts wait, the probes' do not."""
    run = summary("clean", 9)
    run["rows_ms"]["ack_crowd"] = {"p99": 251.0}
    found = judge(run, 250)
    assert found is not None and not found.held and found.who == "objective"
    assert "ack p99 251.0 ms" in found.why
    run["failures"]["ack: error rate_limited"] = 7
    found = judge(run, 250)
    assert found is not None and found.who == "limit" and "7 times rate_limited" in found.why
    assert bracket([found, found]).who == "limit"
    run["rows_ms"]["ack_crowd"] = {"p99": 249.0}
    found = judge(run, 250)
    assert found is not None and found.held


@pytest.mark.parametrize(
    ("gate", "lag", "held"),
    [("own lag", 24.0, True), ("own lag", 26.0, False),
     ("loop lag", 24.0, True), ("schedule lag, ramp-up included", 24.0, True),
     ("loop lag", 26.0, False), ("crowd's loop lag", 24.0, True), ("crowd's loop lag", 26.0, False),
     ("crowd's schedule lag", 26.0, False), ("clock error", -1.0, False)],
)  # fmt: skip
@pytest.mark.parametrize("passed", [False, True])
def test_every_lag_of_the_generator_counts_beside_the_objective(
    gate: str, lag: float, held: bool, passed: bool
) -> None:
    """Whatever the gate of a run said: that of the crowd's schedule lag is wider, others are
    narrower."""
    run = summary("INVALID", 20)
    run["gates"] = [gate_of(gate, lag, passed=passed and lag >= 0)]
    found = judge(run, 250)
    assert found is not None and found.held == held
    assert held or found.who == "generator"
    # The bound that decided is told, not that of the run's gate.
    bound = 25 if lag >= 0 else 20
    assert found.why == ("" if held else f"{gate} {lag:g} ms (bound {bound})")


@pytest.mark.parametrize(
    "gate", ["other load", "load seconds", "deliver samples", "loop lag samples", "own lag samples"]
)
def test_a_run_that_proves_nothing_is_no_try(gate: str) -> None:
    run = summary("INVALID", 9, gate)
    run["gates"][0]["value"] = 20.0  # as a lag it would be small beside the objective
    assert judge(run, 250) is None


def test_a_generator_beside_other_load_is_not_to_blame() -> None:
    assert judge(summary("INVALID", 9, "crowd's loop lag", "other load"), 250) is None
