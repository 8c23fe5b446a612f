"""What is broken on purpose, and when: processes that we started, or pods of what is deployed."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any, Protocol

from lab.kube import Kubectl, ready
from lab.local import LabError, Local, Process
from lab.scenario import Fault

#: Seconds between the steps of one fault: what was killed is dead by then.
MOMENT = 0.3
#: Words that are signals to a process.
SIGNALS = {
    "kill": signal.SIGKILL,
    "terminate": signal.SIGTERM,
    "freeze": signal.SIGSTOP,
    "thaw": signal.SIGCONT,
}
#: Faults that only one of the two set-ups can have.
ONLY_LOCAL, ONLY_CLUSTER = ("cut_power",), ("rollout", "hand_over")

#: (seconds after the start, what, to whom)
Step = tuple[float, str, str]


class Breaker(Protocol):
    """Who carries out the steps."""

    def act(self, what: str, name: str) -> None:
        """One step on a process or pod. Raises LabError when it cannot be done."""

    def mend(self) -> None:
        """What stands still goes on."""


class Faults(threading.Thread):
    """Carries out a plan from ``begin`` (monotonic seconds) on, then ends."""

    def __init__(self, breaker: Breaker, plan: list[Step], begin: float) -> None:
        super().__init__(name="faults", daemon=True)
        self._breaker = breaker
        self._ended = threading.Event()
        self._plan = sorted(plan)
        self._begin = begin
        #: (seconds after the start, what was done): for the charts and the report.
        self.done: list[tuple[float, str]] = []
        #: Why a step could not be done: the run is then not the one that was planned.
        self.failed = ""

    def run(self) -> None:
        for at, what, name in self._plan:
            if self._ended.wait(max(0.0, self._begin + at - time.monotonic())):
                break
            try:
                self._breaker.act(what, name)
            except LabError as error:
                self.failed = f"{what} {name}: {error}"
                break
            self.done.append((round(time.monotonic() - self._begin, 2), f"{what} {name}"))

    def stop(self) -> None:
        """Do nothing more; what is frozen is thawed."""
        self._ended.set()
        self.join(5)
        self._breaker.mend()


class LocalBreaker:
    """Signals to the processes of a set-up on this machine."""

    def __init__(self, local: Local) -> None:
        self._local = local

    def act(self, what: str, name: str) -> None:
        """One step on one process."""
        process = self._named(name)
        if what == "cut":
            self._local.cut_power()
        elif what == "start":
            if process.child is not None:
                process.child.wait(10)
            process.start()
        else:
            process.send(SIGNALS[what])

    def mend(self) -> None:
        """Frozen pods go on."""
        for pod in self._local.pods:
            pod.send(signal.SIGCONT)

    def _named(self, name: str) -> Process:
        """The process of a pod or of Redis."""
        processes = [*self._local.pods, self._local.redis, self._local.disk]
        return next(one for one in processes if one is not None and one.name == name)


def local_plan(fault: Fault, pods: int) -> list[Step]:
    """The single steps of a fault on this machine."""
    if fault.do in ONLY_CLUSTER:
        raise LabError(f"{fault.do} is for --where cluster")
    one = f"pod-{fault.pod}"
    if fault.do == "freeze":
        return [(fault.at, "freeze", one), (fault.at + fault.seconds, "thaw", one)]
    what = "terminate" if fault.do == "terminate" else "kill"
    if fault.do == "cut_power":
        # Everything that holds a message in memory dies with the disk's cache.
        everybody = ["redis", *(f"pod-{number}" for number in range(pods))]
        again = fault.at + max(fault.restart_after, 2 * MOMENT)
        return (
            [(fault.at, "kill", name) for name in everybody]
            + [(fault.at + MOMENT, "cut", "disk")]
            + [(again, "start", "redis")]
            + [(again + MOMENT, "start", name) for name in everybody[1:]]
        )
    names = [one]
    if fault.do == "kill_all":
        names = [f"pod-{number}" for number in range(pods)]
    elif fault.do == "kill_redis":
        names = ["redis"]
    again = fault.at + fault.restart_after
    return [(fault.at, what, n) for n in names] + [(again, "start", n) for n in names]


def cluster_plan(fault: Fault, pods: int) -> list[Step]:
    """The single steps of a fault on a cluster, which starts again by itself what went."""
    if fault.do in ONLY_LOCAL:
        raise LabError(f"{fault.do} is for --where local")
    one = f"pod-{fault.pod}"
    if fault.do == "freeze":
        return [(fault.at, "freeze", one), (fault.at + fault.seconds, "thaw", one)]
    if fault.do == "kill_all":
        return [(fault.at, "kill", f"pod-{number}") for number in range(pods)]
    if fault.do == "kill_redis":
        return [(fault.at, "kill", "redis master")]
    if fault.do == "hand_over":
        return [(fault.at, "hand over", "redis master")]
    return [(fault.at, fault.do, "chat" if fault.do == "rollout" else one)]


class ClusterBreaker:
    """Breaks pods. ``pods``: the chat's at the start, by number. ``here``: their node is this
    machine, so that a process can be killed as a kernel kills it (``kill -9``); otherwise its pod
    is deleted by force, which tells it two seconds before."""

    def __init__(self, kubectl: Kubectl, pods: list[str], *, here: bool) -> None:
        self._kubectl, self._pods = kubectl, pods
        self._here = here and os.geteuid() == 0
        self._frozen: list[int] = []

    def act(self, what: str, name: str) -> None:
        """One step on one pod."""
        if what == "rollout":
            self._kubectl("rollout", "restart", "deployment", "chat")
            return
        redis = name == "redis master"
        pod = redis_master(self._kubectl) if redis else self._pods[int(name.partition("-")[2])]
        if what == "hand over":
            self._kubectl("exec", pod, "-c", "redis", "--", "/opt/chatapp/chat", "redis", "leave")
        elif what == "terminate":
            self._kubectl("delete", "pod", pod, "--wait=false")
        elif self._here:
            self._signal(pod, "redis" if redis else "chat", what)
        elif what == "kill":
            self._kubectl("delete", "pod", pod, "--wait=false", "--force", "--grace-period=0")
        else:
            raise LabError("only on a cluster of this one machine, as root")

    def mend(self) -> None:
        """Frozen pods go on."""
        for pid in self._frozen:
            os.kill(pid, signal.SIGCONT)
        self._frozen.clear()

    def _signal(self, pod: str, container: str, what: str) -> None:
        """A signal to the first process of a container on this machine."""
        if what == "thaw":
            self.mend()
            return
        path = f'{{.status.containerStatuses[?(@.name=="{container}")].containerID}}'
        identity = self._kubectl("get", "pod", pod, "-o", f"jsonpath={path}").rpartition("/")[2]
        pid = first_process(identity)
        os.kill(pid, SIGNALS[what])
        if what == "freeze":
            self._frozen.append(pid)


def first_process(container: str) -> int:
    """The process that is number 1 within a container of this machine. Raises LabError."""
    for path in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            if container and container in path.read_text():
                status = (path.parent / "status").read_text()
                inner = next(line for line in status.splitlines() if line.startswith("NSpid:"))
                if inner.split()[-1] == "1":
                    return int(path.parent.name)
        except (OSError, StopIteration):
            continue
    raise LabError(f"no process of container {container[:12]} on this machine")


def redis_cli(kubectl: Kubectl, pod: str, *command: str) -> str:
    """What a pod's Redis answers."""
    program = ("/opt/chatapp/chat", "redis", "cli")
    return kubectl("exec", pod, "-c", "redis", "--", *program, *command)


def redis_master(kubectl: Kubectl) -> str:
    """The pod whose Redis says that it is master. Raises LabError when none does."""
    pods: list[dict[str, Any]] = kubectl.items("pods", "app=redis")
    for pod in pods:
        name = str(pod["metadata"]["name"])
        if ready(pod) and redis_cli(kubectl, name, "role").splitlines()[0].strip() == "master":
            return name
    raise LabError("no Redis says that it is master")
