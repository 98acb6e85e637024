"""The shell, as a person would use it: exit codes, one line for bad input, nothing half-written."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import gaussian

from polyinj import InputError, __version__, tukey_depth
from polyinj.cli.options import parse_integers, parse_list
from polyinj.cli.tables import interval

POLYINJ = Path(sys.executable).with_name("polyinj")


def shell(*arguments, cwd=None):
    return subprocess.run([POLYINJ, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, check=False)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("2,3,5", [2, 3, 5]),
        ("2..5", [2, 3, 4, 5]),
        ("2:3:0.25", [2, 2.25, 2.5, 2.75, 3]),
        ("7", [7]),
        ("0:1:0.1", None),
    ],
)
def test_lists(text, values):
    assert parse_list(text, "--x") == (values or [k / 10 for k in range(11)])


@pytest.mark.parametrize("text", ["", "a", "2..", "5..2", "1:2", "1:2:0", "1:2:-1", "1,,2", "2:1:1"])
def test_bad_lists(text):
    with pytest.raises(InputError, match="--x is "):
        parse_list(text, "--x")


def test_integer_lists():
    assert parse_integers("2:6:2", "--n") == [2, 4, 6]
    with pytest.raises(InputError, match="expected integers"):
        parse_integers("2,2.5", "--n")


@pytest.mark.slow
def test_version():
    assert shell("--version").stdout == f"polyinj {__version__}\n"


@pytest.mark.slow
def test_transition_writes_its_three_files(tmp_path):
    run = shell(
        "transition", "--n", "2..3", "--aspect-ratios", "3:6:1", "--trials", 30, "--seed", 7, "--out", "o", cwd=tmp_path
    )
    assert run.returncode == 0, run.stderr
    assert "P(injective)" in run.stdout
    assert "seed 7" in run.stdout
    assert "240/240" in run.stderr
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == [
        "transition.csv",
        "transition.json",
        "transition.png",
    ]


def test_tables_are_not_cut_where_no_terminal_is(run_main, tmp_path):
    sizes = ("--d", 3, "--n", 3, "--k", 4, "--methods", "random_features", "--trials", 2, "--workers", 1)
    run = run_main("robustness", *sizes, "--out", tmp_path)
    assert run.returncode == 0, run.stderr
    header = next(line for line in run.stdout.splitlines() if "method" in line)
    assert header.split()[-2:] == ["on", "sphere"]
    assert "…" not in run.stdout


def test_an_interval_without_an_end_has_a_dash():
    assert interval(1, 2, ".0f") == "1 .. 2"
    assert interval(20, math.nan, ".0f") == "20 .. -"
    assert interval(math.nan, math.nan) == "-"


@pytest.mark.slow
def test_witnesses_alone(run_main, tmp_path):
    options = ("--n", "12", "--aspect-ratios", "4,8", "--trials", 2, "--steps", 100, "--workers", 1)
    run = run_main("transition", "--witness-only", *options, "--out", tmp_path)
    assert run.returncode == 0, run.stderr
    assert "searches of 100 steps, seed 0" in run.stdout
    assert "where none was found, nothing is proved" in run.stdout
    assert "full-rsb 6.698" in run.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["witnesses.csv", "witnesses.json", "witnesses.png"]
    run = run_main("transition", "--witness-only", "--n", "12", "--steps", 0, "--out", tmp_path)
    assert run.returncode == 2
    assert "steps is 0" in run.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--trials", "-1"),
        ("--trials", "0"),
        ("--trials", "x"),
        ("--n", "0..2"),
        ("--n", "2.5"),
        ("--aspect-ratios", "0.5"),
        ("--workers", "0"),
        ("--seed", "-1"),
        ("--nonsense",),
    ],
)
def test_bad_transitions_leave_nothing_behind(tmp_path, run_main, arguments):
    run = run_main("transition", *arguments, "--out", tmp_path / "o")
    assert run.returncode == 2
    assert len(run.stderr.strip().splitlines()) == 1
    assert run.stderr.startswith("polyinj: ")
    assert not (tmp_path / "o").exists()


def test_check_injective(tmp_path, run_main):
    np.save(tmp_path / "w.npy", gaussian(30, 3))
    run = run_main("check", tmp_path / "w.npy")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("injective: 30 rows, 3 columns")


def test_check_shows_a_collision(tmp_path, run_main):
    np.save(tmp_path / "w.npy", gaussian(7, 3))
    run = run_main("check", tmp_path / "w.npy")
    assert run.returncode == 1
    assert "collision, exact" in run.stdout
    assert "|x - y| = " in run.stdout
    document = json.loads(run_main("check", tmp_path / "w.npy", "--json").stdout)
    assert document["verdict"] == "not injective"
    x, y = (np.array(document["collision"][name]) for name in ("x_float64", "y_float64"))
    weights = gaussian(7, 3)
    assert abs(np.maximum(weights @ x, 0) - np.maximum(weights @ y, 0)).max() <= 1e-14


def test_check_undecided(tmp_path, run_main):
    np.save(tmp_path / "w.npy", gaussian(168, 24))
    run = run_main("check", tmp_path / "w.npy", "--time-limit", "1e-6")
    assert run.returncode == 3
    assert run.stdout.startswith("undecided")


def test_check_reads_npz_csv_and_transposes(tmp_path, run_main):
    weights, bias = gaussian(30, 3), gaussian(30, 1)[:, 0]
    np.savez(tmp_path / "layer.npz", W=weights, b=bias, both=np.zeros(3))
    np.savetxt(tmp_path / "w.csv", weights.T, delimiter=",")
    np.save(tmp_path / "b.npy", bias)
    assert run_main("check", tmp_path / "layer.npz", "--key", "W", "--no-bias").returncode == 0
    assert run_main("check", tmp_path / "layer.npz", "--key", "W", "--bias-key", "b").returncode == 0
    assert run_main("check", tmp_path / "w.csv", "--transpose", "--bias", tmp_path / "b.npy").returncode == 0
    sideways = run_main("check", tmp_path / "w.csv")
    assert sideways.returncode == 1
    assert "--transpose" in sideways.stderr


@pytest.mark.parametrize("name", ["proof.json", "proof.json.gz"])
@pytest.mark.parametrize(
    ("m", "words"),
    [
        (30, "valid: the layer x -> ReLU(Wx + b), 30 rows, 3 columns, is injective on R^3"),
        (7, "valid: the layer x -> ReLU(Wx + b), 7 rows, 3 columns, is not injective on R^3"),
    ],
)
def test_certificates_are_written_and_verified(tmp_path, run_main, name, m, words):
    np.savez(tmp_path / "layer.npz", W=gaussian(m, 3), b=np.zeros(m))
    np.save(tmp_path / "other.npy", gaussian(m, 3, 1))
    layer = (tmp_path / "layer.npz", "--key", "W", "--bias-key", "b")
    checked = run_main("check", *layer, "--rank-proof", "--certificate", tmp_path / name)
    assert checked.returncode == (0 if m == 30 else 1)
    assert f"wrote {tmp_path / name}" in checked.stdout
    valid = run_main("verify", tmp_path / name, *layer)
    assert (valid.returncode, valid.stdout.strip()) == (0, words)
    refused = run_main("verify", tmp_path / name, tmp_path / "other.npy")
    assert refused.returncode == 1
    assert refused.stdout.startswith("refused: ")


def test_a_count_says_what_it_assumes(tmp_path, run_main):
    np.save(tmp_path / "w.npy", gaussian(84, 12))
    checked = run_main("check", tmp_path / "w.npy", "--certificate", tmp_path / "c.json")
    assert checked.returncode == 0
    assert checked.stdout.startswith("injective if the rows are in general position")
    assert json.loads((tmp_path / "c.json").read_text())["assumes_general_position"] is True
    verified = run_main("verify", tmp_path / "c.json", tmp_path / "w.npy")
    assert verified.stdout.startswith(
        "valid: the layer x -> ReLU(Wx), 84 rows, 12 columns, has at least 12 active rows"
    )
    assert "injective there if in general position (any 12 rows independent), which is not proved" in verified.stdout


def test_bad_certificates(tmp_path, run_main):
    np.save(tmp_path / "w.npy", gaussian(7, 3))
    (tmp_path / "c.json").write_text("{}")
    assert run_main("verify", tmp_path / "missing.json", tmp_path / "w.npy").returncode == 2
    assert run_main("verify", tmp_path / "c.json", tmp_path / "w.npy").returncode == 1


def test_a_ball_of_inputs(tmp_path, run_main):
    # Information is lost where 3 x + 4 y < -25, at distance 5 from 0 and 4 from (3/5, 4/5) - (6/5, 8/5).
    np.save(tmp_path / "w.npy", np.array([[3, 4], [-4, 3], [4, -3]]))
    np.save(tmp_path / "b.npy", np.array([25, 99, 99]))
    layer = (tmp_path / "w.npy", "--bias", tmp_path / "b.npy")
    certificate = tmp_path / "proof.json"
    checked = run_main("check", *layer, "--ball", 5, "--certificate", certificate)
    assert checked.returncode == 0
    assert "3 rows, 2 columns, with bias, on the ball of radius 5 around (0, 0) in R^2" in checked.stdout
    assert run_main("verify", certificate, *layer, "--ball", 5).returncode == 0
    beyond = run_main("check", *layer, "--ball", 5.0001, "--certificate", certificate)
    assert beyond.returncode == 1
    assert "collision" in beyond.stdout
    assert run_main("verify", certificate, *layer, "--ball", 5.0001).returncode == 0
    assert run_main("check", *layer, "--ball", 4, "--ball-centre", "-0.5,-0.75").returncode == 0
    assert run_main("check", *layer, "--ball", 4.2, "--ball-centre", "-0.5,-0.75").returncode == 1
    for options, message in (
        (("--ball", 0), "radius is 0"),
        (("--ball", "nan"), "--ball is nan"),
        (("--ball", 1, "--ball-centre", "1,2,3"), "dimension 2"),
        (("--ball", 1, "--ball-centre", "1,nan"), "--ball-centre is nan"),
        (("--ball-centre", "1,2"), "without a radius"),
        (("--ball", 1, "--nonnegative"), "two domains"),
    ):
        refused = run_main("check", *layer, *options)
        assert refused.returncode == 2
        assert message in refused.stderr
        assert refused.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_certificate_of_another_domain_is_refused(tmp_path, run_main):
    # Injective on each of these domains, not on R^2 with these biases; the line says which options ask for them.
    np.save(tmp_path / "w.npy", np.eye(2))
    np.save(tmp_path / "b.npy", np.array([10, 10]))
    layer = (tmp_path / "w.npy", "--bias", tmp_path / "b.npy")
    certificate = tmp_path / "proof.json"
    cases = (
        (("--ball", 1), "the ball of radius 1 around (0, 0) in R^2", "--ball=1"),
        (("--ball", "13/10", "--ball-centre", "2,-1/2"), "radius 13/10", "--ball=13/10 --ball-centre=2,-1/2"),
        (("--box", "0:1,-2.5:inf"), "the box [0, 1] x [-5/2, inf) of R^2", "--box=0:1,-5/2:inf"),
        (("--box", "0:1"), "the box [0, 1] x [0, 1] of R^2", "--box=0:1"),
        (("--nonnegative",), "the nonnegative orthant of R^2", "--nonnegative"),
    )
    for options, place, advice in cases:
        assert run_main("check", *layer, *options, "--certificate", certificate).returncode == 0
        refused = run_main("verify", certificate, *layer)
        assert refused.returncode == 1
        assert refused.stdout.startswith(f"refused: the certificate is about {'the ball of ' * ('13' in place)}{place}")
        assert refused.stdout.endswith(f", not about R^2; if that is meant, give {advice}\n")
        for asked in (options, advice.split()):
            verified = run_main("verify", certificate, *layer, *asked)
            assert verified.returncode == 0
            assert "is injective on the " in verified.stdout
            assert place in verified.stdout
        assert run_main("verify", certificate, *layer, "--ball", 7).returncode == 1
    assert run_main("check", *layer, "--certificate", certificate).returncode == 1
    wide = run_main("verify", certificate, *layer, "--ball", 1)
    assert wide.returncode == 1
    assert wide.stdout.endswith(
        "not about the ball of radius 1 around (0, 0) in R^2; if that is meant, give none of "
        "--nonnegative, --box and --ball\n"
    )
    assert run_main("verify", certificate, *layer, "--box=:,-inf:inf").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--box", "0:1,0:1,0:1"), "--box is '0:1,0:1,0:1'; expected LOW:HIGH for each of 2 columns"),
        (("--box", "0"), "expected LOW:HIGH"),
        (("--box", "0:x"), "--box has 'x'; expected numbers"),
        (("--box", "0:nan"), "--box is nan"),
        (("--box", "inf:1"), "--box is inf"),
        (("--box", "1/0:2"), "--box has '1/0'"),
        (("--box", "1:1"), "side 0 of the box is [1, 1]; expected lower < upper"),
        (("--box", "0:1", "--nonnegative"), "--nonnegative and --box are two domains"),
        (("--ball", "1\nvalid:"), "--ball has '1\\nvalid:'"),
        (("--ball-centre", "1,2"), "without a radius"),
    ],
)
def test_domains_that_are_none(tmp_path, run_main, options, message):
    np.save(tmp_path / "w.npy", np.eye(2))
    for command in (("check",), ("verify", tmp_path / "c.json")):
        refused = run_main(*command, tmp_path / "w.npy", *options)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert message in refused.stderr.replace("\\\\", "\\")
        assert refused.stderr.count("\n") == 1


def test_what_could_be_a_bias_is_asked_for(tmp_path, run_main):
    # Without its bias the layer is injective, with it not: neither command may pass over it in silence.
    weights = np.concatenate([np.eye(2), -np.eye(2)])
    np.savez(tmp_path / "layer.npz", W=weights, b=-np.ones(4), other=np.ones(3))
    certificate = tmp_path / "proof.json"
    layer = (tmp_path / "layer.npz", "--key", "W")
    for command in (("check",), ("verify", certificate)):
        asked = run_main(*command, *layer)
        assert (asked.returncode, asked.stdout) == (2, "")
        assert asked.stderr.endswith(
            "holds b with an entry for each of the 4 rows; if that is the bias, add --bias-key b, else --no-bias\n"
        )
        both = run_main(*command, *layer, "--no-bias", "--bias-key", "b")
        assert both.returncode == 2
        assert "expected one of --no-bias, --bias and --bias-key" in both.stderr
    assert run_main("check", *layer, "--no-bias", "--certificate", certificate).returncode == 0
    verified = run_main("verify", certificate, *layer, "--no-bias")
    assert verified.stdout == "valid: the layer x -> ReLU(Wx), 4 rows, 2 columns, is injective on R^2\n"
    assert run_main("check", *layer, "--bias-key", "b").returncode == 1
    refused = run_main("verify", certificate, *layer, "--bias-key", "b")
    assert refused.returncode == 1
    assert "for a layer without bias, and one is given" in refused.stdout


def test_a_count_of_few_rows_is_no_proof_of_injectivity(tmp_path, run_main):
    rows = gaussian(9, 3)
    np.save(tmp_path / "w.npy", rows)
    depth = tukey_depth(rows)
    assert 0 < depth.certificate.budget + 1 < 3
    depth.certificate.save(tmp_path / "depth.json")
    verified = run_main("verify", tmp_path / "depth.json", tmp_path / "w.npy")
    assert verified.returncode == 0
    assert verified.stdout == (
        "valid as a count only, which proves no injectivity: the layer x -> ReLU(Wx), 9 rows, 3 columns, has at least "
        f"{depth.depth} active rows everywhere on R^3; no proof of injectivity, which needs 3\n"
    )


def test_the_time_limit_of_verify(tmp_path, run_main):
    np.save(tmp_path / "w.npy", gaussian(60, 6))
    assert run_main("check", tmp_path / "w.npy", "--certificate", tmp_path / "c.json").returncode == 0
    for option, code, words in (("100", 0, "valid: "), ("1e-9", 1, "refused: the check did not end in the 1e-09 sec")):
        run = run_main("verify", tmp_path / "c.json", tmp_path / "w.npy", "--time-limit", option)
        assert run.returncode == code
        assert run.stdout.startswith(words)
    assert run_main("verify", tmp_path / "c.json", tmp_path / "w.npy", "--time-limit", "0").returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["\nvalid: the layer is injective", "\ud800", "\x1b[2J", "\u202e", "[red]", "x" * 10_000]
)
def test_text_of_a_file_forges_no_line(tmp_path, run_main, text):
    rows = gaussian(30, 3)
    np.save(tmp_path / "w.npy", rows)
    run_main("check", tmp_path / "w.npy", "--certificate", tmp_path / "c.json")
    document = json.loads((tmp_path / "c.json").read_text())
    for key in (*document, text):
        (tmp_path / "c.json").write_text(json.dumps(document | {key: text}))
        run = run_main("verify", tmp_path / "c.json", tmp_path / "w.npy")
        assert run.returncode == 1, key
        assert run.stdout.startswith("refused: ")
        assert run.stdout.count("\n") == 1
        assert run.stdout[:-1].isprintable()
        assert len(run.stdout) < 700


def test_names_of_files_forge_no_line(tmp_path, run_main):
    name = "x\nvalid: [bold]\x1b[2J.json"
    np.save(tmp_path / "w.npy", gaussian(30, 3))
    for content in ("{}", '{"format": "polyinj collision", "version": 1}'):
        (tmp_path / name).write_text(content)
        run = run_main("verify", tmp_path / name, tmp_path / "w.npy")
        assert run.returncode == 1
        assert run.stdout.startswith("refused: ")
        assert run.stdout[:-1].isprintable()
    wrote = run_main("check", tmp_path / "w.npy", "--certificate", tmp_path / name)
    assert wrote.returncode == 0
    assert "x\\nvalid: [bold]\\x1b[2J.json" in wrote.stdout.splitlines()[-1]
    missing = run_main("verify", tmp_path / f"no{name}", tmp_path / "w.npy")
    assert missing.returncode == 2
    assert missing.stderr.count("\n") == 1


@pytest.mark.slow
def test_what_stopped_the_search_is_shown(tmp_path, run_main):
    np.save(tmp_path / "w.npy", gaussian(168, 24))
    for option, value, name in (("--node-limit", 50, "node_limit"), ("--memory-limit", 1, "memory_limit")):
        run = run_main("check", tmp_path / "w.npy", option, value)
        assert run.returncode == 3
        assert f"stopped by {name}: " in run.stdout
        assert json.loads(run_main("check", tmp_path / "w.npy", option, value, "--json").stdout)["stopped_by"] == name


def test_nonnegative_inputs(tmp_path, run_main):
    np.save(tmp_path / "w.npy", np.eye(3))
    assert run_main("check", tmp_path / "w.npy").returncode == 1
    assert run_main("check", tmp_path / "w.npy", "--nonnegative").returncode == 0


def test_thresholds(run_main):
    assert "8.34463296085472477088382" in run_main("thresholds").stdout
    rows = json.loads(run_main("thresholds", "--json").stdout)
    assert next(row["name"] for row in rows) == "mean-direction"


@pytest.mark.slow
def test_expected(run_main):
    printed = run_main("expected", "--n", 2, "--m", 8)
    assert "0.4375" in printed.stdout
    assert json.loads(run_main("expected", "--n", 2, "--m", 8, "--json").stdout)["P(not injective)"] == 0.375
    assert run_main("expected", "--n", 0, "--m", 8).returncode == 2
    # Counts with more digits than Python writes by default, and E chi beyond floats.
    large = run_main("expected", "--n", 5000, "--m", 38000).stdout
    assert "e+6" in large.split("E chi")[0]
    assert "beyond floating point" in large
    exact = run_main("expected", "--n", 5000, "--m", 38000, "--json").stdout
    assert '"E chi": null' in exact
    assert any(len(line) > 6000 for line in exact.splitlines())


@pytest.mark.slow
def test_a_budget_of_active_neurons(run_main):
    found = json.loads(run_main("expected", "--n", 2, "--m", 8, "--max-positive", 2, "--json").stdout)
    assert (found["max_positive"], found["E chi"], found["P(some input: <= 2 active)"]) == (2, 1.3125, 0.875)
    assert found["P(some input: <= 2 active) <= (minimal cells)"] >= 0.875
    orthant = json.loads(run_main("expected", "--n", 5, "--m", 9, "--max-positive", 0, "--json").stdout)
    assert orthant["P(some input: <= 0 active)"] == orthant["P(some input has no active neuron)"]
    assert "max_positive is -1" in run_main("expected", "--n", 2, "--m", 8, "--max-positive", -1).stderr
    assert "5.361658765623" in run_main("thresholds", "--budget", 0.5).stdout
    assert "leave out --out" in run_main("thresholds", "--budget", 2, "--out", "x.png").stderr


@pytest.mark.slow
def test_bad_files_are_one_clear_line(tmp_path, run_main):
    np.savez(tmp_path / "two.npz", a=np.eye(2), b=np.eye(2))
    np.save(tmp_path / "pickled.npy", np.array([[None]]), allow_pickle=True)
    np.save(tmp_path / "complex.npy", np.eye(2) * 1j)
    np.save(tmp_path / "nan.npy", np.full((2, 2), np.nan))
    np.save(tmp_path / "flat.npy", np.ones(3))
    np.save(tmp_path / "w.npy", gaussian(5, 2))
    (tmp_path / "text.csv").write_text("a,b\n1,2\n")
    (tmp_path / "w.txt").write_text("1,2")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "broken.npy").write_bytes(b"\x93NUMPY garbage")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04")
    np.savez(tmp_path / "archive.npz", np.eye(2))
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    cases = {
        ("archive.npy",): "is not what its suffix says",
        ("missing.npy",): "is no file",
        ("w.txt",): "expected .npy, .npz, .csv or .safetensors",
        ("two.npz",): "name one with --key",
        ("two.npz", "--key", "c"): "has no array 'c'; it holds a, b",
        ("w.npy", "--key", "c"): "only .npz or .safetensors files have keys",
        ("w.npy", "--bias", tmp_path / "flat.npy"): "bias has shape (3,); expected (5,)",
        ("pickled.npy",): "allow_pickle=False",
        ("complex.npy",): "dtype complex128",
        ("nan.npy",): "weights[0, 0] is nan",
        ("flat.npy",): "weights has shape (3,)",
        ("text.csv",): "cannot be read as .csv",
        ("empty.csv",): "is empty; expected lines",
        ("broken.npy",): "cannot be read as .npy",
        ("broken.npz",): "cannot be read as .npz",
    }
    for (name, *options), message in cases.items():
        run = run_main("check", tmp_path / name, *options)
        assert run.returncode == 2, (name, run)
        assert message in run.stderr
        assert len(run.stderr.strip().splitlines()) == 1, run.stderr


@pytest.mark.slow
def test_unexpected_errors_exit_70(tmp_path):
    (tmp_path / "results").write_text("a file where the folder should be")
    run = shell("transition", "--n", "1", "--aspect-ratios", "1", "--trials", 1, "--workers", 1, cwd=tmp_path)
    assert run.returncode == 70


@pytest.mark.slow
def test_the_installed_command_decides(tmp_path):
    np.save(tmp_path / "w.npy", gaussian(7, 3))
    assert shell("check", "w.npy", cwd=tmp_path).returncode == 1
    assert shell("check", "nothing.npy", cwd=tmp_path).returncode == 2
