"""The ground state energy from above: the fewest active rows that anneals of growing length find, at n = 50 and beyond.

e(T, n) is the mean over Gaussian layers of the least (1/n) #{i : w_i.x >= 0} at a point of one anneal of T steps. Every
single count is exact, an upper bound of the Tukey depth of its layer. As T and n grow, e(T, n) falls to the ground
state energy e(alpha), unless anneals get stuck above it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from polyinj._version import __version__
from polyinj.errors import InputError
from polyinj.fitting.two_limits import FORMS, Curve, TwoLimitsFit, fit_two_limits, free_parameters
from polyinj.results.table import TableResult
from polyinj.simulation.ensembles import GaussianEnsemble
from polyinj.simulation.estimate import Job
from polyinj.simulation.statistics import AnnealedActive
from polyinj.simulation.store.store import Store
from polyinj.simulation.trials import matrix_of
from polyinj.studies.depths import RSB_LEVELS
from polyinj.studies.runner import check_integers, run_study, shapes
from polyinj.theory.replica import full_rsb_energy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# The forms are asymptotic: shorter anneals do not follow them.
LEAST_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class AnnealRow:
    """One anneal: the fewest active rows that `steps` steps found on layer `trial` of shape (m, n).

    resultant is |u_1 + ... + u_m|^2 / m - 1 for the rows u_i of the layer, scaled to length 1. Its expectation is 0.
    Layers whose rows point one way have fewer active rows, so it takes much of the noise of layers out of a mean.
    """

    n: int
    m: int
    trial: int
    steps: int
    active: int
    resultant: float


@dataclass(frozen=True, slots=True)
class AnnealStudy(TableResult):
    """Result of `estimate_anneals`: one row an anneal, ordered by n, m, trial and steps."""

    NAME: ClassVar[str] = "anneals"
    KIND: ClassVar[str] = "anneal study"
    TABLES: ClassVar[Mapping[str, type]] = {"rows": AnnealRow}
    ORIGIN: ClassVar[tuple[str, ...]] = ("seed", "version")

    rows: tuple[AnnealRow, ...]
    seed: int
    version: str

    @classmethod
    def of_rows(cls, rows: Sequence[AnnealRow], seed: int) -> AnnealStudy:
        """Order the rows, which may come from several runs of one seed; each anneal once."""
        return cls(tuple(sorted(set(rows), key=lambda row: (row.n, row.m, row.trial, row.steps))), seed, __version__)

    def __repr__(self) -> str:
        ns, longest = sorted({row.n for row in self.rows}), max(row.steps for row in self.rows)
        return f"AnnealStudy(n={ns}, {len(self.rows)} anneals of up to {longest} steps; seed={self.seed})"

    @property
    def aspect_ratios(self) -> tuple[float, ...]:
        """The values of m/n, increasing."""
        return tuple(sorted({row.m / row.n for row in self.rows}))

    def curves(self, aspect_ratio: float) -> tuple[Curve, ...]:
        """e(T, n) of each n at one aspect ratio.

        The reference is the greatest length that all layers of this n have; other means come from the differences on
        the layers with both. The resultant is a control variate: its multiple that fits the energies of one n best is
        taken off. Variances are pooled over the aspect ratios of one n, since large layers are few; a difference is
        never taken for more certain than one row of one layer.

        Raises
        ------
        InputError
            Too few layers for a variance.
        """
        found = []
        for n in sorted({row.n for row in self.rows}):
            shapes_of_n = sorted({row.m for row in self.rows if row.n == n})
            if (m := round(aspect_ratio * n)) in shapes_of_n:
                found.append(_curve([_Layers.of(self.rows, n, each) for each in shapes_of_n], m))
        return tuple(found)

    def fits(self, aspect_ratio: float, least_length: int = LEAST_LENGTH) -> tuple[TwoLimitsFit, ...]:
        """What each form makes of the curves at one aspect ratio as T and n grow; shorter anneals are left out.

        Forms with as many parameters as there are values, or more, are left out too.
        """
        curves = [curve.longer_than(least_length) for curve in self.curves(aspect_ratio)]
        values = sum(len(curve.values) for curve in curves)
        return tuple(fit_two_limits(curves, form, seed=self.seed) for form in FORMS if values > free_parameters(form))

    def plot(self) -> Figure:
        """e(T, n) against T, a panel an aspect ratio, with the form that fits all best and the replica limit."""
        from polyinj.plots.energies import plot_anneals

        fits = {ratio: {fit.form: fit for fit in self.fits(ratio)} for ratio in self.aspect_ratios}
        forms = [form for form in FORMS if all(form in found for found in fits.values())]
        best = min(forms, key=lambda form: sum(found[form].chi_square for found in fits.values()), default=None)
        return plot_anneals(
            {ratio: self.curves(ratio) for ratio in fits},
            {} if best is None else {ratio: found[best] for ratio, found in fits.items()},
            {ratio: full_rsb_energy(ratio, levels=RSB_LEVELS).value for ratio in fits},
            least_length=LEAST_LENGTH,
        )


def estimate_anneals(
    n: Sequence[int],
    aspect_ratios: Sequence[float],
    lengths: Sequence[int],
    trials: int,
    *,
    seed: int | None,
    workers: int | None = None,
    executor: Executor | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> AnnealStudy:
    """Anneal Gaussian layers, each once for every length.

    Parameters
    ----------
    n : sequence of int
        Input dimensions, each at least 12.
    aspect_ratios : sequence of float
        Values of m/n, at least 1; duplicates after rounding m are dropped.
    lengths : sequence of int
        Steps of the anneals, each at least 1; a step takes 64 m n multiplications.
    trials : int
        Layers of each shape, at least 1: the same as `estimate_transition` draws from this seed.
    seed : int or None
        Same seed, same table, whatever the workers; None draws one and stores it.
    workers : int, optional
        Processes on this machine; by default one a core.
    executor : concurrent.futures.Executor, optional
        Runs the trials instead.
    store : path or Store, optional
        File that keeps every trial as it is done: a run that was stopped goes on. It holds one list of lengths.
    progress : bool
        Show a progress bar on stderr.

    Raises
    ------
    InputError
        An empty or invalid list, trials < 1, a negative seed.

    Examples
    --------
    >>> study = estimate_anneals([16, 24], [6], [100, 400], 3, seed=0, workers=1, progress=False)
    >>> study
    AnnealStudy(n=[16, 24], 12 anneals of up to 400 steps; seed=0)
    >>> [[round(value, 3) for value in curve.values] for curve in study.curves(6)]
    [[0.995, 0.933], [0.94, 0.885]]
    """
    check_integers("n", n, 12)
    check_integers("lengths", lengths)
    statistic = AnnealedActive(tuple(sorted(map(int, set(lengths)))))
    design = {(k, m): Job(GaussianEnsemble(m, k), statistic, trials) for k, m in shapes(n, aspect_ratios)}
    seed, found = run_study(design, seed=seed, workers=workers, executor=executor, store=store, progress=progress)
    rows = [
        AnnealRow(k, m, trial, int(steps), int(active), resultant)
        for (k, m), simulation in found.items()
        for trial, values in enumerate(simulation.values)
        for resultant in [_resultant(matrix_of(GaussianEnsemble(m, k), seed, trial))]
        for steps, active in zip(simulation.columns, values, strict=True)
    ]
    return AnnealStudy.of_rows(rows, seed)


def _resultant(matrix: NDArray[np.float64]) -> float:
    unit = matrix / np.linalg.norm(matrix, axis=1)[:, None]
    return float((unit.sum(axis=0) ** 2).sum()) / len(matrix) - 1


@dataclass(frozen=True, slots=True)
class _Layers:
    """The layers of one shape: energies by (steps, trial), and the resultant of each trial."""

    n: int
    m: int
    energies: Mapping[tuple[int, int], float]
    resultants: Mapping[int, float]

    @classmethod
    def of(cls, rows: Sequence[AnnealRow], n: int, m: int) -> _Layers:
        own = [row for row in rows if (row.n, row.m) == (n, m)]
        energies = {(row.steps, row.trial): row.active / n for row in own}
        return cls(n, m, energies, {row.trial: row.resultant for row in own})

    @property
    def lengths(self) -> tuple[int, ...]:
        return tuple(sorted({steps for steps, _ in self.energies}))

    def controlled(self, slope: float) -> _Layers:
        """Less the slope times the resultant."""
        energies = {key: energy - slope * self.resultants[key[1]] for key, energy in self.energies.items()}
        return _Layers(self.n, self.m, energies, self.resultants)

    def contrasts(self, length: int, reference: int) -> NDArray[np.float64]:
        """Of each layer with both, the energy at the length minus that at the reference, or itself at the reference."""
        energies = [
            energy - (0 if length == reference else self.energies[reference, trial])
            for (steps, trial), energy in self.energies.items()
            if steps == length
        ]
        return np.array(energies)


def _reference(layers: Sequence[_Layers]) -> int:
    """The greatest length that all layers have: nearest to their ground states, with the least noise of searches."""
    common = [
        length
        for length in layers[0].lengths
        if all((length, trial) in one.energies for one in layers for trial in one.resultants)
    ]
    if not common:
        raise InputError(f"the layers of n = {layers[0].n} have no length of anneals in common; run one for all")
    return max(common)


def _slope(layers: Sequence[_Layers], length: int) -> float:
    """Of the energy at a length on the resultant, within the shapes of one n; 0 where nothing shows it."""
    products = squares = 0.0
    for one in layers:
        x = np.array(list(one.resultants.values()))
        y = np.array([one.energies[length, trial] for trial in one.resultants])
        products += float((x - x.mean()) @ (y - y.mean()))
        squares += float((x - x.mean()) @ (x - x.mean()))
    return products / squares if squares else 0.0


def _curve(layers: Sequence[_Layers], m: int) -> Curve:
    """The curve of the shape (m, n) among layers of one n."""
    reference = _reference(layers)
    slope = _slope(layers, reference)
    controlled = {one.m: one.controlled(slope) for one in layers}
    own = controlled[m]
    values, errors = [], []
    for length in own.lengths:
        pooled = [one.contrasts(length, reference) for one in controlled.values() if length in one.lengths]
        # The slope of the control variate was fitted too.
        freedom = sum(len(contrast) - 1 for contrast in pooled) - (length == reference)
        if freedom < 1:
            raise InputError(f"n = {own.n} has too few layers for anneals of {length} steps; run more trials")
        squares = sum(float(((contrast - contrast.mean()) ** 2).sum()) for contrast in pooled)
        contrast = own.contrasts(length, reference)
        values.append(float(contrast.mean()))
        errors.append(max((squares / freedom / len(contrast)) ** 0.5, 1 / (own.n * len(contrast))))
    centre = values[own.lengths.index(reference)]
    means = (value + centre * (length != reference) for value, length in zip(values, own.lengths, strict=True))
    return Curve(own.n, own.lengths, tuple(means), reference, tuple(errors))
