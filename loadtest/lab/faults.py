"""What is broken on purpose, and when. Local runs only: it signals processes that we started."""

from __future__ import annotations

import signal
import threading
import time

from lab.local import Local
from lab.scenario import Fault


class Faults(threading.Thread):
    """Carries out a scenario's faults from ``begin`` (monotonic seconds) on, then ends."""

    def __init__(self, local: Local, faults: list[Fault], begin: float) -> None:
        super().__init__(name="faults", daemon=True)
        self._local = local
        self._ended = threading.Event()
        #: (instant, what, pod): everything to be done, in order.
        self._plan = sorted(step for fault in faults for step in steps(fault, len(local.pods)))
        self._begin = begin
        #: (seconds after the start, what was done): for the charts and the report.
        self.done: list[tuple[float, str]] = []

    def run(self) -> None:
        for at, what, pod in self._plan:
            if self._ended.wait(max(0.0, self._begin + at - time.monotonic())):
                break
            self._act(what, pod)
            self.done.append((round(time.monotonic() - self._begin, 2), f"{what} pod-{pod}"))

    def stop(self) -> None:
        """Do nothing more; a frozen pod is thawed."""
        self._ended.set()
        self.join(5)
        for pod in self._local.pods:
            pod.send(signal.SIGCONT)

    def _act(self, what: str, number: int) -> None:
        """One step on one pod."""
        pod = self._local.pods[number]
        if what == "start":
            if pod.child is not None:
                pod.child.wait(10)
            pod.start()
            return
        pod.send(
            {
                "kill": signal.SIGKILL,
                "terminate": signal.SIGTERM,
                "freeze": signal.SIGSTOP,
                "thaw": signal.SIGCONT,
            }[what]
        )


def steps(fault: Fault, pods: int) -> list[tuple[float, str, int]]:
    """The single steps of a fault: ``(instant, what, pod)``."""
    if fault.do == "freeze":
        return [(fault.at, "freeze", fault.pod), (fault.at + fault.seconds, "thaw", fault.pod)]
    what = "terminate" if fault.do == "terminate" else "kill"
    numbers = range(pods) if fault.do == "kill_all" else [fault.pod]
    again = fault.at + fault.restart_after
    return [(fault.at, what, n) for n in numbers] + [(again, "start", n) for n in numbers]
