"""The scalability law, against the table that codahale/usl publishes (its model_test.go)."""

import math
import random

import pytest

from lab import usl

#: Throughput at concurrency 1, 2, … 32 (Schwartz, "Practical Scalability Analysis").
PUBLISHED = [
    955.16, 1878.91, 2688.01, 3548.68, 4315.54, 5130.43, 5931.37, 6531.08,
    7219.8, 7867.61, 8278.71, 8646.7, 9047.84, 9426.55, 9645.37, 9897.24,
    10097.6, 10240.5, 10532.39, 10798.52, 11151.43, 11518.63, 11806, 12089.37,
    12075.41, 12177.29, 12211.41, 12158.93, 12155.27, 12118.04, 12140.4, 12074.39,
]  # fmt: skip


def test_the_published_table_is_matched_to_a_tenth_of_a_percent() -> None:
    model = usl.fit(range(1, 33), PUBLISHED)
    assert model.sigma == pytest.approx(0.02671591, rel=1e-3)
    assert model.kappa == pytest.approx(7.690945e-4, rel=1e-3)
    assert model.lam == pytest.approx(995.6486, rel=1e-3)
    assert math.floor(model.peak) == 35
    assert model.throughput(35) == pytest.approx(12341.745, rel=1e-3)
    for n, expected in ((1, 995.648772), (20, 11063.633125), (35, 12341.745655)):
        assert model.throughput(n) == pytest.approx(expected, rel=1e-3)


def test_the_readme_table_is_matched_too() -> None:
    model = usl.fit([1, 18, 36, 72, 108, 144, 216], [65, 996, 1652, 1853, 1829, 1775, 1702])
    assert model.sigma == pytest.approx(0.0277299, rel=1e-3)
    assert model.kappa == pytest.approx(0.000104343, rel=1e-3)
    assert model.lam == pytest.approx(89.9878, rel=1e-3)


def test_the_bootstrap_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    truth = usl.Model(0.05, 0.001, 100)
    inside = 0
    for seed in range(30):
        rng = random.Random(seed)
        n = list(range(1, 25))
        x = [truth.throughput(k) * rng.gauss(1, 0.02) for k in n]
        fit = usl.fit_with_error(n, x, seed=seed, rounds=120)
        inside += fit.lam[0] <= truth.lam <= fit.lam[1]
        assert fit.lam[0] <= fit.model.lam <= fit.lam[1]
    assert inside >= 22  # 95 % of 30 is 28.5; below 22 the interval would be a lie


def test_linear_scaling_has_no_costs() -> None:
    model = usl.fit([1, 2, 4, 8, 16], [10, 20, 40, 80, 160])
    assert abs(model.sigma) < 1e-6 and abs(model.kappa) < 1e-6


@pytest.mark.parametrize("points", [[], [(1, 2)] * 5, [(1, 1), (2, 2), (4, 3)]])
def test_too_little_is_said(points: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="law needs"):
        usl.fit([n for n, _ in points], [x for _, x in points])


def test_littles_law() -> None:
    assert usl.little(100, 0.05, 5) == pytest.approx(1)
