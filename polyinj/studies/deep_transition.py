"""How deep does a random network stay injective? P(injective through layer l) against expansivity, beside a bound.

One network of the greatest depth answers for all lesser ones: the layer at which it first fails is computed exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from polyinj._version import __version__
from polyinj.deep.decide import decide_network_injectivity
from polyinj.errors import InputError
from polyinj.fitting.counts import Counts
from polyinj.fitting.intervals import isotonic_crossings, share_interval
from polyinj.injectivity.decision import Verdict
from polyinj.results.table import TableResult
from polyinj.simulation.estimate import Job, Simulation
from polyinj.studies.runner import check_integers, run_study, shapes
from polyinj.theory.deep import deep_noninjectivity_bound, deep_sufficient_expansivity, deep_sufficient_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class DeepGaussianEnsemble:
    """Networks of widths (n, m, ..., m), independent standard normal entries, as one matrix [W_1, W_2, ..., W_depth].

    A deeper ensemble of the same shape draws the same first layers.

    Examples
    --------
    >>> import numpy as np
    >>> DeepGaussianEnsemble(6, 2, 3).sample(np.random.default_rng(0)).shape
    (6, 14)
    """

    m: int
    n: int
    depth: int

    def __post_init__(self) -> None:
        if not (self.m >= self.n >= 1 and self.depth >= 1):
            raise InputError(f"ensemble has m, n, depth {self.m, self.n, self.depth}; expected m >= n >= 1, depth >= 1")

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n), of the first layer."""
        return self.m, self.n

    @property
    def sample_shape(self) -> tuple[int, int]:
        """Of all layers side by side."""
        return self.m, self.n + (self.depth - 1) * self.m

    def sample(self, rng: np.random.Generator) -> NDArray[np.float64]:
        return np.hstack([rng.standard_normal((self.m, k)) for k in (self.n, *[self.m] * (self.depth - 1))])


@dataclass(frozen=True, slots=True)
class InjectiveLayers:
    """Statistic of networks written as by `DeepGaussianEnsemble`: `layers` that are injective together, `undecided`.

    `undecided` is 1 where the next layer would need more than `max_regions` linear regions.
    """

    max_regions: int = 400_000

    def __call__(self, matrix: NDArray[Any]) -> dict[str, float]:
        m, columns = matrix.shape
        first = (columns - 1) % m + 1
        weights = np.split(matrix, range(first, columns, m), axis=1)
        decision = decide_network_injectivity(
            weights, certificate=False, max_regions=self.max_regions, search_seconds=0
        )
        return {"layers": decision.injective_layers, "undecided": decision.verdict is Verdict.UNDECIDED}


@dataclass(frozen=True, slots=True)
class DeepRow:
    """`trials` networks of widths (n, m, ..., m), behind layer `layer`; P(not injective) <= `bound` is proven."""

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
class DeepTransition(TableResult):
    """Result of `estimate_deep_transition`.

    Attributes
    ----------
    rows : tuple of DeepRow
        One row a triple (n, m, layer), ordered. Intervals are Clopper-Pearson ones of level 0.95, widened by undecided
        networks both ways. Rows of one (n, m) come from the same networks, so they are dependent.
    half_points : tuple of DeepHalfPoint
        One row a pair (n, layer).
    seed : int
        Repeats the run.
    version : str
        The version of polyinj that made it.
    """

    NAME: ClassVar[str] = "deep"
    KIND: ClassVar[str] = "study"
    TABLES: ClassVar[Mapping[str, type]] = {"rows": DeepRow, "half_points": DeepHalfPoint}

    rows: tuple[DeepRow, ...]
    half_points: tuple[DeepHalfPoint, ...]
    seed: int
    version: str

    def __repr__(self) -> str:
        ns, layers = (sorted({getattr(row, name) for row in self.rows}) for name in ("n", "layer"))
        return f"DeepTransition(n={ns}, layers {layers[0]}..{layers[-1]}, {len(self.rows)} rows; seed={self.seed})"

    def plot(self) -> Figure:
        """P(injective through layer l) against C, and C_1/2 against l, as a matplotlib figure."""
        from polyinj.plots.deep import plot_deep_transition

        return plot_deep_transition(self)


def estimate_deep_transition(
    n: Sequence[int],
    layers: Sequence[int],
    expansivities: Sequence[float],
    trials: int,
    *,
    seed: int | None,
    max_regions: int = 400_000,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: bool = True,
) -> DeepTransition:
    """Estimate P(x -> ReLU(W_l ... ReLU(W_1 x)) is injective) for Gaussian networks of widths (n, Cn, ..., Cn).

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
        An empty or invalid list, trials < 1, a negative seed.

    Examples
    --------
    >>> run = estimate_deep_transition([2], [1, 2], [3, 5], 40, seed=0, workers=1, progress=False)
    >>> run
    DeepTransition(n=[2], layers 1..2, 4 rows; seed=0)
    >>> [row.m for row in run.rows]
    [6, 6, 10, 10]
    """
    check_integers("layers", layers)
    depths, statistic = sorted(map(int, set(layers))), InjectiveLayers(max_regions)
    design = {
        (k, m): Job(DeepGaussianEnsemble(m, k, depths[-1]), statistic, trials)
        for k, m in shapes(n, expansivities, ratio="expansivity")
    }
    seed, found = run_study(design, seed=seed, workers=workers, executor=executor, progress=progress)
    rows = tuple(_row(k, m, layer, simulation) for (k, m), simulation in found.items() for layer in depths)
    points = tuple(
        _half_point(k, layer, [row for row in rows if (row.n, row.layer) == (k, layer)], seed)
        for k in sorted({k for k, _ in design})
        for layer in depths
    )
    return DeepTransition(rows, points, seed, __version__)


def _row(n: int, m: int, layer: int, simulation: Simulation) -> DeepRow:
    trials = len(simulation.values)
    reached = simulation.column("layers") >= layer
    injective = int(reached.sum())
    undecided = int((~reached & (simulation.column("undecided") > 0)).sum())
    share = share_interval(injective, trials, undecided)
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
        bound=deep_noninjectivity_bound(m, n, layer),
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
