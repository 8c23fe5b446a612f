"""One person's socket with an account, a filter, or neither: what it hears goes to a callback.

Simpler than :mod:`chatload.client`: it measures nothing. The same rule holds: the reader greenlet
alone receives, connects and closes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import gevent
import websocket
from gevent.event import AsyncResult, Event
from gevent.lock import BoundedSemaphore

from chatload import wire
from chatload.accounts import Account
from chatload.bench import Bench
from chatload.transport import GONE, BufferedSocket, close

#: Seconds for the handshake and the welcome, for an answer, and between two connections.
CONNECT_TIMEOUT, ANSWER_TIMEOUT, PAUSE = 10.0, 10.0, 0.5
#: Tries of one post.
TRIES = 8

_DUMPS = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Participant:
    """Somebody with a socket.

    bench: the load process. name: unique in the run. topics: those to read. account: None for a
    guest. filter: what to read of them. hear: gets each frame of a welcomed connection, the
    welcome included, and when it came (µs). wanted: tells from the bytes whether to decode a frame
    at all; answers to one's own posts must pass.
    """

    def __init__(
        self,
        bench: Bench,
        name: str,
        topics: Sequence[str],
        account: Account | None,
        rng: random.Random,
        hear: Callable[[dict[str, Any], int], None],
        *,
        filter: str = "",
        wanted: Callable[[bytes], bool] = lambda _: True,
    ) -> None:
        self.bench, self.name, self.account, self.rng = bench, name, account, rng
        self._hear, self._wanted = hear, wanted
        self._hello: dict[str, Any] = {"type": "hello", "topics": list(topics), "limit": 0}
        if account is not None:
            self._hello["token"] = account.token
        if filter:
            self._hello["filter"] = filter
        #: Set while welcomed; when that first was (µs); whether a cursor was not honoured.
        self.connected = Event()
        self.since: int | None = None
        self.gap = False
        self._cursor = ""
        self._socket: Any = None
        self._answers: dict[str, AsyncResult[dict[str, Any] | None]] = {}
        #: One act at a time, as a person does.
        self.turn = BoundedSemaphore(1)
        self._made = 0
        self._greenlet: gevent.Greenlet[..., Any] | None = None

    def start(self) -> None:
        """Connect and stay connected, in the background."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Leave for good."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
        close(self._socket, abrupt=False)

    def key(self) -> str:
        """A key for the next post: names it in all books."""
        self._made += 1
        return f"{self.bench.ledger.run}:{self.name}:{self._made}"

    def post(self, key: str, topic: str, content: str, **more: Any) -> dict[str, Any] | None:
        """Post, with the same key until there is an answer that is final: the ``ack`` or ``error``;
        None when there was none. An ephemeral one is sent once: sent again, it is another."""
        frame = {"type": "post", "key": key, "topic": topic, "content": content, **more}
        if self.account is None:
            frame |= {"name": f"Load {self.name}", "email": f"{self.name}@load.example"}
        for _ in range(1 if more.get("ephemeral") else TRIES):
            answer = self._ask(key, frame)
            if answer is not None and answer.get("code") not in wire.RETRYABLE:
                return answer
            gevent.sleep(PAUSE * (0.5 + self.rng.random()))
            if self.bench.closed:
                break
        return None

    def _ask(self, key: str, frame: dict[str, Any]) -> dict[str, Any] | None:
        """Send a frame once and wait for the answer with its key."""
        waiting: AsyncResult[dict[str, Any] | None] = AsyncResult()
        self._answers[key] = waiting
        try:
            if not self.connected.wait(ANSWER_TIMEOUT):
                return None
            self._socket.send(_DUMPS(frame))
            answer: dict[str, Any] | None = waiting.get(timeout=ANSWER_TIMEOUT)
            return answer
        except gevent.Timeout:
            return None
        except (*GONE, AttributeError):
            return None  # the reader greenlet sees the same end
        finally:
            self._answers.pop(key, None)

    def _run(self) -> None:
        """Connect, read until the end, and again."""
        while True:
            try:
                self._one_connection()
            except (*GONE, gevent.Timeout):
                pass
            self.connected.clear()
            for waiting in list(self._answers.values()):
                waiting.set(None)
            close(self._socket, abrupt=True)
            gevent.sleep(PAUSE * (0.5 + self.rng.random()))

    def _one_connection(self) -> None:
        """One connection from its handshake to its end, which raises one of GONE, or returns."""
        parts = urlsplit(self.bench.target(self.rng))
        scheme = "wss" if parts.scheme == "https" else "ws"
        self._socket = made = websocket.create_connection(
            f"{scheme}://{parts.netloc}/ws",
            timeout=CONNECT_TIMEOUT,
            class_=BufferedSocket,
            enable_multithread=True,
            skip_utf8_validation=True,
            subprotocols=[wire.SUBPROTOCOL],
            http_no_proxy=["*"],
        )
        hello = {**self._hello, "cursor": self._cursor} if self._cursor else self._hello
        made.send(_DUMPS(hello))
        while True:
            opcode, data = made.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return
            now = self.bench.now()
            if self.connected.is_set() and not self._wanted(data):
                continue
            frame = json.loads(data)
            kind = frame.get("type")
            if kind == "welcome":
                made.settimeout(None)
                self.gap |= bool(self._cursor) and not frame["recovered"]
                self.since = now if self.since is None else self.since
                self.connected.set()
            elif not self.connected.is_set():
                if kind == "error":
                    return  # refused for now: a room that is not there for this one, say
                continue
            if frame.get("cursor"):
                self._cursor = frame["cursor"]
            if kind == "bye":
                return
            if kind in ("ack", "error") and frame.get("key") in self._answers:
                self._answers[frame["key"]].set(frame)
            self._hear(frame, now)
