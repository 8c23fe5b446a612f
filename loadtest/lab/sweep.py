"""Many runs, one model: replicas × users × rate, Little's law on each, the USL over them."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab import charts, usl
from lab.experiment import run, say
from lab.readme import markdown_table
from lab.scenario import Scenario, changed


def little_check(summary: dict[str, Any]) -> float | None:
    """Little's law for posts of one plateau: throughput × mean time to ack ÷ posts in the system.

    Posts in the system are counted on their own, from sent and acknowledged over time (area
    between the two curves), so that this is a check and not a definition. 1 when it holds; None
    when there is nothing to check.
    """
    ack = summary["rows_ms"].get("ack")
    held = summary.get("posts_in_flight")
    if not ack or not held:
        return None
    return usl.little(summary["throughput"]["posts_per_s"], ack["mean"] / 1000, held)


def rounded(value: float | None) -> float | str:
    """A ratio for a table; empty when there is none."""
    return "" if value is None else round(value, 3)


def record(scenario: Scenario, summary: dict[str, Any]) -> dict[str, Any]:
    """One line of ``sweep.csv``."""
    deliver = summary["rows_ms"].get("deliver", {})
    ack = summary["rows_ms"].get("ack", {})
    return {
        "replicas": scenario.replicas,
        "users": scenario.users,
        "rate": scenario.options.get("rate", 0),
        "outcome": summary["outcome"],
        "posts_per_s": summary["throughput"]["posts_per_s"],
        "deliveries_per_s": summary["throughput"]["deliveries_per_s"],
        "deliver_p50_ms": deliver.get("p50", ""),
        "deliver_p99_ms": deliver.get("p99", ""),
        "ack_p50_ms": ack.get("p50", ""),
        "ack_p99_ms": ack.get("p99", ""),
        "chat_cpu_us_per_delivery": summary["cost"]["chat_cpu_us_per_delivery"],
        "redis_cpu_us_per_post": summary["cost"]["redis_cpu_us_per_post"],
        "worker_cpu_us_per_delivery": summary["cost"]["worker_cpu_us_per_delivery"],
        "lost": summary["ledger"]["lost"],
        "duplicated": summary["ledger"]["duplicated"],
        "reordered": summary["ledger"]["reordered"],
        "little": rounded(little_check(summary)),
    }


def run_sweep(
    base: Scenario,
    replicas: Sequence[int],
    users: Sequence[int],
    rates: Sequence[float],
    folder: Path,
    command: str,
) -> int:
    """Every combination, each into a folder of its own; then tables and the model. Returns the
    worst exit code."""
    rows, worst = [], 0
    combinations = list(itertools.product(replicas, users, rates))
    for number, (pods, people, rate) in enumerate(combinations, 1):
        scenario = changed(base, replicas=pods, users=people, options={"rate": rate})
        name = f"r{pods}-u{people}-p{rate:g}"
        say(f"[{number}/{len(combinations)}] {name}")
        outcome = run(scenario, folder / name, f"{command} # {name}")
        say(f"  {outcome.summary['outcome']}")
        worst = max(worst, outcome.exit_code)
        rows.append(record(scenario, outcome.summary))
        write_tables(folder, rows, base, command)
    return worst


def usl_points(rows: Sequence[dict[str, Any]]) -> tuple[str, str, list[tuple[float, float]]]:
    """What varies, the unit, and (concurrency, throughput) of the clean runs.

    The law is about throughput that concurrency limits. So closed loops (rate 0) count, over users;
    an open run's throughput is what was asked for, and counts only where replicas vary.
    """
    clean = [row for row in rows if row["outcome"] == "clean"]
    closed = [row for row in clean if not row["rate"]]
    if closed:
        points = [(float(row["users"]), float(row["posts_per_s"])) for row in closed]
        return "users", "posts/s", points
    points = [(float(row["replicas"]), float(row["deliveries_per_s"])) for row in clean]
    return "replicas", "deliveries/s", points


def write_tables(
    folder: Path, rows: Sequence[dict[str, Any]], base: Scenario, command: str
) -> None:
    """``sweep.csv``, ``sweep.json``, the README and, with enough points, the USL."""
    columns = list(rows[0])
    text = ",".join(columns) + "\n"
    text += "".join(",".join(str(row[c]) for c in columns) + "\n" for row in rows)
    (folder / "sweep.csv").write_text(text, encoding="utf-8")
    shown = ["replicas", "users", "rate", "outcome", "posts_per_s", "deliveries_per_s"]
    shown += ["deliver_p50_ms"]
    shown += [
        "deliver_p99_ms",
        "ack_p99_ms",
        "chat_cpu_us_per_delivery",
        "little",
        "lost",
        "duplicated",
    ]
    lines = [f"# Sweep over {base.name}", "", "```sh", command, "```", ""]
    lines += [markdown_table(shown, [[row[c] for c in shown] for row in rows]), ""]
    over, unit, points = usl_points(rows)
    result: dict[str, Any] = {"rows": list(rows), "usl": None}
    try:
        fit = usl.fit_with_error(*zip(*points, strict=True)) if points else None
    except ValueError as error:
        fit = None
        lines += [f"No scalability law: {error}.", ""]
    if fit is not None:
        result["usl"] = {**asdict(fit), "over": over}
        peak = fit.model.peak
        picture = charts.usl(points, fit, over, unit)
        (folder / "usl.svg").write_text(picture, encoding="utf-8")
        lines += [
            f"Universal Scalability Law over {over}: σ {fit.model.sigma:.4g} "
            f"[{fit.sigma[0]:.3g}, {fit.sigma[1]:.3g}], κ {fit.model.kappa:.4g} "
            f"[{fit.kappa[0]:.3g}, {fit.kappa[1]:.3g}], λ {fit.model.lam:.5g} "
            f"[{fit.lam[0]:.4g}, {fit.lam[1]:.4g}] (95 % bootstrap), R² {fit.r_squared:.3f}, "
            f"peak at {'no finite value' if math.isinf(peak) else f'{peak:.3g}'}.",
            "",
            "![usl](usl.svg)",
            "",
        ]
    (folder / "sweep.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")
