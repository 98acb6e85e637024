"""Certificates of a verdict on one layer: a `Collision`, or an `InjectivityProof`. Checked without the finder.

The files that they save are specified in docs/certificate-format.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf, lcm, log10
from os import PathLike
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.certificates.circuit_check import check_circuits
from polyinj.certificates.clock import Clock
from polyinj.certificates.domain import Ball, Cover, Domain, Point, join_numbers
from polyinj.certificates.json_format import (
    COLLISION,
    PROOF,
    Fields,
    domain_document,
    integers,
    padded,
    ratios,
    read_document,
    write_document,
)
from polyinj.certificates.layer import Layer, LayerName, System, longest_bits
from polyinj.certificates.tree_check import check_blocks, check_count_trees, check_rank_tree
from polyinj.errors import CertificateError, InputError, printable
from polyinj.exact.algebra import product
from polyinj.exact.arrays import read_number

Claim = Literal["depth", "spanning"]


@dataclass(frozen=True, slots=True, eq=False)
class FloatCollision:
    """A collision rounded to doubles.

    Attributes
    ----------
    x, y : ndarray of float64, shape (n,)
        The doubles nearest to the two points; infinite beyond the range of doubles.
    distance : float
        Euclidean distance of x and y.
    image_difference : float
        Largest absolute difference between entries of the two images, computed in float64.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    distance: float
    image_difference: float


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
        layer = self.layer.match(weights, bias, domain)
        self._check(layer, layer.system(), clock)

    def _check(self, layer: Layer, system: System, clock: Clock) -> None:
        _check_length("x and y", (*self.x, *self.y), layer, system)
        if self.x == self.y:
            raise CertificateError("x and y are the same point")
        if layer.domain is not None and not (layer.domain.contains(self.x) and layer.domain.contains(self.y)):
            raise CertificateError(f"x or y lies outside {self.layer.place}")
        clock.check()
        # In integers: both points times one denominator, each row times a positive number.
        denominator = lcm(*(entry.denominator for entry in (*self.x, *self.y)))
        tail = [] if layer.is_linear else [denominator]
        x, y = ([int(entry * denominator) for entry in point] + tail for point in (self.x, self.y))
        for i, row in enumerate(system.rows):
            clock.check()
            of_x, of_y = product([row], x)[0], product([row], y)[0]
            if max(of_x, 0) != max(of_y, 0):
                raise CertificateError(f"the images of x and y differ in row {i}")

    def as_float64(self, weights: ArrayLike, bias: ArrayLike | None = None) -> FloatCollision:
        """The collision as float64 code sees it: nearest doubles, their distance, the difference of their images."""
        layer = self.layer.match(weights, bias, self.layer.domain)
        matrix = _doubles(layer.weights)
        shift = 0.0 if layer.bias is None else _doubles(layer.bias)
        x, y = (_doubles(np.array(point, dtype=object)) for point in (self.x, self.y))
        with np.errstate(all="ignore"):
            images = [np.maximum(matrix @ point + shift, 0.0) for point in (x, y)]
            return FloatCollision(x, y, float(np.linalg.norm(x - y)), float(np.abs(images[0] - images[1]).max()))

    def save(self, path: str | PathLike[str]) -> None:
        """Write JSON, compressed when the name ends in .gz; the file appears whole or not at all."""
        write_document(path, COLLISION, _describe(self.layer) | {"x": ratios(self.x), "y": ratios(self.y)})

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a collision; CertificateError when the file is malformed or holds something else."""
        certificate = load_certificate(path)
        if not isinstance(certificate, cls):
            raise CertificateError(f"{printable(str(path))} holds another kind of certificate: {certificate!r}")
        return certificate


@dataclass(frozen=True, slots=True, eq=False)
class InjectivityProof:
    """A proof that a layer is injective: clauses that hold everywhere, and trees that refute every case.

    Attributes
    ----------
    layer : LayerName
    claim : "depth" or "spanning"
        What the trees prove. "spanning": at every point of the domain's interior the active rows span R^n; the layer is
        injective. "depth": at every such point more than `budget` rows with nonzero weights are active; with
        budget >= n - 1 the layer is injective if its rows are in general position (any n independent).
    budget : int
        The number of active rows that is exceeded everywhere; n - 1 when the claim is "spanning".
    blocks : tuple of tuples of int
        The rows that are counted, in the blocks of the cycle lemma; none when the claim is "spanning".
    circuits : ndarray of int32, shape (k, width)
        Literals of each clause, padded by zeros.
    trees : tuple of ndarray of int32
        One a block, or one alone when the claim is "spanning".
    cuts : tuple of tuples of Fraction
        Of a ball as domain: vectors d, none shorter than the radius. The ball lies in each half-space
        d.(x - centre) <= d.d, and these are the sides that clauses name. Empty for other domains.

    Raises
    ------
    CertificateError
        Parts that do not fit together.
    """

    layer: LayerName
    claim: Claim
    budget: int
    blocks: tuple[tuple[int, ...], ...]
    circuits: NDArray[np.int32]
    trees: tuple[NDArray[np.int32], ...]
    cuts: tuple[Point, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "blocks", tuple(tuple(integers(block, 1, "a block").tolist()) for block in self.blocks)
        )
        object.__setattr__(self, "circuits", integers(self.circuits, 2, "circuits"))
        object.__setattr__(self, "trees", tuple(integers(tree, 1, "a tree") for tree in self.trees))
        cuts = (tuple(read_number(entry, f"cuts[{k}]") for entry in cut) for k, cut in enumerate(self.cuts))
        object.__setattr__(self, "cuts", tuple(cuts))
        if self.cuts and not isinstance(self.layer.domain, Ball):
            raise CertificateError(f"there are {len(self.cuts)} cuts and the domain is {self.layer.place}, no ball")
        if self.claim not in ("depth", "spanning"):
            raise CertificateError(f'the claim is {printable(self.claim)!r}; expected "depth" or "spanning"')
        if self.budget < 0:
            raise CertificateError(f"the budget is {printable(self.budget)}; expected 0 or more")
        if self.claim == "spanning" and (self.blocks or self.budget != self.layer.columns - 1):
            raise CertificateError(
                f"a spanning proof has budget {printable(self.budget)} and {len(self.blocks)} blocks; "
                f"expected {printable(self.layer.columns - 1)} and none"
            )

    @classmethod
    def of(
        cls,
        layer: Layer,
        *,
        claim: Claim,
        budget: int,
        blocks: Sequence[Sequence[int]],
        circuits: ArrayLike,
        trees: Sequence[ArrayLike],
    ) -> Self:
        """A proof about a layer read by `read_layer`, or about a ball that is covered by cuts; not verified here."""
        parts: Any = (blocks, circuits, trees, layer.domain.cuts if isinstance(layer.domain, Cover) else ())
        return cls(LayerName.of(layer), claim, budget, *parts)

    @property
    def assumes_general_position(self) -> bool:
        """Whether "injective" follows only if any n rows are independent: so for the claim "depth"."""
        return self.claim == "depth"

    @property
    def counts_enough(self) -> bool:
        """Whether at least n rows are shown to be active: a count of fewer says nothing of injectivity."""
        return self.budget >= self.layer.columns - 1

    @property
    def statement(self) -> str:
        """What it proves, once verified: of which layer, with a bias or without, where, and under which assumption."""
        layer, n = self.layer, self.layer.columns
        if self.claim == "spanning":
            return f"{layer.function} is injective on {layer.place}"
        rows = "1 active row" if self.budget == 0 else f"{printable(self.budget + 1)} active rows"
        count = f"{layer.function} has at least {rows} everywhere on {layer.place}"
        if self.counts_enough:
            return f"{count}; injective there if in general position (any {n} rows independent), which is not proved"
        return f"{count}; no proof of injectivity, which needs {n}"

    def verify(
        self,
        weights: ArrayLike,
        bias: ArrayLike | None = None,
        domain: Domain | None = None,
        *,
        time_limit: float | None = None,
    ) -> None:
        """Check the proof in exact arithmetic; see `assumes_general_position` for what then follows.

        Parameters
        ----------
        weights : array_like, shape (m, n)
        bias : array_like, shape (m,), optional
        domain : Box or Ball, optional
            Which domain the certificate has to be about; all of R^n when None.
        time_limit : float, optional
            Seconds after which the check ends with a CertificateError; by default there is no limit. It is looked at
            between clauses and between nodes.

        Raises
        ------
        CertificateError
            The proof has a fault, is about another layer or domain, or counts fewer than n active rows; or the time
            ran out.
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
        """Check in exact arithmetic that everywhere more than `budget` rows with nonzero weights are active.

        The same as `verify`, for any budget: so the proof of a lower bound on the Tukey depth is checked.
        """
        clock = Clock(time_limit)
        layer = self.layer.match(weights, bias, domain)
        self._check(layer, layer.system(), clock)

    def _check(self, layer: Layer, system: System, clock: Clock) -> None:
        for k, cut in enumerate(self.cuts):
            _check_length(f"cut {k}", cut, layer, system)
        try:
            system = layer.covered(self.cuts).system() if self.cuts else system
        except InputError as error:
            raise CertificateError(str(error)) from None
        if self.claim == "spanning":
            check_circuits(system, self.circuits, clock)
            check_rank_tree(system, self.circuits, self.trees, clock)
        else:
            check_blocks(self.blocks, self.budget, len(system.rows))
            check_circuits(system, self.circuits, clock)
            check_count_trees(system, self.budget, self.blocks, self.circuits, self.trees, clock)

    def save(self, path: str | PathLike[str]) -> None:
        """Write JSON, compressed when the name ends in .gz; the file appears whole or not at all."""
        proof = {
            "claim": self.claim,
            "assumes_general_position": self.assumes_general_position,
            "budget": self.budget,
            "blocks": self.blocks,
            "circuits": [[literal for literal in clause if literal] for clause in self.circuits.tolist()],
            "trees": [tree.tolist() for tree in self.trees],
        }
        if isinstance(self.layer.domain, Ball):
            proof["cuts"] = [ratios(cut) for cut in self.cuts]
        write_document(path, PROOF, _describe(self.layer) | proof)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a proof; CertificateError when the file is malformed or holds something else."""
        certificate = load_certificate(path)
        if not isinstance(certificate, cls):
            raise CertificateError(f"{printable(str(path))} holds another kind of certificate: {certificate!r}")
        return certificate

    def __repr__(self) -> str:
        size = f"{len(self.circuits)} circuits, {len(self.trees)} trees of {sum(map(len, self.trees))} entries"
        return f"InjectivityProof({self.statement}; {size}; sha256 {self.layer.sha256})"


def _doubles(values: NDArray[Any]) -> NDArray[np.float64]:
    return values if values.dtype == np.float64 else np.vectorize(_double, otypes=[np.float64])(values)


def _double(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf


def _check_length(name: str, numbers: Point, layer: Layer, system: System) -> None:
    longest, allowed = longest_bits(numbers), layer.largest_bits(system)
    if longest > allowed:
        raise CertificateError(f"{name} has a number of {longest} bits; allowed are {allowed} for this layer")


def load_certificate(path: str | PathLike[str]) -> Collision | InjectivityProof:
    """Read a certificate of either kind; `verify_certificate` reads one and verifies it.

    Parameters
    ----------
    path : path-like
        A .json or .json.gz file written by `Collision.save` or `InjectivityProof.save`.

    Raises
    ------
    CertificateError
        The file is malformed; the message names the field.
    OSError
        The file cannot be read.
    """
    fields, name = _open(path)
    return _build(fields, name, name.columns + 1)


def verify_certificate(
    path: str | PathLike[str],
    weights: ArrayLike,
    bias: ArrayLike | None = None,
    domain: Domain | None = None,
    *,
    time_limit: float | None = None,
) -> Collision | InjectivityProof:
    """Read a certificate and verify what it states. One of another layer or domain is refused before it is read on.

    Parameters
    ----------
    path : path-like
        As in `load_certificate`.
    weights, bias, domain
        The layer that it has to be about; domain None is all of R^n.
    time_limit : float, optional
        Seconds for the check; by default there is no limit.

    Returns
    -------
    Collision or InjectivityProof
        Its `statement` says what is proved. That may be a count of active rows that is no proof of injectivity.

    Raises
    ------
    CertificateError
        The file is malformed, wrong, or about another layer or domain, or the time ran out.
    InputError
        Unreadable weights, bias or domain, or a time limit that is not positive.
    OSError
        The file cannot be read.
    """
    clock = Clock(time_limit)
    fields, name = _open(path)
    layer = name.match(weights, bias, domain)
    system = layer.system()
    fields.largest = min(fields.largest, int(layer.largest_bits(system) * log10(2)) + 1)
    certificate = _build(fields, name, system.dimension)
    certificate._check(layer, system, clock)
    return certificate


def _open(path: str | PathLike[str]) -> tuple[Fields, LayerName]:
    """The fields of a file, and the layer that it speaks of."""
    fields = read_document(path)
    if fields.kind not in (COLLISION, PROOF):
        raise CertificateError(f"{fields.path} is a {fields.kind}; load_network_certificate reads it")
    rows, columns = fields.integer("rows"), fields.integer("columns")
    return fields, LayerName(
        fields.text("sha256"), rows, columns, fields.flag("bias"), fields.domain("domain", columns)
    )


def _build(fields: Fields, name: LayerName, dimension: int) -> Collision | InjectivityProof:
    """The certificate of a file about a layer in N coordinates, or at most so many; sizes first."""
    certificate: Collision | InjectivityProof
    if fields.kind == COLLISION:
        certificate = Collision(fields.point("x", name.columns), fields.point("y", name.columns), name)
        fields.finish()
        return certificate
    claim: Any = fields.text("claim")
    budget = fields.integer("budget")
    blocks, clauses, trees = (fields.lists(key) for key in ("blocks", "circuits", "trees"))
    if claim == "depth":
        check_blocks(blocks, budget, name.rows)
    if max(map(len, clauses), default=0) > dimension + 1:
        raise CertificateError(
            f"{fields.path}: circuits has a clause of {max(map(len, clauses))} literals; no circuit has more than "
            f"{dimension + 1}, with {dimension} coordinates"
        )
    cuts = fields.points("cuts", name.columns) if isinstance(name.domain, Ball) else ()
    parts: Any = (blocks, padded(clauses), trees, cuts)
    certificate = InjectivityProof(name, claim, budget, *parts)
    if fields.flag("assumes_general_position") != certificate.assumes_general_position:
        raise CertificateError(f"{fields.path}: assumes_general_position does not fit the claim {claim!r}")
    fields.finish()
    return certificate


def _describe(layer: LayerName) -> dict[str, object]:
    return {
        "sha256": layer.sha256,
        "rows": layer.rows,
        "columns": layer.columns,
        "bias": layer.biased,
        "domain": domain_document(layer.domain),
    }
