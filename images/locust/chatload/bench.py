"""What a client needs of its load process: the interface between people and worker."""

from __future__ import annotations

import random
from typing import Protocol

from chatload.ledger import Ledger
from chatload.options import Options
from chatload.wire import Decoder


class Bench(Protocol):
    """A load process, as its clients see it (:class:`chatload.worker.Worker` is one)."""

    ledger: Ledger
    options: Options
    #: Shared by all sockets, so that each different frame is decoded once.
    decode: Decoder

    @property
    def draining(self) -> bool:
        """Whether the load is over and everybody is to be heard out."""

    @property
    def closed(self) -> bool:
        """Whether the books are closed: what is not yet sent is never sent."""

    @property
    def probing(self) -> bool:
        """Whether this process measures for the run: it times the probes' messages only."""

    def now(self) -> int:
        """The lab's clock, µs."""

    def arrival(self, ago: int | None) -> int:
        """The lab's clock, µs, when a frame came of which the kernel says that it had it ``ago``
        µs ago (None: it does not say): for a probe that instant, else now."""

    def own_lag(self, late: int) -> None:
        """A post left ``late`` µs after it could have."""

    def latest(self) -> int:
        """The lab's clock, µs, with its greatest error added: surely not before now."""

    def record(self, row: str, value: int) -> None:
        """A time of ``value`` µs in a row."""

    def count(self, name: str, number: int = 1) -> None:
        """Raise a counter of the current second."""

    def untimed(self) -> None:
        """A delivery that counts, but whose time is not taken."""

    def failure(self, row: str, text: str) -> None:
        """Something failed; ``text`` groups equal failures."""

    def in_flight(self, change: int) -> None:
        """So many more posts (or fewer) are due and not answered."""

    def target(self, rng: random.Random, failed: str | None = None) -> str:
        """A base URL to connect to, another than ``failed`` where there is one."""
