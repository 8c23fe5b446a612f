"""The delivery ledger: who sent what, who was shown what, and what that proves.

Pure: no sockets, no clock. One :class:`Ledger` per load process and run; the master adds them up.

The method, in the order of a run:

1. Posters keep *books* (:mod:`chatload.books`): what was sent, when, acknowledged under which id.
2. Each process keeps a *roll* of each topic (:mod:`chatload.roll`), and each reader its account on
   it (:mod:`chatload.reader`): ranges of what it was shown, and from where on it is owed.
3. When posting is over, the history of each topic is read back to its beginning. Books and history
   make the *canon* (:mod:`chatload.canon`): every message there is, in order. What was acknowledged
   must be in the history, under the id of its acknowledgement.
4. When nothing comes any more, each process holds its readers against the canon
   (:meth:`Ledger.settle`): each message of the canon is owed once to each reader of its topic.

Memory: about 0.4 KB a message and process, and about 0.5 KB a reader and topic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chatload.books import Book, Books
from chatload.canon import Canon, History, seen_in
from chatload.mark import Mark
from chatload.mark import read as read_mark
from chatload.ranges import RangeSet
from chatload.reader import Reader, TopicView
from chatload.roll import Entry, Roll
from chatload.verdict import Counts, Verdict
from chatload.wire import Message

#: Marks remembered, so that a message that many are shown is read once.
MARKS_REMEMBERED = 4_096
#: Most messages that one process asks to be looked up a second time.
STRAYS_LIMIT = 1_000


class Ledger:
    """One process's books and accounts of one run. Not for concurrent use."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.counts = Counts()
        self.books: Books = {}
        self.readers: list[Reader] = []
        self.rolls: dict[str, Roll] = {}
        #: content → mark, of what was seen lately.
        self._marks: dict[str, Mark] = {}

    def book(self, topic: str, poster: str) -> Book:
        """The book of a stream, opened when first asked for."""
        return self.books.setdefault((topic, poster), Book())

    def reader(self, name: str) -> Reader:
        """Open the account of a new reader."""
        made = Reader(name, self)
        self.readers.append(made)
        return made

    def roll(self, topic: str) -> Roll:
        """The roll of a topic."""
        found = self.rolls.get(topic)
        # The first to see the topic begins its roll.
        if found is None:
            found = self.rolls[topic] = Roll()
        return found

    def mark(self, message: Message) -> Mark | None:
        """A message's mark when it belongs to this run; ValueError when it is damaged."""
        found = self._marks.get(message.content)
        # The same content goes to every reader: read it once.
        if found is not None:
            return found
        mark = read_mark(message.content)
        # Not from a load lab, or of another run.
        if mark is None or mark.run != self.run:
            return None
        # What is remembered is bounded; it may be read again.
        if len(self._marks) >= MARKS_REMEMBERED:
            self._marks.clear()
        self._marks[message.content] = mark
        return mark

    def history(self, messages: list[Message]) -> History:
        """A topic that was read back, oldest first, as the canon wants it."""
        made = History()
        # One entry for each message that is ours and whole.
        for message in messages:
            # Content that bears our mark and is changed is damage.
            try:
                mark = self.mark(message)
            except ValueError:
                made.corrupt += 1
                continue
            # Messages of others are nobody's business here.
            if mark is not None:
                made.entries.append(Entry(message.id, mark.poster, mark.seq, mark.sent))
        return made

    def behind(self, readers: Iterable[Reader], canons: Mapping[str, Canon]) -> list[Reader]:
        """Those of ``readers`` that have yet to be shown something of the canon."""
        blocks: dict[str, list[tuple[int, int, int]]] = {}

        def waits(topic: str, view: TopicView) -> bool:
            """Whether something of one topic is to come; what a gap swallowed is not."""
            canon = canons.get(topic)
            # Nothing is owed of this topic.
            if canon is None or canon.start(view) >= len(canon):
                return False
            # Many readers of one topic share this.
            if topic not in blocks:
                blocks[topic] = canon.indexes(self.roll(topic))
            missing = RangeSet([canon.start(view), len(canon)])
            missing = missing.minus(seen_in(blocks[topic], view.seen))
            # What an announced gap covers will not come.
            for gap in view.gaps:
                missing.remove(*canon.gap(gap))
            return bool(missing)

        return [one for one in readers if any(waits(*item) for item in one.topics.items())]

    def settle(self, canons: Mapping[str, Canon]) -> Verdict:
        """Hold this process's readers against the canon. What the books prove is counted where the
        canon was made, so that a sum over processes counts each thing once."""
        counts = self.counts
        verdict = Verdict(
            delivered=counts.delivered,
            duplicated=counts.duplicated,
            reordered=counts.reordered,
            recovered=counts.recovered,
            corrupt=counts.corrupt,
            gaps=counts.gaps,
            foreign=counts.foreign,
            overlap=counts.overlap,
            readers=len(self.readers),
            left=sum(not reader.attached for reader in self.readers),
        )
        readers: dict[str, list[tuple[Reader, TopicView]]] = {}
        # Who read what: views by topic.
        for reader in self.readers:
            # A reader may follow several topics.
            for topic, view in reader.topics.items():
                readers.setdefault(topic, []).append((reader, view))
        # Hold each topic's views against its canon.
        for topic, views in readers.items():
            canon = canons.get(topic, Canon([], None, {}))
            self._settle_topic(topic, views, canon, verdict)
        # A few words for what the numbers hold.
        for word in ("duplicated", "reordered", "corrupt", "gaps"):
            number = getattr(counts, word)
            # Only what there was.
            if number:
                verdict.example(f"{number} {word}")
        return verdict

    def _settle_topic(
        self, topic: str, views: list[tuple[Reader, TopicView]], canon: Canon, verdict: Verdict
    ) -> None:
        """Add what the readers of one topic prove to ``verdict``."""
        roll = self.roll(topic)
        blocks = canon.indexes(roll)
        unsent = [
            ordinal
            for ordinal, entry in enumerate(roll.entries)
            if entry.seq >= canon.sizes.get(entry.poster, 0)
        ]
        verdict.misnamed += len(roll.misnamed)
        # Messages that this process saw under two ids.
        for entry in roll.misnamed:
            verdict.example(f"{topic}: {entry.poster}'s {entry.seq} was also shown as {entry.id}")
        # Ids must be those of the canon.
        for entry in roll.entries:
            index = canon.index(entry.poster, entry.seq)
            # Shown under another id than the log has.
            if index is not None and canon.ids[index] != entry.id and entry not in roll.misnamed:
                verdict.misnamed += 1
                verdict.example(
                    f"{topic}: {entry.poster}'s {entry.seq} is {canon.ids[index]}, "
                    f"and was shown as {entry.id}"
                )
        # What nobody sent, each reader by itself, and what each was owed.
        for reader, view in views:
            strange = sum(ordinal in view.seen for ordinal in unsent)
            # The same message is unexpected to each who was shown it.
            if strange:
                verdict.unexpected += strange
                verdict.delivered -= strange
                verdict.example(f"{topic}: {reader.name} was shown {strange} that nobody sent")
            self._settle_view(topic, reader, view, canon, blocks, verdict)

    @staticmethod
    def _settle_view(
        topic: str,
        reader: Reader,
        view: TopicView,
        canon: Canon,
        blocks: list[tuple[int, int, int]],
        verdict: Verdict,
    ) -> None:
        """Add what one reader's view of one topic proves to ``verdict``."""
        start = canon.start(view)
        stop = len(canon) if reader.attached else canon.after(view.last)
        # It left before anything was owed to it.
        if start >= stop:
            return
        verdict.owed += stop - start
        missing = RangeSet([start, stop]).minus(seen_in(blocks, view.seen))
        # All that was owed was shown.
        if not missing:
            return
        skipped = RangeSet()
        for gap in view.gaps:
            # Only what the history has can be found there by whom the gap concerns.
            for low, high in missing.within(*canon.gap(gap)).ranges():
                held = RangeSet([low, high])
                # A gap excuses only what the history has.
                for piece in (held if canon.kept is None else held.common(canon.kept)).ranges():
                    skipped.add(*piece)
        lost = missing.minus(skipped)
        verdict.skipped += len(skipped)
        verdict.lost += len(lost)
        # Name the first of what was lost.
        if lost:
            first = canon.entries[next(lost.ranges())[0]]
            verdict.example(
                f"{topic}: {reader.name} lost {len(lost)}, first {first.poster}'s {first.seq}"
            )
        # Name what an announced gap swallowed.
        if skipped:
            verdict.example(f"{topic}: {reader.name} was told of a gap of {len(skipped)}")

    def strays(self, canons: Mapping[str, Canon]) -> dict[str, list[str]]:
        """Ids by topic of what was sent and shown here and is in no canon: acknowledged never, and
        not in the history when that was read. It may have come later: to be looked up again."""
        out: dict[str, list[str]] = {}
        number = 0
        # Of each topic that was shown here.
        for topic, roll in self.rolls.items():
            canon = canons.get(topic)
            # A topic whose history could not be read is looked at by nobody.
            if canon is None or canon.kept is None:
                continue
            # Shown, and sent by somebody, but in no canon.
            for entry in roll.entries:
                known = canon.index(entry.poster, entry.seq) is not None
                # What nobody sent is unexpected already.
                if not known and entry.seq < canon.sizes.get(entry.poster, 0):
                    out.setdefault(topic, []).append(entry.id)
                    number += 1
                    # More than this prove nothing more.
                    if number >= STRAYS_LIMIT:
                        return out
        return out
