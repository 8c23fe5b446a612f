"""What a run leaves on disk: CSV of everything, a JSON summary, one HTML report.

Each file is written beside its final name and then renamed, so whoever looks finds a whole one, and
a run that is killed leaves its last partial state.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from chatload.timing import ROWS, Series

#: Where the report's script lives; the Chat tab serves the same file.
SCRIPT = Path(__file__).parent / "static/chat.js"
#: Percentile columns of the series.
_SERIES_PERCENTILES = (50.0, 95.0, 99.0)
#: Rows that the series shows over time.
_SERIES_ROWS = ("deliver", "ack", "connect", "resume", "history", "page", "loop_lag")

#: What is (not what happens): gauge → column.
_GAUGES = (
    ("users", "users"),
    ("sockets", "sockets"),
    ("posts_in_flight", "posts_in_flight"),
    ("cpu", "worker_cpu_percent_sum"),
)


def series_table(series: Series) -> list[dict[str, float]]:
    """The run over time, one record a slot. ``second`` is the slot's beginning; rates are per
    second, times in milliseconds; a percentile of nothing is absent."""
    table = []
    for second, slot in series.items():
        width = series.width
        record: dict[str, float] = {
            "second": second,
            "posts_per_s": slot.counters.get("posts", 0) / width,
            "acks_per_s": slot.counters.get("acks", 0) / width,
            "deliveries_per_s": slot.counters.get("deliveries", 0) / width,
            "ramp": int(any(name.endswith("_ramp") for name in slot.rows)),
            "failures": sum(n for name, n in slot.counters.items() if name.startswith("fail ")),
        }
        # Absent, not 0, in a stretch that no worker has ended (the last one, while draining).
        for gauge, column in _GAUGES:
            if gauge in slot.gauges:
                record[column] = round(slot.gauges[gauge], 4)
        for name in _SERIES_ROWS:
            histogram = slot.rows.get(name) or slot.rows.get(f"{name}_ramp")
            if histogram is None or not histogram.count:
                continue
            for percent in _SERIES_PERCENTILES:
                value = histogram.percentile(percent) / 1000
                record[f"{name}_p{percent:g}_ms"] = round(value, 3)
            record[f"{name}_max_ms"] = round(histogram.high / 1000, 3)
        table.append(record)
    return table


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV text."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def gates_text(summary: Mapping[str, Any]) -> str:
    """The gates as CSV."""
    columns = ("name", "value", "limit", "unit", "passed")
    return csv_text(
        ["gate", *columns[1:]], ([gate[c] for c in columns] for gate in summary["gates"])
    )


def files(summary: Mapping[str, Any], series: Series) -> dict[str, str]:
    """Name → text of every artefact."""
    table = series_table(series)
    columns = list(dict.fromkeys(key for record in table for key in record)) or ["second"]
    rows = summary["rows_ms"]
    figures = list(dict.fromkeys(key for row in rows.values() for key in row)) or ["count"]
    counted = {**summary["ledger"], **(summary.get("people") or {})}
    ledger = {k: v for k, v in counted.items() if k != "examples"}
    return {
        "summary.json": json.dumps(summary, indent=1, sort_keys=False) + "\n",
        "series.csv": csv_text(columns, ([r.get(c, "") for c in columns] for r in table)),
        "rows.csv": csv_text(
            ["row", *(f if f == "count" else f"{f}_ms" for f in figures)],
            ([name, *(row.get(f, "") for f in figures)] for name, row in rows.items()),
        ),
        "histograms.csv": csv_text(
            ["row", "from_us", "below_us", "count"],
            (
                (name, low, high, count)
                for name in ROWS
                if name in series.total.rows
                for low, high, count in series.total.rows[name].buckets()
            ),
        ),
        "ledger.csv": csv_text(["what", "count"], ledger.items()),
        "gates.csv": gates_text(summary),
        "failures.csv": csv_text(["failure", "count"], summary["failures"].items()),
        "pods.csv": csv_text(["pod", "connections"], summary["pods"].items()),
        "workers.csv": workers_text(summary),
        "report.html": report(summary, table),
    }


def workers_text(summary: Mapping[str, Any]) -> str:
    """``workers.csv``: each worker's CPU in the last second, and what its deliveries have cost."""
    header = ["worker", "cpu_percent", "generator", "probe", "cpu_seconds", "deliveries"]
    header.append("us_per_delivery")
    lines = []
    for worker, percent in summary["worker_cpu_percent"].items():
        cost = summary["worker_cost"][worker]
        each = cost["cpu_seconds"] * 1e6 / cost["deliveries"] if cost["deliveries"] else 0.0
        lines.append([worker, round(percent, 1), *cost.values(), round(each, 2)])
    return csv_text(header, lines)


def report(summary: Mapping[str, Any], table: list[dict[str, float]]) -> str:
    """One HTML page that needs nothing else: the data and the script that draws it."""
    data = json.dumps({"summary": summary, "series": table}).replace("<", "\\u003c")
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Load run {summary['run']}</title>\n"
        '<body><main id="chat-report"></main>\n'
        f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>\n"
        f'<script>chatLab.report(document.getElementById("chat-report"), {data});</script>'
        "</body></html>\n"
    )


def write_artefacts(folder: str, summary: Mapping[str, Any], series: Series) -> None:
    """Write every artefact into ``folder``, made if it is not there. Raises OSError."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files(summary, series).items():
        part = place / f".{name}.part"
        part.write_text(text, encoding="utf-8")
        os.replace(part, place / name)
