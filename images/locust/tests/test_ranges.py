"""Sets of integers as ranges, against Python's sets."""

from hypothesis import given
from hypothesis import strategies as st

from chatload.ranges import RangeSet

STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 12)), max_size=40)


def members(found: RangeSet) -> set[int]:
    return {n for low, high in found.ranges() for n in range(low, high)}


@given(STEPS, st.integers(0, 45), st.integers(0, 45))
def test_it_is_a_set(steps: list[tuple[bool, int, int]], low: int, high: int) -> None:
    found, model = RangeSet(), set[int]()
    for add, start, length in steps:
        if add:
            found.add(start, start + length)
            model |= set(range(start, start + length))
        else:
            found.remove(start, start + length)
            model -= set(range(start, start + length))
        assert members(found) == model
        edges = found.edges()
        assert edges == sorted(set(edges))  # disjoint, and neighbours melted
    assert len(found) == len(model) and bool(found) == bool(model)
    assert all((n in found) == (n in model) for n in range(60))
    other = RangeSet([low, high] if high > low else None)
    assert members(found.minus(other)) == model - members(other)
    assert members(found.common(other)) == model & members(other)
    assert found.within(low, high) == found.common(other)


@given(st.lists(st.integers(0, 30)))
def test_push_says_whether_it_was_new(values: list[int]) -> None:
    found, model = RangeSet(), set[int]()
    for value in values:
        assert found.push(value) == (value not in model)
        model.add(value)
        assert members(found) == model


def test_a_long_run_without_gaps_is_one_piece() -> None:
    found = RangeSet()
    for n in range(10_000):
        found.add(n, n + 1)
    assert found.pieces() == 1 and len(found) == 10_000
