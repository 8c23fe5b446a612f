"""A master and two workers: one ledger, one clock, and a worker that dies."""

from __future__ import annotations

import signal
from contextlib import ExitStack

from runs import PATIENT, FakeServer, LocustRun
from test_webtab import free_port


def distributed(stack: ExitStack, url: str, seconds: int) -> tuple[LocustRun, list[LocustRun]]:
    """A headless master with two workers, started."""
    port = str(free_port())
    workers = [LocustRun(["--worker", "--master-port", port]).start() for _ in range(2)]
    for worker in workers:
        assert worker.child is not None
        stack.callback(worker.child.wait, 30)
        stack.callback(worker.child.terminate)
    master = LocustRun(
        [
            *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port),
            *("--expect-workers", "2", "--headless", "--only-summary", "--host", url),
            *("-u", "20", "-r", "100", "-t", f"{seconds}s", "--rate", "40"),
            *("--drain-timeout", "8", "--churn-share", "0", *PATIENT),
        ]
    ).start()
    return master, workers


def test_two_workers_make_one_clean_ledger_and_a_dead_one_makes_it_invalid() -> None:
    with ExitStack() as stack:
        mischief = ["--drop", "0.01", "--double", "0.01", "--swap", "0.01"]
        clean_server = stack.enter_context(FakeServer([]))
        bad_server = stack.enter_context(FakeServer(mischief))
        dead_server = stack.enter_context(FakeServer([]))
        clean, _ = distributed(stack, clean_server.url, 5)
        bad, _ = distributed(stack, bad_server.url, 5)
        dead, workers = distributed(stack, dead_server.url, 9)
        dead.wait_until_sent(20)
        assert workers[0].child is not None
        workers[0].child.send_signal(signal.SIGKILL)

        assert clean.end() == 0, clean.output
        summary = clean.summary()
        assert summary["workers"] == 2 and len(summary["worker_cpu_percent"]) == 2
        assert summary["ledger"]["owed"] == summary["ledger"]["delivered"] > 0
        # Same kernel, same clock: known to be without error, not merely assumed.
        gate = next(one for one in summary["gates"] if one["name"] == "clock error")
        assert gate["passed"] and gate["value"] == 0

        assert bad.end() == 3, bad.output
        truth, ledger = bad_server.truth(), bad.summary()["ledger"]
        assert ledger["lost"] == truth["dropped"] > 0
        assert ledger["duplicated"] == truth["doubled"] > 0
        assert ledger["reordered"] == truth["swapped"] > 0

        assert dead.end() == 4, dead.output
        assert any("workers lost" in text for text in dead.summary()["invalid_because"])
