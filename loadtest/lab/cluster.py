"""A scenario against the current Kubernetes context: the headless Job, and its results brought out.

Needs ``kubectl``. Names no namespace: the context's is used. The Job (``loadtest/job.yaml``) runs a
master and its workers in one pod and, when done, prints its artefacts as text into its log, so that
nothing has to be mounted or copied out of a pod that has ended.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chatload.bundle import BEGIN, END
from chatload.schedule import VARIABLE
from lab.experiment import say
from lab.local import LabError
from lab.scenario import Scenario

#: The Job's file; its container's arguments and environment are filled in here.
JOB = Path(__file__).resolve().parent.parent / "job.yaml"
#: Seconds beyond load and drain for the Job's pod to be scheduled and to start.
PATIENCE = 240.0


class Kubectl:
    """kubectl in one namespace (None: the context's own)."""

    def __init__(self, namespace: str | None) -> None:
        self._prefix = ["kubectl", *(["-n", namespace] if namespace else [])]

    def __call__(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """kubectl's standard output. Raises LabError with its complaint."""
        try:
            done = subprocess.run(
                [*self._prefix, *arguments],
                input=stdin,
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise LabError(f"kubectl cannot be run: {error}") from error
        if check and done.returncode:
            raise LabError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout


def objects_for(scenario: Scenario) -> list[dict[str, object]]:
    """What to apply for a scenario: the Job first, then what it needs (its network policy)."""
    found = list(yaml.safe_load_all(JOB.read_text(encoding="utf-8")))
    return [_filled(next(one for one in found if one["kind"] == "Job"), scenario)] + [
        one for one in found if one["kind"] != "Job"
    ]


def _filled(job: dict[str, Any], scenario: Scenario) -> dict[str, object]:
    """The Job with a scenario's arguments and environment."""
    container = job["spec"]["template"]["spec"]["containers"][0]
    processes = [f"--workers={scenario.workers}", f"--probes={scenario.probe_workers}"]
    arguments = []
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


def run_cluster(scenario: Scenario, folder: Path, namespace: str | None = None) -> int:
    """Run the Job and unpack its artefacts into ``folder``. Returns Locust's exit code.

    The chat is scaled to the scenario's replicas, and back afterwards.
    """
    if scenario.faults:
        raise LabError("faults are for --where local; on a cluster, use the fault tests")
    objects = objects_for(scenario)
    text = yaml.safe_dump_all(objects)
    name = str(objects[0]["metadata"]["name"])  # type: ignore[index]
    kubectl = Kubectl(namespace)
    kubectl("delete", "job", name, "--ignore-not-found", "--wait=true")
    before = hold_replicas(kubectl, scenario.replicas)
    try:
        kubectl("rollout", "status", "deployment", "chat", "--timeout=180s")
        kubectl("apply", "-f", "-", stdin=text)
        wait_for_end(kubectl, name, scenario)
        log = kubectl("logs", f"job/{name}", "--tail=-1")
    except KeyboardInterrupt:
        # Deleting the Job would lose its log: stop it, take what it says, then go.
        say("interrupted: asking the Job to end")
        pod = kubectl("get", "pod", "-l", f"job-name={name}", "-o", "name").strip()
        log = ""
        if pod:
            kubectl("exec", pod, "--", "kill", "-TERM", "1", check=False)
            wait_for_end(kubectl, name, scenario)
            log = kubectl("logs", f"job/{name}", "--tail=-1")
    finally:
        give_back_replicas(kubectl, before)
    unpack(log, folder)
    kubectl("delete", "-f", "-", "--wait=false", stdin=text, check=False)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return int(summary["exit_code"] if summary["exit_code"] is not None else 4)


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
    kubectl("scale", "deployment", "chat", f"--replicas={number}")
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


def cluster_versions(namespace: str | None) -> dict[str, str]:
    """Versions of Kubernetes and of the chat's image, as the cluster tells them."""
    kubectl = Kubectl(namespace)
    server = json.loads(kubectl("version", "-o", "json")).get("serverVersion", {})
    pods = kubectl("get", "pods", "-l", "app=chat", "-o", "json")
    images = {
        status["imageID"].rsplit("@", 1)[-1][:19]
        for pod in json.loads(pods)["items"]
        for status in pod["status"].get("containerStatuses", [])
    }
    return {
        "kubernetes": server.get("gitVersion", "unknown"),
        "chat image": ", ".join(sorted(images)),
    }


def wait_for_end(kubectl: Kubectl, name: str, scenario: Scenario) -> None:
    """Until the Job has succeeded or failed; a line of progress every 10 s."""
    deadline = time.monotonic() + scenario.duration + 60 + PATIENCE
    while time.monotonic() < deadline:
        status = json.loads(kubectl("get", "job", name, "-o", "json")).get("status", {})
        if status.get("succeeded") or status.get("failed"):
            return
        lines = kubectl("logs", f"job/{name}", "--tail=1", check=False).strip()
        say(f"  {lines[:120] or 'the pod is not running yet'}")
        time.sleep(10)
    raise LabError(f"job {name} did not end in time; see kubectl describe job {name}")


def unpack(log: str, folder: Path) -> None:
    """The artefacts from a Job's log."""
    start, end = log.rfind(BEGIN), log.rfind(END)
    if start < 0 or end < start:
        raise LabError("the Job's log holds no artefacts:\n" + "\n".join(log.splitlines()[-15:]))
    body = base64.b64decode("".join(log[start + len(BEGIN) : end].split()))
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as archive:
        archive.extractall(folder, filter="data")
