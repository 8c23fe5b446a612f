"""What was done in private rooms and who was shown what of it; and what that proves. Pure.

One process keeps one book, so all instants are of one clock, µs. Every message is known by its key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from chatload.findings import Findings


@dataclass(slots=True)
class Posted:
    """A post: its room, when it was first put on the wire, and its id once acknowledged."""

    room: str
    sent: int
    id: str = ""


@dataclass(slots=True)
class Stay:
    """A membership: when it was asked for, and when its end was answered (None: it lasts)."""

    asked: int
    removed: int | None = None


@dataclass(slots=True)
class RoomBook:
    """One process's rooms."""

    posts: dict[str, Posted] = field(default_factory=dict)
    #: (room, person) → stays, in order. Who has none is a stranger.
    stays: dict[tuple[str, str], list[Stay]] = field(default_factory=dict)
    #: (room, person, key, when): what each person was shown, live or in a history.
    shown: list[tuple[str, str, str, int]] = field(default_factory=list)
    #: (room, person) → how often each key came live.
    live: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    #: (room, person) → since when, for those who stay to the end and are owed everything.
    owed: dict[tuple[str, str], int] = field(default_factory=dict)
    #: (room, what was asked, status): calls by strangers.
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    #: (room, person): something that named the room came to a stranger's socket.
    heard: list[tuple[str, str]] = field(default_factory=list)

    def join(self, room: str, person: str, now: int) -> None:
        """Membership is asked for at ``now``; call it before the request is sent."""
        self.stays.setdefault((room, person), []).append(Stay(now))

    def removed(self, room: str, person: str, now: int) -> None:
        """A removal was answered at ``now``."""
        self.stays[room, person][-1].removed = now

    def show(self, room: str, person: str, key: str, now: int, *, live: bool) -> None:
        """A person was shown a message."""
        self.shown.append((room, person, key, now))
        if live:
            self.live.setdefault((room, person), Counter())[key] += 1


def check(book: RoomBook, histories: Mapping[str, Collection[str] | None]) -> Findings:
    """Hold a book against what the rooms' histories hold in the end.

    histories: room → ids that a member reads back; None when it could not be read.
    """
    out = Findings(
        room_posts=sum(bool(one.id) for one in book.posts.values()),
        removals=sum(s.removed is not None for stays in book.stays.values() for s in stays),
        denials=len(book.asked),
    )
    for room, person in book.heard:
        out.found("leaked", f"{person}, a stranger to {room}, was sent something that names it")
    for room, what, status in book.asked:
        if status != 404:
            out.found("leaked", f"{room}: a stranger's {what} was answered {status}, not 404")
    for room, person, key, now in book.shown:
        _rightly_shown(out, book, room, person, key, now)
    for (room, person), since in book.owed.items():
        came = book.live.get((room, person), Counter())
        for key, one in book.posts.items():
            if one.room == room and one.id and one.sent > since and came[key] != 1:
                out.found("room_lost", f"{one.id} came to {person} {came[key]} times")
        for key, times in came.items():
            if times > 1 and (key not in book.posts or not book.posts[key].id):
                out.found("room_lost", f"{key} came to {person} {times} times")
    for room, ids in histories.items():
        if ids is None:
            out.unchecked += 1
            continue
        for one in book.posts.values():
            if one.room == room and one.id and one.id not in ids:
                out.found("room_lost", f"{one.id} is not in the history of {room}")
    return out


def _rightly_shown(
    out: Findings, book: RoomBook, room: str, person: str, key: str, now: int
) -> None:
    """Was this person a member, as far as the contract lets one tell?"""
    stays = [one for one in book.stays.get((room, person), []) if one.asked < now]
    post = book.posts.get(key)
    if not stays or (post is not None and post.room != room):
        out.found("leaked", f"{key} of {room} came to {person}, who is no member")
        return
    removed = stays[-1].removed
    if removed is not None and post is not None and post.sent > removed and now > removed:
        late = (post.sent - removed) / 1000
        out.found("after_removal", f"{key}, sent {late:.1f} ms after {person} was removed, came")
