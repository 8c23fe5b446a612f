"""What a connection, a delivery and a message cost, each beside something to compare with.

Leaves ``results/costs``: ``footprint.json`` (memory and processor time of the chat and of a server
in the form of gorilla/websocket's chat example, measured by one and the same client),
``redis.txt`` (the benchmarks of ``internal/redisstore`` as ``go test`` printed them) and
``made.json``.

Costs are per operation, so they bear a busy machine better than latencies do; still, each figure is
the median of several rounds and all rounds are kept.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from lab.experiment import machine, output_of, say
from lab.local import ROOT, LabError, Process, chat_binary, free_ports
from report.measure import stamp

#: Connections at rest, then delivered to; messages in each load; rounds.
CONNECTIONS, MESSAGES, ROUNDS = 2000, 160, 3
#: Messages posted together in the second load.
BURST = 16
#: Redis benchmarks and the iterations of each: enough for CPU seconds to be whole tens of
#: milliseconds; one round of memory is 65,536 messages by itself.
BENCHMARKS = [("^BenchmarkAppend$/topics=1", "2000x"), ("^BenchmarkMemory$", "1x")]


def footprint_binary(folder: Path) -> Path:
    """Build the Go program."""
    program = folder / "footprint"
    subprocess.run(
        ["go", "build", "-o", str(program), "."],
        cwd=Path(__file__).parent / "footprint",
        check=True,
    )
    return program


def measured(program: Path, pid: int, url: str, *more: str) -> dict[str, Any]:
    """One round against the server of a process."""
    done = subprocess.run(
        [
            str(program),
            "measure",
            str(pid),
            url,
            *("-connections", str(CONNECTIONS), "-messages", str(MESSAGES), "-burst", str(BURST)),
            *more,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LabError(f"footprint: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def chat_round(program: Path, folder: Path) -> dict[str, Any]:
    """The chat on a Redis that writes to disk before it answers."""
    redis_port, listen = free_ports(2)
    data = folder / f"redis-{redis_port}"
    data.mkdir()
    redis = Process(
        "redis",
        [
            shutil.which("redis-server") or "redis-server",
            *("--port", str(redis_port), "--bind", "127.0.0.1", "--dir", str(data)),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
        ],
        folder,
        dict(os.environ),
    )
    chat = Process(
        "chat",
        [
            str(chat_binary()),
            f"--listen=127.0.0.1:{listen}",
            "--admin-listen=off",
            f"--redis-url=redis://127.0.0.1:{redis_port}/0",
            "--post-rate=0",
            "--drain-settle=0s",
            "--drain-spread=0s",
            "--drain-leave=1s",
        ],
        folder,
        dict(os.environ),
    )
    redis.start()
    try:
        chat.start()
        try:
            stamp.wait_ready(chat, f"http://127.0.0.1:{listen}/readyz")
            assert chat.child is not None
            return measured(program, chat.child.pid, f"ws://127.0.0.1:{listen}/ws", "-greeted")
        finally:
            chat.end()
    finally:
        redis.end()


def example_round(program: Path) -> dict[str, Any]:
    """The server to compare with."""
    child = subprocess.Popen([str(program), "serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        address = child.stdout.readline().strip()
        return measured(program, child.pid, f"ws://{address}/ws")
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def bench(name: str, times: str) -> str:
    """What ``go test -bench`` prints. Raises LabError when it fails."""
    done = subprocess.run(
        [
            *("go", "test", "-run", "^$", "-bench", name, "-benchtime", times),
            *("-timeout", "20m", "./internal/redisstore"),
        ],
        cwd=ROOT / "images/chat",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LabError(f"go test -bench: {done.stdout}{done.stderr}")
    return done.stdout


def run(folder: Path) -> None:
    """Measure everything into ``folder``, which is replaced."""
    with tempfile.TemporaryDirectory(prefix="costs-") as scratch:
        place = Path(scratch)
        program = footprint_binary(place)
        rounds: dict[str, list[dict[str, Any]]] = {"example": [], "chat": []}
        for number in range(1, ROUNDS + 1):
            say(f"footprint, round {number} of {ROUNDS}")
            rounds["example"].append(example_round(program))
            rounds["chat"].append(chat_round(program, place))
        say("Redis benchmarks")
        printed = "".join(bench(name, times) for name, times in BENCHMARKS)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "footprint.json").write_text(json.dumps(rounds, indent=1) + "\n", encoding="utf-8")
    (folder / "redis.txt").write_text(printed, encoding="utf-8")
    stamp.leave(
        folder,
        "What a connection, a delivery and a message in Redis cost. `footprint.json`: rounds of "
        "the chat and of a server in the form of gorilla/websocket's chat example. `redis.txt`: "
        "the benchmarks of `internal/redisstore` as printed.",
        "loadtest/run report costs",
        machine(),
        {
            "chat": output_of([str(chat_binary()), "--version"]),
            "redis": " ".join(output_of(["redis-server", "--version"]).split()[:3]),
            "go": output_of(["go", "version"]),
        },
    )
