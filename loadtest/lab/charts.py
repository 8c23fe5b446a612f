"""Charts as SVG, for the READMEs of runs and for the report: one colour for one thing, dashes too,
units on every axis.

The same data gives the same bytes. Every function returns SVG text; one that has nothing to draw
returns None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib import font_manager, ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.results import Costs, Journey, Run, Search, percentile
from lab.soak import CHAT, GENERATOR, REDIS, by_minute, sampled
from lab.usl import Fit

INK, BLUE, RED, GREEN = "#1c2330", "#2b6cb0", "#b3261e", "#18794e"
VIOLET, OCHRE, GREY = "#7a4fb5", "#8a6d00", "#607080"
#: What → (colour, dashes): the same thing looks the same in every figure, also without colour.
LOOK = {
    "p50": (BLUE, "--"),
    "p95": (VIOLET, "-."),
    "p99": (RED, "-"),
    "deliveries": (GREEN, "-"),
    "posts": (OCHRE, "--"),
    "users": (INK, "-"),
    "sockets": (BLUE, "--"),
    "failures": (RED, ":"),
    "chat": (BLUE, "-"),
    "redis": (RED, "--"),
    "generator": (OCHRE, ":"),
}
#: How the names of samples begin, and whose they are.
WHOSE = (("pod-", "chat"), ("redis", "redis"), ("loadtest", "generator"))
#: Width of the text, inches.
WIDTH = 6.9

mpl.rcParams.update(
    {
        "svg.hashsalt": "chatapp",
        "svg.fonttype": "path",
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.titleweight": "semibold",
        "axes.titlelocation": "left",
        "axes.labelsize": 7.5,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 6.8,
        "legend.frameon": False,
        "legend.handlelength": 1.8,
        "legend.borderpad": 0.1,
        "axes.grid": True,
        "grid.color": "#e3e7ec",
        "grid.linewidth": 0.5,
        "axes.linewidth": 0.6,
        "axes.edgecolor": GREY,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 1.1,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
    }
)

Points = Sequence[tuple[float, float]]


def use_fonts(files: Iterable[Path], family: str) -> None:
    """Write in a family of some files, instead of matplotlib's own."""
    for path in files:
        font_manager.fontManager.addfont(str(path))
    mpl.rcParams["font.family"] = family


def svg(figure: Figure) -> str:
    """The figure as SVG text, without date or tool version."""
    out = StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return out.getvalue()


def line(axes: Axes, points: Points, look: str, label: str) -> bool:
    """One line; False when it has no points."""
    if not points:
        return False
    colour, dash = LOOK[look]
    axes.plot(*zip(*points, strict=True), color=colour, linestyle=dash, label=label)
    return True


def column(rows: Iterable[Mapping[str, float]], name: str) -> list[tuple[float, float]]:
    """(second, value) of a column where it has one."""
    return [(row["second"], row[name]) for row in rows if name in row and "second" in row]


def dress(axes: Axes, title: str, unit: str, faults: Sequence[tuple[float, str]] = ()) -> None:
    """Title, units, zero, the instants at which something was done on purpose."""
    for at, _ in faults:
        axes.axvline(at, color=GREY, linewidth=0.7, linestyle=(0, (2, 2)), zorder=0)
    axes.set_title(title)
    axes.set_xlabel("time, s")
    axes.set_ylabel(unit)
    axes.set_ylim(bottom=0)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best")


def run_panel(run: Run) -> str:
    """A run over time: above, Locust's own charts; below, what only the load lab measures."""
    figure, grid = plt.subplots(2, 3, figsize=(WIDTH, 2.6), layout="constrained")
    faults, series, locust = run.faults, run.series, run.locust
    requests, answers, users = grid[0]
    line(requests, column(locust, "Requests/s"), "posts", "requests/s")
    line(requests, column(locust, "Failures/s"), "failures", "failures/s")
    dress(requests, "Locust: requests and failures", "per second", faults)
    line(answers, column(locust, "50%"), "p50", "p50")
    line(answers, column(locust, "95%"), "p95", "p95")
    dress(answers, "Locust: response times, all types", "ms", faults)
    line(users, column(locust, "User Count"), "users", "users")
    # The seconds of the drain have no count of people or sockets.
    counted = [row for row in series if row.get("users", 0) > 0]
    line(users, column(counted, "sockets"), "sockets", "open sockets")
    dress(users, "Locust: users; our: sockets", "number", faults)
    deliver, rates, cpu = grid[1]
    for name in ("p50", "p95", "p99"):
        line(deliver, column(series, f"deliver_{name}_ms"), name, name)
    dress(deliver, "Delivery: due post to other user", "ms", faults)
    if max((y for _, y in column(series, "deliver_p99_ms")), default=0) > 500:
        deliver.set_yscale("log")
        deliver.set_ylim(bottom=1)
    line(rates, column(series, "deliveries_per_s"), "deliveries", "deliveries/s")
    dress(rates, "Deliveries", "per second", faults)
    named = set()
    for name in sorted(run.samples):
        whose = next((who for start, who in WHOSE if name.startswith(start)), None)
        if whose is not None and not name.endswith("sentinel"):
            label = "_nolegend_" if whose in named else {"chat": "each chat pod"}.get(whose, whose)
            named.add(whose)
            line(cpu, run.samples[name], whose, label)
    dress(cpu, "CPU of pods and Redis", "% of a core", faults)
    if not run.samples:
        cpu.text(
            0.5, 0.5, "not taken in this run", ha="center", transform=cpu.transAxes, color=GREY
        )
    return svg(figure)


def soak(run: Run) -> str:
    """A long run by the minute: delivery, memory, goroutines and sockets of each chat pod."""
    figure, (deliver, memory, inside) = plt.subplots(
        1, 3, figsize=(WIDTH, 1.5), layout="constrained"
    )
    for name in ("p50", "p95", "p99"):
        line(deliver, by_minute(column(run.series, f"deliver_{name}_ms")), name, name)
    dress(deliver, "Delivery, a minute's median second", "ms")
    for whose, look, label in (
        (CHAT, "chat", "each chat pod"), (REDIS, "redis", "each Redis"),
        (GENERATOR, "generator", "load"),
    ):  # fmt: skip
        for number, (_, points) in enumerate(sorted(sampled(run, whose, "memory_mb").items())):
            line(memory, by_minute(points), look, "_nolegend_" if number else label)
    dress(memory, "Memory", "MB")
    for figures, look, label in (
        ("goroutines", "chat", "goroutines"),
        ("connections", "users", "sockets"),
    ):
        for number, (_, points) in enumerate(sorted(sampled(run, CHAT, figures).items())):
            line(inside, by_minute(points), look, "_nolegend_" if number else label)
    dress(inside, "Inside each chat pod", "number")
    for axes in (deliver, memory, inside):
        axes.xaxis.set_major_locator(ticker.MultipleLocator(900))
    return svg(figure)


def levels(runs: Sequence[tuple[float, Run]], axis: str) -> str | None:
    """One parameter varied: delivery percentiles, deliveries/s and cost over it. Runs that are not
    valid are hollow."""
    if len(runs) < 2:
        return None
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(WIDTH, 1.9), layout="constrained")
    runs = sorted(runs, key=lambda pair: pair[0])

    def draw(axes: Axes, look: str, label: str, values: list[float | None]) -> None:
        """A line with a mark for each run, and its name at its end."""
        points = [(x, y, run) for (x, run), y in zip(runs, values, strict=True) if y is not None]
        if not points:
            return
        colour, dash = LOOK[look]
        axes.plot([p[0] for p in points], [p[1] for p in points], color=colour, linestyle=dash)
        for x, y, run in points:
            face = colour if run.valid else "white"
            axes.plot(x, y, "o", color=colour, markersize=3.5, markerfacecolor=face)
        x, y, _ = points[-1]
        axes.annotate(
            label, (x, y), (4, 0), textcoords="offset points", va="center", color=colour, size=6.8
        )

    for name in ("p50", "p95", "p99"):
        draw(left, name, name, [run.ms("deliver", name) if run.valid else None for _, run in runs])
    rates = [run.through("deliveries_per_s") for _, run in runs]
    draw(middle, "deliveries", "", list(rates))
    draw(right, "chat", "chat", [run.cost("chat_cpu_us_per_delivery") for _, run in runs])
    locust = [run.cost("worker_cpu_us_per_delivery") for _, run in runs]
    draw(right, "generator", "Locust", locust)
    for axes, title, unit in (
        (left, "Delivery, due post to other person", "ms"),
        (middle, "Deliveries", "per second"),
        (right, "CPU a delivery", "µs"),
    ):
        axes.set(title=title, xlabel=axis, ylabel=unit)
        axes.set_xlim(right=runs[-1][0] + 0.2 * (runs[-1][0] - runs[0][0]))
        axes.set_ylim(0, 1.12 * axes.get_ylim()[1])
        axes.set_xticks([x for x, _ in runs], [f"{x:g}" for x, _ in runs])
    return svg(figure)


def capacity(searches: Sequence[Search]) -> str | None:
    """The capacity searches side by side: each run's rate and p99, and whether it held."""
    if not searches:
        return None
    figure, grid = plt.subplots(
        1, len(searches), figsize=(WIDTH, 2.1), layout="constrained", squeeze=False, sharey=True
    )
    kinds = (
        (True, "", "o", BLUE, "held"),
        (False, "objective", "X", RED, "objective missed"),
        (False, "generator", "^", OCHRE, "generator out of breath"),
        (False, "limit", "v", GREEN, "limit of posts a session"),
    )
    for axes, search in zip(grid[0], searches, strict=True):
        for held, who, marker, face, label in kinds:
            found = [
                (step["rate"], step["deliver_p99_ms"])
                for step in search.steps
                if (step["held"], step["who"]) == (held, who) and step["deliver_p99_ms"]
            ]
            if found:
                xs, ys = zip(*found, strict=True)
                axes.scatter(xs, ys, marker=marker, color=face, s=22, label=label)
        axes.axhline(search.objective_ms, color=INK, linestyle=":", linewidth=0.8)
        axes.set(xlabel="rate, posts/s", ylabel="deliver p99, ms", xscale="log", yscale="log")
        for scale in (axes.xaxis, axes.yaxis):
            scale.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            scale.set_major_formatter(ticker.ScalarFormatter())
            scale.set_minor_formatter(ticker.NullFormatter())
        pods = f"{search.pods} chat pod" + ("s" if search.pods > 1 else "")
        axes.set_title(f"{pods}, {search.people} people; one run a mark")
        axes.legend(loc="upper left")
    return svg(figure)


def usl(points: Points, fit: Fit, over: str, unit: str) -> str:
    """Measured throughput over concurrency, and the fitted law."""
    figure, axes = plt.subplots(figsize=(WIDTH * 0.62, 2.1), layout="constrained")
    xs, ys = zip(*points, strict=True)
    axes.scatter(xs, ys, color=GREEN, s=18, label="measured, one run each")
    top = max(xs) * 1.25
    grid = [top * k / 100 for k in range(1, 101)]
    law = [fit.model.throughput(n) for n in grid]
    axes.plot(grid, law, color=INK, linestyle="--", label="Universal Scalability Law")
    axes.set(title="Throughput over concurrency", xlabel=over, ylabel=unit)
    axes.set_ylim(bottom=0)
    axes.legend(loc="best")
    return svg(figure)


#: Hop → what it says on the axis, from the key press on.
HOPS = {
    "sent": "post frame leaves Ann's browser",
    "log": "in Redis: a bare tail has it",
    "ack": "ack in Ann's browser",
    "socket": "bare WebSocket on pod B",
    "frame": "frame in Ben's browser",
    "shown": "painted on Ben's screen",
}


def journey(found: Journey) -> str:
    """Each hop: median, and the range from the 5th to the 95th percentile."""
    figure, axes = plt.subplots(figsize=(WIDTH, 1.6), layout="constrained")
    names = [name for name in HOPS if name in found.hops]
    for at, name in enumerate(reversed(names)):
        values = found.hops[name]
        low, mid, high = (percentile(values, p) for p in (5, 50, 95))
        colour = RED if name == "ack" else BLUE
        axes.plot(
            [low, high], [at, at], color=colour, linewidth=3.2, alpha=0.35, solid_capstyle="butt"
        )
        axes.plot(mid, at, "o", color=colour, markersize=4.5)
        axes.annotate(
            f"{mid:.1f}",
            (mid, at),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=7,
        )
    axes.set_yticks(range(len(names)), [HOPS[name] for name in reversed(names)])
    axes.set_ylim(-0.5, len(names) - 0.3)
    axes.set_xlim(left=0)
    count = len(found.hops[names[0]])
    axes.set_xlabel(
        f"ms since the key press; dot: median, bar: 5th to 95th percentile of {count} messages"
    )
    return svg(figure)


def efforts(costs: Costs) -> str:
    """Before and after of the three costs that the design attacks."""
    figure, grid = plt.subplots(1, 3, figsize=(WIDTH, 1.75), layout="constrained")
    pairs: list[tuple[str, str, list[tuple[str, float]]]] = [
        (
            "Memory, idle connection",
            "KiB",
            [
                ("example", costs.median("example", "bytes_per_idle_connection") / 1024),
                ("chat", costs.median("chat", "bytes_per_idle_connection") / 1024),
            ],
        ),
        (
            "CPU a delivery",
            "µs",
            [
                ("one by one", costs.median("chat", "cpu_us_per_delivery_trickle")),
                ("bursts", costs.median("chat", "cpu_us_per_delivery_burst")),
            ],
        ),
        (
            "Redis CPU a message, three tails",
            "µs",
            [
                (
                    size,
                    costs.benchmarks[f"BenchmarkAppend/topics=1/batch={size}/tails=3"][
                        "redis-µs/msg"
                    ],
                )
                for size in ("1", "16", "64", "256")
            ],
        ),
    ]
    for axes, (title, unit, bars) in zip(grid, pairs, strict=True):
        names, values = zip(*bars, strict=True)
        shown = axes.bar(
            names,
            values,
            color=["#c9d3df", *[BLUE] * (len(bars) - 1)],
            edgecolor=INK,
            linewidth=0.6,
            width=0.6,
        )
        axes.bar_label(shown, [f"{value:.3g}" for value in values], fontsize=7, padding=1)
        axes.set(title=title, ylabel=unit)
        axes.margins(y=0.18)
        axes.grid(axis="x", visible=False)
    grid[2].set_xlabel("messages in one append")
    return svg(figure)
