"""websocket-client as this package uses it: a cheaper socket, and words for how it fails."""

from __future__ import annotations

import socket
import struct
import sys
import time
from typing import Any

import websocket

from chatload.clock import now_us

#: Most bytes asked of the system at a time.
READ_AT_ONCE = 16_384
#: Socket option by which Linux stamps what comes in, and the type of the stamp (socket(7)); Python
#: has no name for it.
SO_TIMESTAMPNS = 35
#: A stamp: seconds and nanoseconds of the wall clock.
_STAMP = struct.Struct("@qq")
#: Errors that mean: this connection is gone.
GONE = (OSError, websocket.WebSocketException, ValueError)


class BufferedSocket(websocket.WebSocket):
    """websocket-client's socket, reading as much as there is at a time.

    The original asks the system two to four times for each frame (header, length, payload); a busy
    reader spends most of its CPU there. Reader greenlet only, as everything that receives.
    """

    #: What was read and not yet taken, and how much of it was taken.
    _ahead: bytes = b""
    _taken: int = 0

    def ago(self) -> int | None:
        """How long ago, µs, the kernel had what was read last; None where it does not say."""
        return self.sock.ago() if isinstance(self.sock, Stamped) else None

    def _recv(self, bufsize: int) -> bytes:
        """At least one and at most ``bufsize`` bytes."""
        if self._taken == len(self._ahead):
            ahead: bytes = super()._recv(READ_AT_ONCE)  # type: ignore[no-untyped-call]
            self._ahead, self._taken = ahead, 0
        piece = self._ahead[self._taken : self._taken + bufsize]
        self._taken += len(piece)
        return piece


class Stamped:
    """A connected TCP socket that knows when the kernel had what was read last: the time until this
    process gets to it is not the chat's. Everything else is the socket's own."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        #: That instant, by :func:`chatload.clock.now_us`; 0 where the kernel did not say.
        self._at = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, bufsize: int) -> bytes:
        """As a socket's. The stamp of a read is that of its last packet: what came before it is
        taken for later than it was, never for earlier."""
        data, controls, _, _ = self._sock.recvmsg(bufsize, socket.CMSG_SPACE(_STAMP.size))
        self._at = 0
        for level, kind, body in controls:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, rest = _STAMP.unpack_from(body)
                # The stamp is by the wall clock, which is read once more to get its age.
                age = time.time_ns() - (seconds * 1_000_000_000 + rest)
                self._at = now_us() - max(0, age) // 1000
        return data

    def ago(self) -> int | None:
        """How long ago, µs, the kernel had what was read last; None where it does not say."""
        return max(0, now_us() - self._at) if self._at else None


def stamp(made: Any) -> None:
    """Have the kernel stamp what comes in on a connected websocket, where it can: on Linux, without
    TLS."""
    if sys.platform != "linux" or type(made.sock) is not socket.socket:
        return
    try:
        made.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError:
        return
    made.sock = Stamped(made.sock)


def close(made: Any, *, abrupt: bool) -> None:
    """Close a socket if there is one: with a close frame, or (``abrupt``) without a word."""
    if made is None or made.sock is None:
        return
    try:
        if not abrupt:
            made.send_close(1000)
        made.sock.shutdown(socket.SHUT_RDWR)
        made.sock.close()
    except GONE:
        pass


def close_code(data: bytes) -> int:
    """The code of a close frame; 1005 when it has none (RFC 6455, 7.1.5)."""
    return int.from_bytes(data[:2], "big") if len(data) >= 2 else 1005


def describe(error: BaseException) -> str:
    """A short text that is the same for the same kind of failure: no addresses, no numbers."""
    if isinstance(error, websocket.WebSocketBadStatusException):
        return f"refused with status {error.status_code}"
    if isinstance(error, (websocket.WebSocketTimeoutException, TimeoutError)):
        return "timeout"
    if isinstance(error, websocket.WebSocketConnectionClosedException):
        return "connection lost"
    if isinstance(error, OSError) and error.errno is not None:
        return error.strerror or type(error).__name__
    return f"{type(error).__name__}: {error}"[:120]
