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
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENT = ["--set", "max_worker_cpu=1000", "--set", "max_loop_lag_ms=1e5"]
PATIENT += ["--set", "max_schedule_lag_ms=1e5", "--set", "drain_timeout=20"]
FILES = {
    "README.md", "summary.json", "provenance.json", "series.csv", "rows.csv", "histograms.csv",
    "ledger.csv", "gates.csv", "failures.csv", "pods.csv", "workers.csv", "samples.csv",
    "report.html", "locust.html", "locust_stats.csv", "deliver.svg", "deliver.png", "ack.svg",
    "deliveries.svg", "posts.svg", "users.svg", "cpu.svg",
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


def test_a_run_end_to_end_leaves_everything_and_loses_nothing(
    chat_binary: Path, tmp_path: Path
) -> None:
    """1 master, 2 workers, 2 pods, Redis, ten seconds."""
    folder = tmp_path / "smoke"
    run = started(chat_binary, folder, "smoke", *PATIENT)
    output, _ = run.communicate(timeout=150)
    assert run.returncode == 0, output
    assert {path.name for path in folder.iterdir()} >= FILES
    summary = summary_of(folder)
    ledger = summary["ledger"]
    assert summary["outcome"] == "clean" and summary["workers"] == 2
    assert ledger["delivered"] == ledger["owed"] > 1000
    assert ledger["lost"] == ledger["duplicated"] == ledger["reordered"] == 0
    assert ledger["recovered"] > 0  # churners were away and were told
    assert set(summary["pods"]) == {"pod-0", "pod-1"}
    assert summary["cost"]["chat_cpu_us_per_delivery"] > 0
    for row in ("page", "connect", "ack", "deliver", "echo", "resume"):
        assert summary["rows_ms"][row]["count"] > 0, row
    # Results name no place of the machine they were made on.
    for path in folder.iterdir():
        if path.suffix in (".md", ".json", ".csv", ".html", ".svg"):
            assert str(tmp_path) not in path.read_text(), path.name
    # A relative folder is relative to where the command was given.
    again = started(chat_binary, Path(os.path.relpath(folder)), "smoke")
    output, _ = again.communicate(timeout=60)
    assert again.returncode == 2 and "never overwritten" in output


def test_a_pod_that_is_killed_and_one_that_is_frozen(chat_binary: Path, tmp_path: Path) -> None:
    """kill -9 of a pod: its users resume on the other and have missed nothing. SIGSTOP for two
    seconds: the delay is in the deliveries, counted from when each post was due. The third run is
    interrupted, and keeps what it has. All at once, to take as long as one."""
    kill = "{at: 4, do: kill, pod: 0, restart_after: 2}"
    freeze = "{at: 4, do: freeze, pod: 0, seconds: 2}"
    killed = faulty(tmp_path, "killed", kill)
    frozen = faulty(tmp_path, "frozen", freeze, replicas=1)
    runs = {
        "killed": started(chat_binary, tmp_path / "killed", killed, *PATIENT),
        "frozen": started(chat_binary, tmp_path / "frozen", frozen, *PATIENT),
        "cut": started(chat_binary, tmp_path / "cut", "steady", "--users", "20", *PATIENT),
    }
    deadline = time.monotonic() + 60
    while not (tmp_path / "cut/summary.json").exists():
        assert time.monotonic() < deadline and runs["cut"].poll() is None
        time.sleep(0.2)
    runs["cut"].send_signal(signal.SIGINT)
    outputs = {name: run.communicate(timeout=150)[0] for name, run in runs.items()}

    assert runs["killed"].returncode == 0, outputs["killed"]
    summary = summary_of(tmp_path / "killed")
    ledger = summary["ledger"]
    assert ledger["recovered"] > 0
    assert ledger["lost"] == ledger["duplicated"] == ledger["reordered"] == 0
    assert ledger["delivered"] >= ledger["owed"] > 0
    assert any(name.startswith("connection: ") for name in summary["failures"])
    assert [what for _, what in summary["faults"]] == ["kill pod-0", "start pod-0"]

    assert runs["frozen"].returncode == 0, outputs["frozen"]
    deliver = summary_of(tmp_path / "frozen")["rows_ms"]["deliver"]
    # Posts were due all through the two seconds: the first waited for about all of it, and about
    # two in five of the run's deliveries waited. A generator that stops with the server sees none.
    assert deliver["max"] > 1500 and deliver["p95"] > 500
    assert deliver["p50"] < 500

    assert runs["cut"].returncode == 130, outputs["cut"]
    cut = summary_of(tmp_path / "cut")
    assert cut["state"] == "finished" and cut["seconds"] < 60
    assert (tmp_path / "cut/README.md").exists() and "interrupted" in outputs["cut"]
