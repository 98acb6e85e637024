"""A `Collision`: two points that a layer maps to the same image. Checked without the finder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.certificates.clock import Clock
from polyinj.certificates.domain import Domain, join_numbers
from polyinj.certificates.json_format import COLLISION, Fields, ratios, write_document
from polyinj.certificates.layer import Layer, LayerName
from polyinj.certificates.layer_document import check_length, describe, open_document
from polyinj.certificates.signs import first_not_orthogonal, signs_at
from polyinj.errors import CertificateError
from polyinj.exact.arrays import integers_of, read_number


@dataclass(frozen=True, slots=True, eq=False)
class FloatCollision:
    """Two points in doubles: a collision rounded, or a pair whose images agree but for rounding.

    Attributes
    ----------
    x, y : ndarray of float64, shape (n,)
        Of a collision the doubles nearest to its two points; infinite beyond the range of doubles.
    distance : float
        Euclidean distance of x and y.
    image_difference : float
        Largest absolute difference between entries of the two images, computed in float64.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    distance: float
    image_difference: float

    @classmethod
    def of(cls, layer: Layer, x: NDArray[np.float64], y: NDArray[np.float64]) -> Self:
        """The pair and how a layer sees it in doubles."""
        matrix = _doubles(layer.weights)
        shift = 0.0 if layer.bias is None else _doubles(layer.bias)
        with np.errstate(all="ignore"):
            images = [np.maximum(matrix @ point + shift, 0.0) for point in (x, y)]
            return cls(x, y, float(np.linalg.norm(x - y)), float(np.abs(images[0] - images[1]).max()))


@dataclass(frozen=True, slots=True)
class Collision:
    """Two points that a layer maps to the same image, in rationals: the proof that it is not injective.

    Examples
    --------
    >>> from polyinj.certificates.layer import read_layer
    >>> layer = read_layer([[1, 0], [0, 1]])
    >>> collision = Collision.of(layer, [-1, 2], [-3, 2])
    >>> collision.verify([[1, 0], [0, 1]])
    >>> collision.statement
    'the layer x -> ReLU(Wx), 2 rows, 2 columns, is not injective on R^2'
    """

    x: tuple[Fraction, ...]
    y: tuple[Fraction, ...]
    layer: LayerName

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            point = tuple(read_number(entry, f"{name}[{j}]") for j, entry in enumerate(getattr(self, name)))
            object.__setattr__(self, name, point)
            if len(point) != self.layer.columns:
                raise CertificateError(f"{name} has {len(point)} entries; the layer has {self.layer.columns} columns")

    @classmethod
    def of(cls, layer: Layer, x: Sequence[Any], y: Sequence[Any]) -> Self:
        """A collision of a layer read by `polyinj.certificates.layer.read_layer`; not verified here."""
        return cls(tuple(x), tuple(y), LayerName.of(layer))

    @classmethod
    def read(cls, fields: Fields, layer: LayerName) -> Self:
        """The collision of a file about a layer."""
        collision = cls(fields.point("x", layer.columns), fields.point("y", layer.columns), layer)
        fields.finish()
        return collision

    @property
    def statement(self) -> str:
        """What it proves, once verified: of which layer, with a bias or without, and on which domain."""
        return f"{self.layer.function} is not injective on {self.layer.place}"

    def __repr__(self) -> str:
        x, y = (join_numbers(point, ", ") for point in (self.x, self.y))
        return f"Collision({self.statement}; x = ({x}), y = ({y}); sha256 {self.layer.sha256})"

    def verify(
        self,
        weights: ArrayLike,
        bias: ArrayLike | None = None,
        domain: Domain | None = None,
        *,
        time_limit: float | None = None,
    ) -> None:
        """Check in rationals that x != y, both in the domain, have the same image under the layer.

        Parameters
        ----------
        weights : array_like, shape (m, n)
        bias : array_like, shape (m,), optional
        domain : Box or Ball, optional
            Which domain the certificate has to be about; all of R^n when None.
        time_limit : float, optional
            Seconds after which the check ends with a CertificateError; by default there is no limit.

        Raises
        ------
        CertificateError
            The points do not collide, the certificate is about another layer or domain, or the time ran out.
        InputError
            Unreadable weights or bias, another domain than those, or a time limit that is not positive.
        """
        clock = Clock(time_limit)
        self.check(self.layer.match(weights, bias, domain), clock)

    def check(self, layer: Layer, clock: Clock) -> None:
        """`verify`, of the layer that is named."""
        check_length("x and y", (*self.x, *self.y), layer)
        if self.x == self.y:
            raise CertificateError("x and y are the same point")
        if layer.domain is not None and not (layer.domain.contains(self.x) and layer.domain.contains(self.y)):
            raise CertificateError(f"x or y lies outside {self.layer.place}")
        clock.check()
        of_x, of_y = (signs_at(layer, (self.x, self.y), clock) > 0).T
        if (apart := np.flatnonzero(of_x != of_y)).size:
            raise CertificateError(f"the images of x and y differ in row {apart[0]}")
        # Rows that are positive at both are so with one value.
        between, _ = integers_of([a - b for a, b in zip(self.x, self.y, strict=True)])
        if (faulty := first_not_orthogonal(layer, of_x, between, clock)) is not None:
            raise CertificateError(f"the images of x and y differ in row {faulty}")

    def as_float64(self, weights: ArrayLike, bias: ArrayLike | None = None) -> FloatCollision:
        """The collision as float64 code sees it: nearest doubles, their distance, the difference of their images."""
        layer = self.layer.match(weights, bias, self.layer.domain)
        return FloatCollision.of(layer, *(_doubles(np.array(point, dtype=object)) for point in (self.x, self.y)))

    def save(self, path: str | PathLike[str]) -> None:
        """Write JSON, compressed when the name ends in .gz; the file appears whole or not at all."""
        write_document(path, COLLISION, describe(self.layer) | {"x": ratios(self.x), "y": ratios(self.y)})

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a collision; CertificateError when the file is malformed or holds something else."""
        fields, layer = open_document(path)
        fields.expect(COLLISION)
        return cls.read(fields, layer)


def _doubles(values: NDArray[Any]) -> NDArray[np.float64]:
    return values if values.dtype == np.float64 else np.vectorize(_double, otypes=[np.float64])(values)


def _double(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf
