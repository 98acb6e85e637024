"""The shell commands of sweeps: `polyinj sweep run`, `locate`, `status`, `resume`, `export`, `plot`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from polyinj.cli.options import Workers, parse_integers, parse_list
from polyinj.cli.tables import crossings_table, scaling_table
from polyinj.errors import InputError
from polyinj.fitting.intervals import clopper_pearson
from polyinj.networks.files import read_array
from polyinj.simulation.catalog import (
    ENSEMBLES,
    STATISTICS,
    make_ensemble,
    make_statistic,
    stored_family,
    stored_statistic,
)
from polyinj.simulation.estimate import Job, Simulation, simulate_jobs
from polyinj.simulation.executors import local_processes
from polyinj.simulation.statistics import decision, decision_by_rank
from polyinj.simulation.store import export as exporting
from polyinj.simulation.store.fingerprint import readable
from polyinj.simulation.store.reader import StoreReader
from polyinj.simulation.store.store import Store
from polyinj.studies.live_crossing import LiveCrossing
from polyinj.studies.transition import Transition
from polyinj.studies.transition_runs import locate_transition

sweep = typer.Typer(no_args_is_help=True, help="Simulations that survive: every trial is kept in a file as it is done.")

_SCHEDULER = typer.Option(help="Address of a Dask scheduler, such as tcp://host:8786, to run there instead.")
_STORE = typer.Argument(help="The file of a sweep.")
_VERDICTS = ("injective", "not_injective", "undecided")
_MOST_COLUMNS = 8
_FEWEST_CROSSINGS = 4


@sweep.command()
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
    scheduler: Annotated[str | None, _SCHEDULER] = None,
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
    with _executor(workers, scheduler) as executor:
        results = simulate_jobs(jobs, seed=seed, executor=executor, store=store, note=LiveCrossing(jobs))
    _print_results(jobs, results)


@sweep.command()
def locate(
    n: Annotated[str, typer.Option(help="Inputs: 4,6 or 4..8.")],
    width: Annotated[float, typer.Option(help="Wished width of the 95% interval of the crossing, in m/n.")],
    max_trials: Annotated[int, typer.Option(help="Random matrices for each n, at most.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Same seed, same table, wherever it is computed.")] = 0,
    time_limit: Annotated[float | None, typer.Option(help="Seconds after which no round of trials starts.")] = None,
    node_limit: Annotated[int | None, typer.Option(help="Nodes of a decision, then undecided.")] = None,
    store: Annotated[Path | None, typer.Option(help="File that keeps every trial as it is done.")] = None,
    workers: Workers = None,
    scheduler: Annotated[str | None, _SCHEDULER] = None,
    out: Annotated[Path, typer.Option(help="Folder for transition.png, .csv and .json.")] = Path("results"),
) -> None:
    """Find where P(injective) = 1/2 for Gaussian layers, with trials where they narrow that crossing most."""
    with _executor(workers, scheduler) as executor:
        result = locate_transition(
            parse_integers(n, "--n"),
            width=width,
            max_trials=max_trials,
            seed=seed,
            time_limit=time_limit,
            node_limit=node_limit,
            executor=executor,
            store=store,
        )
    paths = result.save(out)
    Console().print(crossings_table(result))
    print(f"wrote {', '.join(str(path) for path in paths)}: {sum(row.trials for row in result.rows)} matrices")


@sweep.command()
def status(
    store: Annotated[Path, _STORE],
    failures: Annotated[bool, typer.Option("--failures", help="Print the tracebacks of failed trials.")] = False,
) -> None:
    """Print what a sweep is and how far it got; a run may go on meanwhile."""
    with StoreReader(store) as reader:
        cells, design, sessions, failed = reader.cells(), reader.design, reader.sessions(), reader.failures()
    print(f"{readable(design.ensemble)}, {readable(design.statistic)}, seed {design.seed}, polyinj {design.version}")
    for session in sessions:
        print(f"run {session['started']}: numpy {session['numpy']}, python {session['python']}, {session['platform']}")
    table = _table("n", "m", "m/n", "wanted", "done", "undecided", "failed", "ms a trial")
    for cell in cells:
        cost = f"{1e3 * cell.seconds / cell.done:.3g}" if cell.done else "-"
        counts = (cell.wanted, cell.done, cell.undecided, cell.failed)
        table.add_row(*map(str, (cell.n, cell.m)), f"{cell.m / cell.n:.3g}", *map(str, counts), cost)
    Console().print(table)
    done, wanted = sum(cell.done for cell in cells), sum(cell.wanted for cell in cells)
    print(f"{done} of {wanted} trials done, {sum(cell.seconds for cell in cells):.1f} s in the statistic")
    for one in failed if failures else ():
        print(f"\ntrial {one.trial} of shape ({one.m}, {one.n}):\n{one.traceback.rstrip()}")


@sweep.command()
def resume(
    store: Annotated[Path, _STORE],
    workers: Workers = None,
    scheduler: Annotated[str | None, _SCHEDULER] = None,
) -> None:
    """Run the trials that a sweep still misses, failed ones included; the file says everything."""
    StoreReader(store).close()
    with Store(store) as opened:
        family, statistic = stored_family(opened), stored_statistic(opened)
        jobs = [Job(family(cell.m, cell.n), statistic, cell.wanted) for cell in opened.cells() if cell.wanted]
        with _executor(workers, scheduler) as executor:
            results = simulate_jobs(jobs, seed=None, executor=executor, store=opened, note=LiveCrossing(jobs))
    _print_results(jobs, results)


@sweep.command()
def export(
    store: Annotated[Path, _STORE],
    to: Annotated[Path, typer.Option(help="The table to write, one row a trial: .csv or .parquet.")],
    salvage: Annotated[bool, typer.Option("--salvage", help="Of a damaged file: every batch that is intact.")] = False,
) -> None:
    """Write the trials of a sweep as a table."""
    with StoreReader(store, salvage=salvage) as reader:
        rows = exporting.export(reader, to)
        if reader.lost:
            print("polyinj: some batches were damaged and are left out", file=sys.stderr)
    print(f"wrote {to}: {rows} trials")


@sweep.command()
def plot(
    source: Annotated[
        Path, typer.Argument(help="A sweep of Gaussian layers, a folder of `polyinj transition`, or a .csv of counts.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for transition.png and finite_size.png.")] = Path("results"),
) -> None:
    """Draw P(injective) and the crossings of 1/2 with their extrapolations; nothing is run."""
    result = Transition.load(source)
    figures = {"transition.png": result.plot()}
    known = sum(crossing.half == crossing.half for crossing in result.crossings)
    console = Console()
    console.print(crossings_table(result))
    if known >= _FEWEST_CROSSINGS:
        console.print(scaling_table(result.extrapolate()))
        figures["finite_size.png"] = result.plot_scaling()
    else:
        print(f"crossings of {known} n are shown; {_FEWEST_CROSSINGS} are needed to extrapolate", file=sys.stderr)
    out.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(out / name, dpi=200)
    print(f"wrote {', '.join(str(out / name) for name in figures)}")


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


@contextmanager
def _executor(workers: int | None, scheduler: str | None) -> Iterator[Executor]:
    if scheduler is None:
        with local_processes(workers) as executor:
            yield executor
        return
    if workers is not None:
        raise InputError("--workers and --scheduler were both given; a scheduler has its own workers: expected one")
    try:
        from distributed import Client
    except ImportError:
        raise InputError("--scheduler needs Dask: pip install 'polyinj[dask]'") from None
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise InputError(f"--scheduler is {scheduler}: {error}; expected an address such as tcp://host:8786") from None
    with client, client.get_executor() as executor:
        yield executor


def _print_results(jobs: Sequence[Job], results: Sequence[Simulation]) -> None:
    """Means with standard errors, over the trials that have an answer; of decisions counts and an interval."""
    columns = list(dict.fromkeys(name for result in results for name in result.columns))
    decisions = [name for name in columns if name in _VERDICTS]
    others = [name for name in columns if name not in _VERDICTS]
    if len(others) > _MOST_COLUMNS:
        print(f"{len(others)} columns; `polyinj sweep export` writes them")
        others = []
    share = ["P(injective)"] if decisions else []
    table = _table("n", "m", "trials", *decisions, *share, *(f"mean {name}" for name in others))
    for job, result in zip(jobs, results, strict=True):
        m, n = job.ensemble.shape
        counts = {name: int(result.column(name).sum()) for name in decisions}
        interval = [_share(len(result.values), **counts)] if decisions else []
        means = [_mean(result.column(name)) if name in result.columns else "-" for name in others]
        table.add_row(*map(str, (n, m, len(result.values), *counts.values())), *interval, *means)
    Console().print(table)


def _share(trials: int, injective: int, not_injective: int, undecided: int) -> str:
    """Undecided trials count both ways."""
    low = clopper_pearson(injective, trials)[0]
    high = clopper_pearson(injective + undecided, trials)[1]
    decided = injective + not_injective
    return f"{injective / decided if decided else float('nan'):.3f} [{low:.3f}, {high:.3f}]"


def _mean(values: NDArray[np.float64]) -> str:
    values = values[values == values]
    if len(values) < 2:
        return f"{values[0]:.4g}" if len(values) else "-"
    return f"{values.mean():.4g} ± {values.std(ddof=1) / len(values) ** 0.5:.2g}"


def _table(*headers: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    return table
