"""Who posts when: this process's share of the rate, spread over its posters; and where each post
that was due ended up."""

from __future__ import annotations

import math
import random
import time
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event

from chatload.schedule import Arrivals

if TYPE_CHECKING:
    from chatload.client import ChatClient
    from chatload.worker import Worker

#: Most seconds until the greenlet that posts looks whether posting is over.
LOOK_EVERY = 0.2


class Posting:
    """One run's posts in one process. seed: names its random sequences."""

    def __init__(self, worker: Worker, seed: str) -> None:
        self._worker = worker
        self._rng = random.Random(f"{seed}/schedule")
        self._arrivals = Arrivals(f"{seed}/arrivals", time.monotonic())
        #: Set when the rate was changed: the next arrival may come earlier than was waited for.
        self._changed = Event()
        #: Everyone here who posts.
        self.posters: list[ChatClient] = []
        #: Posts due when nobody could take them, and due with a full outbox.
        self.homeless = self.dropped = 0
        #: Posts on the wire, not answered, of posters that left.
        self._abandoned = 0

    def set_rate(self, rate: float) -> None:
        """Posts a second for this process, from now on."""
        self._arrivals.set_rate(rate, time.monotonic())
        self._changed.set()

    def run(self) -> None:
        """The greenlet of the open model: at each arrival some poster gets a post, whatever became
        of earlier ones."""
        worker = self._worker
        while not worker.draining:
            self._changed.clear()
            wait = self._arrivals.next - time.monotonic()
            # Without a rate there is no next one; and now and then it is looked whether posting is
            # over. The sleep of no time lets others run where posts are due one upon another.
            if wait > 0:
                self._changed.wait(LOOK_EVERY if math.isinf(wait) else min(LOOK_EVERY, wait))
            else:
                gevent.sleep(0)
            now = time.monotonic()
            for instant in self._arrivals.due(now):
                late = int((now - instant) * 1e6)
                worker.vitals.post_left(late, ramping=worker.ramping)
                worker.record("schedule_lag", late)
                worker.count("arrivals")
                # A probe's posts are timed from when they were handed over: how late that is would
                # be this process's share of their times.
                self.assign(worker.now() - (0 if worker.stamping else late))

    def assign(self, intended: int, topic: str = "") -> None:
        """A post was due at ``intended``: give it to some poster; in ``topic``, if one is named."""
        able = [one for one in self.posters if topic in one.topics] if topic else self.posters
        if not able:
            self.homeless += 1
            self._worker.count("posts without poster")
            return
        poster = self._rng.choice(able)
        if not poster.offer(topic or self._rng.choice(poster.topics), intended):
            self.dropped += 1
            self._worker.count("posts dropped")

    def part(self, poster: ChatClient) -> None:
        """A poster leaves: what waits in its outbox goes to others."""
        self.posters.remove(poster)
        self._abandoned += poster.outbox.unanswered
        if self._worker.closed:
            return
        for topic, intended in poster.outbox.take_back():
            self.assign(intended, topic)

    @property
    def idle(self) -> bool:
        """Whether no post waits to be sent or answered."""
        return all(one.outbox.quiet.is_set() for one in self.posters)

    def evidence(self) -> dict[str, Any]:
        """Where the posts are that did not become messages."""
        return {
            "homeless": self.homeless,
            "dropped": self.dropped,
            "unsent": sum(one.outbox.unsent for one in self.posters),
            "unanswered": sum(one.outbox.unanswered for one in self.posters),
            "abandoned": self._abandoned,
        }
