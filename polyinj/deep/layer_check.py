"""One layer of a network on its own, on a set that contains whatever the layers before can produce."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.domain import Ball, Box
from polyinj.deep.criteria import rank_of
from polyinj.errors import CertificateError
from polyinj.injectivity.decide import decide_injectivity
from polyinj.injectivity.decision import Decision, Verdict
from polyinj.networks.network import NetworkLayer


@dataclass(frozen=True, slots=True)
class LayerCheck:
    """What is known of one layer on its own.

    Attributes
    ----------
    layer : NetworkLayer
    nonnegative : int
        How many of its inputs stand behind a ReLU. It is decided on all inputs with these >= 0, a set that contains
        whatever the layers before can produce, so INJECTIVE holds in the network; NOT_INJECTIVE need not.
    verdict : Verdict
        UNDECIDED also where it was not looked at: what is known of the network does not depend on it, and it is large.
    assumes_general_position : bool
        As in `polyinj.injectivity.decide.Decision`.
    rank : int or None
        Of a layer without ReLU, which is injective exactly if it is the number of columns; None for fewer rows than
        columns, where no layer is injective.
    decision : Decision or None
        Of a layer with ReLU and at least as many rows as columns, with its certificate: of `ReLU(Wx + b)`, where rows
        without ReLU stand a second time, negated, behind all others.
    domain : Box, Ball or None
        Of the first layer: where the inputs of the network lie.
    """

    layer: NetworkLayer
    nonnegative: int
    verdict: Verdict
    assumes_general_position: bool = False
    rank: int | None = None
    decision: Decision | None = field(default=None, repr=False)
    domain: Box | Ball | None = None

    @property
    def orthant(self) -> bool:
        """Whether it is decided on the nonnegative orthant: all of its inputs stand behind a ReLU."""
        return self.nonnegative == self.layer.shape[1]

    def verify(self) -> None:
        """Check what proves INJECTIVE; CertificateError when that fails."""
        if self.decision is not None:
            self.decision.verify()
        elif rank_of(self.layer) < self.layer.shape[1]:
            raise CertificateError(f"the layer {self.layer.name!r} has a rank below its number of columns")


def check_layer(
    layer: NetworkLayer,
    behind_relu: NDArray[np.bool_] | None,
    domain: Box | Ball | None,
    *,
    time_limit: float | None,
    rank_proof: bool | None,
    workers: int,
) -> LayerCheck:
    """Decide a layer: the first one, with None for what is behind a ReLU, on the domain, others on all that arrives."""
    nonnegative = 0 if behind_relu is None else int(np.count_nonzero(behind_relu))
    if layer.shape[0] < layer.shape[1]:
        # No affine map into fewer dimensions is injective on a set with interior, and ReLU only loses more.
        return LayerCheck(layer, nonnegative, Verdict.NOT_INJECTIVE, domain=domain)
    if not layer.fits_dense:
        return LayerCheck(layer, nonnegative, Verdict.UNDECIDED, domain=domain)
    if layer.activation is None:
        rank = rank_of(layer)
        verdict = Verdict.INJECTIVE if rank == layer.shape[1] else Verdict.NOT_INJECTIVE
        return LayerCheck(layer, nonnegative, verdict, rank=rank, domain=domain)
    weights, bias, passed = layer.dense_weights(), layer.bias, ~layer.relu_rows
    decision = decide_injectivity(
        np.concatenate([weights, -weights[passed]]),
        None if bias is None else np.concatenate([bias, -bias[passed]]),
        domain=_behind(behind_relu) if behind_relu is not None and nonnegative else domain,
        rank_proof=rank_proof,
        time_limit=time_limit,
        workers=workers,
    )
    assumed = decision.assumes_general_position
    return LayerCheck(layer, nonnegative, decision.verdict, assumed, None, decision, domain)


def _behind(behind_relu: NDArray[np.bool_]) -> Box:
    """All inputs with nonnegative entries behind a ReLU."""
    return Box(tuple(Fraction(0) if side else None for side in behind_relu.tolist()), (None,) * len(behind_relu))
