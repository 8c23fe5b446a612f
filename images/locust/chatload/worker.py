"""One load process: its people, its ledger, its clock, and what it reports to the master.

It speaks with the master in messages that :mod:`chatload` lists.

A *probe* worker (:mod:`chatload.probe`) gets no users of Locust's: it makes a few of its own, and
where there is one, its times are the run's. A worker that hears nothing of its master, or that the
run is over, stops its load within :data:`chatload.heartbeat.ORPHANED` seconds and asks to be taken
in again.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.runners import STATE_INIT, WorkerRunner

from chatload import ending, probe
from chatload import options as settings
from chatload.accounts import Hand
from chatload.client import PROBE, ChatClient
from chatload.clock import Offset, boot_id
from chatload.crews import Crews
from chatload.heartbeat import Heartbeat
from chatload.ledger import Ledger
from chatload.options import Options
from chatload.posting import Posting
from chatload.tables import SHOWN, show_in_locust
from chatload.timing import Slot
from chatload.vitals import Flight, Vitals
from chatload.wire import Decoder

log = logging.getLogger("chatload.worker")

#: Seconds after the last user was started until the ramp-up counts as over: pages still load.
SETTLE_IN = 2.0
#: Seconds a new user waits for the start of the run: Locust may send users first.
FIRST_START = 15.0
#: Rows that are kept apart during the ramp-up (``…_ramp``), because starting users keeps a worker
#: busy, and of the crowd where probes measure (``…_crowd``).
MEASURED = ("ack", "deliver", "echo", "loop_lag", "schedule_lag")


class Worker:
    """The load process. Implements :class:`chatload.bench.Bench` for its clients.

    environment: Locust's. All methods run in gevent greenlets of one thread; none blocks the loop.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        #: Whether this worker is a probe.
        self.probing = probe.wanted()
        self.options = Options()
        self.ledger = Ledger("")
        self.decode = Decoder()
        #: Everyone with a socket, in order of arrival.
        self.clients: list[ChatClient] = []
        self.offset = Offset()
        self.vitals = Vitals(self.offset)
        self.posting = Posting(self, "")
        #: Whether posting is over for good; whether the books are closed too.
        self.draining = self.closed = False
        #: Whether users are still being started for the first time in this run.
        self.ramping = True
        #: When somebody here was connected last, monotonic seconds; kept while draining.
        self.connected_at = time.monotonic()
        #: Set while a run is on.
        self.begun = Event()
        #: Accounts' people, where this worker was dealt some.
        self._crews: Crews | None = None
        self._probed = False
        self._slot = Slot()
        self._targets: list[str] = []
        #: Lab's clock, µs, at the start of the run; number of the second that is being filled.
        self._start = self._second = 0
        #: Number of users made so far: names the next one and its random numbers.
        self._made = 0
        self._flight = Flight()
        self._greenlets: list[gevent.Greenlet[..., Any]] = []
        runner = environment.runner
        assert runner is not None
        self._runner: Any = runner
        # Each kind of message from the master has its handler.
        for name, handler in (
            ("chat_start", self._on_start),
            ("chat_rate", self._on_rate),
            ("chat_pong", self._on_pong),
            ("chat_drain", self._on_drain),
            ("chat_look", self._on_look),
            ("chat_settle", self._on_settle),
        ):
            runner.register_message(name, handler)
        environment.events.spawning_complete.add_listener(self._on_spawned)
        self._heartbeat = Heartbeat(runner, self.offset, self.stop_load)
        self._asking = gevent.spawn(self._heartbeat.beat)

    # -- for users and clients -------------------------------------------------------------------

    @property
    def index(self) -> int:
        """This worker's number, unique in the run."""
        return max(0, int(getattr(self._runner, "worker_index", 0)))

    @property
    def _node(self) -> str:
        """Locust's id of this process; "local" where there is only one."""
        return str(self._runner.client_id) if isinstance(self._runner, WorkerRunner) else "local"

    def now(self) -> int:
        """The lab's clock, µs: comparable between workers within the clock error."""
        return self.offset.now()

    @property
    def stamping(self) -> bool:
        """Whether the times taken here end when the kernel has what came, and not when this process
        gets to it."""
        return self.probing and self.vitals.stamps_hold

    def arrival(self, ago: int | None) -> int:
        """The lab's clock when a frame came; see :class:`chatload.bench.Bench`."""
        # The crowd's sockets are not stamped.
        if not self.probing:
            return self.now()
        self.vitals.arrived(stamped=ago is not None)
        # One without a stamp came by when it was read, or before.
        if ago is None:
            self.count("arrivals unstamped")
        return self.now() - (ago or 0)

    def own_lag(self, late: int) -> None:
        """A post left ``late`` µs after it could have."""
        self.vitals.post_went(late, ramping=self.ramping)

    def latest(self) -> int:
        """The lab's clock with its greatest error, and the others', added: not before now."""
        return self.offset.now() + 2 * (self.offset.error or 0)

    def record(self, row: str, value: int) -> None:
        """A time of ``value`` µs in a row of the current second."""
        self._slot.row(row).record(value)

    def count(self, name: str, number: int = 1) -> None:
        """Raise a counter of the current second."""
        counters = self._slot.counters
        counters[name] = counters.get(name, 0) + number

    def untimed(self) -> None:
        """A delivery that counts, but whose time is not taken."""
        # The ramp-up is kept apart.
        if not self.ramping:
            self.count("deliveries untimed")

    def failure(self, row: str, text: str) -> None:
        """Something failed: a row of Locust's failure table, and a counter of this second."""
        # At the end this may be why readers are not heard out: into the log, too.
        if self.draining and row in ("connection", "connect"):
            log.info("while draining: %s %s", row, text)
        self.count(f"fail {row}: {text}")
        self.environment.events.request.fire(
            request_type=SHOWN.get(row, "CHAT"),
            name=row,
            response_time=None,
            response_length=0,
            exception=RuntimeError(text),
            context={},
        )

    def in_flight(self, change: int) -> None:
        """So many more posts (or fewer) are due and not answered: for Little's law."""
        self._flight.change(change)

    def target(self, rng: random.Random, failed: str | None = None) -> str:
        """A base URL to connect to, another than ``failed`` where there is one."""
        choices = [one for one in self._targets if one != failed] or self._targets
        return rng.choice(choices)

    def newcomer(self, kind: str) -> tuple[str, random.Random, list[str]]:
        """A new user of a kind: its name, its random numbers and its topics. Waits for the run's
        settings if they are not here yet; RuntimeError when they do not come."""
        # Locust may send users before the master has told of the run.
        if not self.begun.wait(FIRST_START):
            raise RuntimeError("the master sent users, but no run")
        number = self._made
        self._made += 1
        name = f"{kind[0].lower()}{self.index}-{number}"
        rng = random.Random(f"{self.options.seed}/{self.index}/{number}/{kind}")
        options = self.options
        numbers = (
            settings.choose_topics(options, rng)
            if name[0] != PROBE
            else range(options.topics_per_user)
        )
        return name, rng, [settings.topic_name(self.ledger.run, number) for number in numbers]

    def join(self, client: ChatClient, *, poster: bool) -> None:
        """A user with a socket has arrived."""
        self.clients.append(client)
        # Posters are given posts by the schedule.
        if poster:
            self.posting.posters.append(client)

    def part(self, client: ChatClient) -> None:
        """It has left (during the load; at the end nobody leaves before the ledger is settled)."""
        # What waits in its outbox goes to others.
        if client in self.posting.posters:
            self.posting.part(client)
        # Who never connected is not there.
        if client in self.clients:
            self.clients.remove(client)

    # -- messages from the master ----------------------------------------------------------------

    def _on_start(self, environment: Environment, msg: Any, **_: Any) -> None:
        """A run begins: forget the last one."""
        data = msg.data
        # The same start again: a master that was not sure.
        if data["run"] == self.ledger.run:
            return  # told twice
        gevent.killall(self._greenlets, block=False)
        # Nobody of the last run stays connected.
        for client in self.clients:
            client.stop()
        # People with accounts of the last run leave, too.
        if self._crews is not None:
            self._crews.stop()
        self.options = settings.parse(data["options"])
        self.ledger = Ledger(data["run"])
        self.clients = []
        self.draining, self.closed, self.ramping = False, False, True
        self._probed = bool(data["probed"])
        self._slot, self._made = Slot(), 0
        self._flight = Flight()
        # One kernel, one clock: no offset to estimate.
        if data["boot"] and data["boot"] == boot_id():
            self.offset.same_kernel()
        self._targets = [one.strip().rstrip("/") for one in data["targets"].split(",")]
        # A newcomer's seconds are the run's seconds, so they begin where the run is.
        self._start = self.now() - int(data["elapsed"])
        self._second = int(data["elapsed"]) // 1_000_000
        self._heartbeat.heard()
        self.vitals = vitals = Vitals(self.offset)
        self.posting = Posting(self, f"{self.options.seed}/{self.index}")
        self._greenlets = [
            gevent.spawn(self._report_forever),
            gevent.spawn(
                vitals.watch_lag,
                lambda late: None if self.closed else self.record("loop_lag", late),
                lambda: self.ramping,
            ),
            gevent.spawn(self.posting.run),
        ]
        # A probe worker makes its few people itself.
        if self.probing:
            self._greenlets.append(gevent.spawn(self._send_probes))
        hand = Hand.unpacked(data["hands"].get(self._node))
        self._crews = Crews(self, str(self.index), hand) if hand.accounts else None
        # Only where this worker was dealt accounts.
        if self._crews is not None:
            self._crews.start()
        self.begun.set()

    def _send_probes(self) -> None:
        """A probe worker's people: they read and post, in the first topics, and stay."""
        # One after the other: a crowd at once would wait for itself.
        for _ in range(self.options.probes):
            name, rng, topics = self.newcomer(PROBE)
            client = ChatClient(self, name, topics, rng, poster=True)
            self.join(client, poster=True)
            client.start()
            client.connected.wait(1)

    def _on_spawned(self, **_: Any) -> None:
        """All users are started (Locust says so after each stage; the first time counts)."""
        # The first time only; users that a stage adds later are no ramp-up.
        if self.ramping:
            self._greenlets.append(gevent.spawn_later(SETTLE_IN, self._ramp_over))

    def _ramp_over(self) -> None:
        """From here on, figures count."""
        # Two stages may both have planned this.
        if self.ramping:
            self._report(whole=False)
            self.vitals.forget_cpu()
            self.ramping = False

    def _on_rate(self, environment: Environment, msg: Any, **_: Any) -> None:
        """This worker's share of the rate changed."""
        # A late share, of another run or of one that drains, would post on.
        if msg.data["run"] == self.ledger.run and not self.draining:
            self.posting.set_rate(float(msg.data["rate"]))

    def _on_pong(self, environment: Environment, msg: Any, **_: Any) -> None:
        """The master told the time, and which run is on."""
        self._heartbeat.answer(msg.data)
        # All is well: the master leads the run that we are in.
        if msg.data["run"] == self.ledger.run:
            return
        # We load for a run that nobody leads any more.
        if self.begun.is_set() and not self.closed:
            self._heartbeat.orphaned("its master is at another run")
        elif msg.data["on"]:
            self._runner.send_message("chat_join", {})

    def _on_drain(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Stop posting, wait for what is on its way, hand in the books."""
        self.draining = True
        gevent.spawn(lambda: self._tell("chat_posted", ending.hand_in(self)))

    def _on_look(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Read topics back."""
        topics = msg.data["topics"]
        gevent.spawn(lambda: self._tell("chat_looked", ending.look_up(self, topics)))

    def _on_settle(self, environment: Environment, msg: Any, **_: Any) -> None:
        """The canon is here: wait for the deliveries, then compare."""
        gevent.spawn(self._settle, msg.data["canons"])

    def _settle(self, canons: dict[str, Any]) -> None:
        """The last step of a run."""
        found = ending.settle(self, canons)
        # People with accounts are heard out as well.
        if self._crews is not None:
            found["people"] = self._crews.settle().packed()
            self._crews = None
        self._report(whole=False)
        self._tell("chat_settled", {**found, "evidence": self.evidence()})
        gevent.killall(self._greenlets, block=False)

    # -- messages to the master ------------------------------------------------------------------

    def _tell(self, name: str, data: dict[str, Any]) -> None:
        """Send the master something of this run."""
        self._runner.send_message(name, {"run": self.ledger.run, "worker": self.index, **data})

    def busy(self) -> None:
        """A long step goes on."""
        self._tell("chat_busy", {})

    def _report_forever(self) -> None:
        """At the end of every second of the run: hand it over to the master and to Locust."""
        while True:
            # Seconds end by the clock, not by sleeping: each is reported once, whatever the load.
            elapsed = self.now() - self._start
            gevent.sleep(max(0.0, ((self._second + 1) * 1e6 - elapsed) / 1e6))
            self._report()
            self._second = max(self._second + 1, (self.now() - self._start) // 1_000_000)

    def _report(self, *, whole: bool = True) -> None:
        """Hand over what happened since the last report. ``whole``: this ends the second, so what
        *is* (users, sockets, CPU) is told too; it must be told once a second only."""
        slot, self._slot = self._slot, Slot()
        pods = Counter(client.server for client in self.clients if client.connected.is_set())
        users = len(self.clients) if self.probing else int(self._runner.user_count)
        # A gauge that is told twice a second would count twice.
        if whole:
            measuring = not (self.draining or self.ramping)
            slot.gauges["cpu"], wall = self.vitals.measure_cpu(counts=measuring)
            slot.gauges["posts_in_flight"] = self._flight.mean(wall)
            slot.gauges["sockets"] = float(sum(pods.values()))
            slot.gauges["users"] = float(users)
        suffix = "_crowd" if self._probed and not self.probing else ""
        suffix += "_ramp" if self.ramping else ""
        slot.rows = {
            name + suffix if name in MEASURED else name: histogram
            for name, histogram in slot.rows.items()
        }
        show_in_locust(self.environment, slot)
        counts = self.ledger.counts
        counts.sent = sum(book.sent for book in self.ledger.books.values())
        counts.acknowledged = sum(book.acknowledged for book in self.ledger.books.values())
        cpu = self.vitals.cpu
        self._tell(
            "chat_report",
            {
                "second": self._second,
                "slot": slot.packed(),
                "counts": {name: getattr(counts, name) for name in counts.__dataclass_fields__},
                "pods": dict(pods),
                "posters": len(self.posting.posters),
                "users": 0 if self.probing else users,
                "evidence": self.evidence(),
                "cpu": round(cpu[-1] if cpu else 0.0, 1),
            },
        )

    def evidence(self) -> dict[str, Any]:
        """What this worker can say to the validity gates."""
        return {
            **self.vitals.evidence(stamping=self.stamping),
            **self.posting.evidence(),
            "probe": self.probing,
            "generator": "python",
        }

    def stop_load(self, why: str) -> None:
        """Nobody leads this load any more. Once; later calls change nothing."""
        # It stands still already.
        if not self.begun.is_set():
            return
        log.warning("the load of run %s stops: %s", self.ledger.run, why)
        self.begun.clear()
        self.draining = self.closed = True
        gevent.killall(self._greenlets, block=False)
        # Their posts and their reconnecting would be load, too.
        for client in self.clients:
            client.stop()
        # People with accounts act by themselves.
        if self._crews is not None:
            self._crews.stop()
        self._runner.stop()
        self._runner.worker_state = STATE_INIT
        self._runner.last_received_spawn_timestamp = 0
