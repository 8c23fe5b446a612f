"""A scenario through the deployed system, in the current Kubernetes context.

The load is a headless Job (``loadtest/job.yaml``): master, workers and probe in one pod, against
the service that people use. When done it prints its artefacts as text into its log, so that nothing
has to be mounted or copied out of a pod that has ended. Before a run Redis is emptied and the chat
starts anew, with as many pods as the scenario says; afterwards it has as many as before.

Needs ``kubectl``. Names no namespace: the context's is used.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
import tarfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from chatload.bundle import BEGIN, END
from chatload.schedule import VARIABLE
from lab import conditions
from lab.faults import redis_cli, redis_master
from lab.kube import Kubectl, here, image_ids, ready
from lab.local import LabError
from lab.scenario import Scenario

#: The Job's file; its container's arguments and environment are filled in here.
JOB = Path(__file__).resolve().parent.parent / "job.yaml"
#: What is deployed, as ``make deploy`` takes it.
MANIFEST = JOB.parent.parent / "chatapp.yaml"
#: Seconds beyond load and drain for the Job's pod to be scheduled, to start and to print.
PATIENCE = 240.0
#: How often Redis is asked to forget everything before that counts as refused.
FLUSHES = 6
#: What the master says when the load begins.
STARTED = "chatload.master: run "


def kept_messages() -> int:
    """How many messages the deployed chat keeps, as the Job is told."""
    arguments = _container(_job(_documents()))["args"]
    return int(arguments[arguments.index("--kept-messages") + 1])


def objects_for(scenario: Scenario) -> list[dict[str, object]]:
    """What to apply for a scenario: the Job first, then what it needs (its network policy)."""
    found = _documents()
    return [_filled(_job(found), scenario)] + [one for one in found if one["kind"] != "Job"]


def _documents() -> list[dict[str, Any]]:
    """What the Job's file holds."""
    return list(yaml.safe_load_all(JOB.read_text(encoding="utf-8")))


def _job(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The Job among them."""
    return next(one for one in documents if one["kind"] == "Job")


def _container(job: dict[str, Any]) -> Any:
    """The Job's only container."""
    return job["spec"]["template"]["spec"]["containers"][0]


def _filled(job: dict[str, Any], scenario: Scenario) -> dict[str, object]:
    """The Job with a scenario's arguments and environment."""
    container = _container(job)
    processes = [f"--workers={scenario.workers}", f"--probes={scenario.probe_workers}"]
    processes.append(f"--generator={scenario.generator}")
    arguments = ["--csv=/artefacts/locust", "--html=/artefacts/locust.html"]
    if not scenario.stages:
        arguments += ["-u", str(scenario.users), "-r", str(scenario.spawn_rate)]
        arguments += ["-t", f"{scenario.seconds:g}s"]
    for name, value in scenario.options.items():
        arguments += ["--" + name.replace("_", "-"), str(value).lower()]
    given = container["args"]
    container["args"] = [*processes, *given[given.index("--") :], *arguments]
    if scenario.stages:
        stages = {"name": VARIABLE, "value": json.dumps(scenario.stages)}
        container.setdefault("env", []).append(stages)
    return dict(job)


class Log(threading.Thread):
    """Reads the Job's log to its end, and notes when the load began.

    A log that is followed may end too early: the connection breaks, or the kubelet leaves out the
    last lines of a pod that ends. So where its end is not the artefacts' end it is read once more,
    from the start: followed again if the Job still runs."""

    #: Seconds between two looks at a log.
    PAUSE = 1.0

    def __init__(self, kubectl: Kubectl, job: str) -> None:
        super().__init__(name="log", daemon=True)
        self._kubectl, self._job = kubectl, job
        self._stopped = threading.Event()
        self._child = self._look("-f")
        self.lines: list[str] = []
        self.began = threading.Event()

    def run(self) -> None:
        following = True
        while True:
            self._read()
            if not following or self._stopped.is_set() or any(END in one for one in self.lines):
                return
            # Asked before the log is: what ends in between has written all by then.
            following = self._runs()
            if self._stopped.wait(self.PAUSE):
                return
            self._child = self._look("-f") if following else self._look()

    def _look(self, *how: str) -> subprocess.Popen[str]:
        """Start to read the log."""
        where = (f"job/{self._job}", "--pod-running-timeout=60s")
        return subprocess.Popen(
            self._kubectl.command("logs", *how, *where),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def _read(self) -> None:
        """All lines that come now, instead of those before."""
        self.lines = []
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self.lines.append(line)
            if STARTED in line:
                self.began.set()
        self._child.wait()

    def _runs(self) -> bool:
        """Whether the Job still has a pod that runs."""
        active = self._kubectl(
            "get", "job", self._job, "-o", "jsonpath={.status.active}", check=False
        )
        return active.strip() not in ("", "0")

    def stop(self) -> None:
        """Look away."""
        self._stopped.set()
        self._child.terminate()
        self._child.wait()

    @property
    def last(self) -> str:
        """The last line."""
        return self.lines[-1].strip() if self.lines else ""


class Cluster:
    """One scenario on the cluster. Use as a context manager: what it changed is put back."""

    def __init__(self, scenario: Scenario, namespace: str | None = None) -> None:
        self.scenario = scenario
        self.kubectl = Kubectl(namespace)
        self._objects = yaml.safe_dump_all(objects_for(scenario))
        self.job = str(objects_for(scenario)[0]["metadata"]["name"])  # type: ignore[index]
        nodes = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        self.nodes = [str(node["metadata"]["name"]) for node in nodes]
        #: The cluster is this machine: more can be seen and broken.
        self.here = here(nodes)
        self.kubernetes = str(nodes[0]["status"]["nodeInfo"]["kubeletVersion"])
        self.machine = {
            "nodes": ", ".join(
                f"{node['status']['capacity']['cpu']} CPUs, "
                f"{int(node['status']['capacity']['memory'].removesuffix('Ki')) // 1_000_000} GB"
                for node in nodes
            )
        }
        self.pods: list[str] = []
        self.images: dict[str, str] = {}
        self._before: Replicas | None = None
        self.log: Log | None = None

    def __enter__(self) -> Self:
        try:
            self.kubectl("delete", "job", self.job, "--ignore-not-found", "--wait=true")
            self._before = hold_replicas(self.kubectl, self.scenario.replicas)
            start_empty(self.kubectl, self.scenario.replicas)
            found = self.kubectl.items("pods", "app=chat")
            self.pods = sorted(str(pod["metadata"]["name"]) for pod in found if ready(pod))
            self.images["chat"] = ", ".join(image_ids(found, "chat"))
            redis = self.kubectl.items("pods", "app=redis")
            self.images["redis"] = ", ".join(image_ids(redis, "redis"))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.log is not None:
            self.log.stop()
            self.kubectl("delete", "-f", "-", "--wait=false", stdin=self._objects, check=False)
        if self._before is not None:
            give_back_replicas(self.kubectl, self._before)

    def start_load(self) -> float:
        """Start the Job; the instant at which its load began, in monotonic seconds."""
        self.kubectl("apply", "-f", "-", stdin=self._objects)
        deadline = time.monotonic() + PATIENCE
        while not (pods := self._load_pods()) or pods[0]["status"]["phase"] == "Pending":
            if time.monotonic() > deadline:
                raise LabError(f"job {self.job} did not start; see kubectl describe job {self.job}")
            time.sleep(0.5)
        self.images["generator"] = ", ".join(image_ids(pods, "locust"))
        self.log = Log(self.kubectl, self.job)
        self.log.start()
        while not self.log.began.wait(0.1):
            if time.monotonic() > deadline or not self.log.is_alive():
                raise LabError("the load did not start:\n" + "".join(self.log.lines[-15:]))
        return time.monotonic()

    def wait(self) -> None:
        """Until the Job's log has ended. Raises LabError when it does not in time."""
        assert self.log is not None
        drain = float(self.scenario.options.get("drain_timeout", 30))
        self.log.join(self.scenario.duration + 2 * drain + PATIENCE)
        if self.log.is_alive():
            raise LabError(f"job {self.job} did not end in time:\n{self.log.last}")

    def end_early(self) -> None:
        """Ask the load to end, and wait until it has: deleting the Job would lose its log."""
        for pod in self._load_pods():
            name = str(pod["metadata"]["name"])
            self.kubectl("exec", name, "--", "kill", "-TERM", "1", check=False)
        self.wait()

    def bring_out(self, folder: Path) -> None:
        """The artefacts, out of the log into ``folder``."""
        assert self.log is not None
        unpack("".join(self.log.lines), folder)

    def _load_pods(self) -> list[dict[str, Any]]:
        return self.kubectl.items("pods", f"job-name={self.job}")


@dataclass(frozen=True, slots=True)
class Replicas:
    """What the chat's Deployment and its autoscaler said before a run; hpa None: there is none."""

    deployment: str
    hpa: tuple[int, int] | None


def hold_replicas(kubectl: Kubectl, number: int) -> Replicas:
    """Hold the chat at ``number`` pods: an autoscaler that moves pods about in mid-run would be
    measured instead of them. Returns what to give back."""
    deployment = kubectl("get", "deployment", "chat", "-o", "jsonpath={.spec.replicas}")
    text = kubectl("get", "hpa", "chat", "--ignore-not-found", "-o", "json").strip()
    hpa = None
    if text:
        spec = json.loads(text)["spec"]
        hpa = (int(spec.get("minReplicas", 1)), int(spec["maxReplicas"]))
        patch_hpa(kubectl, number, number)
    return Replicas(deployment, hpa)


def give_back_replicas(kubectl: Kubectl, before: Replicas) -> None:
    """Put back what :func:`hold_replicas` changed."""
    if before.hpa is not None:
        patch_hpa(kubectl, *before.hpa)
    kubectl("scale", "deployment", "chat", f"--replicas={before.deployment}", check=False)


def patch_hpa(kubectl: Kubectl, least: int, most: int) -> None:
    """Set the autoscaler's bounds."""
    bounds = json.dumps({"spec": {"minReplicas": least, "maxReplicas": most}})
    kubectl("patch", "hpa", "chat", "--type=merge", "-p", bounds)


def start_empty(kubectl: Kubectl, number: int) -> None:
    """Empty Redis while no chat runs, then start ``number`` pods and wait until all are there: what
    earlier runs left, in keys and in processes, is no part of this one."""
    kubectl("scale", "deployment", "chat", "--replicas=0")
    force = ("--force", "--grace-period=0", "--ignore-not-found")
    kubectl("delete", "pods", "-l", "app=chat", *force)
    kubectl("rollout", "status", "statefulset", "redis", "--timeout=180s")
    # A pod that is deleted by force still has two seconds in which it may write.
    for _ in range(FLUSHES):
        time.sleep(3)
        master = redis_master(kubectl)
        left = redis_cli(kubectl, master, "dbsize").strip()
        if left == "0":
            break
        redis_cli(kubectl, master, "flushall")
    else:
        raise LabError(f"Redis is not empty: {left} keys are left")
    kubectl("scale", "deployment", "chat", f"--replicas={number}")
    kubectl("rollout", "status", "deployment", "chat", "--timeout=180s")


def unpack(log: str, folder: Path) -> None:
    """The artefacts from a Job's log."""
    start, end = log.rfind(BEGIN), log.rfind(END)
    if start < 0 or end < start:
        raise LabError("the Job's log holds no artefacts:\n" + "\n".join(log.splitlines()[-15:]))
    body = base64.b64decode("".join(log[start + len(BEGIN) : end].split()))
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as archive:
        archive.extractall(folder, filter="data")


def manifest_digest() -> str:
    """Which manifest it is."""
    return conditions.digest([MANIFEST], MANIFEST.parent)
