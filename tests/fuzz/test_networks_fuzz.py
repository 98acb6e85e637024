"""Networks of every family: the verdict is proven or shown, no symmetry flips it, and only InputError is raised.

    POLYINJ_FUZZ_CASES=20000 POLYINJ_FUZZ_SEED=1000000 pytest tests/fuzz/test_networks_fuzz.py

tries 20,000 others.
"""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
from reference.networks import first_failing_layer

from fuzz import families
from polyinj import InputError, Network, NetworkLayer, Verdict, check_network, decide_network_injectivity
from polyinj.certificates.network_collision import NetworkCollision

CASES, SEED = families.budget(24)
TINY, HUGE = 5e-324, 1.7976931348623157e308


def integers(rng, m, n):
    return rng.integers(-2, 3, (m, n)).astype(float)


def gaussian(rng, m, n):
    return rng.standard_normal((m, n))


def powers_of_two(rng, m, n):
    return rng.choice([-1.0, 0.0, 1.0], (m, n)) * 2.0 ** rng.integers(-40, 41, (m, n))


def subnormal(rng, m, n):
    return rng.integers(-9, 10, (m, n)) * TINY


def huge(rng, m, n):
    return rng.choice([-1.0, 1.0, 0.5, 0.0], (m, n)) * HUGE


def both_ends(rng, m, n):
    return rng.choice([-1.0, 1.0], (m, n)) * rng.choice([TINY, 2.2e-308, 1e-17, 1.0, 1e300, HUGE, 0.0], (m, n))


def wide_ratios(rng, m, n):
    return rng.standard_normal((m, n)) * 10.0 ** rng.integers(-150, 151, (m, 1))


def rank_deficient(rng, m, n):
    return rng.integers(-2, 3, (m, 1)).astype(float) @ rng.integers(-2, 3, (1, n)).astype(float)


def zero_rows(rng, m, n):
    return integers(rng, m, n) * rng.integers(0, 2, (m, 1))


def nearly_opposite(rng, m, n):
    half = rng.integers(-3, 4, ((m + 1) // 2, n)).astype(float)
    rows = np.concatenate([half, -half])[:m]
    return np.where(rng.integers(0, 3, (m, n)) == 0, np.nextafter(rows, 9), rows)


def concatenated_relu(rng, m, n):
    rows = np.concatenate([np.eye(n), -np.eye(n)])
    return rows[rng.permutation(m) % len(rows)] * rng.integers(1, 4, (m, 1))


FAMILIES = (
    integers,
    gaussian,
    powers_of_two,
    subnormal,
    huge,
    both_ends,
    wide_ratios,
    rank_deficient,
    zero_rows,
    nearly_opposite,
    concatenated_relu,
)


def draw(family, seed):
    """Weights and biases of one to three layers on one to three inputs; None or touching biases."""
    rng = np.random.default_rng([SEED + seed, FAMILIES.index(family)])
    n = int(rng.integers(1, 4))
    depth = int(rng.integers(1, 4 if n < 3 else 3))
    widths = [n]
    for _ in range(depth):
        widths.append(max(1, 2 * n + int(rng.integers(-2, 5 if n < 3 else 2))))
    kinds = [family if rng.integers(3) else FAMILIES[int(rng.integers(len(FAMILIES)))] for _ in range(depth)]
    weights = [kind(rng, m, k) for kind, k, m in zip(kinds, widths, widths[1:], strict=False)]
    if rng.integers(2):
        return weights, None
    return weights, [
        None if not rng.integers(3) else kind(rng, len(rows), 1)[:, 0]
        for kind, rows in zip(kinds, weights, strict=True)
    ]


def decide(weights, biases):
    """The decision, checked."""
    decision = without_warning(
        decide_network_injectivity, weights, biases, max_regions=20_000, time_limit=20.0, search_seconds=0.05
    )
    if decision.verdict is not Verdict.UNDECIDED:
        decision.verify()
    return decision


def without_warning(function, *arguments, **options):
    """What a function returns; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return function(*arguments, **options)


def images(weights, biases, point):
    """The output in rationals."""
    for rows, bias in zip(weights, biases or [None] * len(weights), strict=True):
        shifts = [0] * len(rows) if bias is None else bias.tolist()
        point = [
            max(sum((Fraction(w) * x for w, x in zip(row, point, strict=True)), Fraction(shift)), Fraction(0))
            for row, shift in zip(rows.tolist(), shifts, strict=True)
        ]
    return point


def permuted(rng, weights, biases):
    """Neurons, and inputs, in another order."""
    order = rng.permutation(weights[0].shape[1])
    turned, shifted = [], []
    for k, rows in enumerate(weights):
        after = rng.permutation(len(rows))
        turned.append(rows[after][:, order])
        shifted.append(None if biases is None or biases[k] is None else biases[k][after])
        order = after
    return turned, None if biases is None else shifted


def scaled(rng, weights, biases):
    """Each neuron times a power of two that its readers undo; None where that leaves the doubles."""
    before = np.zeros(weights[0].shape[1], dtype=int)
    turned, shifted = [], []
    for k, rows in enumerate(weights):
        powers = rng.integers(-30, 31, len(rows))
        shift = None if biases is None or biases[k] is None else biases[k]
        with np.errstate(all="ignore"):
            moved = np.ldexp(rows, powers[:, None] - before)
            lifted = None if shift is None else np.ldexp(shift, powers)
            back = np.array_equal(np.ldexp(moved, before - powers[:, None]), rows)
            back = back and (shift is None or np.array_equal(np.ldexp(lifted, -powers), shift))
        if not back or not np.isfinite(moved).all() or not (lifted is None or np.isfinite(lifted).all()):
            return None
        turned.append(moved)
        shifted.append(lifted)
        before = powers
    return turned, None if biases is None else shifted


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_verdicts(family):
    for seed in range(CASES):
        weights, biases = draw(family, seed)
        decision = decide(weights, biases)
        where = (family.__name__, SEED + seed)
        assert decision.verdict is not Verdict.UNDECIDED, where
        rng = np.random.default_rng(seed)
        if decision.verdict is Verdict.NOT_INJECTIVE:
            pair = decision.certificate
            assert isinstance(pair, NetworkCollision), where
            assert pair.x != pair.y, where
            assert images(weights, biases, pair.x) == images(weights, biases, pair.y), where
        else:
            for x, y in rng.integers(-3, 4, (4, 2, weights[0].shape[1])).tolist():
                assert x == y or images(weights, biases, x) != images(weights, biases, y), where
        others = [permuted(rng, weights, biases), scaled(rng, weights, biases)]
        for other in filter(None, others):
            assert decide(*other).verdict is decision.verdict, where


def test_verdicts_of_small_integers_against_all_sign_vectors():
    for seed in range(CASES):
        weights, biases = draw(integers, 10_000 + seed)
        weights = [np.rint(np.clip(rows, -2, 2)) for rows in weights[:2]]
        biases = None if biases is None else [None if b is None else np.rint(np.clip(b, -2, 2)) for b in biases[:2]]
        if weights[0].shape[1] > 2:
            continue
        whole = [rows.astype(int).tolist() for rows in weights]
        shifts = None
        if biases is not None and any(b is not None and b.any() for b in biases):
            shifts = [[0] * len(w) if b is None else b.astype(int).tolist() for w, b in zip(whole, biases, strict=True)]
        decision = decide(weights, biases)
        assert (first_failing_layer(whole, shifts) is None) is (decision.verdict is Verdict.INJECTIVE), seed


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_checks(family):
    """Layers without ReLU among those with one: whatever is said is proven, and the two functions agree."""
    for seed in range(CASES // 2):
        weights, biases = draw(family, 20_000 + seed)
        rng = np.random.default_rng(seed)
        relus = ["relu" if rng.integers(2) else None for _ in weights]
        where = (family.__name__, SEED + seed)
        layers = [
            NetworkLayer(rows, None if biases is None else biases[k], relus[k], str(k))
            for k, rows in enumerate(weights)
        ]
        network = Network(tuple(layers), "drawn")
        check = without_warning(check_network, network, time_limit=20.0, rank_proof=True)
        if check.verdict is Verdict.UNDECIDED:
            continue
        check.verify()
        proven_lost = check.collision is not None or check.narrowing is not None
        assert proven_lost is (check.verdict is Verdict.NOT_INJECTIVE), where
        certificate = check.certificate()
        if certificate is not None:
            certificate.verify(*network.as_relu_layers())
        decision = decide(*network.as_relu_layers())
        assert decision.verdict in (check.verdict, Verdict.UNDECIDED), where
        if check.collision is not None:
            x, y = check.collision
            assert x != y, where
            assert network.apply_exactly(x) == network.apply_exactly(y), where


@pytest.mark.parametrize(
    ("weights", "biases"),
    [
        ([[[np.nan]]], None),
        ([[[np.inf, 1.0]]], None),
        ([[[1.0]], [[1.0, 2.0]]], None),
        ([], None),
        ([np.zeros((0, 2))], None),
        ([np.zeros((2, 0))], None),
        ([[[1.0]]], [[np.inf]]),
        ([[[1.0]]], [[1.0, 2.0]]),
        ([[[1.0]]], []),
        ([[[1.0 + 1j]]], None),
        ([[["a"]]], None),
        ([[[None]]], None),
        ([[1.0]], None),
        ([[[1.0], [2.0, 3.0]]], None),
        ([[[True]]], None),
        ([np.ones((2, 2), dtype=np.float16)], None),
        (np.eye(2), None),
        (3, None),
        (None, None),
        ([[[1.0]]], 3),
        ([[[1.0]]], [[[1.0]]]),
    ],
)
def test_what_is_no_network(weights, biases):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError) as error:
            decide_network_injectivity(weights, biases)
    assert len(str(error.value).splitlines()) == 1
