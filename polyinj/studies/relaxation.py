"""Which relaxations jump, how often and how far, and how tight are they? Random small classifiers, exactly.

Each trial draws a classifier, trains it for a number of steps, picks a direction of `reach` times the length of its
weights, and profiles the certified margin (the lower bound of y f on the box around a data point) along it. All
relaxations see the same classifiers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from polyinj._version import __version__
from polyinj.errors import InputError
from polyinj.fitting.intervals import share_interval
from polyinj.networks.network import Network
from polyinj.relaxation.classifiers import Classifier, ClassifierEnsemble, box_around, read_sample
from polyinj.relaxation.exact_range import exact_range
from polyinj.relaxation.gradient import bound_gradient
from polyinj.relaxation.layer_bounds import AffineLayer
from polyinj.relaxation.network_bounds import bound_network, read_layers
from polyinj.relaxation.profile import relaxation_profile
from polyinj.relaxation.rules import Array, Relaxation
from polyinj.results.table import TableResult
from polyinj.simulation.estimate import Job, Simulation
from polyinj.studies.runner import check_integers, run_study
from polyinj.studies.sensitivity import Contrast, Sensitivity, contrast

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEFAULT = (
    *("box", "hbox", "deepz", "symbolic", "crown", "crown-ibp"),
    *("fixed:0", "fixed:1", "blend:1/2", "ramp:2", "ramp:4", "zonotope:1/2"),
)
RATE = 0.5
_GRADIENTS = 5


@dataclass(frozen=True, slots=True)
class LineStatistic:
    """Statistic of rows of a `ClassifierEnsemble`: what one relaxation does along one line.

    Columns: `jumps` and their sizes `jump_total`, `largest`; `loss_jump`, the largest jump of log(1 + exp(-margin));
    `smooth_total`, the variation between jumps; `bound_width` and `exact_width` of the output on the box at the start;
    `gradient`, the mean norm of the bound's gradient at five points of the line, and `gradient_change`, the mean length
    of the differences from one to the next; `degree`, the highest of a numerator or denominator of the bound along the
    line; `accuracy` on the data.
    """

    relaxation: Relaxation
    widths: tuple[int, ...]
    radius: Fraction
    steps: int
    reach: float

    def __call__(self, matrix: NDArray[Any]) -> dict[str, float]:
        fresh, direction, points, labels = read_sample(matrix, self.widths)
        start = fresh.trained(points, labels, self.steps, RATE)
        length = self.reach * float(np.linalg.norm(start.flat()) / np.linalg.norm(direction))
        end = Classifier.of(start.flat() + length * direction, self.widths)
        first, last = (classifier.network(float(labels[0])) for classifier in (start, end))
        lower, upper = box_around(points[0], self.radius)
        profile = relaxation_profile(first, last, lower, upper, self.relaxation)
        bounds = bound_network(first, lower, upper, self.relaxation)
        exact = exact_range(first, lower, upper)
        gradients = self._gradients(first, last, lower, upper)
        sides = [(jump.left, jump.right if jump.right != jump.left else jump.value) for jump in profile.jumps]
        return {
            "jumps": len(profile.jumps),
            "jump_total": profile.jump_total,
            "largest": max((jump.size for jump in profile.jumps), default=0.0),
            "loss_jump": max((abs(_loss(a) - _loss(b)) for a, b in sides), default=0.0),
            "smooth_total": profile.smooth_total(),
            "bound_width": float(bounds.upper[0] - bounds.lower[0]),
            "exact_width": float(exact.upper[0] - exact.lower[0]),
            "gradient": float(np.linalg.norm(gradients, axis=1).mean()),
            "gradient_change": float(np.linalg.norm(np.diff(gradients, axis=0), axis=1).mean()),
            "degree": max(max(p.numerator.degree(), p.denominator.degree()) for p in profile.pieces),
            "accuracy": float((first.apply(points)[:, 0] * labels * labels[0] > 0).mean()),
        }

    def _gradients(self, first: Network, last: Network, lower: Array, upper: Array) -> NDArray[np.float64]:
        pairs = list(zip(read_layers(first, exact=False), read_layers(last, exact=False), strict=True))
        rows = []
        for t in np.linspace(0, 1, _GRADIENTS):
            layers = [
                AffineLayer((1 - t) * a.weights + t * b.weights, (1 - t) * a.bias + t * b.bias, a.relu)
                for a, b in pairs
            ]
            rows.append(bound_gradient(layers, lower, upper, self.relaxation)[1])
        return np.array(rows)


def _loss(margin: float) -> float:
    return math.log1p(math.exp(-abs(margin))) + max(-margin, 0.0)


@dataclass(frozen=True, slots=True)
class RelaxationRow:
    """One relaxation on `lines` random lines of one kind.

    Attributes
    ----------
    relaxation, width, depth, radius, steps
        The rule, the hidden widths and layers, the box, the steps of training.
    lines, jumping : int
        Lines, and how many of them have a jump; p_low, p_high bound its probability (Clopper-Pearson, 95 %).
    jumps : float
        Mean number on a line.
    largest, loss_jump : float
        Means over lines of the largest jump, in widths of the exact range, and of that of the loss.
    jump_share : float
        Sizes of jumps over the whole variation of the bound.
    tightness : float
        Mean width of the exact range over mean width of the bounds: at most 1.
    gradient, gradient_change : float
        Mean norm of the gradient in all weights, and its mean change over a quarter of the line, over that norm.
    degree : float
        Mean over lines of the highest degree of the bound, a rational function of t between events.
    accuracy : float
        Share of the data that the classifiers get right.
    """

    relaxation: str
    width: int
    depth: int
    radius: float
    steps: int
    lines: int
    jumping: int
    p_low: float
    p_high: float
    jumps: float
    largest: float
    loss_jump: float
    jump_share: float
    tightness: float
    gradient: float
    gradient_change: float
    degree: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class RelaxationStudy(TableResult):
    """Result of `study_relaxations`: a row for each relaxation and kind of line; all on the same classifiers.

    `sensitivities` has the gradient's change on every single line; files written before it was kept have none.
    """

    NAME: ClassVar[str] = "relaxations"
    KIND: ClassVar[str] = "relaxation study"
    TABLES: ClassVar[Mapping[str, type]] = {"rows": RelaxationRow, "sensitivities": Sensitivity}

    rows: tuple[RelaxationRow, ...]
    sensitivities: tuple[Sensitivity, ...]
    reach: float
    seed: int
    version: str

    def __repr__(self) -> str:
        names, widths = (sorted({getattr(row, name) for row in self.rows}) for name in ("relaxation", "width"))
        return f"RelaxationStudy({len(names)} relaxations, widths {widths}, {len(self.rows)} rows; seed={self.seed})"

    def sensitivity_contrast(self, first: str, second: str, steps: int) -> Contrast:
        """How much more the gradient changes under one relaxation than under another, with a 95 % interval.

        Raises
        ------
        InputError
            A name or a number of steps that was not studied, or too few lines.
        """
        return contrast(self.sensitivities, first, second, steps)

    @classmethod
    def _of_document(cls, data: dict[str, Any]) -> RelaxationStudy:
        return super(RelaxationStudy, cls)._of_document({"sensitivities": [], **data})

    def plot(self) -> Figure:
        """Tightness against jumps and sensitivity, a marker a relaxation, as a matplotlib figure."""
        from polyinj.plots.relaxation import plot_relaxation_study

        return plot_relaxation_study(self)


def study_relaxations(
    relaxations: Sequence[str | Relaxation] = DEFAULT,
    *,
    inputs: int = 2,
    widths: Sequence[int] = (4, 6),
    depths: Sequence[int] = (1, 2),
    radii: Sequence[float] = (0.1, 0.3),
    steps: Sequence[int] = (0, 50),
    lines: int,
    reach: float = 0.5,
    seed: int | None,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: bool = True,
) -> RelaxationStudy:
    """Profile the certified margin of random classifiers along random lines of weights, by each relaxation.

    Parameters
    ----------
    relaxations : sequence of str or Relaxation
    inputs : int
        Of the classifiers; the exact range takes few.
    widths, depths : sequences of int
        Neurons of a hidden layer, and how many such layers. A line takes some 0.02 s at (4, 1), 0.2 s at (8, 2).
    radii : sequence of float
        Of the boxes, positive.
    steps : sequence of int
        Steps of gradient descent before the line starts.
    lines : int
        For each kind, at least 1.
    reach : float
        Length of a line over the length of the weights, positive.
    seed : int or None
        Same seed, same table, whatever the workers; None draws one and stores it.
    workers : int, optional
        Processes on this machine; by default one a core.
    executor : concurrent.futures.Executor, optional
        Runs the lines instead.
    progress : bool
        Show a progress bar on stderr.

    Raises
    ------
    InputError
        An empty or invalid list, lines < 1, a negative seed.

    Examples
    --------
    >>> study = study_relaxations(
    ...     ["box", "crown"], widths=[4], depths=[1], radii=[0.2], steps=[0], lines=6, seed=0, workers=1, progress=False
    ... )
    >>> study
    RelaxationStudy(2 relaxations, widths [4], 2 rows; seed=0)
    >>> [row.jumping for row in study.rows if row.relaxation == "box"]
    [0]
    """
    rules = [Relaxation.parse(text) for text in relaxations]
    _check(rules, widths, depths, radii, steps, reach)
    kinds = [
        (ClassifierEnsemble(inputs, width, depth), radius, count)
        for width in widths
        for depth in depths
        for radius in radii
        for count in steps
    ]
    design = {
        (rule, *kind): Job(kind[0], LineStatistic(rule, kind[0].widths, Fraction(str(kind[1])), kind[2], reach), lines)
        for kind in kinds
        for rule in rules
    }
    seed, found = run_study(design, seed=seed, workers=workers, executor=executor, progress=progress)
    rows = tuple(_row(*label, simulation) for label, simulation in found.items())
    lines_seen = tuple(one for label, simulation in found.items() for one in _sensitivities(*label, simulation))
    return RelaxationStudy(rows, lines_seen, reach, seed, __version__)


def _check(
    rules: Sequence[Relaxation],
    widths: Sequence[int],
    depths: Sequence[int],
    radii: Sequence[float],
    steps: Sequence[int],
    reach: float,
) -> None:
    for name, values, least in (("widths", widths, 1), ("depths", depths, 1), ("steps", steps, 0)):
        check_integers(name, values, least)
    if not (rules and len(radii)):
        raise InputError("relaxations or radii is empty; expected at least one value of each")
    for size in (*radii, reach):
        if not (math.isfinite(size) and size > 0):
            raise InputError(f"a radius or reach is {size}; expected finite numbers > 0")


def _row(
    rule: Relaxation, ensemble: ClassifierEnsemble, radius: float, steps: int, simulation: Simulation
) -> RelaxationRow:
    lines = len(simulation.values)
    mean = {name: float(simulation.column(name).mean()) for name in simulation.columns}
    jumping = int((simulation.column("jumps") > 0).sum())
    share = share_interval(jumping, lines)
    return RelaxationRow(
        relaxation=str(rule),
        width=ensemble.width,
        depth=ensemble.depth,
        radius=float(radius),
        steps=int(steps),
        lines=lines,
        jumping=jumping,
        p_low=share.low,
        p_high=share.high,
        jumps=mean["jumps"],
        largest=_ratio(mean["largest"], mean["exact_width"]),
        loss_jump=mean["loss_jump"],
        jump_share=_ratio(mean["jump_total"], mean["jump_total"] + mean["smooth_total"]),
        tightness=_ratio(mean["exact_width"], mean["bound_width"]),
        gradient=mean["gradient"],
        gradient_change=_ratio(mean["gradient_change"], mean["gradient"]),
        degree=mean["degree"],
        accuracy=mean["accuracy"],
    )


def _sensitivities(
    rule: Relaxation, ensemble: ClassifierEnsemble, radius: float, steps: int, simulation: Simulation
) -> list[Sensitivity]:
    pairs = zip(simulation.column("gradient_change").tolist(), simulation.column("gradient").tolist(), strict=True)
    return [
        Sensitivity(str(rule), ensemble.width, ensemble.depth, float(radius), int(steps), line, _ratio(*pair))
        for line, pair in enumerate(pairs)
    ]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
