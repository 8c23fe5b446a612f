"""The rules of text, against the golden cases of the Go service."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from chatload import text

GOLDEN = Path(__file__).parents[2] / "chat/internal/chat/testdata"


def golden(name: str) -> dict[str, Any]:
    """One file of cases."""
    found: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return found


def test_lines() -> None:
    body = golden("line")
    wrong = [c["name"] for c in body["cases"] if text.line(c["text"], body["limit"]) != c["line"]]
    assert wrong == [] and len(body["cases"]) > 50


def test_blank() -> None:
    body = golden("blank")
    assert [c for c in body["cases"] if text.blank(c["text"]) != c["blank"]] == []
    ranges = {n for low, high in body["invisible"] for n in range(low, high + 1)}
    assert {n for n in range(sys.maxunicode + 1) if text.invisible(chr(n))} == ranges


def test_addresses() -> None:
    body = golden("address")
    assert [c for c in body["cases"] if text.address(c["address"]) != c["valid"]] == []
    assert [c for c in body["same"] if text.same_address(c["a"], c["b"]) != c["same"]] == []


def test_what_is_kept_is_what_the_contract_allows() -> None:
    assert text.broken("tea", "Ann", "ann@example.org", "hello") == ""
    assert "topic" in text.broken(" tea", "Ann", "ann@example.org", "hello")
    assert "name" in text.broken("tea", "A\u202enn", "ann@example.org", "hello")
    assert "email" in text.broken("tea", "Ann", "ann", "hello")
    assert "content" in text.broken("tea", "Ann", "ann@example.org", "\u2800")
