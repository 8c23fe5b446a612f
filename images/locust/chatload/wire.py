"""Frames of the chat's WebSocket (wire contract, version 1): encode what a client says, decode
what a server says.

Pure: no sockets, no clock. ``tests/test_wire.py`` checks this module against the golden frames of
the Go service, so the two cannot drift apart. Unknown fields are ignored and unknown frame types
become :class:`Other`, because the contract welcomes additions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

#: Subprotocol a client offers in ``GET /ws``.
SUBPROTOCOL = "chat.v1"
#: Error codes worth a retry with the same key.
RETRYABLE = frozenset({"rate_limited", "unavailable", "internal"})
#: Close code of a server that found this reader too slow: reconnect and resume.
CLOSE_TOO_SLOW = 4001
#: Close codes after which a client must not come back.
CLOSE_FINAL = frozenset({1008, 4002})

#: One C call that fetches a message's seven fields: decoding is most of a worker's cost.
_MESSAGE_FIELDS = itemgetter("id", "key", "topic", "name", "email", "time", "content")
# Compact separators: the frame a browser would send, without blanks.
_DUMPS = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class WireError(ValueError):
    """A frame that the contract does not allow. The text says what is wrong with it."""


class Message(NamedTuple):
    """One chat message as the server delivers it. All fields are strings, never empty but ``key``
    may be of any poster. Ids of one topic compare bytewise in delivery order."""

    id: str
    key: str
    topic: str
    name: str
    email: str
    time: str
    content: str


@dataclass(slots=True, frozen=True)
class Welcome:
    """Answer to ``hello`` and ``subscribe``. ``recovered``: the cursor was honoured and nothing
    since it was missed. ``messages``: what was missed, or else the latest. ``more``: older history
    exists."""

    server: str
    cursor: str
    recovered: bool
    messages: list[Message]
    more: bool


@dataclass(slots=True, frozen=True)
class Messages:
    """Live messages in order, one or more; ``cursor`` is the position after them, if given."""

    messages: list[Message]
    cursor: str | None


@dataclass(slots=True, frozen=True)
class Ack:
    """The post with this key is durably in the log under this id."""

    key: str
    id: str
    time: str


@dataclass(slots=True, frozen=True)
class VoteAck:
    """The vote with this key is counted on the message with this id."""

    key: str
    id: str


@dataclass(slots=True, frozen=True)
class EphemeralAck:
    """The ephemeral message with this key was sent at this time. It has no id."""

    key: str
    time: str


@dataclass(slots=True, frozen=True)
class History:
    """Answer to ``history``: the messages before the one asked for, oldest first."""

    ref: str
    messages: list[Message]
    more: bool


@dataclass(slots=True, frozen=True)
class Presence:
    """People connected now, over all pods; ``cursor`` keeps idle sessions fresh."""

    online: int
    cursor: str | None


@dataclass(slots=True, frozen=True)
class ErrorFrame:
    """The server refused something: a post (``key``), a history request (``ref``) or a frame."""

    code: str
    message: str
    key: str | None
    ref: str | None
    retry_after_ms: int | None

    @property
    def retryable(self) -> bool:
        """Whether the same post may be tried again with the same key."""
        return self.code in RETRYABLE


@dataclass(slots=True, frozen=True)
class Bye:
    """The server is leaving; resume elsewhere within ``reconnect_in_ms`` milliseconds."""

    reason: str
    reconnect_in_ms: int


@dataclass(slots=True, frozen=True)
class Other:
    """A frame of a type this client does not know: to be ignored."""

    type: str


Frame = (
    Welcome
    | Messages
    | Ack
    | VoteAck
    | EphemeralAck
    | History
    | Presence
    | ErrorFrame
    | Bye
    | Other
)


def hello(
    topics: Sequence[str] | None = None, cursor: str | None = None, limit: int | None = None
) -> str:
    """The first frame of a connection. ``topics`` None means every public topic."""
    body: dict[str, Any] = {"type": "hello"}
    if topics is not None:
        body["topics"] = list(topics)
    if cursor is not None:
        body["cursor"] = cursor
    if limit is not None:
        body["limit"] = limit
    return _DUMPS(body)


def subscribe(topics: Sequence[str]) -> str:
    """Replace the set of topics; answered by a fresh welcome."""
    return _DUMPS({"type": "subscribe", "topics": list(topics)})


def post(key: str, topic: str, name: str, email: str, content: str) -> str:
    """Post a message; answered by exactly one ``ack`` or ``error`` with this key."""
    return _DUMPS(
        {
            "type": "post",
            "key": key,
            "topic": topic,
            "name": name,
            "email": email,
            "content": content,
        }
    )


def history(ref: str, topic: str | None = None, before: str | None = None, limit: int = 50) -> str:
    """Ask for the ``limit`` (1–200) messages before the id ``before``, or for the latest."""
    body: dict[str, Any] = {"type": "history", "ref": ref, "limit": limit}
    if topic is not None:
        body["topic"] = topic
    if before is not None:
        body["before"] = before
    return _DUMPS(body)


def decode(raw: str | bytes) -> Frame:
    """One server frame from its text. Raises :class:`WireError` for what the contract forbids."""
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise WireError(f"not JSON: {error}") from error
    return parse(body)


class Decoder:
    """Decodes frames, each different one once: the readers of a topic are sent the same bytes, and
    decoding JSON is most of what a delivery costs a Python process. Every byte of every frame is
    still received and compared. Frames are not to be changed by whoever gets them."""

    #: Frames remembered; then all are forgotten.
    LIMIT = 512

    def __init__(self) -> None:
        self._frames: dict[bytes, Frame] = {}

    def __call__(self, raw: bytes) -> Frame:
        """One server frame from its text. Raises :class:`WireError`."""
        found = self._frames.get(raw)
        if found is None:
            found = decode(raw)
            if isinstance(found, Messages):
                if len(self._frames) >= self.LIMIT:
                    self._frames.clear()
                self._frames[raw] = found
        return found


def parse(body: object) -> Frame:
    """One server frame from decoded JSON; see :func:`decode`."""
    if not isinstance(body, dict):
        raise WireError("a frame must be one JSON object")
    kind = body.get("type")
    # The commonest first: on a busy socket nearly every frame is `messages`.
    if kind == "messages":
        messages = _messages(body)
        if not messages:
            raise WireError("messages: the list must hold at least one message")
        return Messages(messages, _optional_text(body, "cursor"))
    if kind == "ack":
        return _ack(body)
    if kind == "welcome":
        return Welcome(
            _text(body, "server"),
            _text(body, "cursor"),
            _flag(body, "recovered"),
            _messages(body),
            _flag(body, "more"),
        )
    if kind == "presence":
        return Presence(_integer(body, "online"), _optional_text(body, "cursor"))
    if kind == "history":
        return History(_text(body, "ref"), _messages(body), _flag(body, "more"))
    if kind == "error":
        retry = body.get("retry_after_ms")
        if retry is not None and type(retry) is not int:
            raise WireError("error: retry_after_ms must be an integer")
        return ErrorFrame(
            _text(body, "code"),
            _text(body, "message"),
            _optional_text(body, "key"),
            _optional_text(body, "ref"),
            retry,
        )
    if kind == "bye":
        return Bye(_text(body, "reason"), _integer(body, "reconnect_in_ms"))
    if isinstance(kind, str):
        return Other(kind)
    raise WireError("a frame must have a string field type")


def _ack(body: Mapping[str, Any]) -> Ack | VoteAck | EphemeralAck:
    """What is acknowledged shows in the fields: a vote's ack has no time, an ephemeral's no id."""
    if "time" not in body:
        return VoteAck(_text(body, "key"), _text(body, "id"))
    if "id" not in body:
        return EphemeralAck(_text(body, "key"), _text(body, "time"))
    return Ack(_text(body, "key"), _text(body, "id"), _text(body, "time"))


def message(item: object) -> Message:
    """One message from decoded JSON, all seven fields present and strings."""
    if not isinstance(item, dict):
        raise WireError("a message must be an object")
    try:
        found = Message._make(_MESSAGE_FIELDS(item))
    except KeyError as error:
        raise WireError(f"a message lacks the field {error.args[0]}") from error
    # Two fields steer the ledger; the others are only shown, so their type is checked together.
    if not found.id or set(map(type, found)) != {str}:
        raise WireError("a message's fields must be strings and its id not empty")
    return found


def _messages(body: Mapping[str, Any]) -> list[Message]:
    """The list ``messages`` of a frame."""
    items = body.get("messages")
    if not isinstance(items, list):
        raise WireError(f"{body.get('type')}: messages must be a list")
    return [message(item) for item in items]


def _text(body: Mapping[str, Any], field: str) -> str:
    """A required string field."""
    value = body.get(field)
    if not isinstance(value, str):
        raise WireError(f"{body.get('type')}: {field} must be a string")
    return value


def _optional_text(body: Mapping[str, Any], field: str) -> str | None:
    """A string field that may be absent."""
    return None if body.get(field) is None else _text(body, field)


def _integer(body: Mapping[str, Any], field: str) -> int:
    """A required integer field (JSON true and false are not integers)."""
    value = body.get(field)
    if type(value) is not int:
        raise WireError(f"{body.get('type')}: {field} must be an integer")
    return value


def _flag(body: Mapping[str, Any], field: str) -> bool:
    """A required boolean field."""
    value = body.get(field)
    if not isinstance(value, bool):
        raise WireError(f"{body.get('type')}: {field} must be true or false")
    return value
