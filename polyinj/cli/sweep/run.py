"""The shell command `polyinj sweep run`."""

from __future__ import annotations

import sys
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from polyinj.cli.options import Workers, parse_integers, parse_list
from polyinj.cli.sweep.options import Scheduler, executor_of
from polyinj.cli.sweep.results import print_results
from polyinj.errors import InputError
from polyinj.networks.files import read_array
from polyinj.simulation.catalog import ENSEMBLES, STATISTICS, make_ensemble, make_statistic
from polyinj.simulation.estimate import Job, simulate_jobs
from polyinj.simulation.statistics import decision, decision_by_rank
from polyinj.studies.live_crossing import LiveCrossing


def run(
    store: Annotated[Path, typer.Option(help="File of the sweep; what it has already is not run again.")],
    aspect_ratios: Annotated[str, typer.Option(help="Values of m/n: 4,4.5 or 4:7:0.5.")],
    trials: Annotated[int, typer.Option(help="Random matrices for each shape.")],
    n: Annotated[str | None, typer.Option(help="Inputs: 4,6 or 4..8; --ensemble rows takes those of FILE.")] = None,
    ensemble: Annotated[str, typer.Option(help=f"Law of the matrices: {', '.join(ENSEMBLES)}.")] = "gaussian",
    statistic: Annotated[str, typer.Option(help=f"What is computed: {', '.join(STATISTICS)}.")] = "decision",
    seed: Annotated[int, typer.Option(help="Same seed, same numbers, wherever they are computed.")] = 0,
    density: Annotated[float | None, typer.Option(help="Of --ensemble sparse: share of entries not 0.")] = None,
    degrees: Annotated[float | None, typer.Option(help="Of --ensemble student: degrees of freedom.")] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Of --ensemble rows: .npy, .npz or .csv, one row a neuron.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Name of the weights in an .npz file.")] = None,
    node_limit: Annotated[int | None, typer.Option(help="Of decisions: nodes, then undecided.")] = None,
    time_limit: Annotated[float | None, typer.Option(help="Of decisions and depth: seconds, then undecided.")] = None,
    max_cells: Annotated[int | None, typer.Option(help="Of chi, betti, faces, components: then undecided.")] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
) -> None:
    """Run trials of every shape m = round(m/n * n), or those that the store misses."""
    kind, function = _chosen(ensemble, ENSEMBLES, "--ensemble"), _chosen(statistic, STATISTICS, "--statistic")
    by_rank = function is decision and not kind.continuous
    function = decision_by_rank if by_rank else function
    matrix = None if weights is None else read_array(weights, key)
    parameters = _given(density=density, degrees=degrees, matrix=matrix)
    budgets = _given(node_limit=node_limit, time_limit=time_limit, max_cells=max_cells)
    _check_parameters(ensemble, kind, parameters)
    _check_budgets(statistic, function, budgets)
    jobs = [
        Job(make_ensemble(kind, m, k, parameters), make_statistic(function, budgets), trials)
        for k, m in _shapes(n, aspect_ratios, matrix)
    ]
    if by_rank:
        print(f"{ensemble}: rows may depend on each other, so ranks are proven (decision-by-rank)", file=sys.stderr)
    with executor_of(workers, scheduler) as executor:
        results = simulate_jobs(jobs, seed=seed, executor=executor, store=store, note=LiveCrossing(jobs))
    print_results(jobs, results)


def _chosen(name: str, known: Any, option: str) -> Any:
    if name not in known:
        raise InputError(f"{option} is {name!r}; allowed are {', '.join(known)}")
    return known[name]


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _check_parameters(name: str, kind: Any, parameters: dict[str, Any]) -> None:
    """Every parameter of an ensemble without a default, and no others."""
    needed = {entry.name for entry in fields(kind) if entry.default is MISSING} - {"m", "n"}
    for parameter in needed - set(parameters):
        raise InputError(f"--ensemble {name} needs {_option(parameter)}")
    for parameter in set(parameters) - needed:
        raise InputError(f"{_option(parameter)} was given, which --ensemble {name} does not take")


def _check_budgets(name: str, function: Any, budgets: dict[str, Any]) -> None:
    for budget, value in budgets.items():
        if budget not in function.__kwdefaults__:
            raise InputError(f"{_option(budget)} was given, which --statistic {name} does not take")
        if not value > 0:
            raise InputError(f"{_option(budget)} is {value}; expected a positive number")


def _option(parameter: str) -> str:
    return "--weights" if parameter == "matrix" else f"--{parameter.replace('_', '-')}"


def _shapes(n: str | None, aspect_ratios: str, matrix: Any) -> list[tuple[int, int]]:
    """The pairs (n, m)."""
    if (n is None) == (matrix is None):
        raise InputError("expected --n, or with --ensemble rows --weights, whose columns are n; one of the two")
    ns = [matrix.shape[-1]] if n is None else parse_integers(n, "--n")
    shapes = {(k, round(ratio * k)) for k in ns for ratio in parse_list(aspect_ratios, "--aspect-ratios")}
    return sorted(shapes)
