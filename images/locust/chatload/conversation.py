"""What was said, replied, voted and deleted, and what each reader was shown; and what that proves.
Pure.

One process keeps one book for topics of its own, so all instants are of one clock, µs. Messages are
known by their key until an acknowledgement names the id. An act without an answer may have counted
or not: it widens what the numbers may be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chatload import filters
from chatload.findings import Findings


@dataclass(slots=True)
class Said:
    """A post as it was sent. id: of its acknowledgement; refused: it got a final error."""

    topic: str
    content: str
    sent: int
    parent: str = ""
    id: str = ""
    refused: bool = False
    #: When its deletion was first asked for, and whether that was answered 204.
    delete_asked: int | None = None
    deleted: bool = False


@dataclass(slots=True)
class Listener:
    """What one reader was shown. since: its first welcome; gap: it cannot be held to all."""

    filter: str
    account: str
    since: int
    gap: bool = False
    #: key → how often it came; key → that message, as it came.
    came: Counter[str] = field(default_factory=Counter)
    messages: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Ephemeral messages that came, by key.
    passing: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    #: id → the newest numbers: (up, down, replies).
    numbers: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def hear(self, frame: Mapping[str, Any]) -> None:
        """Write a frame down."""
        kind = frame["type"]
        # Ordinary messages, ephemeral ones, and numbers that changed.
        if kind in ("welcome", "messages"):
            # How often each came.
            for message in frame["messages"]:
                self.came[message["key"]] += 1
                self.messages.setdefault(message["key"], message)
                self.numbers.setdefault(message["id"], _numbers(message))
        elif kind == "ephemeral":
            for message in frame["messages"]:
                self.passing[message["key"]] = message
        elif kind == "updates":
            for update in frame["updates"]:
                self.numbers[update["id"]] = _numbers(update)


@dataclass(slots=True)
class TalkBook:
    """One process's conversation."""

    said: dict[str, Said] = field(default_factory=dict)
    #: (id, address) → votes in order: (vote, whether it was acknowledged).
    votes: dict[tuple[str, str], list[tuple[int, bool]]] = field(default_factory=dict)
    #: Keys of the ephemeral messages that were sent.
    ephemeral: set[str] = field(default_factory=set)
    listeners: list[Listener] = field(default_factory=list)


def _numbers(message: Mapping[str, Any]) -> tuple[int, int, int]:
    """Up, down, replies; 0 where absent."""
    up, down, replies = (int(message.get(name, 0)) for name in ("up", "down", "replies"))
    return up, down, replies


def _allowed(votes: Sequence[tuple[int, bool]]) -> set[int]:
    """What may stand after these votes of one address: the last acknowledged one, or any
    unanswered one behind it."""
    allowed = {0}
    # A vote that was not acknowledged may count or not.
    for vote, acknowledged in votes:
        allowed = {vote} if acknowledged else allowed | {vote}
    return allowed


def expected(book: TalkBook, message_id: str) -> list[tuple[int, int]]:
    """The least and the most that up, down and replies of a message may be."""
    up, down, replies = [0, 0], [0, 0], [0, 0]
    # What all accounts' votes for this message allow.
    for (voted, _), votes in book.votes.items():
        # Votes for other messages.
        if voted != message_id:
            continue
        allowed = _allowed(votes)
        # At least where no other outcome is possible, at most where it is one.
        for bounds, vote in ((up, 1), (down, -1)):
            bounds[0] += allowed == {vote}
            bounds[1] += vote in allowed
    # What replies to it allow.
    for one in book.said.values():
        # A refused reply is none.
        if one.parent == message_id and not one.refused:
            replies[0] += bool(one.id)
            replies[1] += 1
    return [(low, high) for low, high in (up, down, replies)]


def check(book: TalkBook, history: Sequence[Mapping[str, Any]] | None) -> Findings:
    """Hold a book against the topics' whole history, as a guest reads it back (None: unread)."""
    out = Findings(
        talk_posts=sum(bool(one.id) for one in book.said.values()),
        replies=sum(bool(one.id and one.parent) for one in book.said.values()),
        votes=sum(acknowledged for votes in book.votes.values() for _, acknowledged in votes),
        deletions=sum(one.deleted for one in book.said.values()),
        ephemerals=len(book.ephemeral),
    )
    # Without a history nothing can be checked.
    if history is None:
        out.unchecked += 1
        return out
    _check_numbers(out, book, history)
    _check_ephemeral(out, book, history)
    # Each reader by what it was shown.
    for number, listener in enumerate(book.listeners):
        # Who missed something proves nothing.
        if listener.gap:
            out.unchecked += 1
            continue
        _check_shown(out, book, listener, f"reader {number}", history)
        # The numbers it was told last must be those of the history.
        for message in history:
            told = listener.numbers.get(message["id"])
            # It was told nothing, or the same.
            if told is not None and told != _numbers(message):
                out.found("miscounted", f"{message['id']}: reader {number} was told {told} last")
    return out


def _check_numbers(out: Findings, book: TalkBook, history: Sequence[Mapping[str, Any]]) -> None:
    """Are the numbers what was acknowledged, and is deleted what was?"""
    found = {message["key"]: message for message in history}
    # Each message that was acknowledged must be there, as it was left.
    for key, one in book.said.items():
        message = found.get(key)
        # What was not acknowledged may be there or not.
        if not one.id:
            continue
        # Acknowledged, and gone or another.
        if message is None or message["id"] != one.id:
            out.found("miscounted", f"{one.id} was acknowledged and is not in the history")
            continue
        names = ("up", "down", "replies")
        # Its numbers must lie within what the acts allow.
        for name, value, (low, high) in zip(
            names, _numbers(message), expected(book, one.id), strict=True
        ):
            # Outside of what is possible.
            if not low <= value <= high:
                out.found("miscounted", f"{one.id}: {name} {value}, not {low} to {high}")
        # It must hang where it was put.
        if message.get("reply_to", "") != one.parent:
            out.found("miscounted", f"{one.id} replies to another message than it did")
        # A deleted message keeps its place, without its words.
        if one.deleted and not (message.get("deleted") and message["content"] == ""):
            out.found("miscounted", f"{one.id} was deleted and still has its content")
        elif one.delete_asked is None and message["content"] != one.content:
            out.found("miscounted", f"{one.id} was not deleted and has another content")


def _check_ephemeral(out: Findings, book: TalkBook, history: Sequence[Mapping[str, Any]]) -> None:
    """Is no ephemeral message kept, nor shown as if it were?"""
    # What is not kept must not be in the history.
    for message in history:
        # One of those that are not kept.
        if message["key"] in book.ephemeral:
            out.found("kept_ephemeral", f"{message['key']} is in the history")
    # Nor may it have come as an ordinary message.
    for listener in book.listeners:
        # Each that came.
        for key in book.ephemeral & set(listener.came):
            out.found("kept_ephemeral", f"{key} came as an ordinary message")


def matches(listener: Listener, message: Mapping[str, Any], content: str) -> bool:
    """Whether a message, with its content as it was sent, is one for this reader."""
    matcher = filters.parse(listener.filter)
    # Without a filter everything matches.
    if matcher is None:
        return True
    stamp = datetime.fromisoformat(message["time"].replace("Z", "+00:00"))
    return matcher(
        filters.Message(
            content=content,
            name=message["name"],
            email=message["email"],
            topic=message["topic"],
            account=message.get("account", ""),
            reply=bool(message.get("reply_to")),
            time=round(stamp.timestamp() * 1000),
        ),
        filters.Reader(account=listener.account),
    )


def _check_shown(
    out: Findings,
    book: TalkBook,
    listener: Listener,
    who: str,
    history: Sequence[Mapping[str, Any]],
) -> None:
    """Was this reader shown exactly what matches? What somebody asked to delete is not owed."""
    # What is in the history: once if it matches, else never.
    for message in history:
        one = book.said.get(message["key"])
        # Of somebody else.
        if one is None:
            continue
        match, times = matches(listener, message, one.content), listener.came[message["key"]]
        out.filtered += bool(listener.filter and match)
        # Shown although it does not match; or not exactly once although it does.
        if not match and times:
            out.found("misfiltered", f"{message['id']} came to {who}, whose filter denies it")
        elif match and times > 1:
            out.found("misfiltered", f"{message['id']} came to {who} {times} times")
        elif match and not times and one.delete_asked is None and one.sent > listener.since:
            out.found("misfiltered", f"{message['id']} matches and did not come to {who}")
    # What was ephemeral: never if it does not match.
    for key, message in listener.passing.items():
        # It should have been kept from this reader.
        if not matches(listener, message, message["content"]):
            out.found("misfiltered", f"{key}, ephemeral, came to {who}, whose filter denies it")
