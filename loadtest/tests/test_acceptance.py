"""The real chat under the real load lab: Redis, pods, a Locust master and two workers.

Short versions of what ``loadtest/run`` does at length. Gates that speak of time are out of the way,
because machines that test are busy with other things; counts are not.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENT = ["--set", "max_worker_cpu=1000", "--set", "max_loop_lag_ms=1e5"]
PATIENT += ["--set", "max_schedule_lag_ms=1e5", "--set", "drain_timeout=20"]
PATIENT += ["--set", "max_lag_share=1e6", "--set", "max_stall_ms=1e6", "--set", "min_samples=20"]
PATIENT += ["--set", "min_measured_seconds=0.5", "--max-other-load", "100"]
FILES = {
    "README.md", "summary.json", "provenance.json", "series.csv", "rows.csv", "histograms.csv",
    "ledger.csv", "gates.csv", "failures.csv", "pods.csv", "workers.csv", "samples.csv",
    "report.html", "locust.html", "locust_stats.csv", "charts.svg",
}  # fmt: skip

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        shutil.which("redis-server") is None, reason="no redis-server: apt-get install redis-server"
    ),
]


def started(chat: Path, folder: Path, scenario: str, *more: str) -> subprocess.Popen[str]:
    """``loadtest/run``, started, in this environment."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "loadtest/run"), scenario, "--out", str(folder), *more],
        env={**os.environ, "CHAT_BIN": str(chat)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def summary_of(folder: Path) -> dict[str, Any]:
    """A run's summary."""
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


def faulty(tmp_path: Path, name: str, fault: str, **fields: object) -> str:
    """A scenario file with one fault in a short run."""
    path = tmp_path / f"{name}.yaml"
    body = {"users": 30, "spawn_rate": 100, "seconds": 9, "about": name, **fields}
    lines = [f"{key}: {value}" for key, value in body.items()]
    path.write_text("\n".join([*lines, "options: {rate: 25}", "faults:", f"  - {fault}", ""]))
    return str(path)


@dataclass
class Done:
    """A run that is over: exit code, what it printed, its folder and its summary."""

    code: int
    output: str
    folder: Path

    @property
    def summary(self) -> dict[str, Any]:
        return summary_of(self.folder)

    @property
    def ledger(self) -> dict[str, Any]:
        found: dict[str, Any] = self.summary["ledger"]
        return found


@pytest.fixture(scope="module")
def done(chat_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Done]]:
    """All runs at once, to take as long as one; the one called cut is interrupted."""
    place = tmp_path_factory.mktemp("runs")
    kill = "{at: 4, do: kill, pod: 0, restart_after: 2}"
    freeze = "{at: 4, do: freeze, pod: 0, seconds: 2}"
    scenarios = {
        "smoke": ["smoke"],
        "killed": [faulty(place, "killed", kill)],
        "frozen": [faulty(place, "frozen", freeze, replicas=1)],
        "cut": ["steady", "--users", "20"],
    }
    runs = {k: started(chat_binary, place / k, *v, *PATIENT) for k, v in scenarios.items()}
    deadline = time.monotonic() + 90
    while not (place / "cut/summary.json").exists():
        assert time.monotonic() < deadline and runs["cut"].poll() is None
        time.sleep(0.2)
    runs["cut"].send_signal(signal.SIGINT)
    outputs = {name: run.communicate(timeout=180)[0] for name, run in runs.items()}
    yield {k: Done(run.returncode, outputs[k], place / k) for k, run in runs.items()}


def test_a_run_end_to_end_leaves_everything_and_loses_nothing(
    done: dict[str, Done], chat_binary: Path
) -> None:
    """1 master, 2 workers, 2 pods, Redis, ten seconds."""
    run = done["smoke"]
    assert run.code == 0, run.output
    assert {path.name for path in run.folder.iterdir()} >= FILES
    summary, ledger = run.summary, run.ledger
    # Two workers load, a third measures.
    assert summary["outcome"] == "clean" and summary["workers"] == 3 and summary["probed"]
    assert summary["rows_ms"]["deliver_crowd"]["count"] > summary["rows_ms"]["deliver"]["count"]
    made_of = json.loads((run.folder / "provenance.json").read_text())
    assert set(made_of["digests"]) == {"chat", "generator"} and "dirty" in made_of
    assert made_of["machine"]["priorities"] == "all as usual"
    assert any(gate["name"] == "other load" for gate in summary["gates"])
    assert ledger["delivered"] == ledger["owed"] > 1000
    assert ledger["lost"] == ledger["duplicated"] == ledger["reordered"] == 0
    assert ledger["recovered"] > 0  # churners were away and were told
    assert set(summary["pods"]) == {"pod-0", "pod-1"}
    assert summary["cost"]["chat_cpu_us_per_delivery"] > 0
    for row in ("page", "connect", "ack", "deliver", "echo", "resume"):
        assert summary["rows_ms"][row]["count"] > 0, row
    # Results name no place of the machine they were made on.
    for path in run.folder.iterdir():
        if path.suffix in (".md", ".json", ".csv", ".html", ".svg"):
            assert str(run.folder) not in path.read_text(), path.name
    # A relative folder is relative to where the command was given.
    again = started(chat_binary, Path(os.path.relpath(run.folder)), "smoke")
    output, _ = again.communicate(timeout=60)
    assert again.returncode == 2 and "never overwritten" in output


def test_a_killed_pod_loses_nothing(done: dict[str, Done]) -> None:
    """kill -9: its users resume on the other pod and have missed nothing."""
    run, ledger = done["killed"], done["killed"].ledger
    assert run.code == 0, run.output
    assert ledger["recovered"] > 0
    assert ledger["lost"] == ledger["duplicated"] == ledger["reordered"] == 0
    assert ledger["delivered"] >= ledger["owed"] > 0
    assert any(name.startswith("connection: ") for name in run.summary["failures"])
    assert [what for _, what in run.summary["faults"]] == ["kill pod-0", "start pod-0"]


def test_a_frozen_pod_is_felt_from_when_each_post_was_due(done: dict[str, Done]) -> None:
    """SIGSTOP for two seconds. Posts were due all through them: the first waited for about all of
    it. A generator that stops with the server would see one slow post."""
    run = done["frozen"]
    assert run.code == 0, run.output
    deliver = run.summary["rows_ms"]["deliver"]
    assert deliver["max"] > 1500 and deliver["p90"] > 500


def test_an_interrupted_run_keeps_what_it_has(done: dict[str, Done]) -> None:
    run = done["cut"]
    assert run.code == 130 and "interrupted" in run.output
    assert run.summary["state"] == "finished" and run.summary["seconds"] < 60
    assert run.summary["outcome"] == "INVALID"
    assert any("cut short" in text for text in run.summary["invalid_because"])
    assert (run.folder / "README.md").exists()
