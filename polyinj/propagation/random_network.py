"""A random network as a description: layers are drawn one at a time, each from its own seed, and never kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import InputError
from polyinj.exact.arrays import read_matrix, read_vector
from polyinj.propagation.initialisation import INITIALISATIONS, centre_rows
from polyinj.propagation.normalisation import NORMALISATIONS
from polyinj.propagation.vector_pairs import Pairs


@dataclass(frozen=True, slots=True, eq=False)
class ScaledLayer:
    """x -> ReLU(norm(W x + b)), or x -> x + r V ReLU(norm(W x + b)), with W = exp(log_scale) weights, likewise b."""

    weights: NDArray[Any]
    log_scale: float
    bias: NDArray[Any] | None
    log_bias: float
    normalisation: str | None = None
    branch_end: NDArray[Any] | None = None
    log_residual: float = -math.inf

    def apply(self, pairs: Pairs, counted: int) -> Pairs:
        """The layer on pairs of vectors, of which the first `counted` are the batch of a batch normalisation."""
        if self.branch_end is None:
            return self._hidden(pairs, counted)
        if self.bias is None and self.normalisation is None:
            # A branch that is positively homogeneous does not see log_ratio: what it adds is known to the last bit.
            branch = self._hidden(replace(pairs, log_ratio=np.zeros_like(pairs.log_ratio)), counted)
            branch = branch.linear(self.branch_end, self.log_residual, None, 0.0)
            return pairs.plus(branch, branch.log_ratio).aligned()
        branch = self._hidden(pairs, counted).linear(self.branch_end, self.log_residual, None, 0.0)
        return pairs.plus(branch, branch.log_ratio - pairs.log_ratio).aligned()

    def _hidden(self, pairs: Pairs, counted: int) -> Pairs:
        hidden = pairs.linear(self.weights, self.log_scale, self.bias, self.log_bias)
        if self.normalisation is not None:
            hidden = NORMALISATIONS[self.normalisation](hidden, counted)
        return hidden.relu().aligned()


@dataclass(frozen=True, slots=True)
class RandomNetwork:
    """Law of random ReLU networks of one width: multilayer perceptrons, plain, normalised or residual.

    Attributes
    ----------
    width, depth : int
        Neurons of each layer; layers (residual blocks where `residual` is positive).
    initialisation : str
        'gaussian', 'orthogonal' (Haar) or 'identity'; each keeps mean squares, E |Wx|^2 / m = |x|^2 / n.
    weight_std : float
        sigma_w, multiplies the weights before a ReLU: 2^(1/2) is He's. Any positive number, also 1e-300.
    bias_std : float
        sigma_b of independent normal biases; 0 for none.
    normalisation : str or None
        'batch' or 'layer': of W x + b, before the ReLU.
    centred : bool
        Rows of all weights are made to sum to 0 (Brock et al. 2021); the gain that keeps lengths is then
        (2 / (1 - 1/pi))^(1/2) = 1.7129.
    residual : float
        r > 0 makes layers x -> x + r V ReLU(norm(W x + b)), V a second matrix of the same law with sigma 1; 0 for none.
    inputs : int, optional
        Input dimension; by default the width. A residual network has inputs = width.

    Raises
    ------
    InputError
        A width or depth below 1, an unknown name, a scale that is not finite and positive.

    Examples
    --------
    >>> network = RandomNetwork(width=64, depth=3)
    >>> [layer.weights.shape for layer in network.layers(seed=1, number=0)]
    [(64, 64), (64, 64), (64, 64)]
    """

    width: int
    depth: int
    initialisation: str = "gaussian"
    weight_std: float = math.sqrt(2)
    bias_std: float = 0.0
    normalisation: str | None = None
    centred: bool = False
    residual: float = 0.0
    inputs: int | None = None

    def __post_init__(self) -> None:
        if self.width < 1 or self.depth < 1 or (self.inputs is not None and self.inputs < 1):
            raise InputError(f"width, depth, inputs are {self.width, self.depth, self.inputs}; expected integers >= 1")
        if self.initialisation not in INITIALISATIONS:
            raise InputError(f"initialisation is {self.initialisation!r}; expected one of {', '.join(INITIALISATIONS)}")
        if self.normalisation is not None and self.normalisation not in NORMALISATIONS:
            raise InputError(f"normalisation is {self.normalisation!r}; expected one of {', '.join(NORMALISATIONS)}")
        if not 0 < self.weight_std < math.inf:
            raise InputError(f"weight_std is {self.weight_std}; expected a positive number")
        for name in ("bias_std", "residual"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} is {getattr(self, name)}; expected a number >= 0")
        if self.residual and self.input_dimension != self.width:
            raise InputError(
                f"a residual network has inputs = width, and inputs is {self.inputs}, width {self.width}; "
                "leave inputs out"
            )

    @property
    def input_dimension(self) -> int:
        """`inputs`, or the width."""
        return self.width if self.inputs is None else self.inputs

    def layers(self, seed: int, number: int, dtype: str = "float64") -> Iterator[ScaledLayer]:
        """The layers of network `number`, one at a time.

        Layer l (from 1) is drawn from SeedSequence(seed, spawn_key=(inputs, width, number, l)): a deeper network of the
        same width begins alike.
        """
        draw = INITIALISATIONS[self.initialisation]
        m, n = self.width, self.input_dimension
        for layer in range(1, self.depth + 1):
            key = (self.input_dimension, self.width, number, layer)
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
            weights = draw(rng, m, n, dtype)
            end = draw(rng, m, m, dtype) if self.residual else None
            if self.centred:
                weights = centre_rows(weights)
                end = None if end is None else centre_rows(end)
            bias = rng.standard_normal(m).astype(dtype) if self.bias_std else None
            yield ScaledLayer(
                weights,
                math.log(self.weight_std),
                bias,
                math.log(self.bias_std) if self.bias_std else -math.inf,
                self.normalisation,
                end,
                math.log(self.residual) if self.residual else -math.inf,
            )
            n = m


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GivenNetwork:
    """A network of given matrices, such as a trained one: x -> ReLU(W_L ... ReLU(W_1 x + b_1) ... + b_L).

    Attributes
    ----------
    weights : tuple of ndarray
        Shapes (m_1, n), (m_2, m_1), ...; finite.
    biases : tuple of (ndarray or None)
        Shapes (m_k,); None for no bias.

    Raises
    ------
    InputError
        No layer, entries that are not finite numbers, shapes that do not fit.
    """

    weights: tuple[NDArray[np.float64], ...]
    biases: tuple[NDArray[np.float64] | None, ...]

    def __init__(self, weights: Sequence[ArrayLike], biases: Sequence[ArrayLike | None] | None = None) -> None:
        matrices = [
            read_matrix(matrix, f"the weights of layer {k}").astype(np.float64) for k, matrix in enumerate(weights, 1)
        ]
        if not matrices:
            raise InputError("there are no weights; expected at least one matrix")
        given: list[ArrayLike | None] = [None] * len(matrices) if biases is None else list(biases)
        if len(given) != len(matrices):
            raise InputError(f"{len(given)} biases for {len(matrices)} layers; expected one a layer, or None")
        for k, (before, matrix) in enumerate(pairwise(matrices), 2):
            if matrix.shape[1] != len(before):
                raise InputError(
                    f"layer {k} has {matrix.shape[1]} columns, but layer {k - 1} has {len(before)} rows; "
                    "expected as many"
                )
        shifts = [
            None if bias is None else read_vector(bias, len(matrix), f"the bias of layer {k}").astype(np.float64)
            for k, (matrix, bias) in enumerate(zip(matrices, given, strict=True), 1)
        ]
        object.__setattr__(self, "weights", tuple(matrices))
        object.__setattr__(self, "biases", tuple(shifts))

    @property
    def depth(self) -> int:
        """Layers."""
        return len(self.weights)

    @property
    def width(self) -> int:
        """Neurons of the widest layer."""
        return max(map(len, self.weights))

    @property
    def input_dimension(self) -> int:
        """Columns of the first matrix."""
        return int(self.weights[0].shape[1])

    def layers(self, seed: int, number: int, dtype: str = "float64") -> Iterator[ScaledLayer]:
        """The layers; seed and number change nothing."""
        for matrix, bias in zip(self.weights, self.biases, strict=True):
            unit, log_scale = _unit(matrix)
            shift, log_bias = (None, -math.inf) if bias is None or not bias.any() else _unit(bias)
            yield ScaledLayer(unit.astype(dtype), log_scale, None if shift is None else shift.astype(dtype), log_bias)

    def __repr__(self) -> str:
        return f"GivenNetwork({' -> '.join(str(n) for n in (self.input_dimension, *map(len, self.weights)))})"


def _unit(array: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """The array over its largest entry, by a power of two, and the logarithm of that."""
    _, exponent = np.frexp(np.abs(array).max())
    return np.ldexp(array, -exponent), float(exponent) * math.log(2)
