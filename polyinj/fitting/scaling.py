"""From finite n to its limit: several ansatz fitted to one sequence, and how far they disagree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from polyinj.errors import InputError
from polyinj.fitting.intervals import TWO_SIDED_95

Array = NDArray[np.float64]

# Terms beside the constant, by the way that the ansatz is written.
ANSATZ: dict[str, tuple[Callable[[Array], Array], ...]] = {
    "a + b/n": (lambda n: 1 / n,),
    "a + b n^(-2/3)": (lambda n: n ** (-2 / 3),),
    "a + b ln(n)/n": (lambda n: np.log(n) / n,),
    "a + b/n + c/n^2": (lambda n: 1 / n, lambda n: n**-2.0),
    "a + b n^(-2/3) + c/n": (lambda n: n ** (-2 / 3), lambda n: 1 / n),
    "a + b ln(n)/n + c/n": (lambda n: np.log(n) / n, lambda n: 1 / n),
}


@dataclass(frozen=True, slots=True)
class ScalingFit:
    """One ansatz fitted to the points from n = smallest_n on.

    Attributes
    ----------
    ansatz : str
        A key of ANSATZ.
    smallest_n : int
        Points of smaller n are left out.
    limit, stderr : float
        The constant a and its standard error, if the ansatz holds.
    coefficients : tuple of float
        (a, b) or (a, b, c).
    chi_square, degrees_of_freedom, p_value
        Goodness of fit, for points with independent normal errors.
    """

    ansatz: str
    smallest_n: int
    limit: float
    stderr: float
    coefficients: tuple[float, ...]
    chi_square: float
    degrees_of_freedom: int
    p_value: float

    def at(self, n: ArrayLike) -> Array:
        """The fitted curve."""
        return np.asarray(_design(self.ansatz, np.asarray(n, dtype=np.float64)) @ np.array(self.coefficients))


@dataclass(frozen=True, slots=True)
class Scaling:
    """Result of `extrapolate`: no single limit, but what each ansatz makes of the points.

    Attributes
    ----------
    fits : tuple of ScalingFit
        Every ansatz with every number of leading points left out that leaves two degrees of freedom.
    """

    fits: tuple[ScalingFit, ...]

    def __repr__(self) -> str:
        low, high = self.spread()
        return f"Scaling({len(self.accepted())} of {len(ANSATZ)} ansatz fit; limits {low:.3f}..{high:.3f})"

    def accepted(self, p_value: float = 0.05) -> tuple[ScalingFit, ...]:
        """For each ansatz the fit to most points whose chi-square has at least this p-value, if there is one."""
        found: dict[str, ScalingFit] = {}
        for fit in self.fits:
            if fit.p_value >= p_value:
                found.setdefault(fit.ansatz, fit)
        return tuple(found.values())

    def spread(self, p_value: float = 0.05) -> tuple[float, float]:
        """The least and the greatest limit within the 95% intervals of the accepted fits; nan where none fits."""
        ends = [fit.limit + sign * TWO_SIDED_95 * fit.stderr for fit in self.accepted(p_value) for sign in (-1, 1)]
        return (min(ends), max(ends)) if ends else (float("nan"), float("nan"))

    def table(self) -> str:
        """All fits as aligned text: a stable ansatz keeps its limit as leading points are left out."""
        lines = [f"{'ansatz':22}{'n >=':>5}{'limit a':>10}{'+-':>8}{'chi^2/df':>11}{'p':>9}"]
        for fit in self.fits:
            ratio = f"{fit.chi_square:.1f}/{fit.degrees_of_freedom}"
            lines.append(
                f"{fit.ansatz:22}{fit.smallest_n:>5}{fit.limit:>10.3f}{fit.stderr:>8.3f}{ratio:>11}{fit.p_value:>9.2g}"
            )
        return "\n".join(lines)


def extrapolate(n: Sequence[int], values: Sequence[float], stderrs: Sequence[float]) -> Scaling:
    """Fit every ansatz to a sequence by weighted least squares, leaving out none, one, two, ... of its first points.

    Parameters
    ----------
    n : sequence of int
        Increasing.
    values, stderrs : sequence of float
        The sequence at n, and standard errors, positive.

    Raises
    ------
    InputError
        Unequal lengths, n that do not increase from 1 or more, values that are not finite, errors that are not
        positive, or fewer than four points.

    Examples
    --------
    >>> n = range(5, 15)
    >>> found = extrapolate(n, [7 - 4 / k for k in n], [0.01] * 10)
    >>> [round(fit.limit, 3) for fit in found.accepted() if fit.ansatz == "a + b/n"]
    [7.0]
    """
    place, value, error = (np.asarray(list(column), dtype=np.float64) for column in (n, values, stderrs))
    if not (place.ndim == 1 and place.shape == value.shape == error.shape and len(place) >= 4):
        raise InputError(
            f"n, values and stderrs have shapes {place.shape}, {value.shape}, {error.shape}; "
            "expected the same number, at least 4"
        )
    if not (place[0] >= 1 and (np.diff(place) > 0).all()):
        raise InputError(f"n is {place.tolist()}; expected integers >= 1 that increase")
    if not (np.isfinite(value).all() and np.isfinite(error).all() and (error > 0).all()):
        raise InputError(
            "values or stderrs are not finite or not positive; leave out the n whose crossing is not shown"
        )
    return Scaling(
        tuple(
            _fit(ansatz, place[left_out:], value[left_out:], error[left_out:])
            for ansatz, terms in ANSATZ.items()
            for left_out in range(len(place) - len(terms) - 2)
        )
    )


def _fit(ansatz: str, n: Array, values: Array, stderrs: Array) -> ScalingFit:
    design = _design(ansatz, n) / stderrs[:, None]
    orthogonal, triangle = np.linalg.qr(design)
    inverse = np.linalg.inv(triangle)
    coefficients = inverse @ (orthogonal.T @ (values / stderrs))
    chi_square = float(np.sum((values / stderrs - design @ coefficients) ** 2))
    freedom = len(n) - design.shape[1]
    return ScalingFit(
        ansatz,
        int(n[0]),
        float(coefficients[0]),
        float(np.linalg.norm(inverse[0])),
        tuple(map(float, coefficients)),
        chi_square,
        freedom,
        float(chdtrc(freedom, chi_square)),
    )


def _design(ansatz: str, n: Array) -> Array:
    return np.stack([np.ones_like(n), *(term(n) for term in ANSATZ[ansatz])], axis=-1)
