"""What the books prove, in numbers: the words follow Jepsen's total-queue checker. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

#: How many examples of each trouble a verdict keeps.
EXAMPLES = 10


@dataclass(slots=True)
class Counts:
    """What a ledger counts while the load runs."""

    sent: int = 0
    acknowledged: int = 0
    #: Distinct messages shown to readers: one message to three readers is three.
    delivered: int = 0
    duplicated: int = 0
    reordered: int = 0
    #: Of the delivered, those that came by resume.
    recovered: int = 0
    #: Marked messages whose content is damaged, or of a topic that was not asked for.
    corrupt: int = 0
    #: Resumes whose cursor the server said it could not honour.
    gaps: int = 0
    #: Messages of others (no mark, or another run's).
    foreign: int = 0
    #: Repeats after a resume that the client's older cursor asked for: legitimate.
    overlap: int = 0


@dataclass(slots=True)
class Verdict:
    """The outcome; mergeable: each part is counted in one place only (see canon and ledger)."""

    sent: int = 0
    acknowledged: int = 0
    delivered: int = 0
    #: Deliveries that were owed: each message of the canon once for each of its readers.
    owed: int = 0
    #: Owed and not shown, and not excused by an announced gap.
    lost: int = 0
    #: Owed and not shown, within an announced gap, and in the history: a client finds it there.
    skipped: int = 0
    duplicated: int = 0
    reordered: int = 0
    recovered: int = 0
    #: Shown, of this run, but never sent by anyone.
    unexpected: int = 0
    #: Acknowledged or shown, and not in the history at the end.
    vanished: int = 0
    #: Known under a second id: acknowledged with one and shown with another, two ids of one
    #: message, one id of two messages.
    misnamed: int = 0
    corrupt: int = 0
    #: Sent, never acknowledged: may or may not be in the log.
    indeterminate: int = 0
    #: Acknowledged, and older than the history that the server keeps: cannot be looked up.
    unproven: int = 0
    #: Topics whose history could not be read to its beginning.
    unread: int = 0
    gaps: int = 0
    foreign: int = 0
    overlap: int = 0
    #: Readers that left before the end, or could not be heard out: owed only up to what they saw.
    left: int = 0
    readers: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing lost, doubled, out of order, renamed, damaged or made up."""
        return not any(getattr(self, word) for word in BREAKS)

    def merge(self, other: Verdict) -> None:
        """Add another part."""
        for one in fields(self):
            if one.name == "examples":
                self.examples = (self.examples + other.examples)[:EXAMPLES]
            else:
                setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def example(self, text: str) -> None:
        """Keep an example, if there is room."""
        if len(self.examples) < EXAMPLES:
            self.examples.append(text)

    def gone(self, topic: str, ids: Collection[str]) -> None:
        """Messages that were shown, and that the history does not have even at a second look."""
        self.vanished += len(ids)
        if ids:
            self.example(f"{topic}: {len(ids)} shown and not in the history, first {min(ids)}")

    def packed(self) -> dict[str, Any]:
        """The form that travels to the master and into ``summary.json``."""
        return asdict(self)

    @classmethod
    def unpacked(cls, body: Mapping[str, Any]) -> Verdict:
        """A verdict from :meth:`packed`."""
        return cls(**body)


#: Words of a verdict that say that the server broke a promise.
BREAKS = (
    "lost",
    "duplicated",
    "reordered",
    "unexpected",
    "vanished",
    "misnamed",
    "corrupt",
)
