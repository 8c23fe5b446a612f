"""The end of a run in one load process: hand in the books, read histories back, hear readers out.

The master leads (see :mod:`chatload` for the messages); each step here answers one of its.
"""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, Any

import gevent

from chatload.books import pack_books
from chatload.canon import Canon, unpack_canons
from chatload.outbox import ACK_TIMEOUT
from chatload.pages import PageError, fetcher, read_back
from chatload.text import broken

if TYPE_CHECKING:
    from chatload.worker import Worker

log = logging.getLogger("chatload.ending")

#: Seconds without any delivery after which waiting on looks pointless, and the drain gives up.
QUIET = 5.0
#: Seconds without any open socket after which nobody waits for one any more: longer than a pod
#: takes to come back and people take to notice.
NOBODY = 8.0
#: Seconds without any answer, delivery or connection after which waiting on is pointless: a post is
#: tried anew after ACK_TIMEOUT, which must have its chance.
STUCK = ACK_TIMEOUT + 2.0
#: Seconds in which no page of history came after which the remaining topics are not asked for.
UNREADABLE = 12.0
#: Seconds between two looks at who is still waiting.
LOOK_EVERY = 0.25
#: Seconds between two signs of life to the master while a long step goes on.
BUSY_EVERY = 2.0
#: Most losses that become rows of Locust's failure table.
LOSSES_SHOWN = 1_000


class Hope:
    """Whether waiting on may change anything: a chat that is gone must not hold up the end.

    worker: whose people are watched. Made when a step begins.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        #: When the state changed last, and that state, by :meth:`left`'s argument and the sockets.
        self._changed, self._state = time.monotonic(), (-1, -1)

    def left(self, progress: int) -> bool:
        """Whether there is hope. progress: a number that changes when something happens."""
        worker, now = self._worker, time.monotonic()
        sockets = sum(client.connected.is_set() for client in worker.clients)
        # Something happened: patience begins anew.
        if (progress, sockets) != self._state:
            self._changed, self._state = now, (progress, sockets)
        # Somebody is connected, or nobody ever was to be.
        if sockets or not worker.clients:
            worker.connected_at = now
        return now - worker.connected_at < NOBODY and now - self._changed < STUCK


def hand_in(worker: Worker) -> dict[str, Any]:
    """Wait until every post is answered or time is up; then close the books. After that nothing is
    sent any more: what is due stays due, and is counted."""
    posting = worker.posting
    posting.set_rate(0)
    # Who is away on purpose comes back, to be heard out.
    for client in worker.clients:
        client.come_back()
    deadline = time.monotonic() + worker.options.drain_timeout
    worker.connected_at, hope = time.monotonic(), Hope(worker)
    # Until all is answered, the time is up, or waiting is in vain.
    while time.monotonic() < deadline and not posting.idle:
        # Every answer lowers the number of posts that wait.
        if not hope.left(sum(client.outbox.pending for client in worker.clients)):
            break
        gevent.sleep(0.05)
    worker.closed = True
    return {"books": pack_books(worker.ledger.books)}


def look_up(worker: Worker, topics: list[str]) -> dict[str, Any]:
    """Read topics back to their beginning. A topic that could not be read is null."""
    rng = random.Random()
    fetch = fetcher(lambda: worker.target(rng))
    # When a sign of life was given, and when a page came.
    last = came = time.monotonic()
    histories: dict[str, Any] = {}

    def progress(_: int) -> None:
        """Tell the master now and then that this goes on; let others run."""
        nonlocal last, came
        gevent.sleep(0)
        came = time.monotonic()
        # Not for each page: a message to the master costs, too.
        if time.monotonic() - last > BUSY_EVERY:
            last = time.monotonic()
            worker.busy()

    for topic in topics:
        # Else each of a hundred topics would wait for its own time-outs.
        if time.monotonic() - came > UNREADABLE:
            worker.failure("history", "not asked for: no page came for long")
            histories[topic] = None
            continue
        # One topic that cannot be read must not hide the others.
        try:
            messages = read_back(fetch, topic, progress)
            # The contract's rules of text hold for what is kept, too.
            for one in messages:
                wrong = broken(one.topic, one.name, one.email, one.content)
                # Each broken rule is a row of the failure table.
                if wrong:
                    worker.failure("history", f"kept: {wrong}")
            histories[topic] = worker.ledger.history(messages).packed()
        except PageError as error:
            worker.failure("history", str(error))
            log.warning("a topic could not be read back: %s", error)
            histories[topic] = None
    return {"histories": histories}


def settle(worker: Worker, body: dict[str, Any]) -> dict[str, Any]:
    """Wait until every reader has been shown everything, or nothing comes any more; then hold them
    against the canon."""
    canons = unpack_canons(body)
    unfinished = hear_out(worker, canons)
    verdict = worker.ledger.settle(canons)
    # In Locust's table each loss is a row, up to a limit.
    for _ in range(min(verdict.lost, LOSSES_SHOWN)):
        worker.failure("deliver", "lost")
    return {
        "verdict": verdict.packed(),
        "unfinished": unfinished,
        "strays": worker.ledger.strays(canons),
    }


def hear_out(worker: Worker, canons: dict[str, Canon]) -> int:
    """Wait for the readers. Returns how many were not connected at the end; those are owed only
    what they got past."""
    deadline = time.monotonic() + worker.options.drain_timeout
    quiet_since, delivered = time.monotonic(), -1
    waiting = list(worker.clients)
    told, hope = time.monotonic(), Hope(worker)
    # Until everybody was shown everything, or nothing more comes.
    while time.monotonic() < deadline:
        accounts = [one.account for one in waiting if one.account and one.connected.is_set()]
        behind = {id(one) for one in worker.ledger.behind(accounts, canons)}
        waiting = [
            one
            for one in waiting
            if one.account is None or not one.connected.is_set() or id(one.account) in behind
        ]
        # Everybody was.
        if not waiting:
            break
        # Something came: quiet begins anew.
        if worker.ledger.counts.delivered != delivered:
            delivered, quiet_since = worker.ledger.counts.delivered, time.monotonic()
        # Quiet, and everybody connected: what is missing will not come. It is lost.
        connected = all(one.connected.is_set() for one in waiting)
        # Quiet, though all are connected.
        if connected and time.monotonic() - quiet_since > QUIET:
            break
        # Nobody can be connected, or nothing changes.
        if not hope.left(delivered):
            break
        # A long step: tell the master that it goes on.
        if time.monotonic() - told > BUSY_EVERY:
            told = time.monotonic()
            worker.busy()
        gevent.sleep(LOOK_EVERY)
    # A grace for duplicates and strays that come after the last message.
    gevent.sleep(0.5)
    unfinished = [one for one in worker.clients if not one.connected.is_set()]
    # What is not heard out is owed only what it saw.
    for client in unfinished:
        # Who never had a welcome has no account.
        if client.account is not None:
            client.account.attached = False
    return len(unfinished)
