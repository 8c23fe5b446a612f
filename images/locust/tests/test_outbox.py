"""A poster's outbox: every post that was due ends in one counter; late ones are not sent."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import gevent
from gevent.event import Event

from chatload import wire
from chatload.ledger import Ledger
from chatload.options import Options
from chatload.outbox import Outbox


class Client:
    """A client and its bench in one: records what is sent."""

    def __init__(self) -> None:
        self.bench: Any = self
        self.name, self.topics = "p", ["a"]
        self.ledger, self.options = Ledger("run"), Options()
        self.connected = Event()
        self.connected.set()
        self.closed = False
        self.sent: list[str] = []
        self.counts: Counter[str] = Counter()
        self.times: list[tuple[str, int]] = []

    def send(self, frame: str) -> None:
        self.sent.append(frame)

    def now(self) -> int:
        return 1_000_000

    def count(self, name: str, number: int = 1) -> None:
        self.counts[name] += number

    def record(self, row: str, value: int) -> None:
        self.times.append((row, value))

    def own_lag(self, late: int) -> None:
        self.times.append(("own lag", late))

    def failure(self, row: str, text: str) -> None:
        self.counts[f"{row}: {text}"] += 1

    def in_flight(self, change: int) -> None:
        self.counts["in flight"] += change


def made() -> tuple[Client, Outbox, gevent.Greenlet[..., Any]]:
    """A client, its outbox, and the sender greenlet at work."""
    client: Any = Client()
    outbox = Outbox(client, random.Random(1))
    return client, outbox, gevent.spawn(outbox.run)


def settle() -> None:
    """Let the sender run until it waits."""
    for _ in range(20):
        gevent.sleep(0)


def test_one_at_a_time_and_each_is_counted_where_it_is() -> None:
    client, outbox, greenlet = made()
    for _ in range(3):
        assert outbox.offer("a", 900_000)
    settle()
    assert len(client.sent) == 1 and outbox.unanswered and outbox.unsent == 2
    key = json.loads(client.sent[0])["key"]
    assert outbox.answered(wire.Ack(key, "1", "t"), 1_004_000) and not outbox.quiet.is_set()
    settle()
    assert client.counts["acks"] == 1 and len(client.sent) == 2 and outbox.unsent == 1
    assert not outbox.answered(wire.Ack("another", "2", "t"), 1_005_000)
    greenlet.kill()


def test_a_post_is_late_from_when_it_could_leave_and_answered_when_its_answer_came() -> None:
    """What waits behind an unanswered post, or for a connection, does so for the server's sake."""
    client, outbox, greenlet = made()
    outbox.offer("a", 900_000)
    outbox.offer("a", 900_000)
    settle()
    assert client.times == [("own lag", 100_000)]
    outbox.answered(wire.Ack("run:p:0:0", "1", "t"), 930_000)
    settle()
    assert client.times[1:] == [("ack", 30_000), ("own lag", 70_000)]
    client.connected.clear()
    outbox.answered(wire.Ack("run:p:0:1", "2", "t"), 940_000)
    outbox.offer("a", 950_000)
    settle()
    client.connected.set()
    settle()
    assert len(client.sent) == 3 and client.times[3:] == [("ack", 40_000)]
    greenlet.kill()


def test_what_is_not_sent_when_the_books_close_is_never_sent() -> None:
    """Posts that left after the books were handed in were shown and looked made up."""
    client, outbox, greenlet = made()
    client.connected.clear()
    for _ in range(3):
        outbox.offer("a", 900_000)
    settle()
    client.closed = True
    client.connected.set()  # the server is back, too late
    settle()
    assert client.sent == [] and client.ledger.book("a", "p").sent == 0
    assert outbox.unsent == 3 and not outbox.unanswered and greenlet.ready()


def test_an_answer_after_the_books_closed_changes_nothing() -> None:
    client, outbox, greenlet = made()
    outbox.offer("a", 900_000)
    settle()
    client.closed = True
    outbox.answered(wire.Ack("run:p:0:0", "1", "t"), 1_000_000)
    settle()
    book = client.ledger.book("a", "p")
    assert (book.sent, book.acknowledged) == (1, 0) and outbox.unanswered and greenlet.ready()


def test_a_final_refusal_is_counted_and_not_tried_again() -> None:
    client, outbox, greenlet = made()
    outbox.offer("a", 900_000)
    settle()
    outbox.answered(wire.ErrorFrame("bad_message", "no", "run:p:0:0", None, None), 1_000_000)
    settle()
    assert client.counts["posts refused"] == 1 and outbox.quiet.is_set() and len(client.sent) == 1
    greenlet.kill()


def test_who_leaves_gives_back_what_waits() -> None:
    client, outbox, greenlet = made()
    for number in range(3):
        outbox.offer("a", number)
    settle()
    assert outbox.take_back() == [("a", 1), ("a", 2)]
    assert outbox.unsent == 0 and outbox.unanswered and client.counts["in flight"] == 1
    greenlet.kill()
