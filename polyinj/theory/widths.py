"""The best proven bound of P(not injective) for Gaussian layers, or of any budget of active rows, and the widths."""

from __future__ import annotations

from fractions import Fraction

from polyinj.theory.domain import always_meets, read_count, read_max_positive, read_real, read_sizes
from polyinj.theory.euler import exact_noninjectivity_probability, noninjectivity_bound
from polyinj.theory.gordon import gordon_bound
from polyinj.theory.lifted_gordon import estimate_lifted_gordon_bound, lifted_gordon_bound

# The estimate of the lifted bound is this close to it, or below it by less.
_SLACK = 1.01


def best_noninjectivity_bound(m: int, n: int, max_positive: int | None = None) -> float:
    """The least of the proven upper bounds of P(x -> ReLU(Wx) is not injective) for Gaussian W.

    Parameters
    ----------
    m, n : int
        At least 1.
    max_positive : int, optional
        At least 0; bounds P(some x != 0 has at most max_positive active rows). n - 1 by default.

    Returns
    -------
    float
        The least of `noninjectivity_bound`, `gordon_bound` and `lifted_gordon_bound`; the last takes longest and is
        left out where its estimate is not the least.

    Raises
    ------
    InputError
        Not integers, or too small.

    Examples
    --------
    >>> best_noninjectivity_bound(780, 100) < 1e-4 < noninjectivity_bound(780, 100)
    True
    """
    m, n = read_sizes(m, n)
    k = read_max_positive(max_positive, n)
    least = noninjectivity_bound(m, n, k)
    if n >= 2 and k >= 1 and not always_meets(m, n, k):
        least = min(least, gordon_bound(m, n, k))
        if estimate_lifted_gordon_bound(m, n, k) < least:
            least = min(least, lifted_gordon_bound(m, n, k))
    return least


def sufficient_width(n: int, delta: float, max_positive: int | None = None) -> int:
    """A width m that makes P(x -> ReLU(Wx) is not injective) <= delta for Gaussian W of shape (m, n).

    Parameters
    ----------
    n : int
        At least 1.
    delta : float
        In (0, 1).
    max_positive : int, optional
        At least 0; then P(some x != 0 has at most max_positive active rows) <= delta. n - 1 by default.

    Returns
    -------
    int
        For n <= 2 or max_positive = 0 the least such m, from the exact probability. Beyond, an m at which
        `best_noninjectivity_bound` is at most delta while it is not at m - 1. More rows never hurt.

    Raises
    ------
    InputError
        n or max_positive is no integer or too small, or delta is outside (0, 1).

    Examples
    --------
    >>> [sufficient_width(n, 0.01) for n in (1, 2, 3, 10, 100)]
    [8, 16, 24, 82, 760]
    """
    n, delta = read_count(n, "n"), read_real(delta, "delta", 0, 1)
    k = read_max_positive(max_positive, n)
    known = n <= 2 or k == 0

    def suffices(m: int) -> bool:
        if known:
            return exact_noninjectivity_probability(m, n, k) <= Fraction(delta)
        return best_noninjectivity_bound(m, n, k) <= delta

    def seems_to(m: int) -> bool:
        if known:
            return suffices(m)
        return noninjectivity_bound(m, n, k) <= delta or estimate_lifted_gordon_bound(m, n, k) * _SLACK <= delta

    # Up to n + 2k rows the probability is 1.
    low, high = n + 2 * k, 9 * max(n, k + 1) + 8
    while not seems_to(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if seems_to(middle) else (middle, high)
    while not suffices(high):
        high += 1
    while suffices(high - 1):
        high -= 1
    return high
