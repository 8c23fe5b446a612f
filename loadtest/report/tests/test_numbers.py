"""What the PDF says is what ``results/`` holds."""

from __future__ import annotations

import bisect
import csv
import re
from typing import Any

import pytest

from report.tests import data

#: A number in the PDF's text.
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def joined(text: str) -> str:
    """A text on one line, with words whole that were divided at the end of a line."""
    return re.sub(r"\s+", " ", re.sub(r"(?<=[a-z])[-‐]\s*\n\s*(?=[a-z])", "", text))


def one(pattern: str, text: str) -> str:
    """The only thing that a pattern finds in a text whose line breaks do not count."""
    found = re.findall(pattern, joined(text))
    assert len(found) == 1, f"{pattern}: {found}"
    return str(found[0])


def row_of(name: str, text: str) -> list[str]:
    """The numbers in a run's line of the table of all runs."""
    table = text[text.index("All runs at a glance") :]
    lines = [line for line in table.splitlines() if re.match(rf"\s*{re.escape(name)}\s", line)]
    assert lines, f"{name} is not in the report: run `make report`"
    return NUMBER.findall(lines[0].split(name, 1)[1])


RUNS = {name: (folder, summary) for name, folder, summary in data.runs()}
#: The runs of the first seed, and those of further ones by the name of the first.
FIRST = [name for name in RUNS if "-seed-" not in name]
SEVERAL = {
    name: [one for one in RUNS if re.fullmatch(rf"{name}(-seed-\d+)?", one)] for name in FIRST
}


def valid(summary: dict[str, Any]) -> bool:
    """Whether a run's latencies count."""
    return summary["outcome"] in ("clean", "GAPS")


@pytest.mark.parametrize("name", FIRST)
def test_every_run_is_in_the_table_with_its_own_figures(name: str, text: str) -> None:
    folder, summary = RUNS[name]
    rows, ledger = data.table(folder / "rows.csv"), data.ledger(folder)
    shown = row_of(name, text)
    for row, figure in (("deliver", "p50_ms"), ("deliver", "p99_ms"), ("ack", "p99_ms")):
        meant = float(rows[row][figure])
        there = any(data.close(number, meant) for number in shown)
        assert there or not valid(summary), (row, figure, meant, shown)
    # people, pods, posts/s, deliveries/s; four latencies only where they count
    assert len(shown) == (13 if valid(summary) else 9), shown
    assert str(ledger["delivered"]) in shown
    # lost / twice / out of order, in this order and side by side
    trio = [str(ledger[word]) for word in ("lost", "duplicated", "reordered")]
    assert any(shown[at : at + 3] == trio for at in range(len(shown))), (trio, shown)


@pytest.mark.parametrize("name", [name for name, runs in SEVERAL.items() if len(runs) > 1])
def test_runs_with_several_seeds_are_in_the_table_of_the_spread(name: str, text: str) -> None:
    table = text[text.index("Spread.") : text.index("A.3 Locust")]
    lines = [line for line in table.splitlines() if re.match(rf"\s*{re.escape(name)}\s", line)]
    assert len(lines) == 1, "run `make report`"
    shown = NUMBER.findall(lines[0].replace(",", "").split(name, 1)[1])
    good = [RUNS[one] for one in SEVERAL[name] if valid(RUNS[one][1])]
    assert shown[:2] == [str(len(SEVERAL[name])), str(len(good))]
    for row, figure, at in (
        ("deliver", "p50_ms", 5),
        ("deliver", "p99_ms", 8),
        ("ack", "p99_ms", 11),
    ):
        found = sorted(float(data.table(folder / "rows.csv")[row][figure]) for folder, _ in good)
        meant = (found[(len(found) - 1) // 2], found[0], found[-1])
        triple = shown[at : at + 3]
        assert all(map(data.close, triple, meant)), (row, figure, meant, shown)
    everybody = [data.ledger(RUNS[one][0]) for one in SEVERAL[name]]
    assert shown[-2:] == [
        str(sum(one[word] for one in everybody)) for word in ("delivered", "lost")
    ]


@pytest.mark.parametrize("name", [name for name in FIRST if name == "soak"])
def test_what_an_hour_left_behind_is_what_was_sampled(name: str, text: str) -> None:
    with (RUNS[name][0] / "samples.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if re.fullmatch(r"pod-\d+", row["what"])]
    begin, end = float(rows[0]["second"]), float(rows[-1]["second"])
    for column, what in (("memory_mb", "memory"), ("goroutines", "goroutines")):
        line = one(rf"{what} of a chat pod ([\d.]+(?: MB)? [\d.]+)", text)
        for number, (low, high) in zip(NUMBER.findall(line), ((0.1, 0.2), (0.9, 1)), strict=True):
            found = [
                float(row[column])
                for row in rows
                if row[column] and low <= (float(row["second"]) - begin) / (end - begin) <= high
            ]
            assert data.close(number, sum(found) / len(found)), (what, number)


def test_the_abstract_adds_up_the_valid_runs(text: str) -> None:
    good = [folder for folder, summary in RUNS.values() if valid(summary)]
    if not good:
        assert "No valid run through the deployed system" in joined(text)
        return
    assert one(r"in (\d+) valid runs", text) == str(len(good))
    for word, pattern in (
        ("acknowledged", r"(\d+) acknowledged messages made"),
        ("owed", r"made (\d+) deliveries due"),
        ("delivered", r"due; (\d+) were counted"),
        ("lost", r"counted, (\d+) were lost"),
        ("vanished", r"were lost, (\d+) acknowledged messages had vanished"),
        ("duplicated", r"from the log, (\d+) deliveries came twice"),
    ):
        assert one(pattern, text) == str(sum(data.ledger(folder)[word] for folder in good)), word


@pytest.mark.parametrize(
    ("name", "found"), [one for one in data.searches() if one[1]["generator"] == "go"]
)
def test_capacity_is_that_of_the_search(name: str, found: dict[str, Any], text: str) -> None:
    tries: dict[float, list[bool]] = {}
    for step in found["steps"]:
        tries.setdefault(step["rate"], []).append(step["held"])
    twice = {
        held: [r for r, all_ in tries.items() if all_.count(held) > 1] for held in (True, False)
    }
    pods = "1 chat pod" if found["pods"] == 1 else f"{found['pods']} chat pods"
    if not twice[True]:
        assert found["held"] is None and f"Capacity with {pods}" not in joined(text)
        return
    assert found["held"] == max(twice[True]), name
    stated = one(rf"Capacity with {pods}: (?:at least )?([\d.]+) posts/s", text)
    assert data.close(stated, found["held"])
    sure = found["who"] == "objective" and found["failed"] is not None
    assert (f"Capacity with {pods}: at least" in joined(text)) != sure
    if found["failed"] is not None:
        assert found["failed"] == min(r for r in twice[False] if r > found["held"])


@pytest.mark.parametrize(
    "found", [one for _, one in data.searches() if one["generator"] == "python" and one["held"]]
)
def test_what_a_worker_in_python_carries_is_that_of_its_search(
    found: dict[str, Any], text: str
) -> None:
    stated = one(r"people on it ([\d.]+) posts/s held twice", text)
    assert data.close(stated, found["held"])
    held = [step["rate"] for step in found["steps"] if step["held"]]
    assert held.count(found["held"]) > 1


@pytest.mark.parametrize("name", [name for name in FIRST if RUNS[name][1].get("faults")])
def test_what_was_broken_is_told_with_its_instants(name: str, text: str) -> None:
    plain = joined(text).replace("\u2010", "-")  # the report's hyphens are typographic
    for at, what in RUNS[name][1]["faults"]:
        found = re.findall(rf"{re.escape(what)} at ([\d.]+) s", plain)
        assert any(data.close(number, at) for number in found), (what, at, found)


def test_every_number_of_a_run_is_one_of_its_data(text: str) -> None:
    """Whatever is said with a unit or about a ledger in the runs' part is a figure of some run."""
    start, end = text.index("A.4 Number of people"), text.index("A.10 Conditions")
    every: set[float] = {250.0}
    for path in [*data.RESULTS.rglob("*.json"), *data.RESULTS.rglob("*.csv")]:
        if path.name != "histograms.csv":
            digits = NUMBER.findall(path.read_text(encoding="utf-8"))
            every |= {float(number) for number in digits}
    known = sorted(every)
    said = re.findall(
        r"([\d.]+) (?:ms|µs|posts/s|deliveries per second)\b", joined(text[start:end])
    )
    for number in said:
        meant = float(number)
        at = bisect.bisect_left(known, meant)
        near = known[max(0, at - 2) : at + 2]
        assert any(data.close(number, value) for value in near), (number, near)


def test_costs_are_the_medians_of_the_rounds(text: str) -> None:
    memory = one(r"([\d.]+) KiB for an idle connection", text)
    assert data.close(memory, data.footprint("chat", "bytes_per_idle_connection") / 1024)
    example = one(r"subscription and outbox, against ([\d.]+) KiB", text)
    assert data.close(example, data.footprint("example", "bytes_per_idle_connection") / 1024)
    burst = one(r"([\d.]+) µs of processor time for each delivery in bursts", text)
    assert data.close(burst, data.footprint("chat", "cpu_us_per_delivery_burst"))


def test_redis_costs_are_those_of_the_benchmark(text: str) -> None:
    name = "BenchmarkAppend/topics=1/batch=64/tails=3"
    ratio = one(r"([\d.]+) × the bare pipelined XADD", text)
    assert data.close(ratio, data.benchmark(name, "×raw-xadd"), 0.05)
    micros = one(r"\(one to an append\) to ([\d.]+) µs", text)
    assert data.close(micros, data.benchmark(name, "redis-µs/msg"))


def test_the_journey_is_that_of_the_messages(text: str) -> None:
    shown = one(r"another person's screen a message takes ([\d.]+) ms \(median\)", text)
    assert data.close(shown, data.median_hop("shown"))
    sent = one(r"the post frame leaves after ([\d.]+) ms", text)
    assert data.close(sent, data.median_hop("sent"))
