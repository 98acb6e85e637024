"""Where a network loses information, for which inputs, and how much: layer by layer, on data and on a box."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import nan
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj._version import __version__
from polyinj.certificates.domain import Box
from polyinj.deep.exact_piece import exact_layers
from polyinj.errors import InputError, printable
from polyinj.information.active_rank import Floats, network_active_rank, read_points
from polyinj.information.jacobians import LayerJacobians, layer_jacobians
from polyinj.information.merging import merging_layer
from polyinj.information.neurons import NeuronCounts, bound_neurons
from polyinj.networks.network import Network
from polyinj.results.table import TableResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class LayerInformation:
    """One layer, over all points of the data, and on the box. Medians, and so on, are nan without data.

    Attributes
    ----------
    layer : int
        From 1.
    name : str
    neurons, relu : int
        Rows, and how many of them have a ReLU.
    dead, always_active : int
        Rows with a ReLU that pass nothing on, or everything, anywhere in the box: proven by bounds.
    active_low, active_median, active_high : float
        Rows that pass their value on at a point.
    rank_low, rank_median, rank_high : float
        Of the Jacobian from the inputs to this layer.
    flat : float
        Share of the points in regions where this rank is below the number of inputs.
    largest, least, smallest : float
        Medians of singular values of the Jacobian: the greatest, the least that is not 0, and the n-th, which is 0
        below full rank.
    """

    layer: int
    name: str
    neurons: int
    relu: int
    dead: int
    always_active: int
    active_low: float
    active_median: float
    active_high: float
    rank_low: float
    rank_median: float
    rank_high: float
    flat: float
    largest: float
    least: float
    smallest: float


@dataclass(frozen=True, slots=True)
class PointInformation:
    """One point of the data, by its place from 0, up to one layer; fields as in `LayerInformation`."""

    point: int
    layer: int
    active: int
    rank: int
    largest: float
    least: float
    smallest: float


@dataclass(frozen=True, slots=True)
class PairInformation:
    """Two points of the data, by their places from 0: the first layer behind which they are one, 0 for none, and how
    far their outputs are apart over how far they are."""

    first: int
    second: int
    layer: int
    stretch: float


@dataclass(frozen=True, slots=True, repr=False)
class InformationReport(TableResult):
    """Result of `information_report`.

    Attributes
    ----------
    rows : tuple of LayerInformation
    points : tuple of PointInformation
        Each point at each layer, point by point.
    pairs : tuple of PairInformation
    source, network : str
        What the network was read from, and its widths.
    inputs : int
        n, the rank that loses nothing.
    box : str
        The box of `dead` and `always_active`.
    relaxation : str
        The rule of the bounds.
    exact_ranks : bool
        Whether ranks are those of exact Jacobians; else of singular values in doubles.
    version : str
        Of polyinj.
    """

    rows: tuple[LayerInformation, ...]
    points: tuple[PointInformation, ...]
    pairs: tuple[PairInformation, ...]
    source: str
    network: str
    inputs: int
    box: str
    relaxation: str
    exact_ranks: bool
    version: str

    NAME: ClassVar[str] = "information"
    KIND: ClassVar[str] = "information report"
    TABLES: ClassVar[Mapping[str, type]] = {
        "rows": LayerInformation,
        "points": PointInformation,
        "pairs": PairInformation,
    }

    @property
    def data_points(self) -> int:
        """How many points the data have."""
        return len(self.points) // len(self.rows)

    def plot(self) -> Figure:
        """Ranks, neurons and singular values against the layer."""
        from polyinj.plots.information import plot_information

        return plot_information(self)

    def __repr__(self) -> str:
        lost = f", {self.rows[-1].flat:.1%} of them in regions of less than full rank" if self.points else ""
        return f"InformationReport({self.network}, {self.data_points} points{lost}; box: {self.box})"


def information_report(
    network: Network,
    data: ArrayLike | None = None,
    box: Box | None = None,
    *,
    pairs: Iterable[tuple[int, int]] = (),
    exact_ranks: bool = False,
    relaxation: str = "crown",
) -> InformationReport:
    """Where does a network lose information, on which inputs, and how much?

    Parameters
    ----------
    network : Network
        See `polyinj.read_network`.
    data : array_like, shape (k, n) or (k, *input_shape), optional
        Inputs. At each of them, up to each layer: the rows that pass their value on, the rank of the Jacobian and its
        singular values.
    box : Box, optional
        With both sides of every input: where neurons are proven to be dead or always active. By default the least box
        that holds the data.
    pairs : iterable of (int, int)
        Places in the data: at which layer do the two inputs become one? Exactly.
    exact_ranks : bool
        Ranks of the exact Jacobians, at points whose signs are exact too (`polyinj.network_active_rank`), in place of
        those in doubles.
    relaxation : str
        The rule of the bounds, see `polyinj.relaxation.rules`; "box" is the cheapest.

    Returns
    -------
    InformationReport

    Raises
    ------
    InputError
        Neither data nor a box, sides that are missing, data of other shapes, pairs that are not in the data, a network
        whose weights or bounds float64 does not hold.

    Examples
    --------
    >>> from polyinj.networks.network import NetworkLayer
    >>> star = NetworkLayer([[1, 0], [0, 1], [-1, -1]], [0, 0, 1], "relu", "star")
    >>> report = information_report(Network((star,), "by hand"), [[1.0, 2], [3, 1], [-1, 3]], pairs=[(0, 1)])
    >>> report
    InformationReport(2 -> 3 relu, 3 points, 33.3% of them in regions of less than full rank; box: [-1, 3] x [1, 3])
    >>> report.rows[0].always_active, [row.rank for row in report.points], report.pairs[0].layer
    (1, [2, 2, 1], 0)
    """
    points = None if data is None else read_points(network, data, "data")
    low, high, shown = _read_box(network, box, points)
    counts = bound_neurons(network, low, high, relaxation)
    couples = _read_pairs(pairs, 0 if points is None else len(points))
    measured = [] if points is None else layer_jacobians(network, points)
    active = [part.active for part in measured]
    ranks = [part.rank for part in measured]
    if points is not None and exact_ranks:
        found = network_active_rank(network, points)
        active, ranks = list(found.active_count), list(found.active_rank)
    n = network.widths[0]
    table = [_values(part, count, rank, n) for part, count, rank in zip(measured, active, ranks, strict=True)]
    return InformationReport(
        tuple(_row(network, k, counts[k], table[k] if table else None) for k in range(len(network.layers))),
        tuple(
            PointInformation(place, k + 1, *_entries(part[place]))
            for place in range(0 if points is None else len(points))
            for k, part in enumerate(table)
        ),
        () if points is None else tuple(_pairs(network, points, couples)),
        printable(network.source),
        network.describe(),
        n,
        shown,
        relaxation,
        exact_ranks,
        __version__,
    )


def _read_box(network: Network, box: Box | None, points: Floats | None) -> tuple[Floats, Floats, str]:
    """The sides, and the box in words."""
    n = network.widths[0]
    if box is None:
        if points is None:
            raise InputError("neither data nor a box is given; expected one of them, or both")
        low, high = points.min(axis=0), points.max(axis=0)
    else:
        if not isinstance(box, Box) or box.columns != n:
            raise InputError(f"box is {printable(box)}; expected a Box with {n} columns, one an input")
        if None in box.lower or None in box.upper:
            raise InputError("the box has a side without end; expected both sides of every input, such as 0:1")
        low, high = (np.array(side, dtype=object) for side in (box.lower, box.upper))
    sides = list(dict.fromkeys(zip(low.tolist(), high.tolist(), strict=True)))
    if len(sides) == 1 and n > 1:
        return low, high, f"[{float(sides[0][0]):g}, {float(sides[0][1]):g}]^{n}"
    shown = [f"[{float(a):g}, {float(b):g}]" for a, b in zip(low[:4], high[:4], strict=True)]
    return low, high, " x ".join([*shown, "..."] if n > 4 else shown)


def _read_pairs(pairs: Iterable[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    found = []
    for pair in pairs:
        places = tuple(pair) if isinstance(pair, Sequence) else ()
        if len(places) != 2 or not all(isinstance(k, (int, np.integer)) and 0 <= k < count for k in places):
            raise InputError(f"pairs holds {printable(pair)}; expected two places in the data, from 0 to {count - 1}")
        found.append((int(places[0]), int(places[1])))
    return found


def _values(part: LayerJacobians, active: NDArray[np.int64], rank: NDArray[np.int64], n: int) -> Floats:
    """Of each point: active, rank, and the greatest, the least nonzero and the n-th singular value."""
    values = np.pad(part.singular_values, ((0, 0), (0, max(0, n - part.singular_values.shape[1]))))
    least = np.where(rank > 0, values[np.arange(len(values)), np.maximum(rank, 1) - 1], 0.0)
    smallest = np.where(rank < n, 0.0, values[:, n - 1])
    return np.column_stack([active, rank, values[:, 0], least, smallest])


def _entries(line: Floats) -> tuple[int, int, float, float, float]:
    active, rank, largest, least, smallest = line.tolist()
    return int(active), int(rank), largest, least, smallest


def _row(network: Network, place: int, counts: NeuronCounts, table: Floats | None) -> LayerInformation:
    layer = network.layers[place]
    name, relu = printable(layer.name), int(np.count_nonzero(layer.relu_rows))
    head = place + 1, name, layer.shape[0], relu, counts.dead, counts.always_active
    if table is None:
        return LayerInformation(*head, *(nan,) * 10)
    active, rank = ((part.min(), np.median(part), part.max()) for part in (table[:, 0], table[:, 1]))
    flat = np.mean(table[:, 1] < network.widths[0])
    return LayerInformation(*head, *map(float, (*active, *rank, flat, *np.median(table[:, 2:], axis=0))))


def _pairs(network: Network, points: Floats, pairs: list[tuple[int, int]]) -> Iterable[PairInformation]:
    if not pairs:
        return
    layers, outputs = exact_layers(network), network.apply(points)
    for first, second in pairs:
        x, y = ([Fraction(entry) for entry in points[k].tolist()] for k in (first, second))
        distance = float(np.linalg.norm(points[first] - points[second]))
        apart = float(np.linalg.norm(outputs[first] - outputs[second]))
        merged = merging_layer(layers, x, y)
        yield PairInformation(first, second, merged or 0, apart / distance if distance else nan)
