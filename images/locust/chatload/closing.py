"""The end of a run, as the master leads it: from the last post to the verdict.

Posting stops, answers come in, the books are merged, the workers read the topics' histories back,
books and histories make the canon, readers are heard out and held against it, and the verdicts are
added up (:mod:`chatload.ending` is the workers' side, :mod:`chatload` lists the messages).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import gevent
from gevent.event import Event

from chatload.books import merge_books, unpack_books
from chatload.canon import Canon, History, establish_all, pack_canons
from chatload.findings import Findings
from chatload.run import Run
from chatload.verdict import Verdict

log = logging.getLogger("chatload.master")

#: Seconds a worker may take beyond the drain time-out, and without a sign of life, before it is
#: given up.
PATIENCE = 10.0

Made = TypeVar("Made")


def aside(work: Callable[[], Made]) -> Made:
    """Do pure, long work in a thread, and wait for it: meanwhile this process goes on answering.

    Workers whose questions stay unanswered for seconds take their master for dead
    (:data:`chatload.heartbeat.ORPHANED`), and a canon of a million messages takes longer than that.
    work: must touch nothing that greenlets change. Returns what it returns, raises what it raises.
    """
    made: Made = gevent.get_hub().threadpool.apply(work)
    return made


class Send(Protocol):
    """How a message goes out: to all workers, or to one by Locust's id."""

    def __call__(self, name: str, data: dict[str, Any], client_id: str | None = None) -> None: ...


class Closing:
    """Ends runs, one at a time.

    runner: Locust's. send: how messages go out. current: the master's present run, if any; what
    workers hand in for another one is late, and is dropped.
    """

    def __init__(self, runner: Any, send: Send, current: Callable[[], Run | None]) -> None:
        self._runner, self._send, self._current = runner, send, current
        self._changed = Event()
        #: When a worker last gave a sign of life in a long step, monotonic seconds.
        self._busy = 0.0
        # Each kind of message from the workers has its handler.
        for name, handler in (
            ("chat_busy", self._on_busy),
            ("chat_posted", self._on_posted),
            ("chat_looked", self._on_looked),
            ("chat_settled", self._on_settled),
        ):
            runner.register_message(name, handler)

    def end(self, run: Run) -> None:
        """Drain, settle and judge a run: afterwards it is finished, with its verdict and gates."""
        run.ended = time.time()
        run.watch(0, settled=False)
        log.info("run %s: draining", run.name)
        self._send("chat_drain", {"run": run.name})
        self._wait(run, "answers to the last posts", lambda: len(run.posted))
        handed = list(run.posted.values())
        books = aside(lambda: merge_books(unpack_books(done["books"]) for done in handed))
        topics = sorted({topic for topic, _ in books})
        histories = self._look(run, topics)
        kept = run.options.kept_messages
        canons, verdict = aside(lambda: establish_all(books, histories, kept_messages=kept))
        packed = aside(lambda: pack_canons(canons))
        self._send("chat_settle", {"run": run.name, "canons": packed})
        self._wait(run, "the last deliveries", lambda: len(run.settled))
        # Each worker compared its own readers; the sum is the verdict.
        for done in run.settled.values():
            verdict.merge(Verdict.unpacked(done["verdict"]))
        self._look_again(run, canons, verdict)
        told = [done["people"] for done in run.settled.values() if "people" in done]
        # What the workers' checks of people found, together.
        for found in told:
            run.findings.merge(Findings.unpacked(found))
        # Who was to have accounts and says nothing of them has proved nothing.
        owing = sum(bool(hand["accounts"]) for hand in run.hands.values())
        run.findings.unchecked += max(owing, bool(run.options.accounts)) - len(told)
        self._conclude(run, verdict)

    def _wait(self, run: Run, what: str, answers: Callable[[], int], of: int | None = None) -> None:
        """Wait until all workers that are still alive have answered, or have long been silent.

        what: is waited for, in words. answers: how many there are. of: how many there will be;
        None: as many as there are workers.
        """
        self._busy = time.monotonic()
        patience = run.options.drain_timeout + PATIENCE
        # Signs of life from the workers extend the wait.
        while time.monotonic() - self._busy < patience:
            run.step = (what, self._busy + patience)
            # Everybody who can answer has answered.
            if answers() >= (self._expected(run) if of is None else of):
                return
            self._changed.clear()
            self._changed.wait(0.5)

    def _expected(self, run: Run) -> int:
        """Workers that could answer; those that Locust calls missing cannot."""
        return min(run.workers, int(getattr(self._runner, "worker_count", 1)))

    def _look(self, run: Run, topics: list[str]) -> dict[str, History]:
        """Have topics read back, shared out over the workers that handed in their books. A topic
        that is missing in the answer could not be read."""
        run.looked = {}
        workers = sorted(run.posted)
        # Without books there are no topics, without workers nobody to read.
        if not workers or not topics:
            return {}
        asked = 0
        # Topics are dealt out like cards, so that all workers read at once.
        for number, index in enumerate(workers):
            mine = topics[number :: len(workers)]
            # More workers than topics: some have none.
            if mine and index in run.ids:
                asked += 1
                data = {"run": run.name, "topics": mine}
                self._send("chat_look", data, run.ids[index])
        self._wait(run, "the history of every topic", lambda: len(run.looked), asked)
        return {
            topic: History.unpacked(packed)
            for done in run.looked.values()
            for topic, packed in done["histories"].items()
            if packed is not None
        }

    def _look_again(self, run: Run, canons: dict[str, Canon], verdict: Verdict) -> None:
        """What was shown and is in no canon may have come into the log after the histories were
        read: look once more, and call gone what is not there."""
        strays: dict[str, set[str]] = {}
        # Collect the ids by topic, over all workers.
        for done in run.settled.values():
            # By topic.
            for topic, ids in done["strays"].items():
                strays.setdefault(topic, set()).update(ids)
        # Nothing was shown that is not in the canon.
        if not strays:
            return
        histories = self._look(run, sorted(strays))
        # Gone is what is not there at the second look either.
        for topic, ids in sorted(strays.items()):
            # A topic that could not be read proves nothing.
            if topic not in histories:
                verdict.unread += topic in canons
                continue
            verdict.gone(topic, ids - {entry.id for entry in histories[topic].entries})

    def _on_busy(self, environment: Any, msg: Any, **_: Any) -> None:
        """A worker is at a long step."""
        # Only of this run: others are late.
        run = self._current()
        # Only of this run: others are late.
        if run is not None and msg.data["run"] == run.name:
            self._busy = time.monotonic()

    def _on_posted(self, environment: Any, msg: Any, **_: Any) -> None:
        """A worker's books."""
        self._keep("posted", msg)

    def _on_looked(self, environment: Any, msg: Any, **_: Any) -> None:
        """Histories that a worker read back."""
        self._keep("looked", msg)

    def _on_settled(self, environment: Any, msg: Any, **_: Any) -> None:
        """A worker's verdict."""
        self._keep("settled", msg)

    def _keep(self, step: str, msg: Any) -> None:
        """What a worker handed in at a step of the end."""
        # Only of this run: others are late.
        run = self._current()
        # Only of this run: others are late.
        if run is not None and msg.data["run"] == run.name:
            getattr(run, step)[int(msg.data["worker"])] = msg.data
            run.ids[int(msg.data["worker"])] = msg.node_id
            self._busy = time.monotonic()
            self._changed.set()

    @staticmethod
    def _conclude(run: Run, verdict: Verdict) -> None:
        """Close the gates."""
        run.evidence.workers_lost = max(0, run.workers - len(run.settled))
        if run.evidence.workers_lost:
            # A lost worker took its books along: what its posters sent looks like nobody's.
            verdict.examples.append("a worker is missing: 'unexpected' cannot be told")
            verdict.unexpected = 0
        run.verdict = verdict
        run.evidence.readers_unfinished = sum(done["unfinished"] for done in run.settled.values())
        run.gates = run.judge()
        run.state = "finished"
