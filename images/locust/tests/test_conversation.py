"""The check of a conversation, on books made by hand."""

from __future__ import annotations

from typing import Any

from chatload.conversation import Listener, Said, TalkBook, check
from chatload.findings import BREAKS

TOPIC = "talk"


def message(number: int, **more: Any) -> dict[str, Any]:
    """A message as a server gives it."""
    names = {"id": f"id{number}", "key": f"k{number}", "topic": TOPIC, "name": "Ann"}
    time = "2026-01-02T03:04:05.006Z"
    return {**names, "email": "a@x.example", "time": time, "content": f"word {number}", **more}


def book() -> tuple[TalkBook, list[dict[str, Any]]]:
    """A message with a reply and two votes, and one that was deleted; and the history of that. Two
    readers, one with a filter, were shown what they should."""
    made = TalkBook()
    made.said = {
        "k0": Said(TOPIC, "word 0", 50, id="id0"),
        "k1": Said(TOPIC, "word 1", 60, "id0", "id1"),
        "k2": Said(TOPIC, "word 2", 70, id="id2", delete_asked=80, deleted=True),
    }
    made.votes = {
        ("id0", "a"): [(1, True), (-1, True)],
        ("id0", "b"): [(1, True)],
        ("id0", "c"): [(1, True), (0, True)],
    }
    history = [
        message(0, up=1, down=1, replies=1),
        message(1, reply_to="id0"),
        message(2, content="", deleted=True),
    ]
    made.ephemeral = {"e0"}
    everything, filtered = Listener("", "", 10), Listener("is:reply", "", 10)
    live = [message(0), message(1, reply_to="id0"), message(2)]
    everything.hear({"type": "messages", "messages": live})
    filtered.hear({"type": "messages", "messages": live[1:2]})
    update = {"id": "id0", "up": 1, "down": 1, "replies": 1}
    everything.hear({"type": "updates", "updates": [update]})
    passing = {**message(9, key="e0"), "content": "passing"}
    everything.hear({"type": "ephemeral", "messages": [passing]})
    made.listeners = [everything, filtered]
    return made, history


def found(made: TalkBook, history: list[dict[str, Any]]) -> dict[str, int]:
    """The words that were counted."""
    out = check(made, history)
    return {word: getattr(out, word) for word in BREAKS if getattr(out, word)}


def test_a_good_conversation_is_clean() -> None:
    made, history = book()
    out = check(made, history)
    assert out.clean and out.filtered == 1
    assert (out.talk_posts, out.replies, out.votes, out.deletions) == (3, 1, 5, 1)


def test_wrong_numbers() -> None:
    for name, value in (("up", 2), ("down", 0), ("replies", 0)):
        made, history = book()
        history[0][name] = value
        made.listeners[0].numbers["id0"] = (
            history[0]["up"],
            history[0]["down"],
            history[0]["replies"],
        )
        assert found(made, history) == {"miscounted": 1}


def test_an_unanswered_vote_or_reply_may_have_counted_or_not() -> None:
    made, history = book()
    made.listeners.clear()
    made.votes["id0", "d"] = [(-1, True), (1, False)]
    made.said["k7"] = Said(TOPIC, "word 7", 90, "id0")
    for up, down, replies in ((2, 1, 1), (1, 2, 2)):
        history[0] |= {"up": up, "down": down, "replies": replies}
        assert found(made, history) == {}
    history[0] |= {"up": 3, "down": 0, "replies": 3}
    assert found(made, history) == {"miscounted": 3}


def test_a_reader_was_not_told_the_last_numbers() -> None:
    made, history = book()
    made.listeners[0].numbers["id0"] = (1, 0, 1)
    assert found(made, history) == {"miscounted": 1}


def test_deleted_and_still_there_or_there_and_changed() -> None:
    made, history = book()
    history[2] = message(2)
    assert found(made, history) == {"miscounted": 1}
    made, history = book()
    history[1]["content"] = ""
    assert found(made, history) == {"miscounted": 1}


def test_acknowledged_and_gone_or_under_another_parent() -> None:
    made, history = book()
    made.listeners.clear()
    assert found(made, [history[0], history[2]]) == {"miscounted": 1}
    history[1]["reply_to"] = "id2"
    assert found(made, history) == {"miscounted": 1}


def test_an_ephemeral_message_that_is_kept() -> None:
    made, history = book()
    assert found(made, [*history, message(9, key="e0")]) == {"kept_ephemeral": 1}
    made.listeners[0].hear({"type": "messages", "messages": [message(9, key="e0")]})
    assert found(made, history) == {"kept_ephemeral": 1}


def test_a_filtered_reader() -> None:
    made, history = book()
    made.listeners[1].hear({"type": "messages", "messages": [message(0)]})
    assert found(made, history)["misfiltered"] == 1, "given what does not match"
    made, history = book()
    made.listeners[1].came.clear()
    assert found(made, history) == {"misfiltered": 1}, "not given what matches"
    made, history = book()
    made.listeners[1].hear({"type": "messages", "messages": [message(1, reply_to="id0")]})
    assert found(made, history) == {"misfiltered": 1}, "given it twice"
    made, history = book()
    made.listeners[1].hear({"type": "ephemeral", "messages": [message(9, key="e0")]})
    assert found(made, history) == {"misfiltered": 1}, "an ephemeral one that does not match"


def test_what_came_before_one_was_there_or_was_deleted_is_not_owed() -> None:
    made, history = book()
    made.listeners[1].came.clear()
    made.listeners[1].since = 65
    assert found(made, history) == {}
    made, history = book()
    made.said["k1"].delete_asked = 90
    made.listeners[1].came.clear()
    assert found(made, history) == {}


def test_an_unread_history_or_a_gap_is_no_proof() -> None:
    made, history = book()
    assert check(made, None).unchecked == 1
    made.listeners[1].gap = True
    assert check(made, history).unchecked == 1
