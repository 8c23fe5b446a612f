"""The Universal Scalability Law (Neil Gunther): throughput over concurrency, with its errors.

X(N) = λN / (1 + σ(N-1) + κN(N-1)): λ is the throughput of one, σ the cost of contention, κ that of
coherency. Fitted by least squares on throughput with Levenberg–Marquardt, as codahale/usl does;
``tests/test_usl.py`` checks the fit against that project's published table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

#: Fewest points for which three parameters mean anything at all.
LEAST_POINTS = 4
#: Iterations and precision of the fit.
_STEPS, _PRECISION = 500, 1e-12


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted law. sigma: contention; kappa: coherency; lam: throughput of one."""

    sigma: float
    kappa: float
    lam: float

    def throughput(self, n: float) -> float:
        """Expected throughput at concurrency ``n``."""
        return self.lam * n / (1 + self.sigma * (n - 1) + self.kappa * n * (n - 1))

    @property
    def peak(self) -> float:
        """Concurrency of the greatest throughput; infinite without coherency cost."""
        if self.kappa <= 0:
            return math.inf
        return math.sqrt(max(0.0, 1 - self.sigma) / self.kappa)


@dataclass(frozen=True, slots=True)
class Fit:
    """A model, its 95 % bootstrap intervals ``(low, high)`` and how much of the variance it
    explains."""

    model: Model
    sigma: tuple[float, float]
    kappa: tuple[float, float]
    lam: tuple[float, float]
    r_squared: float
    points: int


def _predict(parameters: Vector, n: Vector) -> Vector:
    """Throughput at each ``n`` for parameters (σ, κ, λ)."""
    sigma, kappa, lam = parameters
    return np.asarray(lam * n / (1 + sigma * (n - 1) + kappa * n * (n - 1)))


def _jacobian(parameters: Vector, n: Vector) -> Vector:
    """Derivatives of the prediction by σ, κ, λ."""
    sigma, kappa, lam = parameters
    below = 1 + sigma * (n - 1) + kappa * n * (n - 1)
    shared = -lam * n / below**2
    return np.column_stack([shared * (n - 1), shared * n * (n - 1), n / below])


def fit(concurrency: Sequence[float], throughput: Sequence[float]) -> Model:
    """The law that fits best. Raises ValueError for fewer than four points or useless ones."""
    n = np.asarray(concurrency, dtype=float)
    x = np.asarray(throughput, dtype=float)
    if len(n) != len(x) or len(n) < LEAST_POINTS:
        raise ValueError(f"the law needs at least {LEAST_POINTS} points, not {len(n)}")
    if (n <= 0).any() or not (x > 0).any() or len(set(n)) < 3:
        raise ValueError("the law needs three different, positive concurrencies and throughput")
    # The start of codahale/usl: a little of both costs, and the best throughput per head.
    parameters = np.array([0.1, 0.01, float((x / n).max())])
    damping = 1e-3
    error = float(((x - _predict(parameters, n)) ** 2).sum())
    for _ in range(_STEPS):
        slope = _jacobian(parameters, n)
        gradient = slope.T @ (x - _predict(parameters, n))
        normal = slope.T @ slope
        step = np.linalg.lstsq(normal + damping * np.diag(np.diag(normal)), gradient, rcond=None)[0]
        tried = parameters + step
        below = 1 + tried[0] * (n - 1) + tried[1] * n * (n - 1)
        new = float(((x - _predict(tried, n)) ** 2).sum()) if (below > 0).all() else math.inf
        if new < error:
            small = error - new <= _PRECISION * max(error, 1e-30)
            parameters, error, damping = tried, new, max(damping / 10, 1e-12)
            if small:
                break
        else:
            damping *= 10
            if damping > 1e12:
                break
    sigma, kappa, lam = (float(value) for value in parameters)
    return Model(sigma, kappa, lam)


def fit_with_error(
    concurrency: Sequence[float], throughput: Sequence[float], *, seed: int = 1, rounds: int = 500
) -> Fit:
    """The fit and its 95 % intervals, by a bootstrap over the residuals."""
    model = fit(concurrency, throughput)
    n = np.asarray(concurrency, dtype=float)
    x = np.asarray(throughput, dtype=float)
    expected = np.array([model.throughput(one) for one in n])
    # Three parameters were taken from the points, so the residuals are a little too small.
    residuals = (x - expected) * math.sqrt(len(n) / max(1, len(n) - 3))
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(rounds):
        again = expected + rng.choice(residuals, len(n))
        try:
            one = fit(n.tolist(), np.maximum(again, 1e-9).tolist())
        except (ValueError, np.linalg.LinAlgError):
            continue
        found.append((one.sigma, one.kappa, one.lam))
    low, high = np.percentile(np.array(found), [2.5, 97.5], axis=0)
    total = float(((x - x.mean()) ** 2).sum())
    left = float(((x - expected) ** 2).sum())
    return Fit(
        model,
        (float(low[0]), float(high[0])),
        (float(low[1]), float(high[1])),
        (float(low[2]), float(high[2])),
        1 - left / total if total else 1.0,
        len(n),
    )


def little(throughput: float, mean_seconds: float, in_system: float) -> float:
    """Little's law as a ratio: throughput × time in system ÷ number in system; 1 when it holds."""
    return throughput * mean_seconds / in_system if in_system else math.nan
