"""Deep networks: widths (n, m, ..., m), independent N(0, 1) entries, f(x) = ReLU(W_L ... ReLU(W_1 x)), m >= n.

Write h_k for the output and z_k = W_k h_{k-1} for the input of layer k, h_0 = x. Positive scaling changes nothing: a
point stands for its ray. The neurons of layers 1, ..., l cut R^n into closed convex cones on which h_l is linear; where
n - 1 of them vanish (generically no more) there is a ray.

**Lemma.** Let N be a set of n - 1 neurons, n_k of them in layer k and p_k above it, l its last layer. The expected
number of rays on which they all vanish and none of the layers 1, ..., l-1 is dead (h = 0) is

    2 prod_{k<l} P(K_k > p_k),   K_k ~ Bin(m - n_k, 1/2),

at most 2: what it would be for n - 1 flat hyperplanes.

Proof. Where N vanishes its neurons pass nothing on, so leave them out of the network: that changes no zero of z_N,
layer by layer, and h then depends on the other rows only. Given h, z_N on a ray x is Gaussian with independent entries
of deviations |h_{k-1}(x)|. On the open cones where h is linear and alive the Kac-Rice formula holds; n - 1 such forms
have no common zero in the lower dimensional rest, and no degenerate one (probability 0). The derivative of z_N at a
zero has the rows g B_{k-1} |h_{k-1}|, as a row of W_k that annihilates h_{k-1} is Gaussian on its complement. So the
number is

    int_{S^(n-1)} (2 pi)^(-(n-1)/2) E |det of the rows g B_{k-1}, n_k of them for each k| dx,

g standard Gaussian vectors, B_k = (derivative of h_k in the n - 1 directions orthogonal to x, made orthogonal to h_k)
/ |h_k|, B_0 = 1.

One layer. Fix x and the layers before k, with unit vector e along h_{k-1}. A row w of W_k is positive at x when w.e >
0: K ~ Bin(m - n_k, 1/2) rows are. Their values w.e are a vector a of half normal entries, R^2 = |a|^2 ~ chi^2_K, and
h_k = |h_{k-1}| a. Their parts orthogonal to e are Gaussian and independent of a. The derivative of h_k along e goes
along a, which the projection removes. What is left is B_k = G B_{k-1} / R, with G the K orthogonal parts projected
orthogonally to a: a (K-1)-row Gaussian matrix independent of R. Let vol be the product of singular values. As E chi_j
= sqrt 2 Gamma((j+1)/2) / Gamma(j/2) telescopes, for every fixed T with p columns

    E vol(G T) / R^p = vol(T) E(chi_{K-1}) ... E(chi_{K-p}) E(chi_K^-p) = vol(T)    for K > p,  0 otherwise.

All layers, from the top. Suppose that averaging over the layers above k, and over the rows of layer k outside N, has
left vol([M; H B]) vol(B U), times constants, where B = B_{k-1}, M are the rows of N below layer k, H the n_k Gaussian
rows of layer k, and U is an orthonormal basis of the kernel of [M; H B]. (In layer l it is |det [M; H B]|, U empty.)
Let V be an orthonormal basis of the kernel of M, of p_{k-1} = n_k + p_k vectors, and T = B V made square by an
isometry, which H absorbs. Then vol([M; H B]) = vol(M) vol(H T), and U = V u with u an orthonormal basis of the kernel
of H T, so vol(B U) = vol(T u). By Jacobi's complementary minors vol(H T) vol(T u) = vol(H) |det T|: T u spans the
kernel of H, and for e an orthonormal basis of that, vol(T u) = 1 / vol(T^-1 e). So vol(M) vol(H) vol(B V) is left. M
and V do not depend on the rows of layer k - 1 outside N; averaging over them, B = G B_{k-2} / R, leaves P(K_{k-1} >
p_{k-1}) vol(M) vol(B_{k-2} V), the same one layer below, times E vol(H). At the bottom B_0 = 1, and the means of the
n_k x p_{k-1} matrices H have multiplied to E(chi_1) ... E(chi_{n-1}), that of |det| for a square Gaussian matrix. This
times (2 pi)^(-(n-1)/2) and the area of the sphere is 2. QED

**Bound.** Suppose layers 1, ..., l-1 (l >= 2) are injective on the images before them and layer l is not; m >= 2n.

1. ReLU(W_l u) = ReLU(W_l v), u != v in the image. The rows positive at u are those positive at v, with equal values:
   they annihilate u - v. The cones of the image have spans of dimension at most n, W_l is independent of them, and any
   2n of its rows are injective on the sum of two such spans. So fewer than 2n rows are positive at u and v; say u is
   not 0.
2. Say u = h_{l-1}(x), with x in the relative interior of the face F of the cones of layers 1, ..., l-1. h_{l-1} is
   linear and injective on F, so the rows that vanish at u are linearly independent on the span of h_{l-1}(F)
   (probability 1): move x inside F so that they become negative and the others keep their signs, then off F into an
   open cone. This is a full cone of layers 1, ..., l in which fewer than 2n rows of W_l are positive. It is pointed
   (so are the cones of layer 1), has at least n extreme rays, and on each no more rows are positive. None of the
   layers 1, ..., l-1 is dead on them: injective, they map only 0 to 0.
3. On an extreme ray n - 1 neurons of layers 1, ..., l vanish, say j of layer l. The signs of the other m - j rows of
   W_l there are fair coins, independent of the ray. As there are n such rays at least, by the lemma and Markov's
   inequality

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

from flint import arb, fmpz

from polyinj.exact.precision import precision
from polyinj.theory.domain import read_count, read_real, read_sizes
from polyinj.theory.euler import noninjectivity_bound, round_up
from polyinj.theory.euler_sum import binomial_sum_ball
from polyinj.theory.rates import BITS, binomial_rate, enclose_root
from polyinj.theory.thresholds import enclose_threshold
from polyinj.theory.widths import best_noninjectivity_bound


def deep_sufficient_expansivity(depth: int) -> float:
    """A C, rounded up, above which networks of this depth are injective with high probability as n grows.

    Parameters
    ----------
    depth : int
        Number of layers L, at least 1; all widths are C n.

    Returns
    -------
    float
        Rigorous: the lifted Gordon threshold for one layer, for more the root of the exponent of layer L (see the
        module).

    Raises
    ------
    InputError
        depth is no integer or less than 1.

    Examples
    --------
    >>> [round(deep_sufficient_expansivity(depth), 4) for depth in (1, 2, 8, 100, 10**6)]
    [7.4486, 15.3895, 17.7313, 22.2836, 37.9164]
    """
    depth = read_count(depth, "depth")
    if depth == 1:
        return round_up(enclose_threshold("lifted-gordon"))

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
    if depth == 1:
        return best_noninjectivity_bound(m, n)
    if m < 2 * n:
        return 1.0
    with precision(128):
        total = arb(0)
        for layer in range(2, depth + 1):
            total += _layer_bound(m, n, layer)
        # The better bounds of the first layer take longer; mostly it does not matter beside the others.
        first = noninjectivity_bound(m, n)
        if not first < total / 1000:
            first = best_noninjectivity_bound(m, n)
        return min(1.0, round_up(first + total))


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
