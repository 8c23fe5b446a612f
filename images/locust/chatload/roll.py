"""The roll of a topic: every message that one process was shown there, once, whoever was shown it.

Readers of a topic are shown the same messages under the same ids in the same order (the contract's
third promise). So a process keeps each message once, gives it an *ordinal* (the order in which
messages were first seen here), and a reader keeps only the ranges of ordinals that it has seen: its
memory grows with disorder, not with messages times readers. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from chatload.mark import Mark


class Entry(NamedTuple):
    """A message on a roll: its id, its place in its stream, when it was sent (µs)."""

    id: str
    poster: str
    seq: int
    sent: int


class Roll:
    """One topic in one process. Not for concurrent use."""

    __slots__ = ("_others", "_places", "entries", "misnamed", "ordinals", "twins")

    def __init__(self) -> None:
        #: ordinal → message.
        self.entries: list[Entry] = []
        #: id → ordinal of the message first seen under it.
        self.ordinals: dict[str, int] = {}
        #: (poster, seq) → ordinal at which it was first seen.
        self._places: dict[tuple[str, int], int] = {}
        #: Messages seen under an id that another message had before.
        self._others: dict[Entry, int] = {}
        #: ordinal of a message's second id → ordinal of its first one.
        self.twins: dict[int, int] = {}
        #: Messages with a second id, and second messages of an id.
        self.misnamed: list[Entry] = []

    def ordinal(self, message_id: str, mark: Mark) -> int:
        """The ordinal of a message, given now if it was never seen here."""
        found = self.ordinals.get(message_id)
        if found is not None:
            entry = self.entries[found]
            if entry.seq == mark.seq and entry.poster == mark.poster:
                return found
        entry = Entry(message_id, mark.poster, mark.seq, mark.sent)
        if found is None:
            self.ordinals[message_id] = made = len(self.entries)
        else:
            other = self._others.get(entry)
            if other is not None:
                return other
            self._others[entry] = made = len(self.entries)
        self.entries.append(entry)
        first = self._places.setdefault((mark.poster, mark.seq), made)
        if first != made:
            self.twins[made] = first
        if found is not None or first != made:
            self.misnamed.append(entry)
        return made
