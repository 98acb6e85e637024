"""How tight interval bounds are at initialisation: a formula for linear networks of two layers.

f(x) = W_2 W_1 x with independent centred Gaussian entries of one variance a layer, d hidden units, on a box of radius
r_j in input j. The exact radius of an output is sum_j |w.v_j| r_j, with w its row of W_2 and v_j column j of W_1; that
of interval propagation is sum_j sum_i |w_i| |v_ij| r_j. Given w, w.v_j is Gaussian of deviation |w|, so

    E |w.v_j| = sqrt(2/pi) E |w| = sqrt(2/pi) sqrt(2) Gamma((d+1)/2) / Gamma(d/2),      E sum_i |w_i| |v_ij| = d 2/pi,

and the ratio of the means is sqrt(pi) Gamma((d+1)/2) / (d Gamma(d/2)), for any inputs, outputs, radii and variances.
It falls like sqrt(pi / (2 d)).
"""

from __future__ import annotations

from math import exp, lgamma, log, pi

from polyinj.theory.domain import read_count


def ibp_tightness(width: int) -> float:
    """Mean exact radius over mean interval radius of a Gaussian linear network of two layers (Mao et al. 2023).

    Parameters
    ----------
    width : int
        Hidden units d, at least 1.

    Returns
    -------
    float
        sqrt(pi) Gamma((d+1)/2) / (d Gamma(d/2)), in (0, 1].

    Raises
    ------
    InputError
        width < 1.

    Examples
    --------
    >>> [round(ibp_tightness(d), 5) for d in (1, 4, 16, 64)]
    [1.0, 0.58905, 0.30847, 0.15605]
    """
    d = read_count(width, "width")
    return exp(log(pi) / 2 + lgamma((d + 1) / 2) - lgamma(d / 2) - log(d))
