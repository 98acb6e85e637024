"""Deep networks: widths (n, m, ..., m), independent N(0, 1) entries, f(x) = ReLU(W_L ... ReLU(W_1 x)), m >= n.

Write h_k for the output and z_k = W_k h_{k-1} for the input of layer k, h_0 = x. Positive scaling changes nothing: a
point stands for its ray. The neurons of layers 1, ..., l cut R^n into closed convex cones on which h_l is linear; where
n - 1 of them vanish (generically no more) there is a ray.

**Lemma.** For any set N of n - 1 neurons, the expected number of rays on which they all vanish and no layer before the
last of them is dead (h = 0) is at most 2: what it would be for n - 1 flat hyperplanes.

Proof. Let layer k contain n_k of N, and p_k of N lie above layer k. Where N vanishes its neurons pass nothing on, so
leave them out of the network: h then depends on the other rows only, and z_N on a ray x is Gaussian given h, with
independent entries of deviations |h_{k-1}(x)|. By the Kac-Rice formula the number is

    int_{S^(n-1)} (2 pi)^(-(n-1)/2) E |det of the rows g B_{k-1}, n_k of them for each k| dx,

g standard Gaussian vectors, B_k = (derivative of h_k in the n - 1 directions orthogonal to x, made orthogonal to h_k) /
|h_k|, B_0 = 1. Given layers before k, let K of the m - n_k neurons be positive at x, and R^2 be the sum of the squares
of their inputs over |h_{k-1}|^2. Then B_k = G B_{k-1} / R, where G is a (K-1)-row Gaussian matrix, independent of
R^2 ~ chi^2_K. With vol the product of singular values and p = p_k, for every fixed T with p columns

    E vol(G T) / R^p = vol(T) E(chi_{K-1}) ... E(chi_{K-p}) E(chi_K^-p) = vol(T)    for K > p,  0 otherwise.

Work from the top. Suppose that integrating out the layers above k, and the rows of layer k outside N, has left
vol([M; H B]) vol(B U), where B = B_{k-1}, M are the rows of N below layer k, H the n_k Gaussian rows of layer k, and U
is an orthonormal basis of the kernel of [M; H B]. With V one of the kernel of M, and T = B V made square by an
isometry, this is vol(M) vol(H T) vol(T u), u a basis of the kernel of H T, and vol(H T) vol(T u) = vol(H) |det T|
by complementary minors. Averaging over B = G B_{k-2} / R leaves vol(M) vol(B_{k-2} V), the same one layer below, times
E vol(H). At the bottom these means have multiplied to E |det| of a square Gaussian matrix of size n - 1, as for flat
hyperplanes. Altogether the expectation is 2 prod_k P(K_k > p_k) with K_k ~ Bin(m - n_k, 1/2). QED

**Bound.** Suppose layers 1, ..., l-1 (l >= 2) are injective on the images before them and layer l is not.

1. ReLU(W_l u) = ReLU(W_l v), u != v in the image. The rows positive at u are those positive at v, with equal values:
   they annihilate u - v. The cones of the image have spans of dimension at most n, W_l is independent of them, and any
   2n of its rows are injective on the sum of two such spans. So fewer than 2n rows are positive at u and v; say u is
   not 0.
2. The rows that vanish at u are linearly independent on the span of the face that holds it: move u into a full cone of
   layers 1, ..., l so that they become negative. This cone is pointed (so are the cones of layer 1), has at least n
   extreme rays, none of them dead, and on each fewer than 2n rows of W_l are positive.
3. The signs on a ray of the m - j rows of W_l that do not vanish are fair coins, independent of the ray. So

       P(layer l fails first) <= (2/n) sum_{j<n} C(m, j) C((l-1) m, n-1-j) P(Bin(m-j, 1/2) < 2n).

With the bound of one layer for the first, the sum over the layers bounds P(f is not injective). At m = C n the exponent
of layer l is the maximum over 0 < x = j/n < 1 of

    F(x, C) = C H(x/C) + (l-1) C H((1-x) / ((l-1) C)) + (C-x) H(2/(C-x)) - (C-x) ln 2,

attained where x^2 - x ((l+1) C - 3) + 2 (C-2) = 0. F is jointly concave, so its maximum is concave in C; it is positive
at C = 6 and has one root beyond. The root grows with l, hence the last layer decides: C(L) = log2 L + 3 log2 C(L) +
3/ln 2 - 2 + o(1). Counting cones instead of rays, each layer multiplying them by 2 sum_{i<n} C(m-1, i), gives growth
like L ln L / ln 2 (`region_expansivity`).
"""

from __future__ import annotations

from collections.abc import Callable

from flint import arb, ctx, fmpz

from polyinj.theory.bounds import gordon_bound
from polyinj.theory.domain import read_count, read_real, read_sizes
from polyinj.theory.euler import binomial_sum_ball, noninjectivity_bound, round_up
from polyinj.theory.rates import BITS, binomial_rate, enclose_root
from polyinj.theory.thresholds import enclose_threshold


def deep_sufficient_expansivity(depth: int) -> float:
    """A C, rounded up, above which networks of this depth are injective with high probability as n grows.

    Parameters
    ----------
    depth : int
        Number of layers L, at least 1; all widths are C n.

    Returns
    -------
    float
        Rigorous: the Gordon threshold for one layer, the root of the exponent of layer L (see the module) for more.

    Raises
    ------
    InputError
        depth is no integer or less than 1.

    Examples
    --------
    >>> [round(deep_sufficient_expansivity(depth), 4) for depth in (1, 2, 8, 100, 10**6)]
    [7.6477, 15.3895, 17.7313, 22.2836, 37.9164]
    """
    depth = read_count(depth, "depth")
    if depth == 1:
        return round_up(enclose_threshold("gordon"))

    def exponent(c: arb) -> arb:
        b = (depth + 1) * c - 3
        x = 4 * (c - 2) / (b + (b * b - 8 * (c - 2)).sqrt())
        before = binomial_rate((depth - 1) * c, 1 - x)
        return binomial_rate(c, x) + before + binomial_rate(c - x, 2) - (c - x) * arb(2).log()

    return _root_beyond(exponent, depth)


def region_expansivity(depth: int) -> float:
    """The C that the union bound over cones gives for the last layer alone, rounded up; see the module.

    The root of L C H(1/C) + C H(k/C) - C ln 2, with k = 1 for one layer and 2 for more.

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
    with ctx.workprec(BITS + 3 * depth.bit_length()):
        high = arb(12)
        while not exponent(high) < 0:
            high = 2 * high
        return round_up(enclose_root(exponent, 6, high))


def deep_noninjectivity_bound(m: int, n: int, depth: int) -> float:
    """A proven upper bound of P(a network of widths (n, m, ..., m) is not injective), rounded up and at most 1.

    Parameters
    ----------
    m, n, depth : int
        Hidden width, inputs and number of layers, all at least 1. Weights are independent and standard normal.

    Raises
    ------
    InputError
        An argument is no integer or less than 1.

    Examples
    --------
    >>> deep_noninjectivity_bound(400, 20, 1) < deep_noninjectivity_bound(400, 20, 3) < 1e-7
    True
    """
    m, n = read_sizes(m, n)
    depth = read_count(depth, "depth")
    first = min(noninjectivity_bound(m, n), gordon_bound(m, n) if n > 1 else 1.0)
    if depth == 1 or m < 2 * n:
        return first if depth == 1 else 1.0
    with ctx.workprec(128):
        total = arb(first)
        for layer in range(2, depth + 1):
            total += _layer_bound(m, n, layer)
        return min(1.0, round_up(total))


def _layer_bound(m: int, n: int, layer: int) -> arb:
    """(2/n) sum_{j<n} C(m, j) C((layer-1) m, n-1-j) P(Bin(m-j, 1/2) < 2n), term by term from j = 0."""
    below = (layer - 1) * m
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
    [83, 140, 162]
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
