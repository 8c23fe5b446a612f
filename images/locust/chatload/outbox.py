"""A poster's outbox: posts that are due, sent one at a time, as a person does.

The sender greenlet owns the books of its streams. It alone (and ``ask_history``) sends on the
socket. Every post that was due ends in exactly one of five ways, and is counted there:
acknowledged, refused for good, unanswered, unsent, or (by the worker) dropped.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import gevent
from gevent.event import AsyncResult, Event
from gevent.queue import Queue

from chatload import wire
from chatload.mark import Mark, write
from chatload.transport import GONE

if TYPE_CHECKING:
    from chatload.client import ChatClient

#: Seconds after which an unanswered post is tried again with the same key.
ACK_TIMEOUT = 10.0
#: Back-off between tries of one post: FIRST · 2**n seconds, at most 2**5 times, half to one and a
#: half times of it at random.
BACKOFF_FIRST = 0.25
#: Posts that may wait in one poster's outbox; more are dropped, counted, and make a run invalid.
OUTBOX_LIMIT = 2_000


class Outbox:
    """One poster's posts. client: whose socket, name and topics they use."""

    def __init__(self, client: ChatClient, rng: random.Random) -> None:
        self._client = client
        self._rng = rng
        #: Posts that are due: (topic, intended instant in µs).
        self._due: Queue[tuple[str, int]] = Queue()
        #: Set while no post waits to be sent or answered.
        self.quiet = Event()
        self.quiet.set()
        #: Posts offered and not finished; of these, whether one is on the wire and not answered.
        self.pending = 0
        self.unanswered = False
        #: The answer that the sender greenlet waits for, and the key it is about.
        self._answer: AsyncResult[wire.Ack | wire.ErrorFrame | None] = AsyncResult()
        self._key = ""
        #: When the latest answer came, µs.
        self._answered_at = 0

    def offer(self, topic: str, intended: int) -> bool:
        """A post is due: at ``intended`` (µs), in ``topic``. False when the outbox is full."""
        # A full box: the server does not keep up, and the post counts as dropped.
        if self._due.qsize() >= OUTBOX_LIMIT:
            return False
        self._client.bench.count("due")
        self._client.bench.in_flight(1)
        self.pending += 1
        self.quiet.clear()
        self._due.put((topic, intended))
        return True

    @property
    def unsent(self) -> int:
        """Posts that are due and were never put on the wire."""
        return self.pending - self.unanswered

    def take_back(self) -> list[tuple[str, int]]:
        """This person leaves: the posts that wait, for somebody else. One that is on the wire
        stays; whether it is in the log is then unknown."""
        waiting = []
        # Empty the queue.
        while not self._due.empty():
            waiting.append(self._due.get_nowait())
        self.pending -= len(waiting)
        # They are in flight no more.
        for _ in waiting:
            self._client.bench.in_flight(-1)
        return waiting

    def answered(self, frame: wire.Ack | wire.ErrorFrame, at: int) -> bool:
        """The server answered at ``at`` (µs); whether it was this poster's present post that it is
        about."""
        # An answer to another post, or a second one to this.
        if not self._key or frame.key != self._key:
            return False
        self._answered_at = at
        self._answer.set(frame)
        return True

    def disconnected(self) -> None:
        """No answer will come on this connection."""
        self._answer.set(None)

    def run(self) -> None:
        """The sender greenlet. Latency counts from when a post was due, so one that waits behind a
        slow one is felt."""
        bench = self._client.bench
        # One post at a time, until the user ends.
        while True:
            topic, intended = self._due.get()
            # It could not be sent before the end.
            if not self._post(topic, intended):
                return  # the books are closed with this post in them
            bench.in_flight(-1)
            self.pending -= 1
            # Nothing waits: whoever waits for that may go on.
            if self._due.empty():
                self.quiet.set()

    def _post(self, topic: str, intended: int) -> bool:
        """One post, tried with the same key until it is acknowledged or refused for good. False
        when the books were closed before that."""
        client, bench = self._client, self._client.bench
        # A post that waits for a connection does so for the server's sake.
        promptly = client.connected.is_set()
        client.connected.wait()
        # While it waited the load may have ended.
        if self._closed():
            return False
        book = bench.ledger.book(topic, client.name)
        now = bench.now()
        seq = book.send(now)
        self.unanswered = True
        key = f"{bench.ledger.run}:{client.name}:{client.topics.index(topic)}:{seq}"
        lag = max(0, now - intended)
        # From when on nothing but this process keeps it from leaving.
        free = max(intended, self._answered_at)
        mark = Mark(bench.ledger.run, client.name, seq, now - lag, lag)
        frame = wire.post(
            key,
            topic,
            f"Load {client.name}",
            f"{client.name}@load.example",
            write(mark, bench.options.message_size),
        )
        bench.count("posts")
        attempt = 0
        # The same key again until there is an answer: it cannot become two messages.
        while not self._closed():
            answer = self._try(key, frame, free if promptly and attempt == 0 else None)
            # The end came while it was under way.
            if self._closed():
                break  # handed in already: what comes now changes nothing
            # Acknowledged: into the books.
            if isinstance(answer, wire.Ack):
                book.ack(seq, answer.id)
                bench.record("ack", self._answered_at - intended)
                bench.count("acks")
                self.unanswered = False
                return True
            pause = BACKOFF_FIRST * 2 ** min(attempt, 5)
            attempt += 1
            # Refused, for now or for good.
            if isinstance(answer, wire.ErrorFrame):
                bench.failure("ack", f"error {answer.code}")
                # For good: trying again would not help.
                if not answer.retryable:
                    bench.count("posts refused")
                    self.unanswered = False
                    return True
                pause = (answer.retry_after_ms or pause * 1000) / 1000
                gevent.sleep(pause * (0.5 + self._rng.random()))
            bench.count("retries")
        return False

    def _closed(self) -> bool:
        """Whether the books are closed; that may have happened in any wait."""
        return self._client.bench.closed

    def _try(self, key: str, frame: str, free: int | None) -> wire.Ack | wire.ErrorFrame | None:
        """Send a post once and wait for its answer; None when none came (try again). free: when it
        could leave (µs), where that is to be known."""
        client = self._client
        client.connected.wait()
        # While it waited the load may have ended.
        if self._closed():
            return None
        # The answer of an earlier attempt is as good: it has the same key, so the same id.
        self._answer, self._key = AsyncResult(), key
        # The socket may break in the middle.
        try:
            client.send(frame)
            # The kernel has it.
            if free is not None:
                client.bench.own_lag(client.bench.now() - free)
            answer: wire.Ack | wire.ErrorFrame | None = self._answer.get(timeout=ACK_TIMEOUT)
            return answer
        except gevent.Timeout:
            client.bench.failure("ack", "no answer")
        except (*GONE, AttributeError):
            # The reader greenlet sees the same end and counts it; wait for it to notice.
            gevent.sleep(0.05)
        return None
