"""Is a ReLU network injective, and if not, which layer is the first to lose information?

1. A few regions: the first layer is decided as one layer (injectivity/decide.py): if it fails, the network does. Then
   layer by layer: refine the linear regions (linear_regions.py) and compare all that could have a common image
   (collisions.py). A layer passes when no two points of the domain have the same image behind it.
2. Where there are more: what proves a loss without regions (criteria.py).
3. The same as 1 with all regions that are allowed.
4. Where there are too many regions, or time runs out: search for a collision on planes (plane_search.py).

A ball is decided on polyhedra that contain it, which are cut where a collision lies outside it (ball_cuts.py).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction

from numpy.typing import ArrayLike

from polyinj.certificates.domain import Ball, Box, Cover
from polyinj.certificates.layer_point import NonspanningPoint
from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.certificates.network_certificate import NetworkProof
from polyinj.certificates.network_collision import NetworkCollision
from polyinj.certificates.network_narrowing import NetworkNarrowing
from polyinj.certificates.relu_chain import Biases, ReluChain, read_chain
from polyinj.deep.ball_cuts import cut_off, first_cuts
from polyinj.deep.chain import as_chain, as_network
from polyinj.deep.collisions import Point as Homogeneous
from polyinj.deep.collisions import Verdicts, compare_regions
from polyinj.deep.criteria import look_for_loss
from polyinj.deep.exact_piece import LARGEST_EXACT
from polyinj.deep.linear_regions import OutOfBudget, Regions, expected_cells
from polyinj.deep.plane_search import search_planes
from polyinj.deep.proof_builder import prove
from polyinj.errors import CertificateError, InputError
from polyinj.exact.arrays import Point
from polyinj.injectivity.decide import decide_injectivity
from polyinj.injectivity.decision import Decision, Verdict
from polyinj.networks.network import Network

# Regions and seconds that are spent before criteria are tried.
_FEW, _FIRST_SECONDS = 2000, 1.0
# Inputs beyond which the exact collision of a first layer costs seconds.
MANY_INPUTS = 256
# Entries of a first layer that is looked at alone: larger ones are read for minutes, and proven only by criteria.
_LARGEST_LAYER = 1 << 22
# Columns of a domain with both sides, of which 2^columns vertices are made.
_LARGEST_BOX = 14

Proof = NetworkProof | InjectivityProof | NetworkCollision | NetworkNarrowing


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
    certificate : NetworkProof, InjectivityProof, NetworkCollision, NetworkNarrowing or None
        The proof of the verdict (an InjectivityProof for one layer, a NetworkNarrowing where two points would be
        costly); None when undecided or not asked for.
    first_failing_layer : int or None
        1-based: the layers before are injective on the domain together, and with this one two points merge. None when
        the network is injective or that is not known; what criteria or a search find may lie behind the first failure.
    injective_layers : int
        How many layers from the first on are proven to be injective together.
    stats : NetworkStats
    """

    verdict: Verdict
    certificate: Proof | None
    first_failing_layer: int | None
    injective_layers: int
    stats: NetworkStats
    network: ReluChain = field(repr=False)

    def verify(self) -> None:
        """Check the certificate in exact arithmetic; CertificateError when it fails or there is none."""
        if self.certificate is None:
            raise CertificateError(f"the verdict {self.verdict.value!r} carries no certificate")
        if isinstance(self.certificate, InjectivityProof):
            self.certificate.verify(self.network.weights[0], self.network.biases[0], self.network.domain)
        else:
            self.certificate.verify(self.network)


def decide_network_injectivity(
    weights: Sequence[ArrayLike] | Network,
    biases: Biases | None = None,
    *,
    domain: Box | Ball | None = None,
    certificate: bool = True,
    max_regions: int = 400_000,
    time_limit: float | None = None,
    memory_limit: int = 1 << 32,
    search_seconds: float = 10.0,
    seed: int = 0,
) -> NetworkDecision:
    """Decide exactly whether x -> ReLU(W_L ReLU(... ReLU(W_1 x + b_1) ...) + b_L) is injective.

    Parameters
    ----------
    weights : sequence of array_like, shapes (m_1, n), (m_2, m_1), ..., (m_L, m_(L-1))
        Rows are neurons; float64, float32, int or Fraction, read exactly. A ReLU follows every layer, also the last.
        Or a `polyinj.Network`, without biases beside it: the same as its `as_relu_layers()`, which collide exactly
        where it does.
    biases : sequence of array_like of shape (m_k,), or None
        None, for all layers or for some, is no bias.
    domain : Box or Ball, optional
        Where the inputs lie; by default all of R^n.
    certificate : bool
        Make the proof of INJECTIVE; False saves the time.
    max_regions : int
        Linear regions of some first layers beyond which they are not enumerated.
    time_limit : float, optional
        Seconds, positive, for the regions.
    memory_limit : int
        Bytes, about, that the regions may take.
    search_seconds : float
        Seconds for criteria of a loss, and as many for a search for collisions beyond either limit; 0 for none.
    seed : int
        Seed of the points of both.

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
    >>> decide_network_injectivity([first, second], domain=Box([1, 1], [2, 2])).verdict
    <Verdict.INJECTIVE: 'injective'>
    """
    if max_regions < 1 or (time_limit is not None and not time_limit > 0):
        raise InputError(f"max_regions is {max_regions} and time_limit {time_limit}; expected positive numbers")
    if not memory_limit > 0:
        raise InputError(f"memory_limit is {memory_limit}; expected a positive number of bytes")
    if seed < 0 or not search_seconds >= 0:
        raise InputError(f"seed is {seed} and search_seconds {search_seconds}; expected numbers >= 0")
    deadline = None if time_limit is None else time.monotonic() + time_limit
    chain = read_chain(as_chain(weights) if isinstance(weights, Network) else weights, biases, domain)
    network = weights if isinstance(weights, Network) else as_network(chain)
    run = NetworkRun(chain, certificate, max_regions, deadline, memory_limit)
    return run.decide(search_seconds, seed, network if search_seconds > 0 else None)


class NetworkRun:
    """One decision under way."""

    def __init__(
        self, chain: ReluChain, certificate: bool, max_regions: int, deadline: float | None, memory_limit: int
    ) -> None:
        self.chain, self.certificate, self.max_regions, self.deadline = chain, certificate, max_regions, deadline
        self.memory_limit = memory_limit
        self.started = time.monotonic()
        self.first: Decision | None = None
        self.sizes: list[int] = []
        self.pairs = 0
        self.proven = 0

    def decide(self, search_seconds: float, seed: int, network: Network | None) -> NetworkDecision:
        """Steps 1 to 4; without a network, not 2."""
        chain = self.chain
        expected = expected_cells(chain.widths[1], chain.widths[0], affine=not chain.is_linear)
        small = sum(matrix.size for matrix in chain.weights) <= LARGEST_EXACT
        few = small and expected <= self.max_regions and self._sides() <= _LARGEST_BOX
        if few and expected <= _FEW and network is not None:
            soon = time.monotonic() + _FIRST_SECONDS
            deadline = soon if self.deadline is None else min(soon, self.deadline)
            if (found := self.by_regions(min(_FEW, self.max_regions), deadline)) is not None:
                return found
        if network is not None and (found := self.by_criteria(network, seed, search_seconds)) is not None:
            return found
        if (found := self.by_first_layer(few)) is not None:
            return found
        if few and (found := self.by_regions(self.max_regions, self.deadline)) is not None:
            return found
        if not few and self.first is not None and self.first.verdict is Verdict.INJECTIVE:
            self.proven = max(self.proven, int(not self.first.assumes_general_position))
        return self.search(search_seconds, seed) if small else self.decision(Verdict.UNDECIDED, None)

    def _sides(self) -> int:
        """Columns of the domain with both sides."""
        domain = self.chain.domain
        if isinstance(domain, Box):
            pairs = zip(domain.lower, domain.upper, strict=True)
            return sum(low is not None and high is not None for low, high in pairs)
        return 0 if domain is None or self.chain.is_linear else domain.columns

    def by_criteria(self, network: Network, seed: int, seconds: float) -> NetworkDecision | None:
        domain = self.chain.domain
        assert not isinstance(domain, Cover)
        loss = look_for_loss(network, domain, seed=seed, deadline=time.monotonic() + seconds)
        if loss is None:
            return None
        if loss.pair is not None:
            collision = NetworkCollision.first(self.chain, *loss.pair)
            return self.collide(collision.x, collision.y, collision.layer)
        return self.narrow(loss.layer, loss.point)

    def by_first_layer(self, few: bool) -> NetworkDecision | None:
        """The first layer alone, which may be the whole network."""
        alone, domain = self.chain.depth == 1, self.chain.domain
        assert not isinstance(domain, Cover)
        if self.first is None and self.chain.weights[0].size > _LARGEST_LAYER:
            return None
        if self.first is None:
            limit = None if self.deadline is None else max(self.deadline - time.monotonic(), 1e-3)
            # The regions prove the rank of the first layer when they are enumerated anyway.
            self.first = decide_injectivity(
                self.chain.weights[0],
                self.chain.biases[0],
                domain=domain,
                rank_proof=True if alone else False if few else None,
                time_limit=limit,
            )
        first = self.first
        if first.verdict is Verdict.NOT_INJECTIVE:
            if isinstance(first.certificate, NonspanningPoint) and self.chain.widths[0] > MANY_INPUTS:
                return self.narrow(1, first.certificate.point)
            pair = first.collision()
            return self.collide(pair.x, pair.y, 1)
        if alone and first.verdict is Verdict.INJECTIVE:
            assert isinstance(first.certificate, InjectivityProof)
            self.proven = 1
            return self.decision(Verdict.INJECTIVE, first.certificate if self.certificate else None)
        return None

    def by_regions(self, limit: int, deadline: float | None) -> NetworkDecision | None:
        """Layer by layer; None where there are too many regions, or time or memory run out."""
        if (found := self.by_first_layer(True)) is not None:
            return found
        cuts = first_cuts(self.chain)
        with suppress(OutOfBudget):
            while True:
                covered = self.chain.covered(cuts)
                layer, pair, proof = self.enumerate(covered, limit, deadline)
                if pair is None:
                    return self.decision(Verdict.INJECTIVE, proof)
                if all(map(self.chain.contains, pair)):
                    return self.collide(*pair, layer)
                cuts = cut_off(self.chain, cuts, pair)
        return None

    def enumerate(
        self, chain: ReluChain, limit: int, deadline: float | None
    ) -> tuple[int, tuple[Point, Point] | None, NetworkProof | None]:
        """Through all layers: the last one, and the two points that it merges or else the proof."""
        regions = Regions(
            chain.homogeneous_layers(), affine=not chain.is_linear, sides=chain.sides(), memory_limit=self.memory_limit
        )
        verdicts = Verdicts()
        self.sizes, self.pairs = [], 0
        for layer in range(1, chain.depth + 1):
            regions.refine(limit, deadline)
            self.sizes.append(len(regions.cells))
            verdicts = compare_regions(regions, deadline)
            self.pairs += verdicts.pairs
            if verdicts.collision is not None:
                x, y = verdicts.collision
                return layer, self.inputs(x, y), None
            self.proven = max(self.proven, layer)
        return chain.depth, None, prove(chain, regions, verdicts) if self.certificate else None

    def search(self, seconds: float, seed: int) -> NetworkDecision:
        found = search_planes(self.chain, seed, time.monotonic() + seconds)
        if found is None:
            return self.decision(Verdict.UNDECIDED, None)
        pair, layer = found
        return self.collide(*self.inputs(*pair), layer)

    def inputs(self, x: Homogeneous, y: Homogeneous) -> tuple[Point, Point]:
        """Homogeneous coordinates without t; of a ball around 0, so small that they lie in it."""
        n = self.chain.widths[0]
        scale = Fraction(1)
        if self.chain.is_linear and isinstance(self.chain.domain, Ball):
            while not all(self.chain.contains([scale * entry for entry in point]) for point in (x, y)):
                scale /= 2
        first, second = (tuple(scale * entry for entry in point[:n]) for point in (x, y))
        return first, second

    def narrow(self, layer: int, point: Point | None) -> NetworkDecision:
        narrowing = NetworkNarrowing.of(self.chain, layer, point)
        narrowing.verify(self.chain)
        first = layer if layer == self.proven + 1 else None
        return self.decision(Verdict.NOT_INJECTIVE, narrowing, first)

    def collide(self, x: Point, y: Point, layer: int) -> NetworkDecision:
        collision = NetworkCollision.of(self.chain, x, y, layer)
        collision.verify(self.chain)
        first = layer if layer == self.proven + 1 else None
        return self.decision(Verdict.NOT_INJECTIVE, collision, first)

    def decision(
        self, verdict: Verdict, certificate: Proof | None, first_failing_layer: int | None = None
    ) -> NetworkDecision:
        stats = NetworkStats(tuple(self.sizes), self.pairs, time.monotonic() - self.started)
        return NetworkDecision(verdict, certificate, first_failing_layer, self.proven, stats, self.chain)
