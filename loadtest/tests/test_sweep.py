"""The sweep's tables and model, from made-up runs; no load is run here."""

import json
from pathlib import Path

import pytest

from lab import sweep, usl
from lab.scenario import load


def test_tables_model_and_chart(tmp_path: Path) -> None:
    truth = usl.Model(0.1, 0.02, 900)
    rows = [
        {
            "replicas": pods, "users": 50, "rate": 10.0, "outcome": "clean",
            "deliveries_per_s": truth.throughput(pods), "deliver_p50_ms": 2, "deliver_p99_ms": 9,
            "ack_p99_ms": 5, "chat_cpu_us_per_delivery": 8, "posts_per_s": 10.0, "little": 1.0,
            "lost": 0, "duplicated": 0,
        }
        for pods in (1, 2, 3, 4, 6)
    ]  # fmt: skip
    rows.append({**rows[0], "replicas": 8, "outcome": "INVALID", "deliveries_per_s": 1.0})
    sweep.write_tables(tmp_path, rows, load("steady"), "loadtest/run sweep steady")
    found = json.loads((tmp_path / "sweep.json").read_text())["usl"]
    assert found["over"] == "replicas" and found["points"] == 5  # the invalid run is left out
    assert found["model"]["sigma"] == pytest.approx(0.1, rel=1e-3)
    assert "INVALID" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "usl.svg").stat().st_size > 1000


def test_a_closed_loop_is_fitted_over_its_users(tmp_path: Path) -> None:
    closed = {"rate": 0, "outcome": "clean", "replicas": 2, "deliveries_per_s": 1.0}
    rows = [{**closed, "users": n, "posts_per_s": 10.0 * n} for n in (1, 2, 4)]
    over, unit, points = sweep.usl_points([*rows, {**rows[0], "rate": 5, "users": 99}])
    assert (over, unit) == ("users", "posts/s") and points[-1] == (4.0, 40.0)
    assert len(points) == 3


def test_too_few_points_are_said_not_fitted(tmp_path: Path) -> None:
    row = {
        "replicas": 1, "users": 5, "rate": 1, "outcome": "clean", "deliveries_per_s": 3.0,
        "deliver_p50_ms": 1, "deliver_p99_ms": 1, "ack_p99_ms": 1,
        "chat_cpu_us_per_delivery": 1, "posts_per_s": 1.0, "little": "", "lost": 0, "duplicated": 0,
    }  # fmt: skip
    sweep.write_tables(tmp_path, [row], load("steady"), "loadtest/run sweep steady")
    assert "No scalability law" in (tmp_path / "README.md").read_text()


def test_little_is_a_check() -> None:
    summary = {
        "rows_ms": {"ack": {"mean": 20.0}},
        "throughput": {"posts_per_s": 50.0},
        "posts_in_flight": 1.0,
    }
    assert sweep.little_check(summary) == pytest.approx(1.0)
    assert sweep.little_check({**summary, "posts_in_flight": None}) is None
