"""Comparing runs: noise is not a regression, a regression is not noise."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab import command, compare


def a_run(p99: float, per_second: float = 1000, outcome: str = "clean") -> dict[str, Any]:
    return {
        "outcome": outcome,
        "throughput": {"deliveries_per_s": per_second, "posts_per_s": 10},
        "rows_ms": {"deliver": {"p50": 2.0, "p99": p99}},
        "cost": {"chat_cpu_us_per_delivery": 8.0, "redis_cpu_us_per_post": None},
    }


def verdicts(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> dict[str, str]:
    return {one.figure: one.verdict for one in compare.compare(before, after)}


def test_the_noise_of_repetitions_is_the_floor() -> None:
    noisy = [a_run(10), a_run(14), a_run(12)]
    assert verdicts(noisy, [a_run(14.5), a_run(13)])["deliver p99, ms"] == "same"
    assert verdicts(noisy, [a_run(30), a_run(31)])["deliver p99, ms"] == "regression"
    assert verdicts(noisy, [a_run(5), a_run(5.2)])["deliver p99, ms"] == "better"


def test_more_is_better_only_where_it_is() -> None:
    quiet, slower = [a_run(10), a_run(10)], [a_run(10, 800), a_run(10, 805)]
    assert verdicts(quiet, slower)["deliveries/s"] == "regression"
    assert verdicts(slower, quiet)["deliveries/s"] == "better"


def test_one_run_alone_is_slow_to_accuse_and_broken_runs_do_not_count() -> None:
    assert verdicts([a_run(10)], [a_run(12)])["deliver p99, ms"] == "same"
    with pytest.raises(ValueError, match="no clean run"):
        compare.compare([a_run(10, outcome="INVALID")], [a_run(10)])


def test_the_exit_code_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = {}
    for name, p99 in (("a1", 10), ("a2", 10.2), ("b1", 40), ("b2", 41)):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        (folders[name] / "summary.json").write_text(json.dumps(a_run(p99)))

    def sides(before: list[str], after: list[str]) -> list[str]:
        paths = [str(folders[one]) for one in before], [str(folders[one]) for one in after]
        return ["--before", *paths[0], "--after", *paths[1]]

    assert command.compare_runs(sides(["a1", "a2"], ["b1", "b2"])) == 1
    assert "regression" in capsys.readouterr().out
    assert command.compare_runs(sides(["a1"], ["a2"])) == 0
    with pytest.raises(ValueError, match=r"no summary\.json"):
        command.compare_runs(["--before", str(tmp_path), "--after", str(folders["a1"])])
