"""A Job's pod: master, workers and a probe, started by one command."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from runs import GENERATOR, PATIENT, FakeServer

from chatload.bundle import BEGIN, END, main, worker_command


def test_what_is_missing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["/somewhere"]) == 2 and "usage" in capsys.readouterr().err


def test_workers_are_in_the_language_that_is_asked_for() -> None:
    def languages(generator: str) -> list[str]:
        """Of two workers of the crowd and one that measures."""
        commands = [worker_command(generator, n, measures=n == 2) for n in range(3)]
        return ["go" if command[0] == "generator" else "python" for command in commands]

    assert languages("python") == ["python"] * 3
    assert languages("go") == ["go"] * 3
    assert languages("both") == ["python", "go", "go"]


# A port of its own: other masters may be on this machine.
def test_a_pod_runs_a_crowd_and_a_probe(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with FakeServer([]) as server:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "chatload.bundle", str(tmp_path)),
                *("--workers=1", "--probes=1", "--"),
                *("--headless", "--only-summary", "--host", server.url, "-u", "12", "-r", "12"),
                *("-t", "8s", "--rate", "20", "--master-bind-host", "127.0.0.1", *PATIENT),
            ],
            cwd=GENERATOR,
            env={**os.environ, "LOCUST_MASTER_BIND_PORT": port, "LOCUST_MASTER_NODE_PORT": port},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert BEGIN in done.stdout and END in done.stdout
    summary = (tmp_path / "summary.json").read_text()
    assert '"probed": true' in summary and '"deliver_crowd"' in summary
