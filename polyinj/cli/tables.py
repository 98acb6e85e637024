"""Tables of crossings and of their extrapolations, for the shell."""

from __future__ import annotations

from rich import box
from rich.table import Table

from polyinj.fitting.scaling import Scaling
from polyinj.studies.transition import Transition


def crossings_table(result: Transition) -> Table:
    """One line an n: where P(injective) is 1/2, by which model and without one, the window, and where E chi is 1."""
    table = _table(
        "m/n where P(injective) = 1/2, and rows m from P = 1/10 to 9/10 (95% intervals)",
        *("n", "m/n", "interval", "model", "p", "without model", "window", "E chi = 1"),
    )
    for crossing in result.crossings:
        table.add_row(
            str(crossing.n),
            _value(crossing.half),
            _interval(crossing.half_low, crossing.half_high, 2),
            crossing.model,
            f"{crossing.fit_p_value:.2g}" if crossing.fit_p_value == crossing.fit_p_value else "-",
            _interval(crossing.isotonic_low, crossing.isotonic_high, 2),
            _interval(crossing.width_low, crossing.width_high, 1),
            f"{crossing.unit_chi:.3f}",
        )
    return table


def scaling_table(scaling: Scaling) -> Table:
    """The accepted fit of each ansatz, and the spread of all."""
    low, high = scaling.spread()
    table = _table(
        f"limits of m/n at P(injective) = 1/2 by ansatz: {low:.2f}..{high:.2f} with errors",
        *("ansatz", "n from", "limit", "error", "chi^2 / df", "p"),
    )
    for fit in scaling.accepted():
        table.add_row(
            fit.ansatz,
            str(fit.smallest_n),
            f"{fit.limit:.3f}",
            f"{fit.stderr:.3f}",
            f"{fit.chi_square:.1f} / {fit.degrees_of_freedom}",
            f"{fit.p_value:.2g}",
        )
    return table


def _table(title: str, *headers: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    return table


def _value(value: float) -> str:
    return f"{value:.3f}" if value == value else "not shown"


def _interval(low: float, high: float, digits: int) -> str:
    return f"{low:.{digits}f}..{high:.{digits}f}" if low == low else "-"
