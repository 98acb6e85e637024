"""What came, what is allowed: public functions refuse with one line, before anything is computed."""

from collections.abc import Callable
from math import nan

import numpy as np
import pytest

from polyinj import (
    Cone,
    ConeUnion,
    FaceUnion,
    OrthantUnion,
    deep_sufficient_width,
    estimate_deep_transition,
    estimate_depths,
    estimate_section_euler_characteristic,
    euler_crossing,
    euler_rate,
    gordon_bound,
    known_thresholds,
    lifted_gordon_bound,
    replica_threshold,
    wide_gram,
)
from polyinj.cli.options import parse_widths
from polyinj.errors import InputError
from polyinj.theory.deep import deep_noninjectivity_bound, profile_noninjectivity_bound
from polyinj.theory.deep_gordon import comparison_widths
from polyinj.theory.deep_lifted import lifted_comparison_widths

QUARTER = Cone.orthant([1, 1])
GRAM = [[1, 0.5], [0.5, 1]]


def deep(widths: object, **options: object) -> object:
    return estimate_deep_transition(
        widths=widths, **{"trials": 2, "seed": 0, "workers": 1, "progress": False} | options
    )


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: wide_gram(GRAM, 3), "layers is 3"),
        (lambda: wide_gram(GRAM, "12"), "layers is '12'"),
        (lambda: wide_gram(GRAM, []), r"layers is \[\]"),
        (lambda: wide_gram(GRAM, [1.5]), "a layer is 1.5; expected an integer, at least 0"),
        (lambda: wide_gram(GRAM, [10**30]), "expected at most 1000000"),
        (lambda: wide_gram(GRAM, [nan]), "a layer is nan"),
        (lambda: wide_gram(GRAM, [1], weight_std="2"), "weight_std is '2'; expected a number >= 0"),
        (lambda: ConeUnion(None), "cones is None; expected a list of 1 to 10 cones"),
        (lambda: ConeUnion([QUARTER, 2]), "cones holds 2; expected each to be a Cone"),
        (lambda: ConeUnion([OrthantUnion(2, 1)]), "expected each to be a Cone"),
        (lambda: ConeUnion([QUARTER]).estimate_conic_intrinsic_volumes(0), "samples is 0; expected an integer >= 1"),
        (lambda: QUARTER.estimate_conic_intrinsic_volumes(2.5), "samples is 2.5"),
        (lambda: QUARTER.estimate_conic_intrinsic_volumes(True), "samples is True"),
        (lambda: QUARTER.estimate_conic_intrinsic_volumes(10, seed=-1), "seed is -1"),
        (lambda: QUARTER.estimate_conic_intrinsic_volumes(10, level="a"), "level is 'a'"),
        (lambda: QUARTER.conic_intrinsic_volumes().statistical_dimension(level=None), "level is None"),
        (lambda: QUARTER.conic_intrinsic_volumes().meeting_probability(QUARTER), "came as Cone; expected its volumes"),
        (lambda: QUARTER.conic_intrinsic_volumes().rotated_euler_characteristic(1), "came as int"),
        (lambda: FaceUnion([[1, 1], [1]]), "different lengths"),
        (lambda: FaceUnion([[1, 1, 1]]).contains_faces(np.ones((1, 2), int)), r"shape \(1, 2\); expected \(k, 3\)"),
        (lambda: estimate_section_euler_characteristic(3, 2, 4), "union is 3; expected an OrthantUnion"),
        (lambda: estimate_section_euler_characteristic(OrthantUnion(4, 1), 2, 2.5), "trials is 2.5"),
        (lambda: estimate_section_euler_characteristic(OrthantUnion(4, 1), 2, 4, level="a"), "level is 'a'"),
        (lambda: estimate_depths([2], [6], "a", seed=0), "trials is 'a'; expected an integer >= 1"),
        (lambda: estimate_depths([2], [6], 4, seed=1.5), "seed is 1.5"),
        (lambda: deep(3), "widths is 3; expected a list of profiles"),
        (lambda: deep("2-8"), "widths is '2-8'"),
        (lambda: deep((2, 8, 8)), "expected a list of profiles"),
        (lambda: deep([(2, 8.7)]), "a width is 8.7; expected an integer"),
        (lambda: deep([(2, 10**30)]), "expected at most 20000"),
        (lambda: deep([(2, 4)], max_regions=None), "max_regions is None"),
        (lambda: parse_widths("2-8-4..1000000000", "--widths"), "a range of at most 10000 widths"),
        (lambda: profile_noninjectivity_bound(7), "widths is 7"),
        (lambda: deep_noninjectivity_bound(20, 2, 10**30), "depth is 10+; expected at most 1000000"),
        (lambda: deep_sufficient_width(2, 10**30, 0.5), "expected at most 1000000"),
        (lambda: comparison_widths(2, budget=True), "budget is True"),
        (lambda: lifted_comparison_widths(9), "depth is 9; expected at most 8 for budget 2"),
        (lambda: lifted_comparison_widths(5, budget=1), "depth is 5; expected at most 4 for budget 1"),
        (lambda: euler_crossing(2, 10**30), "expected at most 1000000"),
        (lambda: gordon_bound(10**18, 2), "expected at most 1000000000000"),
        (lambda: lifted_gordon_bound(10**18, 2), "expected at most 1000000000000"),
        (lambda: known_thresholds(True), "budget is True"),
        (lambda: known_thresholds(1e-9), "expected a finite number above 1e-07 and below 100"),
        (lambda: replica_threshold(1, budget="0.5"), "budget is '0.5'"),
        (lambda: euler_rate(10**400), "expected a finite number"),
    ],
)
def test_bad_input_is_refused_in_one_line(call: Callable[[], object], what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_tiny_inputs_have_the_angles_of_others() -> None:
    small, plain = wide_gram([[1e-320, 0], [0, 1e-320]], [0, 5]), wide_gram(np.eye(2), [0, 5])
    assert np.array_equal(small.log_gaps, plain.log_gaps)
