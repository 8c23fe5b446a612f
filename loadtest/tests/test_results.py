"""``results/`` is data, small, and has an index that is true."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lab import readme, results

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results"
#: Most bytes of everything that is kept there.
MOST = 10_000_000
#: What is drawn from the data, and is made again by ``loadtest/run analyse``.
DRAWN = {"charts.svg", "report.html", "README.md"}


def kept() -> list[Path]:
    """The files of ``results/`` that git keeps, or would."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "results"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in done.stdout.splitlines() if (path := ROOT / name).is_file()]


def test_results_are_small() -> None:
    size = sum(path.stat().st_size for path in kept())
    assert size <= MOST, f"{size:,} bytes"


def test_results_are_data() -> None:
    drawn = [path for path in kept() if path.name in DRAWN and path.parent != RESULTS]
    assert not drawn


def test_locusts_pages_are_those_that_the_report_shows() -> None:
    pages = {path.parent for path in kept() if path.name == "locust.html"}
    shown = {path.parent for path in kept() if path.name == "locust-charts.png"}
    assert pages == shown, "loadtest/run report native makes the pictures"


def test_the_index_is_what_the_command_would_write(tmp_path: Path) -> None:
    for path in kept():
        if path.name in ("summary.json", "provenance.json", "capacity.json"):
            copy = tmp_path / path.relative_to(RESULTS)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    readme.index(tmp_path)
    assert (tmp_path / "README.md").read_text() == (RESULTS / "README.md").read_text()


def test_the_spread_of_a_run_is_that_of_its_valid_seeds(tmp_path: Path) -> None:
    def run(name: str, p99: float, outcome: str = "clean") -> results.Run:
        return results.Run(
            name, tmp_path, {"outcome": outcome, "rows_ms": {"deliver": {"p99": p99}}}, {}
        )

    made = [run("room", 3), run("room-seed-2", 1), run("room-seed-3", 90, "INVALID"), run("far", 7)]
    found = results.Results(tmp_path, {one.name: one for one in made}, {}, None, None).spread()
    assert [(one.name, len(one.runs), len(one.valid)) for one in found] == [("room", 3, 2)]
    assert found[0].ms("deliver", "p99") == (1, 1, 3)
    assert found[0].ms("ack", "p99") is None
