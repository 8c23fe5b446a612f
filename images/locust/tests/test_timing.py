"""Histograms: error, merging, the series over time."""

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from chatload.timing import MAX_US, Histogram, Series, Slot, bounds, bucket

VALUES = st.lists(st.integers(0, MAX_US), min_size=1, max_size=300)


@given(st.integers(0, MAX_US))
def test_a_bucket_holds_its_values_and_is_narrow(value: int) -> None:
    low, high = bounds(bucket(value))
    assert low <= value < high
    assert high - low <= max(1, value / 128)


@given(VALUES, st.sampled_from([0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0]))
def test_percentiles_err_by_at_most_one_percent(values: list[int], percent: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    exact = sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]
    assert abs(histogram.percentile(percent) - exact) <= max(0.5, exact * 0.01)
    assert histogram.mean == sum(values) / len(values)


@given(VALUES, st.integers(1, 5))
def test_merged_workers_equal_one_process(values: list[int], workers: int) -> None:
    one = Histogram()
    parts = [Histogram() for _ in range(workers)]
    for number, value in enumerate(values):
        one.record(value)
        parts[number % workers].record(value)
    # Over the wire and back, in any order.
    random.Random(1).shuffle(parts)
    total = Histogram()
    for part in parts:
        total.merge(Histogram.unpacked(part.packed()))
    assert total.counts == one.counts
    assert total.summary_ms() == one.summary_ms()


def test_an_empty_histogram_is_zero_and_negative_times_are_too() -> None:
    histogram = Histogram()
    assert histogram.percentile(99) == 0 and histogram.mean == 0
    histogram.record(-5)
    assert histogram.percentile(50) == 0 and histogram.count == 1


def test_memory_is_bounded_by_precision_not_by_count() -> None:
    histogram = Histogram()
    generator = random.Random(3)
    for _ in range(50_000):
        histogram.record(int(generator.expovariate(1 / 20_000)))
    assert len(histogram.counts) < 1_500


def test_a_long_series_widens_and_loses_nothing() -> None:
    series, other = Series(), Series()
    series.LIMIT = 50
    for second in range(400):
        slot = Slot()
        slot.add("posts", 2)
        slot.gauges["users"] = 10.0
        slot.row("ack").record(second + 1)
        series.merge(second, slot)
        other.merge(second, Slot.unpacked(slot.packed()))
    assert len(series.slots) <= 50 and series.width == 8
    assert sum(slot.counters["posts"] for _, slot in series.items()) == 800
    assert series.total.rows["ack"].counts == other.total.rows["ack"].counts
    # A gauge of a wide slot is a mean over its seconds, not a sum.
    assert all(abs(slot.gauges["users"] - 10) < 1e-6 for _, slot in series.items()[:-1])
