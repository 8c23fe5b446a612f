"""The ledger counts exactly what was done to the messages."""

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatload import ledger as books
from chatload.ledger import Ledger, merge_books, pack_books, unpack_books
from chatload.mark import Mark, write
from chatload.wire import Message


@dataclass
class Log:
    """A perfect chat log in memory: appends, and remembers."""

    messages: list[Message] = field(default_factory=list)

    def append(self, topic: str, content: str) -> Message:
        number = len(self.messages)
        made = Message(f"{number:08d}", f"k{number}", topic, "n", "e@x.org", "t", content)
        self.messages.append(made)
        return made


def post(log: Log, ledger: Ledger, topic: str, poster: str, *, acked: bool = True) -> Message:
    """One post of ``poster``: into the log and, unless its ack got lost, into the book."""
    book = ledger.book(topic, poster)
    mark = Mark(ledger.run, poster, book.send(), 0, 0, book.last_acked, book.last_id)
    made = log.append(topic, write(mark, 60))
    if acked:
        book.ack(mark.seq, made.id)
    return made


def joined(ledger: Ledger, log: Log, topics: list[str], limit: int = 50) -> books.Reader:
    """A reader that is welcomed with the latest ``limit`` messages of its topics."""
    reader = ledger.reader(f"r{len(ledger.readers)}")
    mine = [m for m in log.messages if m.topic in topics]
    latest = mine[-limit:] if limit else []
    reader.welcome(topics, latest, recovered=False, more=len(mine) > len(latest))
    return reader


def test_a_perfect_run_is_clean() -> None:
    ledger, log = Ledger("run"), Log()
    readers = [joined(ledger, log, ["a", "b"]) for _ in range(3)]
    for number in range(40):
        message = post(log, ledger, "ab"[number % 2], f"p{number % 5}")
        for reader in readers:
            assert reader.deliver(message)[0] == books.NEW
    verdict = ledger.settle(ledger.books)
    assert verdict.clean
    assert (verdict.sent, verdict.acknowledged, verdict.delivered) == (40, 40, 120)
    assert verdict.owed == 120 and verdict.lost == 0
    assert all(reader.caught_up(ledger.books) for reader in readers)


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
    proxies: list[tuple[books.Reader, Proxy, list[str]]] = []

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
    everybody = merge_books(unpack_books(pack_books(worker.books)) for worker in workers)
    verdict = workers[0].settle(everybody)
    verdict.merge(books.Verdict.unpacked(workers[1].settle(everybody).packed()))
    assert verdict.owed == expected_owed
    assert verdict.lost == sum(proxy.dropped for _, proxy, _ in proxies)
    assert verdict.duplicated == sum(proxy.doubled for _, proxy, _ in proxies)
    assert verdict.reordered == sum(proxy.swapped for _, proxy, _ in proxies)
    assert verdict.delivered == verdict.owed - verdict.lost
    assert verdict.unexpected == verdict.corrupt == verdict.recovered == 0
    assert verdict.clean == (verdict.lost + verdict.duplicated + verdict.reordered == 0)


@given(st.integers(0, 2**32))
def test_a_hole_at_the_welcome_is_found_even_when_the_welcome_is_short(seed: int) -> None:
    """The classic bug: what is posted between the history and the subscription is never shown."""
    rng = random.Random(seed)
    ledger, log = Ledger("run"), Log()
    for _ in range(rng.randint(5, 60)):
        post(log, ledger, "a", f"p{rng.randint(0, 3)}")
    reader = joined(ledger, log, ["a"], limit=2)
    hidden = post(log, ledger, "a", "p0")
    for number in range(12):
        reader.deliver(post(log, ledger, "a", f"p{number % 4}"))
    verdict = ledger.settle(ledger.books)
    assert verdict.lost == 1, hidden
    assert not verdict.clean and "lost" in verdict.examples[0]


def test_a_reader_that_is_shown_nothing_of_a_stream_has_lost_all_of_it() -> None:
    ledger, log = Ledger("run"), Log()
    reader = joined(ledger, log, ["a"])
    for _ in range(7):
        post(log, ledger, "a", "p")
    assert not reader.caught_up(ledger.books)
    assert ledger.settle(ledger.books).lost == 7


def test_an_unacknowledged_message_is_neither_lost_nor_unexpected() -> None:
    ledger, log = Ledger("run"), Log()
    reader = joined(ledger, log, ["a"])
    reader.deliver(post(log, ledger, "a", "p"))
    post(log, ledger, "a", "p", acked=False)  # never shown
    reader.deliver(post(log, ledger, "a", "p", acked=False))  # shown
    reader.deliver(post(log, ledger, "a", "p"))
    verdict = ledger.settle(ledger.books)
    assert verdict.clean and verdict.indeterminate == 2
    assert (verdict.delivered, verdict.owed) == (3, 2)
    assert reader.caught_up(ledger.books)


def test_a_message_nobody_sent_is_unexpected() -> None:
    ledger, log = Ledger("run"), Log()
    reader = joined(ledger, log, ["a"])
    reader.deliver(post(log, ledger, "a", "p"))
    reader.deliver(log.append("a", write(Mark("run", "ghost", 0, 0, 0, -1, ""), 60)))
    verdict = ledger.settle(ledger.books)
    assert verdict.unexpected == 1 and not verdict.clean


def test_a_damaged_content_or_a_topic_not_asked_for_is_corrupt() -> None:
    ledger, log = Ledger("run"), Log()
    reader = joined(ledger, log, ["a"])
    message = post(log, ledger, "a", "p")
    assert reader.deliver(message._replace(content=message.content + "!"))[0] == books.CORRUPT
    assert reader.deliver(post(log, ledger, "b", "p"))[0] == books.CORRUPT
    verdict = ledger.settle(ledger.books)
    assert verdict.corrupt == 2 and not verdict.clean


def test_other_peoples_messages_are_foreign() -> None:
    ledger, log = Ledger("run"), Log()
    reader = joined(ledger, log, ["a"])
    assert reader.deliver(log.append("a", "hello"))[0] == books.FOREIGN
    other = post(log, Ledger("other"), "a", "p")
    assert reader.deliver(other)[0] == books.FOREIGN
    assert ledger.settle(ledger.books).foreign == 2


def test_a_retry_that_became_a_second_message_is_a_duplicate() -> None:
    ledger, log = Ledger("run"), Log()
    reader = joined(ledger, log, ["a"])
    message = post(log, ledger, "a", "p")
    reader.deliver(message)
    assert reader.deliver(log.append("a", message.content))[0] == books.DUPLICATE


def test_a_resume_continues_the_account_and_an_older_cursor_excuses_its_repeats() -> None:
    ledger, log = Ledger("run"), Log()
    reader = joined(ledger, log, ["a"])
    first = post(log, ledger, "a", "p")
    reader.deliver(first)
    reader.position(confirmed=False, messages=[first])
    away = post(log, ledger, "a", "p")
    assert reader.deliver(first, resumed_before=books.ALWAYS)[0] == books.OVERLAP
    assert reader.deliver(away, resumed_before=books.ALWAYS)[0] == books.NEW
    reader.position(confirmed=True)
    assert reader.deliver(away)[0] == books.DUPLICATE
    verdict = ledger.settle(ledger.books)
    assert (verdict.recovered, verdict.overlap, verdict.duplicated, verdict.lost) == (1, 1, 1, 0)


def test_an_announced_gap_is_counted_and_forgiven_but_only_once() -> None:
    ledger, log = Ledger("run"), Log()
    reader = joined(ledger, log, ["a"])
    seen = [post(log, ledger, "a", "p") for _ in range(3)]
    for message in seen:
        reader.deliver(message)
    for _ in range(4):
        post(log, ledger, "a", "p")  # swallowed by the gap
    latest = post(log, ledger, "a", "p")
    reader.welcome(["a"], [seen[-1], latest], recovered=False, more=True)
    reader.deliver(post(log, ledger, "a", "p"))
    verdict = ledger.settle(ledger.books)
    assert verdict.clean and verdict.gaps == 1 and verdict.duplicated == 0
    post(log, ledger, "a", "p")  # after the gap everything is owed again
    reader.deliver(post(log, ledger, "a", "p"))
    assert ledger.settle(ledger.books).lost == 1


def test_a_reader_that_left_is_owed_only_what_it_got_past() -> None:
    ledger, log = Ledger("run"), Log()
    reader = joined(ledger, log, ["a"])
    messages = [post(log, ledger, "a", "p") for _ in range(6)]
    for message in (messages[0], messages[1], messages[3]):
        reader.deliver(message)
    reader.attached = False
    verdict = ledger.settle(ledger.books)
    assert verdict.lost == 1 and verdict.left == 1 and verdict.owed == 4


def test_memory_is_bounded_by_disorder_not_by_messages() -> None:
    ledger, log = Ledger("run"), Log()
    reader = joined(ledger, log, ["a"])
    for _ in range(5_000):
        reader.deliver(post(log, ledger, "a", "p"))
        reader.position(confirmed=True)
    account = reader.topics["a"].accounts["p"]
    assert account.holes.pieces() == 0 and ledger.book("a", "p").unacked.pieces() == 0
    assert len(pack_books(ledger.books)) == 1


def test_two_processes_cannot_keep_the_same_book() -> None:
    with pytest.raises(ValueError, match="two processes"):
        merge_books([Ledger("r").books, {("a", "p"): books.Book()}, {("a", "p"): books.Book()}])
