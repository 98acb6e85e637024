"""The search for witnesses in many dimensions, and sweeps of it."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from helpers import gaussian
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from polyinj import Box, InputError, WitnessSweep, estimate_witnesses, find_witness, tukey_depth
from polyinj._status import Status
from polyinj.certificates.layer import read_layer
from polyinj.fitting.intervals import clopper_pearson
from polyinj.injectivity import annealing
from polyinj.injectivity._annealing import STARTS, Annealing
from polyinj.injectivity.problem import Problem
from polyinj.injectivity.witness import annealed_active, closest_to_witness
from polyinj.simulation.statistics import AnnealedActive, WitnessFound
from polyinj.studies.algorithmic_threshold import CrossingBound, WitnessRow


def count_active(weights, witness, bias=None):
    """The twin: in Fractions."""
    bias = [0] * len(weights) if bias is None else bias.tolist()
    return sum(
        sum((Fraction(a) * x for a, x in zip(row, witness.point, strict=True)), Fraction(b)) >= 0
        for row, b in zip(weights.tolist(), bias, strict=True)
    )


# ---- The kernel ----


class Twin:
    """The descent in plain numpy, every sum in the same order: (16,) vectors in single precision."""

    def __init__(self, rows, points, first, ratio, margin, rate, friction):
        f = np.float32
        self.rows, self.ratio, self.margin, self.rate, self.friction = rows, f(ratio), f(margin), f(rate), f(friction)
        self.scale, self.points = f(first), points.copy()
        self.velocity = np.zeros_like(points)
        self.rescale()

    def rescale(self):
        square = np.zeros(STARTS, dtype=np.float32)
        for line in self.points:
            square = square + line * line
        self.points = self.points * (np.float32(1) / np.sqrt(square))

    def step(self):
        """Active rows of each point, before it moves."""
        one, n = np.float32(1), self.rows.shape[1]
        values = []
        for row in self.rows:
            value = np.zeros(STARTS, dtype=np.float32)
            for weight, line in zip(row, self.points, strict=True):
                value = value + weight * line
            values.append(value)
        active = sum((value >= 0).astype(int) for value in values)
        u = [np.maximum(value * (one / self.scale) + self.margin, np.float32(0)) for value in values]
        pulls = [v / ((v * v + one) * (v * v + one)) for v in u]
        force = np.zeros_like(self.points)
        for b in range(0, len(self.rows), 4):
            block = list(zip(self.rows[b : b + 4], pulls[b : b + 4], strict=True))
            for k in range(n):
                total = block[0][0][k] * block[0][1]
                for row, pull in block[1:]:
                    total = total + row[k] * pull
                force[k] = force[k] + total
        size = self.rate * self.scale / np.float32(n)
        self.velocity = self.friction * self.velocity - size * force
        self.points = self.points + self.velocity
        self.rescale()
        self.scale = self.scale * self.ratio
        return active


@pytest.mark.parametrize(("m", "n"), [(1, 1), (7, 2), (12, 3), (45, 7)])
def test_the_kernel_is_its_twin_bit_by_bit(m, n):
    rows = gaussian(m, n).astype(np.float32)
    starts = gaussian(n, STARTS, 1).astype(np.float32)
    options = {"margin": 0.25, "rate": 1.0, "friction": 0.95}
    search = Annealing(rows)
    search.start(starts, 0.45, 0.9, **options)
    twin = Twin(rows, starts, 0.45, 0.9, **options)
    best, improved = m + 1, 0
    for step in range(25):
        points = twin.points
        counts = twin.step()
        search.run(1, -1)
        assert search.steps == step + 1
        if counts.min() < best:
            best, improved = counts.min(), improved + 1
            assert (search.best_point == points[:, counts.argmin()]).all()
        assert search.best_count == best
    assert improved > (n > 2)
    # Starting anew forgets.
    search.start(starts, 0.45, 0.9, **options)
    assert search.steps == 0
    assert search.best_count > m
    assert search.run(1, -1) == Status.RUNNING
    assert search.best_count == Twin(rows, starts, 0.45, 0.9, **options).step().min()


def test_the_kernel_stops_where_it_should():
    search = Annealing(gaussian(80, 20).astype(np.float32))
    search.start(gaussian(20, STARTS, 1).astype(np.float32), 0.45, 0.99, margin=0.25, rate=1.0, friction=0.95)
    assert search.run(300, 19) == Status.WITNESS
    assert search.best_count <= 19
    steps, count = search.steps, search.best_count
    # Found once, the same count does not stop it again.
    search.run(300, 19)
    assert search.best_count < count or search.steps == steps + 300


def test_the_kernel_refuses_other_shapes():
    with pytest.raises(ValueError, match="no rows"):
        Annealing(np.zeros((0, 3), dtype=np.float32))
    with pytest.raises(ValueError, match="expected 3 and 16"):
        Annealing(np.ones((4, 3), dtype=np.float32)).start(
            np.ones((2, STARTS), dtype=np.float32), 1, 1, margin=0, rate=1, friction=0
        )


@given(st.integers(1, 10**6))
def test_anneals_double_and_use_up_the_steps(steps):
    lengths = list(annealing.round_lengths(steps))
    assert sum(lengths) == steps
    assert lengths[:-1] == [250 << k for k in range(len(lengths) - 1)]
    assert lengths[-1] < 3 * (250 << len(lengths) - 1)


# ---- find_witness ----


@pytest.mark.parametrize(("n", "ratio"), [(12, 4.0), (20, 5.0), (50, 5.5), (100, 6.0)])
def test_witnesses_are_exact(n, ratio):
    weights = gaussian(round(ratio * n), n)
    witness = find_witness(weights, seed=0, steps=4000)
    assert witness.active == count_active(weights, witness) < n


@pytest.mark.parametrize("steps", [250, 1000])
def test_the_answer_depends_on_the_seed_alone(steps):
    weights = gaussian(165, 30)
    one = find_witness(weights, seed=1, steps=steps)
    assert one is not None
    for workers in (1, 2, 3):
        assert find_witness(weights, seed=1, steps=steps, workers=workers) == one
    assert find_witness(weights, seed=2, steps=steps) != one


def test_symmetries():
    weights = gaussian(110, 20)
    order = np.random.default_rng(1).permutation(len(weights))
    # Powers of two, so that not a bit of a scaled row changes.
    sizes = 2.0 ** np.random.default_rng(2).integers(-20, 20, (len(weights), 1))
    witness = find_witness(weights, seed=0, steps=2000)
    assert find_witness(weights * sizes, seed=0, steps=2000).active == witness.active
    shuffled = find_witness(weights[order], seed=0, steps=2000)
    assert shuffled.active == count_active(weights, shuffled) < 20


@pytest.mark.parametrize("ratio", [12, 20])
def test_none_where_there_is_none(ratio):
    # P(not injective) <= 1e-12 by the bound on minimal cells.
    weights = gaussian(ratio * 20, 20)
    assert find_witness(weights, seed=0, steps=500) is None
    closest = closest_to_witness(weights, seed=0, steps=500)
    assert closest.active == count_active(weights, closest) >= 20


def test_a_bias_is_left_behind():
    weights, bias = gaussian(100, 20), 1e6 * gaussian(100, 1, 1)[:, 0]
    witness = find_witness(weights, bias, seed=0, steps=2000)
    alone = find_witness(weights, seed=0, steps=2000)
    assert witness.active == count_active(weights, witness, bias) == alone.active < 20


@pytest.mark.parametrize("seed", range(5))
def test_far_out_no_row_becomes_active(seed):
    weights, bias = gaussian(100, 20), gaussian(100, 1, 1)[:, 0]
    problem = Problem.of(read_layer(weights, bias))
    x = gaussian(20, 1, seed)[:, 0]
    active = problem.rows @ annealing._far_out(problem, x) >= 0
    assert not (active & (weights @ x < 0)).any()


def test_rows_without_linear_part_do_not_count():
    weights = np.vstack([gaussian(90, 20), np.zeros((40, 20))])
    bias = np.concatenate([np.zeros(90), np.ones(40)])
    witness = find_witness(weights, bias, seed=0, steps=2000)
    assert count_active(weights[:90], witness) < 20
    assert witness.active == count_active(weights, witness, bias) >= 40


@pytest.mark.parametrize("size", [1e-300, 1e-9, 1e9, 1e300])
def test_ill_conditioned_layers(size):
    weights = gaussian(90, 20)
    weights[:, 0] *= size
    weights[::7] *= 1e-5
    witness = find_witness(weights, seed=0, steps=2000)
    assert witness.active == count_active(weights, witness) < 20


def test_exact_entries_and_repeated_rows():
    entries = np.random.default_rng(3).integers(-5, 6, (40, 14))
    weights = np.vstack([entries, entries[:20]]).astype(object)
    witness = find_witness(weights, seed=0, steps=2000)
    assert witness.active == count_active(weights, witness)


def test_a_candidate_that_exact_arithmetic_rejects_does_not_end_the_search(monkeypatch):
    weights = gaussian(90, 20)
    honest, seen = Problem.witness, []

    def reject_first(problem, direction):
        seen.append(direction)
        return None if len(seen) == 1 else honest(problem, direction)

    monkeypatch.setattr(Problem, "witness", reject_first)
    witness = find_witness(weights, seed=0, steps=2000)
    assert len(seen) > 2
    assert witness.active == count_active(weights, witness) < 20


def test_a_domain_is_respected_in_many_dimensions():
    # More than 64 rows factorised: the walk, since the descent knows no domain.
    weights = gaussian(160, 70)
    witness = find_witness(weights, domain=Box.nonnegative(70), seed=0, steps=50)
    assert witness is None or min(witness.point) >= 0
    witness = find_witness(weights - 1, domain=Box.nonnegative(70), seed=0, steps=50)
    assert min(witness.point) > 0
    assert witness.active == count_active(weights - 1, witness) < 70


def test_a_time_limit_ends_the_search():
    assert find_witness(gaussian(400, 20), seed=0, time_limit=0.05, workers=2) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1, "steps": 1}, "seed is -1"),
        ({"seed": 0}, "neither time_limit nor steps"),
        ({"seed": 0, "time_limit": 0}, "time_limit is 0"),
        ({"seed": 0, "time_limit": float("nan")}, "time_limit is nan"),
        ({"seed": 0, "steps": 0}, "steps is 0"),
        ({"seed": 0, "steps": 1, "workers": 0}, "workers is 0"),
    ],
)
def test_bad_limits(options, message):
    with pytest.raises(InputError, match=message):
        find_witness(gaussian(30, 12), **options)


def test_zero_weights_are_refused():
    with pytest.raises(InputError, match="expected rank 12"):
        find_witness(np.zeros((30, 12)), seed=0, steps=1)


# ---- One anneal ----


def test_an_anneal_finds_an_upper_bound_of_the_depth_that_no_witness_ends():
    for seed in range(3):
        weights = gaussian(66, 12, seed)
        assert annealed_active(weights, seed=0, steps=2000) >= tukey_depth(weights).depth
    # The search of 250 steps ends at its first witness; the anneal goes on.
    easy = gaussian(60, 20)
    assert annealed_active(easy, seed=0, steps=250) < closest_to_witness(easy, seed=0, steps=250).active == 19


def test_an_anneal_does_not_depend_on_slices_and_rescaled_rows(monkeypatch):
    weights = gaussian(150, 25)
    active = annealed_active(weights, seed=3, steps=400)
    monkeypatch.setattr(annealing, "_SLICE_OPERATIONS", 64.0 * 150 * 25 * 7)
    assert annealed_active(weights, seed=3, steps=400) == active
    assert annealed_active(weights * 2.0 ** np.arange(150)[:, None], seed=3, steps=400) == active


def test_anneals_of_each_length():
    statistic = pickle.loads(pickle.dumps(AnnealedActive((10, 1000))))
    weights = gaussian(150, 25)
    found = statistic(weights)
    assert found == {str(steps): annealed_active(weights, seed=0, steps=steps) for steps in (10, 1000)}
    assert found["1000"] < found["10"]


def test_anneals_are_for_many_columns():
    with pytest.raises(InputError, match="needs 12 or more: use tukey_depth"):
        annealed_active(gaussian(30, 5), seed=0, steps=10)
    with pytest.raises(InputError, match="steps is 0"):
        annealed_active(gaussian(60, 12), seed=0, steps=0)


# ---- Sweeps ----


def test_the_statistic():
    statistic = pickle.loads(pickle.dumps(WitnessFound(1000)))
    weights = gaussian(100, 20)
    active = closest_to_witness(weights, seed=0, steps=1000).active
    assert statistic(weights) == {"found": True, "active": active / 20}
    assert statistic(gaussian(240, 20))["found"] is False
    # As many rows as columns: no row needs to be active.
    assert statistic(np.eye(3)) == {"found": True, "active": 0}


def small_sweep(**options):
    return estimate_witnesses([12, 16], [4, 5, 6, 8], 6, steps=250, seed=3, progress=False, **options)


@pytest.mark.slow
def test_a_sweep_is_the_same_whatever_the_workers():
    one = small_sweep(workers=1)
    with ThreadPoolExecutor(3) as threads:
        assert repr(small_sweep(executor=threads).rows) == repr(one.rows)
    assert [(row.n, row.m) for row in one.rows] == [(n, r * n) for n in (12, 16) for r in (4, 5, 6, 8)]
    for row in one.rows:
        assert row.p_found == row.found / row.trials
        assert row.p_low <= row.p_found <= row.p_high
        assert (row.mean_active < 1) or row.found < row.trials
    for n, threshold in zip((12, 16), one.thresholds, strict=True):
        rows = [row for row in one.rows if row.n == n]
        assert rows[0].found == 6
        assert rows[-1].found == 0
        assert threshold.largest_found == max(row.aspect_ratio for row in rows if row.found)
        assert rows[0].aspect_ratio < threshold.half < rows[-1].aspect_ratio
    assert "steps=250, seed=3" in repr(one)
    assert one.column("found").tolist() == [row.found for row in one.rows]
    with pytest.raises(InputError, match="allowed are n, m"):
        one.column("injective")


@pytest.mark.slow
def test_a_sweep_saves_and_loads(tmp_path):
    sweep = estimate_witnesses([12], [4, 8], 2, steps=100, seed=0, workers=1, progress=False)
    paths = sweep.save(tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in paths)
    assert repr(WitnessSweep.load(tmp_path / "new")) == repr(sweep)
    assert WitnessSweep.load(tmp_path / "new").rows == sweep.rows
    assert (tmp_path / "new" / "witnesses.png").read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "new" / "witnesses.csv").read_text().splitlines()) == 3
    (tmp_path / "witnesses.json").write_text('{"format": "other"}')
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="no saved sweep"):
            WitnessSweep.load(place)


def test_a_failed_save_leaves_nothing_behind(tmp_path, monkeypatch):
    sweep = estimate_witnesses([12], [4, 12], 1, steps=1, seed=0, workers=1, progress=False)

    class Unwritable:
        def savefig(self, *_, **__):
            raise OSError("disk full")

    monkeypatch.setattr(WitnessSweep, "plot", lambda _: Unwritable())
    with pytest.raises(OSError, match="disk full"):
        sweep.save(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [4], 1), "empty"),
        (([1], [4], 1), "n has 1"),
        (([12], [0.5], 1), "aspect ratio is 0.5"),
        (([12], [4], 0), "trials is 0"),
    ],
)
def test_bad_designs(arguments, message):
    with pytest.raises(InputError, match=message):
        estimate_witnesses(*arguments, steps=10, seed=0, workers=1, progress=False)


def test_bad_steps():
    with pytest.raises(InputError, match="steps is 0"):
        estimate_witnesses([12], [4], 1, steps=0, seed=0, workers=1, progress=False)


def sweep_of(*rows):
    """A sweep of these (n, m, trials, found)."""
    full = [WitnessRow(n, m, m / n, t, k, k / t, *clopper_pearson(k, t), 1.0) for n, m, t, k in rows]
    return WitnessSweep(tuple(full), (), 10, 0, "0")


def test_bounds_of_the_crossing_stop_at_the_first_shape_in_doubt():
    # 15 of 20 and 6 of 6 show a half at level 0.975, 14 of 20 and 5 of 5 do not.
    sweep = sweep_of((20, 110, 20, 20), (20, 120, 20, 15), (20, 130, 20, 14), (20, 140, 20, 20), (30, 150, 6, 6))
    assert sweep.crossing_bounds() == (CrossingBound(20, 6.0), CrossingBound(30, 5.0))
    assert sweep_of((20, 110, 5, 5)).crossing_bounds() == ()


@pytest.mark.slow
def test_bounds_of_the_crossing_are_rarely_wrong():
    """P(found) below 1/2 by a hair at all shapes: any bound has probability 0.025 at most, however many shapes."""
    rng = np.random.default_rng(0)
    wrong = sum(
        bool(sweep_of(*((20, m, 30, found) for m, found in enumerate(rng.binomial(30, 0.5, 8), 100))).crossing_bounds())
        for _ in range(2000)
    )
    assert wrong <= binom.isf(1e-6, 2000, 0.025)


@pytest.mark.slow
def test_a_sweep_goes_on_from_its_store(tmp_path, monkeypatch):
    run = small_sweep(workers=1, store=tmp_path / "witnesses.db")
    monkeypatch.setattr("polyinj.simulation.statistics.closest_to_witness", None)
    assert repr(small_sweep(workers=1, store=tmp_path / "witnesses.db")) == repr(run)
