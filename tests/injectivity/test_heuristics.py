"""What is looked for on the way through a search: witnesses, and the nearest miss of a layer without one."""

from fractions import Fraction

import numpy as np
import pytest
from helpers import gaussian

from polyinj import Box, Verdict, decide_injectivity, find_witness
from polyinj.certificates.layer import read_layer
from polyinj.injectivity import heuristics
from polyinj.injectivity.annealing import active_together
from polyinj.injectivity.heuristics import Schedule
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.problem import Problem


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_witnesses_that_a_short_local_search_misses_are_looked_for_on_the_way(workers):
    """The search alone visits 21,000 to 77,000 nodes of these before it comes to a witness."""
    for seed in (100, 101, 102, 104):
        decision = decide_injectivity(gaussian(116, 20, seed), rank_proof=False, workers=workers)
        assert decision.verdict is Verdict.NOT_INJECTIVE
        assert 0 < decision.stats.nodes < 5_000
        decision.verify()


@pytest.mark.slow
def test_layers_beyond_the_search_are_decided_by_annealing():
    """A local search of 100 steps finds 152 active rows here."""
    decision = decide_injectivity(gaussian(600, 100))
    assert decision.verdict is Verdict.NOT_INJECTIVE
    assert decision.best_witness.active < 100
    decision.verify()
    decision = decide_injectivity(gaussian(900, 100))
    assert (decision.verdict, decision.stopped_by) == (Verdict.UNDECIDED, "size")
    assert 100 <= decision.best_witness.active < 250
    # On the nonnegative orthant annealing does not apply: there local search does.
    assert decide_injectivity(gaussian(80, 62), domain=Box.nonnegative(62)).verdict is Verdict.NOT_INJECTIVE


def test_heuristics_are_taken_once_each_when_they_are_due():
    schedule = Schedule([(5, lambda limits: np.array([5.0])), (9, lambda limits: np.array([9.0]))])
    assert (schedule.due_at, schedule.take(4)) == (5, None)
    assert schedule.take(20)(Limits()) == [5.0]
    assert schedule.due_at == 9
    assert schedule.take(9)(Limits()) == [9.0]
    assert (schedule.due_at, schedule.take(2**40)) == (2**62, None)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("rank_proof", [True, False])
def test_what_a_heuristic_returns_is_no_witness_until_it_is_checked(monkeypatch, workers, rank_proof):
    """Also where no certificate is made, which would be the next to notice."""
    everywhere = np.ones(12)
    monkeypatch.setattr(heuristics, "fewest_active", lambda *_, **__: everywhere)
    monkeypatch.setattr(heuristics, "anneal", lambda *_, **__: everywhere)
    weights = gaussian(84, 12)
    options = {"rank_proof": rank_proof, "certificate": False, "workers": workers, "node_limit": 2_000}
    decision = decide_injectivity(weights, **options)
    assert decision.verdict is (Verdict.UNDECIDED if rank_proof else Verdict.INJECTIVE)
    if rank_proof:
        assert decision.best_witness.active == (weights @ everywhere >= 0).sum()


@pytest.mark.parametrize(("m", "n", "seed"), [(72, 12, 0), (108, 18, 0), (120, 20, 0)])
def test_find_witness(m, n, seed):
    weights = gaussian(m, n, seed)
    witness = find_witness(weights, seed=0, time_limit=30)
    assert witness.active < n
    again = find_witness(weights, seed=0, time_limit=30)
    assert again == witness


def test_find_witness_returns_none_where_there_is_none():
    assert find_witness(gaussian(56, 8), seed=0, time_limit=0.3) is None


@pytest.mark.parametrize(("m", "n"), [(42, 6), (84, 12)])
def test_an_injective_layer_comes_with_the_nearest_miss(m, n):
    """Also where the count ends before any heuristic, as it does at (42, 6)."""
    weights = np.random.default_rng(0).standard_normal((m, n))
    decision = decide_injectivity(weights, rank_proof=False)
    assert decision.verdict is Verdict.INJECTIVE
    witness = decision.best_witness
    assert witness.active >= n
    assert witness.active == sum(
        sum(Fraction(w) * x for w, x in zip(row, witness.point, strict=True)) >= 0 for row in weights.tolist()
    )


def test_opposite_rows_are_never_active_together():
    half = gaussian(30, 12, 0)
    problem = Problem.of(read_layer(np.vstack([half, -half, half, np.zeros((1, 12))]), None, None))
    covariance = active_together(problem)
    assert (covariance == covariance.T).all()
    assert (np.diag(covariance) == 0).all()
    assert (covariance[-1] == 0).all()
    variance = np.diag(covariance[:30, 60:90])
    assert variance.min() >= 0 < variance.max()
    assert np.diag(covariance[:30, 30:60]) == pytest.approx(-variance)
    assert (active_together(problem) == covariance).all()
