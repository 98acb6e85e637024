"""Bounds of Jacobians that know the signs of some neurons: what branch and bound prunes with.

Neurons are ordered; of those before place j the signs are known, the others (U) may have any: J = Q + sum_U e_i V_i / 2
with Q the Jacobian for s_i = 1/2 on U, V_i = a_i w_i' and e in {-1, 1}^U.

    norms 1, inf: |J| is the largest u.J over vertices u of the dual ball; bound max_u (u.Q + sum_U |u.V_i| / 2)
    norm 2:      |J|^2 <= |Q|^2 + sum_U |Q.V_i| + R_j^2,  R_j = max over e of |sum_U e_i V_i| / 2     (Frobenius)
    norm 2, several outputs, also:     |J| <= |Q| + |A_U| |W_U| / 2                                   (spectral)

The radii R_j come from the same bound, from the last place to the first (Russian doll search, Verfaillie et al. 1996).
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
from numpy.typing import NDArray

from polyinj.lipschitz.jacobians import Jacobians
from polyinj.lipschitz.operator_norm import FractionRows, float_norms

Floats = NDArray[np.float64]

# Vertices of a dual ball that are enumerated; more of them are bounded entry by entry.
_MOST_VERTICES = 1024
_BEAM = 128


class JacobianBounds:
    """Bounds for a fixed order of the neurons.

    Attributes
    ----------
    steps : ndarray, shape (k, outputs n)
        The V_i in that order.
    middles : ndarray, shape (k + 1, outputs n)
        Half the sum of the V_i from each place on.
    """

    def __init__(self, jacobians: Jacobians, order: list[int], norm: float) -> None:
        self._shape, self._norm, self.steps = jacobians.shape, norm, jacobians.steps[order]
        k = len(order)
        self.middles = _suffix_sums(self.steps) / 2
        outputs, n = self._shape
        self._vertices = _dual_vertices(self._shape, norm)
        if norm == 2:
            self._radii = zonotope_radii(self.steps)
            if outputs > 1:
                self._triangles = _spectral_radii(jacobians, order)
        elif self._vertices is not None:
            self._reach = _suffix_sums(np.abs(self.steps @ self._vertices.T)) / 2
        else:
            self._reach = _suffix_sums(np.abs(self.steps)).reshape(k + 1, outputs, n) / 2

    def upper(self, place: int, jacobian: Floats) -> float:
        """Bound of all Jacobians that agree before `place`; `jacobian` is that without the neurons from there on."""
        middle = jacobian + self.middles[place]
        if self._norm != 2:
            if self._vertices is not None:
                return float((self._vertices @ middle + self._reach[place]).max())
            sums = (np.abs(middle.reshape(self._shape)) + self._reach[place]).sum(axis=1 if self._norm > 2 else 0)
            return float(sums.max())
        spread = float(np.abs(self.steps[place:] @ middle).sum()) if place < len(self.steps) else 0.0
        bound = math.sqrt(float(middle @ middle) + spread + self._radii[place] ** 2)
        if self._shape[0] > 1:
            spectral = float(float_norms(middle[None], self._shape, 2)[0])
            bound = min(bound, spectral + self._triangles[place])
        return bound


def _suffix_sums(rows: Floats) -> Floats:
    """Row j is the sum of the rows from j on; one more row, of zeros."""
    sums: Floats = np.concatenate([np.cumsum(rows[::-1], axis=0)[::-1], np.zeros((1, rows.shape[1]))])
    return sums


def _dual_vertices(shape: tuple[int, int], norm: float) -> Floats | None:
    """Matrices u, flattened, whose largest product with J is its norm; None for norm 2, and where they are too many."""
    lines, length = shape if norm == math.inf else shape[::-1]
    if norm == 2 or lines * 2**length > _MOST_VERTICES:
        return None
    signs = np.array(list(product((-1.0, 1.0), repeat=length)))
    vertices = np.zeros((lines, len(signs), lines, length))
    for line in range(lines):
        vertices[line, :, line] = signs
    matrices = vertices.reshape(-1, lines, length)
    if norm == 1:
        matrices = matrices.transpose(0, 2, 1)
    flat: Floats = matrices.reshape(len(matrices), -1)
    return flat


def zonotope_radii(steps: Floats, beam: int = _BEAM) -> Floats:
    """R_j >= max over signs e of |sum_{i >= j} e_i steps[i]| / 2, shape (k + 1,); rounded, nearly tight.

    R_j is the largest bound that a breadth first search over signs leaves open: it ends where nothing is open that
    exceeds the best signs known, or where more than `beam` nodes are.
    """
    k = len(steps)
    radii = np.zeros(k + 1)
    gram = steps @ steps.T
    signs = np.zeros((0,))
    for j in range(k - 1, -1, -1):
        signs = _ascend_signs(gram[j:, j:], np.concatenate([[1.0], signs]))
        known = float(np.sum((signs @ steps[j:]) ** 2)) / 4
        nodes, square = steps[j : j + 1] / 2, math.inf
        for place in range(j + 1, k + 1):
            bounds = (nodes**2).sum(axis=1) + np.abs(nodes @ steps[place:].T).sum(axis=1) + radii[place] ** 2
            square = min(square, max(known, float(bounds.max(initial=known))))
            is_open = bounds > known
            if not is_open.any() or is_open.sum() > beam or place == k:
                break
            nodes = nodes[is_open]
            nodes = np.concatenate([nodes + steps[place] / 2, nodes - steps[place] / 2])
        triangle = radii[j + 1] + math.sqrt(gram[j, j]) / 2
        radii[j] = min(math.sqrt(square), triangle)
    return radii


def _ascend_signs(gram: Floats, signs: Floats) -> Floats:
    """Turn single signs as long as the length of the sum grows."""
    signs = signs.copy()
    for _ in range(4 * len(signs)):
        gain = np.diag(gram) - signs * (gram @ signs)
        best = int(gain.argmax())
        if gain[best] <= 1e-12 * abs(float(np.trace(gram))):
            break
        signs[best] = -signs[best]
    return signs


def _spectral_radii(jacobians: Jacobians, order: list[int]) -> Floats:
    # |a_i| |w_i| is all that matters: the two factors of each product are made unit vectors times the root of that.
    columns, weights = (_unit_vectors([rows[i] for i in order]) for rows in (jacobians.columns, jacobians.weights))
    roots = np.linalg.norm(jacobians.steps[order], axis=1, keepdims=True) ** 0.5
    columns, weights = columns * roots, weights * roots
    radii = [np.linalg.norm(columns[j:], 2) * np.linalg.norm(weights[j:], 2) / 2 for j in range(len(order))]
    return np.array([*radii, 0.0])


def _unit_vectors(rows: FractionRows) -> Floats:
    sizes = [max(map(abs, row)) for row in rows]
    floats = np.array([[float(entry / size) for entry in row] for row, size in zip(rows, sizes, strict=True)])
    unit: Floats = floats / np.linalg.norm(floats, axis=1, keepdims=True)
    return unit
