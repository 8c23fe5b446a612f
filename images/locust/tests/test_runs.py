"""Whole runs of Locust against a server that breaks the contract on purpose, and knows how often.

The runs are light and go on at the same time, so that all of them take as long as one.
"""

from __future__ import annotations

import signal
from functools import partial

import pytest
from runs import Done, LocustRun, headless, side_by_side

pytestmark = pytest.mark.timeout(400)

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
    "refused": (["--refuse-cursors"], [*COMING_AND_GOING, "--history-limit", "1"]),
    "dropped-sockets": (["--close-after", "25"], STAYING),
    "slow": ([], [*STAYING, "--slow-share", "0.5", "--slow-pause", "9"]),
    "closed-model": ([], [*STAYING, "--rate", "0", "--think-time", "0.2"]),
    "gate": ([], [*STAYING, "--max-loop-lag-ms", "0.1", "--max-schedule-lag-ms", "0.1"]),
    "short-pages": (["--short-pages", "3"], STAYING),
    "term": ([], STAYING),
    "int": ([], STAYING),
}


def started(name: str, url: str) -> LocustRun:
    """One run of the plan; those that are to be cut short are, once they are under way."""
    cut = {"term": signal.SIGTERM, "int": signal.SIGINT}.get(name)
    run = headless(url, *PLAN[name][1], seconds=60 if cut else 6)
    if cut:
        run.wait_until_sent(5)
        assert run.child is not None
        run.child.send_signal(cut)
    return run


@pytest.fixture(scope="module")
def done() -> dict[str, Done]:
    """All runs of the plan."""
    return side_by_side({k: (v[0], partial(started, k)) for k, v in PLAN.items()})


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
    # Nobody lost anything, but it is no clean run: people had to look into the history.
    assert run.code == 5 and run.summary["outcome"] == "GAPS", run.run.output
    assert run.ledger["gaps"] > 0 and run.ledger["skipped"] > 0 and run.ledger["lost"] == 0
    assert f"{run.ledger['gaps']} cursors were not honoured" in run.summary["gaps"]
    assert run.summary["gaps"] in run.run.output
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


def test_pages_that_end_early_are_read_on_to_the_beginning(done: dict[str, Done]) -> None:
    run = done["short-pages"]
    assert run.code == 0, run.run.output
    assert run.ledger["vanished"] == run.ledger["unread"] == 0 < run.ledger["acknowledged"]


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
    assert run.summary["run"] in report and "chatLab.report" in report
    header, *rows = (run.run.folder / "series.csv").read_text().splitlines()
    assert header.startswith("second,") and rows
    if name in ("term", "int"):
        # The books are whole, but it is not the run that was asked for.
        assert run.code == 4, run.run.output
        assert any("cut short" in text for text in run.summary["invalid_because"])
        assert run.ledger["lost"] == run.ledger["indeterminate"] == 0 < run.ledger["sent"]


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
