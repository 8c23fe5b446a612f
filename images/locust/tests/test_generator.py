"""The workers in Go under a real Locust master: the same books and verdicts as Python's, beside
them; a worker that joins; a master that dies and comes back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from runs import GENERATOR, LocustRun
from test_distributed import USERS, Cluster

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generator, built once."""
    if shutil.which("go") is None:
        pytest.skip("no Go to build the generator")
    made = tmp_path_factory.mktemp("generator") / "generator"
    subprocess.run(["go", "build", "-o", str(made), "."], cwd=GENERATOR / "generator", check=True)
    return made


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Ends what a test started."""
    with ExitStack() as made:
        yield made


@dataclass
class GoWorker(LocustRun):
    """A worker in Go: started and waited for like Locust's."""

    binary: Path = Path()

    def start(self) -> GoWorker:
        """Start it; output goes to a file of its own."""
        with (self.folder / "output").open("wb") as output:
            self.child = subprocess.Popen(
                [str(self.binary), *self.arguments],
                env={**os.environ, **self.env},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self


@dataclass
class GoCluster(Cluster):
    """A cluster whose first worker, and probes, are in Go; ``python``: whether the second is not.

    binary: the generator."""

    binary: Path = Path()
    python: bool = False
    _made: int = 0

    def worker(self, **env: str) -> LocustRun:
        """Start a worker; it is gone when the test is."""
        self._made += 1
        if self.python and self._made == 2:
            return super().worker(**env)
        arguments = ["--master-host", "127.0.0.1", "--master-port", self.port]
        made = GoWorker(arguments, env=env, binary=self.binary).start()
        assert made.child is not None
        self.stack.callback(made.child.wait, 30)
        self.stack.callback(made.child.kill)
        return made


def test_both_kinds_of_worker_keep_one_ledger(stack: ExitStack, binary: Path) -> None:
    mischief = ["--drop", "0.01", "--double", "0.01", "--swap", "0.01"]
    people = ["--topics", "2", "--topics-per-user", "2", "--read-back-share", "1"]
    clean = GoCluster(stack, binary=binary, python=True, more=people)
    bad = GoCluster(stack, binary=binary, flags=mischief)

    assert clean.master.end() == 0, clean.master.output
    summary = clean.master.summary()
    assert summary["workers"] == 2 and summary["ledger"]["readers"] == USERS
    kinds = {cost["generator"] for cost in summary["worker_cost"].values() if cost["deliveries"]}
    assert kinds == {"python", "go"}
    ledger = summary["ledger"]
    assert ledger["owed"] == ledger["delivered"] > 0 and ledger["sent"] == ledger["acknowledged"]
    assert summary["rows_ms"]["history"]["count"] > 0 and summary["rows_ms"]["page"]["count"] > 0
    gate = next(one for one in summary["gates"] if one["name"] == "clock error")
    assert gate["passed"] and gate["value"] == 0

    assert bad.master.end() == 3, bad.master.output
    truth, ledger = bad.server.truth(), bad.master.summary()["ledger"]
    assert ledger["lost"] == truth["dropped"] > 0
    assert ledger["duplicated"] == truth["doubled"] > 0
    assert ledger["reordered"] == truth["swapped"] > 0
    # The master's quit ends them in order.
    for worker in bad.workers:
        assert worker.child is not None and worker.child.wait(20) == 0


def test_people_who_come_and_go_lose_nothing(stack: ExitStack, binary: Path) -> None:
    """Every kind of user, sockets that the server closes, and probes that measure."""
    more = ["--churn-share", "0.3", "--churn-stay", "1", "--churn-away", "0.3"]
    more += ["--lurkers-share", "0.1", "--slow-share", "0.1", "--slow-pause", "1"]
    more += ["--probes", "4", "--probe-rate", "20"]
    flags = ["--close-after", "60"]
    run = GoCluster(stack, binary=binary, probes=1, seconds=10, flags=flags, more=more)
    run.master.end()
    summary = run.master.summary()
    ledger = summary["ledger"]
    assert ledger["lost"] == ledger["duplicated"] == ledger["reordered"] == 0, run.master.output
    assert ledger["recovered"] > 0 and summary["rows_ms"]["resume"]["count"] > 0
    assert summary["probed"] and summary["rows_ms"]["deliver"]["count"] > 0
    gates = {gate["name"]: gate for gate in summary["gates"]}
    assert gates["own lag samples"]["value"] >= 100 and gates["own lag"]["value"] > 0


def test_a_worker_that_joins_takes_its_part(stack: ExitStack, binary: Path) -> None:
    run = GoCluster(stack, binary=binary, seconds=16, more=["--enable-rebalancing"])
    run.master.wait_until_sent(60)
    run.worker()
    assert run.master.end() in (0, 4), run.master.output
    summary = run.master.summary()
    assert summary["workers"] == 3 and summary["ledger"]["lost"] == 0
    assert all(cost["deliveries"] for cost in summary["worker_cost"].values())


def test_no_orphan_load_and_back_under_the_next_master(stack: ExitStack, binary: Path) -> None:
    run = GoCluster(stack, binary=binary, seconds=60)
    run.master.wait_until_sent(40)
    assert run.master.child is not None
    run.master.child.send_signal(signal.SIGKILL)
    run.master.child.wait(10)
    for worker in run.workers:
        worker.wait_for("its master does not answer")
    time.sleep(1)
    posts = run.server.truth()["posts"]
    time.sleep(2)
    assert run.server.truth()["posts"] == posts
    run.seconds = 8
    again = run.start_master()
    assert again.end() == 0, again.output
    assert again.summary()["ledger"]["delivered"] == again.summary()["ledger"]["owed"] > 0
