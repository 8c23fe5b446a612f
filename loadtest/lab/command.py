"""The command lines: run, sweep, compare, analyse. Each returns its exit code."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chatload import options as settings
from lab import capacity, charts, compare, experiment, report
from lab.cluster import cluster_versions, run_cluster
from lab.experiment import Outcome, run_local, say
from lab.local import ROOT, LabError
from lab.scenario import GENERATORS, Scenario, changed, load, names
from lab.sweep import run_sweep

#: 1: the objective or a comparison failed. 2: wrong use, or something is not there.
EXIT_FAILED, EXIT_WRONG = 1, 2


def options_of(pairs: Sequence[str]) -> dict[str, Any]:
    """``name=value`` pairs as settings of the load; ValueError for an unknown name."""
    out: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        key = name.replace("-", "_")
        if not equals or key not in settings.FIELDS:
            raise ValueError(f"--set {pair}: name=value is wanted, with a setting's name")
        out[key] = getattr(settings.parse({key: value}), key)
    return out


def scenario_of(args: argparse.Namespace) -> Scenario:
    """The scenario with what the command line changes."""
    extra = options_of(args.set)
    if args.rate is not None:
        extra["rate"] = args.rate
    if args.seed is not None:
        extra["seed"] = args.seed
    return changed(
        load(args.scenario),
        users=args.users,
        seconds=args.seconds,
        replicas=args.replicas,
        workers=args.workers,
        generator=args.generator,
        probe_workers=args.probe_workers,
        max_other_load=args.max_other_load,
        options=extra or None,
    )


def common(parser: argparse.ArgumentParser) -> None:
    """What run and sweep share."""
    parser.add_argument("scenario", help=f"one of {', '.join(names())}, or a .yaml file")
    parser.add_argument("--seconds", type=float, help="length of the load")
    parser.add_argument("--workers", type=int, help="Locust workers, one process each")
    parser.add_argument("--generator", choices=GENERATORS, help="what the workers are written in")
    parser.add_argument("--probe-workers", type=int, help="of those that measure; 0: none")
    parser.add_argument("--max-other-load", type=float, help="percent of the CPU; above: INVALID")
    parser.add_argument("--seed", type=int, help="seed of the load")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--out", type=Path, help="results folder (default: results/NAME-TIME)")


def folder_of(args: argparse.Namespace, scenario: Scenario, extra: str = "") -> Path:
    """Where the results go."""
    if args.out is not None:
        # Absolute: Locust runs in its own folder, and means the same place.
        return Path(args.out).resolve()
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return ROOT / "results" / f"{scenario.name}{extra}-{stamp}"


def spoken(name: str) -> str:
    """The command as a person would repeat it: without the folder that the results went to."""
    words = iter(sys.argv[1:])
    kept = []
    for word in words:
        if word == "--out":
            next(words, None)
        elif not word.startswith("--out="):
            kept.append(word)
    return " ".join([f"loadtest/{name}", *kept])


def conclude(outcome: Outcome) -> int:
    """Say what a run was worth; its exit code."""
    summary = outcome.summary
    ledger = summary["ledger"]
    deliver = summary["rows_ms"].get("deliver", {})
    print(
        f"{summary['outcome']}: sent {ledger['sent']:,} acknowledged {ledger['acknowledged']:,} "
        f"delivered {ledger['delivered']:,} lost {ledger['lost']} duplicated "
        f"{ledger['duplicated']} reordered {ledger['reordered']} vanished "
        f"{ledger.get('vanished', 0)} misnamed {ledger.get('misnamed', 0)} recovered "
        f"{ledger['recovered']}\n"
        f"deliveries/s {summary['throughput']['deliveries_per_s']:,}; deliver p50 "
        f"{deliver.get('p50')} ms, p99 {deliver.get('p99')} ms"
    )
    if summary.get("people"):
        found = {k: v for k, v in summary["people"].items() if k != "examples" and v}
        print("people: " + " ".join(f"{word} {number}" for word, number in found.items()))
        for text in summary["people"]["examples"]:
            print(f"people: {text}")
    if summary.get("gaps"):
        print(f"gaps: {summary['gaps']}")
    for text in summary["invalid_because"]:
        print(f"invalid: {text}")
    print(f"results: {outcome.folder}")
    return outcome.exit_code


def run(arguments: Sequence[str] | None = None) -> int:
    """``loadtest/run SCENARIO``."""
    parser = argparse.ArgumentParser(
        prog="loadtest/run",
        description="Runs a scenario and leaves tables and charts. Exit code: 0 clean, 3 a broken "
        "ledger, 4 an invalid run, 5 clean but for announced gaps, 2 wrong use, 130 interrupted "
        "(with partial results, which are invalid).",
    )
    common(parser)
    parser.add_argument("--where", choices=("local", "cluster"), default="local")
    parser.add_argument("--namespace", help="with --where cluster; default: the context's")
    parser.add_argument("--replicas", type=int, help="chat pods")
    parser.add_argument("--users", type=int)
    parser.add_argument("--rate", type=float, help="posts a second; 0: by think time")
    args = parser.parse_args(arguments)
    scenario = scenario_of(args)
    folder = folder_of(args, scenario)
    if args.where == "cluster":
        if scenario.kind != "run":
            raise LabError("the capacity search runs locally")
        code = run_cluster(scenario, folder, args.namespace)
        summary = experiment.read_summary(folder)
        experiment.finish_cluster(folder, scenario, spoken("run"), cluster_versions(args.namespace))
        return conclude(Outcome(code, folder, summary))
    if scenario.kind == "breakpoint":
        return breakpoint_run(scenario, folder, spoken("run"))
    say(f"{scenario.name}: {scenario.about}")
    return conclude(run_local(scenario, folder, spoken("run")))


def breakpoint_run(scenario: Scenario, folder: Path, command: str) -> int:
    """The capacity search: each step is a run of its own."""
    rows: list[dict[str, Any]] = []

    def evaluate(rate: float) -> capacity.Step:
        """One step: is the objective kept at this rate?"""
        number = len(rows) + 1
        one = changed(scenario, options={"rate": round(rate, 3)})
        outcome = run_local(one, folder / f"step-{number:02d}", command, quiet=True)
        summary = outcome.summary
        p99 = summary["rows_ms"].get("deliver", {}).get("p99")
        broken = []
        if not summary["valid"]:
            broken += summary["invalid_because"]
        if outcome.exit_code == 3:
            broken.append("the ledger is broken")
        if p99 is None or p99 > scenario.deliver_p99_ms:
            broken.append(f"deliver p99 {p99} ms over {scenario.deliver_p99_ms:g}")
        step = capacity.Step(rate, not broken, "; ".join(broken), invalid=not summary["valid"])
        rows.append(
            {
                "step": number,
                "rate": round(rate, 2),
                "passed": step.passed,
                "deliver_p50_ms": summary["rows_ms"].get("deliver", {}).get("p50"),
                "deliver_p99_ms": p99,
                "posts_per_s": summary["throughput"]["posts_per_s"],
                "deliveries_per_s": summary["throughput"]["deliveries_per_s"],
                "outcome": summary["outcome"],
                "reason": step.reason,
            }
        )
        say(f"  step {number}: {rate:.4g} posts/s {'kept' if step.passed else step.reason}")
        return step

    say(f"{scenario.name}: {scenario.about}")
    found = capacity.find(evaluate, scenario.start_rate)
    limit = "the load generator's limit" if found.limited_by_generator else "the server's limit"
    sentence = (
        f"Knee: {found.knee:.4g} posts/s to {scenario.users} users kept deliver p99 within "
        f"{scenario.deliver_p99_ms:g} ms; {found.above:.4g} did not ({limit})."
        if found.above is not None
        else f"No limit found: {found.knee:.4g} posts/s kept the objective."
    )
    provenance = experiment.provenance(scenario, command)
    image = charts.knee_chart(folder, rows, found.knee)
    columns = list(rows[0])
    lines = [f"# Capacity search: {scenario.name}", "", scenario.about, "", sentence, ""]
    lines += [f"![knee]({image})", ""]
    lines += [report.markdown_table(columns, [[row[c] for c in columns] for row in rows]), ""]
    lines += report.provenance_lines(provenance)
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")
    body = {"knee": found.knee, "above": found.above, "steps": rows, "sentence": sentence}
    body["limited_by_generator"] = found.limited_by_generator
    (folder / "capacity.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    print(f"{sentence}\nresults: {folder}")
    return 0 if found.knee else EXIT_FAILED


def sweep(arguments: Sequence[str] | None = None) -> int:
    """``loadtest/sweep SCENARIO --replicas 1,2,4 --users 50,200``."""
    parser = argparse.ArgumentParser(
        prog="loadtest/sweep",
        description="Runs a scenario over replicas × users × rates and fits the scalability law.",
    )
    common(parser)
    parser.add_argument("--replicas", default="", help="comma separated, e.g. 1,2,4")
    parser.add_argument("--users", default="", help="comma separated")
    parser.add_argument("--rates", default="", help="comma separated posts/s")
    args = parser.parse_args(arguments)

    def numbers(text: str, kind: Callable[[str], Any], usual: float) -> list[Any]:
        """A comma separated list, or the scenario's own value."""
        return [kind(one) for one in text.split(",")] if text else [kind(str(usual))]

    pods, people, rates = args.replicas, args.users, args.rates
    args.replicas = args.users = args.rate = None
    scenario = scenario_of(args)
    folder = folder_of(args, scenario, "-sweep")
    folder.mkdir(parents=True, exist_ok=True)
    code = run_sweep(
        scenario,
        numbers(pods, int, scenario.replicas),
        numbers(people, int, scenario.users),
        numbers(rates, float, float(scenario.options.get("rate", 20))),
        folder,
        spoken("sweep"),
    )
    print(f"results: {folder}")
    return code


def compare_runs(arguments: Sequence[str] | None = None) -> int:
    """``loadtest/compare --before A… --after B…``; exit code 1 on a regression."""
    parser = argparse.ArgumentParser(
        prog="loadtest/compare",
        description="Compares runs; repetitions on each side tell the noise. 1: a regression.",
    )
    parser.add_argument("--before", nargs="+", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--after", nargs="+", type=Path, required=True, metavar="FOLDER")
    args = parser.parse_args(arguments)
    found = compare.compare(
        [compare.summary_of(one) for one in args.before],
        [compare.summary_of(one) for one in args.after],
    )
    print(compare.table(found))
    return EXIT_FAILED if any(one.verdict == "regression" for one in found) else 0


def analyse(arguments: Sequence[str] | None = None) -> int:
    """Draws charts and writes READMEs again, from the files, and the index of results/."""
    parser = argparse.ArgumentParser(prog="loadtest/analyse", description=analyse.__doc__)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    for folder in parser.parse_args(arguments).folders:
        if (folder / "provenance.json").is_file():
            experiment.again(folder)
            print(folder)
    report.index(ROOT / "results")
    return 0


def main(command: Callable[[], int]) -> int:
    """Run a command; its complaints go to standard error, without a traceback."""

    def interrupt(_number: int, _frame: object) -> None:
        """TERM is like Ctrl-C: end in order, keep what there is."""
        raise KeyboardInterrupt

    # INT too: a shell starts what it puts into the background with INT ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupt)
    try:
        return command()
    except (LabError, ValueError) as error:
        print(f"{error}", file=sys.stderr)
        return EXIT_WRONG
    except KeyboardInterrupt:
        return experiment.EXIT_INTERRUPTED
