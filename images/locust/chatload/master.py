"""The run as a whole: start it, gather what the workers report, drain, settle, and judge.

A run ends in this order, whatever ended it (time, shape, the Stop button, TERM, INT): Locust fires
``test_stopping`` while all users still live; here posting stops, acknowledgements come in, every
worker's books are merged and handed to all, readers are heard out, the verdicts are added up, the
artefacts are written, and only then Locust takes its users down.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, fields
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment

from chatload import gates
from chatload import options as settings
from chatload.artefacts import write_artefacts
from chatload.clock import boot_id, now_us
from chatload.gates import Evidence, Gate
from chatload.ledger import Book, Counts, StreamKey, Verdict, merge_books, pack_books, unpack_books
from chatload.options import Options
from chatload.timing import ROWS, Series, Slot
from chatload.worker import SETTLE_IN

log = logging.getLogger("chatload.master")

#: Exit codes of a run. 1 and 2 stay what they are in Locust: it could not run, or crashed.
EXIT_CLEAN, EXIT_BROKEN, EXIT_INVALID = 0, 3, 4
#: Seconds a worker may take beyond the drain time-out before it is given up.
PATIENCE = 10.0
#: Seconds between two partial summaries while the load runs.
PARTIAL_EVERY = 3.0


class Run:
    """One run's record on the master. Not shared between threads."""

    def __init__(self, name: str, options: Options, host: str, workers: int) -> None:
        self.name = name
        self.options = options
        #: Base URLs of the chat.
        self.host = host
        self.started = time.time()
        self.ended: float | None = None
        #: When the ramp-up was over and figures began to count; None before.
        self.measured_from: float | None = None
        #: "running", "draining" or "finished".
        self.state = "running"
        self.series = Series()
        #: worker index → its latest report.
        self.reports: dict[int, dict[str, Any]] = {}
        #: Workers that were sent a start, by Locust's id.
        self.workers = workers
        self.rate = options.rate
        #: worker index → books, verdict and evidence handed in at the end.
        self.posted: dict[int, dict[StreamKey, Book]] = {}
        self.settled: dict[int, dict[str, Any]] = {}
        self.verdict: Verdict | None = None
        self.gates: list[Gate] = []
        self.evidence = Evidence(workers_started=workers)
        #: Instants (seconds since the start) with something to tell, for the charts.
        self.notes: list[tuple[float, str]] = []

    def counts(self) -> Counts:
        """The ledger so far, over all workers."""
        total = Counts()
        for report in self.reports.values():
            for one in fields(Counts):
                value = getattr(total, one.name) + report["counts"][one.name]
                setattr(total, one.name, value)
        return total

    def pods(self) -> dict[str, int]:
        """Connections by pod, over all workers."""
        total: dict[str, int] = {}
        for report in self.reports.values():
            for pod, number in report["pods"].items():
                total[pod] = total.get(pod, 0) + number
        return dict(sorted(total.items()))

    def judge(self) -> list[Gate]:
        """The validity gates, by what is known now."""
        seen = self.evidence
        parts = [report["evidence"] for report in self.reports.values()]
        parts = [done["evidence"] for done in self.settled.values()] or parts
        if parts:
            seen.worker_cpu_percent = max(part["cpu_highest"] for part in parts)
            seen.loop_lag_p99_ms = max(part["loop_lag_p99"] for part in parts)
            seen.schedule_lag_p99_ms = max(part["schedule_lag_p99"] for part in parts)
            seen.posts_dropped = sum(part["dropped"] for part in parts)
            errors = [part["clock_error"] for part in parts]
            # Both ends of a measurement may be wrong: the two worst clocks together.
            seen.clock_error_ms = None if None in errors else sum(sorted(errors)[-2:])
        counts = self.verdict or self.counts()
        seen.sent, seen.delivered = counts.sent, counts.delivered
        return gates.judge(seen, self.options.limits)

    @property
    def valid(self) -> bool:
        """Whether every gate held (of a finished run)."""
        return gates.valid(self.gates)

    @property
    def exit_code(self) -> int:
        """3: the ledger is broken (a loss is a loss however slow the worker was). 4: invalid."""
        if self.verdict is None or not self.verdict.clean:
            return EXIT_BROKEN if self.verdict is not None else EXIT_INVALID
        return EXIT_CLEAN if self.valid else EXIT_INVALID

    def outcome(self) -> str:
        """One word for people: what the run is worth."""
        if self.state != "finished":
            return self.state
        return {EXIT_CLEAN: "clean", EXIT_BROKEN: "BROKEN", EXIT_INVALID: "INVALID"}[self.exit_code]

    def _end(self) -> float:
        """When the load ended; now while it is on."""
        return self.ended or time.time()

    def summary(self) -> dict[str, Any]:
        """Everything worth keeping but the series: what ``summary.json`` and the Chat tab hold."""
        total = self.series.total
        seconds = max(1e-9, self._end() - self.started)
        current = self.judge() if self.state != "finished" else self.gates
        counts = asdict(self.counts())
        rows = {name: total.rows[name].summary_ms() for name in ROWS if name in total.rows}
        deliveries = total.counters.get("deliveries", 0)
        measured = max(1e-9, self._end() - (self.measured_from or self.started))
        shown = sum(
            total.rows[name].count
            for name in ("deliver", "deliver_slow", "echo", "catch_up")
            if name in total.rows
        )
        acked = total.rows["ack"].count if "ack" in total.rows else 0
        steady = [
            slot.gauges.get("posts_in_flight", 0.0)
            for second, slot in self.series.items()
            if self.measured_from is not None
            and self.measured_from <= self.started + second
            and second + self.series.width <= self._end() - self.started
        ]
        cpu = sum(report["evidence"]["cpu_seconds"] for report in self.reports.values())
        return {
            "run": self.name,
            "state": self.state,
            "outcome": self.outcome(),
            "valid": gates.valid(current) if self.state == "finished" else None,
            "exit_code": self.exit_code if self.state == "finished" else None,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
            "seconds": round(seconds, 3),
            "measured_seconds": round(measured, 3) if self.measured_from else 0.0,
            "host": self.host,
            "workers": self.workers,
            "rate": self.rate,
            # Where the artefacts lie is this machine's business, not the run's.
            "options": {k: v for k, v in asdict(self.options).items() if k != "artefacts"},
            "ledger": self.verdict.packed() if self.verdict else counts,
            "rows_ms": rows,
            "throughput": {
                "posts_per_s": round(acked / measured, 2),
                "deliveries_per_s": round(shown / measured, 2),
            },
            # Mean number of posts due and not answered, for Little's law.
            "posts_in_flight": round(sum(steady) / len(steady), 4) if steady else None,
            "worker_cpu_us_per_delivery": round(cpu * 1e6 / deliveries, 1) if deliveries else None,
            "failures": {
                name.removeprefix("fail "): number
                for name, number in sorted(total.counters.items())
                if name.startswith("fail ")
            },
            "counters": {
                name: number
                for name, number in sorted(total.counters.items())
                if not name.startswith("fail ")
            },
            "pods": self.pods(),
            "worker_cpu_percent": {
                str(index): report["cpu"] for index, report in sorted(self.reports.items())
            },
            "gates": [gate.packed() for gate in current],
            "invalid_because": gates.complaints(current),
            "notes": self.notes,
        }


class Master:
    """Starts, watches and judges runs. One per master (or single) process."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        runner = environment.runner
        assert runner is not None
        self._runner: Any = runner
        self.run: Run | None = None
        self._changed = Event()
        #: Locust's ids of the workers that were sent a start of the present run.
        self._told: set[str] = set()
        self._greenlet: gevent.Greenlet[..., Any] | None = None
        for name, handler in (
            ("chat_ping", self._on_ping),
            ("chat_report", self._on_report),
            ("chat_posted", self._on_posted),
            ("chat_settled", self._on_settled),
        ):
            runner.register_message(name, handler)
        environment.events.test_start.add_listener(self._on_test_start)
        environment.events.test_stopping.add_listener(self._on_test_stopping)
        # TERM and INT: Locust fixes the exit code right after `quitting`, so settle before that.
        environment.events.quitting.add_listener(self._on_test_stopping)
        environment.events.worker_connect.add_listener(self._on_worker_connect)
        environment.events.spawning_complete.add_listener(self._on_spawned)

    # -- the start -------------------------------------------------------------------------------

    def _on_test_start(self, environment: Environment, **_: Any) -> None:
        """Locust starts a run: name it and tell the workers, before users are spawned."""
        options = settings.parse(vars(environment.parsed_options))
        host = options.targets or environment.host or ""
        if not host:
            raise ValueError("no chat to load: give --host, or --targets")
        # Eight characters that sort by time and differ between runs: topics are named after it.
        name = f"{int(time.time() * 10):x}"[-8:]
        self.run = Run(name, options, host, self._worker_count())
        environment.process_exit_code = EXIT_INVALID  # until the ledger says otherwise
        self._told = set(getattr(self._runner, "clients", {}))
        self._send_start()
        self._greenlet = gevent.spawn(self._write_partials)
        log.info("run %s: %s, seed %d", name, host, options.seed)

    def _worker_count(self) -> int:
        """Workers that are there; 1 in a single process."""
        return int(getattr(self._runner, "worker_count", 1)) or 1

    def _send_start(self, client_id: str | None = None) -> None:
        """Tell all workers (or one) about the run."""
        assert self.run is not None
        data = {
            "run": self.run.name,
            "options": asdict(self.run.options),
            "targets": self.run.host,
            "workers": self.run.workers,
            "rate": self.run.rate,
            "boot": boot_id(),
        }
        if client_id is None:
            self._runner.send_message("chat_start", data)
        else:
            self._runner.send_message("chat_start", data, client_id)

    def _on_worker_connect(self, client_id: str, **_: Any) -> None:
        """A worker came while a run is on (a pod was replaced): it joins, with its own account."""
        # A worker says that it is ready also when its connection was only renewed.
        fresh = client_id not in self._told
        if self.run is not None and self.run.state == "running" and fresh:
            self._told.add(client_id)
            self.run.workers += 1
            self.note("a worker joined")
            gevent.spawn(self._send_start, client_id)

    def _on_spawned(self, **_: Any) -> None:
        """All users are started: figures count from here on, as they do at the workers."""
        if self.run is not None and self.run.measured_from is None:
            self.run.measured_from = time.time() + SETTLE_IN
            self.note("ramp-up over")

    def set_rate(self, rate: float) -> None:
        """A new rate of posts, over all workers: a stage began."""
        if self.run is not None and rate != self.run.rate:
            self.run.rate = rate
            self.note(f"{rate:g} posts/s")
            self._runner.send_message("chat_rate", {"rate": rate})

    def note(self, text: str) -> None:
        """Write down what happened, for the charts."""
        if self.run is not None:
            self.run.notes.append((round(time.time() - self.run.started, 2), text))

    # -- while it runs ---------------------------------------------------------------------------

    def _on_ping(self, environment: Environment, msg: Any, **_: Any) -> None:
        """A worker asks for the time."""
        data = {"asked": msg.data["asked"], "clock": now_us(), "boot": boot_id()}
        self._send_back("chat_pong", data, msg)

    def _send_back(self, name: str, data: dict[str, Any], msg: Any) -> None:
        """Answer the worker that sent ``msg``."""
        if msg.node_id == "local":
            self._runner.send_message(name, data)
        else:
            self._runner.send_message(name, data, msg.node_id)

    def _on_report(self, environment: Environment, msg: Any, **_: Any) -> None:
        """A worker's second."""
        run, data = self.run, msg.data
        if run is None or data["run"] != run.name or run.state == "finished":
            return
        slot = Slot.unpacked(data["slot"])
        if slot.gauges:  # a report that ends a second; others must not count users twice
            slot.gauges["users"] = float(self._runner.user_count) / max(1, run.workers)
        run.series.merge(int(data["second"]), slot)
        run.reports[int(data["worker"])] = data

    def _write_partials(self) -> None:
        """A run that is killed outright still leaves what it had."""
        while self.run is not None and self.run.state == "running":
            gevent.sleep(PARTIAL_EVERY)
            self._write()

    def _write(self) -> None:
        """Write the artefacts, if a folder was given for them."""
        if self.run is not None and self.run.options.artefacts:
            try:
                write_artefacts(self.run.options.artefacts, self.run.summary(), self.run.series)
            except OSError as error:
                log.error("artefacts not written: %s", error)

    # -- the end ---------------------------------------------------------------------------------

    def _on_test_stopping(self, environment: Environment, **_: Any) -> None:
        """The load is over and all users still live: drain, settle, judge."""
        run = self.run
        if run is None or run.state != "running":
            return
        run.state = "draining"
        run.ended = time.time()
        log.info("run %s: draining", run.name)
        self._runner.send_message("chat_drain", {})
        patience = run.options.drain_timeout + PATIENCE
        self._wait(run.posted, run, patience)
        books = merge_books(run.posted.values())
        self._runner.send_message("chat_settle", {"run": run.name, "books": pack_books(books)})
        self._wait(run.settled, run, patience)
        self._conclude(run)
        environment.process_exit_code = run.exit_code
        self._write()
        self._announce(run)

    def _wait(self, answers: dict[int, Any], run: Run, seconds: float) -> None:
        """Wait until all workers that are still alive have answered, or ``seconds`` are over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and len(answers) < min(run.workers, self._alive()):
            self._changed.clear()
            self._changed.wait(0.5)

    def _alive(self) -> int:
        """Workers that could answer; those that Locust calls missing cannot."""
        return int(getattr(self._runner, "worker_count", 1))

    def _on_posted(self, environment: Environment, msg: Any, **_: Any) -> None:
        """A worker's books."""
        if self.run is not None and msg.data["run"] == self.run.name:
            self.run.posted[int(msg.data["worker"])] = unpack_books(msg.data["books"])
            self._changed.set()

    def _on_settled(self, environment: Environment, msg: Any, **_: Any) -> None:
        """A worker's verdict."""
        if self.run is not None and msg.data["run"] == self.run.name:
            self.run.settled[int(msg.data["worker"])] = msg.data
            self._changed.set()

    @staticmethod
    def _conclude(run: Run) -> None:
        """Add up the verdicts and close the gates."""
        verdict = Verdict()
        for done in run.settled.values():
            verdict.merge(Verdict.unpacked(done["verdict"]))
        run.evidence.workers_lost = max(0, run.workers - len(run.settled))
        if run.evidence.workers_lost:
            # A lost worker took its books along: what its posters sent looks like nobody's.
            verdict.examples.append("a worker is missing: 'unexpected' cannot be told")
            verdict.unexpected = 0
        run.verdict = verdict
        run.evidence.readers_unfinished = sum(done["unfinished"] for done in run.settled.values())
        run.gates = run.judge()
        run.state = "finished"

    @staticmethod
    def _announce(run: Run) -> None:
        """The summary on the log: first the outcome, then why."""
        verdict = run.verdict
        assert verdict is not None
        log.info(
            "run %s: %s (exit %d): sent %d acknowledged %d delivered %d of %d owed, lost %d "
            "duplicated %d reordered %d recovered %d unexpected %d",
            run.name,
            run.outcome(),
            run.exit_code,
            verdict.sent,
            verdict.acknowledged,
            verdict.delivered,
            verdict.owed,
            verdict.lost,
            verdict.duplicated,
            verdict.reordered,
            verdict.recovered,
            verdict.unexpected,
        )
        lag = next(gate for gate in run.gates if gate.name == "schedule lag")
        log.info("run %s: schedule lag p99 %.1f ms", run.name, lag.value)
        for text in gates.complaints(run.gates):
            log.warning("run %s is INVALID: %s", run.name, text)
        for text in verdict.examples:
            log.warning("run %s: %s", run.name, text)
