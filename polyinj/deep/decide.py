"""Is a ReLU network injective, and if not, which layer is the first to lose information?

1. The first layer is decided as one layer (injectivity/decide.py): if it fails, the network does.
2. Layer by layer: refine the linear regions (linear_regions.py) and compare all that could have a common image
   (collisions.py). A layer passes when no two points of R^n have the same image behind it.
3. Where there are too many regions, or time runs out: search for a collision on planes (plane_search.py).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction

from numpy.typing import ArrayLike

from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.certificates.network_certificate import NetworkCollision, NetworkProof
from polyinj.certificates.relu_chain import Biases, ReluChain, read_chain
from polyinj.deep.chain import as_chain
from polyinj.deep.collisions import Point, Verdicts, compare_regions
from polyinj.deep.linear_regions import OutOfBudget, Regions, expected_cells
from polyinj.deep.plane_search import search_planes
from polyinj.deep.proof_builder import prove
from polyinj.errors import CertificateError, InputError
from polyinj.injectivity.decide import decide_injectivity
from polyinj.injectivity.decision import Decision, Verdict
from polyinj.networks.network import Network


@dataclass(frozen=True, slots=True)
class NetworkStats:
    """What the decision used: linear regions behind each layer refined, pairs of regions compared, seconds."""

    regions: tuple[int, ...]
    pairs: int
    seconds: float


@dataclass(frozen=True, slots=True)
class NetworkDecision:
    """The verdict on a network.

    Attributes
    ----------
    verdict : Verdict
    certificate : NetworkProof, InjectivityProof, NetworkCollision or None
        The proof of the verdict (an InjectivityProof for one layer); None when undecided or not asked for.
    first_failing_layer : int or None
        1-based: the layers before are injective on R^n together, and with this one two points merge. None when the
        network is injective or that is not known; a collision found by search may lie behind the first failure.
    injective_layers : int
        How many layers from the first on are proven to be injective together.
    stats : NetworkStats
    """

    verdict: Verdict
    certificate: NetworkProof | InjectivityProof | NetworkCollision | None
    first_failing_layer: int | None
    injective_layers: int
    stats: NetworkStats
    network: ReluChain = field(repr=False)

    def verify(self) -> None:
        """Check the certificate in exact arithmetic; CertificateError when it fails or there is none."""
        if self.certificate is None:
            raise CertificateError(f"the verdict {self.verdict.value!r} carries no certificate")
        if isinstance(self.certificate, InjectivityProof):
            self.certificate.verify(self.network.weights[0], self.network.biases[0])
        else:
            self.certificate.verify(self.network)


def decide_network_injectivity(
    weights: Sequence[ArrayLike] | Network,
    biases: Biases | None = None,
    *,
    certificate: bool = True,
    max_regions: int = 400_000,
    time_limit: float | None = None,
    search_seconds: float = 10.0,
    seed: int = 0,
) -> NetworkDecision:
    """Decide exactly whether x -> ReLU(W_L ReLU(... ReLU(W_1 x + b_1) ...) + b_L) is injective on R^n.

    Parameters
    ----------
    weights : sequence of array_like, shapes (m_1, n), (m_2, m_1), ..., (m_L, m_(L-1))
        Rows are neurons; float64, float32, int or Fraction, read exactly. A ReLU follows every layer, also the last.
        Or a `polyinj.Network`, without biases beside it: the same as its `as_relu_layers()`, which collide exactly
        where it does.
    biases : sequence of array_like of shape (m_k,), or None
        None, for all layers or for some, is no bias.
    certificate : bool
        Make the proof of INJECTIVE; False saves the time.
    max_regions : int
        Linear regions of some first layers beyond which they are not enumerated.
    time_limit : float, optional
        Seconds, positive, for the regions.
    search_seconds : float
        Seconds of a search for collisions that follows beyond either limit; 0 for none.
    seed : int
        Seed of that search.

    Returns
    -------
    NetworkDecision
        UNDECIDED when a limit is reached and no collision was found; `injective_layers` then says what is proven.

    Raises
    ------
    InputError
        Bad input.

    Notes
    -----
    Layer l, behind layers that are injective, fails iff two points x, y of regions A, B have the same set S of positive
    neurons and W_S (M_A x - M_B y) = 0 while M_A x != M_B y. The number of regions grows like (m L)^(n-1).

    Examples
    --------
    >>> first, second = [[1, 0], [0, 1], [-1, 0], [0, -1]], [[0, 1, -1, 1], [1, 1, 1, 1], [1, 2, 1, 0]]
    >>> decision = decide_network_injectivity([first, second])
    >>> decision.verdict, decision.first_failing_layer
    (<Verdict.NOT_INJECTIVE: 'not injective'>, 2)
    >>> decision.verify()
    """
    if max_regions < 1 or (time_limit is not None and not time_limit > 0):
        raise InputError(f"max_regions is {max_regions} and time_limit {time_limit}; expected positive numbers")
    if seed < 0 or not search_seconds >= 0:
        raise InputError(f"seed is {seed} and search_seconds {search_seconds}; expected numbers >= 0")
    deadline = None if time_limit is None else time.monotonic() + time_limit
    chain = read_chain(as_chain(weights) if isinstance(weights, Network) else weights, biases)
    return _Run(chain, certificate, max_regions, deadline).decide(search_seconds, seed)


class _Run:
    """One decision under way."""

    def __init__(self, network: ReluChain, certificate: bool, max_regions: int, deadline: float | None) -> None:
        self.network, self.certificate, self.max_regions, self.deadline = network, certificate, max_regions, deadline
        self.started = time.monotonic()
        self.sizes: list[int] = []
        self.pairs = 0
        self.proven = 0

    def decide(self, search_seconds: float, seed: int) -> NetworkDecision:
        network = self.network
        alone = network.depth == 1
        expected = expected_cells(network.widths[1], network.widths[0], affine=not network.is_linear)
        few = expected <= self.max_regions
        # The regions prove the rank of the first layer when they are enumerated anyway.
        first = self.decide_layer(True if alone else False if few else None)
        if first.verdict is Verdict.NOT_INJECTIVE:
            pair = first.collision()
            return self.collide(pair.x, pair.y, 1)
        if alone and first.verdict is Verdict.INJECTIVE:
            assert isinstance(first.certificate, InjectivityProof)
            self.proven = 1
            return self.decision(Verdict.INJECTIVE, first.certificate if self.certificate else None)
        if few:
            with suppress(OutOfBudget):
                return self.enumerate()
        elif first.verdict is Verdict.INJECTIVE and not first.assumes_general_position:
            self.proven = 1
        return self.search(search_seconds, seed)

    def decide_layer(self, rank_proof: bool | None) -> Decision:
        """The first layer alone."""
        limit = None if self.deadline is None else max(self.deadline - time.monotonic(), 1e-3)
        return decide_injectivity(
            self.network.weights[0],
            self.network.biases[0],
            rank_proof=rank_proof,
            time_limit=limit,
        )

    def enumerate(self) -> NetworkDecision:
        network = self.network
        regions = Regions(network.homogeneous_layers(), affine=not network.is_linear)
        verdicts = Verdicts()
        for layer in range(1, network.depth + 1):
            regions.refine(self.max_regions, self.deadline)
            self.sizes.append(len(regions.cells))
            verdicts = compare_regions(regions, self.deadline)
            self.pairs += verdicts.pairs
            if verdicts.collision is not None:
                x, y = map(self.input, verdicts.collision)
                return self.collide(x, y, layer)
            self.proven = layer
        return self.decision(Verdict.INJECTIVE, prove(network, regions, verdicts) if self.certificate else None)

    def search(self, seconds: float, seed: int) -> NetworkDecision:
        found = search_planes(self.network, seed, time.monotonic() + seconds)
        if found is None:
            return self.decision(Verdict.UNDECIDED, None)
        (x, y), layer = found
        return self.collide(self.input(x), self.input(y), layer)

    def input(self, point: Point) -> tuple[Fraction, ...]:
        """Homogeneous coordinates without t."""
        return tuple(point[: self.network.widths[0]])

    def collide(self, x: tuple[Fraction, ...], y: tuple[Fraction, ...], layer: int) -> NetworkDecision:
        collision = NetworkCollision.of(self.network, x, y, layer)
        collision.verify(self.network)
        first = layer if layer == self.proven + 1 else None
        return self.decision(Verdict.NOT_INJECTIVE, collision, first)

    def decision(
        self,
        verdict: Verdict,
        certificate: NetworkProof | InjectivityProof | NetworkCollision | None,
        first_failing_layer: int | None = None,
    ) -> NetworkDecision:
        stats = NetworkStats(tuple(self.sizes), self.pairs, time.monotonic() - self.started)
        return NetworkDecision(verdict, certificate, first_failing_layer, self.proven, stats, self.network)
