"""Laws of random matrices.

An ensemble has a shape (m, n), draws matrices of it, and may declare `continuous = True`: with probability one any n
rows are independent (general position). Statistics that rest on general position accept no other ensemble. A family is
an ensemble without its shape: a store keeps trials of one family.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
class _Shaped:
    """m rows and n columns, at least one of each."""

    m: int
    n: int

    def __post_init__(self) -> None:
        if self.m < 1 or self.n < 1:
            raise InputError(f"ensemble has shape {self.m, self.n}; expected at least one row and one column")

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n): rows (neurons) and columns (inputs)."""
        return self.m, self.n


@dataclass(frozen=True, slots=True)
class GaussianEnsemble(_Shaped):
    """Independent standard normal entries, shape (m, n).

    Examples
    --------
    >>> import numpy as np
    >>> from polyinj import GaussianEnsemble
    >>> GaussianEnsemble(4, 2).sample(np.random.default_rng(0)).shape
    (4, 2)
    """

    continuous: ClassVar[bool] = True

    def sample(self, rng: np.random.Generator) -> NDArray[np.float64]:
        return rng.standard_normal((self.m, self.n))


@dataclass(frozen=True, slots=True)
class RademacherEnsemble(_Shaped):
    """Independent entries -1 or +1 with probability 1/2 each, shape (m, n). Not in general position.

    Examples
    --------
    >>> import numpy as np
    >>> sorted(set(RademacherEnsemble(20, 3).sample(np.random.default_rng(0)).ravel().tolist()))
    [-1.0, 1.0]
    """

    continuous: ClassVar[bool] = False

    def sample(self, rng: np.random.Generator) -> NDArray[np.float64]:
        return np.where(rng.integers(0, 2, (self.m, self.n)) == 1, 1.0, -1.0)


@dataclass(frozen=True, slots=True)
class SphereEnsemble(_Shaped):
    """Rows independent and uniform on the unit sphere of R^n, shape (m, n).

    Examples
    --------
    >>> import numpy as np
    >>> rows = SphereEnsemble(5, 3).sample(np.random.default_rng(0))
    >>> np.allclose((rows * rows).sum(axis=1), 1)
    True
    """

    continuous: ClassVar[bool] = True

    def sample(self, rng: np.random.Generator) -> NDArray[np.float64]:
        rows = rng.standard_normal((self.m, self.n))
        return np.asarray(rows / np.sqrt((rows * rows).sum(axis=1, keepdims=True)))


@dataclass(frozen=True, slots=True)
class SparseGaussianEnsemble(_Shaped):
    """Independent entries, each standard normal with probability `density` and else 0, shape (m, n).

    Not in general position: rows may be zero, or miss the same columns.

    Examples
    --------
    >>> import numpy as np
    >>> rows = SparseGaussianEnsemble(100, 20, density=0.3).sample(np.random.default_rng(0))
    >>> round(float((rows != 0).mean()), 1)
    0.3
    """

    density: float
    continuous: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _Shaped.__post_init__(self)
        if not 0 < self.density <= 1:
            raise InputError(f"density is {self.density}; expected a number above 0 and at most 1")

    def sample(self, rng: np.random.Generator) -> NDArray[np.float64]:
        entries = rng.standard_normal((self.m, self.n))
        return np.where(rng.random((self.m, self.n)) < self.density, entries, 0.0)


@dataclass(frozen=True, slots=True)
class StudentEnsemble(_Shaped):
    """Independent entries of Student's t distribution with `degrees` degrees of freedom, shape (m, n): heavy tails.

    `degrees` is at least 0.1: below, entries would leave the range of doubles. One degree is the Cauchy distribution.

    Examples
    --------
    >>> import numpy as np
    >>> StudentEnsemble(4, 2, degrees=1.5).sample(np.random.default_rng(0)).shape
    (4, 2)
    """

    degrees: float
    continuous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _Shaped.__post_init__(self)
        if not 0.1 <= self.degrees < np.inf:
            raise InputError(f"degrees is {self.degrees}; expected a finite number of at least 0.1")

    def sample(self, rng: np.random.Generator) -> NDArray[np.float64]:
        return rng.standard_t(self.degrees, (self.m, self.n))


@dataclass(frozen=True, slots=True)
class OrthonormalEnsemble(_Shaped):
    """Orthonormal columns, uniform (Haar) on the Stiefel manifold, shape (m, n) with m >= n.

    Examples
    --------
    >>> import numpy as np
    >>> columns = OrthonormalEnsemble(6, 3).sample(np.random.default_rng(0))
    >>> np.allclose(columns.T @ columns, np.eye(3))
    True
    """

    # Q = G R^-1 with G Gaussian: n rows of Q are independent exactly if those of G are.
    continuous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _Shaped.__post_init__(self)
        if self.m < self.n:
            raise InputError(f"ensemble has shape {self.m, self.n}; orthonormal columns need at least as many rows")

    def sample(self, rng: np.random.Generator) -> NDArray[np.float64]:
        # Gram-Schmidt gives R a positive diagonal, hence the uniform law; without LAPACK, the same bits everywhere.
        columns = rng.standard_normal((self.m, self.n))
        for j in range(self.n):
            column = columns[:, j, None] / np.sqrt((columns[:, j] * columns[:, j]).sum())
            columns[:, j] = column[:, 0]
            columns[:, j + 1 :] -= column * (column * columns[:, j + 1 :]).sum(axis=0)
        return columns


@dataclass(frozen=True, slots=True, eq=False)
class ResampledRowsEnsemble:
    """m rows drawn from the rows of a given matrix, for instance a trained layer.

    Not in general position: rows repeat, and those of a trained layer may depend on each other.

    Parameters
    ----------
    m : int
        Rows of a sample.
    matrix : array_like of float, shape (M, n)
        Where the rows come from; finite entries.
    replace : bool
        With replacement; without it m is at most M, and m = M permutes the rows.

    Examples
    --------
    >>> import numpy as np
    >>> ResampledRowsEnsemble(6, np.arange(8.0).reshape(4, 2)).sample(np.random.default_rng(0)).shape
    (6, 2)
    """

    m: int
    matrix: NDArray[np.float64] = field(repr=False)
    replace: bool = True
    continuous: ClassVar[bool] = False

    def __init__(self, m: int, matrix: ArrayLike, replace: bool = True) -> None:
        rows = np.array(matrix, dtype=np.float64, order="C")
        if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
            raise InputError(f"matrix has shape {rows.shape}; expected (rows, columns) of finite numbers, none empty")
        if m < 1 or (not replace and m > len(rows)):
            raise InputError(f"m is {m}; expected 1" + (" or more" if replace else f" to {len(rows)}, or replace=True"))
        rows.flags.writeable = False
        for name, value in (("m", m), ("matrix", rows), ("replace", replace)):
            object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n): rows of a sample and columns of the matrix."""
        return self.m, self.matrix.shape[1]

    def sample(self, rng: np.random.Generator) -> NDArray[np.float64]:
        return self.matrix[rng.choice(len(self.matrix), self.m, replace=self.replace)]
