"""What a decision about one layer says: the verdict, its certificate, and what stopped the search if there is none."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum
from fractions import Fraction
from typing import Literal

from polyinj.certificates.layer import Layer, LayerName
from polyinj.certificates.layer_collision import Collision, FloatCollision
from polyinj.certificates.layer_point import NonspanningPoint
from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.certificates.layer_spectral import SpectralProof
from polyinj.errors import CertificateError, InputError
from polyinj.exact.arrays import integers_of
from polyinj.injectivity.collide import collision_at
from polyinj.injectivity.float_collision import float_collision
from polyinj.injectivity.witness import Witness


class Verdict(Enum):
    """What is known; UNDECIDED is never a guess."""

    INJECTIVE = "injective"
    NOT_INJECTIVE = "not injective"
    UNDECIDED = "undecided"


Stop = Literal["node_limit", "time_limit", "memory_limit", "size"]
_ADVICE: dict[Stop, str] = {
    "node_limit": "more nodes are needed: try a larger node_limit, or None",
    "time_limit": "more time is needed: try a larger time_limit, or workers=2 or more",
    "memory_limit": "the circuits and the recorded proof do not fit: try a larger memory_limit, or certificate=False",
    "size": "more than 60 inputs (59 with bias), or large and numerically singular: only witnesses can be found there; "
    "try find_witness",
}


@dataclass(frozen=True, slots=True)
class Stats:
    """What the searches used."""

    nodes: int
    pivots: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one layer x -> ReLU(Wx + b) on its domain.

    Attributes
    ----------
    verdict : Verdict
    certificate : InjectivityProof, SpectralProof, Collision, NonspanningPoint or None
        The proof of the verdict; None when undecided or not asked for. Injective: of tall layers, which are not
        searched, a SpectralProof. Not injective: a collision, or, with more than
        32 inputs, where an exact collision costs more than the verdict, the point alone that proves that there is one.
        `collision()` gives it in either case.
    assumes_general_position : bool
        True when INJECTIVE rests on any n rows being independent: proven is then that at least n rows are active
        everywhere. A verdict without this flag holds for the matrix as it is.
    depth_lower_bound : int
        Proven: at least this many rows with nonzero weights are active everywhere.
    best_witness : Witness or None
        The point with the fewest active rows that was found.
    stats : Stats
    stopped_by : "node_limit", "time_limit", "memory_limit", "size" or None
        Why the verdict is UNDECIDED: the limit that was reached, or a layer beyond the search. None when it is decided.
    """

    verdict: Verdict
    certificate: InjectivityProof | SpectralProof | Collision | NonspanningPoint | None
    assumes_general_position: bool
    depth_lower_bound: int
    best_witness: Witness | None
    stats: Stats
    stopped_by: Stop | None
    layer: Layer = field(repr=False)

    @property
    def statement(self) -> str:
        """The verdict whole: of which layer, with a bias or without, on which domain, and under which assumption."""
        name = LayerName.of(self.layer)
        if self.verdict is Verdict.UNDECIDED:
            return f"{name.function} is injective on {name.place} or not: undecided"
        assumed = " if its rows are in general position" if self.assumes_general_position else ""
        return f"{name.function} is {self.verdict.value} on {name.place}{assumed}"

    def __repr__(self) -> str:
        shown = (item.name for item in fields(self) if item.repr)
        return f"Decision({self.statement}; {', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    @property
    def advice(self) -> str:
        """What stopped the search and what to try, in one line; empty when the verdict is known."""
        return "" if self.stopped_by is None else f"stopped by {self.stopped_by}: {_ADVICE[self.stopped_by]}"

    def collision(self) -> Collision:
        """Two inputs with one image, exactly: the certificate, or made from the point that proves the verdict.

        One system of as many equations as rows are active is solved by p-adic lifting (FLINT): 0.05 s for 100 inputs,
        a second for 256, 10 s for 512, about the third power of their number. A time limit cannot stop it.

        Raises
        ------
        InputError
            The verdict is not NOT_INJECTIVE.

        Examples
        --------
        >>> import numpy as np
        >>> from polyinj import decide_injectivity
        >>> weights = np.random.default_rng(0).standard_normal((80, 40))
        >>> decision = decide_injectivity(weights)
        >>> type(decision.certificate).__name__, type(decision.collision()).__name__
        ('NonspanningPoint', 'Collision')
        """
        if isinstance(self.certificate, Collision):
            return self.certificate
        point, direction = self._witness(), None
        if isinstance(self.certificate, NonspanningPoint) and self.certificate.direction is not None:
            direction, _ = integers_of(self.certificate.direction)
        found = collision_at(self.layer, point, direction)
        assert found is not None, "the active rows were checked not to span"
        return found

    def float_collision(self) -> FloatCollision:
        """Two inputs in doubles that the layer takes to one image but for rounding; far cheaper than `collision`.

        It proves nothing, since doubles round. Where the certificate is a collision, its nearest doubles.

        Raises
        ------
        InputError
            The verdict is not NOT_INJECTIVE.
        """
        if isinstance(self.certificate, Collision):
            return self.certificate.as_float64(self.layer.weights, self.layer.bias)
        return float_collision(self.layer, self._witness())

    def _witness(self) -> tuple[Fraction, ...]:
        if self.verdict is not Verdict.NOT_INJECTIVE:
            raise InputError(f"the verdict is {self.verdict.value!r}; expected 'not injective' for a collision")
        assert self.best_witness is not None, "a verdict comes with its witness"
        return self.best_witness.point

    def verify(self, *, time_limit: float | None = None) -> None:
        """Check in exact arithmetic that the certificate proves the verdict on this layer and its domain.

        Parameters
        ----------
        time_limit : float, optional
            Seconds after which the check ends with a CertificateError; by default there is no limit.

        Raises
        ------
        CertificateError
            The certificate fails, there is none, or the time ran out.
        """
        if self.certificate is None:
            why = f"; {self.advice}" if self.stopped_by else ""
            raise CertificateError(f"the verdict {self.verdict.value!r} carries no certificate{why}")
        self.certificate.verify(self.layer.weights, self.layer.bias, self.layer.domain, time_limit=time_limit)
