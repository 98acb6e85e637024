"""The shell command `polyinj robustness`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from polyinj.cli.options import Seed, Workers, parse_integers
from polyinj.cli.output import output_console, print_written
from polyinj.cli.tables import interval, make_table
from polyinj.studies.robustness import RobustnessStudy, estimate_robustness


def robustness(
    d: Annotated[str, typer.Option(help="Dimensions of the data: 5,10.")] = "5,10",
    n: Annotated[str, typer.Option(help="Numbers of points: 10,20,40.")] = "10,20,40",
    k: Annotated[str, typer.Option(help="Numbers of neurons: 10,20,40.")] = "10,20,40",
    trials: Annotated[int, typer.Option(help="Random data sets for each d and n.")] = 8,
    methods: Annotated[str, typer.Option(help="Of random_features, trained, regularised.")] = "trained,regularised",
    seed: Seed = 0,
    tolerance: Annotated[float, typer.Option(help="Largest misfit of a network that fits.")] = 1e-6,
    node_limit: Annotated[int, typer.Option(help="Nodes after which a constant is an interval.")] = 20_000,
    workers: Workers = None,
    out: Annotated[Path, typer.Option(help="Folder for robustness.png, .csv and .json.")] = Path("results"),
) -> None:
    """Exact Lipschitz constants of networks through n random points, beside the conjectured order sqrt(n/k)."""
    study = estimate_robustness(
        parse_integers(d, "--d"),
        parse_integers(n, "--n"),
        parse_integers(k, "--k"),
        trials,
        methods=[method.strip() for method in methods.split(",")],
        seed=seed,
        tolerance=tolerance,
        node_limit=node_limit,
        workers=workers,
    )
    paths = study.save(out)
    console = output_console()
    console.print(_row_table(study))
    if any(math.isfinite(fit.n_exponent) for fit in study.fits):
        console.print(_fit_table(study))
    print_written(paths)


def _row_table(study: RobustnessStudy) -> Table:
    title = f"Lipschitz constants, {study.rows[0].trials} data sets a shape, seed {study.seed} (medians)"
    table = make_table(title, "d", "n", "k", "method", "fit", "exact", "Lip", "95% interval", "Lip/√(n/k)", "on sphere")
    for row in study.rows:
        seen = math.isfinite(row.lipschitz_high)
        table.add_row(
            *map(str, (row.d, row.n, row.k, row.method, row.fitted, row.exact)),
            f"{row.lipschitz:.3g}" if row.fitted else "-",
            interval(row.lipschitz_low, row.lipschitz_high, ".3g") if seen else "-",
            f"{row.ratio:.3g}" if row.fitted else "-",
            f"{row.sphere_lower:.3g}..{row.sphere_upper:.3g}" if row.fitted else "-",
        )
    return table


def _fit_table(study: RobustnessStudy) -> Table:
    table = make_table("Lip ~ n^a / k^b; the law says 1/2 for both", "d", "method", "shapes", "a", "95%", "b", "95%")
    for fit in study.fits:
        table.add_row(
            str(fit.d),
            fit.method,
            str(fit.shapes),
            f"{fit.n_exponent:.2f}",
            interval(fit.n_low, fit.n_high, ".2f"),
            f"{fit.k_exponent:.2f}",
            interval(fit.k_low, fit.k_high, ".2f"),
        )
    return table
