"""What is broken on purpose, and when. Local runs only: it signals processes that we started."""

from __future__ import annotations

import signal
import threading
import time

from lab.local import Local, Process
from lab.scenario import Fault

#: Seconds between the steps of one fault: what was killed is dead by then.
MOMENT = 0.3


class Faults(threading.Thread):
    """Carries out a scenario's faults from ``begin`` (monotonic seconds) on, then ends."""

    def __init__(self, local: Local, faults: list[Fault], begin: float) -> None:
        super().__init__(name="faults", daemon=True)
        self._local = local
        self._ended = threading.Event()
        #: (instant, what, to whom): everything to be done, in order.
        self._plan = sorted(step for fault in faults for step in steps(fault, len(local.pods)))
        self._begin = begin
        #: (seconds after the start, what was done): for the charts and the report.
        self.done: list[tuple[float, str]] = []

    def run(self) -> None:
        for at, what, name in self._plan:
            if self._ended.wait(max(0.0, self._begin + at - time.monotonic())):
                break
            self._act(what, self._named(name))
            self.done.append((round(time.monotonic() - self._begin, 2), f"{what} {name}"))

    def stop(self) -> None:
        """Do nothing more; a frozen pod is thawed."""
        self._ended.set()
        self.join(5)
        for pod in self._local.pods:
            pod.send(signal.SIGCONT)

    def _named(self, name: str) -> Process:
        """The process of a pod or of Redis."""
        processes = [*self._local.pods, self._local.redis, self._local.disk]
        return next(one for one in processes if one is not None and one.name == name)

    def _act(self, what: str, process: Process) -> None:
        """One step on one process."""
        if what == "cut":
            self._local.cut_power()
            return
        if what == "start":
            if process.child is not None:
                process.child.wait(10)
            process.start()
            return
        process.send(
            {
                "kill": signal.SIGKILL,
                "terminate": signal.SIGTERM,
                "freeze": signal.SIGSTOP,
                "thaw": signal.SIGCONT,
            }[what]
        )


def steps(fault: Fault, pods: int) -> list[tuple[float, str, str]]:
    """The single steps of a fault: ``(instant, what, name of the process)``."""
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
