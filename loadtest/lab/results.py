"""What is in ``results/``: read once, typed, never changed.

A folder with ``summary.json`` and ``provenance.json`` is a run; with ``capacity.json`` a capacity
search. ``costs`` and ``journey`` are made by ``report.measure``.
"""

from __future__ import annotations

import csv
import json
import math
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lab.capacity import REASONS

Record = Mapping[str, float]


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that at least ``percent`` % of all did not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def read_json(path: Path) -> Any:
    """A decoded JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_csv(path: Path) -> list[dict[str, str]]:
    """The records of a CSV file as text; none when there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def numbers(records: Iterable[Mapping[str, str]]) -> list[dict[str, float]]:
    """The numeric fields of each record; what is empty or text is absent."""
    out = []
    for record in records:
        made = {}
        for key, value in record.items():
            try:
                made[key] = float(value)
            except (TypeError, ValueError):
                continue
        out.append(made)
    return out


@dataclass(frozen=True)
class Run:
    """One run of the load lab. ``name``: its folder, relative to ``results/``."""

    name: str
    path: Path
    summary: Mapping[str, Any]
    provenance: Mapping[str, Any]

    @property
    def scenario(self) -> Mapping[str, Any]:
        """The scenario as it was run."""
        found: Mapping[str, Any] = self.provenance["scenario"]
        return found

    @property
    def kind(self) -> str:
        """The scenario's name."""
        return str(self.scenario["name"])

    @property
    def where(self) -> str:
        """``cluster`` or ``local``."""
        return str(self.provenance.get("where", "local"))

    @property
    def valid(self) -> bool:
        """Whether its figures count: no gate failed, and nothing was lost."""
        return self.outcome in ("clean", "GAPS")

    def gate(self, name: str) -> float | None:
        """What a gate saw; None when there is none of that name."""
        return next((g["value"] for g in self.summary["gates"] if g["name"] == name), None)

    @property
    def replicas(self) -> int:
        """Chat pods at the start."""
        return int(self.scenario["replicas"])

    @property
    def users(self) -> int:
        """The most people at once."""
        stages = self.scenario.get("stages") or []
        return int(max((stage["users"] for stage in stages), default=self.scenario["users"]))

    @property
    def rate(self) -> float:
        """Posts a second that were asked for (the highest of the stages)."""
        stages = self.scenario.get("stages") or []
        return float(
            max(
                (stage.get("rate", 0) for stage in stages),
                default=self.summary["options"].get("rate", 0),
            )
        )

    @property
    def option(self) -> Mapping[str, Any]:
        """The settings of the load."""
        found: Mapping[str, Any] = self.summary["options"]
        return found

    @property
    def outcome(self) -> str:
        """``clean``, ``BROKEN``, ``INVALID``, or a state in which it was interrupted."""
        return str(self.summary["outcome"])

    @property
    def ledger(self) -> Mapping[str, int]:
        """The delivery ledger."""
        found: Mapping[str, int] = self.summary["ledger"]
        return found

    def ms(self, row: str, figure: str) -> float | None:
        """A figure of a latency row, e.g. ``ms("deliver", "p99")``; None when there is none."""
        value = self.summary["rows_ms"].get(row, {}).get(figure)
        return None if value is None else float(value)

    def through(self, what: str) -> float:
        """``posts_per_s`` or ``deliveries_per_s`` after the ramp-up."""
        return float(self.summary["throughput"][what])

    def cost(self, what: str) -> float | None:
        """A cost per operation; None where it could not be taken."""
        value = self.summary.get("cost", {}).get(what)
        return None if value is None else float(value)

    @cached_property
    def series(self) -> list[dict[str, float]]:
        """The run over time, one record a second."""
        return numbers(read_csv(self.path / "series.csv"))

    @cached_property
    def samples(self) -> dict[str, list[tuple[float, float]]]:
        """Pod or ``redis`` → (second, CPU percent of a core). The sample at the very end stands
        for a moment only, and is left out."""
        out: dict[str, list[tuple[float, float]]] = {}
        for row in read_csv(self.path / "samples.csv"):
            points, second = out.setdefault(row["what"], []), float(row["second"])
            if row.get("cpu_percent") and (not points or second - points[-1][0] > 1):
                points.append((second, float(row["cpu_percent"])))
        return out

    @cached_property
    def locust(self) -> list[dict[str, float]]:
        """Locust's own history, all request types together, with ``second`` since its start."""
        rows = [r for r in read_csv(self.path / "locust_stats_history.csv") if _aggregated(r)]
        out = numbers(rows)
        begin = min((row["Timestamp"] for row in out), default=0.0)
        return [{**row, "second": row["Timestamp"] - begin} for row in out]

    def request(self, column: str) -> float | None:
        """A figure of Locust's own table, over all requests."""
        rows = numbers(r for r in read_csv(self.path / "locust_stats.csv") if _aggregated(r))
        return rows[0].get(column) if rows else None

    @property
    def workers(self) -> list[dict[str, Any]]:
        """What each worker's deliveries cost: ``generator``, ``probe``, ``deliveries``,
        ``us_per_delivery``."""
        return [
            {
                "generator": row["generator"],
                "probe": row["probe"] == "True",
                "deliveries": float(row["deliveries"]),
                "us_per_delivery": float(row["us_per_delivery"]),
            }
            for row in read_csv(self.path / "workers.csv")
        ]

    @property
    def faults(self) -> list[tuple[float, str]]:
        """(second, what was done) of everything done on purpose."""
        return [(float(at), str(text)) for at, text in self.summary.get("faults") or []]

    def longest_silence(self) -> float | None:
        """Most seconds in a row without a single delivery, after the first; from ``series``."""
        counts = [row.get("deliveries_per_s", 0.0) for row in self.series]
        while counts and counts[0] == 0:
            counts.pop(0)
        while counts and counts[-1] == 0:
            counts.pop()
        longest = now = 0
        for count in counts:
            now = now + 1 if count == 0 else 0
            longest = max(longest, now)
        return float(longest) if counts else None

    def worst(self, column: str) -> tuple[float, float] | None:
        """(second, value) of a series column's greatest value after the ramp-up."""
        points = [
            (row["second"], row[column])
            for row in self.series
            if column in row and not row.get("ramp")
        ]
        return max(points, key=lambda point: point[1]) if points else None


#: What the folder of a run with a further seed has after the run's name, before the seed.
AGAIN = "-seed-"


@dataclass(frozen=True)
class Spread:
    """The same run with several seeds. Only valid runs have figures that count."""

    name: str
    runs: Sequence[Run]

    @property
    def valid(self) -> list[Run]:
        """Those whose figures count."""
        return [run for run in self.runs if run.valid]

    def of(self, take: Callable[[Run], float | None]) -> tuple[float, float, float] | None:
        """Median, least and greatest of a figure over the valid runs; None when none has it."""
        values = [value for run in self.valid if (value := take(run)) is not None]
        # Of an even number the lower of the two in the middle: a figure that was measured.
        return (statistics.median_low(values), min(values), max(values)) if values else None

    def ms(self, row: str, figure: str) -> tuple[float, float, float] | None:
        """Of a figure of a latency row."""
        return self.of(lambda run: run.ms(row, figure))

    def through(self, what: str) -> tuple[float, float, float] | None:
        """Of a figure of throughput."""
        return self.of(lambda run: run.through(what))

    def cost(self, what: str) -> tuple[float, float, float] | None:
        """Of a cost per operation."""
        return self.of(lambda run: run.cost(what))


def _aggregated(row: Mapping[str, str]) -> bool:
    return row.get("Name") == "Aggregated"


@dataclass(frozen=True)
class Search:
    """A capacity search. held: the highest rate that held twice; failed: the lowest above it that
    failed twice; both in posts/s, None while unknown. who: what failed there. complete: the search
    came to its end. people, pods, generator: of each run. objective_ms: greatest deliver p99."""

    name: str
    held: float | None
    failed: float | None
    who: str
    complete: bool
    people: int
    pods: int
    generator: str
    objective_ms: float
    sentence: str
    steps: Sequence[Mapping[str, Any]]
    runs: Sequence[Run] = field(default_factory=list)

    @property
    def sure(self) -> bool:
        """Whether what failed above the rate that held was the chat: else it is "at least"."""
        return self.who == "objective" and self.failed is not None

    @property
    def reason(self) -> str:
        """What failed at the lowest rate that failed twice, in words."""
        return REASONS[self.who]

    def holding(self) -> list[Run]:
        """The runs that held at the highest rate that held twice; others there may have failed."""
        folders = {one["folder"] for one in self.steps if one["held"] and one["rate"] == self.held}
        return [run for run in self.runs if run.path.name in folders]


@dataclass(frozen=True)
class Journey:
    """Milliseconds since the key press of each message at each hop."""

    hops: Mapping[str, Sequence[float]]
    provenance: Mapping[str, Any]

    def between(self, first: str, second: str) -> list[float]:
        """Milliseconds from one hop to another, each message; ``key`` is the key press."""
        later = self.hops[second]
        earlier = self.hops[first] if first != "key" else [0.0] * len(later)
        return [b - a for a, b in zip(earlier, later, strict=True)]


@dataclass(frozen=True)
class Costs:
    """Costs per operation beside something to compare with. ``rounds``: server → rounds."""

    rounds: Mapping[str, Sequence[Mapping[str, float]]]
    benchmarks: Mapping[str, Mapping[str, float]]
    provenance: Mapping[str, Any]

    def median(self, server: str, figure: str) -> float:
        """The median of a figure over a server's rounds."""
        return statistics.median(one[figure] for one in self.rounds[server])


@dataclass(frozen=True)
class Results:
    """Everything there is."""

    root: Path
    #: Runs that stand alone, by name; the steps of searches stand with these.
    runs: Mapping[str, Run]
    searches: Mapping[str, Search]
    journey: Journey | None
    costs: Costs | None

    def some(self, *names: str) -> list[Run]:
        """Those of some runs that are there, in the order asked for."""
        return [self.runs[name] for name in names if name in self.runs]

    def spread(self) -> list[Spread]:
        """The runs that were made with more than one seed, in the order of their names."""
        found: dict[str, list[Run]] = {}
        for run in self.runs.values():
            found.setdefault(run.name.partition(AGAIN)[0], []).append(run)
        return [Spread(name, runs) for name, runs in found.items() if len(runs) > 1]

    @property
    def newest(self) -> str:
        """The latest instant at which anything was measured, RFC 3339."""
        every = [*self.runs.values(), *(run for one in self.searches.values() for run in one.runs)]
        stamps = [str(run.provenance["when"]) for run in every]
        stamps += [str(one.provenance["when"]) for one in (self.journey, self.costs) if one]
        return max(stamps, default="1980-01-01T00:00:00Z")


#: A line of ``go test -bench``: name, iterations, then pairs of value and unit.
_BENCH = re.compile(r"^(Benchmark\S+?)(?:-\d+)?\s+\d+\s+(.+)$")


def benchmarks(text: str) -> dict[str, dict[str, float]]:
    """What ``go test -bench`` printed: name → unit → value."""
    out: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        found = _BENCH.match(line)
        if found:
            words = found[2].split()
            pairs = zip(words[::2], words[1::2], strict=True)
            out[found[1]] = {unit: float(value) for value, unit in pairs}
    return out


def run_of(folder: Path, name: str) -> Run | None:
    """The run of a folder; None when its files are not complete (it is under way)."""
    try:
        summary, provenance = (
            read_json(folder / "summary.json"),
            read_json(folder / "provenance.json"),
        )
    except OSError:
        return None
    return Run(name, folder, summary, provenance)


def load(root: Path) -> Results:
    """Read ``results/``."""
    runs = {}
    for path in sorted(root.glob("*/summary.json")):
        run = run_of(path.parent, path.parent.name)
        if run is not None:
            runs[run.name] = run
    searches = {}
    for path in sorted(root.glob("*/capacity.json")):
        body, place = read_json(path), path.parent
        parts = [run_of(place / step["folder"], step["folder"]) for step in body["steps"]]
        searches[place.name] = Search(place.name, runs=[run for run in parts if run], **body)
    journey = costs = None
    if (root / "journey/made.json").is_file():
        rows = numbers(read_csv(root / "journey/hops.csv"))
        hops = {
            key.removesuffix("_ms"): [row[key] for row in rows]
            for key in rows[0]
            if key != "message"
        }
        journey = Journey(hops, read_json(root / "journey/made.json"))
    if (root / "costs/made.json").is_file():
        costs = Costs(
            read_json(root / "costs/footprint.json"),
            benchmarks((root / "costs/redis.txt").read_text(encoding="utf-8")),
            read_json(root / "costs/made.json"),
        )
    return Results(root, runs, searches, journey, costs)
