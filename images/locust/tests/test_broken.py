"""Broken servers against the lab's verdict: all are caught. docs/loadlab.md shows this table."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from runs import Done, LocustRun, headless, side_by_side

pytestmark = pytest.mark.timeout(600)
STAYING = ["--churn-share", "0", "--lurkers-share", "0"]
DOCUMENT = Path(__file__).parents[3] / "docs/loadlab.md"


@dataclass(frozen=True)
class Broken:
    """A broken server. does: in words. verdict: the lab's, in the words of the table. server,
    flags: how it is told to, and how the load is. words: what the ledger must count. reason: what
    the complaint of an invalid run says. within: words that are counted to the message."""

    does: str
    verdict: str
    server: list[str]
    code: int
    flags: list[str] = field(default_factory=list)
    words: tuple[str, ...] = ()
    reason: str = ""
    seconds: float = 6


SERVERS = {
    "rare-loss": Broken(
        "leaves out 1 delivery in 10⁴",
        "BROKEN: lost",
        ["--drop", "0.0001", "--seed", "146"],  # nine in the first 30,000 draws
        3,
        ["--rate", "300", "--posters-share", "0.6"],
        ("lost",),
        seconds=12,
    ),
    "doubles": Broken(
        "delivers some twice", "BROKEN: duplicated", ["--double", "0.01"], 3, [], ("duplicated",)
    ),
    "two-ids": Broken(
        "logs a post twice, under two ids",
        "BROKEN: duplicated, misnamed",
        ["--twice", "0.1"],
        3,
        [],
        ("duplicated", "misnamed"),
    ),
    "reorders": Broken(
        "reorders within topics, across four of them",
        "BROKEN: reordered",
        ["--swap", "0.02"],
        3,
        ["--topics", "4", "--topics-per-user", "4"],
        ("reordered",),
    ),
    "opposite-orders": Broken(
        "gives some readers another order, with ids to match",
        "BROKEN: misnamed",
        ["--private-order"],
        3,
        [],
        ("misnamed",),
    ),
    "not-durable": Broken(
        "acknowledges before it is durable, and forgets some",
        "BROKEN: vanished",
        ["--volatile", "0.05"],
        3,
        [],
        ("vanished",),
    ),
    "lies-about-ids": Broken(
        "acknowledges under another id than it delivers",
        "BROKEN: misnamed",
        ["--rename", "0.2"],
        3,
        [],
        ("misnamed",),
    ),
    "forgets": Broken(
        "forgets everything in a restart, and says so",
        "BROKEN: vanished",
        ["--forget-at", "3"],
        3,
        [],
        ("vanished", "gaps"),
    ),
    "swallows": Broken(
        "loses what it acknowledged in an announced gap",
        "BROKEN: lost, vanished",
        ["--swallow", "60:80"],
        3,
        [],
        ("lost", "vanished", "gaps"),
    ),
    "mute": Broken(
        "shows nothing of a topic, and says that there is more",
        "BROKEN: lost",
        ["--mute"],
        3,
        [],
        ("lost",),
    ),
    "favourite": Broken(
        "shows what it never acknowledged to one reader only",
        "BROKEN: lost",
        ["--secret", "0.05"],
        3,
        ["--drain-timeout", "6"],
        ("lost", "indeterminate"),
    ),
    "refuses-cursors": Broken(
        "honours no cursor, says so, and has it all in the history",
        "GAPS",
        ["--refuse-cursors"],
        5,
        ["--churn-share=0.5", "--churn-stay=0.8", "--churn-away=0.4", "--history-limit=1"],
        ("gaps", "skipped"),
    ),
    "freezes": Broken(
        "freezes to the end of the run",
        "INVALID: posts unanswered, posts unsent",
        ["--freeze-at", "3"],
        4,
        ["--drain-timeout", "5"],
        (),
        "posts unanswered",
    ),
    "stalls": Broken(
        "stands still for 200 ms now and then",
        "clean; seen in `deliver` max and p99.9",
        ["--stall-at", "3", "--stall-ms", "200"],
        0,
    ),
}


def start(name: str, url: str) -> LocustRun:
    """One run."""
    broken = SERVERS[name]
    return headless(url, *STAYING, *broken.flags, seconds=broken.seconds)


@pytest.fixture(scope="module")
def done() -> dict[str, Done]:
    """All runs."""
    return side_by_side({k: (v.server, partial(start, k)) for k, v in SERVERS.items()})


@pytest.mark.parametrize("name", SERVERS)
def test_it_is_caught(done: dict[str, Done], name: str) -> None:
    broken, run = SERVERS[name], done[name]
    assert run.code == broken.code, run.run.output
    for word in broken.words:
        assert run.ledger[word] > 0, (word, run.run.output)
    assert any(broken.reason in text for text in run.summary["invalid_because"] or [""])


def test_what_is_counted_is_what_the_server_did(done: dict[str, Done]) -> None:
    assert done["rare-loss"].ledger["lost"] == done["rare-loss"].truth["dropped"] > 0
    assert done["doubles"].ledger["duplicated"] == done["doubles"].truth["doubled"]
    assert done["reorders"].ledger["reordered"] == done["reorders"].truth["swapped"]
    assert done["not-durable"].ledger["vanished"] == done["not-durable"].truth["volatile"]
    assert done["swallows"].ledger["vanished"] == 20
    # Both members of each swapped pair carry the other's id.
    assert done["lies-about-ids"].ledger["vanished"] == 0


def test_a_stall_is_felt_from_when_each_post_was_due(done: dict[str, Done]) -> None:
    row = done["stalls"].summary["rows_ms"]["deliver"]
    assert row["max"] > 150 and row["p99.9"] > 100


def test_a_frozen_server_leaves_no_post_uncounted(done: dict[str, Done]) -> None:
    """Due is acknowledged, or stands in a counter of its own."""
    run = done["freezes"]
    gates = {gate["name"]: gate["value"] for gate in run.summary["gates"]}
    counters = run.summary["counters"]
    missing = gates["posts unanswered"] + gates["posts unsent"] + gates["posts dropped"]
    assert counters["due"] == counters["acks"] + missing and gates["posts unsent"] > 0


def test_the_document_shows_this_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for broken in SERVERS.values():
        assert f"| {broken.does} | {broken.verdict} |" in text, broken.does
