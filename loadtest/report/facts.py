"""Settings and limits that the text names, read where they are decided: manifest and code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class Missing(ValueError):
    """A fact is no longer where the report looks for it."""


@dataclass(frozen=True)
class Facts:
    """What the manifest and the code say. Documents: those of ``chatapp.yaml``."""

    root: Path
    documents: list[dict[str, Any]]

    def kind(self, kind: str, name: str) -> dict[str, Any] | None:
        """A document of the manifest; None when there is none."""
        for one in self.documents:
            if one["kind"] == kind and one["metadata"]["name"] == name:
                return one
        return None

    def replicas(self, kind: str, name: str) -> int:
        """How many pods; 0 when there is no such workload."""
        found = self.kind(kind, name)
        return int(found["spec"].get("replicas", 1)) if found else 0

    def node_port(self, service: str) -> int | None:
        """A service's first node port."""
        found = self.kind("Service", service)
        ports = found["spec"]["ports"] if found else []
        return next((int(port["nodePort"]) for port in ports if "nodePort" in port), None)

    def autoscaler(self) -> tuple[int, int]:
        """Least and most chat pods."""
        found = self.kind("HorizontalPodAutoscaler", "chat")
        if found is None:
            raise Missing("no autoscaler in chatapp.yaml")
        return int(found["spec"]["minReplicas"]), int(found["spec"]["maxReplicas"])

    def setting(self, pattern: str) -> str:
        """A line of Redis's settings, e.g. ``appendfsync (\\w+)``."""
        return self.go("internal/redisnode/redis.conf.tmpl", pattern)

    def go(self, path: str, pattern: str) -> str:
        """A constant in the Go code below ``images/chat``."""
        return self._found(self.root / "images/chat" / path, pattern)

    def _found(self, path: Path, pattern: str) -> str:
        found = re.search(pattern, path.read_text(encoding="utf-8"), re.M)
        if found is None:
            raise Missing(f"{path.name} has nothing like {pattern}")
        return found[1]

    def go_number(self, path: str, pattern: str) -> int:
        """A whole number in the Go code; ``8 << 20`` is understood."""
        text = self.go(path, pattern).replace("_", "")
        base, _, shift = text.partition("<<")
        return int(base) << int(shift or 0)


def load(root: Path) -> Facts:
    """The facts of a working tree."""
    text = (root / "chatapp.yaml").read_text(encoding="utf-8")
    return Facts(root, [one for one in yaml.safe_load_all(text) if one])
