"""How a worker knows that its master lives, and comes back to one.

It asks for the time every other second. When no answer comes for long, or the answer says that
another run is on, the load that nobody leads must stop (:meth:`chatload.worker.Worker.stop_load`),
and the worker asks to be taken in again until a master does so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent
from locust import __version__ as locust_version
from locust.rpc.protocol import Message
from locust.runners import WorkerRunner

from chatload.clock import Offset, boot_id, now_us

#: Seconds between two questions to the master, and without an answer until the load stops.
ASK_EVERY, ORPHANED = 2.0, 7.0
#: Questions that follow one another quickly, for a first estimate of the clocks' offset.
AT_FIRST = 10
#: Seconds between two requests to be taken in: what is sent to no master waits for the next one.
REQUEST_EVERY = 10.0


class Heartbeat:
    """Asks the master for the time, and notices its silence.

    runner: Locust's. offset: between the clocks; each answer improves it. stop_load: called with
    the reason, again and again, while nobody leads.
    """

    def __init__(self, runner: Any, offset: Offset, stop_load: Callable[[str], None]) -> None:
        self._runner, self._offset, self._stop_load = runner, offset, stop_load
        #: When the master last answered, monotonic seconds.
        self._heard = time.monotonic()
        #: When this worker last asked to be taken in, monotonic seconds.
        self._requested = 0.0

    def heard(self) -> None:
        """The master gave a sign of life."""
        self._heard = time.monotonic()

    def answer(self, data: dict[str, Any]) -> None:
        """The master told the time. data: that of ``chat_pong``."""
        self.heard()
        # One kernel, one clock: no offset to estimate.
        if data["boot"] and data["boot"] == boot_id():
            self._offset.same_kernel()
        self._offset.exchange(int(data["asked"]), int(data["clock"]), now_us())

    def beat(self) -> None:
        """Ask, often at first, for as long as the process lives. Runs in a greenlet of its own."""
        number = 0
        # Ends with the process.
        while True:
            self._runner.send_message("chat_ping", {"asked": now_us()})
            before, pause = time.monotonic(), 0.1 if number < AT_FIRST else ASK_EVERY
            gevent.sleep(pause)
            number += 1
            # Silence while we stood still is not the master's: ask once more.
            if time.monotonic() - before > pause + 1:
                self.heard()
            # Long silence: load without a master must not go on.
            if time.monotonic() - self._heard > ORPHANED:
                self.orphaned("its master does not answer")

    def orphaned(self, why: str) -> None:
        """Nobody leads this load any more: have it stopped, and ask to be taken in again."""
        # A single process is its own master.
        if not isinstance(self._runner, WorkerRunner):
            return
        self._stop_load(why)
        # Locust's worker would end itself after a minute without a heartbeat.
        self._runner.last_heartbeat_timestamp = None
        # Each request stays in the queue until a master reads it: few will do.
        if time.monotonic() - self._requested < REQUEST_EVERY:
            return
        self._requested = time.monotonic()
        # A master that knows this worker forgets it first; another one only greets it.
        for name, data in (("client_stopped", None), ("client_ready", locust_version)):
            self._runner.client.send(Message(name, data, self._runner.client_id))
