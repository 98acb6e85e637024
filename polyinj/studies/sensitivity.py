"""How much more does the gradient of one relaxation's bound turn than that of another? Paired, with an interval."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from polyinj.errors import InputError


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What a line did to the gradient of the bound by one relaxation.

    Attributes
    ----------
    relaxation, width, depth, radius, steps
        As in `RelaxationRow`.
    line : int
        Number of the line; one number is one classifier and direction for all relaxations, radii and steps.
    change : float
        Mean change of the gradient in all weights over a quarter of the line, over its mean norm; nan where that is 0.
    """

    relaxation: str
    width: int
    depth: int
    radius: float
    steps: int
    line: int
    change: float


@dataclass(frozen=True, slots=True)
class Contrast:
    """Mean difference of two paired quantities over `classifiers`, and its 95 % interval (Student)."""

    difference: float
    low: float
    high: float
    classifiers: int


def contrast(sensitivities: Iterable[Sensitivity], first: str, second: str, steps: int) -> Contrast:
    """The change of the gradient under one relaxation less that under another, on the same classifiers.

    Lines in boxes of several radii share a classifier: their mean is one observation. Classifiers of one width and
    depth are independent with one law, and every such shape weighs the same.

    Raises
    ------
    InputError
        Nothing to compare, or a single line of some shape.
    """
    known: dict[str, dict[tuple[int, int, int], list[float]]] = {first: {}, second: {}}
    for one in sensitivities:
        if one.steps == steps and one.relaxation in known:
            known[one.relaxation].setdefault((one.width, one.depth, one.line), []).append(one.change)
    shapes: dict[tuple[int, int], list[float]] = {}
    for key in sorted(known[first].keys() & known[second].keys()):
        difference = float(np.mean(known[first][key]) - np.mean(known[second][key]))
        if math.isfinite(difference):
            shapes.setdefault(key[:2], []).append(difference)
    counts = [len(values) for values in shapes.values()]
    if not counts or min(counts) < 2:
        raise InputError(
            f"{first} and {second} share {sum(counts)} classifiers after {steps} steps; expected two or more of each "
            "shape: try more lines"
        )
    mean = float(np.mean([np.mean(values) for values in shapes.values()]))
    variance = sum(float(np.var(values, ddof=1)) / len(values) for values in shapes.values()) / len(shapes) ** 2
    half = float(student.ppf(0.975, sum(counts) - len(counts))) * math.sqrt(variance)
    return Contrast(mean, mean - half, mean + half, sum(counts))
