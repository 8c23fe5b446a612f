"""A master and its workers: one ledger, one clock; workers that die, join, stand still, measure; a
master that dies and comes back."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from runs import PATIENT, FakeServer, LocustRun
from test_webtab import free_port

pytestmark = pytest.mark.timeout(400)
USERS, RATE = 20, 40


@dataclass
class Cluster:
    """A fake chat, a master and its workers, started."""

    stack: ExitStack
    flags: list[str] = field(default_factory=list)
    more: list[str] = field(default_factory=list)
    seconds: float = 8
    probes: int = 0

    def __post_init__(self) -> None:
        self.port = str(free_port())
        self.server = self.stack.enter_context(FakeServer(self.flags))
        self.workers = [self.worker() for _ in range(2)]
        self.probe = [self.worker(CHATLOAD_PROBE="1") for _ in range(self.probes)]
        self.master = self.start_master()

    def worker(self, **env: str) -> LocustRun:
        """Start a worker; it is gone when the test is."""
        made = LocustRun(["--worker", "--master-port", self.port], env=env).start()
        assert made.child is not None
        self.stack.callback(made.child.wait, 30)
        self.stack.callback(made.child.kill)
        return made

    def start_master(self) -> LocustRun:
        """Start a headless master."""
        made = LocustRun(
            [
                *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", self.port),
                *("--expect-workers", str(2 + self.probes), "--headless", "--only-summary"),
                *("--host", self.server.url, "-u", str(USERS), "-r", "100"),
                *("-t", f"{self.seconds:g}s", "--rate", str(RATE), "--drain-timeout", "8"),
                *("--churn-share", "0", "--lurkers-share", "0", *PATIENT, *self.more),
            ]
        ).start()
        assert made.child is not None
        self.stack.callback(made.child.wait, 30)
        self.stack.callback(made.child.kill)
        return made

    def reasons(self) -> str:
        """Why the run is invalid."""
        return "\n".join(self.master.summary()["invalid_because"])


def series(run: LocustRun) -> list[dict[str, float]]:
    """A run's seconds."""
    header, *lines = (run.folder / "series.csv").read_text().splitlines()
    names = header.split(",")
    return [
        {name: float(value) for name, value in zip(names, line.split(","), strict=True) if value}
        for line in lines
    ]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Ends what a test started."""
    with ExitStack() as made:
        yield made


def test_two_workers_make_one_ledger_and_a_dead_one_makes_it_invalid(stack: ExitStack) -> None:
    mischief = ["--drop", "0.01", "--double", "0.01", "--swap", "0.01"]
    clean, bad, dead = Cluster(stack), Cluster(stack, flags=mischief), Cluster(stack, seconds=12)
    dead.master.wait_until_sent(20)
    assert dead.workers[0].child is not None
    dead.workers[0].child.send_signal(signal.SIGKILL)

    assert clean.master.end() == 0, clean.master.output
    summary = clean.master.summary()
    assert summary["workers"] == 2 and len(summary["worker_cpu_percent"]) == 2
    assert summary["ledger"]["owed"] == summary["ledger"]["delivered"] > 0
    # Same kernel, same clock: known to be without error, not merely assumed.
    gate = next(one for one in summary["gates"] if one["name"] == "clock error")
    assert gate["passed"] and gate["value"] == 0

    assert bad.master.end() == 3, bad.master.output
    truth, ledger = bad.server.truth(), bad.master.summary()["ledger"]
    assert ledger["lost"] == truth["dropped"] > 0
    assert ledger["duplicated"] == truth["doubled"] > 0
    assert ledger["reordered"] == truth["swapped"] > 0

    assert dead.master.end() == 4, dead.master.output
    assert "workers lost" in dead.reasons() and "users kept" in dead.reasons()


def test_probes_measure_and_the_crowd_keeps_the_books(stack: ExitStack) -> None:
    run = Cluster(stack, probes=1, seconds=10, more=["--probes", "4", "--probe-rate", "20"])
    assert run.master.end() == 0, run.master.output
    summary = run.master.summary()
    rows = summary["rows_ms"]
    assert summary["probed"] and rows["deliver"]["count"] > 0 and rows["deliver_crowd"]["count"] > 0
    # A probe's message is timed by the other three, and echoed to itself.
    measured = rows["echo"]["count"]
    assert rows["deliver"]["count"] == pytest.approx(3 * measured, abs=12)
    # Locust's users are the crowd alone; the books hold everybody.
    assert "users kept" in {gate["name"] for gate in summary["gates"] if gate["passed"]}
    assert summary["ledger"]["readers"] == USERS + 4
    assert summary["ledger"]["owed"] == summary["ledger"]["delivered"]
    gates = {gate["name"]: gate for gate in summary["gates"]}
    assert {"crowd's loop lag", "crowd's schedule lag"} <= set(gates)
    # The kernel stamps what comes, so what a probe adds to a time is known: a millisecond or two.
    assert gates["own lag samples"]["value"] >= 100 and gates["own lag"]["value"] > 0
    assert "schedule_lag" in rows


def test_a_worker_that_joins_takes_its_part_of_people_and_posts(stack: ExitStack) -> None:
    run = Cluster(stack, seconds=22, more=["--enable-rebalancing"])
    run.master.wait_until_sent(60)
    newcomer = run.worker()
    assert run.master.end() in (0, 4), run.master.output
    assert "IndexError" not in newcomer.output and "Traceback" not in newcomer.output
    summary = run.master.summary()
    assert summary["workers"] == 3 and summary["ledger"]["lost"] == 0
    # Users and rate are as asked for, or the run says that they are not. Only a machine that is
    # too busy for its processes makes workers silent.
    if "silence" in run.reasons():
        return
    assert "rate kept" not in run.reasons() and "posts" not in run.reasons()
    last = [second for second in series(run.master) if 16 <= second["second"] < 21]
    assert all(second["users"] == USERS for second in last), last
    # What was due while people moved is made up for by those who stay: none is lost on the way.
    # Only who left with a post on the wire does not know what became of it.
    ledger = summary["ledger"]
    assert summary["counters"]["acks"] == ledger["acknowledged"]
    assert ledger["indeterminate"] == ledger["sent"] - ledger["acknowledged"] <= 4


def test_a_worker_that_stood_still_makes_the_run_invalid(stack: ExitStack) -> None:
    """The closed model: nobody posts meanwhile, so that only the gates can tell."""
    limits = ["--rate", "0", "--think-time", "0.5", "--max-stall-ms", "1000"]
    run = Cluster(stack, seconds=20, more=[*limits, "--max-lag-share", "0.1"])
    run.master.wait_until_sent(20)
    child = run.workers[0].child
    assert child is not None
    child.send_signal(signal.SIGSTOP)
    time.sleep(8)
    child.send_signal(signal.SIGCONT)
    assert run.master.end() == 4, run.master.output
    assert "longest stall" in run.reasons() and "loop lag" in run.reasons()
    assert "worker silence" in run.reasons()


def test_workers_stop_without_a_master_and_find_the_next_one(stack: ExitStack) -> None:
    run = Cluster(stack, seconds=60)
    run.master.wait_until_sent(40)
    assert run.master.child is not None
    run.master.child.send_signal(signal.SIGKILL)
    run.master.child.wait(10)
    for worker in run.workers:
        worker.wait_for("its master does not answer")
    time.sleep(1)
    posts = run.server.truth()["posts"]
    time.sleep(2)
    assert run.server.truth()["posts"] == posts  # no orphan goes on posting
    run.seconds = 8
    again = run.start_master()
    assert again.end() == 0, again.output
    assert again.summary()["ledger"]["delivered"] == again.summary()["ledger"]["owed"] > 0
