"""One load process: its schedule, its ledger, its clock, and what it reports to the master.

It speaks with the master in Locust's own messages (all named ``chat_…``); in a single-process run
(no ``--master``) both sides live in one process and the messages are calls.

==============  =========  =================================================================
message         direction  data
==============  =========  =================================================================
chat_start      to worker  run, options, workers (their number), rate, boot (kernel id)
chat_rate       to worker  posts a second over all workers
chat_ping       to master  when we asked (our clock)
chat_pong       to worker  when we asked, when the master answered (its clock), its boot id
chat_report     to master  one second: slot, counts, connections by pod, gauges
chat_drain      to worker  stop posting; wait for acknowledgements
chat_posted     to master  our books
chat_settle     to worker  everybody's books; wait for deliveries, then compare
chat_settled    to master  verdict and evidence
==============  =========  =================================================================
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections import Counter, deque
from typing import Any

import gevent
from locust import stats as locust_stats
from locust.env import Environment

from chatload import options as settings
from chatload.client import ChatClient
from chatload.clock import Offset, boot_id, now_us
from chatload.ledger import Ledger, pack_books, unpack_books
from chatload.options import Options
from chatload.schedule import Arrivals
from chatload.timing import Histogram, Slot

log = logging.getLogger("chatload.worker")

#: Seconds between two readings of the loop's lateness.
LAG_EVERY = 0.05
#: Seconds between two questions for the time.
CLOCK_EVERY = 2.0
#: Seconds over which CPU is averaged.
CPU_WINDOW = 5
#: Seconds without any delivery after which waiting on looks pointless, and the drain gives up.
QUIET = 5.0
#: Seconds after the last user was started until the ramp-up counts as over: pages still load.
SETTLE_IN = 2.0
#: Rows that the ramp-up would spoil: starting users keeps a worker busy, so what they show then
#: is kept apart (``…_ramp``), out of the gates and of the figures.
MEASURED = ("ack", "deliver", "echo", "loop_lag", "schedule_lag")
#: Rows that are shown in Locust's own tables. The others are for the gates.
SHOWN = (
    "page",
    "connect",
    "history",
    "ack",
    "deliver",
    "echo",
    "catch_up",
    "deliver_slow",
    "resume",
)


class Worker:
    """The load process. Implements :class:`chatload.client.Bench` for its clients.

    environment: Locust's. All methods run in gevent greenlets of one thread; none blocks the loop.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.options = Options()
        self.ledger = Ledger("")
        #: Everyone with a socket, in order of arrival.
        self.clients: list[ChatClient] = []
        #: Those of them that post.
        self.posters: list[ChatClient] = []
        self.offset = Offset()
        #: Whether posting has stopped for good.
        self.draining = False
        #: Whether users are still being started for the first time in this run.
        self.ramping = True
        self._slot = Slot()
        self._targets: list[str] = []
        #: Lab's clock, µs, at the start of the run.
        self._start = 0
        #: Number of the second that is being filled.
        self._second = 0
        #: Number of users made so far: names the next one and its random numbers.
        self._made = 0
        self._arrivals = Arrivals("", 0.0)
        self._rng = random.Random(0)
        self._workers = 1
        self._rate = 0.0
        self._lag = Histogram()
        self._schedule_lag = Histogram()
        #: CPU percent of the last seconds, and the highest mean over CPU_WINDOW of them.
        self._cpu: deque[float] = deque(maxlen=CPU_WINDOW)
        self._cpu_highest = 0.0
        self._cpu_last = (0.0, 0.0)
        self._cpu_begin = 0.0
        self._dropped = 0
        #: Posts due and not answered: how many, since when (µs), and the area under them.
        self._flight, self._flight_since, self._flight_area = 0, 0, 0
        self._greenlets: list[gevent.Greenlet[..., Any]] = []
        runner = environment.runner
        assert runner is not None
        self._runner: Any = runner
        for name, handler in (
            ("chat_start", self._on_start),
            ("chat_rate", self._on_rate),
            ("chat_pong", self._on_pong),
            ("chat_drain", self._on_drain),
            ("chat_settle", self._on_settle),
        ):
            runner.register_message(name, handler)
        environment.events.spawning_complete.add_listener(self._on_spawned)

    # -- for users and clients -------------------------------------------------------------------

    @property
    def index(self) -> int:
        """This worker's number, unique in the run."""
        return max(0, int(getattr(self._runner, "worker_index", 0)))

    def now(self) -> int:
        """The lab's clock, µs: comparable between workers within the clock error."""
        return self.offset.now()

    def record(self, row: str, value: int) -> None:
        """A time of ``value`` µs in a row of the current second."""
        self._slot.row(row).record(value)

    def count(self, name: str, number: int = 1) -> None:
        """Raise a counter of the current second."""
        counters = self._slot.counters
        counters[name] = counters.get(name, 0) + number

    def failure(self, row: str, text: str) -> None:
        """Something failed: a row of Locust's failure table, and a counter of this second."""
        if self.draining and row in ("connection", "connect"):
            log.info("while draining: %s %s", row, text)
        self.count(f"fail {row}: {text}")
        self.environment.events.request.fire(
            request_type="CHAT",
            name=row,
            response_time=None,
            response_length=0,
            exception=RuntimeError(text),
            context={},
        )

    def in_flight(self, change: int) -> None:
        """So many more posts (or fewer) are due and not answered: for Little's law."""
        now = now_us()
        self._flight_area += self._flight * (now - self._flight_since)
        self._flight += change
        self._flight_since = now

    def target(self, rng: random.Random, failed: str | None = None) -> str:
        """A base URL to connect to, another than ``failed`` where there is one."""
        choices = [one for one in self._targets if one != failed] or self._targets
        return rng.choice(choices)

    def newcomer(self, kind: str) -> tuple[str, random.Random, list[str]]:
        """A new user of a kind: its name, its random numbers and its topics."""
        number = self._made
        self._made += 1
        name = f"{kind[0].lower()}{self.index}-{number}"
        rng = random.Random(f"{self.options.seed}/{self.index}/{number}/{kind}")
        return name, rng, self._choose_topics(rng)

    def _choose_topics(self, rng: random.Random) -> list[str]:
        """Topics of one user, by the skew: distinct, the hot ones likelier (Zipf)."""
        options = self.options
        numbers = range(options.topics)
        if options.topics_per_user >= options.topics:
            chosen = list(numbers)
        else:
            # Efraimidis–Spirakis: weighted sampling without replacement by the largest keys.
            keys = {
                number: rng.random() ** ((number + 1.0) ** options.topic_skew) for number in numbers
            }
            chosen = sorted(numbers, key=keys.__getitem__, reverse=True)[: options.topics_per_user]
        return [settings.topic_name(self.ledger.run, number) for number in chosen]

    def join(self, client: ChatClient, *, poster: bool) -> None:
        """A user with a socket has arrived."""
        self.clients.append(client)
        if poster:
            self.posters.append(client)

    def part(self, client: ChatClient) -> None:
        """It has left (during the load; at the end nobody leaves before the ledger is settled)."""
        if client in self.posters:
            self.posters.remove(client)
        if client in self.clients:
            self.clients.remove(client)

    # -- messages from the master ----------------------------------------------------------------

    def _on_start(self, environment: Environment, msg: Any, **_: Any) -> None:
        """A run begins: forget the last one."""
        data = msg.data
        if data["run"] == self.ledger.run:
            return  # told twice
        gevent.killall(self._greenlets, block=False)
        for client in self.clients:
            client.stop()
        self.options = settings.parse(data["options"])
        self.ledger = Ledger(data["run"])
        self.clients, self.posters = [], []
        self.draining, self.ramping = False, True
        self._slot, self._lag, self._schedule_lag = Slot(), Histogram(), Histogram()
        self._made = self._dropped = 0
        self._flight, self._flight_since, self._flight_area = 0, now_us(), 0
        self._workers = max(1, int(data["workers"]))
        self._rng = random.Random(f"{self.options.seed}/{self.index}/schedule")
        if data["boot"] and data["boot"] == boot_id():
            self.offset.same_kernel()
        self._targets = [one.strip().rstrip("/") for one in data["targets"].split(",")]
        self._start = self.now()
        self._second = 0
        self._cpu.clear()
        self._cpu_highest = 0.0
        self._cpu_last = (time.process_time(), time.monotonic())
        self._cpu_begin = self._cpu_last[0]
        now = time.monotonic()
        self._arrivals = Arrivals(f"{self.options.seed}/{self.index}/arrivals", now)
        self._set_rate(float(data["rate"]))
        self._greenlets = [
            gevent.spawn(self._report_forever),
            gevent.spawn(self._watch_lag),
            gevent.spawn(self._watch_clock),
            gevent.spawn(self._post_on_schedule),
        ]

    def _on_spawned(self, **_: Any) -> None:
        """All users are started (Locust says so after each stage; the first time counts)."""
        if self.ramping:
            self._greenlets.append(gevent.spawn_later(SETTLE_IN, self._ramp_over))

    def _ramp_over(self) -> None:
        """From here on, figures count."""
        if self.ramping:
            self._report(whole=False)
            self._cpu.clear()
            self.ramping = False

    def _on_rate(self, environment: Environment, msg: Any, **_: Any) -> None:
        """The stage changed: a new rate."""
        self._set_rate(float(msg.data["rate"]))

    def _set_rate(self, rate: float) -> None:
        """This worker's share of a rate over all workers."""
        self._rate = rate / self._workers
        self._arrivals.set_rate(self._rate, time.monotonic())

    def _on_pong(self, environment: Environment, msg: Any, **_: Any) -> None:
        """The master told the time."""
        if msg.data["boot"] and msg.data["boot"] == boot_id():
            self.offset.same_kernel()
        self.offset.exchange(int(msg.data["asked"]), int(msg.data["clock"]), now_us())

    def _on_drain(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Stop posting, wait for what is on its way, hand in the books."""
        self.draining = True
        gevent.spawn(self._drain)

    def _on_settle(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Everybody's books are here: wait for the deliveries, then compare."""
        gevent.spawn(self._settle, msg.data)

    # -- greenlets -------------------------------------------------------------------------------

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
        if whole:
            wall = time.monotonic() - self._cpu_last[1]
            slot.gauges["cpu"] = self._measure_cpu()
            self.in_flight(0)
            slot.gauges["posts_in_flight"] = self._flight_area / 1e6 / max(1e-6, wall)
            self._flight_area = 0
            slot.gauges["sockets"] = float(sum(pods.values()))
        if self.ramping:
            slot.rows = {
                f"{name}_ramp" if name in MEASURED else name: histogram
                for name, histogram in slot.rows.items()
            }
        show_in_locust(self.environment, slot)
        counts = self.ledger.counts
        counts.sent = sum(book.sent for book in self.ledger.books.values())
        counts.acknowledged = sum(book.acknowledged for book in self.ledger.books.values())
        self._runner.send_message(
            "chat_report",
            {
                "run": self.ledger.run,
                "worker": self.index,
                "second": self._second,
                "slot": slot.packed(),
                "counts": {name: getattr(counts, name) for name in counts.__dataclass_fields__},
                "pods": dict(pods),
                "evidence": self._evidence(),
                "cpu": round(self._cpu[-1] if self._cpu else 0.0, 1),
            },
        )

    def _measure_cpu(self) -> float:
        """CPU percent of one core since the last call; keeps the highest mean over the window."""
        used, wall = time.process_time(), time.monotonic()
        spent = 100.0 * (used - self._cpu_last[0]) / max(1e-6, wall - self._cpu_last[1])
        self._cpu_last = (used, wall)
        self._cpu.append(spent)
        if len(self._cpu) == CPU_WINDOW and not (self.draining or self.ramping):
            self._cpu_highest = max(self._cpu_highest, sum(self._cpu) / CPU_WINDOW)
        return spent

    def _evidence(self) -> dict[str, Any]:
        """What this worker can say to the validity gates."""
        error = self.offset.error
        return {
            "cpu_highest": self._cpu_highest,
            "cpu_seconds": time.process_time() - self._cpu_begin,
            "loop_lag_p99": self._lag.percentile(99) / 1000,
            "schedule_lag_p99": self._schedule_lag.percentile(99) / 1000,
            "clock_error": None if error is None else error / 1000,
            "dropped": self._dropped,
        }

    def _watch_lag(self) -> None:
        """How late timers fire: when this is long, times measured here are this process's own."""
        while not self.draining:
            before = time.monotonic()
            gevent.sleep(LAG_EVERY)
            late = int((time.monotonic() - before - LAG_EVERY) * 1e6)
            if not self.ramping:
                self._lag.record(late)
            self.record("loop_lag", late)

    def _watch_clock(self) -> None:
        """Ask the master for the time, often at first."""
        for number in range(1 << 30):
            self._runner.send_message("chat_ping", {"asked": now_us()})
            gevent.sleep(0.1 if number < 10 else CLOCK_EVERY)

    def _post_on_schedule(self) -> None:
        """Open model: at each arrival some poster gets a post, whatever became of earlier ones."""
        while not self.draining:
            wait = self._arrivals.next - time.monotonic()
            # A change of rate may bring the next arrival forward, so no long sleeps.
            gevent.sleep(0.2 if math.isinf(wait) else min(0.2, max(0.0, wait)))
            now = time.monotonic()
            for instant in self._arrivals.due(now):
                late = int((now - instant) * 1e6)
                if not self.ramping:
                    self._schedule_lag.record(late)
                self.record("schedule_lag", late)
                self._assign(self.now() - late)

    def _assign(self, intended: int) -> None:
        """Give a post that was due at ``intended`` to some poster."""
        if not self.posters:
            # During the ramp-up there is nobody yet; that is no shortcoming of the generator.
            self.count("posts without poster")
            return
        poster = self._rng.choice(self.posters)
        if not poster.offer(self._rng.choice(poster.topics), intended):
            self._dropped += 1
            self.count("posts dropped")

    # -- the end ---------------------------------------------------------------------------------

    def _drain(self) -> None:
        """Wait until every post is acknowledged or time is up; then hand in the books."""
        self._arrivals.set_rate(0, time.monotonic())
        for client in self.clients:
            client.come_back()
        deadline = time.monotonic() + self.options.drain_timeout
        while time.monotonic() < deadline and not all(client.idle for client in self.posters):
            gevent.sleep(0.05)
        self._runner.send_message(
            "chat_posted",
            {
                "run": self.ledger.run,
                "worker": self.index,
                "books": pack_books(self.ledger.books),
            },
        )

    def _settle(self, data: dict[str, Any]) -> None:
        """Wait until every reader has been shown everything, or nothing comes any more; compare."""
        books = unpack_books(data["books"])
        deadline = time.monotonic() + self.options.drain_timeout
        quiet_since, delivered = time.monotonic(), -1
        waiting = list(self.clients)
        while time.monotonic() < deadline:
            waiting = [one for one in waiting if not self._heard_out(one, books)]
            if not waiting:
                break
            if self.ledger.counts.delivered != delivered:
                delivered, quiet_since = self.ledger.counts.delivered, time.monotonic()
            # Quiet, and everybody connected: what is missing will not come. It is lost.
            connected = all(one.connected.is_set() for one in waiting)
            if connected and time.monotonic() - quiet_since > QUIET:
                break
            gevent.sleep(0.1)
        # A grace for duplicates and strays that come after the last message.
        gevent.sleep(0.5)
        unfinished = [one for one in self.clients if not one.connected.is_set()]
        for client in unfinished:
            if client.account is not None:
                client.account.attached = False
        verdict = self.ledger.settle(books)
        for _ in range(min(verdict.lost, 1000)):
            self.failure("deliver", "lost")
        self._report(whole=False)
        self._runner.send_message(
            "chat_settled",
            {
                "run": self.ledger.run,
                "worker": self.index,
                "verdict": verdict.packed(),
                "evidence": self._evidence(),
                "unfinished": len(unfinished),
            },
        )
        gevent.killall(self._greenlets, block=False)

    @staticmethod
    def _heard_out(client: ChatClient, books: dict[tuple[str, str], Any]) -> bool:
        """Whether a reader is connected and has been shown everything it is owed."""
        account = client.account
        return account is not None and client.connected.is_set() and account.caught_up(books)


def show_in_locust(environment: Environment, slot: Slot) -> None:
    """Add a second's rows to Locust's statistics, bucket by bucket.

    An event for each delivery would cost more CPU than receiving it does.
    """
    stats = environment.stats
    second = int(time.time())
    for name in SHOWN:
        histogram = slot.rows.get(name)
        if histogram is None:
            continue
        for entry in (stats.entries[(name, "CHAT")], stats.total):
            entry.num_requests += histogram.count
            entry.num_reqs_per_sec[second] += histogram.count
            entry.last_request_timestamp = time.time()
            entry.total_response_time += histogram.total / 1000  # type: ignore[assignment]
            low, high = histogram.low / 1000, histogram.high / 1000
            least = entry.min_response_time
            entry.min_response_time = low if least is None else min(least, low)  # type: ignore[assignment]
            entry.max_response_time = max(entry.max_response_time, high)  # type: ignore[assignment]
            for start, end, times in histogram.buckets():
                middle = locust_stats.bucket_response_time((start + end) / 2000)
                entry.response_times[middle] += times


def fine_bucket(response_time: float) -> float:
    """Locust's own buckets are 1 ms wide below 100 ms and 10 ms below 1 s; these have three
    significant digits everywhere."""
    if response_time <= 0:
        return 0.0
    digits = 2 - math.floor(math.log10(response_time))
    return round(response_time, digits)
