"""The golden cases: the files are what :mod:`cases` tells; the ledger reaches their verdicts."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import cases
import pytest

from chatload.books import merge_books, pack_books, unpack_books
from chatload.canon import History, establish_all, pack_canons, unpack_canons
from chatload.ledger import Ledger
from chatload.reader import Reader
from chatload.verdict import Verdict
from chatload.wire import Message

FILES = sorted(path.name for path in cases.FOLDER.glob("*.json"))


def message(body: dict[str, str]) -> Message:
    """A message from a case."""
    return Message(body["id"], "k", body["topic"], "n", "e@x.org", "t", body["content"])


def replay(case: dict[str, Any]) -> tuple[Verdict, dict[str, list[str]]]:
    """Let the ledger live through a case: the verdict, and the strays."""
    ledgers: dict[int, Ledger] = {}
    readers: dict[str, Reader] = {}
    histories: dict[str, History] = {}
    for event in case["events"]:
        number = event.get("process", 0)
        ledger = ledgers.setdefault(number, Ledger(case["run"]))
        messages = [message(one) for one in event.get("messages", [])]
        match event["do"]:
            case "welcome":
                reader = readers.get(event["reader"]) or ledger.reader(event["reader"])
                readers[event["reader"]] = reader
                reader.welcome(event["topics"], messages, more=event["more"], at=event["at"])
            case "send":
                ledger.book(event["topic"], event["poster"]).send(event["at"])
            case "ack":
                ledger.book(event["topic"], event["poster"]).ack(event["seq"], event["id"])
            case "show":
                before = event["resumed_before"]
                outcomes = [
                    readers[event["reader"]].deliver(one, resumed_before=before)[0]
                    for one in messages
                ]
                assert outcomes == event["outcomes"], event
            case "position":
                reader = readers[event["reader"]]
                reader.position(confirmed=event["confirmed"], messages=messages)
            case "leave":
                readers[event["reader"]].attached = False
            case "history":
                histories[event["topic"]] = ledger.history(messages)
            case other:
                raise AssertionError(other)
    books = merge_books(unpack_books(pack_books(one.books)) for one in ledgers.values())
    packed = {topic: History.unpacked(one.packed()) for topic, one in histories.items()}
    canons, verdict = establish_all(books, packed, kept_messages=case["kept"])
    canons = unpack_canons(pack_canons(canons))
    strays: dict[str, list[str]] = {}
    for ledger in ledgers.values():
        verdict.merge(Verdict.unpacked(ledger.settle(canons).packed()))
        for topic, ids in ledger.strays(canons).items():
            strays[topic] = strays.get(topic, []) + ids
            verdict.gone(topic, set(ids) - set(case["again"].get(topic, [])))
    return verdict, strays


def test_the_files_are_what_the_cases_tell() -> None:
    """``python tests/cases.py`` writes them anew."""
    assert {p.name: p.read_text(encoding="utf-8") for p in cases.FOLDER.iterdir()} == cases.texts()


@pytest.mark.parametrize("name", FILES)
def test_golden(name: str) -> None:
    case = json.loads((cases.FOLDER / name).read_text(encoding="utf-8"))
    verdict, strays = replay(case)
    found = {one.name: getattr(verdict, one.name) for one in fields(Verdict)}
    examples = found.pop("examples")
    assert found == case["verdict"], (case["about"], examples)
    assert verdict.clean == case["clean"]
    assert strays == case["strays"]
    assert verdict.clean or examples, "a broken promise is shown by an example"
