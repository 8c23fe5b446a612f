"""The command line, ``loadtest/run``: a scenario, or one of the other words. Each word returns its
exit code."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chatload import options as settings
from lab import campaign, compare, experiment, readme
from lab.experiment import Outcome, say
from lab.local import ROOT, LabError
from lab.scenario import GENERATORS, Scenario, changed, load, names

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
    kept: list[str] = []
    for word in words:
        if word == name and not kept:
            continue
        if word == "--out":
            next(words, None)
        elif not word.startswith("--out="):
            kept.append(word)
    return " ".join(["loadtest/run", *([name] if name != "run" else []), *kept])


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


def run(arguments: Sequence[str]) -> int:
    """``loadtest/run SCENARIO``."""
    parser = argparse.ArgumentParser(
        prog="loadtest/run",
        description="Runs a scenario and leaves tables and charts. Exit code: 0 clean, 3 a broken "
        "ledger, 4 an invalid run, 5 clean but for announced gaps, 2 wrong use, 130 interrupted "
        "(with partial results, which are invalid).",
        epilog=f"Other words, each with --help: {', '.join(WORDS)}.",
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
    if scenario.kind != "run":
        raise ValueError(f"{scenario.name} is a capacity search: loadtest/run campaign makes those")
    say(f"{scenario.name}: {scenario.about}")
    outcome = experiment.run(
        scenario, folder, spoken("run"), where=args.where, namespace=args.namespace
    )
    experiment.again(folder)
    return conclude(outcome)


def sweep(arguments: Sequence[str]) -> int:
    """``loadtest/run sweep SCENARIO --replicas 1,2,4 --users 50,200``."""
    # Here, for it draws: a run without charts needs none of that.
    from lab.sweep import run_sweep  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="loadtest/run sweep",
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


def compare_runs(arguments: Sequence[str]) -> int:
    """``loadtest/run compare --before A… --after B…``; exit code 1 on a regression."""
    parser = argparse.ArgumentParser(
        prog="loadtest/run compare",
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


def analyse(arguments: Sequence[str]) -> int:
    """Draws charts and writes READMEs from the files of runs (all of results/, unless some are
    named), and the index of results/."""
    parser = argparse.ArgumentParser(prog="loadtest/run analyse", description=analyse.__doc__)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    every = [path.parent for path in sorted((ROOT / "results").rglob("provenance.json"))]
    for folder in parser.parse_args(arguments).folders or every:
        if (folder / "provenance.json").is_file():
            experiment.again(folder)
            print(folder)
    readme.index(ROOT / "results")
    return 0


def campaign_run(arguments: Sequence[str]) -> int:
    """Makes every run of campaign.yaml that results/ does not hold yet, through the deployed system
    of the current kubectl context. The same command goes on where the last one stopped."""
    parser = argparse.ArgumentParser(prog="loadtest/run campaign", description=campaign_run.__doc__)
    parser.add_argument("--minutes", type=float, default=40, help="for the runs (40)")
    parser.add_argument(
        "--capacity-minutes", type=float, default=45, help="for the capacity searches (45)"
    )
    parser.add_argument("--seeds", default="1", help="comma separated; all runs once for each (1)")
    parser.add_argument(
        "--generator",
        choices=GENERATORS,
        help="of all runs, instead of the plan's; both: a crowd in Python, probes in Go",
    )
    parser.add_argument("--plan", type=Path, default=campaign.PLAN, help="another list of runs")
    parser.add_argument("--only", default="", metavar="WORD", help="runs whose names begin so")
    parser.add_argument("--namespace", help="default: the context's")
    parser.add_argument(
        "--patience", type=float, default=120, help="longest wait for a quiet machine, s (120)"
    )
    parser.add_argument(
        "--tries", type=int, default=campaign.TRIES, help="of a run that turns out INVALID (2)"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "results")
    args = parser.parse_args(arguments)
    seeds = [int(seed) for seed in args.seeds.split(",")]
    plan = campaign.read_plan(args.plan, seeds, args.generator)
    plan = campaign.Plan(
        [one for one in plan.runs if one.name.startswith(args.only)],
        [one for one in plan.searches if one.name.startswith(args.only)],
    )
    broken = campaign.campaign(
        plan,
        args.out.resolve(),
        minutes=args.minutes,
        capacity_minutes=args.capacity_minutes,
        namespace=args.namespace,
        patience=args.patience,
        tries=args.tries,
    )
    return experiment.EXIT_BROKEN if broken else 0


def report_run(arguments: Sequence[str]) -> int:
    """The PDF and its measurements."""
    from report import command  # noqa: PLC0415

    return command.main(arguments)


#: First word → what it does; any other word is a scenario.
WORDS: dict[str, Callable[[Sequence[str]], int]] = {
    "sweep": sweep,
    "compare": compare_runs,
    "analyse": analyse,
    "campaign": campaign_run,
    "report": report_run,
}


def main(arguments: Sequence[str]) -> int:
    """Do what the words say; complaints go to standard error, without a traceback."""

    def interrupt(_number: int, _frame: object) -> None:
        """TERM is like Ctrl-C: end in order, keep what there is."""
        raise KeyboardInterrupt

    # INT too: a shell starts what it puts into the background with INT ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupt)
    word = arguments[0] if arguments else ""
    try:
        if word in WORDS:
            return WORDS[word](arguments[1:])
        return run(arguments)
    except (LabError, ValueError) as error:
        print(f"{error}", file=sys.stderr)
        return EXIT_WRONG
    except KeyboardInterrupt:
        return experiment.EXIT_INTERRUPTED
