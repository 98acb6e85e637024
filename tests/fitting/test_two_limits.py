"""Limits of sequences in two variables: curves of known law."""

import numpy as np
import pytest

from polyinj import InputError
from polyinj.fitting.two_limits import FORMS, Curve, fit_two_limits

SUM, LARGER = "e + a T^-p + b n^(-2/3)", "e + ((a T^-p)^r + (b n^(-2/3))^r)^(1/r)"
LENGTHS = (300, 1000, 3000, 10000, 30000)
# e, a, p, b, r.
LAW = (0.94, 1.8, 0.53, 0.82, 3.5)


def law(n, length, r=LAW[4], q=2 / 3):
    """The twin: as it is written."""
    e, a, p, b, _ = LAW
    return e + ((a * length**-p) ** r + (b * n**-q) ** r) ** (1 / r)


def curves(noise=None, **options):
    found = []
    for n in (50, 100, 200, 500, 1000):
        values = np.array([law(n, length, **options) for length in LENGTHS])
        errors = np.array([0.002, 0.001, 0.001, 0.004, 0.001])
        if noise is not None:
            drawn = errors * noise.standard_normal(5)
            values += np.where(np.arange(5) == 3, drawn, drawn + drawn[3])
        found.append(Curve(n, LENGTHS, tuple(values), 10000, tuple(errors)))
    return found


@pytest.mark.parametrize(("form", "r", "q"), list(zip(FORMS, (1, 1, 3.5, 3.5), (2 / 3, 1, 2 / 3, 1), strict=True)))
def test_the_form_is_found_from_exact_values(form, r, q, monkeypatch):
    monkeypatch.setattr("polyinj.fitting.two_limits._RESAMPLES", 2)
    fit = fit_two_limits(curves(r=r, q=q), form, seed=0)
    assert (fit.limit, fit.a, fit.p, fit.b, fit.r) == pytest.approx((*LAW[:4], r), rel=1e-3)
    assert fit.chi_square < 1e-4
    assert fit.degrees_of_freedom == 25 - 4 - (r != 1)
    np.testing.assert_allclose(fit.at(70, [500, 2000]), [law(70, length, r, q) for length in (500, 2000)], rtol=1e-3)
    assert fit.at(np.inf, np.inf) == fit.limit
    assert fit.at(np.inf, 400) == pytest.approx(fit.limit + fit.a * 400**-fit.p)


def test_a_wrong_form_is_told(monkeypatch):
    monkeypatch.setattr("polyinj.fitting.two_limits._RESAMPLES", 2)
    assert fit_two_limits(curves(), SUM, seed=0).p_value < 1e-9


@pytest.mark.slow
def test_intervals_cover(monkeypatch):
    """95 % each: of 16, fewer than 9 with probability below 1e-6. Chi-squares have their mean."""
    monkeypatch.setattr("polyinj.fitting.two_limits._RESAMPLES", 50)
    rng = np.random.default_rng(5)
    fits = [fit_two_limits(curves(rng, r=1), SUM, seed=k) for k in range(16)]
    assert sum(fit.low <= LAW[0] <= fit.high for fit in fits) >= 9
    assert all(fit.low < fit.limit < fit.high for fit in fits)
    total = sum(fit.chi_square for fit in fits)
    # Mean 16 * 21, standard deviation sqrt(2 * 16 * 21); five of them.
    assert abs(total - 16 * 21) < 5 * (2 * 16 * 21) ** 0.5


def test_curves():
    curve = Curve(50, (10, 100, 1000), (3.0, 2.0, 1.5), 100, (0.3, 0.4, 0.1))
    assert curve.contrasts(curve.values).tolist() == [1.0, 2.0, -0.5]
    assert curve.stderrs == pytest.approx((0.5, 0.4, (0.16 + 0.01) ** 0.5))
    assert curve.longer_than(500) == Curve(50, (100, 1000), (2.0, 1.5), 100, (0.4, 0.1))
    assert curve.longer_than(1) == curve


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((50, (10, 100), (1.0,), 10, (0.1, 0.1)), "as many of each"),
        ((50, (100, 10), (1.0, 1.0), 10, (0.1, 0.1)), "that increase"),
        ((50, (10, 100), (1.0, 1.0), 30, (0.1, 0.1)), "expected one of the lengths"),
        ((50, (10, 100), (1.0, np.nan), 10, (0.1, 0.1)), "not finite or not positive"),
        ((50, (10, 100), (1.0, 1.0), 10, (0.1, 0.0)), "not finite or not positive"),
    ],
)
def test_bad_curves(arguments, message):
    with pytest.raises(InputError, match=message):
        Curve(*arguments)


def test_bad_fits():
    with pytest.raises(InputError, match="form is 'line'; allowed are"):
        fit_two_limits(curves(), "line", seed=0)
    with pytest.raises(InputError, match="5 values; a form of 5 parameters needs more"):
        fit_two_limits(curves()[:1], LARGER, seed=0)
