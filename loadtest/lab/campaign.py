"""The campaign: every run that ``results/`` holds, by one command, resumable where it was cut off.

What it consists of says ``loadtest/campaign.yaml``. A run that is there, valid, of the same
scenario and of the same images and manifest is not made again. One that turns out INVALID is tried
once more; the second outcome stays, whatever it is. A broken ledger is never overwritten.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab import capacity, readme
from lab.cluster import MANIFEST, kept_messages, manifest_digest
from lab.experiment import Outcome, read_summary, run, say
from lab.kube import Kubectl, image_ids
from lab.local import LabError
from lab.results import AGAIN
from lab.scenario import Scenario, changed, load

#: What is to be run.
PLAN = Path(__file__).resolve().parent.parent / "campaign.yaml"
#: Seconds around a run's load: emptying and starting the chat, the Job's pod, drain and books.
AROUND = 55.0
#: Files of a run that can be made again from the others, or that nobody looks at.
DERIVED = ("report.html", "README.md", "locust_exceptions.csv", "*.svg", "*.png")
#: What steps of a capacity search and runs of further seeds do without besides (they are many),
#: and a run of more than LONG seconds (its files are large).
OF_MANY = ("histograms.csv", "locust*.csv", "failures.csv", "pods.csv")
#: Above so many seconds a run is long.
LONG = 600.0
#: Most tries of one run in one campaign.
TRIES = 2
#: Share of the messages that the chat keeps which the posts of a capacity step may come to: probes
#: post as well, and the drain takes its time.
PROVABLE = 0.9
#: Digests that must be the same for a run to count as made.
DIGESTS = ("chat", "generator", "manifest")


@dataclass(frozen=True, slots=True)
class Planned:
    """One run of the plan. native: the report shows Locust's own page of it, so it is kept."""

    name: str
    scenario: Scenario
    native: bool

    @property
    def command(self) -> str:
        """The command that makes this run alone."""
        one, usual = self.scenario, load(self.scenario.name)
        words = ["loadtest/run", one.name, "--where cluster"]
        for field in ("users", "seconds", "replicas", "workers", "generator"):
            if getattr(one, field) != getattr(usual, field):
                words.append(f"--{field} {getattr(one, field)}")
        for key, value in one.options.items():
            if usual.options.get(key) != value:
                flag = f"--{key}" if key in ("rate", "seed") else f"--set {key}="
                words.append(f"{flag} {value}" if flag[-1] != "=" else f"{flag}{value}")
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Plan:
    """All runs in their order, and the capacity searches."""

    runs: list[Planned]
    searches: list[Planned]


def read_plan(path: Path, seeds: Sequence[int], generator: str | None = None) -> Plan:
    """The plan of a file, once for each seed: all runs of the first seed first. The folder of a
    further seed ends with it. generator: of all runs that name none, instead of the plan's. Raises
    ValueError."""
    body = yaml.safe_load(path.read_text(encoding="utf-8"))
    generator = generator or body.get("generator")
    runs: list[Planned] = []
    searches: list[Planned] = []
    for place, seed in enumerate(seeds):
        for made, key in ((runs, "runs"), (searches, "capacity")):
            for entry in body[key]:
                once = entry.get("once", False)
                # What takes an hour is made with the first seed alone.
                if place and once:
                    continue
                again: dict[str, Any] = {"native": False} if place else {}
                # Searches and the run with both kinds are about their generators.
                if generator and key == "runs" and "generator" not in entry:
                    again["generator"] = generator
                made.append(_planned({**entry, **again}, seed, f"{AGAIN}{seed}" if place else ""))
    return Plan(runs, searches)


def _planned(entry: dict[str, Any], seed: int, end: str) -> Planned:
    """An entry of the plan: name, scenario, native, fields of the scenario, ``options``."""
    name, native = f"{entry.pop('name')}{end}", bool(entry.pop("native", False))
    entry.pop("once", None)
    options = {**entry.pop("options", {}), **({"seed": seed} if seed != 1 else {})}
    scenario = load(entry.pop("scenario"))
    return Planned(name, changed(scenario, **entry, options=options or None), native)


class Budget:
    """Minutes that may be used, from now on. A part has its own, within the whole."""

    def __init__(self, minutes: float) -> None:
        self._end = time.monotonic() + 60 * minutes

    def has(self, seconds: float) -> bool:
        """Whether something of such a length still fits."""
        return time.monotonic() + seconds <= self._end


def digests_now(namespace: str | None) -> dict[str, str]:
    """The digests of what is deployed. Raises LabError where one cannot be told: what is made
    already would be taken for something else's, and thrown away."""
    kubectl = Kubectl(namespace)
    found = {
        "chat": ", ".join(image_ids(kubectl.items("pods", "app=chat"), "chat")),
        "generator": ", ".join(image_ids(kubectl.items("pods", "app=locust-worker"), "locust")),
        "manifest": manifest_digest(),
    }
    for name, digest in found.items():
        if not digest:
            raise LabError(f"no pod tells which {name} is deployed; kubectl get pods")
    return found


def renew(namespace: str | None) -> None:
    """Start the pods anew, and wait: then they run the images that a run will, not older ones of
    the same tag, and their digests can be told."""
    kubectl = Kubectl(namespace)
    kubectl("rollout", "status", "statefulset", "redis", "--timeout=300s")
    workloads = ("chat", "locust-master", "locust-worker", "locust-probe")
    # A run that was cut off while it emptied Redis leaves no chat, and so no digest of it.
    if not kubectl.items("pods", "app=chat"):
        kubectl("scale", "deployment", "chat", "--replicas=1")
    kubectl("rollout", "restart", "deployment", *workloads)
    for name in workloads:
        kubectl("rollout", "status", "deployment", name, "--timeout=300s")


def is_made(folder: Path, scenario: Scenario, digests: Mapping[str, str]) -> bool:
    """Whether a run is there, complete, of the same things, and worth keeping: valid, or broken."""
    summary = read_summary(folder)
    try:
        made_of = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    same = all(made_of.get("digests", {}).get(key) == digests[key] for key in DIGESTS)
    if summary.get("outcome") == "BROKEN":
        return True
    packed = json.loads(json.dumps(scenario.packed()))
    return same and bool(summary.get("valid")) and made_of.get("scenario") == packed


def quiet(patience: float) -> None:
    """Wait until the machine has a core to spare, at most ``patience`` seconds."""
    end = time.monotonic() + patience
    while time.monotonic() < end and os.getloadavg()[0] > 0.6 * (os.cpu_count() or 1):
        time.sleep(3)


def slim(folder: Path, *, native: bool, many: bool = False) -> None:
    """Leave a run's data, and Locust's page only where the report shows it. many: without
    OF_MANY."""
    patterns = [*DERIVED, *(OF_MANY if many else ()), *(() if native else ("locust.html",))]
    for pattern in patterns:
        for path in folder.glob(pattern):
            path.unlink()


def make_runs(
    runs: Sequence[Planned],
    results: Path,
    budget: Budget,
    namespace: str | None,
    patience: float,
    tries: int = TRIES,
) -> tuple[int, list[str]]:
    """Every run that is not there yet, while the budget lasts. Returns how many broke their ledger,
    and the names of those that were not made."""
    broken, left, digests = 0, [], digests_now(namespace)
    for planned in runs:
        folder = results / planned.name
        for number in range(tries):
            if is_made(folder, planned.scenario, digests):
                break
            if not budget.has(planned.scenario.duration + AROUND):
                left.append(planned.name)
                break
            shutil.rmtree(folder, ignore_errors=True)
            quiet(patience)
            say(f"== {planned.name} (try {number + 1}): {planned.command}")
            try:
                outcome = run(
                    planned.scenario, folder, planned.command, where="cluster", namespace=namespace
                )
            except LabError as error:
                say(f"   not made: {error}")
                continue
            digests = digests_of(folder, digests)
            many = AGAIN in planned.name or planned.scenario.seconds > LONG
            slim(folder, native=planned.native, many=many)
            say(f"   {told(outcome)}")
        if not (folder / "provenance.json").is_file() and planned.name not in left:
            left.append(planned.name)
        broken += read_summary(folder).get("outcome") == "BROKEN"
    return broken, left


def digests_of(folder: Path, before: dict[str, str]) -> dict[str, str]:
    """The digests with which a run was just made: what its pods pulled is what is there now."""
    made_of = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    return {key: made_of["digests"].get(key, before[key]) for key in DIGESTS}


def told(outcome: Outcome) -> str:
    """A run's outcome in a line."""
    summary = outcome.summary
    deliver = summary["rows_ms"].get("deliver", {})
    text = f"{summary['outcome']}: {summary['ledger']['delivered']:,} delivered, deliver p99 "
    return text + " | ".join([f"{deliver.get('p99')} ms", *summary["invalid_because"]])


def make_search(
    planned: Planned, results: Path, budget: Budget, namespace: str | None, patience: float
) -> bool:
    """A capacity search, as far as the budget reaches. Returns whether it came to its end."""
    scenario, place = planned.scenario, results / planned.name
    digests = digests_now(namespace)

    def step_of(rate: float) -> Scenario:
        """The scenario at a rate."""
        return changed(scenario, kind="run", options={"rate": rate})

    # What the chat does not keep cannot be looked up at the end of a step, and is not proved.
    ceiling = PROVABLE * kept_messages() / scenario.seconds
    idle = 0
    while True:
        steps = known_steps(place, step_of, digests)
        tries = [found for _, found in steps]
        rate = capacity.next_rate(tries, scenario.start_rate, ceiling=ceiling)
        done = rate is None or idle >= TRIES
        if steps:
            write_search(place, planned, steps, complete=rate is None)
        else:
            # A search without a step has found nothing, not that nothing holds.
            (place / "capacity.json").unlink(missing_ok=True)
        if done or rate is None or not budget.has(scenario.duration + AROUND):
            return rate is None
        folder = place / f"step-{len(list(place.glob('step-*'))) + 1:02d}"
        quiet(patience)
        say(f"== {planned.name}: {rate:g} posts/s")
        one = Planned(planned.name, step_of(rate), native=False)
        try:
            outcome = run(one.scenario, folder, one.command, where="cluster", namespace=namespace)
        except LabError as error:
            say(f"   not made: {error}")
            idle += 1
            continue
        digests = digests_of(folder, digests)
        slim(folder, native=False, many=True)
        verdict = capacity.judge(outcome.summary, scenario.deliver_p99_ms)
        say(f"   {told(outcome)}" + ("" if verdict else " (proves nothing)"))
        idle = 0 if verdict else idle + 1


def known_steps(
    place: Path, step_of: Callable[[float], Scenario], digests: Mapping[str, str]
) -> list[tuple[Path, capacity.Try]]:
    """The tries that are there already, of the same scenario, images and manifest; others go."""
    found = []
    for folder in sorted(place.glob("step-*")):
        summary = read_summary(folder)
        try:
            made_of = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            shutil.rmtree(folder)
            continue
        scenario = step_of(float(made_of["scenario"]["options"].get("rate", 0)))
        packed = json.loads(json.dumps(scenario.packed()))
        same = all(made_of["digests"].get(key) == digests[key] for key in DIGESTS)
        if not same or made_of["scenario"] != packed:
            shutil.rmtree(folder)
            continue
        verdict = capacity.judge(summary, scenario.deliver_p99_ms)
        if verdict is not None:
            found.append((folder, verdict))
    return found


def write_search(
    place: Path,
    planned: Planned,
    steps: Sequence[tuple[Path, capacity.Try]],
    *,
    complete: bool,
) -> None:
    """``capacity.json``: the bracket, and every try with its folder."""
    scenario = planned.scenario
    found = capacity.bracket([one for _, one in steps])
    place.mkdir(parents=True, exist_ok=True)
    body = {
        "held": found.held,
        "failed": found.failed,
        "who": found.who,
        "complete": complete,
        "people": scenario.users,
        "pods": scenario.replicas,
        "generator": scenario.generator,
        "objective_ms": scenario.deliver_p99_ms,
        "sentence": found.sentence(scenario.users, scenario.deliver_p99_ms),
        "steps": [
            {
                "folder": folder.name,
                "rate": one.rate,
                "held": one.held,
                "who": one.who,
                "why": one.why,
                "deliver_p99_ms": one.p99,
            }
            for folder, one in steps
        ],
    }
    (place / "capacity.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


def pictures(results: Path) -> None:
    """Pictures of Locust's own pages for the report, where there is a browser to take them."""
    try:
        # A run needs no browser.
        from report.measure import native  # noqa: PLC0415

        native.run(results)
    # Whatever a browser says: the runs are made.
    except Exception as error:
        say(f"no pictures of Locust's pages: {error}; loadtest/run report native takes them")


def campaign(
    plan: Plan,
    results: Path,
    *,
    minutes: float,
    capacity_minutes: float,
    namespace: str | None,
    patience: float,
    tries: int = TRIES,
) -> int:
    """Make what is not there yet. Returns the number of runs whose ledger is broken."""
    say(f"what is deployed of {MANIFEST.name}, on the current kubectl context")
    renew(namespace)
    broken, left = make_runs(plan.runs, results, Budget(minutes), namespace, patience, tries)
    whole = Budget(capacity_minutes)
    for number, search in enumerate(plan.searches):
        # Each search has an equal share of what is left.
        share = Budget((whole._end - time.monotonic()) / 60 / (len(plan.searches) - number))
        if not make_search(search, results, share, namespace, patience):
            left.append(search.name)
    pictures(results)
    readme.index(results)
    if left:
        say(f"not made, or not to the end: {', '.join(left)}; the same command goes on")
    return broken
