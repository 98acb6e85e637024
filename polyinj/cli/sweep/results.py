"""What `polyinj sweep run` and `resume` print."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from polyinj.cli.output import output_console
from polyinj.cli.tables import make_table
from polyinj.fitting.intervals import share_interval
from polyinj.simulation.estimate import Job, Simulation

_VERDICTS = ("injective", "not_injective", "undecided")
_MOST_COLUMNS = 8


def print_results(jobs: Sequence[Job], results: Sequence[Simulation]) -> None:
    """Means with standard errors, over the trials that have an answer; of decisions counts and an interval."""
    columns = list(dict.fromkeys(name for result in results for name in result.columns))
    decisions = [name for name in columns if name in _VERDICTS]
    others = [name for name in columns if name not in _VERDICTS]
    if len(others) > _MOST_COLUMNS:
        print(f"{len(others)} columns; `polyinj sweep export` writes them")
        others = []
    share = ["P(injective)"] if decisions else []
    table = make_table(None, "n", "m", "trials", *decisions, *share, *(f"mean {name}" for name in others))
    for job, result in zip(jobs, results, strict=True):
        m, n = job.ensemble.shape
        counts = {name: int(result.column(name).sum()) for name in decisions}
        shares = [share_interval(counts["injective"], len(result.values), counts["undecided"])] if decisions else []
        means = [_mean(result.column(name)) if name in result.columns else "-" for name in others]
        table.add_row(
            *map(str, (n, m, len(result.values), *counts.values())),
            *(f"{p.value:.3f} [{p.low:.3f}, {p.high:.3f}]" for p in shares),
            *means,
        )
    output_console().print(table)


def _mean(values: NDArray[np.float64]) -> str:
    values = values[values == values]
    if len(values) < 2:
        return f"{values[0]:.4g}" if len(values) else "-"
    return f"{values.mean():.4g} ± {values.std(ddof=1) / len(values) ** 0.5:.2g}"
