"""Stamped sockets: an arrival is when the kernel had it, and not when this process got to it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
import websocket
from gevent import socket

from chatload.clock import now_us
from chatload.transport import BufferedSocket, stamp

#: How long a frame lies in the kernel, µs.
LAY = 200_000


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """A websocket and the socket at its other end. As in a load process, sockets are gevent's."""
    monkeypatch.setattr("chatload.transport.socket.socket", socket.socket)
    listener = socket.create_server(("127.0.0.1", 0))
    made: Any = BufferedSocket()
    made.sock = socket.create_connection(listener.getsockname())
    made.connected = True
    other, _ = listener.accept()
    ends = (made.sock, other, listener)
    yield made, other
    for one in ends:
        one.close()


def frame(text: bytes) -> bytes:
    """A text frame as a server sends it."""
    return bytes([0x81, len(text)]) + text


def warm(made: Any, other: Any) -> None:
    """The kernel begins to stamp a moment after it is asked to."""
    for _ in range(500):
        other.sendall(frame(b"early"))
        made.recv_data()
        if made.ago() is not None:
            return
        time.sleep(0.01)
    pytest.fail("the kernel stamps nothing")


def test_what_lay_in_the_kernel_came_when_it_came(pair: tuple[Any, Any]) -> None:
    made, other = pair
    assert made.ago() is None
    stamp(made)
    assert made.ago() is None  # nothing was read yet
    warm(made, other)
    before = now_us()
    other.sendall(frame(b"one") + frame(b"two"))
    time.sleep(LAY / 1e6)
    assert made.recv_data() == (websocket.ABNF.OPCODE_TEXT, b"one")
    first = now_us() - made.ago()
    assert before - 1000 <= first <= now_us() - LAY
    # What came in the same read came then, too.
    assert made.recv_data()[1] == b"two"
    assert abs(now_us() - made.ago() - first) < LAY / 2
    # What comes while somebody waits for it.
    gevent.spawn_later(0.05, other.sendall, frame(b"three"))
    assert made.recv_data()[1] == b"three" and made.ago() < LAY


def test_an_end_and_a_timeout_are_those_of_a_socket(pair: tuple[Any, Any]) -> None:
    made, other = pair
    stamp(made)
    made.settimeout(0.02)
    with pytest.raises(websocket.WebSocketTimeoutException):
        made.recv_data()
    other.close()
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        made.recv_data()


def test_what_the_kernel_does_not_stamp_has_no_instant() -> None:
    """TLS, or another system: the lateness of the process then counts as before."""
    made: Any = BufferedSocket()
    made.sock = SimpleNamespace()
    stamp(made)
    assert made.ago() is None
