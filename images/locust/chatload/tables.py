"""Our rows in Locust's own statistics."""

from __future__ import annotations

import math
import time

from locust import stats as locust_stats
from locust.env import Environment

from chatload.timing import Slot

#: Rows that are shown in Locust's own tables. The others are for the gates.
SHOWN = (
    "page",
    "connect",
    "history",
    "ack",
    "deliver",
    "echo",
    "catch_up",
    "deliver_slow",
    "resume",
)


def show_in_locust(environment: Environment, slot: Slot) -> None:
    """Add a second's rows to Locust's statistics, bucket by bucket.

    An event for each delivery would cost more CPU than receiving it does.
    """
    stats = environment.stats
    second = int(time.time())
    for name in SHOWN:
        histogram = slot.rows.get(name)
        if histogram is None:
            continue
        for entry in (stats.entries[(name, "CHAT")], stats.total):
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
