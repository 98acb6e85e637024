"""Does a network that was read lose information? Layer by layer, and as a whole."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from polyinj.certificates.domain import Ball, Box, describe_domain
from polyinj.certificates.layer import read_domain
from polyinj.certificates.layer_point import NonspanningPoint
from polyinj.certificates.network_certificate import NetworkCertificate, NetworkProof
from polyinj.certificates.network_collision import NetworkCollision
from polyinj.certificates.network_narrowing import NetworkNarrowing
from polyinj.deep.chain import as_chain
from polyinj.deep.criteria import Loss, find_narrow_layer, look_for_loss
from polyinj.deep.decide import MANY_INPUTS, NetworkDecision, NetworkRun
from polyinj.deep.exact_piece import exact_images, exact_layers
from polyinj.deep.flat_region import FlatPoint, pair_beside
from polyinj.deep.layer_check import LayerCheck, check_layer
from polyinj.errors import CertificateError, InputError
from polyinj.exact.arrays import Point
from polyinj.injectivity.decision import Verdict
from polyinj.networks.network import Network

_SEARCH_SECONDS = 10.0
# Entries of a first layer that is decided before the criteria are tried.
_LARGE = 1 << 18
# Where the verdict is known already: seconds for each further layer, and entries beyond which none is looked at.
_KNOWN_SECONDS, _KNOWN_ENTRIES = 1.0, 1 << 18
# Columns beyond which no layer is proven injective, and entries of the first and of other layers of so many columns
# beyond which it is not looked at: criteria find what a large first one loses, and others decide nothing.
_COLUMNS, _FIRST_ENTRIES, _OTHER_ENTRIES = 60, 1 << 22, 1 << 16
_MAX_REGIONS, _MEMORY = 400_000, 1 << 32


@dataclass(frozen=True, slots=True)
class NetworkCheck:
    """What is known of a network.

    Attributes
    ----------
    verdict : Verdict
        Of the map from the inputs, all of the domain, to the outputs.
    reason : str
        What proves the verdict, or why there is none.
    collision : (x, y) or None
        Of NOT_INJECTIVE: two points with the same output, in rationals; None where they would be costly, or where
        doubles lead to none. Then `narrowing` is the proof, or the width of a layer where others are too large for
        dense matrices.
    assumes_general_position : bool
        INJECTIVE rests on a layer that is so if its rows are in general position.
    layers : tuple of LayerCheck
    network : Network
    deep : NetworkDecision or None
        The decision on the network as a whole, with its certificate, where it took one: of
        `network.as_relu_layers()`.
    narrowing : NetworkNarrowing or None
        A layer whose rows cannot tell the inputs apart, where that is the proof: of the same network.
    domain : Box, Ball or None
        Where the inputs lie; None is all of R^n.
    """

    verdict: Verdict
    reason: str
    collision: tuple[Point, Point] | None
    assumes_general_position: bool
    layers: tuple[LayerCheck, ...]
    network: Network
    deep: NetworkDecision | None = field(default=None, repr=False)
    narrowing: NetworkNarrowing | None = field(default=None, repr=False)
    domain: Box | Ball | None = None

    @property
    def claim(self) -> str:
        """The verdict whole: of which map, where, and under which assumption."""
        return describe_claim(
            self.network, self.verdict, self.domain, assumes_general_position=self.assumes_general_position
        )

    def certificate(self) -> NetworkCertificate | None:
        """The certificate of `network.as_relu_layers()` as a whole, to save.

        None where nothing is decided, and where every layer is proven on its own: then `layers` hold the proofs.
        """
        if self.collision is not None:
            return NetworkCollision.first(as_chain(self.network, self.domain), *self.collision)
        if self.narrowing is not None:
            return self.narrowing
        proof = None if self.deep is None else self.deep.certificate
        return proof if isinstance(proof, NetworkProof) else None

    def verify(self) -> None:
        """Replay the collision, or check the certificates; CertificateError when that fails."""
        if self.verdict is Verdict.UNDECIDED:
            raise CertificateError("the verdict 'undecided' carries no certificate")
        if self.collision is not None:
            _replay(self.network, self.domain, self.collision)
        elif self.narrowing is not None:
            self.narrowing.verify(as_chain(self.network, self.domain))
        elif self.verdict is Verdict.NOT_INJECTIVE:
            if find_narrow_layer(self.network) is None:
                raise CertificateError("no layer has a rank below the number of inputs")
        elif self.deep is not None:
            self.deep.verify()
        else:
            for check in self.layers:
                check.verify()


def _replay(network: Network, domain: Box | Ball | None, pair: tuple[Point, Point]) -> None:
    x, y = pair
    if domain is not None and not (domain.contains(x) and domain.contains(y)):
        raise CertificateError(f"x or y lies outside the domain, {describe_domain(domain, len(x))}")
    of_x, of_y = exact_images(exact_layers(network), pair)
    if x == y or of_x != of_y:
        raise CertificateError("x and y do not collide")


def describe_claim(
    network: Network,
    verdict: Verdict,
    domain: Box | Ball | None = None,
    *,
    assumes_general_position: bool = False,
) -> str:
    """What is claimed of a network, in one line: the verdict, the domain, an assumption, and layers that were rounded.

    Examples
    --------
    >>> import numpy as np
    >>> from polyinj.networks.network import NetworkLayer
    >>> layer = NetworkLayer(np.array([[1.0], [-1.0]]), None, "relu", "1", "batch norm folded in float64")
    >>> describe_claim(Network((layer,), "by hand"), Verdict.INJECTIVE)
    'injective on all of R^1, as rounded in layer 1 (batch norm folded in float64)'
    """
    assumed = ", if the rows are in general position" if assumes_general_position else ""
    rounded = [f"layer {k} ({layer.rounding})" for k, layer in enumerate(network.layers, start=1) if layer.rounding]
    where = f", as rounded in {', '.join(rounded)}" if rounded else ""
    place = describe_domain(domain, network.widths[0])
    return f"{verdict.value} on {'all of ' if domain is None else ''}{place}{assumed}{where}"


def check_network(
    network: Network,
    *,
    domain: Box | Ball | None = None,
    time_limit: float | None = 30.0,
    rank_proof: bool | None = None,
    workers: int = 1,
    seed: int = 0,
) -> NetworkCheck:
    """Decide each layer of a network, and the network.

    The network is injective if every layer is injective on a set that contains the image of the layers before: all
    inputs with x_j >= 0 where the layer before has a ReLU in row j. It is not injective if the first layer is not, or
    by one of the criteria of `polyinj.deep.criteria`: a layer with fewer rows than inputs, a linear region with a
    kernel, a Jacobian determinant of both signs, regions whose images meet. Where neither settles it,
    `decide_network_injectivity` takes what really comes out of the layers before.

    Parameters
    ----------
    network : Network
        See `polyinj.read_network`.
    domain : Box or Ball, optional
        Where the inputs lie; by default all of R^n.
    time_limit : float, optional
        Seconds, positive, for all of it, about: half of them at most for single layers. A step of exact arithmetic is
        not interrupted, but none is begun that would take much longer. None: 10 for criteria and searches, and no other
        limit.
    rank_proof, workers
        See `polyinj.decide_injectivity`.
    seed : int
        Seed of the random points.

    Raises
    ------
    InputError
        Limits that are not positive, a negative seed, a domain of another dimension.

    Examples
    --------
    >>> import numpy as np
    >>> from polyinj.networks.network import Network, NetworkLayer
    >>> split = NetworkLayer(np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]]), None, "relu")
    >>> join = NetworkLayer(np.array([[1.0, 0, -1, 0], [0, 1, 0, -1]]), None, None)
    >>> check = check_network(Network((split, join), "by hand"))
    >>> [layer.verdict.value for layer in check.layers], check.verdict.value
    (['injective', 'not injective'], 'injective')
    >>> check.verify()
    """
    if seed < 0 or (time_limit is not None and not time_limit > 0):
        raise InputError(f"seed is {seed} and time_limit {time_limit}; expected seed >= 0 and time_limit > 0 or None")
    return _Check(network, read_domain(domain, network.widths[0]), time_limit, rank_proof, workers, seed).run()


class _Check:
    """One check under way."""

    def __init__(
        self,
        network: Network,
        domain: Box | Ball | None,
        time_limit: float | None,
        rank_proof: bool | None,
        workers: int,
        seed: int,
    ) -> None:
        self.network, self.domain, self.seed = network, domain, seed
        self.rank_proof, self.workers = rank_proof, workers
        self.deadline = None if time_limit is None else time.monotonic() + time_limit
        self.fits_dense = all(layer.fits_dense for layer in network.layers)
        self.for_layers = None if time_limit is None else time.monotonic() + time_limit / 2

    def run(self) -> NetworkCheck:
        rows, columns = self.network.layers[0].shape
        first, loss = None, None
        if rows * columns <= _LARGE:
            first = self.layer(0, find_narrow_layer(self.network) is not None)
            loss = self.first_layer_loss(first)
        if loss is None:
            loss = look_for_loss(self.network, self.domain, seed=self.seed, deadline=self.soon())
        if first is None:
            first = self.layer(0, loss is not None)
            loss = self.first_layer_loss(first) if loss is None else loss
        if loss is not None and loss.point is not None and not self.fits_dense:
            loss = None
        count = len(self.network.layers)
        checks = (first, *(self.layer(index, loss is not None) for index in range(1, count)))
        if loss is not None:
            return self.lose(loss, checks)
        if all(check.verdict is Verdict.INJECTIVE for check in checks):
            assumed = any(check.assumes_general_position for check in checks)
            reason = "every layer is injective on a set that contains the image of the layers before"
            return self.result(Verdict.INJECTIVE, reason, checks, assumed=assumed)
        if not self.fits_dense:
            reason = "a layer is too large for a search on its linear regions, which takes it as a dense matrix"
            return self.result(Verdict.UNDECIDED, reason, checks)
        return self.as_a_whole(checks)

    def soon(self) -> float:
        """When criteria end: after half of what is left."""
        now = time.monotonic()
        return now + (_SEARCH_SECONDS if self.deadline is None else max(0.0, (self.deadline - now) / 2))

    def layer(self, index: int, known: bool) -> LayerCheck:
        """One layer alone; `known`: the verdict on the network does not depend on it."""
        layer = self.network.layers[index]
        behind = None if index == 0 else self.network.layers[index - 1].relu_rows
        domain = self.domain if index == 0 else None
        rows, columns = layer.shape
        entries = rows * columns
        beyond = columns > _COLUMNS and entries > (_OTHER_ENTRIES if index else _FIRST_ENTRIES)
        if rows >= columns and (beyond or (known and entries > _KNOWN_ENTRIES)):
            nonnegative = 0 if behind is None else int(np.count_nonzero(behind))
            return LayerCheck(layer, nonnegative, Verdict.UNDECIDED, domain=domain)
        limit = None
        if self.for_layers is not None:
            left = len(self.network.layers) - index
            limit = max((self.for_layers - time.monotonic()) / left, 1e-3)
        if known:
            limit = _KNOWN_SECONDS if limit is None else min(limit, _KNOWN_SECONDS)
        return check_layer(layer, behind, domain, time_limit=limit, rank_proof=self.rank_proof, workers=self.workers)

    def first_layer_loss(self, check: LayerCheck) -> Loss | None:
        """Two points that the first layer maps to one; None where none is at hand."""
        pair = None
        columns = check.layer.shape[1]
        if check.decision is not None and check.decision.verdict is Verdict.NOT_INJECTIVE:
            found = check.decision.certificate
            if isinstance(found, NonspanningPoint) and columns > MANY_INPUTS:
                return Loss("layer 1 has too few active rows at a point", None, 1, found.point)
            collision = check.decision.collision()
            pair = collision.x, collision.y
        elif check.rank is not None and check.rank < columns:
            point = [Fraction(0)] * columns if self.domain is None else self.domain.interior_point()
            pair = pair_beside(self.network, FlatPoint(point, 1, check.rank, None), self.domain)
        return None if pair is None else Loss("layer 1 maps two points to the same image", pair, 1)

    def lose(self, loss: Loss, checks: tuple[LayerCheck, ...]) -> NetworkCheck:
        narrowing = None
        if loss.pair is None and self.fits_dense:
            chain = as_chain(self.network, self.domain)
            narrowing = NetworkNarrowing.of(chain, loss.layer, loss.point)
            narrowing.verify(chain)
        return self.result(Verdict.NOT_INJECTIVE, loss.reason, checks, pair=loss.pair, narrowing=narrowing)

    def as_a_whole(self, checks: tuple[LayerCheck, ...]) -> NetworkCheck:
        """By the linear regions, and by a search where these are too many."""
        now = time.monotonic()
        left = None if self.deadline is None else max(self.deadline - now, 1e-3)
        run = NetworkRun(
            as_chain(self.network, self.domain),
            certificate=True,
            max_regions=_MAX_REGIONS,
            deadline=None if left is None else now + left / 2,
            memory_limit=_MEMORY,
        )
        seconds = _SEARCH_SECONDS if left is None else left / 2
        deep = run.decide(seconds, self.seed, None)
        pair, narrowing = None, None
        if isinstance(deep.certificate, NetworkNarrowing):
            narrowing = deep.certificate
            reason = f"layer {narrowing.layer} has too few active rows at a point"
        elif isinstance(deep.certificate, NetworkCollision):
            pair = deep.certificate.x, deep.certificate.y
            reason = f"layer {deep.certificate.layer} merges two points that come out of the layers before"
        elif deep.verdict is Verdict.INJECTIVE:
            reason = "every layer is injective on the image of the layers before, region by region"
        else:
            known = f"{deep.injective_layers} of {len(checks)} layers are known to be injective together"
            reason = f"the time or the regions ran out: {known}, and no collision was found"
        return self.result(deep.verdict, reason, checks, pair=pair, deep=deep, narrowing=narrowing)

    def result(
        self,
        verdict: Verdict,
        reason: str,
        checks: tuple[LayerCheck, ...],
        *,
        pair: tuple[Point, Point] | None = None,
        assumed: bool = False,
        deep: NetworkDecision | None = None,
        narrowing: NetworkNarrowing | None = None,
    ) -> NetworkCheck:
        return NetworkCheck(verdict, reason, pair, assumed, checks, self.network, deep, narrowing, self.domain)
