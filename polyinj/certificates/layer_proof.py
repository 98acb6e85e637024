"""An `InjectivityProof`: clauses that hold everywhere, and trees that refute every case. Checked without the finder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.certificates.circuit_check import check_circuits
from polyinj.certificates.clause_table import int32_array, padded
from polyinj.certificates.clock import Clock
from polyinj.certificates.domain import Ball, Cover, Domain
from polyinj.certificates.json_format import PROOF, Fields, ratios, write_document
from polyinj.certificates.layer import Layer, LayerName, System
from polyinj.certificates.layer_document import check_length, describe, open_document
from polyinj.certificates.tree_check import check_blocks, check_count_trees, check_rank_tree
from polyinj.errors import CertificateError, InputError, printable
from polyinj.exact.arrays import Point, read_number

Claim = Literal["depth", "spanning"]


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
            self, "blocks", tuple(tuple(int32_array(block, 1, "a block").tolist()) for block in self.blocks)
        )
        object.__setattr__(self, "circuits", int32_array(self.circuits, 2, "circuits"))
        object.__setattr__(self, "trees", tuple(int32_array(tree, 1, "a tree") for tree in self.trees))
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

    @classmethod
    def read(cls, fields: Fields, layer: LayerName, dimension: int) -> Self:
        """The proof of a file about a layer in N coordinates, or in at most `dimension`; sizes first."""
        claim: Any = fields.text("claim")
        budget = fields.integer("budget")
        blocks, clauses, trees = (fields.lists(key) for key in ("blocks", "circuits", "trees"))
        if claim == "depth":
            check_blocks(blocks, budget, layer.rows)
        if max(map(len, clauses), default=0) > dimension + 1:
            raise CertificateError(
                f"{fields.path}: circuits has a clause of {max(map(len, clauses))} literals; no circuit has more than "
                f"{dimension + 1}, with {dimension} coordinates"
            )
        cuts = fields.points("cuts", layer.columns) if isinstance(layer.domain, Ball) else ()
        parts: Any = (blocks, padded(clauses), trees, cuts)
        proof = cls(layer, claim, budget, *parts)
        if fields.flag("assumes_general_position") != proof.assumes_general_position:
            raise CertificateError(f"{fields.path}: assumes_general_position does not fit the claim {claim!r}")
        fields.finish()
        return proof

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
            Seconds after which the check ends with a CertificateError; by default there is no limit. The
            time is read between clauses and between nodes.

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
        self.check(layer, layer.system(), clock)

    def check(self, layer: Layer, system: System, clock: Clock) -> None:
        """`verify`, of the layer that is named, its homogeneous system at hand."""
        for k, cut in enumerate(self.cuts):
            check_length(f"cut {k}", cut, layer, system)
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
        write_document(path, PROOF, describe(self.layer) | proof)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a proof; CertificateError when the file is malformed or holds something else."""
        fields, layer = open_document(path)
        fields.expect(PROOF)
        return cls.read(fields, layer, layer.columns + 1)

    def __repr__(self) -> str:
        size = f"{len(self.circuits)} circuits, {len(self.trees)} trees of {sum(map(len, self.trees))} entries"
        return f"InjectivityProof({self.statement}; {size}; sha256 {self.layer.sha256})"
