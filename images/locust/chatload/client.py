"""One person's connection: a socket, the greenlet that reads it, and what happens when it breaks.

Rules, because two greenlets share a socket: only the reader greenlet receives,
connects and closes; only the sender greenlet (posters have one, see :mod:`chatload.outbox`) and
``ask_history`` send. A second ``recv`` on one socket would block for ever, and a socket that nobody
reads never answers a ping.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import gevent
import websocket
from gevent.event import AsyncResult, Event

from chatload import pages, wire
from chatload.bench import Bench
from chatload.outbox import ACK_TIMEOUT, BACKOFF_FIRST, Outbox
from chatload.reader import ALWAYS, DUPLICATE, NEW, REORDERED, Reader
from chatload.transport import GONE, BufferedSocket, close, close_code, describe, stamp

#: Seconds to wait for the handshake and the welcome.
CONNECT_TIMEOUT = 15.0
#: Longest back-off after failed connections, seconds; the shortest is that of posts.
BACKOFF_LAST = 8.0
#: The same while the run drains.
BACKOFF_DRAINING = 1.0
#: Why a connection was left on purpose.
LEFT, STOPPED, BYE = "left", "stopped", "bye"
#: First letter of the names of probes: whose messages a probing process times.
PROBE = "x"


class ChatClient:
    """A person's presence in the chat, over any number of sockets.

    bench: the load process. name: unique in the run; also the poster's name. topics: those to read.
    rng: this person's random numbers. poster: whether it posts (starts a sender greenlet).
    slow: whether reading pauses may be asked for, so that closing it as too slow is no failure.
    """

    def __init__(
        self,
        bench: Bench,
        name: str,
        topics: Sequence[str],
        rng: random.Random,
        *,
        poster: bool = False,
        slow: bool = False,
    ) -> None:
        self.bench = bench
        self.name = name
        self.topics = list(topics)
        #: Pod that serves the current connection; "" while there is none.
        self.server = ""
        #: Set while a welcome has been received on the current connection.
        self.connected = Event()
        self._rng = rng
        self._slow = slow
        #: This person's account in the ledger, from the first welcome on.
        self.account: Reader | None = None
        #: Where to resume; None before the first welcome.
        self._cursor: str | None = None
        #: Messages sent before this instant (µs) come by resume.
        self._resumed_before = 0
        #: Whether the present absence is of this person's own choosing.
        self._on_purpose = False
        #: Instant, µs, at which the present connection attempt began.
        self._began = 0
        self._socket: Any = None
        self._base: str | None = None
        #: Why the reader greenlet should drop the connection; "" to stay.
        self._leave = ""
        #: Set while this person wants to be connected.
        self._wanted = Event()
        #: Seconds the reader greenlet is to pause before it reads on.
        self._pause = 0.0
        #: What this person posts; only posters have a sender greenlet.
        self.outbox = Outbox(self, rng)
        #: ref → the history request that waits for it.
        self._histories: dict[str, AsyncResult[wire.History | None]] = {}
        self._greenlets: list[gevent.Greenlet[..., Any]] = []
        self._is_poster = poster

    # -- what the user's greenlet calls ---------------------------------------------------------

    def start(self) -> None:
        """Connect and stay connected, in the background."""
        self._wanted.set()
        self._greenlets.append(gevent.spawn(self._read_forever))
        # Readers need no sender greenlet.
        if self._is_poster:
            self._greenlets.append(gevent.spawn(self.outbox.run))

    def stop(self) -> None:
        """Leave for good. Its account is closed: owed up to what it got past, no further."""
        # Who never had a welcome has no account.
        if self.account is not None:
            self.account.attached = False
        self._leave = STOPPED
        self.connected.clear()
        gevent.killall(self._greenlets, block=False)
        self._close(abrupt=False)

    def go_away(self) -> None:
        """Disconnect on purpose, half of the times without a word; until :meth:`come_back`."""
        self._wanted.clear()
        self._leave = LEFT
        self._close(abrupt=self._rng.random() < 0.5)

    def come_back(self) -> None:
        """Connect again and resume."""
        self._wanted.set()

    def pause(self, seconds: float) -> None:
        """Stop reading for a while, as a phone in a tunnel does; the server may close us."""
        self._pause = seconds

    def offer(self, topic: str, intended: int) -> bool:
        """A post is due: at ``intended`` (µs), in ``topic``. False when the outbox is full."""
        return self.outbox.offer(topic, intended)

    def send(self, frame: str) -> None:
        """Put a frame on the present socket; raises one of GONE, or AttributeError without one."""
        self._socket.send(frame)

    def ask_history(self, topic: str, before: str | None, limit: int) -> wire.History | None:
        """Read back a page over the socket; None when the connection broke first."""
        # Nobody to ask.
        if not self.connected.is_set():
            return None
        ref = f"{self.name}-{len(self._histories)}"
        waiting: AsyncResult[wire.History | None] = AsyncResult()
        self._histories[ref] = waiting
        began = self.bench.now()
        # The answer comes to the reader greenlet, which wakes this one.
        try:
            self._socket.send(wire.history(ref, topic, before, limit))
            page: wire.History | None = waiting.get(timeout=ACK_TIMEOUT)
        except gevent.Timeout:
            self.bench.failure("history", "no answer")
            return None
        except (*GONE, AttributeError):
            return None  # the reader greenlet sees the same and counts it
        finally:
            self._histories.pop(ref, None)
        # Refused, or the connection broke: counted there.
        if page is None:
            return None
        self.bench.record("history", self.bench.now() - began)
        # Out of order, of another topic, too long: each is a failure of its own.
        for text in pages.faults(page.messages, topic, before, limit):
            self.bench.failure("history", text)
        return page

    # -- the reader greenlet --------------------------------------------------------------------

    def _read_forever(self) -> None:
        """Connect, read until the connection ends, and again; until :meth:`stop`."""
        failures = 0
        # One connection after the other.
        while True:
            self._wanted.wait()
            # However a connection ends, the next one follows.
            try:
                ended = self._one_connection()
                failures = 0
            except GONE as error:
                ended = self._leave or describe(error)
                # Broken before the welcome: nothing was lost, but a person was turned away;
                # unless that person left in the middle of it.
                if not self._leave:
                    self.bench.failure("connect", ended)
                    failures += 1
            except Exception as error:
                # A dead reader would be silent: the user would look like a quiet one.
                self.bench.failure("reader", f"reader died: {error!r}")
                failures += 1
                ended = "died"
            self._disconnected()
            # For good.
            if self._leave == STOPPED:
                return
            # On purpose, or the server is about to go: no back-off.
            if ended in (LEFT, BYE):
                continue
            # At the end everybody hurries: the run waits for them.
            last = BACKOFF_DRAINING if self.bench.draining else BACKOFF_LAST
            pause = min(last, BACKOFF_FIRST * 2**failures)
            gevent.sleep(pause * (0.5 + self._rng.random() / 2))

    def _one_connection(self) -> str:
        """Connect, say hello, read until the end. Returns why it ended. Raises one of GONE when it
        ended before the welcome."""
        old = self._socket
        self._leave = ""
        self._began = self.bench.now()
        self._base = self.bench.target(self._rng, self._base)
        parts = urlsplit(self._base)
        scheme = "wss" if parts.scheme == "https" else "ws"
        made: Any = websocket.create_connection(
            f"{scheme}://{parts.netloc}/ws",
            timeout=CONNECT_TIMEOUT,
            class_=BufferedSocket,
            enable_multithread=True,
            skip_utf8_validation=True,
            subprotocols=[wire.SUBPROTOCOL],
            http_no_proxy=["*"],
        )
        # A probe's times end when the kernel has what came.
        if self.bench.probing:
            stamp(made)
        self._socket = made
        resuming = self._cursor is not None
        made.send(wire.hello(self.topics, self._cursor, self.bench.options.history_limit))
        welcome = self._welcome(made)
        close(old, abrupt=False)  # after a `bye` the old one is closed only now
        made.settimeout(None)  # else the connect timeout stays on as the receive timeout
        now = self.bench.arrival(made.ago())
        self.bench.record("resume" if resuming else "connect", now - self._began)
        self.server = welcome.server
        self._welcomed(welcome, resuming, now)
        self._base = None  # any target will do for the next connection
        self.connected.set()
        return self._read_until_end(made)

    def _welcome(self, made: Any) -> wire.Welcome:
        """Wait for the welcome, which comes first; others that come with it are handled too."""
        # Other frames may come in the same read.
        while True:
            opcode, data = made.recv_data()
            # Turned away.
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                raise websocket.WebSocketException(f"closed {close_code(data)} before welcome")
            frame = wire.decode(data)
            # Here it is.
            if isinstance(frame, wire.Welcome):
                return frame
            # Turned away, with a reason.
            if isinstance(frame, wire.ErrorFrame):
                raise websocket.WebSocketException(f"hello refused: {frame.code}")

    def _welcomed(self, welcome: wire.Welcome, resuming: bool, now: int) -> None:
        """Take the position that the server confirmed."""
        # The first welcome: from here on it is owed.
        if self.account is None:
            self.account = self.bench.ledger.reader(self.name)
        # Honoured: what was missed comes with it. Else it begins anew, as at first.
        if resuming and welcome.recovered:
            self._resumed_before = self._began
            self._deliver(welcome.messages, now, ALWAYS)
        else:
            # The server could not honour the cursor: what lies between is a gap.
            if resuming:
                self.bench.failure("resume", "cursor not honoured")
            at = self.bench.latest()
            self.account.welcome(self.topics, welcome.messages, more=welcome.more, at=at)
        self._cursor = welcome.cursor
        self.account.position(confirmed=True)

    def _read_until_end(self, made: Any) -> str:
        """Read frames until the connection ends. Returns LEFT, BYE or what happened."""
        while True:
            # Nobody dozes through the end: what a sleeper has not read yet would look lost.
            while self._pause > 0 and not self.bench.draining:
                step = min(0.2, self._pause)
                self._pause -= step
                gevent.sleep(step)
            # The connection may end in any read.
            try:
                opcode, data = made.recv_data()
                # The server closes, with a code.
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    return self._closed(close_code(data))
                frame = self.bench.decode(data)
            except wire.WireError as error:
                self.bench.failure("frame", f"bad frame: {error}")
                continue
            except GONE as error:
                return self._closed(None, describe(error))
            # The server goes: connect elsewhere, then close this one.
            if isinstance(frame, wire.Bye):
                self.bench.count("byes")
                self._on_purpose = False
                return BYE
            self._handle(frame, self.bench.arrival(made.ago()))

    def _closed(self, code: int | None, text: str = "") -> str:
        """The connection ended. Says why, and counts it as a failure unless it was wanted."""
        # It was we who left.
        if self._leave:
            return self._leave
        self._on_purpose = False
        # A slow reader may be closed.
        if code == wire.CLOSE_TOO_SLOW and self._slow:
            self.bench.count("closed_too_slow")
            self._on_purpose = True
            return LEFT
        text = f"closed {code}" if code is not None else text or "connection lost"
        self.bench.failure("connection", text)
        # The contract says: do not come back.
        if code in wire.CLOSE_FINAL:
            self._wanted.clear()
        return text

    def _disconnected(self) -> None:
        """Wake whoever waits for an answer that will not come on this connection."""
        self.connected.clear()
        self.server = ""
        # What is missed meanwhile counts from the return.
        if self._leave == LEFT:
            self._on_purpose = True
        self.outbox.disconnected()
        # Whoever asked for history is woken.
        for waiting in list(self._histories.values()):
            waiting.set(None)

    def _handle(self, frame: wire.Frame, at: int) -> None:
        """One frame of a welcomed connection, which came at ``at`` (µs)."""
        # By kind, the frequent ones first.
        if isinstance(frame, wire.Messages):
            assert self.account is not None
            self._deliver(frame.messages, at, self._resumed_before)
            self.account.position(confirmed=frame.cursor is not None, messages=frame.messages)
            # A frame without a cursor leaves the position as it was.
            if frame.cursor is not None:
                self._cursor = frame.cursor
        elif isinstance(frame, wire.Ack):
            self.outbox.answered(frame, at)
        elif isinstance(frame, wire.ErrorFrame):
            # It is about a post, about a request for history, or about neither.
            if self.outbox.answered(frame, at):
                pass
            elif frame.ref is not None and frame.ref in self._histories:
                self.bench.failure("history", f"error {frame.code}")
                self._histories[frame.ref].set(None)
            else:
                self.bench.failure("frame", f"error {frame.code}")
        elif isinstance(frame, wire.History):
            # An answer that nobody waits for any more is dropped.
            if frame.ref in self._histories:
                self._histories[frame.ref].set(frame)
        elif isinstance(frame, wire.Presence) and frame.cursor is not None:
            assert self.account is not None
            self._cursor = frame.cursor
            self.account.position(confirmed=True)

    def _deliver(self, messages: Sequence[wire.Message], now: int, resumed_before: int) -> None:
        """Messages were shown at ``now``; those sent before ``resumed_before`` by a resume."""
        bench, account = self.bench, self.account
        assert account is not None
        # The ledger first; then its time, where it is one to be taken.
        for message in messages:
            outcome, mark = account.deliver(message, resumed_before=resumed_before)
            # Not of this run, or damaged: the ledger counted it.
            if mark is None:
                continue
            # Repeats are no deliveries.
            if outcome is NEW or outcome is REORDERED:
                bench.count("deliveries")
                sent = mark.intended + mark.lag
                if mark.poster == self.name:
                    # One's own message: measured by one clock, so it needs no offset.
                    bench.record("echo", now - sent)
                elif bench.probing and not mark.poster.startswith(PROBE):
                    # The crowd's posts leave when its busy process gets to it: not to be timed.
                    bench.untimed()
                elif self._on_purpose and sent < self._resumed_before:
                    # Missed by choice: what counts is how fast it came once we were back.
                    bench.record("catch_up", now - self._resumed_before)
                elif self._slow:
                    # Its dozing is its own: what others feel must not hide behind it.
                    bench.record("deliver_slow", now - mark.intended)
                else:
                    bench.record("deliver", now - mark.intended)
            # A broken promise: seen at once in Locust's table, too.
            if outcome is REORDERED or outcome is DUPLICATE:
                bench.failure("deliver", outcome)

    def _close(self, *, abrupt: bool) -> None:
        """Close the socket; the reader greenlet then sees the end."""
        close(self._socket, abrupt=abrupt)
