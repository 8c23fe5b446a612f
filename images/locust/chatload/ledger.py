"""The delivery ledger: who sent what, who was shown what, and what that proves.

Pure: no sockets, no clock. One :class:`Ledger` per load process and run; the master merges them.

The method. A *stream* is one poster in one topic. A poster has at most one unacknowledged post at a
time (as a person has), so within a stream sequence numbers, ids and log order all run the same way.
A *book* says how far a stream was sent and which sequences were acknowledged. A reader's *account*
of a stream says from which sequence it is owed messages and which of them it saw. Owed is every
acknowledged message after the position that the server confirmed in ``welcome``:

* the welcome lists the latest messages, so a stream that appears there is owed from the sequence
  after its last one there;
* a topic that had no message at the welcome is owed from sequence 0;
* else the first live message of the stream decides: its mark names the acknowledged message before
  it and that one's id. An id behind the reader's position was history; one after it was owed and
  is lost.

Accounts go on over reconnects: a resume continues them, because a cursor that was honoured promises
that nothing was missed. A cursor that was *not* honoured is an announced gap: counted, not lost.

Both kinds of books are ranges, so memory grows with disorder and with the number of streams, never
with the number of messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from chatload.mark import Mark
from chatload.mark import read as read_mark
from chatload.ranges import RangeSet
from chatload.wire import Message

#: One poster in one topic: ``(topic, poster)``.
StreamKey = tuple[str, str]
#: How many examples of each trouble a verdict keeps.
EXAMPLES = 10
#: Most ids remembered between two cursors (a server that sends no cursor with its messages).
TAIL_LIMIT = 20_000

#: A ``resumed_before`` that is later than every message.
ALWAYS = 1 << 62


class Book:
    """The poster's side of a stream. Owned by the poster's greenlet."""

    __slots__ = ("first_id", "last_acked", "last_id", "sent", "unacked")

    def __init__(self) -> None:
        #: Sequences 0 … sent-1 were put on the wire at least once.
        self.sent = 0
        #: Those of them that were never acknowledged.
        self.unacked = RangeSet()
        #: The last acknowledged sequence (-1: none), its id, and the id of the first one.
        self.last_acked = -1
        self.last_id = ""
        self.first_id = ""

    def send(self) -> int:
        """Take the next sequence number; the caller puts it on the wire."""
        seq = self.sent
        self.sent += 1
        self.unacked.add(seq, seq + 1)
        return seq

    def ack(self, seq: int, message_id: str) -> None:
        """The server says that ``seq`` is in the log under ``message_id``."""
        self.unacked.remove(seq, seq + 1)
        if seq > self.last_acked:
            self.last_acked, self.last_id = seq, message_id
        if not self.first_id or message_id < self.first_id:
            self.first_id = message_id

    @property
    def acknowledged(self) -> int:
        """Number of acknowledged messages."""
        return self.sent - len(self.unacked)

    def packed(self) -> list[Any]:
        """The form that travels to the master."""
        return [self.sent, self.unacked.edges(), self.last_acked, self.last_id, self.first_id]

    @classmethod
    def unpacked(cls, body: Sequence[Any]) -> Book:
        """A book from :meth:`packed`."""
        book = cls()
        book.sent, edges, book.last_acked, book.last_id, book.first_id = body
        book.unacked = RangeSet(edges)
        return book


class Account:
    """A reader's side of a stream: seen is ``[start, end)`` without ``holes``."""

    __slots__ = ("end", "forgiven", "gap", "holes", "start")

    def __init__(self, start: int, end: int) -> None:
        #: First sequence owed.
        self.start = start
        #: One after the greatest sequence seen; ``start`` before anything was.
        self.end = end
        #: Sequences below ``end`` that were not seen (yet).
        self.holes = RangeSet()
        #: Sequences that an announced gap swallowed: not owed.
        self.forgiven = RangeSet()
        #: An announced gap is open: what the next message skips is forgiven.
        self.gap = False


class TopicView:
    """What a reader knows of one topic."""

    __slots__ = ("accounts", "base", "last")

    def __init__(self, base: str | None) -> None:
        #: Id of the topic's last message at the welcome: "" for none, None for unknown.
        self.base = base
        #: Greatest id seen so far; ids of a topic ascend, so a smaller one came out of order.
        self.last = base or ""
        self.accounts: dict[str, Account] = {}


@dataclass(slots=True)
class Counts:
    """What a ledger counts while the load runs."""

    sent: int = 0
    acknowledged: int = 0
    #: Distinct messages shown to readers: one message to three readers is three.
    delivered: int = 0
    duplicated: int = 0
    reordered: int = 0
    #: Of the delivered, those that came by resume.
    recovered: int = 0
    #: Marked messages whose content is damaged, or of a topic that was not asked for.
    corrupt: int = 0
    #: Resumes whose cursor the server said it could not honour.
    gaps: int = 0
    #: Messages of others (no mark, or another run's).
    foreign: int = 0
    #: Repeats after a resume that the client's older cursor asked for: legitimate.
    overlap: int = 0


@dataclass(slots=True)
class Verdict:
    """The outcome, in the words of Jepsen's total-queue checker; mergeable over workers."""

    sent: int = 0
    acknowledged: int = 0
    delivered: int = 0
    #: Deliveries that were owed: each acknowledged message once for each reader of its topic.
    owed: int = 0
    #: Owed and never shown, although acknowledged.
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    recovered: int = 0
    #: Shown, of this run, but never sent by anyone.
    unexpected: int = 0
    corrupt: int = 0
    #: Sent, never acknowledged: may or may not be in the log.
    indeterminate: int = 0
    gaps: int = 0
    foreign: int = 0
    overlap: int = 0
    #: Readers that left before the end, or could not be heard out: owed only up to what they saw.
    left: int = 0
    readers: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """No acknowledged message lost, duplicated, reordered; nothing shown that nobody sent."""
        return not (
            self.lost or self.duplicated or self.reordered or self.unexpected or self.corrupt
        )

    def merge(self, other: Verdict) -> None:
        """Add another worker's verdict."""
        for one in fields(self):
            if one.name == "examples":
                self.examples = (self.examples + other.examples)[:EXAMPLES]
            else:
                setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def packed(self) -> dict[str, Any]:
        """The form that travels to the master and into ``summary.json``."""
        return asdict(self)

    @classmethod
    def unpacked(cls, body: Mapping[str, Any]) -> Verdict:
        """A verdict from :meth:`packed`."""
        return cls(**body)


#: Outcomes of :meth:`Reader.deliver`.
NEW, DUPLICATE, REORDERED, FOREIGN, OVERLAP, CORRUPT = (
    "new",
    "duplicated",
    "reordered",
    "foreign",
    "overlap",
    "corrupt",
)


class Reader:
    """One reader's account over all its connections. Owned by its reader greenlet."""

    __slots__ = ("_counts", "_fresh", "_run", "_tail", "attached", "name", "topics")

    def __init__(self, name: str, run: str, counts: Counts) -> None:
        self.name = name
        self._run = run
        self._counts = counts
        self.topics: dict[str, TopicView] = {}
        #: Connected at the end and heard out: owed everything. Else owed only what it got past.
        self.attached = True
        #: Ids received since the last cursor; None while the last frame carried one.
        self._tail: set[str] = set()
        #: True until the first welcome.
        self._fresh = True

    def welcome(
        self, topics: Iterable[str], messages: Sequence[Message], *, recovered: bool, more: bool
    ) -> None:
        """A confirmed position. Call it for the first welcome of this reader and for one whose
        cursor was not honoured; a resumed one (``recovered``) needs no call: deliver its messages.

        ``topics``: the topics subscribed to. ``messages``: the latest ones, oldest first.
        ``more``: whether older messages exist than those.
        """
        assert not recovered
        if not self._fresh:
            self._announced_gap(messages)
            return
        self._fresh = False
        for topic in topics:
            # With more to come before the list, an absent topic may still have had messages.
            self.topics[topic] = TopicView(None if more else "")
        for message in messages:
            view = self.topics.get(message.topic)
            if view is None:
                continue
            view.base = view.last = max(view.last, message.id)
            try:
                mark = self._mark(message)
            except ValueError:
                self._counts.corrupt += 1
                continue
            if mark is not None:
                account = view.accounts.setdefault(mark.poster, Account(0, 0))
                account.start = account.end = max(account.end, mark.seq + 1)

    def _announced_gap(self, messages: Sequence[Message]) -> None:
        """The server could not honour the cursor and said so: start again from the latest."""
        self._counts.gaps += 1
        for view in self.topics.values():
            for account in view.accounts.values():
                account.gap = True
        for message in messages:
            known = self.topics.get(message.topic)
            # The latest messages repeat what was already shown, which is no duplicate here.
            if known is not None and message.id > known.last:
                self.deliver(message, resumed_before=ALWAYS)

    def position(self, *, confirmed: bool, messages: Sequence[Message] = ()) -> None:
        """After each frame: ``confirmed`` says that it carried a cursor. Without one its messages
        may come again on resume, and must then not be taken for duplicates."""
        if confirmed:
            self._tail.clear()
        elif len(self._tail) < TAIL_LIMIT:
            self._tail.update(message.id for message in messages)

    def deliver(self, message: Message, *, resumed_before: int = 0) -> tuple[str, Mark | None]:
        """A message was shown. Sent before the instant ``resumed_before`` (µs of the lab's clock)
        it came by a resume. Returns what it was and its mark (None unless new, duplicate or
        reordered)."""
        counts = self._counts
        try:
            mark = self._mark(message)
        except ValueError:
            counts.corrupt += 1
            return CORRUPT, None
        if mark is None:
            counts.foreign += 1
            return FOREIGN, None
        view = self.topics.get(message.topic)
        if view is None:
            counts.corrupt += 1
            return CORRUPT, None
        seq = mark.seq
        account = view.accounts.get(mark.poster)
        if account is None:
            account = view.accounts[mark.poster] = self._first(view, mark)
        in_order = message.id > view.last
        if in_order:
            view.last = message.id
        if seq == account.end:  # the usual case: the next one of the stream
            account.end = seq + 1
        elif seq > account.end:
            (account.forgiven if account.gap else account.holes).add(account.end, seq)
            account.end = seq + 1
        elif seq in account.holes:
            account.holes.remove(seq, seq + 1)
        elif seq in account.forgiven:
            account.forgiven.remove(seq, seq + 1)
        elif message.id in self._tail:
            counts.overlap += 1
            return OVERLAP, None
        else:
            counts.duplicated += 1
            return DUPLICATE, mark
        account.gap = False
        counts.delivered += 1
        if mark.intended + mark.lag < resumed_before:
            counts.recovered += 1
        if not in_order:
            counts.reordered += 1
            return REORDERED, mark
        return NEW, mark

    @staticmethod
    def _first(view: TopicView, mark: Mark) -> Account:
        """The account of a stream whose first message this reader is being shown."""
        if view.base == "":
            return Account(0, 0)  # the topic was empty at the welcome: everything is owed
        if view.base is not None and mark.acked >= 0 and mark.acked_id > view.base:
            # The one before it came after the welcome too, and was not shown.
            return Account(mark.acked, mark.acked)
        return Account(mark.seq, mark.seq)

    def _mark(self, message: Message) -> Mark | None:
        """The message's mark when it belongs to this run."""
        mark = read_mark(message.content)
        return mark if mark is not None and mark.run == self._run else None

    def caught_up(self, books: Mapping[StreamKey, Book]) -> bool:
        """Whether this reader has been shown the end of every stream of its topics."""
        for (topic, poster), book in books.items():
            view = self.topics.get(topic)
            if view is None or book.last_acked < 0:
                continue
            account = view.accounts.get(poster)
            if account is None:
                if view.base is not None and book.last_id > view.base:
                    return False
            elif account.end <= book.last_acked or account.holes.minus(book.unacked):
                return False
        return True


class Ledger:
    """One process's books and accounts of one run."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.counts = Counts()
        self.books: dict[StreamKey, Book] = {}
        self.readers: list[Reader] = []

    def book(self, topic: str, poster: str) -> Book:
        """The book of a stream, opened when first asked for."""
        return self.books.setdefault((topic, poster), Book())

    def reader(self, name: str) -> Reader:
        """Open the account of a new reader."""
        made = Reader(name, self.run, self.counts)
        self.readers.append(made)
        return made

    def settle(self, books: Mapping[StreamKey, Book]) -> Verdict:
        """Compare this process's readers with everybody's books.

        ``books``: those of all processes, after posting has stopped. Sent and acknowledged are
        counted from this process's own books, so that a merge over processes counts each once.
        """
        counts = self.counts
        verdict = Verdict(
            sent=sum(book.sent for book in self.books.values()),
            acknowledged=sum(book.acknowledged for book in self.books.values()),
            indeterminate=sum(len(book.unacked) for book in self.books.values()),
            delivered=counts.delivered,
            duplicated=counts.duplicated,
            reordered=counts.reordered,
            recovered=counts.recovered,
            corrupt=counts.corrupt,
            gaps=counts.gaps,
            foreign=counts.foreign,
            overlap=counts.overlap,
            readers=len(self.readers),
        )
        by_topic: dict[str, dict[str, Book]] = {}
        for (topic, poster), book in books.items():
            by_topic.setdefault(topic, {})[poster] = book
        for reader in self.readers:
            verdict.left += not reader.attached
            for topic, view in reader.topics.items():
                self._settle_view(reader, topic, view, by_topic.get(topic, {}), verdict)
        if verdict.duplicated:
            verdict.examples.append(f"{verdict.duplicated} duplicated deliveries")
        if verdict.reordered:
            verdict.examples.append(f"{verdict.reordered} deliveries behind a later one")
        if verdict.corrupt:
            verdict.examples.append(f"{verdict.corrupt} damaged or unasked-for deliveries")
        verdict.examples = verdict.examples[:EXAMPLES]
        return verdict

    def _settle_view(
        self,
        reader: Reader,
        topic: str,
        view: TopicView,
        books: Mapping[str, Book],
        verdict: Verdict,
    ) -> None:
        """Add what one reader's view of one topic proves to ``verdict``."""
        for poster, account in view.accounts.items():
            book = books.get(poster)
            sent = book.sent if book else 0
            if account.end > max(sent, account.start):
                number = account.end - max(sent, account.start)
                verdict.unexpected += number
                verdict.delivered -= number
                verdict.examples.append(f"{reader.name} was shown {number} of {poster} never sent")
        for poster, book in books.items():
            found = view.accounts.get(poster)
            if found is None:
                self._settle_absent(reader, topic, poster, view, book, verdict)
                continue
            # Owed: acknowledged, from the account's start, to the end or to where it left.
            stop = book.sent if reader.attached and not found.gap else min(found.end, book.sent)
            owed = RangeSet([found.start, stop] if stop > found.start else None)
            owed = owed.minus(book.unacked).minus(found.forgiven)
            seen = RangeSet([found.start, found.end] if found.end > found.start else None)
            missing = owed.minus(seen.minus(found.holes))
            verdict.owed += len(owed)
            if missing:
                verdict.lost += len(missing)
                verdict.examples.append(
                    f"{reader.name} lost {missing!r} of {poster} in {topic} (seen up to "
                    f"{found.end - 1})"
                )

    @staticmethod
    def _settle_absent(
        reader: Reader, topic: str, poster: str, view: TopicView, book: Book, verdict: Verdict
    ) -> None:
        """A reader that was shown nothing of a stream at all: what was it owed?"""
        if not reader.attached or view.base is None or book.last_id <= view.base:
            return
        # All of it when even the first came after the welcome; else at least the last.
        number = book.acknowledged if book.first_id > view.base else 1
        verdict.owed += number
        verdict.lost += number
        verdict.examples.append(f"{reader.name} lost all {number} of {poster} in {topic}")


def merge_books(parts: Iterable[Mapping[StreamKey, Book]]) -> dict[StreamKey, Book]:
    """The books of all processes in one; posters are unique, so no stream occurs twice."""
    merged: dict[StreamKey, Book] = {}
    for part in parts:
        for key, book in part.items():
            if key in merged:
                raise ValueError(f"two processes kept a book of {key}")
            merged[key] = book
    return merged


def pack_books(books: Mapping[StreamKey, Book]) -> list[list[Any]]:
    """Books in the form that travels between processes."""
    return [[topic, poster, book.packed()] for (topic, poster), book in books.items()]


def unpack_books(body: Sequence[Sequence[Any]]) -> dict[StreamKey, Book]:
    """Books from :func:`pack_books`."""
    return {(topic, poster): Book.unpacked(packed) for topic, poster, packed in body}
