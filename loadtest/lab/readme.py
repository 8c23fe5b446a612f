"""The README of a results folder: what was run, what it is worth, what it shows, how to repeat."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: Ledger words in the order of the table.
WORDS = (
    "sent",
    "acknowledged",
    "owed",
    "delivered",
    "lost",
    "duplicated",
    "reordered",
    "recovered",
    "unexpected",
    "vanished",
    "misnamed",
    "corrupt",
    "skipped",
    "indeterminate",
    "unproven",
    "gaps",
)


def markdown_table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; numbers to the right."""
    lines = ["| " + " | ".join(titles) + " |", "|" + " --- |" + " ---: |" * (len(titles) - 1)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def verdict_sentence(summary: Mapping[str, Any]) -> str:
    """What the run is worth, in a sentence."""
    return {
        "clean": "**Clean and valid**: every acknowledged message arrived exactly once, in order.",
        "GAPS": "**Valid, with announced gaps**: nothing is lost, but cursors were not honoured.",
        "BROKEN": "**BROKEN**: the ledger found losses, duplicates, disorder or strangers.",
        "INVALID": "**INVALID**: a gate did not hold, so the latencies below are worth nothing.",
    }.get(str(summary.get("outcome")), f"**{summary.get('outcome')}**: the run did not finish.")


def provenance_lines(provenance: Mapping[str, Any]) -> list[str]:
    """How to repeat it, and on what it was made."""
    lines = [
        "## How it was made",
        "",
        "```sh",
        str(provenance["command"]),
        "```",
        "",
        f"Seed {provenance['seed']}; {provenance['when']}; commit {provenance['commit']}"
        + (f", and {len(provenance['dirty'])} changed files" if provenance.get("dirty") else "")
        + ".",
        "",
    ]
    rows = [[name, value] for name, value in provenance["versions"].items()]
    digests = provenance.get("digests", {})
    rows += [[f"digest of the {name}", value] for name, value in digests.items()]
    rows += [[name, value] for name, value in provenance["machine"].items()]
    return [*lines, markdown_table(["what", "value"], rows), ""]


def users_of(scenario: Mapping[str, Any]) -> int:
    """Most users of a scenario at a time."""
    return max([int(stage["users"]) for stage in scenario["stages"]] or [int(scenario["users"])])


def cost_lines(summary: Mapping[str, Any]) -> list[str]:
    """What a delivery and a post cost in CPU; of runs on this machine."""
    if "cost" not in summary:
        return []
    rows = [[name.replace("_", " "), value] for name, value in summary["cost"].items()]
    return ["## What it cost", "", markdown_table(["what", "value"], rows), ""]


def run_readme(
    folder: Path,
    summary: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> None:
    """Write ``README.md`` of one run."""
    scenario = provenance["scenario"]
    ledger = summary["ledger"]
    rows = summary["rows_ms"]
    figures = ("count", "mean", "p50", "p95", "p99", "p99.9", "max")
    lines = [
        f"# {scenario['name']}: {users_of(scenario)} users, {scenario['replicas']} pod(s)",
        "",
        scenario["about"],
        "",
        verdict_sentence(summary),
        "",
        *([f"- {summary['gaps']}"] if summary.get("gaps") else []),
        *[f"- {text}" for text in summary["invalid_because"]],
        "",
        "## Delivery ledger",
        "",
        markdown_table(["what", "count"], [[w, f"{ledger[w]:,}"] for w in WORDS if w in ledger]),
        "",
        "## What people felt, ms",
        "",
        markdown_table(
            ["row", *figures],
            [[name, *(row.get(f, "") for f in figures)] for name, row in rows.items()],
        ),
        "",
        f"Posts/s {summary['throughput']['posts_per_s']}, deliveries/s "
        f"{summary['throughput']['deliveries_per_s']}, over {summary['measured_seconds']} s after "
        "the ramp-up.",
        "",
        *cost_lines(summary),
        "## Validity gates",
        "",
        markdown_table(
            ["gate", "value", "limit", "held"],
            [
                [
                    g["name"],
                    f"{g['value']:g} {g['unit']}",
                    f"{g['limit']:g} {g['unit']}",
                    "yes" if g["passed"] else "**NO**",
                ]
                for g in summary["gates"]
            ],
        ),
        "",
    ]
    if summary["failures"]:
        lines += [
            "## Failures",
            "",
            markdown_table(["what", "count"], [[k, v] for k, v in summary["failures"].items()]),
            "",
        ]
    if summary.get("faults"):
        lines += ["Done on purpose: " + "; ".join(f"{t} s {w}" for t, w in summary["faults"]), ""]
    lines += ["![charts over time](charts.svg)", ""]
    lines += provenance_lines(provenance)
    lines += [
        "Files: `summary.json` (everything), `series.csv` (per second), `histograms.csv` (every "
        "bucket), `rows.csv`, `ledger.csv`, `gates.csv`, `failures.csv`, `pods.csv`, "
        "`workers.csv`, `samples.csv` (CPU and memory), `report.html`, and Locust's own "
        "`locust*.csv` and `locust.html`.",
        "",
    ]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")


def index(results: Path) -> None:
    """Write ``results/README.md``: every run and search that is there, and what it is worth."""
    rows = []
    for path in sorted(results.glob("*/summary.json")):
        summary = json.loads(path.read_text(encoding="utf-8"))
        made_of = path.parent / "provenance.json"
        if not made_of.is_file():
            continue
        made = json.loads(made_of.read_text(encoding="utf-8"))
        deliver, ledger = summary["rows_ms"].get("deliver", {}), summary["ledger"]
        rows.append(
            [
                f"[{path.parent.name}]({path.parent.name})",
                users_of(made["scenario"]),
                made["scenario"]["replicas"],
                summary["rate"],
                made.get("where", "local"),
                summary["outcome"],
                f"{ledger['delivered']:,}",
                ledger["lost"] + ledger["duplicated"] + ledger["reordered"],
                summary["throughput"]["deliveries_per_s"],
                deliver.get("p50", ""),
                deliver.get("p99", ""),
            ]
        )
    titles = ["run", "people", "pods", "posts/s", "where", "outcome", "delivered"]
    titles += ["lost + dup. + reord.", "deliveries/s", "deliver p50, ms", "deliver p99, ms"]
    lines = [
        "# Results",
        "",
        "Runs of the load lab as data: `summary.json` (all figures), `provenance.json` (command, "
        "digests, machine, seed), `series.csv` (by second), `histograms.csv`, `samples.csv` (CPU "
        "and memory), and tables. `loadtest/run campaign` makes them, `loadtest/run analyse` draws "
        "charts and a README into each. The latencies of a run marked INVALID are worth nothing; "
        "its ledger is still an account.",
        "",
        markdown_table(titles, rows),
        "",
    ]
    for path in sorted(results.glob("*/capacity.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        pods = f"{found['pods']} pod" + ("s" if found["pods"] > 1 else "")
        lines += [f"[{path.parent.name}]({path.parent.name}), {pods}: {found['sentence']}", ""]
    lines += [
        "[costs](costs), [journey](journey): what an operation costs, and how long it takes.",
        "",
    ]
    (results / "README.md").write_text("\n".join(lines), encoding="utf-8")
