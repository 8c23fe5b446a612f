"""When posts are due: seeded Poisson arrivals whose rate may change in stages.

Pure. An *open* model: arrivals do not wait for answers, so a stall of the server is felt by every
post that was due during it (Gil Tene's coordinated omission, wrk2's rule).
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

#: Name of the environment variable that holds a run's stages, as JSON.
VARIABLE = "CHATLOAD_STAGES"


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of a run. seconds: how long. users: how many by its end. spawn_rate: users started
    or stopped a second. rate: posts a second over all workers, None to leave it unchanged."""

    seconds: float
    users: int
    spawn_rate: float
    rate: float | None = None


def parse_stages(text: str) -> list[Stage]:
    """Stages from JSON: ``[{"seconds": 30, "users": 50, "spawn_rate": 10, "rate": 100}, …]``.

    Raises ValueError with what to correct.
    """
    try:
        items = json.loads(text)
    except ValueError as error:
        raise ValueError(f"stages: not JSON: {error}") from error
    if not isinstance(items, list) or not items:
        raise ValueError("stages: a list of at least one stage is needed")
    stages = []
    for number, item in enumerate(items, 1):
        try:
            stage = Stage(
                float(item["seconds"]),
                int(item["users"]),
                float(item.get("spawn_rate", 50)),
                None if item.get("rate") is None else float(item["rate"]),
            )
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise ValueError(
                f"stages: number {number} needs seconds and users (spawn_rate, rate): {error!r}"
            ) from error
        if stage.seconds <= 0 or stage.users < 0 or stage.spawn_rate <= 0 or (stage.rate or 0) < 0:
            raise ValueError(f"stages: number {number} has a value that is not positive")
        stages.append(stage)
    return stages


def stage_at(stages: Sequence[Stage], elapsed: float) -> Stage | None:
    """The stage that is on ``elapsed`` seconds after the start; None when all are over."""
    for stage in stages:
        if elapsed < stage.seconds:
            return stage
        elapsed -= stage.seconds
    return None


class Arrivals:
    """Poisson arrivals of one worker.

    seed: names the sequence; the same seed and rates give the same instants. now: the instant,
    seconds, at which it begins. Not for concurrent use.
    """

    def __init__(self, seed: str, now: float) -> None:
        self._random = random.Random(seed)
        self._rate = 0.0
        self._next = math.inf
        self._from = now

    def set_rate(self, rate: float, now: float) -> None:
        """From ``now`` on, ``rate`` arrivals a second (0: none). Poisson arrivals have no memory,
        so the next one is simply drawn anew."""
        if rate == self._rate:
            return
        self._rate = rate
        self._from = now
        self._next = math.inf
        if rate > 0:
            self._next = now + self._random.expovariate(rate)

    @property
    def next(self) -> float:
        """Instant of the next arrival, seconds; infinite while the rate is 0."""
        return self._next

    def due(self, now: float) -> list[float]:
        """Take the arrivals that are due at ``now``: their intended instants, ascending."""
        out = []
        while self._next <= now:
            out.append(self._next)
            self._next += self._random.expovariate(self._rate)
        return out
