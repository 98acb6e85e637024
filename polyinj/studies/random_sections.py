"""Random sections of unions of orthants: the Euler characteristic simulated, beside its exact mean."""

from __future__ import annotations

import os
from concurrent.futures import Executor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import sqrt

from scipy.special import stdtrit

from polyinj.errors import InputError
from polyinj.fitting.intervals import Interval
from polyinj.geometry.face_union import FaceUnion
from polyinj.geometry.orthants import OrthantUnion
from polyinj.simulation.ensembles import GaussianEnsemble
from polyinj.simulation.estimate import simulate
from polyinj.simulation.statistics import euler_characteristic, union_euler_characteristic
from polyinj.simulation.store.store import Store
from polyinj.theory.domain import read_count, read_real


@dataclass(frozen=True, slots=True)
class SectionEulerCharacteristic:
    """Mean chi of a union of orthant faces, cut by random n-dimensional subspaces and the unit sphere.

    Attributes
    ----------
    mean : Interval
        Of the trials, with Student's interval: its coverage is `level` as the number of trials grows.
    exact : Fraction
        E chi by integral geometry.
    n, trials, seed : int
    level : float
    """

    mean: Interval
    exact: Fraction
    n: int
    trials: int
    seed: int
    level: float

    def __repr__(self) -> str:
        return (
            f"SectionEulerCharacteristic(n={self.n}: {self.mean!r}, exactly {float(self.exact):.6g}; "
            f"{self.trials} trials, seed={self.seed})"
        )


def estimate_section_euler_characteristic(
    union: OrthantUnion | FaceUnion,
    n: int,
    trials: int,
    *,
    seed: int | None = None,
    level: float = 0.95,
    executor: Executor | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> SectionEulerCharacteristic:
    """Simulate chi of a union of orthant faces on uniformly random n-dimensional subspaces, beside its exact mean.

    The subspaces are ranges of Gaussian matrices of shape (m, n), and chi of each is computed exactly from the faces of
    its arrangement.

    Parameters
    ----------
    union : OrthantUnion or FaceUnion
    n : int
        Dimension of the subspaces, from 1 to m.
    trials : int
        At least 2.
    level : float
        Coverage of the interval, in (0, 1).
    seed, executor, store, progress
        As in `polyinj.simulation.estimate.simulate`.

    Raises
    ------
    InputError
        n, trials or level outside its range.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> union = FaceUnion([[1, 1, 1, 1], [-1, -1, 1, 0]])
    >>> with ThreadPoolExecutor(1) as pool:
    ...     estimate_section_euler_characteristic(union, 2, 200, seed=2, executor=pool, progress=False)
    SectionEulerCharacteristic(n=2: Interval(0.77 in 0.687643..0.852357), exactly 0.75; 200 trials, seed=2)
    """
    if not isinstance(union, OrthantUnion | FaceUnion):
        raise InputError(f"union is {union!r}; expected an OrthantUnion or a FaceUnion")
    trials, level = read_count(trials, "trials", 2), read_real(level, "level", 0, 1)
    exact = union.expected_euler_characteristic(n)
    statistic = (
        partial(euler_characteristic, max_positive=union.max_positive)
        if isinstance(union, OrthantUnion)
        else partial(union_euler_characteristic, vectors=union.vectors)
    )
    ensemble = GaussianEnsemble(union.m, n)
    found = simulate(ensemble, statistic, trials, seed=seed, executor=executor, store=store, progress=progress)
    chi = found.column("value")
    mean, error = float(chi.mean()), float(chi.std(ddof=1)) / sqrt(trials)
    reach = float(stdtrit(trials - 1, (1 + level) / 2)) * error
    return SectionEulerCharacteristic(Interval(mean, mean - reach, mean + reach), exact, n, trials, found.seed, level)
