"""Files of certificates that are made to hurt: each is refused in a second and 200 MB, by one clean line."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
import zlib
from fractions import Fraction

import numpy as np
import pytest
from reference.prover import BRANCH, SPANNING, rank_proof

from polyinj.certificates.clause_table import padded
from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.json_format import LARGEST_NUMBER, write_document
from polyinj.certificates.layer import read_layer
from polyinj.certificates.layer_certificate import load_certificate, verify_certificate
from polyinj.certificates.layer_collision import Collision
from polyinj.certificates.layer_point import NonspanningPoint
from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.errors import CertificateError, InputError, printable

PLUS_MINUS = [[1, 0], [0, 1], [-1, 0], [0, -1]]
BALL = Ball([2, 0], 1)
BOX = Box([0, -1], [1, 1])
MANY = 300_000
LONGER = "1" + "0" * 10**6


def as_document(certificate, folder):
    certificate.save(folder / "made.json")
    return json.loads((folder / "made.json").read_text())


def spanning():
    return rank_proof(PLUS_MINUS), PLUS_MINUS, None


def depth():
    layer = read_layer(PLUS_MINUS)
    parts = {"claim": "depth", "budget": 1, "blocks": [[0, 1, 2, 3]], "circuits": [[1, 3], [2, 4]]}
    return InjectivityProof.of(layer, trees=[[4, 1, 2, 0, 1]], **parts), PLUS_MINUS, None


def collision():
    return Collision.of(read_layer(np.eye(2)), [-1, 2], [-3, 2]), np.eye(2), None


def point():
    return NonspanningPoint.of(read_layer(np.eye(2)), [-1, 2]), np.eye(2), None


def boxed():
    return rank_proof(PLUS_MINUS, None, BOX), PLUS_MINUS, BOX


def balled():
    return rank_proof(PLUS_MINUS, None, BALL, cuts=[[-2, 0]]), PLUS_MINUS, BALL


def changed(start, **fields):
    """A document with other fields; text "@" stands for a JSON integer of 5001 digits."""
    return start, lambda document: json.dumps(document | fields).replace('"@"', LONG_TEXT).encode()


LONG_TEXT = "1" + "0" * 4999 + "1"


def raw(text):
    return spanning, lambda _: text


def with_columns(columns, clauses):
    return changed(spanning, columns=columns, budget=columns - 1, circuits=clauses)


def hostile():
    """Name: (certificate to start from, document -> bytes, what the message says)."""
    ratio = f"{LONG_TEXT}/1"
    cases = {
        f"a JSON integer of 5001 digits in {key}": (*changed(start, **{key: value}), "4300 digits|not a certificate")
        for start, key, value in (
            (spanning, "rows", "@"),
            (spanning, "columns", "@"),
            (spanning, "version", "@"),
            (depth, "budget", "@"),
            (depth, "blocks", [[0, "@"]]),
            (depth, "circuits", [[1, "@"]]),
            (depth, "trees", [["@"]]),
            (collision, "x", ["@", 1]),
        )
    }
    cases |= {
        f"a ratio of 5001 digits in {key}": (*changed(start, **{key: value}), message)
        for start, key, value, message in (
            (collision, "x", [ratio, "0/1"], "a number of 5001 digits"),
            (collision, "y", ["0/1", f"1/{LONG_TEXT}"], "a number of 5001 digits"),
            (boxed, "domain", {"lower": [ratio, None], "upper": [None, None]}, "not about the box"),
            (balled, "domain", {"centre": [ratio, "0/1"], "radius": "1/1"}, "not about the ball"),
            (balled, "domain", {"centre": ["0/1", "0/1"], "radius": ratio}, "not about the ball"),
            (balled, "cuts", [[ratio, "0/1"]], "a number of 5001 digits"),
            (point, "point", [ratio, "0/1"], "the point has a number of 16610 bits; allowed are 2080"),
            (point, "direction", ["0/1", f"1/{LONG_TEXT}"], "the direction has a number of 16610 bits"),
        )
    }
    cases |= {
        f"a ratio of a million digits in {key}": (*changed(start, **{key: value}), "a number of 1000001 digits")
        for start, key, value in (
            (collision, "x", [f"{LONGER}/1", "0/1"]),
            (point, "point", [f"{LONGER}/1", "0/1"]),
            (point, "direction", [f"{LONGER}/1", "0/1"]),
            (boxed, "domain", {"lower": [f"1/{LONGER}", None], "upper": [None, None]}),
            (balled, "domain", {"centre": ["0/1", "0/1"], "radius": f"{LONGER}/1"}),
            (balled, "cuts", [["0/1", f"-{LONGER}/3"]]),
        )
    }
    cases |= {
        f"{name} in {key}": (*changed(start, **{key: text}), "")
        for name, text in (
            ("half a surrogate pair", "\ud800"),
            ("a forged line", "\nvalid: yes"),
            ("mail", "x" * 10**6),
        )
        for start, keys in (
            (depth, ("format", "version", "sha256", "rows", "bias", "domain", "claim", "budget", "blocks", "trees")),
            (collision, ("x", "y")),
            (point, ("point", "direction")),
            (balled, ("cuts", text)),
        )
        for key in keys
    }
    many = list(range(1, 26_001))
    return cases | {
        "a clause of 26,000 literals": (*changed(spanning, circuits=[many]), "no circuit has more than 3"),
        "a literal 26,000 times": (*changed(spanning, circuits=[[1] * 26_000]), "no circuit has more than 3"),
        "one long clause, many short ones": (
            *with_columns(10**6, [many, *[[1]] * 60_000]),
            "the certificate is for weights of shape",
        ),
        "30,000 empty blocks": (*changed(depth, blocks=[[]] * 30_000, trees=[[]] * 30_000), "30000 blocks"),
        "one empty block": (*changed(depth, blocks=[[0, 1, 2, 3], []], trees=[[], []]), "the shortest of 0 rows"),
        "more blocks than budget + 1": (
            *changed(depth, blocks=[[0], [1], [2, 3]], trees=[[]] * 3),
            "3 blocks, the shortest of 1 rows; expected 1 to 1 + 1",
        ),
        "a budget of all rows": (*changed(depth, budget=4), "more than the budget 4"),
        "a row many times": (*changed(depth, blocks=[[0] * MANY]), "at most the 4 rows"),
        "a row twice in a block": (*changed(depth, blocks=[[0, 1, 0]]), "a row stands twice"),
        "no blocks, a huge budget": (*changed(depth, blocks=[], budget=2**31 - 1), "0 blocks"),
        "a tree of many branches": (*changed(spanning, trees=[[BRANCH, 0] * MANY]), "row 0 is not free"),
        "many clauses in a packing": (
            *changed(spanning, trees=[[SPANNING, MANY, *[0] * MANY]]),
            "a list of 300000 clauses; expected 0 to 2",
        ),
        "a point of many entries": (*changed(collision, x=["0/1"] * MANY), "300000 entries; expected 2"),
        "a witness of many entries": (*changed(point, point=["0/1"] * MANY), "300000 entries; expected 2"),
        "a direction of many entries": (*changed(point, direction=["0/1"] * MANY), "300000 entries; expected 2"),
        "a cut of many entries": (*changed(balled, cuts=[["0/1"] * MANY]), "300000 entries; expected 2"),
        "a box of many sides": (
            *changed(boxed, domain={"lower": ["0/1"] * MANY, "upper": [None] * MANY}),
            "300000 entries; expected 2",
        ),
        "rows beyond 2^31": (*changed(spanning, rows=2**31), "expected an integer below"),
        "as many rows as there may be": (*changed(spanning, rows=2**31 - 1), "weights of shape (2147483647, 2)"),
        "as many columns as there may be": (
            *changed(collision, columns=2**31 - 1),
            "weights of shape (2, 2147483647)",
        ),
        "another layer": (*changed(spanning, sha256="0" * 64, circuits=[many], blocks=[0] * MANY), "another layer"),
        "lists in lists": (*raw(b"[" * 10**6), "recursion|not a certificate"),
        "objects in objects": (*raw(b'{"a":' * 10**6), "recursion|not a certificate"),
        "a key twice": (*raw(b'{"format": 1, "format": 1}'), "a key occurs twice"),
        "a key twice inside": (
            spanning,
            lambda d: json.dumps(d | {"domain": "@"}).replace('"@"', '{"lower": [], "lower": []}').encode(),
            "a key occurs twice",
        ),
        "NaN": (*changed(spanning, budget=float("nan")), "holds the number NaN"),
        "infinity": (*changed(spanning, budget=float("inf")), "holds the number Infinity"),
        "minus infinity": (*changed(spanning, trees=[[-float("inf")]]), "holds the number -Infinity"),
        "a decimal": (*changed(spanning, budget=1.0), "holds the number 1.0"),
        "a long decimal": (*raw(b'{"budget": 0.' + b"1" * 10**6 + b"}"), "holds the number 0.111"),
        "half a number": (*raw(b'{"budget": -}'), "not a certificate"),
    }


HOSTILE = hostile()


def refused(path, weights, domain):
    """What the checker says of a hostile file; it may take a second and 200 MB for it."""
    started = time.process_time()
    with pytest.raises(CertificateError) as fault:
        verify_certificate(path, weights, domain=domain)
    # A second on an idle machine; without the bounds some take minutes.
    assert time.process_time() - started < 10
    tracemalloc.start()
    try:
        with pytest.raises(CertificateError):
            verify_certificate(path, weights, domain=domain)
        assert tracemalloc.get_traced_memory()[1] < 200e6
    finally:
        tracemalloc.stop()
    said = str(fault.value)
    assert len(said) < 500
    assert said.isprintable()
    return said


@pytest.mark.slow
@pytest.mark.parametrize("case", sorted(HOSTILE))
@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_hostile_files(case, suffix, tmp_path):
    start, tamper, message = HOSTILE[case]
    certificate, weights, domain = start()
    certificate.verify(weights, domain=domain)
    text = tamper(as_document(certificate, tmp_path))
    path = tmp_path / f"hostile{suffix}"
    path.write_bytes(gzip.compress(text, mtime=0) if suffix == ".json.gz" else text)
    said = refused(path, weights, domain)
    # Where a short file holds a long text, that is the first fault.
    assert any(part in said for part in message.split("|")) or (suffix == ".json.gz" and "compressed in it" in said)


@pytest.mark.slow
def test_transversals_of_all_nodes_are_bounded(tmp_path):
    # Each branch leaves one more node with 2^13 transversals; none alone has a million.
    n, copies = 14, 400
    identity = np.eye(n, dtype=np.int64)
    weights = [*identity.tolist(), *(-identity).tolist(), *[identity[0].tolist()] * copies]
    clauses = [[i + 1, n + i + 1] for i in range(n)]
    tree = [entry for row in range(2 * n, 2 * n + copies) for entry in (BRANCH, row)]
    tree += [SPANNING, n - 1, *range(1, n)] * copies + [SPANNING, n, *range(n)]
    layer = read_layer(weights)
    proof = InjectivityProof.of(layer, claim="spanning", budget=n - 1, blocks=[], circuits=clauses, trees=[tree])
    proof.save(tmp_path / "hostile.json")
    assert "transversals together" in refused(tmp_path / "hostile.json", weights, None)
    few = [BRANCH, 2 * n, SPANNING, n - 1, *range(1, n), SPANNING, n, *range(n)]
    InjectivityProof.of(layer, claim="spanning", budget=n - 1, blocks=[], circuits=clauses, trees=[few]).verify(weights)


def bomb(text, copies):
    """One gzip member that holds the text many times over."""
    press = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join([*(press.compress(text) for _ in range(copies)), press.flush()])


@pytest.mark.slow
@pytest.mark.parametrize("text", [b" ", b"[],", b"1,", b"["])
def test_bombs_of_gzip(text, tmp_path):
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(bomb(text * (1 << 20), 100 // len(text)))
    assert path.stat().st_size < 500_000
    assert "compressed in it; allowed are 1048576 and 32 times the size" in refused(path, PLUS_MINUS, None)


def test_one_gzip_member_alone(tmp_path):
    path = tmp_path / "proof.json.gz"
    spanning()[0].save(path)
    whole = path.read_bytes()
    verify_certificate(path, PLUS_MINUS)
    text = gzip.decompress(whole)
    for content, fault in (
        (whole + whole, "something follows the gzip member"),
        (gzip.compress(text[:50]) + gzip.compress(text[50:]), "something follows the gzip member"),
        (whole + b"\0", "something follows the gzip member"),
        (whole[:-1], "the gzip member is cut off"),
        (whole[:30], "the gzip member is cut off"),
        (whole[:-8] + b"\0" * 8, "not a certificate"),
        (text, "not a certificate"),
        (b"", "the gzip member is cut off"),
    ):
        path.write_bytes(content)
        assert fault in refused(path, PLUS_MINUS, None)


def test_what_compresses_too_well_is_stored(tmp_path):
    path = tmp_path / "long.json.gz"
    write_document(path, "polyinj collision", {"zeros": [0] * 10**6})
    assert len(gzip.decompress(path.read_bytes())) > 2 * 10**6
    with pytest.raises(CertificateError, match="the field 'rows' is missing"):
        load_certificate(path)


def test_sizes_without_a_layer_at_hand(tmp_path):
    # What a file says of its own layer is no measure: the table of clauses is bounded by the literals.
    _, tamper = with_columns(10**6, [list(range(1, 26_001)), *[[1]] * 60_000])
    path = tmp_path / "hostile.json"
    path.write_bytes(tamper(as_document(spanning()[0], tmp_path)))
    tracemalloc.start()
    try:
        with pytest.raises(CertificateError, match="a clause of 26000 literals among 60001 clauses of 86000 together"):
            load_certificate(path)
        assert tracemalloc.get_traced_memory()[1] < 200e6
    finally:
        tracemalloc.stop()
    assert padded([[1] * 1000, *[[1]] * 10_000]).shape == (10_001, 1000)


def test_no_number_is_longer_than_a_file_may_hold(tmp_path):
    layer = read_layer([[1]])
    long, longer = 10 ** (LARGEST_NUMBER - 1), 10**LARGEST_NUMBER
    Collision.of(layer, [-long], [Fraction(-1, long)]).save(tmp_path / "pair.json")
    loaded = load_certificate(tmp_path / "pair.json")
    assert loaded.x == (-long,)
    assert repr(loaded).isprintable()
    with pytest.raises(CertificateError, match=r"x and y has a number of \d+ bits; allowed are \d+ for this layer"):
        loaded.verify([[1]])
    with pytest.raises(InputError, match="more than 100000 digits"):
        Collision.of(layer, [-longer], [-1]).save(tmp_path / "longer.json")
    assert not (tmp_path / "longer.json").exists()


def test_a_device_is_no_certificate(tmp_path):
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    with pytest.raises(InputError, match="is a device"):
        load_certificate(tmp_path / "zero.json")


@pytest.mark.parametrize("name", ["proof", "depth", "pair", "point"])
def test_the_time_limit(name):
    certificate, weights, _ = {"proof": spanning, "depth": depth, "pair": collision, "point": point}[name]()
    certificate.verify(weights, time_limit=100)
    with pytest.raises(CertificateError, match="did not end in the 1e-12 seconds of its time limit"):
        certificate.verify(weights, time_limit=1e-12)
    for limit in (0, -1, float("nan")):
        with pytest.raises(InputError, match="time_limit is"):
            certificate.verify(weights, time_limit=limit)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain é", "plain é"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\ud800\u202e\x1b\x7f\u2028", "\\ud800\\u202e\\x1b\\x7f\\u2028"),
        (10**5000, "an integer of 16610 bits"),
        ([10**5000, "\n"], "[an integer of 16610 bits, '\\n']"),
        ([[[[[1]]]]] * 100, None),
        ("x" * 200, "x" * 117 + "..."),
        ("\ud800" * 200, None),
    ],
    ids=range(8),
)
def test_text_from_outside_is_printable(value, shown):
    assert printable(value).isprintable()
    assert len(printable(value)) <= 120
    assert shown is None or printable(value) == shown
    assert printable(printable(value)) == printable(value)
