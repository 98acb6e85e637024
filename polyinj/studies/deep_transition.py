"""How deep does a random network stay injective? P(injective through layer l) against the widths, beside a bound.

One network of the greatest depth answers for all lesser ones: the layer at which it first fails is computed exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from polyinj._version import __version__
from polyinj.errors import InputError
from polyinj.fitting.counts import Counts
from polyinj.fitting.intervals import Interval, isotonic_crossings, share_interval
from polyinj.results.table import TableResult
from polyinj.simulation.estimate import Job, Simulation
from polyinj.studies.deep_networks import (
    DeepGaussianEnsemble,
    InjectiveLayers,
    ProfileEnsemble,
    ProfileInjectiveLayers,
)
from polyinj.studies.runner import check_integers, run_study, shapes
from polyinj.theory.deep import deep_sufficient_expansivity, deep_sufficient_width, profile_noninjectivity_bound
from polyinj.theory.domain import read_count

# A square matrix of so many rows fills some GiB.
_MOST_NEURONS = 20_000

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class DeepRow:
    """`trials` networks, behind layer `layer`, of width `m`; P(not injective) <= `bound` is proven.

    `widths` are n and those of the layers up to this one, as in "2-8-8". `kept` is the share of networks that this
    layer leaves injective among those injective before it. A file of an earlier version has neither.
    """

    n: int
    m: int
    expansivity: float
    layer: int
    trials: int
    injective: int
    not_injective: int
    undecided: int
    p_injective: float
    p_low: float
    p_high: float
    bound: float
    widths: str = ""
    kept: float = nan
    kept_low: float = nan
    kept_high: float = nan


@dataclass(frozen=True, slots=True)
class DeepHalfPoint:
    """The expansivity C where P(injective through layer `layer`) = 1/2, with an interval; nan where the grid misses it.

    `sufficient` is the C, at this n, from which P > 1/2 is proven, and `limit` the C that suffices as n grows.
    """

    n: int
    layer: int
    half: float
    half_low: float
    half_high: float
    sufficient: float
    limit: float


@dataclass(frozen=True, slots=True)
class KeptPoint:
    """Behind layers of widths `before`: the least `width` in the run at which layer `layer` keeps half of the networks.

    That is, of those injective before it. `width_low` is the least width whose 95 % interval reaches up to 1/2,
    `width_high` the least whose interval lies above it, and `expansion` is width over that of the layer before; nan
    where no width in the run is so.
    """

    n: int
    before: str
    layer: int
    width: float
    width_low: float
    width_high: float
    expansion: float


@dataclass(frozen=True, slots=True)
class DeepTransition(TableResult):
    """Result of `estimate_deep_transition`.

    Attributes
    ----------
    rows : tuple of DeepRow
        One row for all widths up to a layer, ordered. Intervals are Clopper-Pearson ones of level 0.95, widened by
        undecided networks both ways. Rows of networks that begin alike are dependent.
    half_points : tuple of DeepHalfPoint
        One row a pair (n, layer), where all layers of a network have one width.
    seed : int
        Repeats the run.
    version : str
        The version of polyinj that made it.
    kept_points : tuple of KeptPoint
        Where widths are given: one row for all networks that differ in the width of the last layer alone.
    """

    NAME: ClassVar[str] = "deep"
    KIND: ClassVar[str] = "study"
    TABLES: ClassVar[Mapping[str, type]] = {"rows": DeepRow, "half_points": DeepHalfPoint, "kept_points": KeptPoint}

    rows: tuple[DeepRow, ...]
    half_points: tuple[DeepHalfPoint, ...]
    seed: int
    version: str
    kept_points: tuple[KeptPoint, ...] = ()

    def __repr__(self) -> str:
        ns, layers = (sorted({getattr(row, name) for row in self.rows}) for name in ("n", "layer"))
        return f"DeepTransition(n={ns}, layers {layers[0]}..{layers[-1]}, {len(self.rows)} rows; seed={self.seed})"

    def plot(self) -> Figure:
        """P(injective through layer l) against C, and C_1/2 against l; given widths, what a layer keeps of them."""
        from polyinj.plots.deep import plot_deep_transition, plot_kept

        return plot_kept(self) if self.kept_points else plot_deep_transition(self)


def estimate_deep_transition(
    n: Sequence[int] = (),
    layers: Sequence[int] = (),
    expansivities: Sequence[float] = (),
    trials: int = 400,
    *,
    seed: int | None,
    widths: Sequence[Sequence[int]] = (),
    max_regions: int = 400_000,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: bool = True,
) -> DeepTransition:
    """Estimate P(x -> ReLU(W_l ... ReLU(W_1 x)) is injective) for Gaussian networks of widths (n, Cn, ..., Cn) or any.

    Parameters
    ----------
    n : sequence of int
        Input dimensions, each at least 1. The number of regions grows like (C n l)^(n-1): n = 2 takes some 0.1 s a
        network of 8 layers, n = 3 some 10 s for 4 layers.
    layers : sequence of int
        Depths l, each at least 1; networks are drawn with the greatest.
    expansivities : sequence of float
        Values of C, each at least 1; m = round(C n), duplicates dropped.
    trials : int
        Networks for each shape, at least 1.
    seed : int or None
        Same seed, same table, whatever the workers; None draws one and stores it.
    widths : sequence of sequence of int
        Instead of n, layers and expansivities: networks of widths (n, m_1, ..., m_L), a row for each of their layers.
        Networks whose widths begin alike have the same first layers, and of one layer that differs the narrower has
        the first rows of the wider, so that a run compares widths on the same networks.
    max_regions : int
        Networks with more linear regions are undecided from that layer on.
    workers : int, optional
        Processes on this machine; by default one a core.
    executor : concurrent.futures.Executor, optional
        Runs the trials instead.
    progress : bool
        Show a progress bar on stderr.

    Raises
    ------
    InputError
        An empty or invalid list, widths beside one of the others, trials < 1, a negative seed.

    Examples
    --------
    >>> run = estimate_deep_transition([2], [1, 2], [3, 5], 40, seed=0, workers=1, progress=False)
    >>> run
    DeepTransition(n=[2], layers 1..2, 4 rows; seed=0)
    >>> [row.m for row in run.rows]
    [6, 6, 10, 10]
    >>> profiles = [(2, 8, 4), (2, 8, 8), (2, 8, 12)]
    >>> run = estimate_deep_transition(widths=profiles, trials=40, seed=0, workers=1, progress=False)
    >>> [(point.before, point.width) for point in run.kept_points]
    [('2-8', 12)]
    """
    design: dict[tuple[int, ...], Job]
    read_count(max_regions, "max_regions")
    given = _read_widths(widths)
    if given:
        if len(n) or len(layers) or len(expansivities):
            raise InputError("widths came with n, layers or expansivities; expected the one or the others")
        profiles = sorted(set(given))
        design = {w: Job(ProfileEnsemble(w), ProfileInjectiveLayers(w, max_regions), trials) for w in profiles}
        depths = list(range(1, max(map(len, profiles))))
    else:
        check_integers("layers", layers)
        depths, statistic = sorted(map(int, set(layers))), InjectiveLayers(max_regions)
        design = {
            (k, *[m] * depths[-1]): Job(DeepGaussianEnsemble(m, k, depths[-1]), statistic, trials)
            for k, m in shapes(n, expansivities, ratio="expansivity")
        }
    seed, found = run_study(design, seed=seed, workers=workers, executor=executor, progress=progress)
    # Networks that begin alike are the same up to there: one row for all of them.
    behind = {w[: layer + 1]: one for w, one in found.items() for layer in depths if layer < len(w)}
    rows = tuple(_row(w, one) for w, one in behind.items())
    return DeepTransition(rows, () if given else _half_points(rows, seed), seed, __version__, _kept_points(rows, given))


def _read_widths(widths: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    try:
        if isinstance(widths, str):
            raise TypeError
        profiles = [tuple(profile) for profile in widths]
    except TypeError:
        raise InputError(f"widths is {widths!r}; expected a list of profiles such as [(2, 8, 8)]") from None
    found = [tuple(read_count(width, "a width") for width in profile) for profile in profiles]
    for profile in found:
        if sum(profile) > _MOST_NEURONS:
            raise InputError(f"the widths {profile} sum to {sum(profile)}; expected at most {_MOST_NEURONS}")
    return found


def _row(widths: tuple[int, ...], simulation: Simulation) -> DeepRow:
    n, m, layer, trials = widths[0], widths[-1], len(widths) - 1, len(simulation.values)
    reached = simulation.column("layers")
    injective, before = (int((reached >= least).sum()) for least in (layer, layer - 1))
    undecided = int(((reached < layer) & (simulation.column("undecided") > 0)).sum())
    stopped = int(((reached == layer - 1) & (simulation.column("undecided") > 0)).sum())
    share = share_interval(injective, trials, undecided)
    kept = share_interval(injective, before, stopped) if before else Interval(nan, nan, nan)
    return DeepRow(
        n=n,
        m=m,
        expansivity=m / n,
        layer=layer,
        trials=trials,
        injective=injective,
        not_injective=trials - undecided - injective,
        undecided=undecided,
        p_injective=share.value,
        p_low=share.low,
        p_high=share.high,
        bound=profile_noninjectivity_bound(widths),
        widths="-".join(map(str, widths)),
        kept=kept.value,
        kept_low=kept.low,
        kept_high=kept.high,
    )


def _half_points(rows: Sequence[DeepRow], seed: int) -> tuple[DeepHalfPoint, ...]:
    labels = sorted({(row.n, row.layer) for row in rows})
    return tuple(
        _half_point(k, layer, [row for row in rows if (row.n, row.layer) == (k, layer)], seed) for k, layer in labels
    )


def _half_point(n: int, layer: int, rows: list[DeepRow], seed: int) -> DeepHalfPoint:
    positions = np.array([row.expansivity for row in rows])
    injective, undecided, trials = (
        np.array([getattr(row, name) for row in rows]) for name in ("injective", "undecided", "trials")
    )
    (crossing,) = isotonic_crossings(Counts(positions, trials, injective, undecided), [0.5], seed=seed).at
    sufficient = deep_sufficient_width(n, layer, 0.5) / n
    limit = deep_sufficient_expansivity(layer)
    return DeepHalfPoint(n, layer, crossing.value, crossing.low, crossing.high, sufficient, limit)


def _kept_points(rows: Sequence[DeepRow], widths: Sequence[Sequence[int]]) -> tuple[KeptPoint, ...]:
    """One a set of networks that differ in their last layer alone."""
    lasts = {"-".join(map(str, profile)) for profile in widths}
    scans: dict[str, list[DeepRow]] = {}
    for row in rows:
        if row.widths in lasts:
            scans.setdefault(row.widths.rpartition("-")[0], []).append(row)
    return tuple(_kept_point(before, scan) for before, scan in scans.items())


def _kept_point(before: str, scan: list[DeepRow]) -> KeptPoint:
    def least(bound: str) -> float:
        return min((row.m for row in scan if getattr(row, bound) >= 0.5), default=nan)

    width = least("kept")
    expansion = width / int(before.rpartition("-")[2])
    return KeptPoint(scan[0].n, before, scan[0].layer, width, least("kept_high"), least("kept_low"), expansion)
