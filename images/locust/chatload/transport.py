"""websocket-client as this package uses it: a cheaper socket, and words for how it fails."""

from __future__ import annotations

import socket
from typing import Any

import websocket

#: Most bytes asked of the system at a time.
READ_AT_ONCE = 16_384
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

    def _recv(self, bufsize: int) -> bytes:
        """At least one and at most ``bufsize`` bytes."""
        if self._taken == len(self._ahead):
            ahead: bytes = super()._recv(READ_AT_ONCE)  # type: ignore[no-untyped-call]
            self._ahead, self._taken = ahead, 0
        piece = self._ahead[self._taken : self._taken + bufsize]
        self._taken += len(piece)
        return piece


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
