"""Filters, against the golden cases of the Go service."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from chatload import filters

GOLDEN = Path(__file__).parents[2] / "chat/internal/filter/testdata/filters.json"


def golden(part: str) -> list[dict[str, Any]]:
    if not GOLDEN.exists():  # a docker context has none, the repository does
        return []
    found = json.loads(GOLDEN.read_text())[part]
    assert isinstance(found, list) and found
    return found


@pytest.mark.parametrize("case", golden("parse"), ids=lambda case: case["filter"][:40])
def test_parse(case: dict[str, Any]) -> None:
    if "at" in case:
        with pytest.raises(filters.FilterError) as caught:
            filters.parse(case["filter"])
        assert (caught.value.at, caught.value.expected) == (case["at"], case["expected"])
    else:
        assert (filters.parse(case["filter"]) is None) == case.get("blank", False)
    if canonical := case.get("canonical"):
        filters.parse(canonical)


def milliseconds(text: str) -> int:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


@pytest.mark.parametrize("case", golden("match"), ids=lambda case: case["filter"])
def test_match(case: dict[str, Any]) -> None:
    now = milliseconds(case["now"]) if "now" in case else 0
    reader = filters.Reader(case.get("account", ""), now)
    match = filters.parse(case["filter"])
    assert match is not None
    for wanted, messages in ((True, case["yes"]), (False, case["no"])):
        for fields in messages:
            if "time" in fields:
                fields["time"] = milliseconds(fields["time"])
            assert match(filters.Message(**fields), reader) is wanted, fields
