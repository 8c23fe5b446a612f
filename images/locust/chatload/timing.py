"""Honest histograms: at most 1 % error, merged over workers to exactly what one process would have.

A value is an integer number of microseconds. Buckets are those of HdrHistogram (Gil Tene): exact
below 128 µs, then 128 buckets per doubling, so that a bucket is at most 1/128 of its value wide and
its middle is at most 0.4 % away from any value in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

#: log2 of the number of buckets per doubling.
_BITS = 7
_EXACT = 1 << _BITS
#: Longest time kept, µs (a day): longer ones count as this.
MAX_US = 86_400_000_000

#: Rows of a run. What each means stands in the README of the load lab.
ROWS = (
    "page",
    "connect",
    "history",
    "ack",
    "deliver",
    "echo",
    "catch_up",
    "deliver_slow",
    "resume",
    "schedule_lag",
    "loop_lag",
    # What the ramp-up showed: kept apart, because starting users keeps the workers busy.
    "deliver_ramp",
    "ack_ramp",
    "echo_ramp",
    "schedule_lag_ramp",
    "loop_lag_ramp",
    # Where probes measure: what the crowd's busy processes saw, kept apart.
    "deliver_crowd",
    "ack_crowd",
    "echo_crowd",
    "schedule_lag_crowd",
    "loop_lag_crowd",
    "deliver_crowd_ramp",
    "ack_crowd_ramp",
    "echo_crowd_ramp",
    "schedule_lag_crowd_ramp",
    "loop_lag_crowd_ramp",
)
#: Percentiles that tables name.
PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)


def bucket(value: int) -> int:
    """The number of the bucket that holds ``value`` (µs, not negative)."""
    if value < _EXACT:
        return value
    shift = value.bit_length() - _BITS - 1
    return (shift << _BITS) + (value >> shift)


def bounds(index: int) -> tuple[int, int]:
    """The half-open range ``[low, high)`` of values, µs, that bucket ``index`` holds."""
    if index < 2 * _EXACT:
        return index, index + 1
    shift = (index >> _BITS) - 1
    low = (index - (shift << _BITS)) << shift
    return low, low + (1 << shift)


class Histogram:
    """Counts of times by bucket, with exact count, sum, least and greatest."""

    __slots__ = ("count", "counts", "high", "low", "total")

    def __init__(self) -> None:
        #: bucket number → how many values fell into it; only buckets that were hit.
        self.counts: dict[int, int] = {}
        self.count = 0
        self.total = 0
        #: Least and greatest value seen; low is -1 while the histogram is empty.
        self.low = -1
        self.high = 0

    def record(self, value: float, times: int = 1) -> None:
        """Count a time of ``value`` µs. Negative ones (clock error) count as 0."""
        number = min(max(int(value), 0), MAX_US)
        index = bucket(number)
        self.counts[index] = self.counts.get(index, 0) + times
        self.count += times
        self.total += number * times
        if self.low < 0 or number < self.low:
            self.low = number
        self.high = max(self.high, number)

    def merge(self, other: Histogram) -> None:
        """Add everything ``other`` counted. Order does not matter."""
        counts = self.counts
        for index, times in other.counts.items():
            counts[index] = counts.get(index, 0) + times
        self.count += other.count
        self.total += other.total
        if other.low >= 0 and (self.low < 0 or other.low < self.low):
            self.low = other.low
        self.high = max(self.high, other.high)

    def percentile(self, percent: float) -> float:
        """The time, µs, that at least ``percent`` % of the values did not exceed; 0 when empty."""
        if not self.count:
            return 0.0
        wanted = max(1, math.ceil(self.count * percent / 100.0))
        if wanted >= self.count:
            return float(self.high)
        seen = 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= wanted:
                low, high = bounds(index)
                # The middle of the bucket, but never outside of what was seen.
                return min(max((low + high - 1) / 2.0, float(self.low)), float(self.high))
        raise AssertionError("the counts do not add up to the count")

    @property
    def mean(self) -> float:
        """Mean, µs; exact, not from the buckets."""
        return self.total / self.count if self.count else 0.0

    def buckets(self) -> Iterator[tuple[int, int, int]]:
        """``(low, high, count)`` of each bucket that was hit, ascending."""
        for index in sorted(self.counts):
            low, high = bounds(index)
            yield low, high, self.counts[index]

    def packed(self) -> list[int]:
        """The form that travels between processes; :meth:`unpacked` reads it."""
        flat = [self.low, self.high, self.total]
        for index, times in self.counts.items():
            flat += (index, times)
        return flat

    @classmethod
    def unpacked(cls, flat: list[int]) -> Histogram:
        """A histogram from :meth:`packed`."""
        made = cls()
        made.low, made.high, made.total = flat[:3]
        made.counts = dict(zip(flat[3::2], flat[4::2], strict=True))
        made.count = sum(made.counts.values())
        return made

    def summary_ms(self) -> dict[str, float]:
        """Count, mean, percentiles and greatest value in milliseconds, for tables."""
        out: dict[str, float] = {"count": self.count, "mean": round(self.mean / 1000, 3)}
        for percent in PERCENTILES:
            out[f"p{percent:g}"] = round(self.percentile(percent) / 1000, 3)
        out["max"] = round(self.high / 1000, 3)
        return out


class Slot:
    """What happened in one stretch of a run: a histogram per row, a number per counter."""

    __slots__ = ("counters", "gauges", "rows")

    def __init__(self) -> None:
        self.rows: dict[str, Histogram] = {}
        #: Things that add up (posts, deliveries, failures), by name.
        self.counters: dict[str, int] = {}
        #: Things that are (users, connections), by name; a merge over workers adds them up.
        self.gauges: dict[str, float] = {}

    def row(self, name: str) -> Histogram:
        """The histogram of a row, made when first asked for."""
        found = self.rows.get(name)
        if found is None:
            found = self.rows[name] = Histogram()
        return found

    def add(self, counter: str, number: int = 1) -> None:
        """Raise a counter."""
        self.counters[counter] = self.counters.get(counter, 0) + number

    def merge(self, other: Slot) -> None:
        """Add another worker's same second."""
        for name, histogram in other.rows.items():
            self.row(name).merge(histogram)
        for name, number in other.counters.items():
            self.add(name, number)
        for name, value in other.gauges.items():
            self.gauges[name] = self.gauges.get(name, 0.0) + value

    def scaled_gauges(self, factor: float) -> Slot:
        """This slot with its gauges multiplied by ``factor``; histograms and counters shared."""
        made = Slot()
        made.rows, made.counters = self.rows, self.counters
        made.gauges = {name: value * factor for name, value in self.gauges.items()}
        return made

    def packed(self) -> dict[str, object]:
        """The form that travels between processes."""
        return {
            "rows": {name: histogram.packed() for name, histogram in self.rows.items()},
            "counters": self.counters,
            "gauges": self.gauges,
        }

    @classmethod
    def unpacked(cls, body: dict[str, object]) -> Slot:
        """A slot from :meth:`packed`."""
        made = cls()
        rows, counters, gauges = body["rows"], body["counters"], body["gauges"]
        assert isinstance(rows, dict) and isinstance(counters, dict) and isinstance(gauges, dict)
        made.rows = {name: Histogram.unpacked(flat) for name, flat in rows.items()}
        made.counters = dict(counters)
        made.gauges = dict(gauges)
        return made


class Series:
    """Slots over time, one a second at first; long runs get wider slots, so memory is bounded."""

    #: Most slots kept; reaching it, neighbours are joined and the width doubles.
    LIMIT = 1200

    def __init__(self) -> None:
        #: Width of a slot, seconds.
        self.width = 1
        #: slot number (seconds since the start // width) → slot.
        self.slots: dict[int, Slot] = {}
        #: Everything, over all slots.
        self.total = Slot()

    def merge(self, second: int, slot: Slot) -> None:
        """Add what one worker saw in second number ``second`` of the run (0, 1, 2, …)."""
        number = max(0, second) // self.width
        found = self.slots.get(number)
        if found is None:
            self.slots[number] = found = Slot()
        # A gauge of a wide slot is its mean over the slot's seconds.
        found.merge(slot.scaled_gauges(1 / self.width))
        self.total.merge(slot.scaled_gauges(0))
        if len(self.slots) > self.LIMIT:
            self._widen()

    def _widen(self) -> None:
        """Join each pair of neighbours into one slot of twice the width."""
        self.width *= 2
        joined: dict[int, Slot] = {}
        for number in sorted(self.slots):
            half = self.slots[number].scaled_gauges(0.5)
            joined.setdefault(number // 2, Slot()).merge(half)
        self.slots = joined

    def items(self) -> list[tuple[int, Slot]]:
        """``(second at which the slot begins, slot)``, ascending."""
        return [(number * self.width, self.slots[number]) for number in sorted(self.slots)]
