"""A store keeps every trial through kill -9, full disks and damage, and never mixes or invents one."""

import importlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from polyinj import GaussianEnsemble, InputError, PolyinjError, estimate_transition, simulate
from polyinj.errors import StoreError
from polyinj.simulation.ensembles import ResampledRowsEnsemble, SparseGaussianEnsemble
from polyinj.simulation.estimate import Job, simulate_jobs
from polyinj.simulation.executors import InProcess
from polyinj.simulation.statistics import decision, depth
from polyinj.simulation.store import store as store_module
from polyinj.simulation.store.reader import StoreReader
from polyinj.simulation.store.sqlite import file_system
from polyinj.simulation.store.store import Store

SHAPES = [(9, 3), (12, 3), (8, 2)]
SEED = 5
calls = []


def counted_depth(matrix):
    calls.append(matrix.shape)
    return depth(matrix)


def run(path, trials=60, start=0, shapes=SHAPES, statistic=counted_depth, seed=SEED, **options):
    jobs = [Job(GaussianEnsemble(m, n), statistic, trials, start) for m, n in shapes]
    options = {"executor": InProcess(), "progress": False} | options
    return [result.values for result in simulate_jobs(jobs, seed=seed, store=path, **options)]


def same(found, expected):
    return all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sweep.db"


@pytest.fixture(autouse=True)
def no_calls():
    calls.clear()


@pytest.fixture(scope="module")
def expected():
    return run(None, 100)


def test_only_missing_trials_run(path, expected):
    assert same(run(path, 60), [table[:60] for table in expected])
    assert len(calls) == 180
    assert same(run(path, 60), [table[:60] for table in expected])
    assert len(calls) == 180
    assert same(run(path, 100), expected)
    assert len(calls) == 300
    assert list(path.parent.iterdir()) == [path]


def test_a_job_may_start_late_and_shapes_may_come_later(path, expected):
    assert same(run(path, 70, start=30, shapes=SHAPES[:1]), [expected[0][30:70]])
    assert same(run(path, 100, start=90, shapes=SHAPES[:2]), [table[90:] for table in expected[:2]])
    with StoreReader(path) as store:
        assert [(cell.m, cell.done, cell.wanted) for cell in store.cells()] == [(9, 50, 100), (12, 10, 100)]
    assert same(run(path, 100), expected)
    assert len(calls) == 300


def test_an_open_store_serves_several_runs(path, expected):
    with Store(path) as store:
        run(store, 20)
        assert same(run(store, 40), [table[:40] for table in expected])
    assert len(calls) == 120


@pytest.mark.slow
def test_a_transition_uses_a_store(path):
    options = {"seed": 3, "workers": 1, "progress": False, "chi_max_n": 1}
    alone = estimate_transition([1, 2], [2, 4], 20, **options)
    assert repr(estimate_transition([1, 2], [2, 4], 10, store=path, **options).rows) != repr(alone.rows)
    assert repr(estimate_transition([1, 2], [2, 4], 20, store=path, **options).rows) == repr(alone.rows)
    again = estimate_transition([1, 2], [2, 4], 20, store=path, **options | {"seed": None})
    assert again.seed == 3
    assert repr(again.rows) == repr(alone.rows)


def test_what_a_store_says_of_itself(path):
    run(path)
    with StoreReader(path) as store:
        assert store.design.ensemble == '{"arguments": {}, "name": "polyinj.simulation.ensembles.GaussianEnsemble"}'
        assert store.design.seed == SEED
        (session,) = store.sessions()
        assert session["numpy"] == np.__version__
        cells = store.cells()
        assert [(cell.n, cell.m) for cell in cells] == [(2, 8), (3, 9), (3, 12)]
        assert all(cell.seconds > 0 and cell.undecided == cell.failed == 0 for cell in cells)


def test_costs_are_kept(path):
    first = simulate(GaussianEnsemble(9, 3), depth, 40, seed=1, executor=InProcess(), store=path, progress=False)
    again = simulate(GaussianEnsemble(9, 3), depth, 40, seed=1, executor=InProcess(), store=path, progress=False)
    assert again.seconds == pytest.approx(first.seconds, abs=0.5e-6)


# ---- Refusals ----


def gaussian(**_):
    return GaussianEnsemble(9, 3)


@pytest.mark.parametrize(
    ("ensemble", "statistic", "seed", "message"),
    [
        (SparseGaussianEnsemble(9, 3, 0.5), depth, 0, "ensemble GaussianEnsemble, not SparseGaussianEnsemble"),
        (GaussianEnsemble(9, 3), decision, 0, "statistic depth, not decision"),
        (GaussianEnsemble(9, 3), partial(depth, time_limit=9), 0, r"statistic depth, not depth\(time_limit=9\)"),
        (GaussianEnsemble(9, 3), depth, 1, "seed 0, not 1"),
    ],
)
def test_other_trials_are_refused(path, ensemble, statistic, seed, message):
    options = {"executor": InProcess(), "progress": False, "store": path}
    simulate(GaussianEnsemble(9, 3), depth, 10, seed=0, **options)
    before = path.read_bytes()
    with pytest.raises(InputError, match=message):
        simulate(ensemble, statistic, 10, seed=seed, **options)
    assert path.read_bytes() == before


def test_other_parameters_are_refused(path):
    def go(density=0.5, matrix=None):
        ensemble = SparseGaussianEnsemble(9, 3, density) if matrix is None else ResampledRowsEnsemble(9, matrix)
        return simulate(ensemble, depth, 10, seed=0, executor=InProcess(), progress=False, store=path)

    go()
    with pytest.raises(InputError, match=r"density=0.5\), not SparseGaussianEnsemble\(density=0.25\)"):
        go(0.25)
    path.unlink()
    matrix = np.random.default_rng(0).standard_normal((20, 3))
    go(matrix=matrix)
    with pytest.raises(InputError, match=r"matrix=array 20x3 .*, not Resampled"):
        go(matrix=np.nextafter(matrix, 9))
    with StoreReader(path) as store:
        assert np.array_equal(next(iter(arrays_of(store))), matrix)


def arrays_of(store):
    import json

    for value in json.loads(store.design.ensemble)["arguments"].values():
        if isinstance(value, dict):
            yield store.array(value["sha256"])


def test_other_versions_are_refused(path, monkeypatch):
    run(path)
    monkeypatch.setattr(store_module, "__version__", "0.1.7")
    run(path)
    monkeypatch.setattr(store_module, "__version__", "0.2.0")
    with pytest.raises(InputError, match=r"made by polyinj 0.1.0; trials of 0.2.0 may differ"):
        run(path)


@dataclass(frozen=True)
class Drifting:
    """An ensemble whose matrices depend on something that its description does not show."""

    m: int
    n: int
    drift = 0.0
    continuous = True

    @property
    def shape(self):
        return self.m, self.n

    def sample(self, rng):
        return rng.standard_normal(self.shape) + type(self).drift


def test_other_matrices_are_refused(path, monkeypatch):
    def go():
        return simulate(Drifting(8, 2), decision, 10, seed=0, executor=InProcess(), progress=False, store=path)

    go()
    monkeypatch.setattr(Drifting, "drift", 1e-9)
    with pytest.raises(InputError, match=r"another matrix for trial 0 of shape \(8, 2\) .* with numpy"):
        go()


def test_an_edited_function_is_refused(path, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    module_file = tmp_path / "edited_statistic.py"

    def go(body):
        module_file.write_text(f"def f(matrix):\n    return {body}\n")
        importlib.invalidate_caches()
        sys.modules.pop("edited_statistic", None)
        importlib.import_module("linecache").checkcache()
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        return run(path, statistic=importlib.import_module("edited_statistic").f)

    go("1.0")
    go("1.0")
    with pytest.raises(InputError, match=r"statistic edited_statistic.f, not edited_statistic.f with other source"):
        go("22.0")


class Nameless:
    def __call__(self, matrix):
        return 1.0


@pytest.mark.parametrize(
    ("statistic", "message"),
    [
        (lambda matrix: 1.0, "is a lambda, local or nameless"),
        (Nameless(), "is a Nameless, whose parameters are unknown; make it a dataclass"),
        (partial(depth, time_limit=object()), "which a store cannot describe"),
        (partial(np.full, (2, 2)), "arguments without a name"),
    ],
)
def test_what_cannot_be_described_is_refused(path, statistic, message):
    with pytest.raises(InputError, match=message):
        run(path, statistic=statistic)
    assert list(path.parent.iterdir()) == []


def test_one_store_one_design(path):
    jobs = [Job(GaussianEnsemble(8, 2), depth, 5), Job(GaussianEnsemble(9, 2), decision, 5)]
    with pytest.raises(InputError, match="more than one statistic"):
        simulate_jobs(jobs, seed=0, store=path, progress=False)
    with pytest.raises(InputError, match=r"shape \(8, 2\) occurs in more than one job"):
        simulate_jobs([jobs[0], Job(GaussianEnsemble(8, 2), depth, 9, 5)], seed=0, store=path, progress=False)


@pytest.mark.parametrize("content", [b"", b"no database at all" * 300])
def test_a_file_that_is_no_store_is_refused_and_kept(path, content):
    path.write_bytes(content)
    with pytest.raises(StoreError, match="no store"):
        run(path)
    assert path.read_bytes() == content
    with pytest.raises(StoreError, match=r"no store|damaged"):
        StoreReader(path)
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE own (x)")
    connection.close()
    with pytest.raises(StoreError, match="its tables are others"):
        run(path)
    with pytest.raises(StoreError, match="does not exist"):
        StoreReader(path.with_name("other.db"))
    with pytest.raises(StoreError, match="a folder to write in"):
        run(path.parent / "missing" / "sweep.db")


# ---- Failures ----

broken = True


def moody(matrix):
    if broken and matrix[0, 0] > 0.5:
        raise ArithmeticError("not this one")
    return matrix[0, 0]


def test_failed_trials_are_recorded_and_retried(path, monkeypatch):
    with pytest.raises(PolyinjError, match=r"(\d+) of 180 trials failed, the first .*ArithmeticError: not this one"):
        run(path, statistic=moody)
    with StoreReader(path) as store:
        failures, cells = store.failures(), store.cells()
    assert len(failures) == sum(cell.failed for cell in cells) > 30
    assert sum(cell.done for cell in cells) == 180 - len(failures)
    assert "in moody" in failures[0].traceback
    monkeypatch.setattr(sys.modules[__name__], "broken", False)
    values = run(path, statistic=moody)
    assert same(values, run(None, statistic=moody))
    with StoreReader(path) as store:
        assert store.failures() == []
        assert [cell.done for cell in store.cells()] == [60] * 3


def lazy(matrix):
    return {"value": np.nan if matrix[0, 0] > 0.5 else 1.0}


def test_undecided_trials_are_counted(path):
    run(path, statistic=lazy)
    with StoreReader(path) as store:
        assert 30 < sum(cell.undecided for cell in store.cells()) < 90
        assert [cell.done for cell in store.cells()] == [60] * 3


@pytest.mark.parametrize(
    ("value", "message"), [("7", "expected a number"), (2**53 + 1, "no float64 holds"), (None, "NoneType")]
)
def test_statistics_return_numbers(value, message):
    with pytest.raises((InputError, TypeError), match=message):
        run(None, statistic=lambda matrix: value)


# ---- Kill -9 ----

PROGRAM = """
    import sys, time
    from polyinj import GaussianEnsemble
    from polyinj.simulation import schedule
    from polyinj.simulation.store import store
    from polyinj.simulation.estimate import Job, simulate_jobs
    from polyinj.simulation.executors import InProcess
    from polyinj.simulation.statistics import depth

    # Small batches and a commit for each, so that a kill meets every phase.
    schedule.TARGET_SECONDS, store._COMMIT_SECONDS = 0.01, 0.0
    jobs = [Job(GaussianEnsemble(m, n), depth, 100) for m, n in [(9, 3), (12, 3), (8, 2)]]
    print("ready", flush=True)
    simulate_jobs(jobs, seed=5, store=sys.argv[1], executor=InProcess(), progress=False)
"""


def program(text, *arguments):
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)], stdout=subprocess.PIPE)


@pytest.mark.slow
def test_killed_runs_resume_to_the_same_table(path, expected):
    rng = np.random.default_rng(7)
    done = []
    for pause in rng.uniform(0, 0.15, 4):
        with program(PROGRAM, path) as process:
            process.stdout.readline()
            time.sleep(pause)
            process.send_signal(signal.SIGKILL)
        if path.exists():
            with StoreReader(path) as store:
                done.append(sum(cell.done for cell in store.cells()))
    assert done == sorted(done), "what was committed stays"
    assert done
    found = run(path, 100, statistic=depth)
    assert same(found, expected)
    with StoreReader(path) as store:
        assert [cell.done for cell in store.cells()] == [100] * 3


# ---- Damage ----


def damaged_copies(folder, original, tries, rng):
    """Truncated at a random place, or a few bytes overwritten, or a stretch of them."""
    content = original.read_bytes()
    for number in range(tries):
        target = folder / f"{number}.db"
        data = bytearray(content)
        kind = number % 3
        if kind == 0:
            data = data[: rng.integers(1, len(data))]
        elif kind == 1:
            for place in rng.integers(0, len(data), rng.integers(1, 6)):
                data[place] ^= int(rng.integers(1, 256))
        else:
            place, length = rng.integers(0, len(data)), rng.integers(1, 5000)
            data[place : place + length] = rng.bytes(len(data[place : place + length]))
        target.write_bytes(data)
        yield target


@pytest.mark.slow
def test_a_damaged_store_never_yields_wrong_numbers(path, expected, monkeypatch):
    monkeypatch.setattr(store_module, "_COMMIT_SECONDS", 0.0)
    for trials in range(20, 101, 20):
        run(path, trials, statistic=depth)
    monkeypatch.undo()
    refused = salvaged = 0
    for copy in damaged_copies(path.parent, path, 150, np.random.default_rng(1)):
        try:
            assert same(run(copy, 100, statistic=depth), expected)
        except (StoreError, InputError):
            refused += 1
            salvaged += salvage(copy, expected)
        copy.unlink()
    assert refused > 100
    assert salvaged > 3000


def salvage(copy, expected):
    """The number of trials that are saved, each compared."""
    with suppress(StoreError), StoreReader(copy, salvage=True) as store:
        return agreeing(store, expected)
    return 0


def agreeing(store, expected):
    """The number of trials in a store, each compared."""
    count = 0
    for segment in store.segments():
        table = expected[SHAPES.index((segment.m, segment.n))]
        assert np.array_equal(segment.values, table[segment.start : segment.stop])
        count += len(segment.values)
    return count


def test_a_damaged_log_loses_only_what_it_holds(path, expected, monkeypatch):
    monkeypatch.setattr(store_module, "_COMMIT_SECONDS", 0.0)
    rng = np.random.default_rng(2)
    with Store(path) as store:
        for trials in range(20, 101, 20):
            run(store, trials, statistic=depth)
        monkeypatch.undo()
        wal = path.with_name("sweep.db-wal")
        content, read = wal.read_bytes(), 0
        for number in range(12):
            copy = path.with_name(f"{number}.db")
            shutil.copy(path, copy)
            data = bytearray(content)
            for place in rng.integers(0, len(data), 3):
                data[place] ^= 1 << rng.integers(8)
            copy.with_name(f"{number}.db-wal").write_bytes(data)
            with suppress(StoreError), StoreReader(copy) as found:
                read += agreeing(found, expected)
        assert read > 300


# ---- Several processes, full disks, network file systems ----


HOLD = """
    import sys, time
    from polyinj import GaussianEnsemble, simulate
    from polyinj.simulation.executors import InProcess
    from polyinj.simulation.statistics import depth
    from polyinj.simulation.store.store import Store

    with Store(sys.argv[1]) as store:
        options = {"seed": 5, "executor": InProcess(), "store": store, "progress": False}
        simulate(GaussianEnsemble(9, 3), depth, 20, **options)
        print("ready", flush=True)
        time.sleep(600)
"""


@pytest.mark.slow
def test_two_processes_on_one_file(path, expected):
    with program(HOLD, path) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            with pytest.raises(StoreError, match=rf"being written by process {process.pid} on "):
                Store(path, wait=0.1)
            with StoreReader(path) as store:
                assert [cell.done for cell in store.cells()] == [20]
        finally:
            process.kill()
    # A killed process holds no lock.
    assert same(run(path, 100, statistic=depth), expected)


def test_the_second_waits_for_the_first(path):
    first = Store(path)
    with pytest.raises(StoreError, match=f"being written by process {os.getpid()}"):
        Store(path, wait=0.05)
    link = path.with_name("link.db")
    link.symlink_to(path)
    with pytest.raises(StoreError, match="being written"):
        Store(link, wait=0)
    first.close()
    Store(path, wait=0).close()
    assert not path.with_name("sweep.db-lock").exists()


def test_reading_disturbs_no_writer(path, expected, monkeypatch):
    monkeypatch.setattr(store_module, "_COMMIT_SECONDS", 0.0)
    seen = []

    def count(index, batch):
        with StoreReader(path) as reader:
            seen.append(sum(cell.done for cell in reader.cells()))
        return ""

    assert same(run(path, 100, statistic=depth, note=count), expected)
    assert seen == sorted(seen)
    assert seen[-1] == 300


FULL = """
    import resource, signal, sys
    from polyinj import GaussianEnsemble
    from polyinj.simulation.store import store
    from polyinj.simulation.estimate import Job, simulate_jobs
    from polyinj.simulation.executors import InProcess
    from polyinj.simulation.statistics import depth

    store._COMMIT_SECONDS = 0.0
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    for trials in range(4, 101, 4):
        jobs = [Job(GaussianEnsemble(m, n), depth, trials) for m, n in [(9, 3), (12, 3), (8, 2)]]
        simulate_jobs(jobs, seed=5, store=sys.argv[1], executor=InProcess(), progress=False)
"""


@pytest.mark.slow
@pytest.mark.parametrize("size", [2_000, 40_000])
def test_a_full_disk_is_a_clear_error_and_keeps_what_was_stored(path, expected, size):
    """Files cannot grow beyond a limit, for the writer as on a full disk."""
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL), str(path), str(size)], capture_output=True, text=True, check=False
    )
    assert "StoreError" in ended.stderr
    assert "is the disk full?" in ended.stderr.splitlines()[-1]
    if path.exists():
        with StoreReader(path) as store:
            assert agreeing(store, expected) > 0
    assert not list(path.parent.glob(".*"))
    assert same(run(path, 100, statistic=depth), expected)


def test_a_read_only_folder_is_no_obstacle_to_reading(path, expected):
    run(path, 100, statistic=depth)
    if os.getuid() == 0:
        # For root every folder is writable: the closed store at least has no file beside it.
        with StoreReader(path) as store:
            assert list(path.parent.iterdir()) == [path]
            assert sum(cell.done for cell in store.cells()) == 300
        return
    path.parent.chmod(0o555)
    try:
        with StoreReader(path) as store:
            assert sum(cell.done for cell in store.cells()) == 300
    finally:
        path.parent.chmod(0o755)


def test_a_network_file_system_is_warned_about(path, monkeypatch):
    mounts = path.with_name("mounts")
    mounts.write_text(
        f"proc /proc proc rw 0 0\n/dev/vda / ext4 rw 0 0\nserver:/x {path.parent} nfs4 rw 0 0\n"
        f"tmpfs {path.parent}/my\\040disk tmpfs rw 0 0\n"
    )
    assert file_system(path, mounts) == "nfs4"
    assert file_system(path.parent / "my disk" / "a.db", mounts) == "tmpfs"
    assert file_system(Path("/usr/a.db"), mounts) == "ext4"
    monkeypatch.setattr("polyinj.simulation.store.sqlite.file_system", lambda path: file_system(path, mounts))
    with pytest.warns(UserWarning, match="network file system \\(nfs4\\)"):
        run(path, 5)


def signs(matrix):
    return {"injective": float(matrix[0, 0] > 0), "not_injective": float(matrix[0, 0] <= 0), "undecided": 0.0}


def test_a_trial_takes_a_few_bytes(path):
    run(path, 5000, statistic=signs, shapes=[(8, 2)])
    assert path.stat().st_size < 57_344 + 5 * 5000
