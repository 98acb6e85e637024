"""Does a network that was read lose information? Layer by layer, and as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.domain import Box
from polyinj.certificates.network_certificate import NetworkCollision, NetworkProof
from polyinj.deep.chain import as_chain
from polyinj.deep.decide import NetworkDecision, decide_network_injectivity
from polyinj.deep.flat_region import find_flat_region
from polyinj.errors import CertificateError, InputError
from polyinj.exact import algebra, arrays
from polyinj.injectivity.decide import decide_injectivity
from polyinj.injectivity.decision import Decision, Verdict
from polyinj.networks.network import Network, NetworkLayer

Point = tuple[Fraction, ...]

_SEARCH_SECONDS = 10.0


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
    assumes_general_position : bool
        As in `polyinj.injectivity.decide.Decision`.
    rank : int or None
        Of a layer without ReLU, which is injective exactly if it is the number of columns; None for fewer rows than
        columns, where no layer is injective.
    decision : Decision or None
        Of a layer with ReLU and at least as many rows as columns, with its certificate: of `ReLU(Wx + b)`, where rows
        without ReLU stand a second time, negated, behind all others.
    """

    layer: NetworkLayer
    nonnegative: int
    verdict: Verdict
    assumes_general_position: bool = False
    rank: int | None = None
    decision: Decision | None = field(default=None, repr=False)

    @property
    def orthant(self) -> bool:
        """Whether it is decided on the nonnegative orthant: all of its inputs stand behind a ReLU."""
        return self.nonnegative == self.layer.shape[1]


@dataclass(frozen=True, slots=True)
class NetworkCheck:
    """What is known of a network.

    Attributes
    ----------
    verdict : Verdict
        Of the map from the inputs, all of R^n, to the outputs.
    reason : str
        What proves the verdict, or why there is none.
    collision : (x, y) or None
        Of NOT_INJECTIVE: two points with the same output, in rationals.
    assumes_general_position : bool
        INJECTIVE rests on a layer that is so if its rows are in general position.
    layers : tuple of LayerCheck
    network : Network
    deep : NetworkDecision or None
        The decision on the network as a whole, with its certificate, where it took one: of
        `network.as_relu_layers()`.
    """

    verdict: Verdict
    reason: str
    collision: tuple[Point, Point] | None
    assumes_general_position: bool
    layers: tuple[LayerCheck, ...]
    network: Network
    deep: NetworkDecision | None = field(default=None, repr=False)

    @property
    def claim(self) -> str:
        """The verdict whole: of which map, where, and under which assumption."""
        return describe_claim(self.network, self.verdict, assumes_general_position=self.assumes_general_position)

    def certificate(self) -> NetworkCollision | NetworkProof | None:
        """The certificate of `network.as_relu_layers()` as a whole, to save.

        None where nothing is decided, and where every layer is proven on its own: then `layers` hold the proofs.
        """
        if self.collision is not None:
            return NetworkCollision.first(as_chain(self.network), *self.collision)
        proof = None if self.deep is None else self.deep.certificate
        return proof if isinstance(proof, NetworkProof) else None

    def verify(self) -> None:
        """Replay the collision, or check the certificates of all layers; CertificateError when that fails."""
        if self.verdict is Verdict.UNDECIDED:
            raise CertificateError("the verdict 'undecided' carries no certificate")
        if self.collision is not None:
            x, y = self.collision
            if x == y or self.network.apply_exactly(x) != self.network.apply_exactly(y):
                raise CertificateError("x and y do not collide")
            return
        if self.deep is not None:
            self.deep.verify()
            return
        for check in self.layers:
            if check.decision is not None:
                check.decision.verify()
            elif _rank(check.layer) < check.layer.shape[1]:
                raise CertificateError(f"the layer {check.layer.name!r} has a rank below its number of columns")


def describe_claim(network: Network, verdict: Verdict, *, assumes_general_position: bool = False) -> str:
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
    return f"{verdict.value} on all of R^{network.widths[0]}{assumed}{where}"


def check_network(
    network: Network,
    *,
    time_limit: float | None = 10.0,
    rank_proof: bool | None = None,
    workers: int = 1,
    seed: int = 0,
) -> NetworkCheck:
    """Decide each layer of a network, and the network.

    The network is injective if every layer is injective on a set that contains the image of the layers before: all
    inputs with x_j >= 0 where the layer before has a ReLU in row j. It is not injective
    if the first layer is not, or if it is not injective on one of its linear regions, which is looked for at random
    points. Where neither settles it, `decide_network_injectivity` takes what really comes out of the layers before.

    Parameters
    ----------
    network : Network
        See `polyinj.read_network`.
    time_limit : float, optional
        Seconds for each layer, for the random points, for the regions of the whole, and for the search for collisions
        that follows where these are too many. None: 10 for that search, and no other limit.
    rank_proof, workers
        See `polyinj.decide_injectivity`.
    seed : int
        Seed of the random points.

    Raises
    ------
    InputError
        Limits that are not positive, a negative seed.

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
    checks: list[LayerCheck] = []
    behind_relu = np.zeros(network.widths[0], dtype=bool)
    for layer in network.layers:
        checks.append(_check_layer(layer, behind_relu, time_limit, rank_proof, workers))
        behind_relu = layer.relu_rows
    return _conclude(network, tuple(checks), seed, time_limit)


def _check_layer(
    layer: NetworkLayer,
    behind_relu: NDArray[np.bool_],
    time_limit: float | None,
    rank_proof: bool | None,
    workers: int,
) -> LayerCheck:
    nonnegative = int(np.count_nonzero(behind_relu))
    if layer.shape[0] < layer.shape[1]:
        # No affine map into fewer dimensions is injective on a set with interior, and ReLU only loses more.
        return LayerCheck(layer, nonnegative, Verdict.NOT_INJECTIVE)
    if not layer.fits_dense:
        return LayerCheck(layer, nonnegative, Verdict.UNDECIDED)
    if layer.activation is None:
        rank = _rank(layer)
        verdict = Verdict.INJECTIVE if rank == layer.shape[1] else Verdict.NOT_INJECTIVE
        return LayerCheck(layer, nonnegative, verdict, rank=rank)
    weights, bias, passed = layer.dense_weights(), layer.bias, ~layer.relu_rows
    decision = decide_injectivity(
        np.concatenate([weights, -weights[passed]]),
        None if bias is None else np.concatenate([bias, -bias[passed]]),
        domain=_behind(behind_relu) if nonnegative else None,
        rank_proof=rank_proof,
        time_limit=time_limit,
        workers=workers,
    )
    return LayerCheck(layer, nonnegative, decision.verdict, decision.assumes_general_position, None, decision)


def _behind(behind_relu: NDArray[np.bool_]) -> Box:
    """All inputs with nonnegative entries behind a ReLU."""
    return Box(tuple(Fraction(0) if side else None for side in behind_relu.tolist()), (None,) * len(behind_relu))


def _rank(layer: NetworkLayer) -> int:
    return algebra.rank(arrays.integer_rows(layer.dense_weights()))


def _conclude(network: Network, checks: tuple[LayerCheck, ...], seed: int, time_limit: float | None) -> NetworkCheck:
    if all(check.verdict is Verdict.INJECTIVE for check in checks):
        assumed = any(check.assumes_general_position for check in checks)
        reason = "every layer is injective on a set that contains the image of the layers before"
        return NetworkCheck(Verdict.INJECTIVE, reason, None, assumed, checks, network)
    first = _first_layer_collision(checks[0])
    if first is not None:
        return NetworkCheck(
            Verdict.NOT_INJECTIVE, "layer 1 maps two points to the same image", first, False, checks, network
        )
    if not all(layer.fits_dense for layer in network.layers):
        reason = "a layer is too large for a search on its linear regions, which takes it as a dense matrix"
        return NetworkCheck(Verdict.UNDECIDED, reason, None, False, checks, network)
    pair = find_flat_region(network, seed=seed, time_limit=time_limit)
    if pair is not None:
        reason = "on a linear region the network has a kernel: two points there have the same output"
        return NetworkCheck(Verdict.NOT_INJECTIVE, reason, pair, False, checks, network)
    seconds = _SEARCH_SECONDS if time_limit is None else time_limit
    deep = decide_network_injectivity(network, time_limit=time_limit, search_seconds=seconds, seed=seed)
    if isinstance(deep.certificate, NetworkCollision):
        pair = deep.certificate.x, deep.certificate.y
        reason = f"layer {deep.certificate.layer} merges two points that come out of the layers before"
    elif deep.verdict is Verdict.INJECTIVE:
        reason = "every layer is injective on the image of the layers before, region by region"
    else:
        known = f"{deep.injective_layers} of {len(checks)} layers are known to be injective together"
        reason = f"the time or the regions ran out: {known}, and no collision was found"
    return NetworkCheck(deep.verdict, reason, pair, False, checks, network, deep)


def _first_layer_collision(check: LayerCheck) -> tuple[Point, Point] | None:
    """Two points that the first layer maps to one; None where none is at hand."""
    if check.decision is not None and check.decision.verdict is Verdict.NOT_INJECTIVE:
        pair = check.decision.collision()
        return pair.x, pair.y
    if check.rank is not None and check.rank < check.layer.shape[1]:
        columns = check.layer.shape[1]
        kernel = algebra.kernel(arrays.integer_rows(check.layer.dense_weights()), columns)[0]
        return (Fraction(0),) * columns, tuple(map(Fraction, kernel))
    return None
