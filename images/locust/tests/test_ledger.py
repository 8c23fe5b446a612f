"""The ledger counts exactly what was done to the messages; single cases are in test_golden."""

import random
import tracemalloc
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatload.books import Book, merge_books, pack_books, unpack_books
from chatload.canon import establish_all
from chatload.ledger import Ledger
from chatload.mark import Mark, write
from chatload.reader import Reader
from chatload.verdict import Verdict
from chatload.wire import Message


@dataclass
class Log:
    """A perfect chat log in memory: appends, and remembers."""

    messages: list[Message] = field(default_factory=list)
    #: The lab's clock, µs.
    now: int = 0

    def append(self, topic: str, content: str) -> Message:
        number = len(self.messages)
        made = Message(f"{number:08d}", f"k{number}", topic, "n", "e@x.org", "t", content)
        self.messages.append(made)
        return made


def post(log: Log, ledger: Ledger, topic: str, poster: str, *, acked: bool = True) -> Message:
    """One post of ``poster``: into the log and, unless its ack got lost, into the book."""
    book = ledger.book(topic, poster)
    log.now += 1000
    mark = Mark(ledger.run, poster, book.send(log.now), log.now, 0)
    made = log.append(topic, write(mark, 60))
    if acked:
        book.ack(mark.seq, made.id)
    return made


def joined(ledger: Ledger, log: Log, topics: list[str], limit: int = 50) -> Reader:
    """A reader that is welcomed with the latest ``limit`` messages of its topics."""
    reader = ledger.reader(f"r{len(ledger.readers)}")
    mine = [m for m in log.messages if m.topic in topics]
    latest = mine[-limit:] if limit else []
    log.now += 1000
    reader.welcome(topics, latest, more=len(mine) > len(latest), at=log.now)
    return reader


def settled(log: Log, *ledgers: Ledger) -> Verdict:
    """The verdict when everything that the log holds can be read back."""
    books = merge_books(unpack_books(pack_books(one.books)) for one in ledgers)
    topics = {message.topic for message in log.messages}
    histories = {
        topic: ledgers[0].history([m for m in log.messages if m.topic == topic]) for topic in topics
    }
    canons, verdict = establish_all(books, histories)
    for one in ledgers:
        verdict.merge(Verdict.unpacked(one.settle(canons).packed()))
        assert not one.strays(canons)
    return verdict


def test_who_is_behind_is_heard_out_and_then_nobody_is() -> None:
    ledger, log = Ledger("run"), Log()
    readers = [joined(ledger, log, ["a"]) for _ in range(3)]
    made = [post(log, ledger, "a", "p") for _ in range(4)]
    canons, _ = establish_all(ledger.books, {"a": ledger.history(log.messages)})
    for message in made:
        assert ledger.behind(readers, canons) == readers
        for reader in readers[1:]:
            reader.deliver(message)
    assert ledger.behind(readers, canons) == readers[:1]
    # What an announced gap swallowed will not come: nobody waits for it.
    readers[0].welcome(["a"], [], more=True, at=log.now + 1)
    assert ledger.behind(readers, canons) == []


@dataclass
class Proxy:
    """Drops, duplicates and swaps chosen messages on the way to one reader, and counts."""

    rng: random.Random
    drop: float
    double: float
    swap: float
    dropped: int = 0
    doubled: int = 0
    swapped: int = 0
    #: topic → the message held back; only messages of one topic have an order to break.
    held: dict[str, Message] = field(default_factory=dict)

    def through(self, message: Message) -> list[Message]:
        """What comes out when ``message`` goes in: no two mischiefs touch the same message."""
        if message.topic in self.held:
            self.swapped += 1
            return [message, self.held.pop(message.topic)]
        chance = self.rng.random()
        if chance < self.drop:
            self.dropped += 1
            return []
        if chance < self.drop + self.double:
            self.doubled += 1
            return [message, message]
        if chance < self.drop + self.double + self.swap:
            self.held[message.topic] = message
            return []
        return [message]

    def end(self) -> list[Message]:
        """Let go of what is still held back: nothing overtook it, so it was not swapped."""
        return list(self.held.values())


@given(st.integers(0, 2**32))
def test_the_ledger_counts_exactly_what_a_mischievous_proxy_did(seed: int) -> None:
    """Readers that join at any time, two workers, several topics; drops, doubles and swaps."""
    rng = random.Random(seed)
    log = Log()
    workers = [Ledger("run"), Ledger("run")]
    topics = ["a", "b", "c"][: rng.randint(1, 3)]
    posters = [(rng.choice(workers), f"p{n}", rng.choice(topics)) for n in range(rng.randint(1, 6))]
    proxies: list[tuple[Reader, Proxy, list[str]]] = []

    def join() -> None:
        mine = rng.sample(topics, rng.randint(1, len(topics)))
        # The log is short enough for the welcome to hold all of it: every head is provable.
        reader = joined(rng.choice(workers), log, mine, limit=10_000)
        proxies.append((reader, Proxy(rng, 0.05, 0.05, 0.05), mine))

    join()
    expected_owed = 0
    for _ in range(rng.randint(1, 250)):
        if rng.random() < 0.03:
            join()
        worker, name, topic = rng.choice(posters)
        message = post(log, worker, topic, name)
        for reader, proxy, mine in proxies:
            if topic in mine:
                expected_owed += 1
                for out in proxy.through(message):
                    reader.deliver(out)
    for reader, proxy, _ in proxies:
        for out in proxy.end():
            reader.deliver(out)
    verdict = settled(log, *workers)
    assert verdict.owed == expected_owed
    assert verdict.lost == sum(proxy.dropped for _, proxy, _ in proxies)
    assert verdict.duplicated == sum(proxy.doubled for _, proxy, _ in proxies)
    assert verdict.reordered == sum(proxy.swapped for _, proxy, _ in proxies)
    assert verdict.delivered == verdict.owed - verdict.lost
    assert verdict.unexpected == verdict.corrupt == verdict.recovered == verdict.misnamed == 0
    assert verdict.clean == (verdict.lost + verdict.duplicated + verdict.reordered == 0)


def test_memory_is_a_range_for_each_reader_and_an_entry_for_each_message() -> None:
    """Not an account for each reader and poster: 50 readers of 40 posters."""
    ledger, log = Ledger("run"), Log()
    readers = [joined(ledger, log, ["a"]) for _ in range(50)]
    for number in range(2_000):
        message = post(log, ledger, "a", f"p{number % 40}")
        for reader in readers:
            reader.deliver(message)
            reader.position(confirmed=True)
    assert len(ledger.roll("a").entries) == 2_000
    assert all(reader.topics["a"].seen.pieces() == 1 for reader in readers)
    assert settled(log, ledger).clean


def test_two_processes_cannot_keep_the_same_book() -> None:
    with pytest.raises(ValueError, match="two processes"):
        merge_books([{("a", "p"): Book()}, {("a", "p"): Book()}])


def test_five_thousand_readers_fit_beside_their_sockets() -> None:
    """Half of 10,000 people in a worker of the manifest's size: accounts are a small part of what a
    socket costs (28 KB), however many posters there are."""
    ledger, log = Ledger("run"), Log()
    tracemalloc.start()
    readers = [joined(ledger, log, ["a"]) for _ in range(5_000)]
    for number in range(200):
        message = post(log, ledger, "a", f"p{number}")
        for reader in readers:
            reader.deliver(message)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / len(readers) < 2_000
    canons, _ = establish_all(ledger.books, {"a": ledger.history(log.messages)})
    verdict = ledger.settle(canons)
    assert verdict.owed == verdict.delivered == 200 * 5_000
