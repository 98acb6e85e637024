"""Branch and bound over the signs of neurons, the largest bound first.

    open = {no sign known}
    repeat: take the node with the largest bound; give the next neuron (by decreasing |a_i w_i'|) either sign
            a child is dropped if its bound is no more than the best norm known, or if no point of the open domain has
            its signs (`CellFinder`, proven); with all signs known it is a cell, and its Jacobian is exact

The point that showed a node to exist shows one child to exist; only the other one is looked for. Every cell is below an
open node, below a dropped one, or offered to the incumbent, so the largest open bound is an upper bound at any time.
Bounds are taken in floats and raised by `Jacobians.margin`.
"""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyinj.lipschitz.incumbent import Incumbent
from polyinj.lipschitz.jacobian_bounds import JacobianBounds

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SearchEnd:
    """`upper`: largest bound left open, in units of the scale; None if all is searched. `stopped_by`: a limit or ""."""

    nodes: int
    upper: float | None
    stopped_by: str


def search_signs(incumbent: Incumbent, *, gap: float, node_limit: int | None, time_limit: float | None) -> SearchEnd:
    """Search until nothing is open, the upper bound is within (1 + gap) of the best, or a limit is reached."""
    jacobians, finder = incumbent.jacobians, incumbent.finder
    order = np.argsort(-(jacobians.steps**2).sum(axis=1), kind="stable").tolist()
    bounds = JacobianBounds(jacobians, order, incumbent.norm)
    margin, k = jacobians.margin, len(order)
    deadline = None if time_limit is None else time.monotonic() + time_limit
    root, start = jacobians.base_floats, finder.find([], [])
    heap: list[tuple[float, int, tuple[int, ...], Floats, Floats | None]] = []
    if start is not None:
        heap.append((-bounds.upper(0, root) - margin, 0, (), root, start.point))
    nodes = made = 0
    while heap:
        bound, _, signs, jacobian, point = heapq.heappop(heap)
        if -bound <= incumbent.floor:
            break
        within_gap = -bound <= (1 + gap) * incumbent.floor
        if stopped_by := "gap" if within_gap else _limit_reached(nodes, node_limit, deadline):
            return SearchEnd(nodes, -bound, stopped_by)
        nodes += 1
        place = len(signs)
        if place == k:
            _offer_cell(incumbent, order, signs, point)
            continue
        neuron = order[place]
        inherited = 0 if point is None else finder.sign(neuron, point)
        for sign in (1, -1):
            child = jacobian + bounds.steps[place] if sign > 0 else jacobian
            # A child's bound holds for its parent's cells too: it is no more than the parent's.
            upper = min(bounds.upper(place + 1, child) + margin, -bound)
            if upper <= incumbent.floor:
                continue
            signed = (*signs, sign)
            at = point
            if sign != inherited:
                found = finder.find(order[: place + 1], signed)
                if found is None:
                    continue
                at = found.point
            made += 1
            heapq.heappush(heap, (-upper, -made, signed, child, at))
    return SearchEnd(nodes, None, "")


def _limit_reached(nodes: int, node_limit: int | None, deadline: float | None) -> str:
    if node_limit is not None and nodes >= node_limit:
        return "node_limit"
    return "time_limit" if deadline is not None and time.monotonic() > deadline else ""


def _offer_cell(incumbent: Incumbent, order: list[int], signs: tuple[int, ...], point: Floats | None) -> None:
    """Offer the cell with these signs of the neurons in order, where its norm is more than that of the best."""
    active = [False] * len(order)
    for neuron, sign in zip(order, signs, strict=True):
        active[neuron] = sign > 0
    if incumbent.best is None or incumbent.value(active).exceeds(incumbent.best):
        incumbent.offer(active, incumbent.finder.witness(order, signs, point))
