"""One run from start to results folder."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from chatload import artefacts
from lab import conditions, readme, results
from lab.cluster import Cluster, manifest_digest
from lab.faults import ClusterBreaker, Faults, LocalBreaker, cluster_plan, local_plan
from lab.kube import Api, namespace_of
from lab.local import GENERATOR, ROOT, LabError, Local, chat_binary
from lab.samples import ClusterSampler, LocalSampler, Sampler
from lab.scenario import Scenario

#: Exit code of a run that was interrupted but left its partial results.
EXIT_INTERRUPTED = 130
#: Exit code of a run whose ledger is broken.
EXIT_BROKEN = 3
#: Seconds beyond load and drain after which the master is given up.
PATIENCE = 60.0


@dataclass(slots=True)
class Outcome:
    """A run's exit code (that of Locust's master), its folder and its summary."""

    exit_code: int
    folder: Path
    summary: dict[str, Any]


def machine() -> dict[str, str]:
    """What the run was made on; no names, no addresses. ``LOADTEST_NOTE`` adds what the reader
    should know besides (who else was busy there, say)."""
    memory = ""
    with Path("/proc/meminfo").open() as file:
        memory = f"{int(file.readline().split()[1]) // 1_000_000} GB"
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    note = os.environ.get("LOADTEST_NOTE")
    return {
        **({"note": note} if note else {}),
        "cores": f"{os.cpu_count()} ({model})",
        "memory": memory,
        "kernel": platform.release(),
        "load average at the start": f"{os.getloadavg()[0]:.2f}",
    }


def output_of(command: list[str]) -> str:
    """The first line that a command prints; empty when it cannot."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=False, cwd=ROOT
        )
    except OSError:
        return ""
    return next(iter((done.stdout + done.stderr).splitlines()), "")


def provenance(scenario: Scenario, command: str, cluster: Cluster | None = None) -> dict[str, Any]:
    """Everything needed to make a run again. ``cluster``: what was loaded, when it is not this
    machine's chat and Redis."""
    if cluster is None:
        servers = {
            "chat": output_of([str(chat_binary()), "--version"]),
            "redis": " ".join(output_of(["redis-server", "--version"]).split()[:3]),
        }
        digests = {
            "chat": conditions.digest([chat_binary()], chat_binary().parent),
            "generator": conditions.generator_digest(GENERATOR),
        }
    else:
        servers = {"kubernetes": cluster.kubernetes}
        digests = {**cluster.images, "manifest": manifest_digest()}
    return {
        "command": command,
        "where": "local" if cluster is None else "cluster",
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": output_of(["git", "rev-parse", "--short", "HEAD"]) or "unknown",
        # Files that differ from it: a figure belongs to what was run, not to what was committed.
        "dirty": conditions.dirty(ROOT),
        "digests": digests,
        "seed": scenario.options.get("seed", 1),
        "scenario": scenario.packed(),
        "versions": {
            **servers,
            "locust": version("locust"),
            "locust-plugins": version("locust-plugins"),
            "websocket-client": version("websocket-client"),
            "python": platform.python_version(),
        },
        "machine": {**machine(), **(cluster.machine if cluster else {})},
    }


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary as it is now; empty while there is none."""
    try:
        found = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    assert isinstance(found, dict)
    return found


def progress(summary: dict[str, Any], scenario: Scenario) -> str:
    """One line about a running load."""
    rows, ledger = summary.get("rows_ms", {}), summary.get("ledger", {})
    deliver = rows.get("deliver") or rows.get("deliver_ramp") or {}
    return (
        f"  {summary.get('state', 'starting'):9} {summary.get('seconds', 0):6.0f} of "
        f"{scenario.duration:.0f} s  sent {ledger.get('sent', 0):,}  delivered "
        f"{ledger.get('delivered', 0):,}  deliver p99 {deliver.get('p99', 0)} ms  failures "
        f"{sum(summary.get('failures', {}).values()):,}"
    )


def run(
    scenario: Scenario,
    folder: Path,
    command: str,
    *,
    where: str = "local",
    namespace: str | None = None,
    quiet: bool = False,
) -> Outcome:
    """Run a scenario ``where`` is said, ``local`` or ``cluster``. A Ctrl-C ends the load early and
    keeps what there is. Raises LabError when something did not start."""
    if folder.exists() and any(folder.iterdir()):
        raise LabError(f"{folder} is not empty: results are never overwritten; give another --out")
    if where == "cluster":
        return run_cluster(scenario, folder, command, namespace, quiet=quiet)
    return run_local(scenario, folder, command, quiet=quiet)


def run_local(scenario: Scenario, folder: Path, command: str, *, quiet: bool = False) -> Outcome:
    """Run a scenario on this machine."""
    made_of = provenance(scenario, command)
    plan = [step for fault in scenario.faults for step in local_plan(fault, scenario.replicas)]
    with Local(scenario, folder) as local:
        local.start_load()
        assert local.master is not None
        begin = wait_for_start(local)
        sampler = LocalSampler(local.metrics, local.redis_port, begin)
        others = conditions.OtherLoad(local.pids)
        faults = Faults(LocalBreaker(local), plan, begin)
        interrupted = attended(
            [others, sampler, faults],
            lambda: watch(local, folder, scenario, quiet=quiet),
            lambda: end_locally(local, scenario),
        )
        code = local.master.child.returncode if local.master.child else -1
        if not (folder / "summary.json").is_file():
            raise LabError(f"the load left no summary:\n{local.master.tail()}")
        if code not in (0, 3, 4, 5):
            say(f"locust's master ended with {code}:\n{local.master.tail()}")
    summary = finish(folder, made_of, sampler, faults, others)
    return concluded(folder, summary, code, interrupted=interrupted)


def run_cluster(
    scenario: Scenario, folder: Path, command: str, namespace: str | None, *, quiet: bool = False
) -> Outcome:
    """Run a scenario through the deployed system."""
    plan = [step for fault in scenario.faults for step in cluster_plan(fault, scenario.replicas)]
    with Cluster(scenario, namespace) as cluster, Api(cluster.kubectl) as api:
        begin = cluster.start_load()
        if not quiet:
            say(f"  the load runs: {scenario.duration:g} s, and its drain")
        made_of = provenance(scenario, command, cluster)
        name = namespace_of(cluster.kubectl) if namespace is None else namespace
        sampler = ClusterSampler(api, name, cluster.nodes, begin)
        breaker = ClusterBreaker(cluster.kubectl, cluster.pods, here=cluster.here)
        faults = Faults(breaker, plan, begin)
        others = None
        if cluster.here:
            others = conditions.OtherLoad(
                conditions.kubernetes_pids, conditions.pod_seconds, children=False
            )
        interrupted = attended(
            [*([others] if others else []), sampler, faults], cluster.wait, cluster.end_early
        )
        cluster.bring_out(folder)
    summary = finish(folder, made_of, sampler, faults, others)
    return concluded(folder, summary, int(summary["exit_code"] or 0), interrupted=interrupted)


def attended(
    attendants: Sequence[conditions.OtherLoad | Sampler | Faults],
    wait: Callable[[], None],
    end_early: Callable[[], None],
) -> bool:
    """Wait for the end of the load while threads look on and break things. Returns whether it was
    interrupted."""
    for one in attendants:
        one.start()
    try:
        wait()
    except KeyboardInterrupt:
        say("interrupted: ending the load, keeping what there is (again to give up)")
        end_early()
        return True
    finally:
        for one in reversed(attendants):
            one.stop()
    return False


def end_locally(local: Local, scenario: Scenario) -> None:
    """Ask the master to end the run, and wait until it has."""
    assert local.master is not None
    local.master.end(patience=2 * float(scenario.options.get("drain_timeout", 30)) + 20)


def concluded(folder: Path, summary: dict[str, Any], code: int, *, interrupted: bool) -> Outcome:
    """The outcome of a run that is over. Interrupted is INVALID (cut short); a broken ledger is
    worth more than that word."""
    code = summary["exit_code"] if code in (0, 3, 4, 5) else code
    return Outcome(EXIT_INTERRUPTED if interrupted and code != 3 else code, folder, summary)


def wait_for_start(local: Local) -> float:
    """Until Locust's master has begun the run; the instant, in monotonic seconds."""
    deadline = time.monotonic() + PATIENCE
    master = local.master
    assert master is not None
    while time.monotonic() < deadline and master.running:
        if "chatload.master: run " in master.output.read_text(errors="replace"):
            return time.monotonic()
        time.sleep(0.05)
    raise LabError(f"the load did not start:\n{master.tail()}")


def watch(local: Local, folder: Path, scenario: Scenario, *, quiet: bool) -> None:
    """Wait for the master to end; a line of progress every 5 s. Raises LabError when it hangs."""
    drain = float(scenario.options.get("drain_timeout", 30))
    deadline = time.monotonic() + scenario.duration + 2 * drain + PATIENCE
    said = time.monotonic()
    master = local.master
    assert master is not None
    while master.running:
        if time.monotonic() > deadline:
            raise LabError(f"the load did not end in time:\n{master.tail()}")
        if not quiet and time.monotonic() - said > 5:
            said = time.monotonic()
            say(progress(read_summary(folder), scenario))
        time.sleep(0.1)


def finish(
    folder: Path,
    made_of: dict[str, Any],
    sampler: Sampler,
    faults: Faults,
    others: conditions.OtherLoad | None,
) -> dict[str, Any]:
    """Add conditions, cost, faults and provenance to the summary."""
    summary = read_summary(folder)
    if others is None:
        made_of["machine"]["other load"] = "unknown: the nodes are other machines"
    else:
        conditions.judge(summary, others.percent, made_of["scenario"]["max_other_load"])
        made_of["machine"]["other load"] = f"{others.percent:g} % of its CPU"
        made_of["machine"]["priorities"] = (
            "; ".join(f"{name}: {text}" for name, text in sorted(others.priorities.items()))
            or "all as usual"
        )
    if faults.failed:
        conditions.refuse(summary, f"a fault could not be made: {faults.failed}")
    write_gates(folder, summary)
    sampler.write(folder / "samples.csv")
    summary["cost"] = cost(summary, sampler.cpu_seconds)
    summary["faults"] = faults.done
    (folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    (folder / "provenance.json").write_text(json.dumps(made_of, indent=1) + "\n", encoding="utf-8")
    return summary


def cost(summary: dict[str, Any], cpu_seconds: dict[str, float]) -> dict[str, float | None]:
    """CPU of the generator and the chat by deliveries, and of Redis (all of it) by posts."""
    deliveries = summary["counters"].get("deliveries", 0)
    posts = summary["counters"].get("acks", 0)
    chat = sum(s for name, s in cpu_seconds.items() if name.startswith("pod-"))
    redis = sum(s for name, s in cpu_seconds.items() if re.fullmatch(r"redis(-\d+)?", name))
    return {
        "worker_cpu_us_per_delivery": summary["worker_cpu_us_per_delivery"],
        "chat_cpu_us_per_delivery": round(chat * 1e6 / deliveries, 2) if deliveries else None,
        "redis_cpu_us_per_post": round(redis * 1e6 / posts, 1) if posts else None,
    }


def write_gates(folder: Path, summary: dict[str, Any]) -> None:
    """``gates.csv`` once more, with the gates that only the runner can see."""
    text = artefacts.gates_text(summary)
    (folder / "gates.csv").write_text(text, encoding="utf-8")


def again(folder: Path) -> None:
    """Draw the charts of a folder and write its README, from its files."""
    # Drawing costs a second to import, and a run needs none of it.
    from lab import charts  # noqa: PLC0415

    run = results.run_of(folder, folder.name)
    if run is None:
        return
    (folder / "charts.svg").write_text(charts.run_panel(run), encoding="utf-8")
    readme.run_readme(folder, run.summary, run.provenance)
