"""Angles and injectivity on the same networks: of two inputs, every linear region is known exactly.

Behind layer l, a network of two inputs is a linear map on each of its regions, cones in the plane. The least singular
value of such a map is the best local inverse Lipschitz constant inside the region; the smallest of all regions is that
of the network, and 0 exactly where a region is flattened. Angles say how two given inputs approach each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from polyinj._version import __version__
from polyinj.certificates.relu_chain import read_chain
from polyinj.deep.decide import decide_network_injectivity
from polyinj.deep.linear_regions import Regions
from polyinj.errors import InputError
from polyinj.fitting.intervals import share_interval
from polyinj.propagation.propagate import propagate
from polyinj.propagation.random_network import RandomNetwork
from polyinj.results.table import TableResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AngleRow:
    """One layer; medians over networks, but for the cosine.

    Attributes
    ----------
    cosine, log_sin2 : float
        Of the images of two orthogonal inputs: mean of the cosine, median of ln sin^2(angle). Networks in which an
        image is 0 do not count.
    injective : int
        Networks that are injective through this layer, each decided exactly; with a Clopper-Pearson interval of the
        probability.
    least, typical : float
        The least singular value of the map of a region: its smallest over all regions, its median over them.
    condition : float
        Least over greatest singular value of a region, median over regions.
    regions : float
    """

    layer: int
    cosine: float
    log_sin2: float
    networks: int
    injective: int
    p_injective: float
    p_low: float
    p_high: float
    least: float
    typical: float
    condition: float
    regions: float


@dataclass(frozen=True, slots=True)
class AngleInjectivity(TableResult):
    """Result of `relate_angles_to_injectivity`: one row a layer, the same networks in all."""

    NAME: ClassVar[str] = "angle_injectivity"
    KIND: ClassVar[str] = "angle study"
    TABLES: ClassVar[Mapping[str, type]] = {"rows": AngleRow}

    rows: tuple[AngleRow, ...]
    width: int
    seed: int
    version: str

    def __repr__(self) -> str:
        return (
            f"AngleInjectivity(width={self.width}, {len(self.rows)} layers, {self.rows[0].networks} networks; "
            f"seed={self.seed})"
        )

    def plot(self) -> Figure:
        """P(injective) against the cosine, and singular values against depth, as a matplotlib figure."""
        from polyinj.plots.propagation import plot_angle_injectivity

        return plot_angle_injectivity(self)


def relate_angles_to_injectivity(width: int, depth: int, networks: int, *, seed: int | None) -> AngleInjectivity:
    """He networks of widths (2, width, ..., width): angle, injectivity and least singular values behind every layer.

    Parameters
    ----------
    width : int
        Neurons of each layer, at least 2. There are some width * layer regions.
    depth : int
        Layers, at least 1.
    networks : int
        At least 1.
    seed : int or None
        Network k is that of `propagate(RandomNetwork(width, depth, inputs=2), batch=2, seed=seed)`.

    Raises
    ------
    InputError
        A number below its least value.

    Examples
    --------
    >>> study = relate_angles_to_injectivity(10, 2, 4, seed=0)
    >>> study
    AngleInjectivity(width=10, 2 layers, 4 networks; seed=0)
    """
    if width < 2 or networks < 1 or (seed is not None and seed < 0):
        raise InputError(f"width, networks, seed are {width, networks, seed}; expected at least 2, 1 and 0")
    law = RandomNetwork(width=width, depth=depth, inputs=2)
    angles = propagate(law, batch=2, networks=networks, probes=0, layers=range(depth + 1), seed=seed)
    injective = np.zeros(networks, dtype=int)
    seen = np.empty((networks, depth, 4))
    for k in range(networks):
        weights = [math.exp(layer.log_scale) * layer.weights for layer in law.layers(angles.seed, k)]
        injective[k] = decide_network_injectivity(weights, certificate=False, search_seconds=0).injective_layers
        for layer, values in enumerate(singular_values_of_regions(weights)):
            # A map without a second singular value to the last bit flattens its region.
            condition = values[:, 1] / np.where(values[:, 0] > 0, values[:, 0], 1)
            least = np.where(condition > 1e-14, values[:, 1], 0.0)
            seen[k, layer] = least.min(), np.median(least), np.median(condition), len(values)
    rows = []
    for layer in range(1, depth + 1):
        count = int((injective >= layer).sum())
        share = share_interval(count, networks)
        medians = (float(value) for value in np.median(seen[:, layer - 1], axis=0))
        cosine, log_sin2 = (angles.observable(observable)[:, layer] for observable in ("cosine", "log_sin2"))
        rows.append(
            AngleRow(
                layer,
                float(np.nanmean(cosine)),
                float(np.nanmedian(log_sin2)),
                networks,
                count,
                share.value,
                share.low,
                share.high,
                *medians,
            )
        )
    return AngleInjectivity(tuple(rows), width, angles.seed, __version__)


def singular_values_of_regions(weights: list[Floats]) -> list[Floats]:
    """Greatest and least singular value of the map on each region behind each layer, arrays of shape (regions, 2).

    The regions are exact (`Regions`); singular values are those of LAPACK. First layer: (m, 2), of rank 2.
    """
    regions = Regions(read_chain(weights, None).homogeneous_layers(), affine=False)
    found = []
    for depth in range(1, len(weights) + 1):
        regions.refine(10**7, None)
        maps = np.broadcast_to(np.eye(2), (len(regions.cells), 2, 2))
        for layer, matrix in enumerate(weights[:depth]):
            active = np.array([[p[layer][0] >> i & 1 for i in range(len(matrix))] for p in regions.patterns])
            maps = active[:, :, None] * (matrix @ maps)
        found.append(np.asarray(np.linalg.svd(maps, compute_uv=False), dtype=np.float64))
    return found
