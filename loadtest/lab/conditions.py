"""The conditions of a run: they belong to its figures.

What else the machine was doing, at which priorities the run's processes ran, and exactly which chat
and which generator it was. A run beside other load than its own measured both, so it is INVALID.
Linux only, as the lab is: it reads ``/proc``.
"""

from __future__ import annotations

import glob
import hashlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

#: Seconds between two readings.
EVERY = 1.0
#: Clock ticks of the kernel a second: the unit of ``/proc``'s CPU times.
TICKS = os.sysconf("SC_CLK_TCK")
#: What the generator is made of, in ``images/locust``.
GENERATOR_PARTS = ("chatload/**/*.py", "locustfile.py", "requirements.txt", "generator/**/*.go")
#: Scheduling policies by number; 0 is the usual one.
POLICIES = {0: "other", 1: "fifo", 2: "rr", 3: "batch", 5: "idle", 6: "deadline"}


def digest(paths: Iterable[Path], root: Path) -> str:
    """First 16 hexadecimal digits of the SHA-256 over files' names (below ``root``) and bytes."""
    whole = hashlib.sha256()
    for path in sorted(paths):
        whole.update(str(path.relative_to(root)).encode() + b"\0")
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:16]


def generator_digest(folder: Path) -> str:
    """Which generator it is: the digest of ``images/locust``'s sources."""
    files = {path for part in GENERATOR_PARTS for path in folder.glob(part) if path.is_file()}
    return digest(files, folder)


def dirty(root: Path) -> list[str]:
    """Files of the working tree that differ from the commit; empty when it is clean or unknown.
    Results do not count: runs leave them."""
    done = subprocess.run(
        ["git", "status", "--porcelain", "--", ".", ":!results", ":!report.pdf"],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
    )
    return [line[3:] for line in done.stdout.splitlines()]


def priority(pid: int) -> str:
    """A process's scheduling, if it is not the usual one; empty when it is, or it is gone."""
    try:
        policy, nice = os.sched_getscheduler(pid), os.getpriority(os.PRIO_PROCESS, pid)
    except OSError:
        return ""
    name = POLICIES.get(policy, str(policy))
    return "" if policy == 0 and nice == 0 else f"{name}, nice {nice}"


def machine_ticks() -> tuple[int, int]:
    """Ticks that all CPUs were busy, and that they were there at all, since boot."""
    with Path("/proc/stat").open() as file:
        # user nice system idle iowait irq softirq steal; guest times are within user and nice.
        fields = [int(one) for one in file.readline().split()[1:9]]
    idle = fields[3] + fields[4]
    return sum(fields) - idle, sum(fields)


def process_ticks(pid: int, *, children: bool = True) -> int:
    """Ticks that a process has used, and the children it has waited for; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    fields = text.rpartition(")")[2].split()
    return sum(int(one) for one in fields[11 : 15 if children else 13])


class OtherLoad(threading.Thread):
    """Reads until stopped how busy the machine is with what is not the run's.

    pids: tells the run's processes by name, asked at each reading, since they may be started anew.
    more: seconds of CPU that the run has used besides (in pods), as a count that only grows.
    children: whether the processes' children count with them. Where they are in ``more`` already,
    as what a container runtime has waited for, they would count twice, and hide what others use.
    """

    def __init__(
        self,
        pids: Callable[[], dict[str, int]],
        more: Callable[[], float] = lambda: 0.0,
        *,
        children: bool = True,
    ) -> None:
        super().__init__(name="other load", daemon=True)
        self._pids, self._more, self._children = pids, more, children
        self._more_before = 0.0
        self._ended = threading.Event()
        #: pid → ticks at the last reading; what the run's processes have used in all.
        self._ticks: dict[int, int] = {}
        self._own = 0
        self._begin = (0, 0)
        self._percent = 0.0
        #: Processes that did not run at the usual priority, with theirs.
        self.priorities: dict[str, str] = {}

    def run(self) -> None:
        self._read()
        self._own = 0
        self._more_before = self._more()
        self._begin = machine_ticks()
        while not self._ended.wait(EVERY):
            self._read()

    def stop(self) -> None:
        """Take a last reading and end."""
        self._ended.set()
        self.join(10)
        self._read()
        busy, there = (now - then for now, then in zip(machine_ticks(), self._begin, strict=True))
        own = self._own + (self._more() - self._more_before) * TICKS
        self._percent = 100 * (busy - own) / max(1, there)

    def _read(self) -> None:
        """One reading of the run's own processes, and of this one, which samples them."""
        for name, pid in {**self._pids(), "runner": os.getpid()}.items():
            ticks = process_ticks(pid, children=self._children or name == "runner")
            self._own += max(0, ticks - self._ticks.get(pid, 0))
            self._ticks[pid] = max(ticks, self._ticks.get(pid, 0))
            found = priority(pid)
            if found:
                self.priorities[name] = found

    @property
    def percent(self) -> float:
        """Share of the machine's CPU that others used, percent; after :meth:`stop`. Negative by
        what was counted twice: a little is rounding, much is a fault of the account."""
        return round(self._percent, 2)


#: Where the kernel counts the CPU of all pods of a node, by the kind of its control groups.
POD_COUNTS = (
    ("/sys/fs/cgroup/kubepods*/cpu.stat", 1e6),
    ("/sys/fs/cgroup/unified/kubepods*/cpu.stat", 1e6),
    ("/sys/fs/cgroup/cpuacct/kubepods*/cpuacct.usage", 1e9),
)
#: What Kubernetes itself runs on a node, beside pods: a part of what is measured.
KUBERNETES = (
    "etcd", "kube-apiserver", "kube-controller", "kube-scheduler", "kube-proxy", "kubelet",
    "containerd", "containerd-shim", "dockerd", "docker-registry", "runc", "netpol",
)  # fmt: skip


def pod_seconds() -> float:
    """Seconds of CPU that all pods of this machine have used so far, those that are gone too."""
    for pattern, unit in POD_COUNTS:
        for path in glob.glob(pattern):
            # "usage_usec 123" first, or the number alone
            return float(Path(path).read_text().split("\n", 1)[0].split()[-1]) / unit
    return 0.0


def kubernetes_pids() -> dict[str, int]:
    """Kubernetes' own processes on this machine, by name and number."""
    out = {}
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            name = path.read_text().strip()
        except OSError:
            continue
        if name.startswith(KUBERNETES):
            out[f"{name} {path.parent.name}"] = int(path.parent.name)
    return out


def judge(summary: dict[str, Any], other: float, limit: float) -> None:
    """Add the gate ``other load`` to a finished run's summary; past it the run is INVALID, unless
    its ledger is broken, which other load does not excuse. As far below nothing, the account is
    wrong, and no evidence."""
    gate = {
        "name": "other load",
        "value": other,
        "limit": limit,
        "unit": "%",
        "passed": -limit <= other <= limit,
        "meaning": "of the machine's CPU was used by what is not this run",
    }
    summary["gates"].append(gate)
    if gate["passed"]:
        return
    refuse(summary, f"other load {other:g}% (limit {limit:g}%): {gate['meaning']}")


def refuse(summary: dict[str, Any], reason: str) -> None:
    """Make a finished run INVALID, unless its ledger is broken, which nothing excuses."""
    summary["invalid_because"].append(reason)
    summary["valid"] = False
    if summary["outcome"] != "BROKEN":
        summary |= {"outcome": "INVALID", "exit_code": 4}
