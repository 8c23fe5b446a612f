"""Kubernetes as the lab needs it: kubectl in one namespace, and the API read cheaply.

A kubectl costs about 60 ms of CPU each time it starts, which a run beside it would feel. So what is
read again and again goes through one ``kubectl proxy`` (:class:`Api`).
"""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab.local import LabError

#: The kernel's identity since its boot: if a node's status has the same, it is this machine.
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Kubectl:
    """kubectl in one namespace (None: the context's own)."""

    def __init__(self, namespace: str | None) -> None:
        self._prefix = ["kubectl", *(["-n", namespace] if namespace else [])]

    def command(self, *arguments: str) -> list[str]:
        """The words of a command, for who starts it in another way."""
        return [*self._prefix, *arguments]

    def __call__(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """kubectl's standard output. Raises LabError with its complaint."""
        try:
            done = subprocess.run(
                self.command(*arguments),
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

    def items(self, kind: str, selector: str) -> list[dict[str, Any]]:
        """The objects of a kind with a label."""
        found = json.loads(self("get", kind, "-l", selector, "-o", "json"))["items"]
        assert isinstance(found, list)
        return found


class Api:
    """The API's raw answers, through one ``kubectl proxy``. Use as a context manager."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._child: subprocess.Popen[str] | None = None
        self._base = ""

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(
            self._kubectl.command("proxy", "--port=0"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self._child.stdout is not None
        # "Starting to serve on 127.0.0.1:45123"
        line = self._child.stdout.readline()
        self._base = "http://" + line.strip().rpartition(" ")[2]
        if ":" not in self._base.removeprefix("http://"):
            raise LabError(f"kubectl proxy: {line.strip()}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._child is not None:
            self._child.terminate()
            self._child.wait()

    def text(self, path: str) -> str:
        """An answer's text; empty when there is none."""
        try:
            with urllib.request.urlopen(self._base + path, timeout=3) as answer:  # noqa: S310
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError):
            return ""

    def json(self, path: str) -> dict[str, Any]:
        """An answer's object; empty when there is none."""
        text = self.text(path)
        found = json.loads(text) if text else {}
        assert isinstance(found, dict)
        return found


def namespace_of(kubectl: Kubectl) -> str:
    """The namespace that a kubectl works in."""
    return kubectl("config", "view", "--minify", "-o", "jsonpath={..namespace}") or "default"


def here(nodes: list[dict[str, Any]]) -> bool:
    """Whether the cluster is one node, and that node is this machine."""
    ids = [node["status"]["nodeInfo"]["bootID"] for node in nodes]
    return BOOT_ID.exists() and ids == [BOOT_ID.read_text().strip()]


def ready(pod: dict[str, Any]) -> bool:
    """Whether a pod is ready and nobody has asked it to go."""
    conditions = pod["status"].get("conditions", [])
    good = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return good and "deletionTimestamp" not in pod["metadata"]


def image_ids(pods: list[dict[str, Any]], container: str) -> list[str]:
    """The digests of the images that a container of some pods runs, each once. Pods that are on
    their way out do not count: after an update they still run what is no longer deployed."""
    found = {
        str(status["imageID"]).rpartition("@")[2]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        for status in pod["status"].get("containerStatuses", [])
        if status["name"] == container and status["imageID"]
    }
    return sorted(found)
