"""What the PDF says is what ``results/`` holds."""

from __future__ import annotations

import re

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


@pytest.mark.parametrize("name", [name for name, _, _ in data.runs()])
def test_every_run_is_in_the_table_with_its_own_figures(name: str, text: str) -> None:
    folder = data.RESULTS / name
    rows, ledger = data.table(folder / "rows.csv"), data.ledger(folder)
    shown = row_of(name, text)
    for row, figure in (("deliver", "p50_ms"), ("deliver", "p99_ms"), ("ack", "p99_ms")):
        if row in rows:
            meant = float(rows[row][figure])
            assert any(data.close(number, meant) for number in shown), (row, figure, meant, shown)
    assert str(ledger["delivered"]) in shown
    # lost / twice / out of order, in this order and side by side
    trio = [str(ledger[word]) for word in ("lost", "duplicated", "reordered")]
    assert any(shown[at : at + 3] == trio for at in range(len(shown))), (trio, shown)


def test_the_abstract_adds_up_the_clean_runs(text: str) -> None:
    clean = [
        folder
        for folder in data.all_folders()
        if all(row["passed"] == "True" for row in data.table(folder / "gates.csv").values())
        and not any(data.ledger(folder)[word] for word in ("lost", "duplicated", "reordered"))
    ]
    if not clean:
        assert "No valid run of the load lab" in joined(text)
        return
    assert one(r"in (\d+) valid runs", text) == str(len(clean))
    delivered = sum(data.ledger(folder)["delivered"] for folder in clean)
    assert one(r"(\d+) deliveries were counted", text) == str(delivered)
    lost = sum(data.ledger(folder)["lost"] for folder in clean)
    assert one(r"counted, (\d+) messages were lost", text) == str(lost)


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


def test_what_was_not_made_is_said(text: str) -> None:
    commands = [
        (folder / "provenance.json").read_text(encoding="utf-8") for folder in data.all_folders()
    ]
    if not any("--where cluster" in command for command in commands):
        assert "No load run of this report was made on a Kubernetes cluster" in joined(text)
