"""Laws of random matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError


class Ensemble(Protocol):
    """Anything with a shape and a way to draw a matrix of that shape."""

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n): rows (neurons) and columns (inputs)."""
        ...

    def sample(self, rng: np.random.Generator) -> NDArray[Any]:
        """One matrix of that shape."""
        ...


@dataclass(frozen=True, slots=True)
class GaussianEnsemble:
    """Independent standard normal entries, shape (m, n).

    Examples
    --------
    >>> import numpy as np
    >>> from polyinj import GaussianEnsemble
    >>> GaussianEnsemble(4, 2).sample(np.random.default_rng(0)).shape
    (4, 2)
    """

    m: int
    n: int

    def __post_init__(self) -> None:
        if self.m < 1 or self.n < 1:
            raise InputError(f"ensemble has shape {self.m, self.n}; expected at least one row and one column")

    @property
    def shape(self) -> tuple[int, int]:
        return self.m, self.n

    def sample(self, rng: np.random.Generator) -> NDArray[np.float64]:
        return rng.standard_normal((self.m, self.n))
