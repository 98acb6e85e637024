"""Bounds of a ReLU network on a box by a convex relaxation: sound in float64, or exact."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from polyinj.errors import InputError
from polyinj.exact.arrays import read_number
from polyinj.networks.network import Network
from polyinj.relaxation.float_bounds import bound_in_floats
from polyinj.relaxation.layer_bounds import AffineLayer, Bounds, as_objects, bound_layers
from polyinj.relaxation.rounding import ROUNDINGS
from polyinj.relaxation.rules import Array, Relaxation


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NetworkBounds:
    """Result of `bound_network`.

    Attributes
    ----------
    lower, upper : ndarray, shape (..., outputs)
        lower <= f(x) <= upper for every x in the box, in exact arithmetic: floats rounded outward, or Fractions.
    hidden : tuple of (ndarray, ndarray)
        For each layer the bounds l, u of Wh + b, shape (..., rows): what the rule decides by.
    relaxation : Relaxation
    exact : bool
        Whether these are the bounds of the rule itself, in rationals.
    """

    lower: Array
    upper: Array
    hidden: tuple[tuple[Array, Array], ...]
    relaxation: Relaxation
    exact: bool

    @property
    def unstable(self) -> int:
        """Neurons with l < 0 < u in all layers (and boxes) together."""
        return int(sum(((lower < 0) & (upper > 0)).sum() for lower, upper in self.hidden))

    def __repr__(self) -> str:
        kind = "exact" if self.exact else f"{self.lower.dtype}, rounded outward"
        return f"NetworkBounds({str(self.relaxation)!r}, {self.lower.shape[-1]} outputs, {kind})"


def bound_network(
    network: Network,
    lower: ArrayLike,
    upper: ArrayLike,
    relaxation: str | Relaxation = "crown",
    *,
    exact: bool = False,
    dtype: str = "float64",
) -> NetworkBounds:
    """Bound the outputs of a ReLU network for all inputs with lower <= x <= upper.

    Parameters
    ----------
    network : Network
        Affine layers, with ReLUs behind all, some or none of their rows.
    lower, upper : array_like, shape (n,) or (..., n)
        Sides of one box, or of a batch of boxes; lower = upper is allowed.
    relaxation : str or Relaxation
        See the table in `polyinj.relaxation.rules`.
    exact : bool
        Compute the rule in rationals. Otherwise in float64 with every rounding bounded: the bounds are a little wider
        than the rule's own (by some 1e-14 relative), and hold in exact arithmetic.
    dtype : str
        'float64', or 'float32': matrices are multiplied, and bounds returned, in this type. Bounds in float32 hold in
        exact arithmetic too, take half the time, and are wider by some 1e-5 of the size of what cancels in them.

    Returns
    -------
    NetworkBounds

    Raises
    ------
    InputError
        Sides that are no finite numbers, do not fit or are crossed; weights that float64 does not hold, or bounds that
        overflow, unless `exact`; another dtype, or float32 with `exact`.

    Examples
    --------
    >>> from polyinj.networks.network import NetworkLayer
    >>> hidden = NetworkLayer([[1.0, 1.0], [1.0, -1.0]], [0.0, 0.0], "relu")
    >>> network = Network((hidden, NetworkLayer([[1.0, 1.0]], [0.5], None)), "example")
    >>> for name in ("box", "deepz", "crown"):
    ...     bounds = bound_network(network, [-1, -1], [1, 1], name, exact=True)
    ...     print(name, bounds.lower[0], bounds.upper[0])
    box 1/2 9/2
    deepz -1/2 7/2
    crown -3/2 7/2
    """
    rule = Relaxation.parse(relaxation)
    if dtype not in ROUNDINGS or (exact and dtype != "float64"):
        raise InputError(f"dtype is {dtype!r}, exact {exact}; expected 'float64', or 'float32' without exact")
    box = read_box(lower, upper, network.widths[0], exact=exact)
    layers = read_layers(network, exact=exact)
    found = bound_layers(layers, box, rule) if exact else bound_in_floats(layers, box, rule, ROUNDINGS[dtype])
    out = found[-1].after(layers[-1].relu)
    return NetworkBounds(out.lower.copy(), out.upper.copy(), tuple((b.lower, b.upper) for b in found), rule, exact)


def read_layers(network: Network, *, exact: bool) -> list[AffineLayer]:
    """The layers as float64 (InputError where that rounds), sparse ones as such; or as dense Fractions."""
    layers = []
    for layer in network.layers:
        bias = np.zeros(layer.shape[0]) if layer.bias is None else layer.bias
        if exact:
            layers.append(AffineLayer(layer.dense_weights(), bias, layer.relu_rows))
        else:
            weights = _doubles(layer.weights) if isinstance(layer.weights, np.ndarray) else layer.weights
            layers.append(AffineLayer(weights, _doubles(bias), layer.relu_rows))
    return as_objects(layers, Fraction) if exact else layers


def _doubles(entries: Array) -> Array:
    refusal = InputError("the network has weights that float64 does not hold; try exact=True")
    try:
        doubles = entries.astype(np.float64)
    except OverflowError:
        raise refusal from None
    if entries.dtype == object and any(Fraction(a) != b for a, b in zip(doubles.flat, entries.flat, strict=True)):
        raise refusal
    return doubles


def read_box(lower: ArrayLike, upper: ArrayLike, columns: int, *, exact: bool) -> Bounds:
    """The sides as float64, rounded outward, or as Fractions."""
    low, high = _read_sides(lower, "lower", columns, exact), _read_sides(upper, "upper", columns, exact)
    if low.shape != high.shape:
        raise InputError(f"lower has shape {low.shape}, upper {high.shape}; expected the same")
    if (low > high).any():
        where = tuple(int(i) for i in np.argwhere(low > high)[0])
        sides = f"lower{list(where)} is {low[where]}, upper{list(where)} {high[where]}"
        raise InputError(f"the box is empty: {sides}; expected lower <= upper")
    if exact:
        return Bounds(low, high)
    return Bounds(_rounded(low, -np.inf), _rounded(high, np.inf))


def _rounded(sides: Array, towards: float) -> Array:
    if sides.dtype == np.float64:
        return sides
    try:
        doubles = sides.astype(np.float64)
    except OverflowError:
        raise InputError("a side of the box is beyond the range of float64; try exact=True") from None
    inexact = np.array([Fraction(a) != b for a, b in zip(doubles.flat, sides.flat, strict=True)]).reshape(sides.shape)
    with np.errstate(all="ignore"):
        rounded: Array = np.where(inexact, np.nextafter(doubles, towards), doubles)
    return rounded


def _read_sides(sides: ArrayLike, name: str, columns: int, exact: bool) -> Array:
    """Fractions; an array of doubles that need not be Fractions stays as it is."""
    doubles = not exact and isinstance(sides, np.ndarray) and sides.dtype == np.float64
    try:
        entries = np.asarray(sides) if doubles else np.asarray(sides, dtype=object)
    except ValueError as error:
        raise InputError(f"{name} is not a rectangular array of numbers ({error})") from None
    if entries.ndim == 0 or entries.shape[-1] != columns:
        raise InputError(f"{name} has shape {entries.shape}; expected (..., {columns}), one entry an input")
    if doubles and np.isfinite(entries).all():
        return entries
    read = np.empty(entries.shape, dtype=object)
    for index in np.ndindex(entries.shape):
        read[index] = read_number(entries[index], f"{name}[{', '.join(map(str, index))}]")
    return read
