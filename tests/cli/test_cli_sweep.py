"""The shell of sweeps: a run is started, looked at, resumed from its file alone, and exported."""

import csv
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from polyinj import GaussianEnsemble, InputError, Transition, locate_transition, simulate
from polyinj.errors import StoreError
from polyinj.simulation import statistics
from polyinj.simulation.estimate import Job, simulate_jobs
from polyinj.simulation.executors import InProcess
from polyinj.simulation.store.export import export, to_pandas
from polyinj.simulation.store.reader import StoreReader


@pytest.fixture
def sweep(run_main, monkeypatch, tmp_path):
    """`polyinj sweep ...` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return partial(run_main, "sweep")


@pytest.mark.slow
def test_locate_keeps_its_trials_and_repeats_its_table(sweep, tmp_path):
    arguments = ("locate", "--n", "2", "--width", "0.5", "--seed", 1, "--workers", 1, "--store", "a.db")
    ran = sweep(*arguments)
    assert ran.returncode == 0, ran.stderr
    expected = locate_transition([2], width=0.5, max_trials=20_000, seed=1, executor=InProcess(), progress=False)
    tables = [
        [(row.n, row.m, row.trials, row.injective, row.undecided) for row in result.rows]
        for result in (Transition.load(tmp_path / "results"), expected)
    ]
    assert tables[0] == tables[1]
    crossing = expected.crossings[0]
    assert f"{crossing.half_low:.2f}..{crossing.half_high:.2f}" in ran.stdout
    assert crossing.half_high - crossing.half_low <= 0.5
    done = sweep("status", "a.db").stdout.splitlines()[-1]
    assert done.startswith("{0} of {0} trials done".format(sum(row.trials for row in expected.rows)))
    again = sweep(*arguments)
    assert again.stdout == ran.stdout
    assert sweep("status", "a.db").stdout.splitlines()[-1] == done


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--width", "0", "width is 0"), ("--max-trials", "0", "max_trials is 0"), ("--n", "0", "n has 0")],
)
def test_locate_refuses_what_makes_no_sense(sweep, tmp_path, option, value, said):
    given = {"--n": "2", "--width": "0.5"} | {option: value}
    ran = sweep("locate", *(word for pair in given.items() for word in pair), "--workers", 1)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert not list(tmp_path.iterdir())


DESIGN = ("--n", "2,3", "--aspect-ratios", "3:4:1", "--seed", 7, "--workers", 1, "--store", "a.db")


@pytest.mark.slow
def test_run_status_resume_export(sweep, tmp_path):
    ran = sweep("run", *DESIGN, "--trials", 30)
    assert ran.returncode == 0, ran.stderr
    assert "120/120" in ran.stderr
    alone = simulate(GaussianEnsemble(8, 2), statistics.decision, 30, seed=7, executor=InProcess(), progress=False)
    injective = int(alone.column("injective").sum())
    assert ["2", "8", "30", str(injective)] in [line.split()[:4] for line in ran.stdout.splitlines()]

    status = sweep("status", "a.db")
    assert "GaussianEnsemble, decision, seed 7" in status.stdout
    assert "120 of 120 trials done" in status.stdout

    more = sweep("run", *DESIGN, "--trials", 40)
    assert more.returncode == 0
    resumed = sweep("resume", "a.db", "--workers", 1)
    assert resumed.returncode == 0
    assert resumed.stdout == more.stdout

    written = sweep("export", "a.db", "--to", "a.csv")
    assert written.stdout == "wrote a.csv: 160 trials\n"
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert [int(row["injective"]) for row in rows if row["m"] == "8"][:30] == alone.column("injective").tolist()
    assert sweep("export", "a.db", "--to", "a.parquet").returncode == 0
    table = pyarrow.parquet.read_table("a.parquet")
    assert table["injective"].to_pylist() == [float(row["injective"]) for row in rows]
    assert table["seconds"].to_pylist() == [float(row["seconds"]) for row in rows]
    assert table.schema.metadata[b"seed"] == b"7"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.db", "a.parquet"]


def test_resume_finishes_what_is_missing(sweep, tmp_path):
    options = {"seed": 7, "executor": InProcess(), "store": "a.db", "progress": False}

    def stop(index, batch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_jobs([Job(GaussianEnsemble(9, 3), statistics.depth, 40)], note=stop, **options)
    assert "1 of 40 trials done" in sweep("status", "a.db").stdout
    assert sweep("resume", "a.db", "--workers", 1).returncode == 0
    assert "40 of 40 trials done" in sweep("status", "a.db").stdout


def test_trained_rows_travel_with_the_store(sweep, tmp_path):
    np.save("w.npy", np.random.default_rng(0).standard_normal((20, 3)))
    ran = sweep("run", "--ensemble", "rows", "--weights", "w.npy", "--aspect-ratios", "4", "--trials", 10, *DESIGN[6:])
    assert ran.returncode == 0, ran.stderr
    assert "ranks are proven (decision-by-rank)" in ran.stderr
    (tmp_path / "w.npy").unlink()
    assert sweep("resume", "a.db", "--workers", 1).stdout == ran.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "title"),
    [
        (("--ensemble", "sparse", "--density", 0.7, "--statistic", "chi", "--max-cells", 9**9), "mean value"),
        (("--ensemble", "student", "--degrees", 2, "--statistic", "betti"), "mean chi"),
        (("--ensemble", "orthonormal", "--statistic", "decision", "--node-limit", 50), "P(injective)"),
        (("--ensemble", "sphere", "--statistic", "faces"), "columns; `polyinj sweep export` writes them"),
        (("--ensemble", "rademacher", "--statistic", "components"), "mean value"),
        (("--ensemble", "gaussian", "--statistic", "decision-and-chi"), "mean chi"),
        (("--ensemble", "gaussian", "--statistic", "depth", "--time-limit", 60), "mean value"),
    ],
)
def test_ensembles_and_statistics(sweep, options, title):
    ran = sweep("run", *DESIGN, "--trials", 4, *options)
    assert ran.returncode == 0, ran.stderr
    assert title in ran.stdout
    assert sweep("resume", "a.db", "--workers", 1).stdout == ran.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--ensemble", "cauchy"), "--ensemble is 'cauchy'; allowed are gaussian, rademacher"),
        (("--statistic", "rank"), "--statistic is 'rank'; allowed are decision"),
        (("--ensemble", "sparse"), "--ensemble sparse needs --density"),
        (("--density", 0.5), "--density was given, which --ensemble gaussian does not take"),
        (("--max-cells", 5), "--max-cells was given, which --statistic decision does not take"),
        (("--node-limit", 0), "--node-limit is 0; expected a positive number"),
        (("--ensemble", "rows"), "--ensemble rows needs --weights"),
        (("--trials", 0), "trials is 0"),
        (("--workers", 0), "workers is 0"),
        (("--scheduler", "tcp://nowhere:1"), "--workers and --scheduler were both given"),
        (("--store", "missing/a.db"), "cannot be created"),
    ],
)
def test_bad_options(sweep, tmp_path, options, message):
    ran = sweep("run", *DESIGN, "--trials", 4, *options)
    assert ran.returncode == 2
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_resume_needs_a_store(sweep):
    ran = sweep("resume", "missing.db")
    assert ran.returncode == 2
    assert "missing.db does not exist" in ran.stderr


def own(matrix):
    if matrix[0, 0] > 1:
        raise ValueError("too large")
    return {"a": matrix[0, 0], **({"b": 1.0} if matrix.shape[1] > 2 else {})}


def test_a_store_of_ones_own_statistic(sweep, tmp_path):
    options = {"seed": 1, "executor": InProcess(), "store": "a.db", "progress": False}
    for shape in ((4, 2), (5, 3)):
        with pytest.raises(Exception, match="trials failed"):
            simulate(GaussianEnsemble(*shape), own, 30, **options)
    refused = sweep("resume", "a.db")
    assert refused.returncode == 2
    assert "which is not part of polyinj; resume it by running the program that made it" in refused.stderr
    status = sweep("status", "a.db", "--failures")
    assert "ValueError: too large" in status.stdout
    with StoreReader("a.db") as store:
        frame = to_pandas(store)
        assert export(store, "a.csv") == len(frame)
        assert json.loads(frame.attrs["statistic"])["name"].endswith("own")
        done = {(cell.m, cell.n): cell.done for cell in store.cells()}
    assert frame.groupby(["m", "n"]).size().to_dict() == done
    assert frame["b"].isna().sum() == done[4, 2]
    assert (frame["a"] <= 1).all()
    read = np.genfromtxt("a.csv", delimiter=",", names=True)
    assert np.array_equal(read["a"], frame["a"])


def test_exports_of_damaged_stores(sweep, tmp_path):
    sweep("run", *DESIGN, "--trials", 30)
    with StoreReader("a.db") as store:
        (first, *_) = store.segments()
    data = bytearray((tmp_path / "a.db").read_bytes())
    place = data.find(first.row(1, b"")[6])
    data[place + 9] ^= 1
    (tmp_path / "a.db").write_bytes(data)
    refused = sweep("export", "a.db", "--to", "a.csv")
    assert refused.returncode == 2
    assert "a.db is damaged: a record of the table batch is not as it was written" in refused.stderr
    assert not (tmp_path / "a.csv").exists()
    saved = sweep("export", "a.db", "--to", "a.csv", "--salvage")
    assert saved.returncode == 0
    assert "damaged and are left out" in saved.stderr
    rows = len((tmp_path / "a.csv").read_text().splitlines()) - 1
    assert rows == 120 - len(first.values)
    assert sweep("resume", "a.db", "--workers", 1).returncode == 2


def test_bad_exports(sweep, tmp_path, monkeypatch):
    sweep("run", *DESIGN, "--trials", 3)
    assert "expected .csv or .parquet" in sweep("export", "a.db", "--to", "a.xlsx").stderr
    assert "cannot be written" in sweep("export", "a.db", "--to", "no/where.csv").stderr
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with StoreReader("a.db") as store, pytest.raises(InputError, match=r"pip install 'polyinj\[export\]'"):
        export(store, "a.parquet")
    with pytest.raises(StoreError, match="closed"):
        store.cells()
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


WITNESSES = Path(__file__).parents[2] / "data" / "witnesses"


@pytest.mark.slow
def test_plot_draws_a_sweep_and_a_table_of_counts(sweep, tmp_path):
    assert sweep("run", *DESIGN, "--trials", 30).returncode == 0
    few = sweep("plot", "a.db", "--out", "few")
    assert (few.returncode, sorted(path.name for path in (tmp_path / "few").iterdir())) == (0, ["transition.png"])
    assert "4 are needed to extrapolate" in few.stderr
    lines = ["n,m,trials,injective,not_injective,undecided,seed,version"]
    for n in range(3, 8):
        for step in range(-6, 9, 2):
            injective = round(200 * np.exp(-np.exp(-step / 3)))
            lines.append(f"{n},{5 * n + step},200,{injective},{200 - injective},0,1,0.1.0")
    (tmp_path / "counts.csv").write_text("\n".join(lines))
    drawn = sweep("plot", "counts.csv", "--witnesses", WITNESSES, "--out", "figures")
    assert drawn.returncode == 0
    assert "a + b n^(-2/3)" in drawn.stdout
    assert (tmp_path / "figures" / "finite_size.png").read_bytes().startswith(b"\x89PNG")
    refused = sweep("plot", "missing.db", "--out", "other")
    assert (refused.returncode, len(refused.stderr.strip().splitlines())) == (2, 1)
    assert not (tmp_path / "other").exists()
