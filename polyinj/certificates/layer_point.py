"""A `NonspanningPoint`: a point whose active rows do not span, so that the layer is not injective around it.

*Theorem.* Let x lie in the interior of the domain D, and let A = {i : w_i.x + b_i >= 0} be the rows that are active
there. If the w_i of A do not span R^n, the layer is not injective on D.

*Proof.* Some v != 0 has w_i.v = 0 for every i in A. Every other row is negative at x, and so it is at x + t v for small
t > 0; for small t that point lies in D as well, since x is interior. The rows of A have the same value at both points,
the others give 0 at both. So x and x + t v are two inputs with one image.

The w_i of A do not span R^n where

- fewer than n of them are nonzero: signs alone show it, and no v has to be known; or
- a *direction* v != 0 is given with w_i.v = 0 for every active row.

Rows on their hyperplane, w_i.x + b_i = 0, are active: beside x they may be positive. Rows with w_i = 0 span nothing and
count for nothing. On the boundary of D the proof breaks, for x + t v and x - t v may both lie outside; but nothing is
lost with it: from there a small step into the interior keeps the negative rows negative, so that the active rows can
only become fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.certificates.clock import Clock
from polyinj.certificates.domain import Domain, join_numbers
from polyinj.certificates.json_format import POINT, Fields, ratios, write_document
from polyinj.certificates.layer import Layer, LayerName
from polyinj.certificates.layer_document import check_length, describe, open_document
from polyinj.certificates.signs import first_not_orthogonal, row_signs, spanning_rows
from polyinj.errors import CertificateError
from polyinj.exact.arrays import Point, integers_of, read_number


@dataclass(frozen=True, slots=True)
class NonspanningPoint:
    """A point in the interior of the domain whose active rows do not span R^n: the layer is not injective.

    Attributes
    ----------
    point : tuple of n Fractions
    direction : tuple of n Fractions or None
        Not zero and orthogonal to the active rows. None: fewer than n rows with nonzero weights are active, which says
        the same.
    layer : LayerName

    Examples
    --------
    >>> from polyinj.certificates.layer import read_layer
    >>> weights = [[1, 0], [0, 1], [-1, -1]]
    >>> found = NonspanningPoint.of(read_layer(weights), [1, -2])
    >>> found.verify(weights)
    Traceback (most recent call last):
    polyinj.errors.CertificateError: 2 rows with nonzero weights are active at the point; expected fewer than 2
    >>> NonspanningPoint.of(read_layer(weights), [1, -0.5]).verify(weights)
    """

    point: Point
    direction: Point | None
    layer: LayerName

    def __post_init__(self) -> None:
        for name in ("point", "direction"):
            given = getattr(self, name)
            if given is None and name == "direction":
                continue
            entries = tuple(read_number(entry, f"{name}[{j}]") for j, entry in enumerate(given))
            object.__setattr__(self, name, entries)
            if len(entries) != self.layer.columns:
                raise CertificateError(f"{name} has {len(entries)} entries; the layer has {self.layer.columns} columns")

    @classmethod
    def of(cls, layer: Layer, point: Sequence[Any], direction: Sequence[Any] | None = None) -> Self:
        """A point of a layer read by `polyinj.certificates.layer.read_layer`; not verified here."""
        return cls(tuple(point), None if direction is None else tuple(direction), LayerName.of(layer))

    @classmethod
    def read(cls, fields: Fields, layer: LayerName) -> Self:
        """The point of a file about a layer."""
        found = cls(fields.point("point", layer.columns), fields.optional_point("direction", layer.columns), layer)
        fields.finish()
        return found

    @property
    def statement(self) -> str:
        """What it proves, once verified: of which layer, with a bias or without, and on which domain."""
        return f"{self.layer.function} is not injective on {self.layer.place}"

    def __repr__(self) -> str:
        shown = f"point = ({join_numbers(self.point, ', ')})"
        if self.direction is not None:
            shown += f"; direction = ({join_numbers(self.direction, ', ')})"
        return f"NonspanningPoint({self.statement}; {shown}; sha256 {self.layer.sha256})"

    def verify(
        self,
        weights: ArrayLike,
        bias: ArrayLike | None = None,
        domain: Domain | None = None,
        *,
        time_limit: float | None = None,
    ) -> None:
        """Check exactly that the point is interior and that the rows active there do not span R^n.

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
            The active rows may span, the point is not interior, the certificate is about another layer or domain, or
            the time ran out.
        InputError
            Unreadable weights or bias, another domain than those, or a time limit that is not positive.
        """
        clock = Clock(time_limit)
        self.check(self.layer.match(weights, bias, domain), clock)

    def check(self, layer: Layer, clock: Clock) -> None:
        """`verify`, of the layer that is named."""
        check_length("the point", self.point, layer)
        if self.layer.domain is not None and not self.layer.domain.surrounds(self.point):
            raise CertificateError(f"the point does not lie in the interior of {self.layer.place}")
        active = (row_signs(layer, self.point, clock) >= 0) & spanning_rows(layer)
        if self.direction is not None:
            self._check_direction(layer, self.direction, active, clock)
        elif (count := int(active.sum())) >= self.layer.columns:
            raise CertificateError(
                f"{count} rows with nonzero weights are active at the point; expected fewer than {self.layer.columns}"
            )

    def _check_direction(self, layer: Layer, direction: Point, active: NDArray[np.bool_], clock: Clock) -> None:
        check_length("the direction", direction, layer)
        if not any(direction):
            raise CertificateError("the direction is zero")
        v, _ = integers_of(direction)
        if (faulty := first_not_orthogonal(layer, active, v, clock)) is not None:
            raise CertificateError(f"row {faulty} is active at the point and not orthogonal to the direction")

    def save(self, path: str | PathLike[str]) -> None:
        """Write JSON, compressed when the name ends in .gz; the file appears whole or not at all."""
        direction = None if self.direction is None else ratios(self.direction)
        write_document(path, POINT, describe(self.layer) | {"point": ratios(self.point), "direction": direction})

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a point; CertificateError when the file is malformed or holds something else."""
        fields, layer = open_document(path)
        fields.expect(POINT)
        return cls.read(fields, layer)
