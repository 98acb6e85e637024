"""The injectivity phase transition: exact simulation beside what theory predicts, on one axis."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyinj import __version__
from polyinj.errors import InputError
from polyinj.simulation.ensembles import GaussianEnsemble
from polyinj.simulation.estimate import Job, Simulation, simulate_jobs
from polyinj.simulation.executors import local_processes
from polyinj.simulation.intervals import clopper_pearson, half_crossing
from polyinj.simulation.statistics import decision_and_euler_characteristic
from polyinj.simulation.store import Store
from polyinj.theory.crossing import euler_crossing
from polyinj.theory.euler import expected_euler_characteristic, noninjectivity_bound
from polyinj.theory.thresholds import known_thresholds

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Row:
    """One cell of the design: `trials` Gaussian matrices of shape (m, n). chi columns are nan where n > chi_max_n."""

    n: int
    m: int
    aspect_ratio: float
    trials: int
    injective: int
    not_injective: int
    undecided: int
    p_injective: float
    p_low: float
    p_high: float
    mean_chi: float
    stderr_chi: float
    expected_chi: float
    bound: float


@dataclass(frozen=True, slots=True)
class HalfPoint:
    """For one n: the aspect ratio where P(injective) = 1/2, with an interval, and where E chi last crosses 1."""

    n: int
    half: float
    half_low: float
    half_high: float
    unit_chi: float


@dataclass(frozen=True, slots=True)
class Transition:
    """Result of `estimate_transition`.

    Attributes
    ----------
    rows : tuple of Row
        One row a pair (n, m), ordered. Intervals p_low..p_high are Clopper-Pearson ones of level 0.95, widened by
        undecided matrices both ways; `bound` is a rigorous upper bound of P(not injective).
    half_points : tuple of HalfPoint
        One row an n; nan where the grid does not show the crossing.
    seed : int
        Repeats the run.
    version : str
        The version of polyinj that made it.
    """

    rows: tuple[Row, ...]
    half_points: tuple[HalfPoint, ...]
    seed: int
    version: str

    def __repr__(self) -> str:
        ns = sorted({row.n for row in self.rows})
        trials = sum(row.trials for row in self.rows)
        return f"Transition(n={ns}, {len(self.rows)} shapes, {trials} matrices; seed={self.seed})"

    def column(self, name: str) -> NDArray[Any]:
        """One column of the table, shape (rows,)."""
        names = [field.name for field in fields(Row)]
        if name not in names:
            raise InputError(f"column is {name!r}; allowed are {', '.join(names)}")
        return np.array([getattr(row, name) for row in self.rows])

    def to_pandas(self) -> Any:
        """The table as a pandas DataFrame; needs pandas."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows])

    def plot(self) -> Figure:
        """P(injective) and mean chi against m/n, beside theory, as a matplotlib figure."""
        from polyinj.plots.transition import plot_transition

        return plot_transition(self, known_thresholds())

    def save(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Write transition.csv, .json and .png; each appears whole or not at all. Returns the paths."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        figure = self.plot()
        targets = [folder / f"transition.{kind}" for kind in ("csv", "json", "png")]
        temporary = [target.with_name(f".{os.getpid()}-{target.name}") for target in targets]
        try:
            with temporary[0].open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, [field.name for field in fields(Row)])
                writer.writeheader()
                writer.writerows(asdict(row) for row in self.rows)
            temporary[1].write_text(json.dumps(self._as_json(), indent=1) + "\n", encoding="utf-8")
            figure.savefig(temporary[2], dpi=200)
            for source, target in zip(temporary, targets, strict=True):
                source.replace(target)
        finally:
            for path in temporary:
                path.unlink(missing_ok=True)
        return targets

    def _as_json(self) -> dict[str, Any]:
        def plain(row: Row | HalfPoint) -> dict[str, Any]:
            return {key: None if value != value else value for key, value in asdict(row).items()}

        return {
            "format": "polyinj transition",
            "version": self.version,
            "seed": self.seed,
            "rows": [plain(row) for row in self.rows],
            "half_points": [plain(point) for point in self.half_points],
        }

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> Transition:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            No readable transition.json there.
        """
        path = Path(directory) / "transition.json"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["format"] != "polyinj transition":
                raise KeyError("format")
            rows = tuple(Row(**_numbers(row)) for row in data["rows"])
            points = tuple(HalfPoint(**_numbers(point)) for point in data["half_points"])
            return cls(rows, points, int(data["seed"]), str(data["version"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is no saved transition ({error}); expected a file that save() wrote") from None


def _numbers(row: dict[str, Any]) -> dict[str, Any]:
    return {key: float("nan") if value is None else value for key, value in row.items()}


def estimate_transition(
    n: Sequence[int],
    aspect_ratios: Sequence[float],
    trials: int,
    *,
    seed: int | None,
    chi_max_n: int = 5,
    workers: int | None = None,
    executor: Executor | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Transition:
    """Estimate where random Gaussian ReLU layers become injective, and put the predictions beside it.

    For each n and each m = round(ratio * n): draw matrices, decide injectivity of each exactly, and up to n = chi_max_n
    compute the Euler characteristic chi of the witness set of each.

    Parameters
    ----------
    n : sequence of int
        Input dimensions, each at least 1.
    aspect_ratios : sequence of float
        Values of m/n, each at least 1; duplicates after rounding are dropped.
    trials : int
        Matrices for each shape, at least 1.
    seed : int or None
        Same seed, same table, whatever the workers; None draws one and stores it.
    chi_max_n : int
        Largest n for which chi is computed (it visits all C(m-1, n-1) rays).
    workers : int, optional
        Processes on this machine; by default one a core.
    executor : concurrent.futures.Executor, optional
        Runs the trials instead.
    store : path or Store, optional
        File that keeps every trial as it is done, as in `simulate`.
    progress : bool
        Show a progress bar on stderr.

    Raises
    ------
    InputError
        An empty or invalid list, trials < 1, a negative seed.

    Examples
    --------
    >>> run = estimate_transition([2], [2, 3, 4], 50, seed=0, workers=1, progress=False)
    >>> run
    Transition(n=[2], 3 shapes, 150 matrices; seed=0)
    >>> [row.m for row in run.rows]
    [4, 6, 8]
    """
    shapes = _design(n, aspect_ratios)
    statistic = partial(decision_and_euler_characteristic, chi_max_n=chi_max_n)
    jobs = [Job(GaussianEnsemble(m, k), statistic, trials) for k, m in shapes]
    with nullcontext(executor) if executor is not None else local_processes(workers) as where:
        simulations = simulate_jobs(jobs, seed=seed, executor=where, store=store, progress=progress)
    seed = simulations[0].seed
    rows = tuple(_row(k, m, simulation) for (k, m), simulation in zip(shapes, simulations, strict=True))
    points = tuple(_half_point(k, [row for row in rows if row.n == k], seed) for k in sorted({k for k, _ in shapes}))
    return Transition(rows, points, seed, __version__)


def _design(ns: Sequence[int], aspect_ratios: Sequence[float]) -> list[tuple[int, int]]:
    if not len(ns) or not len(aspect_ratios):
        raise InputError("n or aspect_ratios is empty; expected at least one value of each")
    for k in ns:
        if k < 1:
            raise InputError(f"n is {k}; expected integers >= 1")
    for ratio in aspect_ratios:
        if not (np.isfinite(ratio) and ratio >= 1):
            raise InputError(
                f"aspect ratio is {ratio}; expected finite numbers >= 1 (fewer rows than columns never are injective)"
            )
    return sorted({(int(k), round(ratio * k)) for k in ns for ratio in aspect_ratios})


def _row(n: int, m: int, simulation: Simulation) -> Row:
    trials = len(simulation.values)
    counts = [int(simulation.column(name).sum()) for name in ("injective", "not_injective", "undecided")]
    injective, not_injective, undecided = counts
    decided = injective + not_injective
    mean_chi = stderr_chi = float("nan")
    if "chi" in simulation.columns:
        chi = simulation.column("chi")
        mean_chi = float(chi.mean())
        stderr_chi = float(chi.std(ddof=1) / np.sqrt(trials)) if trials > 1 else float("nan")
    return Row(
        n=n,
        m=m,
        aspect_ratio=m / n,
        trials=trials,
        injective=injective,
        not_injective=not_injective,
        undecided=undecided,
        p_injective=injective / decided if decided else float("nan"),
        p_low=clopper_pearson(injective, trials)[0],
        p_high=clopper_pearson(injective + undecided, trials)[1],
        mean_chi=mean_chi,
        stderr_chi=stderr_chi,
        expected_chi=float(expected_euler_characteristic(m, n)),
        bound=noninjectivity_bound(m, n),
    )


def _half_point(n: int, rows: list[Row], seed: int) -> HalfPoint:
    positions = np.array([row.aspect_ratio for row in rows])
    injective, undecided, trials = (
        np.array([getattr(row, name) for row in rows]) for name in ("injective", "undecided", "trials")
    )
    crossing = half_crossing(positions, injective, undecided, trials, seed)
    return HalfPoint(n, crossing.value, crossing.low, crossing.high, euler_crossing(n))
