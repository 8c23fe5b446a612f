"""The posters' books: what was put on the wire, when, and under which id it was acknowledged. Pure.

A *stream* is one poster in one topic. A poster has at most one unanswered post at a time (as a
person has), so within a stream sequence numbers, ids and log order all run the same way.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

#: One poster in one topic: ``(topic, poster)``.
StreamKey = tuple[str, str]
#: All books of a process, or of all.
Books = dict[StreamKey, "Book"]


class Book:
    """One stream. Owned by the poster's greenlet. A sequence is the place in both lists."""

    __slots__ = ("acknowledged", "ids", "renamed", "sent_at")

    def __init__(self) -> None:
        #: The id each was acknowledged with; "" while it was not.
        self.ids: list[str] = []
        #: When each was first put on the wire, µs of the lab's clock.
        self.sent_at = array("q")
        #: How many were acknowledged.
        self.acknowledged = 0
        #: How many were acknowledged again with another id.
        self.renamed = 0

    @property
    def sent(self) -> int:
        """Sequences 0 … sent-1 were put on the wire at least once."""
        return len(self.ids)

    def send(self, now: int) -> int:
        """Take the next sequence number at ``now`` (µs); the caller puts it on the wire."""
        self.ids.append("")
        self.sent_at.append(now)
        return len(self.ids) - 1

    def ack(self, seq: int, message_id: str) -> None:
        """The server says that ``seq`` is in the log under ``message_id``."""
        if not self.ids[seq]:
            self.ids[seq] = message_id
            self.acknowledged += 1
        elif self.ids[seq] != message_id:
            self.renamed += 1

    def packed(self) -> list[Any]:
        """The form that travels to the master."""
        return [self.ids, self.sent_at.tolist(), self.renamed]

    @classmethod
    def unpacked(cls, body: Sequence[Any]) -> Book:
        """A book from :meth:`packed`."""
        book = cls()
        book.ids, sent_at, book.renamed = list(body[0]), body[1], body[2]
        book.sent_at = array("q", sent_at)
        book.acknowledged = sum(map(bool, book.ids))
        return book


def merge_books(parts: Iterable[Mapping[StreamKey, Book]]) -> Books:
    """The books of all processes in one. Posters are unique, so no stream occurs twice: ValueError
    if one does."""
    merged: Books = {}
    for part in parts:
        for key, book in part.items():
            if key in merged:
                raise ValueError(f"two processes kept a book of {key}")
            merged[key] = book
    return merged


def pack_books(books: Mapping[StreamKey, Book]) -> list[list[Any]]:
    """Books in the form that travels between processes."""
    return [[topic, poster, *book.packed()] for (topic, poster), book in books.items()]


def unpack_books(body: Sequence[Sequence[Any]]) -> Books:
    """Books from :func:`pack_books`."""
    return {(topic, poster): Book.unpacked(rest) for topic, poster, *rest in body}
