"""Random deep networks as one matrix, and how many of their layers are injective together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.deep.decide import decide_network_injectivity
from polyinj.errors import InputError
from polyinj.injectivity.decision import Verdict


@dataclass(frozen=True, slots=True)
class DeepGaussianEnsemble:
    """Networks of widths (n, m, ..., m), independent standard normal entries, as one matrix [W_1, W_2, ..., W_depth].

    A deeper ensemble of the same shape draws the same first layers.

    Examples
    --------
    >>> import numpy as np
    >>> DeepGaussianEnsemble(6, 2, 3).sample(np.random.default_rng(0)).shape
    (6, 14)
    """

    m: int
    n: int
    depth: int

    def __post_init__(self) -> None:
        if not (self.m >= self.n >= 1 and self.depth >= 1):
            raise InputError(f"ensemble has m, n, depth {self.m, self.n, self.depth}; expected m >= n >= 1, depth >= 1")

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n), of the first layer."""
        return self.m, self.n

    @property
    def sample_shape(self) -> tuple[int, int]:
        """Of all layers side by side."""
        return self.m, self.n + (self.depth - 1) * self.m

    def sample(self, rng: np.random.Generator) -> NDArray[np.float64]:
        return np.hstack([rng.standard_normal((self.m, k)) for k in (self.n, *[self.m] * (self.depth - 1))])


@dataclass(frozen=True, slots=True)
class InjectiveLayers:
    """Statistic of networks written as by `DeepGaussianEnsemble`: `layers` that are injective together, `undecided`.

    `undecided` is 1 where the next layer would need more than `max_regions` linear regions.
    """

    max_regions: int = 400_000

    def __call__(self, matrix: NDArray[Any]) -> dict[str, float]:
        m, columns = matrix.shape
        first = (columns - 1) % m + 1
        return _injective_layers(np.split(matrix, range(first, columns, m), axis=1), self.max_regions)


@dataclass(frozen=True, slots=True)
class ProfileEnsemble:
    """Networks of widths (n, m_1, ..., m_L), independent standard normal entries, the layers below one another.

    Layer k stands in the first columns of its m_k rows; what is left of them is 0. Networks whose widths begin alike
    begin with the same layers, and of one layer that differs the narrower has the first rows of the wider.

    Examples
    --------
    >>> import numpy as np
    >>> ProfileEnsemble((2, 6, 5)).sample(np.random.default_rng(0)).shape
    (11, 6)
    """

    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or min(self.widths) < 1:
            raise InputError(f"widths are {self.widths}; expected n and at least one layer, all of them at least 1")

    @property
    def shape(self) -> tuple[int, int]:
        """(m_1, n), of the first layer."""
        return self.widths[1], self.widths[0]

    @property
    def sample_shape(self) -> tuple[int, int]:
        """Of all layers below one another."""
        return sum(self.widths[1:]), max(self.widths[:-1])

    def sample(self, rng: np.random.Generator) -> NDArray[np.float64]:
        columns = self.sample_shape[1]
        layers = [rng.standard_normal((rows, before)) for before, rows in pairwise(self.widths)]
        return np.vstack([np.pad(layer, ((0, 0), (0, columns - layer.shape[1]))) for layer in layers])


@dataclass(frozen=True, slots=True)
class ProfileInjectiveLayers:
    """The columns of `InjectiveLayers` for networks written as by `ProfileEnsemble` of the same widths."""

    widths: tuple[int, ...]
    max_regions: int = 400_000

    def __call__(self, matrix: NDArray[Any]) -> dict[str, float]:
        parts = np.split(matrix, np.cumsum(self.widths[1:-1]))
        weights = [part[:, :before] for part, before in zip(parts, self.widths, strict=False)]
        return _injective_layers(weights, self.max_regions)


def _injective_layers(weights: Sequence[NDArray[Any]], max_regions: int) -> dict[str, float]:
    decision = decide_network_injectivity(weights, certificate=False, max_regions=max_regions, search_seconds=0)
    return {"layers": decision.injective_layers, "undecided": decision.verdict is Verdict.UNDECIDED}
