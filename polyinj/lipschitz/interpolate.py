"""One-hidden-layer networks through random data: f(x_i) = y_i for points on the sphere with random signs.

Methods, with k neurons:

    random_features   hidden rows uniform on the sphere, biases uniform in [-1, 1]; output of least norm. Needs k >= n
    trained           all parameters by nonlinear least squares from such rows, several starts; needs some k (d + 1) > n
    regularised       trained; then again with the gradients at the inputs where they were found to be longest as
                      further residuals, round by round, and the best of the networks that still fit
    caps              f = sum_i y_i (1/s) [ReLU(<x_i, x> - (1 - s)) - ReLU(<x_i, x> - 1)], k = 2n, nothing is trained
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from polyinj.certificates.domain import Ball
from polyinj.errors import InputError
from polyinj.lipschitz.constant import LipschitzConstant, lipschitz_constant
from polyinj.lipschitz.on_sphere import longest_on_sphere

Floats = NDArray[np.float64]
METHODS = ("random_features", "trained", "regularised", "caps")

_STARTS, _ROUNDS = 6, 6
# Training ends by its gradient, or at a kink where no step helps; this many evaluations only stop an endless one.
_EVALUATIONS = 20_000
_GLANCE: dict[str, Any] = {"node_limit": 50, "max_cells": 20_000}
# Weight of a unit of slope against a unit of misfit, from the first round to the last.
_PENALTIES = np.geomspace(0.1, 0.5, _ROUNDS)


@dataclass(frozen=True, slots=True, eq=False)
class SphereData:
    """`points`, shape (n, d), of length 1, and `labels`, shape (n,), that are -1 or 1."""

    points: Floats
    labels: Floats

    def __post_init__(self) -> None:
        n = len(self.points)
        if self.points.ndim != 2 or not n or self.labels.shape != (n,):
            shapes = self.points.shape, self.labels.shape
            raise InputError(f"points and labels have shapes {shapes}; expected (n, d) and (n,)")
        if not np.allclose((self.points**2).sum(axis=1), 1, rtol=0, atol=1e-12):
            raise InputError("a point is not of length 1; expected points on the unit sphere")
        if not np.isin(self.labels, (-1, 1)).all():
            raise InputError("labels has other numbers than -1 and 1; expected signs")

    def __repr__(self) -> str:
        return f"SphereData({len(self.points)} points in R^{self.points.shape[1]})"

    @property
    def slope(self) -> float:
        """The largest |y_i - y_j| / |x_i - x_j|, which no interpolating function is below, to float accuracy."""
        opposite = np.multiply.outer(self.labels, self.labels) < 0
        if not opposite.any():
            return 0.0
        gaps = np.linalg.norm(self.points[:, None] - self.points[None], axis=2)
        return float(2 / gaps[opposite].min())


def random_sphere_data(n: int, d: int, rng: np.random.Generator) -> SphereData:
    """n independent points, uniform on the sphere of R^d, with independent random signs.

    Examples
    --------
    >>> random_sphere_data(5, 3, np.random.default_rng(0))
    SphereData(5 points in R^3)
    """
    if n < 1 or d < 1:
        raise InputError(f"n, d is {n, d}; expected integers >= 1")
    return SphereData(_unit(rng, n, d), rng.choice([-1.0, 1.0], n))


def _unit(rng: np.random.Generator, n: int, d: int) -> Floats:
    normal = rng.standard_normal((n, d))
    unit: Floats = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    return unit


@dataclass(frozen=True, slots=True, eq=False)
class Interpolant:
    """x -> output . ReLU(weights x + bias).

    Attributes
    ----------
    weights, bias, output : ndarray, shapes (k, d), (k,), (k,)
    method : str
    residual : float
        The largest |f(x_i) - y_i|, in floats.
    tolerance : float
        What the residual was asked to be below.
    seed : int
        Repeats the training.
    """

    weights: Floats
    bias: Floats
    output: Floats
    method: str
    residual: float
    tolerance: float
    seed: int

    def __repr__(self) -> str:
        k, d = self.weights.shape
        return f"Interpolant({self.method}, {k} neurons on R^{d}, residual {self.residual:.1e}; seed={self.seed})"

    @property
    def fits(self) -> bool:
        """Whether the residual is at most the tolerance."""
        return self.residual <= self.tolerance

    def apply(self, points: Floats) -> Floats:
        """f at points of shape (n, d)."""
        return _values(self.weights, self.bias, self.output, points)

    def lipschitz(self, **options: Any) -> LipschitzConstant:
        """Its Lipschitz constant; the options are those of `lipschitz_constant`."""
        return lipschitz_constant(self.weights, self.bias, self.output, **options)

    def lipschitz_on_sphere(self, *, node_limit: int = 2000) -> tuple[float, float]:
        """Its Lipschitz constant on the unit sphere, within two numbers.

        From below the longest gradient along the sphere that random great circles find, in floats; from above the
        constant on the unit ball, by branch and bound. For d = 1 the sphere is two points.
        """
        d = self.weights.shape[1]
        if d == 1:
            slope = float(np.abs(np.diff(self.apply(np.array([[-1.0], [1.0]])))[0]) / 2)
            return slope, slope
        low = longest_on_sphere(self.weights, self.bias, self.output, self.seed)
        ball = Ball((Fraction(0),) * d, Fraction(1))
        return low, self.lipschitz(domain=ball, node_limit=node_limit).upper


def interpolate(
    data: SphereData,
    k: int,
    method: str,
    *,
    seed: int = 0,
    tolerance: float = 1e-6,
    height: float | None = None,
) -> Interpolant:
    """A network with k hidden neurons through the data.

    Parameters
    ----------
    data : SphereData
        n points in R^d.
    k : int
    method : str
        "random_features", "trained", "regularised" or "caps"; see the module.
    seed : int
        Of the random rows.
    tolerance : float
        The residual at which training stops to try new starts. If none reaches it, the best network is returned, and
        its `fits` is False.
    height : float, optional
        s of "caps", at most the largest for which the caps are disjoint, which is the default.

    Raises
    ------
    InputError
        k < 1, another method, k < n for random features or k != 2n for caps, caps that overlap.

    Examples
    --------
    >>> data = random_sphere_data(8, 5, np.random.default_rng(0))
    >>> network = interpolate(data, 8, "trained", seed=1)
    >>> network.fits
    True
    >>> bool(network.lipschitz().upper >= data.slope - 1e-4)
    True
    """
    n, d = data.points.shape
    if method not in METHODS:
        raise InputError(f"method is {method!r}; allowed are {', '.join(METHODS)}")
    if k < 1 or seed < 0 or not tolerance > 0:
        raise InputError(f"k, seed, tolerance is {k, seed, tolerance}; expected k >= 1, seed >= 0, tolerance > 0")
    if method == "caps":
        weights, bias, output = _caps(data, k, height)
        return _finished(data, weights, bias, output, method, tolerance, seed)
    if method == "random_features" and k < n:
        raise InputError(f"k is {k} for {n} points; expected k >= n, or method 'trained'")
    rng = np.random.default_rng(seed)
    best: Interpolant | None = None
    for _ in range(1 if method == "random_features" else _STARTS):
        weights, bias = _unit(rng, k, d), rng.uniform(-1, 1, k)
        if method == "random_features":
            output = _least_norm(weights, bias, data)
        else:
            # Output of least norm would fit as it is where k >= n, and badly where k is near n.
            output = rng.standard_normal(k) / math.sqrt(k)
            weights, bias, output = _train(data, weights, bias, output, np.zeros((0, d)), 0.0)
        found = _finished(data, weights, bias, output, method, tolerance, seed)
        if best is None or found.residual < best.residual:
            best = found
        if best.fits:
            break
    assert best is not None
    return _regularise(data, best) if method == "regularised" and best.fits else best


def cap_constant(height: float) -> float:
    """sqrt((2 - s) / s): the Lipschitz constant on the unit sphere of the cap network with disjoint caps of height s.

    On the sphere the slope of a cap at t = <x_i, x> is that of its gradient x_i / s along it, sqrt(1 - t^2) / s, whose
    supremum over 1 - s < t < 1 is at t = 1 - s. It is the constant for geodesic and for straight distances alike:
    two points of a great circle through x_i at angles u < v from it have (cos u - cos v) / (2 s sin((v - u) / 2)) =
    sin((u + v) / 2) / s. In the unit ball the constant is 1 / s, more; on R^n more still where slabs overlap.

    Examples
    --------
    >>> cap_constant(0.25) == 7**0.5
    True
    """
    if not 0 < height <= 1:
        raise InputError(f"height is {height}; expected 0 < height <= 1")
    return math.sqrt((2 - height) / height)


def largest_height(data: SphereData) -> float:
    """The largest s for which the caps <x_i, x> > 1 - s are disjoint: half of the least angle apart; at most 1."""
    products = data.points @ data.points.T - 2 * np.eye(len(data.points))
    nearest = float(np.clip(products.max(), -1, 1))
    return 1 - math.sqrt((1 + nearest) / 2)


def _caps(data: SphereData, k: int, height: float | None) -> tuple[Floats, Floats, Floats]:
    n = len(data.points)
    if k != 2 * n:
        raise InputError(f"k is {k} for {n} points; caps have k = 2n = {2 * n}")
    largest = largest_height(data)
    s = largest if height is None else height
    if not 0 < s <= largest * (1 + 1e-12):
        raise InputError(f"height is {s}; expected 0 < height <= {largest:.6g}, where the caps are disjoint")
    weights = np.repeat(data.points, 2, axis=0)
    bias = np.tile([s - 1, -1.0], n)
    return weights, bias, np.repeat(data.labels / s, 2) * np.tile([1.0, -1.0], n)


def _values(weights: Floats, bias: Floats, output: Floats, points: Floats) -> Floats:
    values: Floats = np.maximum(points @ weights.T + bias, 0) @ output
    return values


def _finished(
    data: SphereData, weights: Floats, bias: Floats, output: Floats, method: str, tolerance: float, seed: int
) -> Interpolant:
    residual = float(np.abs(_values(weights, bias, output, data.points) - data.labels).max())
    return Interpolant(weights, bias, output, method, residual, tolerance, seed)


def _least_norm(weights: Floats, bias: Floats, data: SphereData) -> Floats:
    features = np.maximum(data.points @ weights.T + bias, 0)
    solution: Floats = np.asarray(np.linalg.lstsq(features, data.labels, rcond=None)[0], dtype=np.float64)
    return solution


def _train(
    data: SphereData, weights: Floats, bias: Floats, output: Floats, steep: Floats, penalty: float
) -> tuple[Floats, Floats, Floats]:
    """Least squares of the misfits and, times the penalty, of the Jacobians at the inputs `steep`."""
    k, d = weights.shape

    def parts(theta: Floats) -> tuple[Floats, Floats, Floats]:
        return theta[: k * d].reshape(k, d), theta[k * d : k * (d + 1)], theta[k * (d + 1) :]

    def residuals(theta: Floats) -> Floats:
        w, b, a = parts(theta)
        slopes = ((steep @ w.T + b > 0) * a) @ w
        return np.concatenate([_values(w, b, a, data.points) - data.labels, penalty * slopes.ravel()])

    def derivatives(theta: Floats) -> Floats:
        w, b, a = parts(theta)
        h = data.points @ w.T + b
        active = (h > 0) * a
        fit = np.hstack([(active[:, :, None] * data.points[:, None]).reshape(len(h), -1), active, np.maximum(h, 0)])
        on = steep @ w.T + b > 0
        by_weights = (on * a)[:, None, :, None] * np.eye(d)[None, :, None, :]
        by_output = on[:, None, :] * w.T[None]
        rows = len(steep) * d
        flat = [by_weights.reshape(rows, k * d), np.zeros((rows, k)), by_output.reshape(rows, k)]
        return np.vstack([fit, penalty * np.hstack(flat)])

    start = np.concatenate([weights.ravel(), bias, output])
    end = least_squares(residuals, start, jac=derivatives, ftol=1e-12, xtol=1e-12, gtol=1e-12, max_nfev=_EVALUATIONS)
    return parts(end.x)


def _regularise(data: SphereData, fitted: Interpolant) -> Interpolant:
    """Rounds of training against the steepest cells so far; each network is trained to fit again, then compared."""
    best, steep = fitted, np.zeros((0, data.points.shape[1]))
    # Rounds compare the steepest cells found, which need not be proven to be the steepest.
    constant = fitted.lipschitz(**_GLANCE)
    lowest = constant.lower
    weights, bias, output = fitted.weights, fitted.bias, fitted.output
    nothing = np.zeros((0, data.points.shape[1]))
    for penalty in _PENALTIES:
        steep = np.vstack([steep, np.array([float(entry) for entry in constant.point])])
        weights, bias, output = _train(data, weights, bias, output, steep, float(penalty))
        parameters = _train(data, weights, bias, output, nothing, 0.0)
        found = _finished(data, *parameters, "regularised", fitted.tolerance, fitted.seed)
        constant = found.lipschitz(**_GLANCE)
        if found.fits and constant.lower < lowest:
            best, lowest = found, constant.lower
    return best
