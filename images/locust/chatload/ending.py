"""The end of a run in one load process: hand in the books, read histories back, hear readers out.

The master leads (see :mod:`chatload.worker` for the messages); each step here answers one of its.
"""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, Any

import gevent

from chatload.books import pack_books
from chatload.canon import Canon, unpack_canons
from chatload.pages import PageError, fetcher, read_back
from chatload.text import broken

if TYPE_CHECKING:
    from chatload.worker import Worker

log = logging.getLogger("chatload.ending")

#: Seconds without any delivery after which waiting on looks pointless, and the drain gives up.
QUIET = 5.0
#: Seconds between two looks at who is still waiting.
LOOK_EVERY = 0.25
#: Seconds between two signs of life to the master while a long step goes on.
BUSY_EVERY = 2.0
#: Most losses that become rows of Locust's failure table.
LOSSES_SHOWN = 1_000


def hand_in(worker: Worker) -> dict[str, Any]:
    """Wait until every post is answered or time is up; then close the books. After that nothing is
    sent any more: what is due stays due, and is counted."""
    posting = worker.posting
    posting.set_rate(0)
    for client in worker.clients:
        client.come_back()
    deadline = time.monotonic() + worker.options.drain_timeout
    while time.monotonic() < deadline and not posting.idle:
        gevent.sleep(0.05)
    worker.closed = True
    return {"books": pack_books(worker.ledger.books)}


def look_up(worker: Worker, topics: list[str]) -> dict[str, Any]:
    """Read topics back to their beginning. A topic that could not be read is null."""
    rng = random.Random()
    fetch = fetcher(lambda: worker.target(rng))
    last = time.monotonic()
    histories: dict[str, Any] = {}

    def progress(_: int) -> None:
        """Tell the master now and then that this goes on; let others run."""
        nonlocal last
        gevent.sleep(0)
        if time.monotonic() - last > BUSY_EVERY:
            last = time.monotonic()
            worker.busy()

    for topic in topics:
        try:
            messages = read_back(fetch, topic, progress)
            for one in messages:
                wrong = broken(one.topic, one.name, one.email, one.content)
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
    told = time.monotonic()
    while time.monotonic() < deadline:
        accounts = [one.account for one in waiting if one.account and one.connected.is_set()]
        behind = {id(one) for one in worker.ledger.behind(accounts, canons)}
        waiting = [
            one
            for one in waiting
            if one.account is None or not one.connected.is_set() or id(one.account) in behind
        ]
        if not waiting:
            break
        if worker.ledger.counts.delivered != delivered:
            delivered, quiet_since = worker.ledger.counts.delivered, time.monotonic()
        # Quiet, and everybody connected: what is missing will not come. It is lost.
        connected = all(one.connected.is_set() for one in waiting)
        if connected and time.monotonic() - quiet_since > QUIET:
            break
        if time.monotonic() - told > BUSY_EVERY:
            told = time.monotonic()
            worker.busy()
        gevent.sleep(LOOK_EVERY)
    # A grace for duplicates and strays that come after the last message.
    gevent.sleep(0.5)
    unfinished = [one for one in worker.clients if not one.connected.is_set()]
    for client in unfinished:
        if client.account is not None:
            client.account.attached = False
    return len(unfinished)
