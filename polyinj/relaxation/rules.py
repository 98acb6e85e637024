"""Rules that relax one ReLU on [l, u], l < 0 < u: what each claims, how tight, where it jumps.

A stable neuron needs no rule: l >= 0 passes the ReLU unchanged, u <= 0 becomes 0. An unstable one is enclosed by a
rule, from its bounds l, u alone. `zonotope` relaxations carry {c + G e + r f : |e|, |f| <= 1}, of which the part r (the
box part) forgets where it came from; there ReLU(x) in s x + [0, max(-s l, (1-s) u)] for every slope s in [0, 1].
`backward` ones substitute the linear bounds s x <= ReLU(x) <= u (x - l) / (u - l) from the last layer down to the
input. With the chord s = u / (u - l) both are the same bound (Salman et al. 2019, arXiv:1902.08722). `forward` ones
carry for each neuron a linear form of the input below it and one above.

| name | form | slope of an unstable neuron | jumps in the weights where |
|---|---|---|---|
| box | box | ReLU([l, u]) = [0, u]; also IBP (Gowal et al. 2018) | never |
| hbox | zonotope | s = 0, the interval [0, u] goes into the box part (Mirman et al. 2018) | l = 0 |
| deepz | zonotope | s = u / (u - l), one new error term (Singh et al. 2018) | never |
| zonotope:s | zonotope | a fixed s in [0, 1], one new error term | l = 0 unless s = 1, u = 0 unless s = 0 |
| crown | backward | lower 0 if u < -l else 1 (Zhang et al. 2018; DeepPoly, Singh et al. 2019) | u = -l |
| fixed:s | backward | lower s in [0, 1] | l = 0 unless s = 1, u = 0 unless s = 0 |
| blend:t | backward | lower (1 - t) crown + t u / (u - l) | u = -l unless t = 1 |
| ramp:k | backward | lower (1 + k (u + l) / (u - l)) / 2, cut to [0, 1] | never for k >= 1, else l = 0, u = 0 |
| crown-ibp | backward | as crown, the bounds l, u of hidden layers from box (Zhang et al. 2020) | u = -l |
| symbolic | forward | lower 0; upper form kept if it is >= 0 on the box, else u (Wang et al. 2018) | l = 0, ... |
| crown-forward | forward | lower and upper as crown, multiplied onto the forms (auto_LiRPA's forward bounds) | u = -l |
| RULE+box | its own | l, u of each layer also within the interval image of the layer before's | where RULE jumps |

symbolic also jumps where the minimum of an upper form is 0. ramp:1 is the chord, and as k grows ramp:k tends to
crown: a family between deepz and crown that never jumps. A rule named RULE+box, such as crown+box, decides by and
returns the tighter of its own bound and the interval bound, in every layer; so it is never looser than box.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError

Array = NDArray[Any]
Form = Literal["box", "zonotope", "backward", "forward"]
_FORMS: dict[str, Form] = {
    "box": "box",
    "hbox": "zonotope",
    "deepz": "zonotope",
    "zonotope": "zonotope",
    "crown": "backward",
    "crown-ibp": "backward",
    "fixed": "backward",
    "blend": "backward",
    "ramp": "backward",
    "symbolic": "forward",
    "crown-forward": "forward",
}
# The largest parameter of a family; None: no limit.
_LIMITS: dict[str, Fraction | None] = {
    "zonotope": Fraction(1),
    "fixed": Fraction(1),
    "blend": Fraction(1),
    "ramp": None,
}
_LARGEST = Fraction(np.finfo(np.float64).max)
STANDARD = ("box", "hbox", "deepz", "symbolic", "crown-forward", "crown", "crown-ibp", "crown+box")
_MEET = "+box"


@dataclass(frozen=True, slots=True)
class Relaxation:
    """One of the relaxations in the table of this module.

    Attributes
    ----------
    rule : str
        box, hbox, deepz, zonotope, crown, crown-ibp, fixed, blend, ramp, symbolic or crown-forward.
    parameter : Fraction or None
        Of a family: zonotope, fixed, blend in [0, 1], ramp >= 0.
    meets_box : bool
        Whether the bounds of each layer are met with interval bounds: the ending +box.

    Raises
    ------
    InputError
        Another rule; a parameter that is missing, out of range or not asked for.

    Examples
    --------
    >>> Relaxation.parse("ramp:1.5")
    Relaxation('ramp:3/2')
    >>> Relaxation.parse("crown+box").form, Relaxation.parse("crown+box").meets_box
    ('backward', True)
    """

    rule: str
    parameter: Fraction | None = None
    meets_box: bool = False

    def __post_init__(self) -> None:
        if self.rule not in _FORMS:
            raise InputError(f"relaxation is {self.rule!r}; expected one of {', '.join(_FORMS)}")
        family = self.rule in _LIMITS
        if family != (self.parameter is not None):
            hint = f"a parameter, such as {self.rule}:1/2" if family else "no parameter"
            raise InputError(f"relaxation is {str(self)!r}; {self.rule} takes {hint}")
        if self.parameter is not None:
            limit = _LIMITS[self.rule]
            if self.parameter < 0 or (limit is not None and self.parameter > limit):
                allowed = ">= 0" if limit is None else "in [0, 1]"
                raise InputError(f"the parameter of {self} is out of range; {self.rule} takes one {allowed}")
        if self.meets_box and self.rule == "box":
            raise InputError("relaxation is 'box+box'; box has interval bounds already, expected another rule")

    @classmethod
    def parse(cls, text: str | Relaxation) -> Relaxation:
        """The relaxation of a text: `rule`, or `rule:parameter` with a decimal or a ratio; `+box` may end both."""
        if isinstance(text, Relaxation):
            return text
        name = text.strip()
        rule, colon, number = name.removesuffix(_MEET).partition(":")
        try:
            parameter = Fraction(number) if colon else None
        except (ValueError, ZeroDivisionError):
            raise InputError(f"relaxation is {text!r}; expected a name, or name:number such as ramp:3/2") from None
        return cls(rule, parameter, name.endswith(_MEET))

    @property
    def form(self) -> Form:
        """How bounds are propagated; see the module."""
        return _FORMS[self.rule]

    @property
    def hidden_by_box(self) -> bool:
        """Whether l and u of the hidden layers are those of box."""
        return self.rule == "crown-ibp"

    @property
    def widens_box_part(self) -> bool:
        """Whether a zonotope puts new errors into the box part."""
        return self.rule == "hbox"

    @property
    def flattens(self) -> bool:
        """Whether a forward relaxation replaces forms of unstable neurons by numbers."""
        return self.rule == "symbolic"

    def slopes(self, lower: Array, upper: Array) -> Array:
        """The slope of each of k unstable neurons: of the zonotope, or of the linear lower bound.

        Parameters
        ----------
        lower, upper : ndarray, shape (k,)
            l < 0 < u: float64, or any numbers that compare and divide.

        Returns
        -------
        ndarray, shape (k,)
            In [0, 1].
        """
        match self.rule:
            case "deepz":
                return _chord(lower, upper)
            case "hbox":
                return _constant(lower, Fraction(0))
            case "zonotope" | "fixed":
                return _constant(lower, self._given)
            case "blend":
                share = _number(lower, self._given)
                blend: Array = (1 - share) * _nearer_side(lower, upper) + share * _chord(lower, upper)
                return blend
            case "ramp":
                return self._ramp(lower, upper)
        return _nearer_side(lower, upper)

    def _ramp(self, lower: Array, upper: Array) -> Array:
        lean = _number(lower, self._given) * (upper + lower)
        slopes = _constant(lower, Fraction(0))
        below, above = lean <= lower - upper, lean >= upper - lower
        between = ~(below | above)
        slopes[above] = 1
        half = _number(lower, Fraction(1, 2))
        slopes[between] = half + half * lean[between] / (upper - lower)[between]
        return slopes

    @property
    def _given(self) -> Fraction:
        assert self.parameter is not None
        return self.parameter

    def __str__(self) -> str:
        name = self.rule if self.parameter is None else f"{self.rule}:{self.parameter}"
        return name + _MEET * self.meets_box

    def __repr__(self) -> str:
        return f"Relaxation({str(self)!r})"


def _nearer_side(lower: Array, upper: Array) -> Array:
    """0 where u < -l, else 1: of the two linear lower bounds the one that leaves the smaller triangle."""
    slopes = _constant(lower, Fraction(1))
    slopes[(upper < -lower).astype(bool)] = 0
    return slopes


def _chord(lower: Array, upper: Array) -> Array:
    slopes: Array = upper / (upper - lower)
    return slopes


def _number(like: Array, value: Fraction) -> Any:
    return float(min(value, _LARGEST)) if like.dtype == np.float64 else value


def _constant(like: Array, value: Fraction) -> Array:
    return np.full(like.shape, _number(like, value), dtype=like.dtype)
