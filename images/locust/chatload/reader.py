"""A reader's account: what it was shown over all connections, and from where on it is owed. Pure.

What a reader is owed of a topic begins at its first ``welcome``:

* the welcome lists the latest messages: a topic that is among them is owed from its last one there;
* with no older ones than those (``more`` false), a topic that is not among them had none;
* else the welcome leaves the topic's position open. Then causality tells: a message put on the wire
  after the welcome had arrived cannot be older than the welcome's position.

An honoured cursor (``recovered``) promises that nothing was missed, so the account goes on. One
that was not honoured is an *announced gap*: between the last message seen and the new position,
what was not shown may be skipped, if the history has it. Everything after it is owed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from chatload.mark import Mark
from chatload.ranges import RangeSet
from chatload.roll import Roll
from chatload.verdict import Counts
from chatload.wire import Message

#: Most ids remembered between two cursors (a server that sends no cursor with its messages).
TAIL_LIMIT = 20_000
#: A ``resumed_before`` that is later than every message.
ALWAYS = 1 << 62

#: Outcomes of :meth:`Reader.deliver`.
NEW, DUPLICATE, REORDERED, FOREIGN, OVERLAP, CORRUPT = (
    "new",
    "duplicated",
    "reordered",
    "foreign",
    "overlap",
    "corrupt",
)


class Gap(NamedTuple):
    """An announced gap of one topic. low: id of the last message seen before. base: id of the last
    one listed after it, "" when the topic had none, None when that is not known. at: when it was
    announced, µs."""

    low: str
    base: str | None
    at: int


class TopicView:
    """What a reader knows of one topic."""

    __slots__ = ("at", "base", "gaps", "last", "seen")

    def __init__(self, base: str | None, at: int) -> None:
        #: Id of the topic's last message at the welcome: "" for none, None for unknown.
        self.base = base
        #: When the welcome arrived, µs.
        self.at = at
        #: Greatest id seen so far; ids of a topic ascend, so a smaller one came out of order.
        self.last = base or ""
        #: Ordinals (see roll) of the messages that were shown.
        self.seen = RangeSet()
        self.gaps: tuple[Gap, ...] = ()


class Process(Protocol):
    """What readers of one process share (:class:`chatload.ledger.Ledger`)."""

    counts: Counts

    def roll(self, topic: str) -> Roll:
        """The roll of a topic."""

    def mark(self, message: Message) -> Mark | None:
        """A message's mark when it belongs to this run; ValueError when it is damaged."""


class Reader:
    """One reader's account over all its connections. Owned by its reader greenlet."""

    __slots__ = ("_fresh", "_process", "_tail", "attached", "name", "topics")

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self._process = process
        self.topics: dict[str, TopicView] = {}
        #: Connected at the end and heard out: owed everything. Else owed only what it got past.
        self.attached = True
        #: Ids received since the last cursor; empty while the last frame carried one.
        self._tail: set[str] = set()
        #: True until the first welcome.
        self._fresh = True

    def welcome(
        self, topics: Iterable[str], messages: Sequence[Message], *, more: bool, at: int
    ) -> None:
        """A confirmed position. Call it for the first welcome of this reader and for one whose
        cursor was not honoured; a resumed one (``recovered``) needs no call: deliver its messages.

        ``topics``: the topics subscribed to. ``messages``: the latest ones, oldest first.
        ``more``: whether older messages exist than those. ``at``: when it arrived, µs of the lab's
        clock, its greatest error added.
        """
        latest: dict[str, str | None] = dict.fromkeys(topics, None if more else "")
        for message in messages:
            if message.topic in latest:
                latest[message.topic] = max(latest[message.topic] or "", message.id)
        if not self._fresh:
            self._announced_gap(latest, messages, at)
            return
        self._fresh = False
        self.topics = {topic: TopicView(base, at) for topic, base in latest.items()}
        for message in messages:
            # What is listed counts for nobody as delivered, but it must be whole.
            try:
                self._process.mark(message)
            except ValueError:
                self._process.counts.corrupt += 1

    def _announced_gap(
        self, latest: Mapping[str, str | None], messages: Sequence[Message], at: int
    ) -> None:
        """The server could not honour the cursor and said so: start again from the latest."""
        self._process.counts.gaps += 1
        for topic, view in self.topics.items():
            view.gaps += (Gap(view.last, latest.get(topic), at),)
        for message in messages:
            known = self.topics.get(message.topic)
            # The latest messages repeat what was already shown, which is no duplicate here.
            if known is not None and message.id > known.last:
                self.deliver(message, resumed_before=ALWAYS)

    def position(self, *, confirmed: bool, messages: Sequence[Message] = ()) -> None:
        """After each frame: ``confirmed`` says that it carried a cursor. Without one its messages
        may come again on resume, and must then not be taken for duplicates."""
        if confirmed:
            if self._tail:
                self._tail.clear()
        elif len(self._tail) < TAIL_LIMIT:
            self._tail.update(message.id for message in messages)

    def deliver(self, message: Message, *, resumed_before: int = 0) -> tuple[str, Mark | None]:
        """A message was shown. Sent before the instant ``resumed_before`` (µs of the lab's clock)
        it came by a resume. Returns what it was and its mark (None unless new, duplicate or
        reordered)."""
        counts = self._process.counts
        try:
            mark = self._process.mark(message)
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
        roll = self._process.roll(message.topic)
        ordinal = roll.ordinal(message.id, mark)
        if not view.seen.push(ordinal):
            if message.id in self._tail:
                counts.overlap += 1
                return OVERLAP, None
            counts.duplicated += 1
            return DUPLICATE, mark
        if roll.twins and self._seen_as_twin(view, roll, ordinal):
            counts.duplicated += 1
            return DUPLICATE, mark
        counts.delivered += 1
        if mark.intended + mark.lag < resumed_before:
            counts.recovered += 1
        if message.id <= view.last:
            counts.reordered += 1
            return REORDERED, mark
        view.last = message.id
        return NEW, mark

    @staticmethod
    def _seen_as_twin(view: TopicView, roll: Roll, ordinal: int) -> bool:
        """Whether this message was shown before under another id."""
        first = roll.twins.get(ordinal, ordinal)
        same = [first, *(other for other, one in roll.twins.items() if one == first)]
        return any(one != ordinal and one in view.seen for one in same)
