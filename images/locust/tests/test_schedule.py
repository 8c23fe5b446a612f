"""Poisson arrivals from a seed."""

import math
import random

import pytest

from chatload.schedule import Arrivals, Stage, parse_stages, stage_at


def instants(seed: str, rate: float, seconds: float) -> list[float]:
    arrivals = Arrivals(seed, 0.0)
    arrivals.set_rate(rate, 0.0)
    return arrivals.due(seconds)


def test_the_same_seed_gives_the_same_instants_however_they_are_fetched() -> None:
    whole = instants("s", 50, 20)
    arrivals = Arrivals("s", 0.0)
    arrivals.set_rate(50, 0.0)
    pieces: list[float] = []
    now = 0.0
    while now < 20:
        now = min(20.0, now + random.Random(len(pieces)).random())
        pieces += arrivals.due(now)
    assert pieces == whole and whole == sorted(whole)
    assert instants("t", 50, 20) != whole


def test_the_gaps_are_poisson() -> None:
    """Kolmogorov–Smirnov against the exponential distribution, at the 0.1 % level."""
    found = instants("ks", 100, 100)
    gaps = sorted(b - a for a, b in zip([0.0, *found], found, strict=False))
    n = len(gaps)
    distance = max(
        max(abs((k + 1) / n - c), abs(k / n - c))
        for k, gap in enumerate(gaps)
        for c in [1 - math.exp(-100 * gap)]
    )
    assert 9_500 < n < 10_500
    assert distance < 1.95 / math.sqrt(n)


def test_a_rate_change_takes_effect_at_once_and_zero_stops() -> None:
    arrivals = Arrivals("s", 0.0)
    arrivals.set_rate(1000, 0.0)
    assert 800 < len(arrivals.due(1.0)) < 1200
    arrivals.set_rate(0, 1.0)
    assert arrivals.next == math.inf and arrivals.due(100.0) == []
    arrivals.set_rate(10, 100.0)
    assert arrivals.next > 100.0


def test_stages() -> None:
    stages = parse_stages('[{"seconds": 10, "users": 5, "rate": 3}, {"seconds": 5, "users": 9}]')
    assert stages == [Stage(10, 5, 50, 3), Stage(5, 9, 50, None)]
    assert stage_at(stages, 0) is stages[0] and stage_at(stages, 10) is stages[1]
    assert stage_at(stages, 15) is None


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "[1]", '[{"users": 1}]', '[{"seconds": 0, "users": 1}]']
)
def test_bad_stages_are_said(text: str) -> None:
    with pytest.raises(ValueError, match="stages"):
        parse_stages(text)
