"""What happens to inputs on their way through many ReLU layers: one experiment, seen through every published lens.

Networks are drawn layer by layer and never kept: memory is a few matrices of the width. Lengths and angles are kept as
logarithms (pairs_of_vectors.py), so that neither leaves the range of floating point at any depth or scale.
"""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich.console import Console
from rich.progress import track
from scipy.stats import t as student
from threadpoolctl import threadpool_limits

from polyinj._version import __version__
from polyinj.errors import InputError
from polyinj.exact.arrays import read_matrix
from polyinj.propagation.initialisation import equiangular_inputs
from polyinj.propagation.observables import LENSES, Observer
from polyinj.propagation.random_network import GivenNetwork, RandomNetwork
from polyinj.propagation.theory_curves import predict
from polyinj.propagation.vector_pairs import Pairs, Scaled
from polyinj.results.files import load_result, numbers, save_result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_RECORDED = 200
_THREADED_WIDTH = 1024
_PROBE_LOG_ANGLE = -100 * math.log(10)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Propagation:
    """Result of `propagate`.

    Attributes
    ----------
    network : RandomNetwork or str
        The law of the networks, or the description of a given one.
    batch : int
        Inputs B; pairs of the lenses that need pairs are (k, k + B/2).
    cosine : float
        Between any two inputs; nan for given inputs.
    layers : tuple of int
        Recorded layers, increasing; 0 is the input.
    values : ndarray of float64, shape (networks, len(layers), len(LENSES))
        The lenses (`polyinj.propagation.observables.LENSES`) in that order, nan where a lens is undefined.
    seed : int
        Repeats the run; the same networks and inputs, whatever the executor.
    dtype : str
        'float32' or 'float64'.
    version : str
        The version of polyinj that made it.
    """

    network: RandomNetwork | str
    batch: int
    cosine: float
    layers: tuple[int, ...]
    values: NDArray[np.float64]
    seed: int
    dtype: str
    version: str

    def __repr__(self) -> str:
        return (
            f"Propagation({self.network}, networks={len(self.values)}, batch={self.batch}, cosine={self.cosine:g}, "
            f"{len(self.layers)} layers; dtype={self.dtype}, seed={self.seed})"
        )

    def lens(self, name: str) -> NDArray[np.float64]:
        """One lens, shape (networks, len(layers)).

        Raises
        ------
        InputError
            No lens of that name.
        """
        if name not in LENSES:
            raise InputError(f"lens is {name!r}; expected one of {', '.join(LENSES)}")
        found: NDArray[np.float64] = self.values[:, :, list(LENSES).index(name)]
        return found

    def summary(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Mean over networks of one lens and the ends of its 95 % interval (Student), each of shape (len(layers),).

        A layer where the lens is undefined for some network is nan; so are the ends for a single network.
        """
        values = self.lens(name)
        count = len(values)
        mean = values.mean(axis=0)
        if count < 2:
            return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
        half = float(student.ppf(0.975, count - 1)) * values.std(axis=0, ddof=1) / math.sqrt(count)
        return mean, mean - half, mean + half

    def theory(self) -> dict[str, NDArray[np.float64]]:
        """Predictions for some lenses at `layers`, those of `propagation.theory_curves.predict`."""
        if isinstance(self.network, str) or math.isnan(self.cosine):
            return {}
        return predict(self.network, self.cosine, self.batch, self.layers)

    def to_pandas(self) -> Any:
        """One row a layer, columns as in propagation.csv; needs pandas."""
        import pandas as pd

        columns, table = self._table()
        return pd.DataFrame(table, columns=columns)

    def plot(self) -> Figure:
        """All lenses against depth, beside theory, as a matplotlib figure."""
        from polyinj.plots.propagation import plot_propagation

        return plot_propagation(self)

    def save(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Write propagation.csv (mean, interval and prediction of each lens), .json and .png, whole or not at all."""
        network = self.network if isinstance(self.network, str) else asdict(self.network)
        document = {
            "format": "polyinj propagation",
            "version": self.version,
            "seed": self.seed,
            "dtype": self.dtype,
            "network": network,
            "batch": self.batch,
            "cosine": self.cosine,
            "layers": self.layers,
            "lenses": {name: self.lens(name).tolist() for name in LENSES},
        }
        columns, table = self._table()
        return save_result(directory, "propagation", columns, table, document, self.plot())

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> Propagation:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            No readable propagation.json there.
        """
        return load_result(Path(directory) / "propagation.json", "propagation", cls._of_document)

    @classmethod
    def _of_document(cls, data: dict[str, Any]) -> Propagation:
        network = data["network"]
        law = network if isinstance(network, str) else RandomNetwork(**network)
        lenses = [
            [list(numbers(dict(enumerate(row))).values()) for row in data["lenses"][name]]  # type: ignore[arg-type]
            for name in LENSES
        ]
        values = np.moveaxis(np.array(lenses, dtype=np.float64), 0, -1)
        head = numbers({"cosine": data["cosine"]})
        return cls(
            law,
            int(data["batch"]),
            head["cosine"],
            tuple(data["layers"]),
            values,
            int(data["seed"]),
            data["dtype"],
            data["version"],
        )

    def _table(self) -> tuple[list[str], list[list[float]]]:
        columns, arrays = ["layer"], [np.array(self.layers, dtype=np.float64)]
        theory = self.theory()
        for name in LENSES:
            columns += [name, f"{name}_low", f"{name}_high"]
            arrays += self.summary(name)
        for name, curve in theory.items():
            columns.append(f"{name}_theory")
            arrays.append(curve)
        rows = np.column_stack(arrays).tolist()
        return columns, [[int(row[0]), *row[1:]] for row in rows]


def propagate(
    network: RandomNetwork | GivenNetwork | Sequence[ArrayLike],
    inputs: ArrayLike | None = None,
    *,
    batch: int = 32,
    cosine: float = 0.0,
    networks: int = 20,
    probes: int = 1,
    layers: Sequence[int] | None = None,
    seed: int | None,
    dtype: str = "float64",
    executor: Executor | None = None,
    progress: bool = False,
) -> Propagation:
    """Send inputs through deep ReLU networks and record, layer by layer, what every lens of `LENSES` sees.

    Parameters
    ----------
    network : RandomNetwork, GivenNetwork or sequence of array_like
        The law of the networks; or one network, as matrices of shapes (m_1, n), (m_2, m_1), ..., rows neurons.
    inputs : array_like, shape (B, n), optional
        B even, finite numbers; pairs are rows k and k + B/2. By default `batch` inputs of mean square 1 with one cosine
        between any two, rotated at random for each network.
    batch, cosine : int, float
        Of the default inputs: B, even, and the cosine in [0, 1); B (+ 1 if cosine > 0) is at most the input dimension.
    networks : int
        Independent networks; a given network is one. BLAS has one thread below a width of 1024.
    probes : int
        So many of the inputs get a neighbour at an angle of 10^-100, for `log_sensitivity`; 0 to P.
    layers : sequence of int, optional
        Layers to record, within 0..depth; by default all, or 200 spread evenly in the logarithm where there are more.
    seed : int or None
        Network k draws its inputs from SeedSequence(seed, spawn_key=(n, width, k)) and its layer l from the same with l
        appended. None draws a seed and stores it.
    dtype : str
        'float64' or 'float32'.
    executor : concurrent.futures.Executor, optional
        Runs the networks; by default they run here, one after another.
    progress : bool
        Show a progress bar on stderr.

    Raises
    ------
    InputError
        Numbers out of range, inputs that do not fit the network, an odd batch.

    Examples
    --------
    >>> run = propagate(RandomNetwork(width=400, depth=2), batch=8, networks=4, seed=0)
    >>> run
    Propagation(RandomNetwork(width=400, depth=2, initialisation='gaussian', weight_std=1.4142135623730951, \
bias_std=0.0, normalisation=None, centred=False, residual=0.0, inputs=None), networks=4, batch=8, cosine=0, \
3 layers; dtype=float64, seed=0)
    >>> mean, low, high = run.summary("cosine")
    >>> print(mean[1:].round(2), run.theory()["cosine"][1:].round(2))
    [0.32 0.49] [0.32 0.49]
    """
    law = network if isinstance(network, RandomNetwork | GivenNetwork) else GivenNetwork(network)
    if dtype not in ("float32", "float64"):
        raise InputError(f"dtype is {dtype!r}; expected 'float32' or 'float64'")
    given = None if inputs is None else _read_inputs(inputs, law)
    count = batch if given is None else len(given)
    _check(count, networks, probes, seed)
    if seed is None:
        seed = secrets.randbits(63)
    recorded = _recorded(law.depth, layers)
    total = networks if isinstance(law, RandomNetwork) else 1
    tasks = [_Task(law, given, count, cosine, probes, recorded, seed, k, dtype) for k in range(total)]
    if given is None:
        tasks[0].inputs()
    results: Iterator[NDArray[np.float64]] = (
        map(run_network, tasks) if executor is None else executor.map(run_network, tasks)
    )
    console = Console(stderr=True)
    shown = track(results, "networks", total=total, console=console, transient=True, disable=not progress)
    return Propagation(
        law if isinstance(law, RandomNetwork) else repr(law),
        count,
        math.nan if given is not None else cosine,
        recorded,
        np.array(list(shown)),
        seed,
        dtype,
        __version__,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """One network and its inputs."""

    network: RandomNetwork | GivenNetwork
    given: NDArray[np.float64] | None
    batch: int
    cosine: float
    probes: int
    recorded: tuple[int, ...]
    seed: int
    number: int
    dtype: str

    def inputs(self) -> NDArray[np.float64]:
        """The batch, shape (B, n)."""
        if self.given is not None:
            return self.given
        rng = self._rng(self.network.input_dimension, self.network.width, self.number)
        return equiangular_inputs(rng, self.batch, self.network.input_dimension, self.cosine)

    def directions(self) -> NDArray[np.float64]:
        """Of the probes, shape (probes, n)."""
        return self._rng(self.number, self.network.input_dimension).standard_normal(
            (self.probes, self.network.input_dimension)
        )

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


def run_network(task: _Task) -> NDArray[np.float64]:
    """The lenses of one network at the recorded layers, shape (len(recorded), len(LENSES))."""
    # Products of small matrices are over before a second thread of BLAS has begun.
    with threadpool_limits(1 if task.network.width < _THREADED_WIDTH else None):
        return _run(task)


def _run(task: _Task) -> NDArray[np.float64]:
    rows = Scaled.of(task.inputs())
    half = task.batch // 2
    pairs = Pairs.of(*(Scaled(rows.values[part], rows.logs[part]) for part in (slice(0, half), slice(half, None))))
    state = _with_probes(pairs, task.directions()).astype(task.dtype)
    observer = Observer(half)
    seen = {0: observer.observe(state)}
    wanted = set(task.recorded)
    for layer, block in enumerate(task.network.layers(task.seed, task.number, task.dtype), 1):
        state = block.apply(state, half)
        if layer in wanted:
            seen[layer] = observer.observe(state)
    return np.array([[seen[layer][name] for name in LENSES] for layer in task.recorded])


def _with_probes(pairs: Pairs, directions: NDArray[np.float64]) -> Pairs:
    """The pairs, and behind them the first inputs with a neighbour each."""
    count = len(directions)
    if not count:
        return pairs
    first = Scaled(pairs.first.values[:count], pairs.first.logs[:count])
    step = Scaled(Scaled.of(directions).values, first.logs + _PROBE_LOG_ANGLE)
    return pairs.joined(Pairs(first, step, np.zeros(count)).aligned())


def _read_inputs(inputs: ArrayLike, network: RandomNetwork | GivenNetwork) -> NDArray[np.float64]:
    matrix: NDArray[np.float64] = read_matrix(inputs, "inputs").astype(np.float64)
    if matrix.shape[1] != network.input_dimension:
        raise InputError(
            f"inputs has shape {matrix.shape}; expected (B, {network.input_dimension}), one entry a column of layer 1"
        )
    return matrix


def _check(batch: int, networks: int, probes: int, seed: int | None) -> None:
    if batch < 2 or batch % 2:
        raise InputError(
            f"the batch has {batch} inputs; expected an even number, 2 or more, since they are read in pairs"
        )
    if networks < 1:
        raise InputError(f"networks is {networks}; expected an integer >= 1")
    if not 0 <= probes <= batch // 2:
        raise InputError(f"probes is {probes}; expected 0 to {batch // 2}, half of the batch")
    if seed is not None and seed < 0:
        raise InputError(f"seed is {seed}; expected an integer >= 0, or None to draw one")


def _recorded(depth: int, layers: Sequence[int] | None) -> tuple[int, ...]:
    if layers is None:
        if depth < _MOST_RECORDED:
            return tuple(range(depth + 1))
        spread = np.geomspace(1, depth, _MOST_RECORDED).round().astype(int)
        return (0, *sorted(set(spread.tolist())))
    chosen = sorted({int(layer) for layer in layers})
    if not chosen or chosen[0] < 0 or chosen[-1] > depth:
        raise InputError(f"layers is {list(layers)}; expected layers within 0..{depth}, the depth")
    return tuple(chosen)
