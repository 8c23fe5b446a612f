"""Our rows in Locust's own statistics."""

from __future__ import annotations

import math
import time

from locust import stats as locust_stats
from locust.env import Environment

from chatload.timing import Slot

#: Rows that are shown in Locust's own tables, and their type there: what was asked for and answered
#: (CHAT), or what came by itself (PUSH). The other rows are for the gates.
SHOWN = {
    "page": "CHAT",
    "connect": "CHAT",
    "resume": "CHAT",
    "history": "CHAT",
    "ack": "CHAT",
    "deliver": "PUSH",
    "echo": "PUSH",
    "catch_up": "PUSH",
    "deliver_slow": "PUSH",
}
#: Rows that count as requests in Locust's total, and so in its charts. A delivery is no request; of
#: `page` and `history` Locust's own HTTP client counts the parts.
REQUESTS = ("connect", "resume", "ack")
#: Ends of the names of rows that are kept apart (:mod:`chatload.timing`), and how they are shown:
#: a user of Locust watches the ramp-up too.
_APART = {"_ramp": "", "_crowd": " (crowd)"}


def shown_as(row: str) -> tuple[str, str] | None:
    """The name of a row in Locust's tables, and the row of :data:`SHOWN` that it belongs to; None
    when it is not shown."""
    end = ""
    for suffix, words in _APART.items():
        if row.endswith(suffix):
            row, end = row.removesuffix(suffix), words + end
    return (row + end, row) if row in SHOWN else None


def show_in_locust(environment: Environment, slot: Slot) -> None:
    """Add a second's rows to Locust's statistics, bucket by bucket.

    An event for each delivery would cost more CPU than receiving it does.
    """
    stats = environment.stats
    second = int(time.time())
    for kept_as, histogram in slot.rows.items():
        found = shown_as(kept_as)
        if found is None:
            continue
        name, row = found
        entries = [stats.entries[(name, SHOWN[row])]]
        if row in REQUESTS:
            entries.append(stats.total)
        for entry in entries:
            entry.num_requests += histogram.count
            entry.num_reqs_per_sec[second] += histogram.count
            entry.last_request_timestamp = time.time()
            entry.total_response_time += histogram.total / 1000  # type: ignore[assignment]
            low, high = histogram.low / 1000, histogram.high / 1000
            least = entry.min_response_time
            entry.min_response_time = low if least is None else min(least, low)  # type: ignore[assignment]
            entry.max_response_time = max(entry.max_response_time, high)  # type: ignore[assignment]
            for start, end, times in histogram.buckets():
                middle = locust_stats.bucket_response_time((start + end) / 2000)
                entry.response_times[middle] += times


def fine_bucket(response_time: float) -> float:
    """Locust's own buckets are 1 ms wide below 100 ms and 10 ms below 1 s; these have three
    significant digits everywhere."""
    if response_time <= 0:
        return 0.0
    digits = 2 - math.floor(math.log10(response_time))
    return round(response_time, digits)
