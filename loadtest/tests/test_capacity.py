"""The capacity finder, against fake servers of known capacity."""

import random

import pytest

from chatload.schedule import Arrivals
from chatload.timing import Histogram
from lab.capacity import MOST_STEPS, Capacity, Step, find


def response_times(rate: float, capacity: float, seed: str, seconds: float = 20.0) -> Histogram:
    """Post to answer, µs, of a single queue that serves ``capacity`` posts a second, in virtual
    time: Poisson arrivals at ``rate``, service times that vary by a tenth."""
    arrivals = Arrivals(seed, 0.0)
    arrivals.set_rate(rate, 0.0)
    rng = random.Random(seed)
    times, free = Histogram(), 0.0
    for instant in arrivals.due(seconds):
        free = max(free, instant) + max(0.0, rng.gauss(1, 0.1)) / capacity
        times.record((free - instant) * 1e6)
    return times


@pytest.mark.parametrize("seed", range(12))
def test_the_knee_is_within_ten_percent_in_at_most_twelve_steps(seed: int) -> None:
    rng = random.Random(seed)
    # Fast enough that queueing alone (a few service times) does not break 250 ms below it.
    capacity = 10 ** rng.uniform(2.4, 3.3)

    def evaluate(rate: float) -> Step:
        p99 = response_times(rate, capacity, f"{seed}/{rate}").percentile(99)
        return Step(rate, p99 <= 250_000)

    found = find(evaluate, start=rng.choice([20.0, 40.0]))
    assert len(found.steps) <= MOST_STEPS
    assert found.above is not None
    assert abs(found.knee / capacity - 1) <= 0.10, (found.knee, capacity)


def test_a_start_beyond_the_capacity_is_searched_downwards() -> None:
    found = find(lambda rate: Step(rate, rate <= 7), start=50)
    assert found.knee <= 7 < (found.above or 0) and found.knee > 6.3
    assert len(found.steps) <= MOST_STEPS


def test_what_the_generator_cannot_do_is_not_blamed_on_the_server() -> None:
    found = find(lambda rate: Step(rate, rate < 90, "worker CPU", invalid=rate >= 90), start=20)
    assert found.limited_by_generator and found.knee < 90


def test_a_server_without_limit_is_said_to_have_none() -> None:
    found = find(lambda rate: Step(rate, True), start=1)
    assert isinstance(found, Capacity)
    assert found.above is None and len(found.steps) == MOST_STEPS
