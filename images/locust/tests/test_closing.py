"""The end of a run at the master."""

from __future__ import annotations

import gevent
import pytest

from chatload.closing import aside


def test_long_work_leaves_the_process_answering() -> None:
    """A canon of a million messages took the master for longer than its workers wait for it."""
    ticks, done = 0, False

    def burn() -> int:
        """Works until the loop has turned: without a thread it never would."""
        number = 0
        while ticks < 20 and number < 50_000_000:
            number += 1
        return number

    def tick() -> None:
        """The process's other duties."""
        nonlocal ticks
        while not done:
            gevent.sleep(0.001)
            ticks += 1

    other = gevent.spawn(tick)
    spent = aside(burn)
    done = True
    other.join()
    assert ticks >= 20 and spent < 50_000_000


def test_what_fails_aside_fails_here() -> None:
    def broken() -> None:
        """Fails."""
        raise ValueError("no canon")

    with pytest.raises(ValueError, match="no canon"):
        aside(broken)
