"""A `SpectralProof`: many rows are positive everywhere, since their second moments are round and their sum is small.

*Theorem.* Let R_i and S_k be the rows and sides of the homogeneous form (docs/certificate-format.md), N their length.
Let c_i >= 0 be multipliers of the rows, 0 where w_i = 0, and s_k >= 0 of the sides, and B a matrix of N x N. Put

    y_i = c_i R_i B,   M = sum y_i' y_i,   E = sum y_i - sum s_k S_k B,   a = max |y_i|^2,   e = |E|^2,
    l = min over j of M_jj - sum over the other k of |M_jk|.

If 2 K a < l and a e < (l - 2 K a)^2, then at every admissible z more than K of the rows with c_i > 0 are positive.

*Proof.* M - l is diagonally dominant, hence positive semidefinite; l > 0, so B is regular, and z = B u for some u, of
length 1 after scaling z. The values h_i = y_i.u = c_i R_i z have h_i^2 <= a, and their squares sum to u'M u >= l.
Suppose that at most K of them are positive. The squares of these sum to at most K a, the values to at most K sqrt(a).
Of the others, h_i^2 <= sqrt(a) |h_i|, and

    sum |h_i| over the others = sum of the positive h_i - sum of all h_i <= K sqrt(a) - sum of all h_i.

The sum of all is E.u + sum s_k S_k z >= -sqrt(e), since S_k z > 0 at an admissible z. So the squares of the others sum
to at most sqrt(a) (K sqrt(a) + sqrt(e)), and all squares to at most 2 K a + sqrt(a e), which is less than l: a
contradiction.

For K >= n - 1 and rows in general position that is injectivity, as with a count of an `InjectivityProof`. With y_i of
one length and E = 0 the condition is m > 2 K N, since then a = N l / m: so tall layers, m of order n^2, need no search.
Nothing like it can show that active rows span: the second moments do not see how many rows lie in one hyperplane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from typing import Any, Self

import flint
import numpy as np
from numpy.typing import ArrayLike

from polyinj.certificates.clock import Clock
from polyinj.certificates.domain import Domain
from polyinj.certificates.json_format import SPECTRAL, Fields, ratios, write_document
from polyinj.certificates.layer import Layer, LayerName
from polyinj.certificates.layer_document import check_length, describe, open_document
from polyinj.certificates.signs import spanning_rows
from polyinj.errors import CertificateError, printable
from polyinj.exact.arrays import Point, denominator_of, integers_of, read_number, times

_ROWS_AT_A_TIME = 1024


@dataclass(frozen=True, slots=True)
class SpectralProof:
    """A proof that more than `budget` rows are positive everywhere, by second moments of the rows.

    Attributes
    ----------
    layer : LayerName
    budget : int
        K.
    multipliers : tuple of m Fractions
        c_i, of the rows.
    sides : tuple of Fractions
        s_k, of the sides of the homogeneous form.
    basis : tuple of N tuples of N Fractions
        B, by rows.

    Raises
    ------
    CertificateError
        Parts that do not fit together.
    """

    layer: LayerName
    budget: int
    multipliers: Point
    sides: Point
    basis: tuple[Point, ...]

    def __post_init__(self) -> None:
        for name in ("multipliers", "sides"):
            numbers = tuple(read_number(entry, f"{name}[{j}]") for j, entry in enumerate(getattr(self, name)))
            object.__setattr__(self, name, numbers)
            if min(numbers, default=Fraction(0)) < 0:
                raise CertificateError(f"{name} has a negative entry; expected numbers >= 0")
        rows = (tuple(read_number(entry, f"basis[{k}]") for entry in row) for k, row in enumerate(self.basis))
        object.__setattr__(self, "basis", tuple(rows))
        if self.budget < 0:
            raise CertificateError(f"the budget is {printable(self.budget)}; expected 0 or more")
        if len(self.multipliers) != self.layer.rows:
            raise CertificateError(
                f"there are {len(self.multipliers)} multipliers; the layer has {self.layer.rows} rows"
            )

    @classmethod
    def of(
        cls, layer: Layer, budget: int, multipliers: Sequence[Any], sides: Sequence[Any], basis: Sequence[Sequence[Any]]
    ) -> Self:
        """A proof about a layer read by `polyinj.certificates.layer.read_layer`; not verified here."""
        return cls(LayerName.of(layer), budget, tuple(multipliers), tuple(sides), tuple(map(tuple, basis)))

    @classmethod
    def read(cls, fields: Fields, layer: LayerName) -> Self:
        """The proof of a file about a layer."""
        budget = fields.integer("budget")
        found = cls(
            layer, budget, fields.point("multipliers", layer.rows), fields.point("sides"), fields.points("basis")
        )
        if not fields.flag("assumes_general_position"):
            raise CertificateError(f"{fields.path}: assumes_general_position is false; a count assumes it")
        fields.finish()
        return found

    @property
    def assumes_general_position(self) -> bool:
        """True: "injective" follows only if any n rows are independent."""
        return True

    @property
    def counts_enough(self) -> bool:
        """Whether injectivity follows, by general position: budget >= n - 1."""
        return self.budget >= self.layer.columns - 1

    @property
    def statement(self) -> str:
        """What it proves, once verified: of which layer, with a bias or without, where, and under which assumption."""
        rows = "1 active row" if self.budget == 0 else f"{printable(self.budget + 1)} active rows"
        count = f"{self.layer.function} has at least {rows} everywhere on {self.layer.place}"
        n = self.layer.columns
        if self.counts_enough:
            return f"{count}; injective there if in general position (any {n} rows independent), which is not proved"
        return f"{count}; no proof of injectivity, which needs {n}"

    def __repr__(self) -> str:
        used = sum(entry > 0 for entry in self.multipliers)
        return f"SpectralProof({self.statement}; moments of {used} rows; sha256 {self.layer.sha256})"

    def verify(
        self,
        weights: ArrayLike,
        bias: ArrayLike | None = None,
        domain: Domain | None = None,
        *,
        time_limit: float | None = None,
    ) -> None:
        """Check in integers that everywhere n rows with nonzero weights are active; see `InjectivityProof.verify`.

        Raises
        ------
        CertificateError
            The proof fails, its count is below n, it is about another layer or domain, or the time ran out.
        InputError
            Unreadable weights or bias, another domain than those, or a time limit that is not positive.
        """
        if not self.counts_enough:
            raise CertificateError(
                f"the proof shows {printable(self.budget + 1)} active rows, and injectivity needs "
                f"{printable(self.layer.columns)}; verify_depth checks the count alone"
            )
        self.verify_depth(weights, bias, domain, time_limit=time_limit)

    def verify_depth(
        self,
        weights: ArrayLike,
        bias: ArrayLike | None = None,
        domain: Domain | None = None,
        *,
        time_limit: float | None = None,
    ) -> None:
        """The same for any budget: everywhere more than `budget` rows with nonzero weights are active."""
        clock = Clock(time_limit)
        self.check(self.layer.match(weights, bias, domain), clock)

    def check(self, layer: Layer, clock: Clock) -> None:
        """`verify_depth`, of the layer that is named."""
        dimension = self.layer.columns + (not layer.is_linear)
        sides = unit_sides(layer)
        if len(self.sides) != len(sides):
            raise CertificateError(f"there are {len(self.sides)} multipliers of sides; expected {len(sides)}")
        if len(self.basis) != dimension or any(len(row) != dimension for row in self.basis):
            raise CertificateError(f"the basis has not {dimension} rows of {dimension} entries each")
        check_length("the proof", (*self.multipliers, *self.sides, *(x for row in self.basis for x in row)), layer)
        if any(c and not spans for c, spans in zip(self.multipliers, spanning_rows(layer).tolist(), strict=True)):
            raise CertificateError("a row whose weights are all zero has a multiplier above 0")
        moments, largest, total = _moments(self, layer, sides, clock)
        low = min(2 * abs(moments[j][j]) - sum(map(abs, moments[j])) for j in range(dimension))
        left = low - 2 * self.budget * largest
        if left <= 0 or largest * total >= left**2:
            raise CertificateError(f"the moments of the rows do not show {printable(self.budget + 1)} active rows")

    def save(self, path: str | PathLike[str]) -> None:
        """Write JSON, compressed when the name ends in .gz; the file appears whole or not at all."""
        proof = {
            "assumes_general_position": True,
            "budget": self.budget,
            "multipliers": ratios(self.multipliers),
            "sides": ratios(self.sides),
            "basis": [ratios(row) for row in self.basis],
        }
        write_document(path, SPECTRAL, describe(self.layer) | proof)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a proof; CertificateError when the file is malformed or holds something else."""
        fields, layer = open_document(path)
        fields.expect(SPECTRAL)
        return cls.read(fields, layer)


def unit_sides(layer: Layer) -> list[list[Fraction]]:
    """The sides as the page on the format has them: the entry of the coordinate that a side bounds is 1 or -1."""
    found = []
    for side in layer.sides():
        size = abs(next(entry for entry in side if entry))
        found.append([Fraction(entry, size) for entry in side])
    return found


def _moments(
    proof: SpectralProof, layer: Layer, sides: list[list[Fraction]], clock: Clock
) -> tuple[list[list[int]], int, Fraction]:
    """M, a and e, all times the square of one scale."""
    lifted = layer.lifted()
    c, parts = integers_of(proof.multipliers)
    b, share = integers_of([entry for row in proof.basis for entry in row])
    dimension = lifted.shape[1]
    basis = flint.fmpz_mat(dimension, dimension, b)
    moments = flint.fmpz_mat(dimension, dimension)
    largest, total = 0, [Fraction(0)] * dimension
    places = np.flatnonzero(np.array([entry > 0 for entry in c]))
    down = denominator_of(lifted[places])
    for start in range(0, len(places), _ROWS_AT_A_TIME):
        clock.check()
        some = places[start : start + _ROWS_AT_A_TIME]
        scaled = times(lifted[some], down)
        block = flint.fmpz_mat([[c[i] * x for x in row] for i, row in zip(some.tolist(), scaled, strict=True)]) * basis
        moments += block.transpose() * block
        rows = [[int(entry) for entry in row] for row in block.tolist()]
        largest = max(largest, *(sum(x * x for x in row) for row in rows))
        total = [have + sum(column) for have, column in zip(total, zip(*rows, strict=True), strict=True)]
    for multiplier, side in zip(proof.sides, sides, strict=True):
        if multiplier:
            image = [sum(x * y for x, y in zip(side, column, strict=True)) for column in zip(*proof.basis, strict=True)]
            total = [have - multiplier * parts * share * down * x for have, x in zip(total, image, strict=True)]
    table = [[int(entry) for entry in row] for row in moments.tolist()]
    return table, largest, sum((entry * entry for entry in total), Fraction(0))
