"""A figure of an arrangement in R^3: the sphere, its great circles, and the cells with few positives.

Rows come in as an array; their signs are read off in floating point, as befits a picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt

Floats = NDArray[np.float64]

_PIXELS = 900
_CIRCLE_POINTS = 721


def plot_witness_set(rows: ArrayLike, max_positive: int | None = None, *, axis: ArrayLike | None = None) -> Figure:
    """Draw {x : at most max_positive rows positive} for rows in R^3, on the front and the back of the unit sphere.

    Great circles are the hyperplanes; filled cells have at most max_positive positives, with their number written in
    them where there is room. Both hemispheres are seen from outside (orthographic projection).

    Parameters
    ----------
    rows : array_like, shape (m, 3)
        Floats.
    max_positive : int, optional
        By default 2 = n - 1: the witness set, the directions along which x -> ReLU(Wx) loses information.
    axis : array_like, shape (3,), optional
        The point in the middle of the front; by default one in a cell with the fewest positives.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ValueError
        Rows of another shape.

    Examples
    --------
    >>> import numpy as np
    >>> figure = plot_witness_set(np.random.default_rng(0).standard_normal((12, 3)))
    """
    matrix = np.asarray(rows, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != 3:
        raise ValueError(f"rows has shape {matrix.shape}; expected (m, 3)")
    limit = 2 if max_positive is None else max_positive
    matrix = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), np.finfo(float).tiny)
    frame = _frame(_deepest_point(matrix) if axis is None else np.asarray(axis, dtype=np.float64))
    figure = Figure(figsize=(7.2, 4.35), layout="constrained")
    left, right = figure.subplots(1, 2)
    colours = _colours(limit)
    for axes, turn, title in ((left, frame, "front"), (right, frame * [[-1], [1], [-1]], "back")):
        _draw_hemisphere(axes, matrix, turn, limit, colours)
        axes.set_title(title, fontsize=10)
    handles = [left.fill([], [], color=colours(p), label=f"{p}")[0] for p in range(limit + 1)]
    figure.legend(
        handles=handles,
        title=f"rows positive (of {len(matrix)})",
        loc="outside lower center",
        ncols=min(limit + 1, 10),
        frameon=False,
        fontsize=9,
        title_fontsize=9,
    )
    return figure


def _colours(limit: int) -> ListedColormap:
    return ListedColormap(colormaps["viridis"](np.linspace(0.25, 0.93, limit + 1)))


def _deepest_point(matrix: Floats) -> Floats:
    """A point of the sphere with the fewest positives among many, in the middle of its cell as far as they show it."""
    points = _spiral(20_000)
    positives = (points @ matrix.T > 0).sum(axis=1)
    cell = points[positives == positives.min()]
    middle = cell[np.argmax(np.abs(cell @ matrix.T).min(axis=1))]
    return np.asarray(middle)


def _spiral(count: int) -> Floats:
    """Points spread evenly over the unit sphere."""
    k = np.arange(count) + 0.5
    height, angle = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)


def _frame(axis: Floats) -> Floats:
    """An orthonormal frame, as rows, whose third vector points along the axis and whose basis is right-handed."""
    third = axis / np.linalg.norm(axis)
    helper = np.eye(3)[np.argmin(np.abs(third))]
    first = np.cross(helper, third)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(third, first), third])


def _draw_hemisphere(axes: Axes, matrix: Floats, frame: Floats, limit: int, colours: ListedColormap) -> None:
    side = (np.arange(_PIXELS) + 0.5) / _PIXELS * 2 - 1
    x, y = np.meshgrid(side, side)
    inside = x**2 + y**2 < 1
    points = np.stack([x, y, np.sqrt(np.maximum(1 - x**2 - y**2, 0))], axis=-1) @ frame
    signs = points @ matrix.T > 0
    positives = signs.sum(axis=-1)
    shown = np.ma.masked_where(~inside | (positives > limit), positives)
    norm = BoundaryNorm(np.arange(limit + 2) - 0.5, limit + 1)
    axes.fill(*_unit_circle(), color="0.965", zorder=0)
    axes.imshow(
        shown, cmap=colours, norm=norm, extent=(-1, 1, -1, 1), origin="lower", interpolation="nearest", zorder=1
    )
    for row in matrix:
        _draw_great_circle(axes, frame @ row)
    axes.plot(*_unit_circle(), color="0.15", lw=1, zorder=3)
    _write_numbers(axes, signs, positives, inside & (positives <= limit))
    axes.set(xlim=(-1.03, 1.03), ylim=(-1.03, 1.03), aspect="equal")
    axes.set_axis_off()


def _unit_circle() -> Floats:
    angle = np.linspace(0, 2 * np.pi, _CIRCLE_POINTS)
    return np.stack([np.cos(angle), np.sin(angle)])


def _draw_great_circle(axes: Axes, normal: Floats) -> None:
    """The half in front of the circle orthogonal to a unit vector; a zero row has none."""
    if not normal.any():
        return
    first, second, _ = _frame(normal)
    # Start where the circle comes to the front, so that the half is drawn in one stroke.
    start = np.arctan2(second[2], first[2]) - np.pi / 2
    angle = start + np.linspace(0, np.pi, _CIRCLE_POINTS)
    points = np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * second
    axes.plot(points[:, 0], points[:, 1], color="0.35", lw=0.6, zorder=2)


def _write_numbers(axes: Axes, signs: NDArray[Any], positives: NDArray[Any], shown: NDArray[np.bool_]) -> None:
    """In each shown cell large enough, its number of positives at the pixel farthest from the cell's border."""
    keys = signs @ np.random.default_rng(0).random(signs.shape[-1])
    for key in np.unique(keys[shown]):
        cell = shown & (keys == key)
        i, j, distance = _middle(cell)
        room = distance * 2 / _PIXELS
        if room > 0.02:
            place = ((j + 0.5) / _PIXELS * 2 - 1, (i + 0.5) / _PIXELS * 2 - 1)
            size = 8 if room > 0.035 else 6
            axes.text(*place, f"{positives[i, j]}", ha="center", va="center_baseline", fontsize=size, zorder=4)


def _middle(cell: NDArray[np.bool_]) -> tuple[int, int, float]:
    """The pixel of a region that is farthest from its outside, and how far that is."""
    rows, columns = np.flatnonzero(cell.any(axis=1)), np.flatnonzero(cell.any(axis=0))
    part = np.pad(cell[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)
    distance = distance_transform_edt(part)
    i, j = np.unravel_index(np.argmax(distance), part.shape)
    return int(i) - 1 + int(rows[0]), int(j) - 1 + int(columns[0]), float(distance[i, j])
