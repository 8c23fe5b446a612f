"""Load over time as data: users, spawn rate and posting rate in stages.

Stages come as JSON in the environment variable ``CHATLOAD_STAGES``, because Locust looks for a
shape before it reads the command line. Without it there is no shape, and the web UI's fields hold.
"""

from __future__ import annotations

import os

from locust import LoadTestShape

from chatload.master import Master
from chatload.schedule import VARIABLE, parse_stages, stage_at


def stages_wanted() -> bool:
    """Whether this process was given stages."""
    return bool(os.environ.get(VARIABLE))


class Stages(LoadTestShape):
    """Follows the stages, then ends the run. Only the master's instance ticks."""

    # Abstract for Locust's collector: the locustfile makes a subclass when there are stages.
    abstract = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.stages = parse_stages(os.environ[VARIABLE])

    def tick(self) -> tuple[int, float] | None:
        """Users and spawn rate now; None when the last stage is over. Called once a second."""
        elapsed: float = self.get_run_time()  # type: ignore[no-untyped-call]
        stage = stage_at(self.stages, elapsed)
        if stage is None:
            return None
        runner = self.runner
        master = getattr(runner.environment, "chat_master", None) if runner is not None else None
        if isinstance(master, Master) and stage.rate is not None:
            master.set_rate(stage.rate)
        return stage.users, stage.spawn_rate
