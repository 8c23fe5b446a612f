"""Runs Locust and prints its artefacts into the log: for a Kubernetes Job, whose pod nobody can
copy from once it has ended.

``python -m chatload.bundle FOLDER [--workers N] [--probes N] [--generator G] -- LOCUST-ARGUMENTS…``
runs ``locust`` with ``--artefacts FOLDER``, as the master of so many workers and probe workers in
processes of their own (0 and 0: alone), passes TERM and INT on to it, prints the folder as base64
of a tar.gz between two marks, and ends with the master's exit code. The workers are Locust's own
(``python``), those in Go (``go``), or by turns one and the other (``both``).
``loadtest/run --where cluster`` reads it.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import signal
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path
from types import FrameType

from chatload import probe

#: Seconds that the workers may take to come, and to end by themselves when the master has ended.
COMING, GOING = 60, 10
#: What tells Locust of a run: for the master, not for its workers.
_OF_THE_RUN = ("LOCUST_USERS", "LOCUST_SPAWN_RATE", "LOCUST_RUN_TIME")
BEGIN, END = "-----BEGIN CHATLOAD ARTEFACTS-----", "-----END CHATLOAD ARTEFACTS-----"


def bundled(folder: Path) -> str:
    """The files of a folder as text between the marks."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as archive:
        # Hidden files are half-written ones.
        for path in sorted(folder.glob("[!.]*")):
            archive.add(path, arcname=path.name)
    text = base64.b64encode(memory.getvalue()).decode()
    return "\n".join([BEGIN, *textwrap.wrap(text, 120), END])


def worker_command(generator: str, number: int, *, measures: bool) -> list[str]:
    """The command of a worker. ``both``: the crowd's first is in Python, the next in Go, and so on,
    and who measures is in Go."""
    if generator == "go" or (generator == "both" and (measures or number % 2 == 1)):
        return ["generator", "--master-host", "127.0.0.1"]
    return [sys.executable, "-m", "locust", "--worker", "--master-host", "127.0.0.1"]


def start_workers(workers: int, probes: int, generator: str) -> list[subprocess.Popen[bytes]]:
    """Start workers of the crowd, and such that measure (:mod:`chatload.probe`), of a master on
    this machine."""
    env = {name: value for name, value in os.environ.items() if name not in _OF_THE_RUN}
    helpers = []
    for number in range(workers + probes):
        measures = number >= workers
        command = worker_command(generator, number, measures=measures)
        own = {**env, probe.VARIABLE: "1"} if measures else env
        helpers.append(subprocess.Popen(command, env=own))
    return helpers


def main(arguments: list[str]) -> int:
    """Run Locust, then print. Returns Locust's exit code."""
    if "--" not in arguments:
        sys.stderr.write("usage: python -m chatload.bundle FOLDER [--workers N] -- LOCUST-ARGS\n")
        return 2
    cut = arguments.index("--")
    parser = argparse.ArgumentParser(prog="chatload.bundle")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--probes", type=int, default=0)
    parser.add_argument("--generator", choices=("python", "go", "both"), default="python")
    chosen = parser.parse_args(arguments[:cut])
    folder: Path = chosen.folder
    folder.mkdir(parents=True, exist_ok=True)
    helpers = start_workers(chosen.workers, chosen.probes, chosen.generator)
    command = [sys.executable, "-m", "locust", "--artefacts", str(folder), *arguments[cut + 1 :]]
    if helpers:
        command += ["--master", "--expect-workers", str(len(helpers))]
        command += ["--expect-workers-max-wait", str(COMING)]
    child = subprocess.Popen(command)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        """Let Locust end the run in order."""
        child.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, pass_on)
    code = child.wait()
    for helper in helpers:
        try:
            helper.wait(GOING)
        except subprocess.TimeoutExpired:
            helper.kill()
            helper.wait()
    print(bundled(folder), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
