"""How a load process itself is: its CPU, how late its timers fire, how far off its clock is.

Evidence for the gates. Owned by the worker; one greenlet each for lag and clock.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent

from chatload.clock import Offset, now_us
from chatload.timing import Histogram

#: Seconds between two readings of the loop's lateness.
LAG_EVERY = 0.05
#: Most missed timers that one stall counts for (a hundred seconds).
MISSED_LIMIT = 2_000
#: One arrival of a run, and one in so many, may come without a stamp: a tenth of what lies past the
#: 99th percentile.
UNSTAMPED_ONE_IN = 1_000
#: Seconds over which CPU is averaged.
CPU_WINDOW = 5


class Vitals:
    """One run's readings. offset: the process's clock against the master's."""

    def __init__(self, offset: Offset) -> None:
        self._offset = offset
        #: Lateness of timers and of posts since the ramp-up, and over the whole run, µs.
        self.loop, self.loop_all = Histogram(), Histogram()
        self.schedule, self.schedule_all = Histogram(), Histogram()
        #: What a probe itself adds to the times it takes, µs: from when a post could leave until
        #: the kernel had it. Arrivals are stamped by the kernel, so they add nothing.
        self.own, self.own_all = Histogram(), Histogram()
        #: Arrivals of a probe, and those of them that the kernel did not stamp.
        self._arrivals = self._unstamped = 0
        #: CPU percent of the last seconds, and the highest mean over CPU_WINDOW of them.
        self.cpu: deque[float] = deque(maxlen=CPU_WINDOW)
        self._cpu_highest = 0.0
        self._cpu_last = (time.process_time(), time.monotonic())
        self._cpu_begin = self._cpu_last[0]

    def arrived(self, *, stamped: bool) -> None:
        """Something came; stamped: whether the kernel said when."""
        self._arrivals += 1
        self._unstamped += not stamped

    @property
    def stamps_hold(self) -> bool:
        """Whether the kernel stamps what comes. A few without a stamp move no percentile that is
        shown: as a rule it is the very first, which came before the kernel had begun to stamp."""
        return self._unstamped <= 1 + self._arrivals // UNSTAMPED_ONE_IN

    def forget_cpu(self) -> None:
        """The ramp-up is over: its CPU is no evidence."""
        self.cpu.clear()

    def measure_cpu(self, *, counts: bool) -> tuple[float, float]:
        """CPU percent of one core since the last call, and the seconds since then. ``counts``:
        whether it is evidence."""
        used, now = time.process_time(), time.monotonic()
        wall = max(1e-6, now - self._cpu_last[1])
        spent = 100.0 * (used - self._cpu_last[0]) / wall
        self._cpu_last = (used, now)
        self.cpu.append(spent)
        if counts and len(self.cpu) == CPU_WINDOW:
            self._cpu_highest = max(self._cpu_highest, sum(self.cpu) / CPU_WINDOW)
        return spent, wall

    def watch_lag(self, tell: Callable[[int], None], ramping: Callable[[], bool]) -> None:
        """The greenlet that reads the loop's lateness until it is killed. Every timer that should
        have fired during a stall counts, not only the one that ended it: otherwise fifteen seconds
        of standstill would be one late timer among hundreds."""
        while True:
            before = time.monotonic()
            gevent.sleep(LAG_EVERY)
            late = max(0, int((time.monotonic() - before - LAG_EVERY) * 1e6))
            step = int(LAG_EVERY * 1e6)
            for missed in range(min(MISSED_LIMIT, late // step + 1)):
                self.loop_all.record(late - missed * step)
                if not ramping():
                    self.loop.record(late - missed * step)
                tell(late - missed * step)

    def post_left(self, late: int, *, ramping: bool) -> None:
        """A post was handed to its poster ``late`` µs after it was due."""
        self.schedule_all.record(late)
        if not ramping:
            self.schedule.record(late)

    def post_went(self, late: int, *, ramping: bool) -> None:
        """A post left ``late`` µs after it could have."""
        self.own_all.record(late)
        if not ramping:
            self.own.record(late)

    def evidence(self, *, stamping: bool) -> dict[str, Any]:
        """What this process can say to the gates; times in ms. stamping: whether its times end when
        the kernel has what came."""
        error = self._offset.error
        own = self.own.percentile(99) / 1000 if stamping else None
        own_all = self.own_all.percentile(99) / 1000 if stamping else None
        return {
            "cpu_highest": self._cpu_highest,
            "cpu_seconds": time.process_time() - self._cpu_begin,
            "loop_lag_p99": self.loop.percentile(99) / 1000,
            "loop_lag_all_p99": self.loop_all.percentile(99) / 1000,
            "loop_lag_samples": self.loop.count,
            "longest_stall": self.loop_all.high / 1000,
            "schedule_lag_p99": self.schedule.percentile(99) / 1000,
            "schedule_lag_all_p99": self.schedule_all.percentile(99) / 1000,
            "own_lag_p99": own,
            "own_lag_all_p99": own_all,
            "own_lag_samples": self.own.count,
            "clock_error": None if error is None else error / 1000,
        }


class Flight:
    """Posts that are due and not answered, over time: counted by itself, for Little's law."""

    def __init__(self) -> None:
        #: How many there are, since when (µs), and the area under them since the last mean.
        self._number, self._since, self._area = 0, now_us(), 0

    def change(self, by: int) -> None:
        """So many more, or fewer."""
        now = now_us()
        self._area += self._number * (now - self._since)
        self._number += by
        self._since = now

    def mean(self, seconds: float) -> float:
        """How many there were on the average of the last ``seconds``; begins anew."""
        self.change(0)
        area, self._area = self._area, 0
        return area / 1e6 / seconds
