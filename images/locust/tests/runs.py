"""Starts Locust as a real process against the fake server, for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GENERATOR = Path(__file__).resolve().parents[1]
#: Gates out of the way: these tests are about counts, on machines that may be busy with others.
PATIENT = ["--max-worker-cpu=1000", "--max-loop-lag-ms=1e5", "--max-schedule-lag-ms=1e5"]
PATIENT += ["--max-lag-share=1e6", "--max-stall-ms=1e6", "--min-samples=20"]
PATIENT += ["--min-measured-seconds=0.5"]
#: Whatever hangs is killed after this many seconds.
LIMIT = 100
#: Runs at a time.
AT_ONCE = 6


@dataclass
class FakeServer:
    """A fake chat on a free port of loopback."""

    flags: list[str]
    url: str = ""
    child: subprocess.Popen[str] | None = None

    def __enter__(self) -> FakeServer:
        self.child = subprocess.Popen(
            [sys.executable, str(GENERATOR / "tests/fakechat.py"), *self.flags],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        self.url = "http://" + line.rsplit(" ", 1)[-1].strip()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.child is not None
        self.child.send_signal(signal.SIGCONT)
        self.child.kill()
        self.child.wait(10)
        assert self.child.stdout is not None
        self.child.stdout.close()

    def truth(self) -> dict[str, int]:
        """What the server did on purpose."""
        with urllib.request.urlopen(self.url + "/truth", timeout=10) as answer:  # noqa: S310
            found: dict[str, int] = json.loads(answer.read())
        return found


@dataclass
class LocustRun:
    """One Locust process, and what it left."""

    arguments: list[str]
    env: dict[str, str] = field(default_factory=dict)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="loadlab-test-")))
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> LocustRun:
        """Start it; output goes to a file beside the artefacts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "output").open("wb") as output:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "locust", "--artefacts", str(self.folder), *self.arguments],
                cwd=GENERATOR,
                env={**os.environ, **self.env},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # A shell that runs the tests in the background has interrupts ignored.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
            )
        return self

    @property
    def output(self) -> str:
        """Everything it printed so far."""
        return (self.folder / "output").read_text(errors="replace")

    def wait_for(self, text: str) -> None:
        """Until it has printed ``text``."""
        deadline = time.monotonic() + LIMIT
        while text not in self.output:
            assert self.child is not None
            assert self.child.poll() is None and time.monotonic() < deadline, self.output
            time.sleep(0.1)

    def wait_until_sent(self, number: int) -> None:
        """Until its last partial summary says that so many posts were sent."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            path = self.folder / "summary.json"
            if path.exists() and json.loads(path.read_text())["ledger"]["sent"] >= number:
                return
            time.sleep(0.1)
        raise AssertionError(self.output)

    def end(self) -> int:
        """Wait for its end; its exit code."""
        assert self.child is not None
        try:
            return self.child.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise AssertionError(self.output) from None

    def summary(self) -> dict[str, Any]:
        """Its ``summary.json``."""
        found: dict[str, Any] = json.loads((self.folder / "summary.json").read_text())
        return found


def side_by_side(plan: dict[str, tuple[list[str], Callable[[str], LocustRun]]]) -> dict[str, Done]:
    """Runs of a plan (name → flags of the server, what to start against its address), a few at a
    time, to take as long as a few of them. Servers that may hang are not asked for the truth."""
    done: dict[str, Done] = {}
    names = list(plan)
    for first in range(0, len(names), AT_ONCE):
        with ExitStack() as stack:
            started = {}
            for name in names[first : first + AT_ONCE]:
                flags, start = plan[name]
                server = stack.enter_context(FakeServer(flags))
                started[name] = (server, start(server.url))
            for name, (server, run) in started.items():
                code = run.end()
                truth = {} if "--freeze-at" in server.flags else server.truth()
                done[name] = Done(code, run, truth)
    return done


class Done:
    """A run that is over: exit code, summary, what the server did, and the run itself."""

    def __init__(self, code: int, run: LocustRun, truth: dict[str, int]) -> None:
        self.code, self.run, self.truth = code, run, truth
        self.summary = run.summary()
        self.ledger: dict[str, Any] = self.summary["ledger"]


def headless(url: str, *more: str, seconds: float = 6, users: int = 14) -> LocustRun:
    """A headless single-process run against ``url``, started."""
    return LocustRun(
        [
            *("--headless", "--only-summary", "--host", url, "-u", str(users), "-r", "100"),
            *("-t", f"{seconds:g}s", "--rate", "40", "--drain-timeout", "20"),
            *PATIENT,
            *more,
        ]
    ).start()
