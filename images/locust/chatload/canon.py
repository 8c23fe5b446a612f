"""The canon of a topic: every message that there is, in the order of the log. Pure.

Made on the master when posting is over, from everybody's books and from the topic's history, read
back page by page to its beginning. A message is in the canon when it was acknowledged, or when the
history has it. The books and the history must agree; where they do not, the verdict says so.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chatload.books import Book
from chatload.ranges import RangeSet
from chatload.reader import Gap, TopicView
from chatload.roll import Entry, Roll
from chatload.verdict import Verdict


@dataclass(slots=True)
class History:
    """A topic as read back: its messages of this run, oldest first, and how many were damaged."""

    entries: list[Entry] = field(default_factory=list)
    corrupt: int = 0

    def packed(self) -> list[Any]:
        """The form that travels to the master."""
        return [[list(entry) for entry in self.entries], self.corrupt]

    @classmethod
    def unpacked(cls, body: Sequence[Any]) -> History:
        """A history from :meth:`packed`."""
        return cls([Entry(*entry) for entry in body[0]], body[1])


class Canon:
    """One topic. The index of a message is its place in the order of ids."""

    __slots__ = ("_index", "_latest_before", "entries", "ids", "kept", "sizes")

    def __init__(
        self, entries: Sequence[Entry], kept: RangeSet | None, sizes: Mapping[str, int]
    ) -> None:
        #: Every message, ids ascending.
        self.entries = list(entries)
        self.ids = [entry.id for entry in self.entries]
        #: Indexes of those that the history has; None when it could not be read.
        self.kept = kept
        #: poster → how many it put on the wire.
        self.sizes = dict(sizes)
        self._index = {(entry.poster, entry.seq): i for i, entry in enumerate(self.entries)}
        #: At each index the earliest instant at which it or a later message was sent.
        self._latest_before = [0] * len(self.entries)
        earliest = 1 << 62
        # From the back: what is the earliest from here on?
        for i in range(len(self.entries) - 1, -1, -1):
            earliest = min(earliest, self.entries[i].sent)
            self._latest_before[i] = earliest

    def __len__(self) -> int:
        return len(self.entries)

    def index(self, poster: str, seq: int) -> int | None:
        """Where a message is; None when it is not in the canon."""
        return self._index.get((poster, seq))

    def after(self, message_id: str) -> int:
        """Index of the first message after an id."""
        return bisect_right(self.ids, message_id)

    def sent_after(self, instant: int) -> int:
        """Index from which on every message was sent at ``instant`` (µs) or later."""
        return bisect_left(self._latest_before, instant)

    def start(self, view: TopicView) -> int:
        """Index of the first message that a reader is owed."""
        sent = self.sent_after(view.at)
        return sent if view.base is None else min(sent, self.after(view.base))

    def gap(self, gap: Gap) -> tuple[int, int]:
        """Indexes ``[low, high)`` that an announced gap may have swallowed."""
        high = self.sent_after(gap.at)
        return self.after(gap.low), high if gap.base is None else min(high, self.after(gap.base))

    def indexes(self, roll: Roll) -> list[tuple[int, int, int]]:
        """Where the messages of a roll are, as blocks ``(low, high, index of low)`` of ordinals;
        those that are not in the canon are in no block."""
        blocks: list[tuple[int, int, int]] = []
        low = at = -1
        # Grow a block while both orders run on together.
        for ordinal, entry in enumerate(roll.entries):
            index = self._index.get((entry.poster, entry.seq))
            # It goes on.
            if index is not None and low >= 0 and index == at + ordinal - low:
                continue
            # It ends here.
            if low >= 0:
                blocks.append((low, ordinal, at))
            low, at = (-1, -1) if index is None else (ordinal, index)
        # The last block ends with the roll.
        if low >= 0:
            blocks.append((low, len(roll.entries), at))
        return blocks

    def packed(self) -> list[Any]:
        """The form that travels to the workers."""
        posters = {name: number for number, name in enumerate(self.sizes)}
        return [
            self.sizes,
            self.ids,
            [posters[entry.poster] for entry in self.entries],
            [entry.seq for entry in self.entries],
            [entry.sent for entry in self.entries],
            None if self.kept is None else self.kept.edges(),
        ]

    @classmethod
    def unpacked(cls, body: Sequence[Any]) -> Canon:
        """A canon from :meth:`packed`."""
        sizes, ids, who, seqs, sent, kept = body
        posters = list(sizes)
        entries = [
            Entry(i, posters[p], seq, at)
            for i, p, seq, at in zip(ids, who, seqs, sent, strict=True)
        ]
        return cls(entries, None if kept is None else RangeSet(kept), sizes)


def seen_in(blocks: Sequence[tuple[int, int, int]], seen: RangeSet) -> RangeSet:
    """The indexes of the ordinals ``seen``, by the blocks of :meth:`Canon.indexes`."""
    out = RangeSet()
    # Walk through the ranges that were seen, with the blocks that hold them.
    for low, high in seen.ranges():
        first = max(0, bisect_right(blocks, (low, 1 << 62, 0)) - 1)
        # Each block that meets the range, cut to it.
        for begin, end, index in blocks[first:]:
            # Blocks further on lie behind the range.
            if begin >= high:
                break
            left, right = max(low, begin), min(high, end)
            out.add(index + left - begin, index + right - begin)
    return out


def establish(
    topic: str, books: Mapping[str, Book], history: History | None, *, may_be_cut: bool = False
) -> tuple[Canon, Verdict]:
    """A topic's canon, and what its books and its history prove.

    books: poster → book, of all processes. history: None when it could not be read. may_be_cut:
    whether the server may have dropped what is older than the history's first message.
    """
    verdict = Verdict()
    found: dict[tuple[str, int], Entry] = {}
    # From the books: what was acknowledged, and under which id.
    for poster, book in books.items():
        verdict.sent += book.sent
        verdict.acknowledged += book.acknowledged
        verdict.indeterminate += book.sent - book.acknowledged
        verdict.misnamed += book.renamed
        # One post was acknowledged twice, under two ids.
        if book.renamed:
            verdict.example(f"{topic}: {poster} was given {book.renamed} second ids for retries")
        before = ""
        # A poster's ids must rise as its posts did.
        for seq, message_id in enumerate(book.ids):
            # Sent and never acknowledged.
            if not message_id:
                continue
            found[poster, seq] = Entry(message_id, poster, seq, book.sent_at[seq])
            # An id that does not rise.
            if message_id <= before:
                verdict.reordered += 1
                verdict.example(f"{topic}: {poster}'s {seq} was acknowledged before its forerunner")
            before = max(before, message_id)
    kept: set[tuple[str, int]] = set()
    # From the history, if it could be read: what there is beyond that.
    if history is not None:
        kept = _compare(topic, books, history, found, verdict, may_be_cut)
    else:
        verdict.unread += 1
        verdict.example(f"{topic}: the history could not be read")
    entries = sorted(found.values())
    indexes = RangeSet()
    # Mark those that the history has.
    for i, entry in enumerate(entries):
        # By the index in the canon.
        if (entry.poster, entry.seq) in kept:
            indexes.push(i)
    sizes = {poster: book.sent for poster, book in books.items()}
    return Canon(entries, None if history is None else indexes, sizes), verdict


def _compare(
    topic: str,
    books: Mapping[str, Book],
    history: History,
    found: dict[tuple[str, int], Entry],
    verdict: Verdict,
    may_be_cut: bool,
) -> set[tuple[str, int]]:
    """Hold the history against the books: adds what only the history has to ``found``, writes what
    is wrong into ``verdict``. Returns the places that the history has."""
    verdict.corrupt += history.corrupt
    acknowledged = set(found)
    kept: set[tuple[str, int]] = set()
    by_id: dict[str, Entry] = {}
    # Hold each message that was kept against the books.
    for entry in history.entries:
        place = entry.poster, entry.seq
        # No book tells of it.
        if entry.poster not in books or entry.seq >= books[entry.poster].sent:
            verdict.unexpected += 1
            verdict.example(f"{topic}: the history has {entry.poster}'s {entry.seq}, never sent")
            continue
        other = found.setdefault(place, entry)
        # One message under two ids, or one id of two messages.
        if other.id != entry.id or by_id.setdefault(entry.id, entry) != entry:
            verdict.misnamed += 1
            verdict.example(f"{topic}: {entry.poster}'s {entry.seq} is {entry.id} and {other.id}")
            # The first that the history has of it counts, whatever was acknowledged.
            if place not in kept:
                found[place] = entry  # the log's id is the one that orders
        kept.add(place)
    # Ids are printable ASCII, so that DEL is after all of them.
    oldest = "" if not may_be_cut else history.entries[0].id if history.entries else "\x7f"
    # Acknowledged and not kept.
    for place in sorted(acknowledged - kept):
        entry = found[place]
        # Cut off because it is old, or gone.
        if entry.id < oldest:
            verdict.unproven += 1
            continue
        verdict.vanished += 1
        verdict.example(
            f"{topic}: {entry.poster}'s {entry.seq}, acknowledged, is not in the history"
        )
    return kept


def by_topic(books: Mapping[tuple[str, str], Book]) -> dict[str, dict[str, Book]]:
    """Books by topic and poster."""
    out: dict[str, dict[str, Book]] = {}
    # One map of posters for each topic.
    for (topic, poster), book in books.items():
        out.setdefault(topic, {})[poster] = book
    return out


def pack_canons(canons: Mapping[str, Canon]) -> dict[str, Any]:
    """Canons in the form that travels."""
    return {topic: canon.packed() for topic, canon in canons.items()}


def unpack_canons(body: Mapping[str, Any]) -> dict[str, Canon]:
    """Canons from :func:`pack_canons`."""
    return {topic: Canon.unpacked(packed) for topic, packed in body.items()}


def establish_all(
    books: Mapping[tuple[str, str], Book],
    histories: Mapping[str, History],
    topics: Iterable[str] = (),
    *,
    kept_messages: int = 0,
) -> tuple[dict[str, Canon], Verdict]:
    """The canons of all topics with a book, or named in ``topics``, and the verdict on them.

    kept_messages: how many messages the server says it keeps; 0: all.
    """
    verdict = Verdict()
    canons: dict[str, Canon] = {}
    grouped = by_topic(books)
    # With room to spare nothing can have been dropped, so what is missing is missing.
    may_be_cut = 0 < kept_messages <= sum(book.acknowledged for book in books.values())
    # Topics of the books, and such as only the history names.
    for topic in sorted({*grouped, *topics}):
        canons[topic], part = establish(
            topic, grouped.get(topic, {}), histories.get(topic), may_be_cut=may_be_cut
        )
        verdict.merge(part)
    return canons, verdict
