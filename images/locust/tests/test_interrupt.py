"""Ctrl-C ends the run, and nobody who reads just then."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

#: A reader that is busy nearly always, and a main greenlet that waits, as Locust's does.
PROGRAM = """
from gevent import monkey
monkey.patch_all()
import sys, time
import gevent
from chatload.setup import hand_interrupts_to_main

if sys.argv[1] == "handed":
    hand_interrupts_to_main()

def read():
    print("reading", flush=True)
    while True:
        end = time.monotonic() + 0.05
        while time.monotonic() < end:
            pass
        gevent.sleep(0)

reader = gevent.spawn(read)
try:
    gevent.event.Event().wait(30)
except KeyboardInterrupt:
    gevent.sleep(0.1)
    print("dead" if reader.dead else "alive", flush=True)
"""


@pytest.mark.parametrize(("how", "reader"), [("handed", "alive"), ("plain", "dead")])
def test_an_interrupt_ends_no_reader(how: str, reader: str) -> None:
    """How Python does it by itself is the second case: this test can fail."""
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "reading\n"
    child.send_signal(signal.SIGINT)
    assert child.stdout.readline() == f"{reader}\n"
    assert child.wait(10) == 0
