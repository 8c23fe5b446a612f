"""One clock for all workers, and how wrong it may be.

The lab's clock is the master's monotonic clock in microseconds. A worker on the same kernel (same
boot id) reads the very same clock, so its error is 0. Another machine's offset is estimated as in
NTP: of many exchanges the one with the shortest round trip counts, and half of that round trip is
the largest error it can have made.
"""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

#: Exchanges remembered: with one every 2 s, the estimate follows drift within two minutes.
_MEMORY = 60


def now_us() -> int:
    """This process's monotonic clock, µs. Shared by all processes of one Linux kernel."""
    return time.monotonic_ns() // 1000


def boot_id() -> str:
    """Names the running kernel; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class Offset:
    """What to add to this process's clock to get the master's."""

    def __init__(self) -> None:
        #: (round trip µs, offset µs) of the latest exchanges.
        self._samples: deque[tuple[int, int]] = deque(maxlen=_MEMORY)
        self._shared = False

    def same_kernel(self) -> None:
        """This process and the master read the same clock."""
        self._shared = True

    def exchange(self, sent: int, theirs: int, received: int) -> None:
        """One question to the master: sent and received by our clock, answered at ``theirs``."""
        round_trip = max(0, received - sent)
        self._samples.append((round_trip, theirs - (sent + received) // 2))

    @property
    def offset(self) -> int:
        """µs to add to :func:`now_us`; 0 while unknown."""
        return 0 if self._shared or not self._samples else min(self._samples)[1]

    @property
    def error(self) -> int | None:
        """Greatest possible error, µs; None while nothing is known."""
        if self._shared:
            return 0
        return (min(self._samples)[0] + 1) // 2 if self._samples else None

    def now(self) -> int:
        """The lab's clock, µs."""
        return now_us() + self.offset
