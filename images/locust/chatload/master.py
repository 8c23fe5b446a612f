"""Leads runs: starts them, gathers what the workers report, ends them.

A run ends in this order, whatever ended it (time, shape, the Stop button, TERM, INT): Locust fires
``test_stopping`` while all users still live; here the run is closed and judged
(:mod:`chatload.closing`), the artefacts are written, and only then Locust takes its users down.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
from dataclasses import asdict
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment

from chatload import gates, targets
from chatload import options as settings
from chatload.accounts import AccountError, Api, deal, make_accounts
from chatload.artefacts import write_artefacts
from chatload.clock import boot_id, now_us
from chatload.closing import Closing
from chatload.options import Options
from chatload.probe import is_probe
from chatload.run import EXIT_INVALID, Run
from chatload.schedule import VARIABLE, parse_stages
from chatload.timing import Slot
from chatload.worker import SETTLE_IN

log = logging.getLogger("chatload.master")

#: Seconds between two looks at the workers, and between two partial summaries.
WATCH_EVERY, PARTIAL_EVERY = 1.0, 3.0


class Master:
    """Starts, watches and judges runs. One per master (or single) process."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        runner = environment.runner
        assert runner is not None
        self._runner: Any = runner
        self.run: Run | None = None
        self._closing = Closing(runner, self._send, lambda: self.run)
        #: Set while no run drains.
        self._drained = Event()
        self._drained.set()
        #: Locust's ids of the workers that were sent a start of the present run.
        self._told: set[str] = set()
        # Each kind of message from the workers has its handler.
        for name, handler in (
            ("chat_ping", self._on_ping),
            ("chat_join", self._on_join),
            ("chat_report", self._on_report),
        ):
            runner.register_message(name, handler)
        environment.events.test_start.add_listener(self._on_test_start)
        environment.events.test_stopping.add_listener(self._on_test_stopping)
        # TERM and INT: Locust fixes the exit code right after `quitting`, so settle before that.
        environment.events.quitting.add_listener(self._on_test_stopping)
        environment.events.reset_stats.add_listener(self._on_reset)
        environment.events.worker_connect.add_listener(self._on_worker_connect)
        environment.events.spawning_complete.add_listener(self._on_spawned)

    # -- the start -------------------------------------------------------------------------------

    def _on_test_start(self, environment: Environment, **_: Any) -> None:
        """Locust starts a run: name it and tell the workers, before users are spawned."""
        options = settings.parse(vars(environment.parsed_options))
        host = ",".join(targets.chosen(environment.host, options.targets, options.hosts))
        # Eight characters that sort by time and differ between runs: topics are named after it.
        name = f"{int(time.time() * 10):x}"[-8:]
        # Locust's run time is running already: accounts are made within it, before the load.
        began = time.monotonic()
        hands = self._make_people(name, options, host)
        planned = self._planned()
        planned = max(1.0, planned - (time.monotonic() - began)) if planned else 0.0
        self.run = Run(name, options, host, self._worker_count(), planned)
        self.run.hands = hands
        environment.process_exit_code = EXIT_INVALID  # until the ledger says otherwise
        clients = getattr(self._runner, "clients", {})
        self._told = set(clients)
        self.run.probed = any(map(is_probe, clients))
        self._send_start()
        gevent.spawn(self._watch, self.run)
        log.info("run %s: %s, seed %d", name, host, options.seed)

    def _make_people(self, run: str, options: Options, host: str) -> dict[str, Any]:
        """Accounts of a run, dealt out: Locust's id of a worker → its hand, packed. Without them
        the run begins all the same, and is BROKEN or INVALID by what it lacks."""
        # Most runs have none.
        if not options.accounts:
            return {}
        bases = itertools.cycle(host.split(","))
        # The load goes on without them, and its verdict says so.
        try:
            made = make_accounts(Api(lambda: next(bases)), run, options.accounts)
        except AccountError as error:
            log.error("run %s: %s", run, error)
            return {}
        crowd = sorted(one for one in getattr(self._runner, "clients", {}) if not is_probe(one))
        hands = deal(made, options.rooms, crowd or ["local"])
        return {name: hand.packed() for name, hand in hands.items()}

    def _planned(self) -> float:
        """Seconds of load that were asked for; 0: until it is stopped."""
        stages = os.environ.get(VARIABLE)
        # Stages say themselves how long they take; else the run time does.
        if stages:
            return sum(stage.seconds for stage in parse_stages(stages))
        return float(getattr(self.environment.parsed_options, "run_time", None) or 0)

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
            "elapsed": self.run.elapsed(),
            "probed": self.run.probed,
            "hands": self.run.hands,
            "boot": boot_id(),
        }
        self._send("chat_start", data, client_id)

    def _send(self, name: str, data: dict[str, Any], client_id: str | None = None) -> None:
        """A message to all workers, or to one."""
        # A single process has one worker: itself.
        if client_id in (None, "local"):
            self._runner.send_message(name, data)
        else:
            self._runner.send_message(name, data, client_id)

    def _on_worker_connect(self, client_id: str, **_: Any) -> None:
        """A worker came while a run is on (a pod was replaced): it joins, with its own account."""
        # A worker says that it is ready also when its connection was only renewed.
        fresh = client_id not in self._told
        # Only a newcomer to a run that is on.
        if self.run is not None and self.run.state == "running" and fresh:
            self._told.add(client_id)
            self.run.workers += 1
            self.note("a worker joined")
            gevent.spawn(self._send_start, client_id)

    def _on_spawned(self, **_: Any) -> None:
        """All users are started: figures count from here on, as they do at the workers."""
        # The first time only: later stages start users too.
        if self.run is not None and self.run.measured_from is None:
            self.run.measured_from = time.time() + SETTLE_IN
            self.note("ramp-up over")
            self._share_out(self.run)

    def set_rate(self, rate: float) -> None:
        """A new rate of posts, over all workers: a stage began."""
        # A stage may leave the rate as it is.
        if self.run is not None and rate != self.run.rate:
            self.run.set_rate(rate)
            self.note(f"{rate:g} posts/s")
            self._share_out(self.run)

    def edit(self, rate: float, left: float | None) -> None:
        """The running load was edited: a new rate of posts, and seconds until it ends by itself
        (None: when it is stopped)."""
        # An edit may come just after the end.
        if self.run is not None:
            self.run.planned = 0.0 if left is None else self.run.elapsed() / 1e6 + left
            self.set_rate(rate)

    def _on_reset(self, **_: Any) -> None:
        """Reset was pressed: figures count from now; a run that is over is put away."""
        # Before the first run there is nothing to reset.
        if self.run is None:
            return
        # Of a run that is over, the tab is emptied; one that is on begins its figures anew.
        if self.run.state == "finished":
            self.run = None
        else:
            self.run.reset()
            self.note("figures reset")

    def note(self, text: str) -> None:
        """Write down what happened, for the charts."""
        # Between runs nothing is written down.
        if self.run is not None:
            self.run.notes.append((round(time.time() - self.run.started, 2), text))

    # -- while it runs ---------------------------------------------------------------------------

    def _on_ping(self, environment: Environment, msg: Any, **_: Any) -> None:
        """A worker asks for the time."""
        data = {
            "asked": msg.data["asked"],
            "clock": now_us(),
            "boot": boot_id(),
            "run": self.run.name if self.run is not None else "",
            "on": self.run is not None and self.run.state == "running",
        }
        self._send("chat_pong", data, msg.node_id)

    def _on_join(self, environment: Environment, msg: Any, **_: Any) -> None:
        """A worker missed the start: Locust greets a worker before its handlers are there."""
        # Without a run there is nothing to be taken into.
        if self.run is not None and self.run.state == "running":
            self._send_start(msg.node_id)

    def _on_report(self, environment: Environment, msg: Any, **_: Any) -> None:
        """A worker's second."""
        run, data = self.run, msg.data
        # Late reports of an earlier run, or after the verdict, change nothing.
        if run is None or data["run"] != run.name or run.state == "finished":
            return
        index = int(data["worker"])
        run.series.merge(int(data["second"]), Slot.unpacked(data["slot"]))
        run.reports[index] = data
        run.heard[index] = time.monotonic()
        run.ids[index] = msg.node_id
        # The number of its posters may have changed.
        if run.state == "running":
            self._share_out(run)

    def _watch(self, run: Run) -> None:
        """The greenlet of a running load: shares the rate out, watches users and workers, and keeps
        a partial summary, so that a run that is killed outright leaves what it had."""
        written = time.monotonic()
        # Once a second while the load is on.
        while run.state == "running":
            gevent.sleep(WATCH_EVERY)
            # It ended meanwhile; the next run may be on already.
            if run.state != "running":
                return
            now = time.monotonic()
            runner = self._runner
            # A local runner has no such flag: its users are there when `start` returns.
            settled = bool(getattr(runner, "spawning_completed", run.measured_from is not None))
            run.watch(int(runner.target_user_count), settled=settled)
            self._share_out(run)
            # Now and then, for a master that is killed.
            if now - written >= PARTIAL_EVERY:
                written = now
                self._write(run)

    def _share_out(self, run: Run) -> None:
        """Tell the workers their shares of the rate, where they changed."""
        # worker number, posts a second.
        for index, rate in run.shares(int(self._runner.target_user_count)).items():
            # A message only where something changed.
            if index in run.ids and run.told.get(index) != rate:
                run.told[index] = rate
                self._send("chat_rate", {"run": run.name, "rate": rate}, run.ids[index])

    @staticmethod
    def _write(run: Run) -> None:
        """Write the artefacts, if a folder was given for them."""
        # A folder is optional.
        if run.options.artefacts:
            # A full disk is no reason to end a run.
            try:
                write_artefacts(run.options.artefacts, run.summary(), run.series)
            except OSError as error:
                log.error("artefacts not written: %s", error)

    # -- the end ---------------------------------------------------------------------------------

    def _on_test_stopping(self, environment: Environment, **_: Any) -> None:
        """The load is over and all users still live: drain, settle, judge."""
        run = self.run
        if run is not None and run.state == "draining":
            # A second Stop, or the run time's end: Locust goes on to take the users down when this
            # returns, and they are needed until the books are settled.
            self._drained.wait()
        # Nothing runs, or the wait above was for it.
        if run is None or run.state != "running":
            return
        run.state = "draining"
        self._drained.clear()
        # Whatever happens in the end, nobody may wait for it for ever.
        try:
            self._closing.end(run)
            self.environment.process_exit_code = run.exit_code
            self._write(run)
            self._announce(run)
        finally:
            if run.state != "finished":
                # Cut off in the middle: no verdict, so nothing is proved.
                run.gates, run.state = run.judge(), "finished"
            self._drained.set()

    @staticmethod
    def _announce(run: Run) -> None:
        """The summary on the log: first the outcome, then why."""
        verdict = run.verdict
        assert verdict is not None
        words = "lost skipped duplicated reordered recovered unexpected vanished misnamed"
        log.info(
            "run %s: %s (exit %d): sent %d acknowledged %d delivered %d of %d owed, %s",
            run.name,
            run.outcome(),
            run.exit_code,
            verdict.sent,
            verdict.acknowledged,
            verdict.delivered,
            verdict.owed,
            " ".join(f"{word} {getattr(verdict, word)}" for word in words.split()),
        )
        lag = next(gate for gate in run.gates if gate.name == "schedule lag")
        log.info("run %s: schedule lag p99 %.1f ms", run.name, lag.value)
        # A sentence only where there were gaps.
        if run.gap_sentence():
            log.warning("run %s: %s", run.name, run.gap_sentence())
        # Each gate that did not hold.
        for text in gates.complaints(run.gates):
            log.warning("run %s is INVALID: %s", run.name, text)
        # A few of the troubles, by name.
        for text in verdict.examples + run.findings.examples:
            log.warning("run %s: %s", run.name, text)
