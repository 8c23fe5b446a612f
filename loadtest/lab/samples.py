"""CPU, memory and connections of pods and Redis while a run is on, every other second."""

from __future__ import annotations

import csv
import socket
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

#: Seconds between samples.
EVERY = 2.0
#: Figures taken from a pod's /metrics.
POD_METRICS = (
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "chat_connections",
    "chat_deliveries_total",
    "go_goroutines",
)
COLUMNS = ("second", "what", "cpu_percent", "memory_mb", "connections", "deliveries", "goroutines")


def scrape(address: str) -> dict[str, float]:
    """A pod's figures, by name; empty when it does not answer."""
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310
            text = answer.read().decode()
    except (urllib.error.URLError, OSError):
        return {}
    out = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name in POD_METRICS:
            out[name] = float(value)
    return out


def redis_info(port: int) -> dict[str, float]:
    """Redis's CPU seconds and memory bytes; empty when it does not answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as link:
            link.sendall(b"INFO\r\n")
            reply = link.makefile("rb")
            size = int(reply.readline()[1:])
            text = reply.read(size).decode()
    except (OSError, ValueError):
        return {}
    values = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {
        "cpu": float(values["used_cpu_user"]) + float(values["used_cpu_sys"]),
        "memory": float(values["used_memory_rss"]),
    }


class Sampler(threading.Thread):
    """Samples until stopped; :meth:`write` then leaves ``samples.csv``."""

    def __init__(self, metrics: list[str], redis_port: int, begin: float) -> None:
        super().__init__(name="sampler", daemon=True)
        self._metrics, self._redis_port, self._begin = metrics, redis_port, begin
        self._ended = threading.Event()
        self._last: dict[str, tuple[float, float]] = {}
        self.rows: list[list[object]] = []
        #: CPU seconds used by each since the first sample, by name.
        self.cpu_seconds: dict[str, float] = {}

    def run(self) -> None:
        while True:
            self._sample()
            if self._ended.wait(EVERY):
                return

    def stop(self) -> None:
        """Take a last sample and end."""
        self._ended.set()
        self.join(10)
        self._sample()

    def _sample(self) -> None:
        """One row for each pod and for Redis."""
        for number, address in enumerate(self._metrics):
            found = scrape(address)
            if found:
                self._row(
                    f"pod-{number}",
                    found.get("process_cpu_seconds_total", 0.0),
                    found.get("process_resident_memory_bytes", 0.0),
                    found.get("chat_connections", ""),
                    found.get("chat_deliveries_total", ""),
                    found.get("go_goroutines", ""),
                )
        found = redis_info(self._redis_port)
        if found:
            self._row("redis", found["cpu"], found["memory"], "", "", "")

    def _row(self, what: str, cpu: float, memory: float, *more: object) -> None:
        """Add a row; CPU as percent of one core since the last sample of the same process."""
        now = time.monotonic()
        then, before = self._last.get(what, (now, cpu))
        if cpu < before:  # it was started again: its count began anew
            before = 0.0
        spent, wall = cpu - before, now - then
        self._last[what] = (now, cpu)
        self.cpu_seconds[what] = self.cpu_seconds.get(what, 0.0) + spent
        percent: object = round(100 * spent / wall, 1) if wall > 0 else ""
        second = round(now - self._begin, 1)
        self.rows.append([second, what, percent, round(memory / 1e6, 1), *more])

    def write(self, path: Path) -> None:
        """Leave the samples as CSV."""
        with path.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(self.rows)
