"""Locust's worker as a probe: the same, under an id that says so (see :mod:`chatload.probe`)."""

from __future__ import annotations

from typing import Any

from locust import env
from locust.runners import WorkerRunner

from chatload.probe import SUFFIX, wanted


class ProbeRunner(WorkerRunner):
    """Locust's worker, with an id that says what it is."""

    @property
    def client_id(self) -> str:
        """The id it has towards the master."""
        return self._id + SUFFIX

    @client_id.setter
    def client_id(self, value: str) -> None:
        self._id = value


def be_probe_if_told() -> None:
    """Before Locust makes its runner: if the environment says so, make it a probe's."""
    if wanted():
        module: Any = env
        module.WorkerRunner = ProbeRunner
