"""Tables of the shell: their look, numbers and intervals, and the tables that several commands print."""

from __future__ import annotations

from rich import box
from rich.table import Table

from polyinj.fitting.scaling import Scaling
from polyinj.studies.transition import Transition


def make_table(title: str | None, *headers: str, left: int = 0, wrap: bool = False) -> Table:
    """An empty table; its first `left` columns hold words, all others numbers, whose headers may `wrap`."""
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, header in enumerate(headers):
        words = place < left
        table.add_column(header, justify="left" if words else "right", no_wrap=words or not wrap)
    return table


def interval(low: float, high: float, form: str = ".3f", joint: str = " .. ") -> str:
    """Both ends, a dash for one that is not known, and one dash where neither is."""
    ends = [f"{end:{form}}" if end == end else "-" for end in (low, high)]
    return "-" if ends == ["-", "-"] else joint.join(ends)


def crossings_table(result: Transition) -> Table:
    """One line an n: where P(injective) is 1/2, by which model and without one, the window, and where E chi is 1."""
    table = make_table(
        "m/n where P(injective) = 1/2, and rows m from P = 1/10 to 9/10 (95% intervals)",
        *("n", "m/n", "interval", "model", "p", "without model", "window", "E chi = 1"),
    )
    for crossing in result.crossings:
        table.add_row(
            str(crossing.n),
            f"{crossing.half:.3f}" if crossing.half == crossing.half else "not shown",
            interval(crossing.half_low, crossing.half_high, ".2f", ".."),
            crossing.model,
            f"{crossing.fit_p_value:.2g}" if crossing.fit_p_value == crossing.fit_p_value else "-",
            interval(crossing.isotonic_low, crossing.isotonic_high, ".2f", ".."),
            interval(crossing.width_low, crossing.width_high, ".1f", ".."),
            f"{crossing.unit_chi:.3f}",
        )
    return table


def scaling_table(scaling: Scaling) -> Table:
    """The accepted fit of each ansatz, and the spread of all."""
    low, high = scaling.spread()
    table = make_table(
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
