"""CPU, memory and connections of pods and Redis while a run is on, every other second: of processes
on this machine, or of pods on a cluster."""

from __future__ import annotations

import csv
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from lab.kube import Api, ready

#: Seconds between samples, and between those of a kubelet, which looks at a container every ten.
EVERY, EVERY_KUBELET = 2.0, 5.0
#: Figures taken from a pod's /metrics.
POD_METRICS = (
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "chat_connections",
    "chat_deliveries_total",
    "go_goroutines",
)
COLUMNS = ("second", "what", "cpu_percent", "memory_mb", "connections", "deliveries", "goroutines")


def figures_of(text: str) -> dict[str, float]:
    """The figures in a pod's ``/metrics``, by name."""
    out = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name in POD_METRICS:
            out[name] = float(value)
    return out


def scrape(address: str) -> dict[str, float]:
    """A pod's figures, by name; empty when it does not answer."""
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310
            return figures_of(answer.read().decode())
    except (urllib.error.URLError, OSError):
        return {}


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


#: What, CPU seconds so far, bytes of memory; then connections, deliveries and goroutines ("" where
#: there is no such thing), and the instant of the reading, monotonic seconds.
Reading = tuple[str, float, float, float | str, float | str, float | str, float]


class Sampler(threading.Thread):
    """Samples from ``begin`` (monotonic seconds) until stopped; :meth:`write` then leaves
    ``samples.csv``. What is read says a subclass."""

    def __init__(self, begin: float, every: float) -> None:
        super().__init__(name="sampler", daemon=True)
        self._begin, self._every = begin, every
        self._ended = threading.Event()
        self._last: dict[str, tuple[float, float]] = {}
        self.rows: list[list[object]] = []
        #: CPU seconds used by each since the first sample, by name.
        self.cpu_seconds: dict[str, float] = {}

    def run(self) -> None:
        while True:
            self._sample()
            if self._ended.wait(self._every):
                return

    def stop(self) -> None:
        """Take a last sample and end."""
        self._ended.set()
        self.join(10)
        self._sample()

    def readings(self) -> Iterator[Reading]:
        """One reading of each process or pod that answers."""
        raise NotImplementedError

    def _sample(self) -> None:
        """A row for each reading; CPU as percent of one core since the last one of the same."""
        for what, cpu, memory, *more, now in self.readings():
            then, before = self._last.get(what, (now, cpu))
            if cpu < before:  # it was started again: its count began anew
                before = 0.0
            if now <= then and what in self._last:  # a kubelet's answer that we have had
                continue
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


def pod_reading(what: str, found: dict[str, float]) -> Reading:
    """A chat pod's reading from its ``/metrics``."""
    return (
        what,
        found.get("process_cpu_seconds_total", 0.0),
        found.get("process_resident_memory_bytes", 0.0),
        found.get("chat_connections", ""),
        found.get("chat_deliveries_total", ""),
        found.get("go_goroutines", ""),
        time.monotonic(),
    )


class LocalSampler(Sampler):
    """Of a set-up on this machine: the pods' ``/metrics``, and Redis's INFO."""

    def __init__(self, metrics: list[str], redis_port: int, begin: float) -> None:
        super().__init__(begin, EVERY)
        self._metrics, self._redis_port = metrics, redis_port

    def readings(self) -> Iterator[Reading]:
        for number, address in enumerate(self._metrics):
            found = scrape(address)
            if found:
                yield pod_reading(f"pod-{number}", found)
        found = redis_info(self._redis_port)
        if found:
            yield ("redis", found["cpu"], found["memory"], "", "", "", time.monotonic())


class ClusterSampler(Sampler):
    """Of a namespace: the chat pods' ``/metrics``, and what the kubelets say of the other
    containers (``redis-0``, ``redis-0/sentinel``, ``loadtest`` for the Job's pod, and so on).

    Chat pods are called ``pod-0``, ``pod-1`` … in the order in which they were first seen, so one
    that replaces another has a number of its own.
    """

    def __init__(self, api: Api, namespace: str, nodes: list[str], begin: float) -> None:
        super().__init__(begin, EVERY_KUBELET)
        self._api, self._namespace, self._nodes = api, namespace, nodes
        self._numbers: dict[str, int] = {}
        #: Names of other pods, as they are and as they are called here.
        self._names: dict[str, str] = {}
        #: From the wall clock to the monotonic one, once: the same instant must stay the same.
        self._shift = time.time() - time.monotonic()

    def readings(self) -> Iterator[Reading]:
        pods = f"/api/v1/namespaces/{self._namespace}/pods"
        found = self._api.json(f"{pods}?labelSelector=app%3Dchat").get("items", [])
        for name in sorted(pod["metadata"]["name"] for pod in found if ready(pod)):
            figures = figures_of(self._api.text(f"{pods}/{name}:8081/proxy/metrics"))
            if figures:
                number = self._numbers.setdefault(name, len(self._numbers))
                yield pod_reading(f"pod-{number}", figures)
        for node in self._nodes:
            text = self._api.text(f"/api/v1/nodes/{node}/proxy/metrics/resource")
            for pod, container, *more in container_readings(text, self._namespace, self._shift):
                name = self._names.get(pod) or self._called(pod)
                what = f"{name}/{container}" if container == "sentinel" else name
                yield what, *more  # type: ignore[misc]

    def _called(self, pod: str) -> str:
        """What a pod is called here: without what Kubernetes made up, and a number where several
        would be called the same."""
        short = short_name(pod)
        same = sum(short_name(other) == short for other in self._names)
        name = self._names[pod] = f"{short}-{same}" if same else short
        return name


_CONTAINER = re.compile(
    r"^container_(cpu_usage_seconds_total|memory_working_set_bytes)"
    r'\{container="([^"]*)",namespace="([^"]*)",pod="([^"]*)"\} (\S+) (\d+)$',
    re.M,
)


def container_readings(
    text: str, namespace: str, shift: float
) -> Iterator[tuple[str, str, float, float, str, str, str, float]]:
    """What a kubelet's ``/metrics/resource`` says of the containers of a namespace, but the chat's:
    pod, container, and the rest of a reading. shift: wall clock minus monotonic clock, seconds."""
    memory: dict[tuple[str, str], float] = {}
    cpu: dict[tuple[str, str], tuple[float, float]] = {}
    for what, container, where, pod, value, instant in _CONTAINER.findall(text):
        if where != namespace or container == "chat":
            continue
        if what.startswith("cpu"):
            cpu[pod, container] = float(value), int(instant) / 1000 - shift
        else:
            memory[pod, container] = float(value)
    for (pod, container), (seconds, instant) in sorted(cpu.items()):
        used = memory.get((pod, container), 0.0)
        yield pod, container, seconds, used, "", "", "", instant


def short_name(pod: str) -> str:
    """A pod's name without what Kubernetes made up."""
    return re.sub(r"(-[a-f0-9]{8,10})?-[a-z0-9]{5}$", "", pod)
