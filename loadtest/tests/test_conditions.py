"""The conditions of a run are seen, kept, and judged."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lab import conditions

BURN = "import time\nend = time.process_time() + 30\nwhile time.process_time() < end: pass"


def summary(outcome: str) -> dict[str, Any]:
    """A finished run's summary, as far as it matters here."""
    return {"outcome": outcome, "exit_code": 0, "valid": True, "gates": [], "invalid_because": []}


def test_a_run_beside_other_load_is_invalid_but_a_broken_one_stays_broken() -> None:
    quiet, beside, broken = summary("clean"), summary("clean"), summary("BROKEN")
    conditions.judge(quiet, 1.0, 5.0)
    assert quiet["outcome"] == "clean" and quiet["gates"][0]["passed"]
    conditions.judge(beside, 20.0, 5.0)
    assert (beside["outcome"], beside["exit_code"], beside["valid"]) == ("INVALID", 4, False)
    assert "other load 20%" in beside["invalid_because"][0]
    conditions.judge(broken, 20.0, 5.0)
    assert broken["outcome"] == "BROKEN" and broken["valid"] is False


def test_an_account_that_counts_something_twice_is_no_evidence() -> None:
    """It was clipped to nothing, and every run on a cluster had an other load of 0.0 %."""
    run = summary("clean")
    conditions.judge(run, -0.4, 5.0)
    assert run["outcome"] == "clean"
    conditions.judge(run, -6.0, 5.0)
    assert run["outcome"] == "INVALID"


def test_children_that_have_ended_count_only_where_they_are_in_no_other_account() -> None:
    """What a container runtime has waited for ran in the pods, whose CPU is counted as such."""
    script = "import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', sys.argv[1]])\n"
    script += "print(flush=True)\ntime.sleep(60)"
    burn = BURN.replace("30", "0.5")
    with subprocess.Popen([sys.executable, "-c", script, burn], stdout=subprocess.PIPE) as parent:
        try:
            assert parent.stdout is not None
            parent.stdout.readline()
            least = conditions.TICKS // 2 - 5
            whole = conditions.process_ticks(parent.pid)
            alone = conditions.process_ticks(parent.pid, children=False)
            assert whole - alone >= least
            watch = conditions.OtherLoad(lambda: {"parent": parent.pid}, children=False)
            watch._read()
            assert watch._ticks[parent.pid] < whole - least + 1
        finally:
            parent.kill()


@pytest.mark.parametrize("own", [True, False])
def test_what_the_runs_own_processes_use_is_not_other_load(own: bool) -> None:
    """The same burning process once counted as the run's and once as a stranger's."""
    child = subprocess.Popen([sys.executable, "-c", BURN])
    try:
        mine = {"burner": child.pid} if own else {}
        watch = conditions.OtherLoad(lambda: mine)
        watch.start()
        while conditions.process_ticks(child.pid) < conditions.TICKS:
            time.sleep(0.05)
        before = conditions.machine_ticks()
        time.sleep(1)
        watch.stop()
        busy = conditions.machine_ticks()[0] - before[0]
        used = conditions.process_ticks(child.pid) if own else 0
        assert busy > 0 and used >= 0
        counted = watch._own
        # A second of the burner's CPU, or none of it (the runner itself uses a little).
        assert (counted >= conditions.TICKS) == own
    finally:
        child.kill()
        child.wait()


def test_priorities_are_seen() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        assert conditions.priority(child.pid) == ""
        os.setpriority(os.PRIO_PROCESS, child.pid, 5)
        assert conditions.priority(child.pid) == "other, nice 5"
    finally:
        child.kill()
        child.wait()


def test_the_generators_digest_changes_with_its_sources(tmp_path: Path) -> None:
    (tmp_path / "chatload").mkdir()
    (tmp_path / "locustfile.py").write_text("a")
    (tmp_path / "chatload/x.py").write_text("b")
    first = conditions.generator_digest(tmp_path)
    (tmp_path / "README.md").write_text("not a part of it")
    assert conditions.generator_digest(tmp_path) == first
    (tmp_path / "chatload/x.py").write_text("c")
    assert conditions.generator_digest(tmp_path) != first


def test_a_dirty_tree_is_named(tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    assert conditions.dirty(tmp_path) == []
    (tmp_path / "new.txt").write_text("x")
    assert conditions.dirty(tmp_path) == ["new.txt"]
