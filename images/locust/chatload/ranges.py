"""Sets of integers kept as ranges: what keeps the ledger's memory small however long a run is."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class RangeSet:
    """A set of integers as sorted, disjoint, half-open ranges ``[low, high)``.

    Memory is proportional to the number of gaps, not of members. Not for concurrent use.
    """

    __slots__ = ("_edges",)

    def __init__(self, edges: list[int] | None = None) -> None:
        #: low0, high0, low1, high1, …; strictly increasing, so a bisection finds any member.
        self._edges: list[int] = list(edges) if edges else []

    def add(self, low: int, high: int) -> None:
        """Put every integer of ``[low, high)`` into the set; an empty range changes nothing."""
        if low >= high:
            return
        edges = self._edges
        # Ranges that overlap or touch [low, high) melt into it: an odd index is inside a range.
        left = bisect_left(edges, low)
        right = bisect_right(edges, high)
        edges[left:right] = ([low] if left % 2 == 0 else []) + ([high] if right % 2 == 0 else [])

    def push(self, value: int) -> bool:
        """Put one integer into the set; whether it was not there. Cheapest where it is the next
        one after the greatest."""
        edges = self._edges
        if edges and edges[-1] == value:
            edges[-1] = value + 1
            return True
        if bisect_right(edges, value) % 2:
            return False
        self.add(value, value + 1)
        return True

    def remove(self, low: int, high: int) -> None:
        """Take every integer of ``[low, high)`` out of the set."""
        if low >= high:
            return
        edges = self._edges
        left = bisect_left(edges, low)
        right = bisect_right(edges, high)
        edges[left:right] = ([low] if left % 2 else []) + ([high] if right % 2 else [])

    def __contains__(self, value: int) -> bool:
        return bisect_right(self._edges, value) % 2 == 1

    def __len__(self) -> int:
        """Number of integers in the set."""
        edges = self._edges
        return sum(edges[1::2]) - sum(edges[::2])

    def __bool__(self) -> bool:
        return bool(self._edges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and self._edges == other._edges

    def __hash__(self) -> int:
        raise TypeError("a RangeSet changes, so it has no hash")

    def __repr__(self) -> str:
        return "RangeSet(" + ", ".join(f"{low}..{high - 1}" for low, high in self.ranges()) + ")"

    def ranges(self) -> Iterator[tuple[int, int]]:
        """The ranges ``(low, high)``, ascending."""
        edges = self._edges
        return zip(edges[::2], edges[1::2], strict=True)

    def pieces(self) -> int:
        """Number of ranges: what the set costs."""
        return len(self._edges) // 2

    def minus(self, other: RangeSet) -> RangeSet:
        """The members that are not in ``other``, as a new set."""
        left = RangeSet(self._edges)
        for low, high in other.ranges():
            left.remove(low, high)
        return left

    def within(self, low: int, high: int) -> RangeSet:
        """The members in ``[low, high)``, as a new set."""
        if low >= high:
            return RangeSet()
        edges = self._edges
        left, right = bisect_right(edges, low), bisect_left(edges, high)
        inner = edges[left:right]
        return RangeSet(([low] if left % 2 else []) + inner + ([high] if right % 2 else []))

    def common(self, other: RangeSet) -> RangeSet:
        """The members that are in ``other`` too, as a new set."""
        few, many = (self, other) if self.pieces() <= other.pieces() else (other, self)
        out: list[int] = []
        for low, high in few.ranges():
            out += many.within(low, high).edges()
        return RangeSet(out)

    def edges(self) -> list[int]:
        """A copy of the edges ``[low0, high0, low1, …]``: the form that travels between workers."""
        return list(self._edges)
