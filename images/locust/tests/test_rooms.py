"""The check of private rooms, on books made by hand."""

from __future__ import annotations

from collections import Counter

from chatload.findings import BREAKS, Findings
from chatload.rooms import Posted, RoomBook, check

ROOM = "~abcdefghijklmnop"


def book() -> RoomBook:
    """A room with one who stays; one who joined at 0, was removed at 100 and came back at 200; and
    four acknowledged posts, which the one who stays was shown."""
    made = RoomBook()
    made.join(ROOM, "stays", 0)
    made.join(ROOM, "changes", 0)
    made.removed(ROOM, "changes", 100)
    made.join(ROOM, "changes", 200)
    made.owed[ROOM, "stays"] = 10
    for number, sent in enumerate((50, 90, 150, 250)):
        made.posts[f"k{number}"] = Posted(ROOM, sent, f"id{number}")
        made.show(ROOM, "stays", f"k{number}", sent + 20, live=True)
    return made


def found(made: RoomBook, history: set[str] | None = None) -> dict[str, int]:
    """The words that were counted."""
    ids = {one.id for one in made.posts.values()} if history is None else history
    out = check(made, {ROOM: ids})
    assert out.clean == (not out.examples)
    return {word: getattr(out, word) for word in BREAKS if getattr(out, word)}


def test_a_good_room_is_clean() -> None:
    made = book()
    made.show(ROOM, "changes", "k0", 60, live=True)
    # Sent before the removal was answered: it may still come.
    made.show(ROOM, "changes", "k1", 120, live=True)
    # Back again: a new member sees the past, what was said meanwhile too.
    made.show(ROOM, "changes", "k2", 220, live=False)
    made.show(ROOM, "changes", "k3", 260, live=True)
    made.asked.append((ROOM, "history", 404))
    assert found(made) == {}


def test_sent_after_the_removal_was_answered_and_shown_to_the_removed() -> None:
    for live in (True, False):
        made = book()
        made.show(ROOM, "changes", "k2", 160, live=live)
        assert found(made) == {"after_removal": 1}


def test_a_message_to_one_who_never_was_a_member() -> None:
    made = book()
    made.show(ROOM, "stranger", "k0", 60, live=True)
    assert found(made) == {"leaked": 1}


def test_a_message_before_membership_was_asked_for() -> None:
    made = book()
    made.join(ROOM, "late", 300)
    made.show(ROOM, "late", "k3", 260, live=True)
    assert found(made) == {"leaked": 1}


def test_a_message_of_another_room() -> None:
    made = book()
    made.posts["k9"] = Posted("~other", 50)
    made.show(ROOM, "stays", "k9", 60, live=True)
    assert found(made) == {"leaked": 1}


def test_a_frame_that_names_the_room_and_an_answer_that_tells_of_it() -> None:
    made = book()
    made.heard.append((ROOM, "stranger"))
    made.asked.append((ROOM, "room", 403))
    assert found(made) == {"leaked": 2}


def test_lost_doubled_and_gone() -> None:
    made = book()
    made.live[ROOM, "stays"] = Counter({"k0": 1, "k1": 2, "k2": 1})
    assert found(made, {"id0", "id1", "id2"}) == {"room_lost": 3}


def test_what_was_sent_before_one_was_there_is_not_owed() -> None:
    made = book()
    made.posts["k9"] = Posted(ROOM, 5, "id9")
    assert found(made) == {}


def test_an_unread_history_is_no_proof() -> None:
    assert check(book(), {ROOM: None}).unchecked == 1


def test_findings_add_up_and_travel() -> None:
    one = check(book(), {})
    one.merge(Findings.unpacked(check(book(), {}).packed()))
    assert (one.room_posts, one.removals) == (8, 2)
