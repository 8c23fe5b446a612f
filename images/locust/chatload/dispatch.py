"""How many users of each kind: the shares of the settings, taken when a run starts.

Locust reads a class's ``weight`` when its dispatcher is made; the start form may have changed the
shares just before. So the weights are set there.
"""

from __future__ import annotations

from typing import Any

from locust import User
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.runners import WorkerNode

from chatload import options as settings


class ChatDispatcher(UsersDispatcher):
    """Locust's dispatcher, with weights from the run's settings."""

    #: Locust's environment, bound by :meth:`bound_to`.
    environment: Environment

    @classmethod
    def bound_to(cls, environment: Environment) -> type[ChatDispatcher]:
        """A dispatcher class for this environment (Locust makes the instance itself)."""
        return type("BoundChatDispatcher", (cls,), {"environment": environment})

    def __init__(self, worker_nodes: list[WorkerNode], user_classes: list[type[User]]) -> None:
        values: dict[str, Any] = vars(self.environment.parsed_options)
        weights = settings.parse(values).weights()
        # A share of 0 means none: Locust's dispatcher skips classes of weight 0.
        for one in user_classes:
            one.weight = weights.get(one.__name__, one.weight)
        super().__init__(worker_nodes, user_classes)
