"""One shape of a transition: outcomes of simulation beside what theory predicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyinj.fitting.intervals import share_interval
from polyinj.theory.euler import expected_euler_characteristic, noninjectivity_bound


@dataclass(frozen=True, slots=True)
class Row:
    """One cell of the design: `trials` Gaussian matrices of shape (m, n); nan where chi was not computed."""

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

    @classmethod
    def of_counts(
        cls, n: int, m: int, trials: int, injective: int, undecided: int, chi: tuple[float, float] | None = None
    ) -> Row:
        """The row of these counts; `chi` is the mean and its standard error."""
        share = share_interval(injective, trials, undecided)
        mean_chi, stderr_chi = chi or (float("nan"), float("nan"))
        return cls(
            n=n,
            m=m,
            aspect_ratio=m / n,
            trials=trials,
            injective=injective,
            not_injective=trials - undecided - injective,
            undecided=undecided,
            p_injective=share.value,
            p_low=share.low,
            p_high=share.high,
            mean_chi=mean_chi,
            stderr_chi=stderr_chi,
            expected_chi=float(expected_euler_characteristic(m, n)),
            bound=noninjectivity_bound(m, n),
        )

    @classmethod
    def of_trials(cls, n: int, m: int, columns: tuple[str, ...], values: NDArray[np.float64]) -> Row:
        """The row of the trials of one shape, shape (trials, columns), of a statistic that decides."""
        by_name = dict(zip(columns, values.T, strict=True))
        chi = by_name.get("chi", np.array([]))
        error = float(chi.std(ddof=1) / np.sqrt(len(chi))) if len(chi) > 1 else float("nan")
        injective, undecided = (int(by_name[name].sum()) for name in ("injective", "undecided"))
        return cls.of_counts(n, m, len(values), injective, undecided, (float(chi.mean()), error) if len(chi) else None)
