"""How many users of each kind, and where: the shares of the settings, taken when a run starts.

Locust reads a class's ``weight`` when its dispatcher is made; the start form may have changed the
shares just before. So the weights are set there. Probe workers get none of these users.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any

from locust import User
from locust.dispatch import UsersDispatcher, _kl_generator
from locust.env import Environment
from locust.runners import WorkerNode

from chatload import options as settings
from chatload.probe import is_probe


def kinds(people: int, weights: dict[str, float]) -> Counter[str]:
    """How many of each kind Locust's dispatcher makes of so many people: kind → number."""
    # By name, as Locust sorts its classes: ties are broken alike.
    chosen = _kl_generator(sorted(weights.items()))
    return Counter(name for name in islice(chosen, people) if name is not None)


class ChatDispatcher(UsersDispatcher):
    """Locust's dispatcher, with weights from the run's settings, and without probe workers."""

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
        crowd = [node for node in worker_nodes if not is_probe(node.id)]
        super().__init__(crowd, user_classes)

    def add_worker(self, worker_node: WorkerNode) -> None:
        """A worker came (back). One that is already counted, with users, is not counted twice."""
        # It makes its own few people.
        if is_probe(worker_node.id):
            return
        self._worker_nodes = [node for node in self._worker_nodes if node.id != worker_node.id]
        super().add_worker(worker_node)

    def remove_worker(self, worker_node: WorkerNode) -> None:
        """A worker went."""
        # It had no users to give back.
        if not is_probe(worker_node.id):
            super().remove_worker(worker_node)
