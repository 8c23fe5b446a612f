"""What a long run left behind."""

from pathlib import Path

from lab import charts
from lab.results import Run
from lab.soak import by_minute, growth, sampled


def a_long_run(place: Path) -> Run:
    """Two pods, of which one grows; a Redis that grows; latencies that do not."""
    rows = ["second,what,cpu_percent,memory_mb,connections,deliveries,goroutines"]
    for second in range(0, 1001, 10):
        rows.append(f"{second},pod-0,1.0,{100 + second / 10},50,0,{200 + second}")
        rows.append(f"{second},pod-1,1.0,100,50,0,200")
        rows.append(f"{second},redis-0,1.0,{second},,,")
        rows.append(f"{second},redis-0/sentinel,1.0,9000,,,")
    (place / "samples.csv").write_text("\n".join(rows) + "\n")
    series = ["second,ramp,deliver_p50_ms,deliver_p99_ms,ack_p99_ms"]
    series += [
        f"{second},{int(second < 9)},2,{20 if second % 100 else 900},3" for second in range(1000)
    ]
    (place / "series.csv").write_text("\n".join(series) + "\n")
    return Run("soak", place, {}, {})


def test_what_grew_is_told_beside_what_did_not(tmp_path: Path) -> None:
    found = {one.what: (one.unit, one.early, one.late) for one in growth(a_long_run(tmp_path))}
    # The middle of the second tenth is second 150, that of the last one 950.
    assert found["memory of a chat pod"] == ("MB", 107.5, 147.5)
    assert found["goroutines of a chat pod"] == ("", 275.0, 675.0)
    assert found["memory of a Redis"] == ("MB", 150.0, 950.0), "Sentinel is not Redis"
    assert found["sockets of a chat pod"] == ("", 50.0, 50.0)
    assert found["delivery p99"] == ("ms", 20.0, 20.0), "a second that stands out is no growth"
    assert "memory of the load" not in found, "it was not sampled"


def test_a_minute_is_one_point(tmp_path: Path) -> None:
    run = a_long_run(tmp_path)
    points = by_minute(sampled(run, "pod-0", "memory_mb")["pod-0"])
    assert points[:2] == [(30.0, 102.5), (90.0, 108.5)] and len(points) == 17
    assert "<svg" in charts.soak(run)


def test_the_worst_second_is_not_one_of_the_ramp_up(tmp_path: Path) -> None:
    assert a_long_run(tmp_path).worst("deliver_p99_ms") == (100.0, 900.0), "not at second 0"
