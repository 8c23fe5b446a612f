"""The open model: when a process's posts are handed to its posters."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from chatload import posting as module
from chatload.posting import Posting


class Bench:
    """As much of a worker as posting needs."""

    draining = ramping = stamping = closed = False

    def __init__(self) -> None:
        self.vitals = SimpleNamespace(post_left=lambda late, ramping: None)
        self.arrivals = 0

    def record(self, row: str, value: int) -> None:
        pass

    def now(self) -> int:
        return 0

    def count(self, name: str) -> None:
        self.arrivals += name == "arrivals"


def test_a_new_rate_is_noticed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was noticed a fifth of a second late, and the posts of that time were so late."""
    monkeypatch.setattr(module, "LOOK_EVERY", 3600.0)
    bench: Any = Bench()
    posting = Posting(bench, "seed")
    running = gevent.spawn(posting.run)
    gevent.sleep(0.05)
    posting.set_rate(1e-6)
    gevent.sleep(0.05)
    assert bench.arrivals == 0, "at one post in eleven days"
    posting.set_rate(100.0)
    try:
        with gevent.Timeout(30):
            while bench.arrivals < 10:
                gevent.sleep(0.01)
    finally:
        running.kill()
