"""One run's record on the master: what was asked for, what was reported, what it is worth. No
messages are sent here; :mod:`chatload.master` does that."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, fields
from typing import Any

from chatload import gates
from chatload.clock import now_us
from chatload.findings import Findings
from chatload.gates import Evidence, Gate
from chatload.options import Options
from chatload.timing import ROWS, Histogram, Series
from chatload.verdict import Counts, Verdict

#: Exit codes of a run. 1 and 2 stay what they are in Locust: it could not run, or crashed.
EXIT_CLEAN, EXIT_BROKEN, EXIT_INVALID, EXIT_GAPS = 0, 3, 4, 5
#: What each is called.
OUTCOMES = {
    EXIT_CLEAN: "clean",
    EXIT_BROKEN: "BROKEN",
    EXIT_INVALID: "INVALID",
    EXIT_GAPS: "GAPS",
}
#: Seconds without a report after which a worker is not counted as present.
ABSENT = 5.0
#: Seconds that a change of the number of users may take before it counts as not kept.
CHANGE_PATIENCE = 30
#: Rows that hold deliveries.
SHOWN_ROWS = ("deliver", "deliver_slow", "echo", "catch_up")


class Run:
    """One run. Not shared between threads. planned: seconds of load, 0 until stopped."""

    def __init__(
        self, name: str, options: Options, host: str, workers: int, planned: float = 0.0
    ) -> None:
        self.name = name
        self.options = options
        #: Base URLs of the chat.
        self.host = host
        self.planned = planned
        self.started = time.time()
        #: The same, by the lab's clock, µs.
        self.clock = now_us()
        self.ended: float | None = None
        #: When the ramp-up was over and figures began to count; None before.
        self.measured_from: float | None = None
        #: "running", "draining" or "finished".
        self.state = "running"
        #: While draining: what is waited for, and until when at most (monotonic).
        self.step = ("", 0.0)
        self.series = Series()
        #: worker number → its latest report, and when that came (monotonic).
        self.reports: dict[int, dict[str, Any]] = {}
        self.heard: dict[int, float] = {}
        #: worker number → Locust's id of it.
        self.ids: dict[int, str] = {}
        #: worker number → the rate that it was told last.
        self.told: dict[int, float] = {}
        #: How many workers were sent a start, and whether some are probes.
        self.workers = workers
        self.probed = False
        self.rate = options.rate
        #: Instants, seconds since the start, at which another rate was asked for, and which.
        self._rates: list[tuple[float, float]] = [(0.0, options.rate)]
        #: worker number → what it handed in at each step of the end.
        self.posted: dict[int, dict[str, Any]] = {}
        self.looked: dict[int, dict[str, Any]] = {}
        self.settled: dict[int, dict[str, Any]] = {}
        self.verdict: Verdict | None = None
        #: What the checks of people, rooms and conversation found.
        self.findings = Findings()
        #: Accounts and rooms by Locust's id of the worker, packed; tokens are in them.
        self.hands: dict[str, Any] = {}
        self.gates: list[Gate] = []
        self.evidence = Evidence(workers_started=workers)
        #: Instants (seconds since the start) with something to tell, for the charts.
        self.notes: list[tuple[float, str]] = []
        #: Seconds watched since the ramp-up, and those of them with another number of users.
        self._watched = self._off = 0
        #: Users asked for, and seconds that the last change of it may still take.
        self._target, self._grace = -1, 0

    # -- while it runs ---------------------------------------------------------------------------

    def elapsed(self) -> int:
        """µs since the start."""
        return now_us() - self.clock

    def patience(self) -> float:
        """Seconds that the present step of draining may still take."""
        return max(0.0, self.step[1] - time.monotonic())

    def draining(self) -> dict[str, Any] | None:
        """What the page says while a run drains: its name, what is waited for, and for how many
        seconds at most. None when it does not drain."""
        # Only while it drains there is something to wait for.
        if self.state != "draining":
            return None
        return {"run": self.name, "step": self.step[0], "seconds": round(self.patience())}

    def reset(self) -> None:
        """Figures count from now on. The ledger goes on: a message lost is lost."""
        self.series = Series()
        self._watched = self._off = 0
        # Before the ramp-up is over nothing counts yet.
        if self.measured_from is not None:
            self.measured_from = max(time.time(), self.measured_from)

    def present(self) -> dict[int, dict[str, Any]]:
        """Latest reports of the workers that have reported lately."""
        now = time.monotonic()
        return {
            index: report
            for index, report in self.reports.items()
            if now - self.heard[index] < ABSENT
        }

    def users(self) -> int:
        """Users that there are now, by what the workers report; probes are not counted."""
        return sum(report["users"] for report in self.present().values())

    def shares(self, wanted: int = 0) -> dict[int, float]:
        """worker number → posts a second: by its share of the posters. A worker without posters has
        none, so that no post is due where nobody can send it. wanted: users asked for. While they
        arrive, posts come as they do: else the first few would have to post for all, and what
        waited for the limit of posts a session would still wait when the figures begin."""
        rate = self.rate
        # The ramp-up is not over.
        if self.measured_from is None and wanted:
            rate *= min(1.0, self.users() / wanted)
        present = self.present()
        crowd = {i: r["posters"] for i, r in present.items() if not r["evidence"]["probe"]}
        probes = {i: r["posters"] for i, r in present.items() if r["evidence"]["probe"]}
        out: dict[int, float] = {}
        # In the closed model people post when they have thought; the probes keep their rate.
        for group, total in ((crowd, rate), (probes, self.options.probe_rate)):
            posters = sum(group.values())
            # Each by its posters.
            for index, number in group.items():
                out[index] = total * number / posters if posters else 0.0
        return out

    def set_rate(self, rate: float) -> None:
        """From now on another rate is asked for."""
        self.rate = rate
        self._rates.append((time.time() - self.started, rate))

    def _rate_kept(self) -> None:
        """Posts due and expected, over the whole seconds after the ramp-up. Seconds are compared,
        not stretches of each worker's own, because a busy worker hears late that the ramp-up ended.
        """
        seen = self.evidence
        seen.posts_due, seen.posts_expected = 0, 0.0
        # During the ramp-up posts come as people do.
        if self.measured_from is None:
            return
        first = math.ceil(self.measured_from - self.started)
        last = math.floor(self._end() - self.started)
        extra = self.options.probe_rate if self.probed else 0.0
        # Compare what was due with what was asked for, second by second.
        for second, slot in self.series.items():
            # Only whole seconds after the ramp-up.
            if not first <= second or second + self.series.width > last:
                continue
            seen.posts_due += slot.counters.get("arrivals", 0)
            # A rate that changes within a second counts for it by halves at most: let that go.
            rate = next(rate for at, rate in reversed(self._rates) if at <= second + 0.5)
            seen.posts_expected += (rate + extra) * self.series.width

    def watch(self, target: int, *, settled: bool) -> None:
        """A second went by. target: users asked for; settled: whether all are started."""
        seen = self.evidence
        now = time.monotonic()
        seen.silence = max([seen.silence, *(now - at for at in self.heard.values())])
        # The number of people is no promise before the ramp-up is over.
        if self.measured_from is None or time.time() < self.measured_from:
            return
        off = self.users() != target
        if target != self._target:
            # Asked for anew (a stage, an edit): it takes a while, which is no fault.
            self._target, self._grace = target, CHANGE_PATIENCE
        # As many as asked for: a change is over.
        if not off:
            self._grace = 0
        # Within the grace of a change a difference is no fault.
        if settled and not self._grace:
            self._watched += 1
            self._off += off
        self._grace = max(0, self._grace - 1)

    def counts(self) -> Counts:
        """The ledger so far, over all workers."""
        total = Counts()
        # Add the latest report of each worker.
        for report in self.reports.values():
            # Every counter by its name.
            for one in fields(Counts):
                value = getattr(total, one.name) + report["counts"][one.name]
                setattr(total, one.name, value)
        return total

    def pods(self) -> dict[str, int]:
        """Connections by pod, over all workers that are there."""
        total: dict[str, int] = {}
        reports = self.present() if self.state == "running" else self.reports
        # Each worker tells where its people are.
        for report in reports.values():
            # Add them over the workers.
            for pod, number in report["pods"].items():
                total[pod] = total.get(pod, 0) + number
        return dict(sorted(total.items()))

    # -- what it is worth ------------------------------------------------------------------------

    def judge(self) -> list[Gate]:
        """The validity gates, by what is known now."""
        seen = self.evidence
        parts = [report["evidence"] for report in self.reports.values()]
        parts = [done["evidence"] for done in self.settled.values()] or parts
        # At the end the workers' last word counts, before it their reports.
        if parts:
            self._gather(parts)
        self._rate_kept()
        total = self.series.total
        deliver = total.rows.get("deliver", Histogram())
        everything = Histogram()
        everything.merge(deliver)
        everything.merge(total.rows.get("deliver_ramp", Histogram()))
        seen.deliver_p99_ms = deliver.percentile(99) / 1000
        seen.deliver_all_p99_ms = everything.percentile(99) / 1000
        seen.deliver_samples = deliver.count
        seen.posts_refused = total.counters.get("posts refused", 0)
        seen.seconds_off = self._off / self._watched if self._watched else 0.0
        seen.seconds = self._end() - self.started
        # Locust's timer may be a little early; a run that was cut short is so by more.
        seen.seconds_planned = max(0.0, self.planned - 1.0)
        seen.seconds_measured = self.measured()
        counts = self.verdict or self.counts()
        seen.sent, seen.delivered = counts.sent, counts.delivered
        # Of a run without a verdict nothing is proved.
        if self.verdict is not None:
            seen.unproven, seen.unread = self.verdict.unproven, self.verdict.unread
        seen.unchecked = self.findings.unchecked
        return gates.judge(seen, self.options.limits)

    def _gather(self, parts: list[dict[str, Any]]) -> None:
        """Add up what the workers say."""
        seen = self.evidence
        crowd = [part for part in parts if not part["probe"]]
        measuring = [part for part in parts if part["probe"]] or crowd
        apart = measuring is not crowd and bool(crowd)

        def worst(name: str, among: list[dict[str, Any]]) -> float:
            """The greatest of a reading."""
            return float(max(part[name] for part in among))

        seen.worker_cpu_percent = worst("cpu_highest", parts)
        seen.longest_stall_ms = worst("longest_stall", parts)
        seen.loop_lag_p99_ms = worst("loop_lag_p99", measuring)
        seen.loop_lag_all_p99_ms = worst("loop_lag_all_p99", measuring)
        seen.loop_lag_samples = min(part["loop_lag_samples"] for part in measuring)
        seen.schedule_lag_p99_ms = worst("schedule_lag_p99", measuring)
        seen.schedule_lag_all_p99_ms = worst("schedule_lag_all_p99", measuring)
        # Where the kernel stamps what comes, the lag of this process is known, post by post.
        stamping = all(part["own_lag_p99"] is not None for part in measuring)
        seen.own_lag_p99_ms = worst("own_lag_p99", measuring) if stamping else None
        seen.own_lag_all_p99_ms = worst("own_lag_all_p99", measuring) if stamping else None
        seen.own_lag_samples = min(part["own_lag_samples"] for part in measuring)
        seen.crowd_loop_lag_p99_ms = worst("loop_lag_p99", crowd) if apart else None
        seen.crowd_schedule_lag_p99_ms = worst("schedule_lag_p99", crowd) if apart else None
        seen.posts_dropped = sum(part["dropped"] for part in parts)
        seen.posts_homeless = sum(part["homeless"] for part in parts)
        # While the load is on, posts wait and are unanswered: that is how it should be.
        over = self.state == "finished" or bool(self.settled)
        seen.posts_unsent = sum(part["unsent"] for part in parts) if over else 0
        seen.posts_unanswered = sum(part["unanswered"] for part in parts) if over else 0
        errors = [part["clock_error"] for part in parts]
        # Both ends of a measurement may be wrong: the two worst clocks together.
        seen.clock_error_ms = None if None in errors else sum(sorted(errors)[-2:])

    def measured(self) -> float:
        """Seconds of load after the ramp-up."""
        return max(0.0, self._end() - self.measured_from) if self.measured_from else 0.0

    @property
    def valid(self) -> bool:
        """Whether every gate held (of a finished run)."""
        return gates.valid(self.gates)

    @property
    def exit_code(self) -> int:
        """3: the ledger is broken (a loss is a loss however slow the worker was). 4: invalid.
        5: nothing is lost, but somebody was told that a cursor could not be honoured."""
        # A broken promise comes before everything else.
        if self.verdict is None or not (self.verdict.clean and self.findings.clean):
            return EXIT_BROKEN if self.verdict is not None else EXIT_INVALID
        # Then what the run is worth.
        if not self.valid:
            return EXIT_INVALID
        return EXIT_GAPS if self.verdict.gaps else EXIT_CLEAN

    def outcome(self) -> str:
        """One word for people: what the run is worth."""
        return self.state if self.state != "finished" else OUTCOMES[self.exit_code]

    def gap_sentence(self) -> str:
        """What there is to say of announced gaps; empty when there were none."""
        verdict = self.verdict
        # Only announced gaps need the sentence.
        if verdict is None or not verdict.gaps:
            return ""
        return (
            f"{verdict.gaps} cursors were not honoured, and the server said so: {verdict.skipped} "
            f"deliveries were skipped (the history has them), {verdict.lost} are lost"
        )

    def _end(self) -> float:
        """When the load ended; now while it is on."""
        return self.ended or time.time()

    def summary(self) -> dict[str, Any]:
        """Everything worth keeping but the series: what ``summary.json`` and the Chat tab hold."""
        total = self.series.total
        current = self.judge() if self.state != "finished" else self.gates
        deliveries = total.counters.get("deliveries", 0)
        measured = max(1e-9, self.measured() or self._end() - self.started)
        rows = {name: total.rows[name] for name in ROWS if name in total.rows}
        shown = sum(
            row.count for name, row in rows.items() if name.removesuffix("_crowd") in SHOWN_ROWS
        )
        acked = sum(rows[name].count for name in ("ack", "ack_crowd") if name in rows)
        steady = [
            slot.gauges.get("posts_in_flight", 0.0)
            for second, slot in self.series.items()
            if self.measured_from is not None
            and self.measured_from <= self.started + second
            and second + self.series.width <= self._end() - self.started
        ]
        cpu = sum(report["evidence"]["cpu_seconds"] for report in self.reports.values())
        counters = dict(sorted(total.counters.items()))
        finished = self.state == "finished"
        return {
            "run": self.name,
            "state": self.state,
            "draining": self.draining(),
            "outcome": self.outcome(),
            "valid": gates.valid(current) if finished else None,
            "exit_code": self.exit_code if finished else None,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
            "seconds": round(self._end() - self.started, 3),
            "measured_seconds": round(self.measured(), 3),
            "host": self.host,
            "workers": self.workers,
            "probed": self.probed,
            "rate": self.rate,
            # Where the artefacts lie is this machine's business, not the run's.
            "options": {k: v for k, v in asdict(self.options).items() if k != "artefacts"},
            "ledger": self.verdict.packed() if self.verdict else asdict(self.counts()),
            "people": self.findings.packed() if self.options.accounts else None,
            "gaps": self.gap_sentence(),
            "rows_ms": {name: row.summary_ms() for name, row in rows.items()},
            "throughput": {
                "posts_per_s": round(acked / measured, 2),
                # Where probes measure, each delivery is counted, though few are timed.
                "deliveries_per_s": round(self._measured_deliveries(shown) / measured, 2),
            },
            # Mean number of posts due and not answered, for Little's law.
            "posts_in_flight": round(sum(steady) / len(steady), 4) if steady else None,
            "worker_cpu_us_per_delivery": round(cpu * 1e6 / deliveries, 1) if deliveries else None,
            "failures": {
                name.removeprefix("fail "): number
                for name, number in counters.items()
                if name.startswith("fail ")
            },
            "counters": {k: v for k, v in counters.items() if not k.startswith("fail ")},
            "pods": self.pods(),
            "worker_cpu_percent": {
                str(index): report["cpu"] for index, report in sorted(self.reports.items())
            },
            # What each worker is, and what its deliveries have cost it.
            "worker_cost": {
                str(index): {
                    "generator": report["evidence"]["generator"],
                    "probe": report["evidence"]["probe"],
                    "cpu_seconds": round(report["evidence"]["cpu_seconds"], 3),
                    "deliveries": report["counts"]["delivered"],
                }
                for index, report in sorted(self.reports.items())
            },
            "gates": [gate.packed() for gate in current],
            "invalid_because": gates.complaints(current),
            "notes": self.notes,
        }

    def _measured_deliveries(self, timed: int) -> int:
        """Deliveries since the ramp-up: those timed, and those that probes were shown untimed."""
        return timed + self.series.total.counters.get("deliveries untimed", 0)
