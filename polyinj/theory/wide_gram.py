"""The Gram matrix of any batch of inputs behind infinitely wide random ReLU layers, at any depth.

Behind z = Wx + b the entries of z for a batch with Gram matrix G (of mean products over the entries) are centred
normal with covariance sigma_w^2 G + sigma_b^2. A ReLU maps two of them with mean squares Q, Q' and cosine c to
sqrt(Q Q')/2 times the arc-cosine map of c (Cho and Saul 2009). So the Gram matrix behind each layer is a function of
the one before it, entry by entry: the kernel of the Gaussian process that the network is in the limit (Neal 1996; Lee
et al. 2018, arXiv 1711.00165).

Deep in a network cosines agree with 1 to more digits than doubles have, and lengths leave the range of doubles. So
carried are ln of the mean squares and ln(1 - cosine). A sum of two independent parts with mean squares q, h, cosines
1 - g, 1 - k has length sqrt(q + h) and, with T = q + h at either input,

    (1 - cosine) sqrt(T T') = sqrt(q q') g + sqrt(h h') k + (sqrt(q h') - sqrt(q' h))^2 / (sqrt(T T') + sqrt(q q') +
                              sqrt(h h')),

a sum of positive numbers: nothing cancels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import InputError
from polyinj.theory.cosine_map import Floats, gap_behind_relu, read_cosines
from polyinj.theory.domain import read_count, read_values

Integers = NDArray[np.intp]

# The layers are gone through one after the other.
_DEEPEST = 1_000_000

# Share of a rectified Gaussian's second moment that is its squared mean: (1 / (2 pi)) / (1 / 2).
MEAN_SHARE = 1 / math.pi


@dataclass(frozen=True, slots=True)
class WideLayers:
    """The law of the layers, as in `mean_field`.

    Raises
    ------
    InputError
        A negative number, or no variance at all.
    """

    weight_std: float = math.sqrt(2)
    bias_std: float = 0.0
    centred: bool = False
    layer_norm: bool = False
    residual: float = 0.0

    def __post_init__(self) -> None:
        for name in ("weight_std", "bias_std", "residual"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not 0 <= float(value) < math.inf:
                raise InputError(f"{name} is {value!r}; expected a number >= 0")
        if not self.weight_std and not self.bias_std:
            raise InputError(
                "weight_std and bias_std are 0; expected one of them to be positive, as vectors 0 have no angle"
            )

    def iterate(self, log_lengths: Floats, log_gaps: Floats, pairs: tuple[Integers, Integers]) -> Iterator[_State]:
        """ln of mean squares, shape (B,), and ln(1 - cosine) of the pairs, behind layers 1, 2, ..."""
        state = _State(log_lengths, log_gaps)
        log_seen = math.log1p(-MEAN_SHARE) if self.centred else 0.0
        # What the next weights see: the input, or a rectified Gaussian less its mean.
        seen = state
        while True:
            behind = self._behind_relu(seen, pairs)
            less_mean = _State(behind.log_lengths + log_seen, behind.log_gaps - log_seen)
            if self.residual:
                branch = _State(less_mean.log_lengths + 2 * math.log(self.residual), less_mean.log_gaps)
                state = _sum(state, branch, pairs)
                seen = state
            else:
                state, seen = behind, less_mean
            yield state

    def _behind_relu(self, seen: _State, pairs: tuple[Integers, Integers]) -> _State:
        bias = _State(np.full_like(seen.log_lengths, 2 * _log(self.bias_std)), np.full_like(seen.log_gaps, -np.inf))
        if not self.weight_std:
            before = bias
        else:
            before = _State(seen.log_lengths + 2 * math.log(self.weight_std), seen.log_gaps)
            if self.bias_std:
                before = _sum(before, bias, pairs)
        lengths = np.zeros_like(before.log_lengths) if self.layer_norm else before.log_lengths
        # Below e^-600 the map is the identity to the last bit, and its argument is kept from vanishing.
        gaps = np.exp(np.maximum(before.log_gaps, -600.0))
        return _State(lengths - math.log(2), before.log_gaps + np.log(gap_behind_relu(gaps) / gaps))


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    log_lengths: Floats
    log_gaps: Floats


def _sum(first: _State, second: _State, pairs: tuple[Integers, Integers]) -> _State:
    """Of two independent parts, by the formula of this module."""
    i, j = pairs
    q, h = first.log_lengths, second.log_lengths
    total = np.logaddexp(q, h)
    products = [(part[i] + part[j]) / 2 for part in (total, q, h)]
    slant = np.abs((q[i] - h[i]) - (q[j] - h[j])) / 2
    with np.errstate(divide="ignore"):
        # (e^(x/2) - e^(-x/2))^2 = e^x (1 - e^-x)^2
        cross = products[1] + products[2] + slant + 2 * np.log(-np.expm1(-slant))
    cross -= np.logaddexp.reduce(products)
    parts = products[1] + first.log_gaps, products[2] + second.log_gaps, cross
    return _State(total, np.logaddexp.reduce(parts) - products[0])


def _log(value: float) -> float:
    return math.log(value) if value else -math.inf


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WideGram:
    """Result of `wide_gram`.

    Attributes
    ----------
    layers : tuple of int
        0 is the input.
    log_lengths : ndarray, shape (len(layers), B)
        ln of the mean square of the entries, for each input.
    log_gaps : ndarray, shape (len(layers), B, B)
        ln(1 - cosine) of each pair of inputs; -inf on the diagonal.
    """

    layers: tuple[int, ...]
    log_lengths: Floats
    log_gaps: Floats

    def __repr__(self) -> str:
        return f"WideGram({self.log_lengths.shape[1]} inputs, {len(self.layers)} layers up to {self.layers[-1]})"

    @property
    def cosines(self) -> Floats:
        """Shape (len(layers), B, B)."""
        return -np.expm1(self.log_gaps)

    def observables(self) -> dict[str, Floats]:
        """The observables of `propagate` that are functions of the Gram matrix, shape (len(layers),) each.

        Their definitions are those of `polyinj.propagation.observables`, pairs included: inputs k and k + B/2.

        Raises
        ------
        InputError
            An odd number of inputs.
        """
        count = self.log_lengths.shape[1]
        if count % 2:
            raise InputError(f"the batch has {count} inputs; expected an even number, since they are read in pairs")
        seen = [_observe(*state) for state in zip(self.log_lengths, self.log_gaps, strict=True)]
        return {name: np.array([values[name] for values in seen]) for name in seen[0]}


def wide_gram(
    gram: ArrayLike,
    layers: Iterable[int],
    *,
    weight_std: float = math.sqrt(2),
    bias_std: float = 0.0,
    centred: bool = False,
    layer_norm: bool = False,
    residual: float = 0.0,
) -> WideGram:
    """The Gram matrix of a batch behind random ReLU layers of infinite width.

    Parameters
    ----------
    gram : array_like, shape (B, B)
        Of the inputs: mean products over the entries, G_ij = x_i.x_j / n. Symmetric, positive semidefinite, with a
        positive diagonal. Cosines beyond 1 by rounding are read as 1.
    layers : iterable of int
        Which layers, from 0 to 10^6; 10^5 take some seconds.
    weight_std, bias_std, centred, layer_norm, residual
        The law of the layers, as in `mean_field`. Centred weights are meant for inputs whose entries have mean 0.

    Returns
    -------
    WideGram
        Relative errors of 1 - cosine are those of the entries given (2^-53 / (1 - cosine) where these were rounded),
        which no layer makes worse, and rounding: of both logarithms below 1e-12 at depth 600, against ball arithmetic.

    Raises
    ------
    InputError
        No Gram matrix, no layers or a negative one, a negative number elsewhere, no variance at all.

    Examples
    --------
    >>> field = wide_gram([[1, 0, 0.5], [0, 4, 0], [0.5, 0, 1]], [1, 100])
    >>> print(field.cosines[1].round(4))
    [[1.     0.9964 0.9966]
     [0.9964 1.     0.9964]
     [0.9966 0.9964 1.    ]]
    >>> print(np.exp(field.log_lengths[1]).round(9))  # lengths stay
    [1. 4. 1.]
    """
    law = WideLayers(weight_std, bias_std, centred, layer_norm, residual)
    matrix = _read_gram(gram)
    wanted = sorted({read_count(layer, "a layer", 0) for layer in read_values(layers, "layers", "integers >= 0")})
    if wanted[-1] > _DEEPEST:
        raise InputError(f"layers go up to {wanted[-1]}; expected at most {_DEEPEST}")
    lengths = np.diagonal(matrix)
    pairs = np.triu_indices(len(matrix), 1)
    roots = np.sqrt(lengths)
    cosines = read_cosines(matrix[pairs] / roots[pairs[0]] / roots[pairs[1]])
    with np.errstate(divide="ignore"):
        state = _State(np.log(lengths), np.log1p(-cosines))
    states = [state] if wanted[0] == 0 else []
    steps = law.iterate(state.log_lengths, state.log_gaps, pairs)
    kept = set(wanted)
    for layer in range(1, wanted[-1] + 1):
        state = next(steps)
        if layer in kept:
            states.append(state)
    gaps = np.full((len(wanted), *matrix.shape), -np.inf)
    for k, found in enumerate(states):
        gaps[k][pairs] = gaps[k].T[pairs] = found.log_gaps
    return WideGram(tuple(wanted), np.array([found.log_lengths for found in states]), gaps)


def _read_gram(gram: ArrayLike) -> Floats:
    try:
        matrix = np.asarray(gram, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"gram is no array of real numbers ({error}); expected a Gram matrix") from None
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size or not np.isfinite(matrix).all():
        raise InputError(f"gram has shape {matrix.shape}; expected (B, B), finite numbers")
    if not (np.diagonal(matrix) > 0).all():
        raise InputError("gram has a diagonal entry that is not positive; leave inputs 0 out, they have no angle")
    roots = np.sqrt(np.diagonal(matrix))
    scale = np.outer(roots, roots)
    # Rounding of the products that make a Gram matrix, of which n is not known here.
    slack = len(matrix) * 2.0**-40
    if np.abs(matrix - matrix.T).max(initial=0) > slack * scale.max() or np.linalg.eigvalsh(matrix / scale)[0] < -slack:
        raise InputError("gram is not symmetric and positive semidefinite; expected products of vectors, X X^T / n")
    return matrix


def _observe(log_lengths: Floats, log_gaps: Floats) -> dict[str, float]:
    count = len(log_lengths)
    half = count // 2
    lengths = np.exp((log_lengths - log_lengths.max()) / 2)
    gaps = np.exp(log_gaps)
    gram = np.outer(lengths, lengths) * (1 - gaps)
    eigenvalues = np.linalg.eigvalsh(gram)
    trace, square = float(np.trace(gram)), float(np.square(gram).sum())
    pairs = np.arange(half), np.arange(half) + half
    log_pairs = log_gaps[pairs]
    return {
        "log_length": float(log_lengths.mean()),
        "cosine": float(1 - gaps.sum() / (count * (count - 1))),
        "gap": float(gaps[pairs].mean()),
        "log_sin2": float((log_pairs + np.log(2 - np.exp(log_pairs))).mean()),
        "stable_rank": trace / float(eigenvalues[-1]),
        "rank_bound": trace * trace / square,
        "orthogonality_gap": math.sqrt(max(0.0, square / (trace * trace) - 1 / count)),
        "mean_shift": float(gram.sum()) / (count * trace),
        "effective_rank": _effective_rank(log_lengths - log_lengths.max(), log_gaps, half),
    }


def _effective_rank(log_lengths: Floats, log_gaps: Floats, half: int) -> float:
    """tr / largest eigenvalue of the products of the P differences y - x, which are, with lengths a,

    (y - x).(y' - x') = (a_y - a_x)(a_y' - a_x') - (a_y a_y' g_yy' + a_x a_x' g_xx' - a_y a_x' g_yx' - a_x a_y' g_xy').
    """
    first, second = slice(0, half), slice(half, None)
    lengths = np.exp(log_lengths / 2)
    longer = -lengths[second] * np.expm1((log_lengths[first] - log_lengths[second]) / 2)
    with np.errstate(divide="ignore"):
        logs = np.log(np.abs(longer))
    scale = max(float(log_gaps.max()), 2 * float(logs.max()))
    if not math.isfinite(scale):
        return math.nan
    along = np.sign(longer) * np.exp(logs - scale / 2)
    gaps = np.outer(lengths, lengths) * np.exp(log_gaps - scale)
    across = gaps[second, second] + gaps[first, first] - gaps[second, first] - gaps[first, second]
    products = np.outer(along, along) - across
    return float(np.trace(products) / np.linalg.eigvalsh(products)[-1])
