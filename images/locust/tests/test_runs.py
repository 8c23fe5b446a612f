"""Whole runs of Locust against a server that breaks the contract on purpose, and knows how often.

The runs are light and go on at the same time, so that all of them take as long as one.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from runs import FakeServer, LocustRun, headless

ARTEFACTS = {
    "summary.json", "series.csv", "rows.csv", "histograms.csv", "ledger.csv", "gates.csv",
    "failures.csv", "pods.csv", "workers.csv", "report.html",
}  # fmt: skip
STAYING = ["--churn-share", "0", "--lurkers-share", "0"]
COMING_AND_GOING = ["--churn-share", "0.5", "--churn-stay", "0.8", "--churn-away", "0.4"]
#: name → (flags of the server, flags of Locust)
PLAN: dict[str, tuple[list[str], list[str]]] = {
    "mischief-1": (
        ["--drop", "0.01", "--double", "0.02", "--swap", "0.01", "--seed", "1"],
        STAYING,
    ),
    "mischief-2": (
        ["--drop", "0.03", "--double", "0.01", "--swap", "0.02", "--seed", "2"],
        STAYING,
    ),
    "retries": (["--unavailable", "0.2", "--lose-acks", "0.1"], STAYING),
    "churn": ([], COMING_AND_GOING),
    "refused": (["--refuse-cursors"], COMING_AND_GOING),
    "dropped-sockets": (["--close-after", "25"], STAYING),
    "slow": ([], [*STAYING, "--slow-share", "0.5", "--slow-pause", "9"]),
    "closed-model": ([], [*STAYING, "--rate", "0", "--think-time", "0.2"]),
    "gate": ([], [*STAYING, "--max-loop-lag-ms", "0.1", "--max-schedule-lag-ms", "0.1"]),
    "term": ([], STAYING),
    "int": ([], STAYING),
}


class Done:
    """A run that is over: exit code, summary, what the server did, and the run itself."""

    def __init__(self, code: int, run: LocustRun, truth: dict[str, int]) -> None:
        self.code, self.run, self.truth = code, run, truth
        self.summary = run.summary()
        self.ledger: dict[str, Any] = self.summary["ledger"]


@pytest.fixture(scope="module")
def done() -> Iterator[dict[str, Done]]:
    """All runs of the plan, side by side."""
    with ExitStack() as stack:
        servers = {k: stack.enter_context(FakeServer(server)) for k, (server, _) in PLAN.items()}
        runs = {}
        for name, (_, flags) in PLAN.items():
            seconds = 60 if name in ("term", "int") else 4
            runs[name] = headless(servers[name].url, *flags, seconds=seconds)
        for name, number in (("term", signal.SIGTERM), ("int", signal.SIGINT)):
            runs[name].wait_until_sent(5)
            child = runs[name].child
            assert child is not None
            child.send_signal(number)
        yield {k: Done(run.end(), run, servers[k].truth()) for k, run in runs.items()}


@pytest.mark.parametrize("name", ["mischief-1", "mischief-2"])
def test_the_ledger_counts_exactly_what_the_server_did(done: dict[str, Done], name: str) -> None:
    run = done[name]
    assert run.truth["dropped"] and run.truth["doubled"] and run.truth["swapped"]
    assert run.ledger["lost"] == run.truth["dropped"]
    assert run.ledger["duplicated"] == run.truth["doubled"]
    assert run.ledger["reordered"] == run.truth["swapped"]
    assert run.code == 3 and run.summary["outcome"] == "BROKEN"
    # Failures are failures: each shows in Locust's own table, by kind.
    assert run.summary["failures"]["deliver: duplicated"] == run.truth["doubled"]
    assert run.summary["failures"]["deliver: lost"] == run.truth["dropped"]


def test_lost_acks_and_refusals_are_retried_into_one_message(done: dict[str, Done]) -> None:
    run = done["retries"]
    assert run.truth["unavailable"] and run.summary["counters"]["retries"]
    assert run.code == 0, run.run.output
    assert run.ledger["sent"] == run.ledger["acknowledged"] == run.truth["posts"]
    assert run.summary["failures"]["ack: error unavailable"] == run.truth["unavailable"]


def test_who_comes_back_is_told_what_was_missed(done: dict[str, Done]) -> None:
    run = done["churn"]
    assert run.code == 0, run.run.output
    assert run.ledger["recovered"] > 0 and run.ledger["gaps"] == 0
    assert "catch_up" in run.summary["rows_ms"] and "resume" in run.summary["rows_ms"]
    assert not run.summary["failures"]  # leaving on purpose is no failure


def test_a_cursor_that_is_not_honoured_is_counted(done: dict[str, Done]) -> None:
    run = done["refused"]
    assert run.ledger["gaps"] > 0
    assert run.summary["failures"]["resume: cursor not honoured"] == run.ledger["gaps"]
    assert run.ledger["duplicated"] == run.ledger["reordered"] == 0


def test_broken_connections_are_failures_but_no_loss(done: dict[str, Done]) -> None:
    run = done["dropped-sockets"]
    assert run.code == 0, run.run.output
    assert any(name.startswith("connection: ") for name in run.summary["failures"])
    assert run.ledger["recovered"] > 0 and run.ledger["lost"] == 0


def test_who_dozes_at_the_end_is_heard_out_and_has_lost_nothing(done: dict[str, Done]) -> None:
    """Found by the scenario slow-readers: a reader that dozed into the drain looked like a loss."""
    run = done["slow"]
    assert run.code == 0, run.run.output
    assert run.ledger["lost"] == 0 and run.ledger["delivered"] == run.ledger["owed"]
    assert run.summary["rows_ms"]["deliver_slow"]["count"] > 0


def test_the_closed_model_waits_for_answers(done: dict[str, Done]) -> None:
    run = done["closed-model"]
    assert run.code == 0 and run.ledger["sent"] > 0
    assert "schedule_lag" not in run.summary["rows_ms"]


def test_a_gate_makes_a_run_invalid_and_says_so(done: dict[str, Done]) -> None:
    run = done["gate"]
    assert run.code == 4 and run.summary["outcome"] == "INVALID"
    assert any("loop lag" in text for text in run.summary["invalid_because"])
    assert "INVALID" in run.run.output
    assert run.ledger["lost"] == 0


@pytest.mark.parametrize("name", list(PLAN))
def test_artefacts_survive_every_end(done: dict[str, Done], name: str) -> None:
    run = done[name]
    assert {path.name for path in run.run.folder.iterdir()} >= ARTEFACTS
    assert run.summary["state"] == "finished"
    report = (run.run.folder / "report.html").read_text()
    assert run.summary["run"] in report and "chatLab.render" in report
    header, *rows = (run.run.folder / "series.csv").read_text().splitlines()
    assert header.startswith("second,") and rows
    if name in ("term", "int"):
        assert run.code == 0, run.run.output


def test_the_deliveries_in_the_rows_are_those_of_the_ledger(done: dict[str, Done]) -> None:
    """Two independent counts of the same thing."""
    for name in ("churn", "retries", "closed-model", "dropped-sockets", "slow"):
        run = done[name]
        rows = run.summary["rows_ms"]
        names = ("deliver", "echo", "deliver_ramp", "echo_ramp", "catch_up", "deliver_slow")
        shown = sum(rows[one]["count"] for one in names if one in rows)
        assert shown == run.ledger["delivered"] == run.summary["counters"]["deliveries"], name


def test_what_is_is_told_once_a_second(done: dict[str, Done]) -> None:
    """Users and sockets in the series never exceed what there were (14), however often a worker
    reported within a second."""
    for name in ("mischief-1", "retries", "closed-model", "term"):
        header, *lines = (done[name].run.folder / "series.csv").read_text().splitlines()
        columns = header.split(",")
        for line in lines:
            record = dict(zip(columns, line.split(","), strict=True))
            assert 0 < float(record["users"] or 14) <= 14, (name, record)
            assert float(record["sockets"] or 14) <= 14, (name, record)
        seconds = [int(line.split(",")[0]) for line in lines]
        assert seconds == sorted(set(seconds))


def test_wrong_settings_end_at_once_with_the_reason() -> None:
    run = headless("http://127.0.0.1:9", "--posters-share", "1.5")
    assert run.end() == 2
    assert "--posters-share" in run.output
