"""Servers that break what they promise of people, rooms and conversation: all are caught."""

from __future__ import annotations

from functools import partial

import pytest
from runs import Done, LocustRun, headless, side_by_side
from test_broken import DOCUMENT, STAYING

pytestmark = pytest.mark.timeout(600)
ROOMS = ["--accounts", "10", "--rooms", "2", "--people-rate", "30"]
TALK = ["--accounts", "8", "--people-rate", "40", "--reply-share", "0.2", "--vote-share", "0.3"]
TALK += ["--delete-share", "0.08", "--ephemeral-share", "0.1", "--filtered-share", "0.5"]

#: name → (what the server does, its flags, the load, the word that must be counted; "" for clean).
SERVERS: dict[str, tuple[str, list[str], list[str], str]] = {
    "good-rooms": ("keeps all promises of rooms", [], ROOMS, ""),
    "leak": (
        "shows a room's messages to a stranger now and then",
        ["--leak", "0.05"],
        ROOMS,
        "leaked",
    ),
    "tell": (
        "tells a stranger by 403 that there is a room",
        ["--tell", "1"],
        ROOMS,
        "leaked",
    ),
    "ghost": (
        "shows a removed member what was sent after the removal was answered",
        ["--ghost", "1"],
        ROOMS,
        "after_removal",
    ),
    "lose-room": (
        "leaves out some of a room's deliveries",
        ["--lose-room", "0.05"],
        ROOMS,
        "room_lost",
    ),
    "good-talk": ("keeps all promises of conversation", [], TALK, ""),
    "miscount": (
        "acknowledges votes that it does not count",
        ["--miscount", "0.2"],
        TALK,
        "miscounted",
    ),
    "forget-reply": (
        "does not count some replies",
        ["--forget-reply", "0.2"],
        TALK,
        "miscounted",
    ),
    "undelete": (
        "keeps the content of what was deleted",
        ["--undelete", "1"],
        TALK,
        "miscounted",
    ),
    "keep": (
        "keeps ephemeral messages in the history",
        ["--keep", "0.5"],
        TALK,
        "kept_ephemeral",
    ),
    "misfilter": (
        "shows filtered readers what does not match",
        ["--misfilter", "0.05"],
        TALK,
        "misfiltered",
    ),
    "hide": (
        "hides from filtered readers some of what matches",
        ["--hide", "0.05"],
        TALK,
        "misfiltered",
    ),
}


def start(name: str, url: str) -> LocustRun:
    """One run."""
    return headless(url, *STAYING, *SERVERS[name][2], seconds=11, users=8)


@pytest.fixture(scope="module")
def done() -> dict[str, Done]:
    """All runs."""
    return side_by_side({name: (one[1], partial(start, name)) for name, one in SERVERS.items()})


@pytest.mark.parametrize("name", SERVERS)
def test_it_is_caught(done: dict[str, Done], name: str) -> None:
    word, run = SERVERS[name][3], done[name]
    people = run.summary["people"]
    assert run.code == (3 if word else 0), (people, run.run.output)
    broken = ("leaked", "after_removal", "room_lost", "miscounted", "kept_ephemeral", "misfiltered")
    assert [one for one in broken if people[one]] == [word] * bool(word), people
    if "--rooms" in SERVERS[name][2]:
        assert people["room_posts"] > 20 and people["removals"] > 1, people
    else:
        assert min(people[one] for one in ("replies", "votes", "deletions", "ephemerals")) > 0


def test_the_document_shows_this_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for does, _, _, word in SERVERS.values():
        assert not word or f"| {does} | BROKEN: {word} |" in text, does
