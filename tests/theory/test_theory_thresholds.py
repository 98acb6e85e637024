"""Enclosures and the ladder of thresholds."""

import math
from itertools import pairwise

import pytest
from flint import arb

from polyinj.errors import InputError
from polyinj.theory import thresholds
from polyinj.theory.euler import euler_rate, noninjectivity_bound
from polyinj.theory.rates import enclose_root
from polyinj.theory.thresholds import Threshold, enclose_threshold, known_thresholds

VALUES = {
    "mean-direction": (3.4028162215, thresholds.mean_direction_threshold),
    "lifted-gordon": (7.448638726294, thresholds.lifted_gordon_threshold),
    "gordon": (7.647694935435, thresholds.gordon_threshold),
    "euler": (8.344632960854723, thresholds.euler_threshold),
    "minimal-cells": (8.80699575813, thresholds.minimal_cells_threshold),
    "first-moment": (9.088606827957, thresholds.first_moment_threshold),
}


@pytest.mark.parametrize("name", VALUES)
def test_enclosures_are_narrow_and_hold_the_known_values(name):
    value, as_float = VALUES[name]
    enclosure = enclose_threshold(name)
    assert 2 * enclosure.rad() < arb(10) ** -25
    assert as_float() == pytest.approx(value, abs=1e-11)
    assert abs(enclosure - arb(as_float())) <= arb(math.ulp(value)) / 2


def test_enclosed_rows_are_neighbouring_floats_around_the_enclosure():
    for row in known_thresholds():
        if row.name in VALUES:
            enclosure = enclose_threshold(row.name)
            assert arb(row.lower) <= enclosure <= arb(row.upper)
            assert row.upper == math.nextafter(row.lower, math.inf)


def test_rows_of_the_ladder_increase():
    rows = known_thresholds()
    assert len(rows) == 9
    assert all(low.upper < high.lower for low, high in pairwise(rows))
    assert {row.name for row in rows} > set(VALUES)


def test_the_rate_of_the_euler_characteristic_vanishes_at_its_threshold():
    assert abs(euler_rate(thresholds.euler_threshold())) < 1e-14


def test_the_bound_falls_above_its_threshold():
    threshold = thresholds.minimal_cells_threshold()
    assert noninjectivity_bound(math.ceil(5000 * (threshold + 0.03)), 5000) < 1e-4
    assert noninjectivity_bound(math.floor(5000 * (threshold - 0.03)), 5000) == 1.0


def test_a_root_outside_the_bracket_is_noticed():
    with pytest.raises(ArithmeticError, match="no change of sign"):
        enclose_root(lambda x: x - 5, 0, 1)


def test_an_undecided_sign_is_noticed():
    with pytest.raises(ArithmeticError, match="needs more than"):
        enclose_root(lambda x: x - arb(1) / 2, 0, 1)


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="no enclosure for 'full-rsb'; allowed are mean-direction"):
        enclose_threshold("full-rsb")


def test_rows_are_checked_when_born():
    with pytest.raises(InputError, match="expected 0 < lower <= upper"):
        Threshold("x", 2.0, 1.0, "nonrigorous", "nobody")
