"""Charts as SVG and PNG: units on every axis, dashes and markers instead of colours alone, and the
same bytes for the same data."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.usl import Fit

#: (colour, dash, marker) of the first, second, … line: told apart in black and white.
STYLES = [
    ("#1c2330", "-", "o"),
    ("#2b6cb0", "--", "s"),
    ("#b3261e", ":", "^"),
    ("#18794e", "-.", "D"),
    ("#7a4fb5", (0, (5, 1)), "v"),
    ("#8a6d00", (0, (1, 1)), "P"),
]
mpl.rcParams.update(
    {
        "svg.hashsalt": "chatapp",
        "figure.figsize": (7.2, 3.6),
        "figure.dpi": 110,
        "font.size": 10,
        "axes.grid": True,
        "grid.color": "#dfe4ea",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
    }
)

Series = Sequence[Mapping[str, float]]


def read_table(path: Path) -> list[dict[str, float]]:
    """A CSV of numbers; empty fields are absent, text is kept out."""
    with path.open(newline="") as file:
        out = []
        for row in csv.DictReader(file):
            record = {}
            for key, value in row.items():
                try:
                    record[key] = float(value)
                except ValueError:
                    continue
            out.append(record)
        return out


def save(figure: Figure, folder: Path, name: str) -> str:
    """Write both formats without dates or tool versions; returns the PNG's name."""
    figure.tight_layout()
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
    figure.savefig(folder / f"{name}.png", metadata={"Software": None})
    plt.close(figure)
    return f"{name}.png"


def _lines(
    axes: Axes, series: Series, columns: Sequence[tuple[str, str]], x: str = "second"
) -> bool:
    """Draw columns over time; False when there was nothing to draw."""
    drawn = False
    for (column, label), (colour, dash, marker) in zip(columns, STYLES, strict=False):
        points = [(row[x], row[column]) for row in series if column in row and x in row]
        if not points:
            continue
        drawn = True
        axes.plot(
            *zip(*points, strict=True),
            color=colour,
            linestyle=dash,
            marker=marker,
            markevery=max(1, len(points) // 8),
            markersize=4,
            label=label,
        )
    return drawn


def over_time(
    folder: Path,
    name: str,
    series: Series,
    columns: Sequence[tuple[str, str]],
    title: str,
    unit: str,
    notes: Sequence[tuple[float, str]] = (),
) -> str | None:
    """One chart over the time of a run; None when no column has a value. ``notes``: instants with
    something to tell, drawn as vertical lines."""
    figure, axes = plt.subplots()
    if not _lines(axes, series, columns):
        plt.close(figure)
        return None
    for at, text in notes:
        axes.axvline(at, color="#607080", linewidth=0.8)
        axes.annotate(
            text,
            (at, 1),
            xycoords=("data", "axes fraction"),
            rotation=90,
            va="top",
            ha="right",
            fontsize=7,
        )
    axes.set(title=title, xlabel="time since start, s", ylabel=unit)
    axes.set_ylim(bottom=0)
    axes.legend(loc="best", fontsize=8)
    return save(figure, folder, name)


def samples_over_time(
    folder: Path, path: Path, notes: Sequence[tuple[float, str]] = ()
) -> str | None:
    """CPU of each pod and of Redis, from ``samples.csv``."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    by_second: dict[float, dict[str, float]] = {}
    names = sorted({row["what"] for row in rows})
    for row in rows:
        if row["cpu_percent"]:
            record = by_second.setdefault(float(row["second"]), {"second": float(row["second"])})
            record[row["what"]] = float(row["cpu_percent"])
    series = [by_second[key] for key in sorted(by_second)]
    columns = [(name, name) for name in names]
    return over_time(
        folder, "cpu", series, columns, "CPU of chat pods and Redis", "percent of a core", notes
    )


def run_charts(folder: Path, summary: Mapping[str, Any]) -> list[str]:
    """Every chart of one run's folder; the PNG names, in the order of the report."""
    series = read_table(folder / "series.csv")
    notes = [(float(at), str(text)) for at, text in summary.get("notes", [])]
    faults = [(float(at), str(text)) for at, text in summary.get("faults", [])]
    marks = [note for note in notes if len(notes) < 12] + faults
    deliver = [(f"deliver_p{p}_ms", f"p{p}") for p in ("50", "95", "99")]
    ack = [(f"ack_p{p}_ms", f"p{p}") for p in ("50", "95", "99")]
    made = [
        over_time(
            folder,
            "deliver",
            series,
            deliver,
            "Delivery: intended post to receipt by another user",
            "ms",
            marks,
        ),
        over_time(folder, "ack", series, ack, "Post to acknowledgement", "ms", marks),
        over_time(
            folder,
            "deliveries",
            series,
            [("deliveries_per_s", "deliveries/s")],
            "Deliveries",
            "1/s",
            marks,
        ),
        over_time(
            folder,
            "posts",
            series,
            [("posts_per_s", "posts/s"), ("acks_per_s", "acknowledged/s")],
            "Posts",
            "1/s",
            marks,
        ),
        over_time(
            folder,
            "users",
            series,
            [("users", "users"), ("sockets", "open sockets")],
            "Users and sockets",
            "number",
            marks,
        ),
    ]
    if (folder / "samples.csv").is_file():
        made.append(samples_over_time(folder, folder / "samples.csv", faults))
    return [name for name in made if name]


def knee_chart(folder: Path, steps: Sequence[Mapping[str, Any]], knee: float) -> str:
    """The capacity search: each rate that was tried, kept or broken."""
    figure, axes = plt.subplots()
    for passed, marker, label in ((True, "o", "objective kept"), (False, "x", "broken")):
        points = [
            (step["rate"], step["deliver_p99_ms"])
            for step in steps
            if step["passed"] == passed and step.get("deliver_p99_ms") is not None
        ]
        if points:
            axes.scatter(*zip(*points, strict=True), marker=marker, color="#1c2330", label=label)
    if knee:
        axes.axvline(knee, color="#1c2330", linestyle="--", label=f"knee {knee:.4g} posts/s")
    axes.set(
        title="Capacity search", xlabel="rate, posts/s", ylabel="deliver p99, ms", yscale="log"
    )
    axes.legend(fontsize=8)
    return save(figure, folder, "knee")


def usl_chart(folder: Path, points: Sequence[tuple[float, float]], fit: Fit, unit: str) -> str:
    """Throughput over concurrency, and the fitted law."""
    figure, axes = plt.subplots()
    axes.scatter(*zip(*points, strict=True), marker="o", color="#1c2330", label="measured")
    top = max(n for n, _ in points) * 1.3
    grid = [top * k / 100 for k in range(1, 101)]
    axes.plot(
        grid,
        [fit.model.throughput(n) for n in grid],
        color="#2b6cb0",
        linestyle="--",
        label=f"USL: σ {fit.model.sigma:.3g}, κ {fit.model.kappa:.3g}, λ {fit.model.lam:.4g}",
    )
    axes.set(title="Universal Scalability Law", xlabel="concurrency", ylabel=unit)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)
    return save(figure, folder, "usl")
