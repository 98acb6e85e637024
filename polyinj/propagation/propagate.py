"""What happens to inputs on their way through many ReLU layers: one experiment, every published observable.

Networks are drawn layer by layer and never kept: memory is a few matrices of the width. Lengths and angles are kept as
logarithms (vector_pairs.py), so that neither leaves the range of floating point at any depth or scale.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich.console import Console
from rich.progress import track
from threadpoolctl import threadpool_limits

from polyinj._version import __version__
from polyinj.errors import InputError
from polyinj.exact.arrays import read_matrix
from polyinj.propagation.initialisation import equiangular_inputs
from polyinj.propagation.observables import OBSERVABLES, Observer
from polyinj.propagation.random_network import GivenNetwork, RandomNetwork
from polyinj.propagation.result import Propagation
from polyinj.propagation.vector_pairs import Pairs, Scaled

_MOST_RECORDED = 200
_THREADED_WIDTH = 1024
_PROBE_LOG_ANGLE = -100 * math.log(10)


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
    """Send inputs through deep ReLU networks and record, layer by layer, every observable of `OBSERVABLES`.

    Parameters
    ----------
    network : RandomNetwork, GivenNetwork or sequence of array_like
        The law of the networks; or one network, as matrices of shapes (m_1, n), (m_2, m_1), ..., rows neurons.
    inputs : array_like, shape (B, n), optional
        B even, finite numbers; pairs are rows k and k + B/2. By default `batch` inputs of mean square 1 with one cosine
        between any two, rotated at random for each network. Given ones are the same for all networks, and `theory()` is
        that of their Gram matrix.
    batch, cosine : int, float
        Of the default inputs: B, even, and the cosine in [0, 1); B (+ 1 if cosine > 0) is at most the input dimension.
    networks : int
        Independent networks; a given network is one. BLAS has one thread below a width of 1024.
    probes : int
        How many inputs get a neighbour at an angle of 10^-100, for `log_sensitivity`: 0 to P.
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
        None if given is None else given @ given.T / given.shape[1],
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
    """The observables of one network at the recorded layers, shape (len(recorded), len(OBSERVABLES))."""
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
    return np.array([[seen[layer][name] for name in OBSERVABLES] for layer in task.recorded])


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
