"""What the checks of people, rooms and conversation found, in numbers. Pure.

Beside the ledger's verdict, which counts deliveries: these count rights and numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

#: How many examples are kept.
EXAMPLES = 10


@dataclass(slots=True)
class Findings:
    """Mergeable: each worker has its own rooms and topics."""

    #: Of a room, given to somebody who is no member of it, or not denied as a room that never was.
    leaked: int = 0
    #: Sent after a removal was answered, and shown to the removed.
    after_removal: int = 0
    #: Acknowledged in a room and not shown, or shown twice, to one who stayed; or not in history.
    room_lost: int = 0
    #: Replies, votes or a deletion that history or updates tell otherwise than acknowledged.
    miscounted: int = 0
    #: Ephemeral messages that are in a history, or came as ordinary ones.
    kept_ephemeral: int = 0
    #: Shown to a filtered reader and not matching, or matching and not shown once.
    misfiltered: int = 0
    #: What could not be looked at: a history that was not read, a reader whose cursor failed.
    unchecked: int = 0
    #: What there was to look at.
    room_posts: int = 0
    removals: int = 0
    denials: int = 0
    talk_posts: int = 0
    replies: int = 0
    votes: int = 0
    deletions: int = 0
    ephemerals: int = 0
    filtered: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """No promise was broken."""
        return not any(getattr(self, word) for word in BREAKS)

    def found(self, word: str, text: str) -> None:
        """Count one trouble, and keep it as an example if there is room."""
        setattr(self, word, getattr(self, word) + 1)
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{word}: {text}")

    def merge(self, other: Findings) -> None:
        """Add another part."""
        for one in fields(self):
            if one.name == "examples":
                self.examples = (self.examples + other.examples)[:EXAMPLES]
            else:
                setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def packed(self) -> dict[str, Any]:
        """The form that travels to the master and into ``summary.json``."""
        return asdict(self)

    @classmethod
    def unpacked(cls, body: Mapping[str, Any]) -> Findings:
        """Findings from :meth:`packed`."""
        return cls(**body)


#: Words that say that the server broke a promise.
BREAKS = (
    "leaked",
    "after_removal",
    "room_lost",
    "miscounted",
    "kept_ephemeral",
    "misfiltered",
)
