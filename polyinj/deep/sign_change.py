"""Where the Jacobian determinant of a network R^n -> R^n changes its sign, two points beside a facet have one image.

Let regions A and B meet in a facet, {h(x) = 0} locally, with determinants of opposite signs. Their maps agree on the
facet, so M_B = M_A + u h', and

    M_A x + a = M_B y + b   iff   y = x - h(x) w,   M_B w = u,

and det M_A / det M_B = 1 - h'w < 0 says that h(y) = h(x) (1 - h'w) has the other sign than h(x): x in A and y in B,
both near the facet, have one image. (A continuous injective map preserves orientation or turns it everywhere.) From
points of either sign bisection leads to such a facet; both points lie on the line through it along w.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from polyinj.certificates.domain import Ball, Box
from polyinj.deep.float_pieces import FloatNetwork, FloatPieces, Floats
from polyinj.deep.probes import SCALES, draw_points

_POINTS, _PAIRS, _HALVINGS = 64, 16, 46
# How small the second singular value of M_B - M_A is, over the first, where one facet lies between.
_RANK_ONE = 1e-9
# Shares of what the regions allow, in turn.
_SHARES = (0.5, 0.1, 0.01)
_STEPS = 60

FloatPair = tuple[Floats, Floats]


def sign_changes(
    network: FloatNetwork, domain: Box | Ball | None, seed: int, deadline: float | None = None
) -> Iterator[FloatPair]:
    """Pairs of points with nearly the same values in a last layer of as many rows as there are inputs."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    for scale in SCALES:
        if deadline is not None and time.monotonic() > deadline:
            return
        points = draw_points(domain, network.inputs, _POINTS, scale, rng)
        signs = _signs(network.pieces(points))
        positive, negative = points[signs > 0], points[signs < 0]
        for p, q in zip(positive[:_PAIRS], negative[:_PAIRS], strict=False):
            if deadline is not None and time.monotonic() > deadline:
                return
            facet = _bisect(network, p, q)
            if facet is not None:
                yield from _beside(network, *facet)


def _signs(pieces: FloatPieces) -> Floats:
    with np.errstate(all="ignore"):
        signs: Floats = np.nan_to_num(np.linalg.slogdet(pieces.slopes)[0])
    return signs


def _bisect(network: FloatNetwork, p: Floats, q: Floats) -> FloatPair | None:
    """Two points, very near each other, of regions whose determinants have opposite signs and that share a facet."""
    sign = _signs(network.pieces(p[None]))[0]
    for _ in range(_HALVINGS):
        pieces = network.pieces(np.stack([p, q]))
        if np.count_nonzero(pieces.patterns[0] != pieces.patterns[1]) == 1:
            return p, q
        middle = (p + q) / 2
        at = _signs(network.pieces(middle[None]))[0]
        if at == 0:
            return None
        p, q = (middle, q) if at == sign else (p, middle)
    # Several neurons may vanish on one facet.
    first, second = network.pieces(np.stack([p, q])).slopes
    sizes = np.linalg.svd(second - first, compute_uv=False)
    return (p, q) if len(sizes) == 1 or sizes[1] <= _RANK_ONE * sizes[0] else None


def _beside(network: FloatNetwork, p: Floats, q: Floats) -> Iterator[FloatPair]:
    """Pairs on the line through the facet between p and q."""
    pieces = network.pieces(np.stack([p, q]))
    first, second = pieces.slopes
    # The facet is where both maps agree on the segment: M_A and M_B differ by u h' there.
    u, sizes, vt = np.linalg.svd(second - first)
    normal = vt[0]
    along = np.linalg.lstsq(second, u[:, 0] * sizes[0])[0]
    facet = _crossing(network, p, q, pieces)
    rate = float(normal @ along)
    if not np.isfinite(along).all() or not rate > 1:
        return
    # x = facet + t along lies on the side of p for t of this sign, and y = x - rate t along.
    towards = 1.0 if float(normal @ (p - q)) > 0 else -1.0
    reach = min(
        _reach(network, facet, towards * along, pieces.patterns[0]),
        _reach(network, facet, -towards * (rate - 1) * along, pieces.patterns[1]),
    )
    for share in _SHARES:
        step = share * reach * towards
        yield facet + step * along, facet - step * (rate - 1) * along


def _crossing(network: FloatNetwork, p: Floats, q: Floats, pieces: FloatPieces) -> Floats:
    """Where on the segment the neuron that tells the two regions apart vanishes."""
    neuron = int(np.flatnonzero(pieces.patterns[0] != pieces.patterns[1])[0])
    at = np.concatenate(network.values(np.stack([p, q])), axis=1)[:, neuron]
    share = at[0] / (at[0] - at[1])
    crossing: Floats = p + share * (q - p)
    return crossing


def _reach(network: FloatNetwork, facet: Floats, direction: Floats, pattern: Floats) -> float:
    """How far along a direction, about, the region with this pattern goes on behind the facet."""
    size = float(np.abs(facet).max()) or 1.0
    top = size / (float(np.abs(direction).max()) or 1.0)
    steps = top * 2.0 ** -np.arange(_STEPS)
    found = network.pieces(facet + steps[:, None] * direction).patterns
    inside = (found == pattern).all(axis=1)
    return float(steps[int(inside.argmax())]) if inside.any() else 0.0
