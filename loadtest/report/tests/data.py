"""The measured data, read for the tests without the builder's code."""

from __future__ import annotations

import atexit
import csv
import json
import re
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


def snapshot() -> Path:
    """A copy of what ``results/`` holds now, so that runs under way do not come in between."""
    place = Path(tempfile.mkdtemp(prefix="report-results-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    leave_out = shutil.ignore_patterns("*.html", "*.svg", ".*.part")
    shutil.copytree(ROOT / "results", place / "results", ignore=leave_out)
    return place / "results"


RESULTS = snapshot()


def table(path: Path) -> dict[str, dict[str, str]]:
    """A CSV file by its first column."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {next(iter(row.values())): row for row in rows}


def runs() -> Iterator[tuple[str, Path, dict[str, Any]]]:
    """(name, folder, summary) of every finished run that stands alone."""
    for path in sorted(RESULTS.glob("*/summary.json")):
        if (path.parent / "provenance.json").is_file():
            yield path.parent.name, path.parent, json.loads(path.read_text(encoding="utf-8"))


def ledger(folder: Path) -> dict[str, int]:
    """A run's ledger from its table."""
    return {name: int(row["count"]) for name, row in table(folder / "ledger.csv").items()}


def footprint(server: str, figure: str) -> float:
    """The median of a figure over the rounds of a server."""
    return statistics.median(rounds(server, figure))


def rounds(server: str, figure: str) -> list[float]:
    """A figure in each round of a server."""
    body = json.loads((RESULTS / "costs/footprint.json").read_text(encoding="utf-8"))
    return [float(one[figure]) for one in body[server]]


def benchmark(name: str, unit: str) -> float:
    """A figure that ``go test -bench`` printed."""
    text = (RESULTS / "costs/redis.txt").read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(name)}(?:-\d+)?\s.*?([\d.]+) {re.escape(unit)}", text, re.M)
    assert found, f"no {name} in results/costs/redis.txt"
    return float(found[1])


def searches() -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, body) of every capacity search."""
    for path in sorted(RESULTS.glob("*/capacity.json")):
        yield path.parent.name, json.loads(path.read_text(encoding="utf-8"))


def median_hop(hop: str) -> float:
    """Median milliseconds from the key press to a hop (the lower of two middles)."""
    with (RESULTS / "journey/hops.csv").open(newline="", encoding="utf-8") as file:
        values = sorted(float(row[f"{hop}_ms"]) for row in csv.DictReader(file))
    return values[(len(values) - 1) // 2]


def close(shown: str, meant: float, share: float = 0.006) -> bool:
    """Whether a number in the text is the measured one, rounded to three digits."""
    return abs(float(shown.replace(",", "")) - meant) <= share * abs(meant) + 1e-9
