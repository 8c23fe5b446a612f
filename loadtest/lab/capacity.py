"""The capacity finder: the highest rate that still keeps the objective.

Doubles the rate until the objective breaks, then bisects on the logarithm until the bracket is
narrow. A rate that failed once is tried a second time before it counts, because machines hiccup.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

#: The bracket is narrow enough when its ends differ by less than this factor.
NARROW = 1.05
#: Most evaluations of a search.
MOST_STEPS = 12


@dataclass(frozen=True, slots=True)
class Step:
    """One evaluation: at ``rate`` the objective was kept (``passed``) or not, and why."""

    rate: float
    passed: bool
    reason: str = ""
    #: Whether the generator, not the server, was at its limit.
    invalid: bool = False


@dataclass(slots=True)
class Capacity:
    """What was found. knee: the highest rate that passed. above: the lowest that did not (None
    when nothing broke). limited_by_generator: what broke was the load generator."""

    knee: float = 0.0
    above: float | None = None
    limited_by_generator: bool = False
    steps: list[Step] = field(default_factory=list)


def find(
    evaluate: Callable[[float], Step],
    start: float,
    *,
    most_steps: int = MOST_STEPS,
    narrow: float = NARROW,
) -> Capacity:
    """Search from ``start`` (posts/s) on. ``evaluate`` runs the load at a rate."""
    found = Capacity()

    def tried(rate: float) -> Step:
        """Evaluate once and note it."""
        step = evaluate(rate)
        found.steps.append(step)
        return step

    def passes(rate: float, *, again: bool) -> bool:
        """Evaluate, a second time when the first failed and there are steps left for it."""
        step = tried(rate)
        if not step.passed and again and len(found.steps) < most_steps:
            step = tried(rate)
        if step.passed:
            found.knee = max(found.knee, rate)
        else:
            found.above, found.limited_by_generator = rate, step.invalid
        return step.passed

    rate = start
    while len(found.steps) < most_steps and passes(rate, again=rate == start):
        rate *= 2
    # Even the start was too much: look below it.
    while found.knee == 0 and len(found.steps) < most_steps and rate > start / 64:
        rate /= 2
        passes(rate, again=False)
    while (
        found.above is not None
        and found.knee > 0
        and found.above / found.knee > narrow
        and len(found.steps) < most_steps
    ):
        passes(math.sqrt(found.knee * found.above), again=False)
    return found
