"""Deep networks: widths (n, m_1, ..., m_L), independent N(0, 1) entries, f(x) = ReLU(W_L ... ReLU(W_1 x)).

The bounds at finite sizes rest on a lemma, proven in docs/log-depth.md: n - 1 neurons, in whatever layers, vanish
together on at most 2 rays in the mean. Where the layers before are injective and layer l is not, at least n rays have
fewer than 2n positive rows of layer l, so that with M the neurons below layer l, m_l >= 2n,

    P(layer l fails first) <= (2/n) sum_{j<n} C(m_l, j) C(M, n-1-j) P(Bin(m_l - j, 1/2) < 2n).

At equal widths C n the root of its exponent, `ray_expansivity`, grows like log2 of the depth. As n grows one
expansivity serves every depth all the same: docs/every-depth.md, `polyinj.theory.deep_gordon`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flint import arb, fmpz

from polyinj.errors import InputError
from polyinj.exact.precision import precision
from polyinj.theory.deep_gordon import every_depth_expansivity
from polyinj.theory.domain import read_count, read_real, read_sizes, read_values
from polyinj.theory.euler import noninjectivity_bound, round_up
from polyinj.theory.euler_sum import binomial_sum_ball
from polyinj.theory.rates import BITS, binomial_rate, enclose_root
from polyinj.theory.thresholds import enclose_threshold
from polyinj.theory.widths import best_noninjectivity_bound

# The layers are gone through one after the other.
_DEEPEST = 1_000_000


def deep_sufficient_expansivity(depth: int) -> float:
    """A C, rounded up, above which networks of this depth are injective with high probability as n grows.

    Parameters
    ----------
    depth : int
        Number of layers L, at least 1; all widths are C n.

    Returns
    -------
    float
        Proven: the lifted Gordon threshold for one layer, for more the one `every_depth_expansivity`.

    Raises
    ------
    InputError
        depth is no integer or less than 1.

    Examples
    --------
    >>> [round(deep_sufficient_expansivity(depth), 4) for depth in (1, 2, 8, 10**6)]
    [7.4486, 11.5922, 11.5922, 11.5922]
    """
    if read_count(depth, "depth") == 1:
        return round_up(enclose_threshold("lifted-gordon"))
    return every_depth_expansivity()


def ray_expansivity(depth: int) -> float:
    """The C at which the bound over rays begins to fall exponentially in n at the last layer, rounded up.

    The root of the exponent in docs/log-depth.md. `deep_sufficient_expansivity` is less; the bound over rays is one at
    every n.

    Parameters
    ----------
    depth : int
        Number of layers L, at least 2; all widths are C n.

    Raises
    ------
    InputError
        depth is no integer or less than 2.

    Examples
    --------
    >>> [round(ray_expansivity(depth), 4) for depth in (2, 8, 100, 10**6)]
    [15.3895, 17.7313, 22.2836, 37.9164]
    """
    depth = read_count(depth, "depth", least=2)

    def exponent(c: arb) -> arb:
        b = (depth + 1) * c - 3
        x = 4 * (c - 2) / (b + (b * b - 8 * (c - 2)).sqrt())
        before = binomial_rate((depth - 1) * c, 1 - x)
        return binomial_rate(c, x) + before + binomial_rate(c - x, 2) - (c - x) * arb(2).log()

    return _root_beyond(exponent, depth)


def region_expansivity(depth: int) -> float:
    """The C that a union bound over linear regions gives for the last layer alone, rounded up: log-linear in the depth.

    Each layer multiplies the regions by 2 sum_{i<n} C(m-1, i), and one of them has fewer than 2n positive rows. The
    root of L C H(1/C) + C H(k/C) - C ln 2, with k = 1 for one layer and 2 for more.

    Raises
    ------
    InputError
        depth is no integer or less than 1.

    Examples
    --------
    >>> [round(region_expansivity(depth), 4) for depth in (1, 2, 8, 100)]
    [9.0886, 21.1791, 74.5022, 1186.804]
    """
    depth = read_count(depth, "depth")
    budget = min(depth, 2)
    return _root_beyond(lambda c: depth * binomial_rate(c) + binomial_rate(c, budget) - c * arb(2).log(), depth)


def _root_beyond(exponent: Callable[[arb], arb], depth: int) -> float:
    """The root of a concave function that is positive at 6, rounded up."""
    # The rates cancel to about log2(depth) bits, twice that in the quadratic.
    with precision(BITS + 3 * depth.bit_length()):
        high = arb(12)
        while not exponent(high) < 0:
            high = 2 * high
        return round_up(enclose_root(exponent, 6, high))


def deep_noninjectivity_bound(m: int, n: int, depth: int) -> float:
    """A proven upper bound of P(a network of widths (n, m, ..., m) is not injective), rounded up and at most 1.

    Parameters
    ----------
    m, n, depth : int
        Hidden width, inputs and number of layers, all at least 1, the last at most 10^6. Weights are independent and
        standard normal.

    Raises
    ------
    InputError
        An argument is no integer, or outside its range.

    Examples
    --------
    >>> deep_noninjectivity_bound(400, 20, 1) < deep_noninjectivity_bound(400, 20, 3) < 1e-7
    True
    """
    m, n = read_sizes(m, n)
    depth = read_count(depth, "depth")
    if depth > _DEEPEST:
        raise InputError(f"depth is {depth}; expected at most {_DEEPEST}; try every_depth_expansivity, for large n")
    return profile_noninjectivity_bound((n, *[m] * depth))


def profile_noninjectivity_bound(widths: Sequence[int]) -> float:
    """`deep_noninjectivity_bound` for widths (n, m_1, ..., m_L) that differ from layer to layer.

    Raises
    ------
    InputError
        Fewer than two widths, or one that is no integer or less than 1.

    Examples
    --------
    >>> profile_noninjectivity_bound((20, 300, 500, 450)) < profile_noninjectivity_bound((20, 300, 500, 400)) < 1e-3
    True
    """
    n, *layers = (read_count(width, "a width") for width in read_values(widths, "widths", "integers"))
    if not layers:
        raise InputError(f"widths are {(n,)}; expected n and the width of at least one layer")
    first, *later = layers
    if not later:
        return best_noninjectivity_bound(first, n)
    if min(first, *later) < 2 * n:
        return 1.0
    with precision(128):
        total, below = arb(0), first
        for m in later:
            total += _layer_bound(m, n, below)
            below += m
        # The better bounds of the first layer take longer; mostly it does not matter beside the others.
        bound = noninjectivity_bound(first, n)
        if not bound < total / 1000:
            bound = best_noninjectivity_bound(first, n)
        return min(1.0, round_up(bound + total))


def _layer_bound(m: int, n: int, below: int) -> arb:
    """(2/n) sum_{j<n} C(m, j) C(below, n-1-j) P(Bin(m-j, 1/2) < 2n), term by term from j = 0.

    m >= 2n neurons in the layer and at least n below it.
    """
    rays = arb(fmpz.bin_uiui(below, n - 1))
    share = binomial_sum_ball(m, 2 * n - 1) * arb(2) ** -m
    step = arb(fmpz.bin_uiui(m - 1, 2 * n - 1)) * arb(2) ** -m
    total = arb(0)
    for j in range(n):
        total += rays * share
        rays = rays * ((m - j) * (n - 1 - j)) / ((j + 1) * (below - n + 2 + j))
        # P(Bin(M-1, 1/2) <= k) = P(Bin(M, 1/2) <= k) + 2^-M C(M-1, k).
        share += step
        step = step * (2 * (m - j - 2 * n)) / (m - j - 1)
    return 2 * total / n


def deep_sufficient_width(n: int, depth: int, delta: float) -> int:
    """The least width m at which `deep_noninjectivity_bound` is at most delta while it is not at m - 1.

    Parameters
    ----------
    n, depth : int
        Inputs and number of layers, at least 1.
    delta : float
        In (0, 1).

    Raises
    ------
    InputError
        A parameter outside its range.

    Examples
    --------
    >>> [deep_sufficient_width(10, depth, 0.01) for depth in (1, 2, 8)]
    [82, 140, 162]
    """
    n, depth = read_count(n, "n"), read_count(depth, "depth")
    delta = read_real(delta, "delta", 0, 1)
    low, high = n, 10 * n + 10
    while deep_noninjectivity_bound(high, n, depth) > delta:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if deep_noninjectivity_bound(middle, n, depth) <= delta else (middle, high)
    return high
