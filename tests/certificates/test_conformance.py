"""The certificates of docs/conformance, for other checkers: this one and its slow reference agree with the index."""

from __future__ import annotations

import gzip
import json
from fractions import Fraction

import numpy as np
import pytest
from layer_conformance import FOLDER, INDEX, cases, index
from reference.injectivity import Refused, verify_point, verify_proof, verify_spectral

from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.layer_certificate import verify_certificate
from polyinj.certificates.layer_collision import Collision
from polyinj.certificates.layer_point import NonspanningPoint
from polyinj.errors import CertificateError

CASES = json.loads((FOLDER / INDEX).read_text())


def number(entry):
    return Fraction(entry) if isinstance(entry, str) else entry


def domain_of(fields):
    if fields is None:
        return None
    if "radius" in fields:
        return Ball([Fraction(entry) for entry in fields["centre"]], Fraction(fields["radius"]))
    return Box(*([None if side is None else Fraction(side) for side in fields[key]] for key in ("lower", "upper")))


def layer_of(case):
    weights = np.array([[number(entry) for entry in row] for row in case["weights"]])
    bias = None if case["bias"] is None else np.array([number(entry) for entry in case["bias"]])
    return weights, bias, domain_of(case["domain"])


@pytest.mark.parametrize("case", CASES, ids=[case["file"] for case in CASES])
def test_the_checker_agrees_with_the_index(case):
    assert case["reason"]
    assert case["valid"] == (case["proves"] is not None)
    if not case["valid"]:
        with pytest.raises(CertificateError):
            verify_certificate(FOLDER / case["file"], *layer_of(case))
        return
    found = verify_certificate(FOLDER / case["file"], *layer_of(case))
    if isinstance(found, Collision | NonspanningPoint):
        assert case["proves"] == "not injective"
    elif not found.counts_enough:
        assert case["proves"] == f"at least {found.budget + 1} row is active everywhere; no proof of injectivity"
    else:
        assumed = " if the rows are in general position" * found.assumes_general_position
        assert case["proves"] == f"injective{assumed}"


@pytest.mark.parametrize("case", CASES, ids=[case["file"] for case in CASES])
def test_the_reference_agrees_where_it_reads_the_file(case):
    content = (FOLDER / case["file"]).read_bytes()
    try:
        document = json.loads(gzip.decompress(content) if case["file"].endswith(".gz") else content)
    except ValueError:
        assert not case["valid"]
        return
    known = {"claim": verify_proof, "point": verify_point, "multipliers": verify_spectral}
    verify = next((known[field] for field in known if field in document), None)
    if verify is None:
        return
    weights = [[Fraction(entry) for entry in row] for row in case["weights"]]
    bias = None if case["bias"] is None else [Fraction(entry) for entry in case["bias"]]
    if case["valid"] and "former" not in case["file"]:
        verify(document, weights, bias)
    elif case["file"].startswith(
        ("layer-clause", "layer-tree", "layer-block", "layer-cut", "layer-trap", "layer-point", "layer-moments")
    ):
        with pytest.raises(Refused):
            verify(document, weights, bias)


def test_the_files_are_those_that_the_script_makes():
    found = cases()
    assert (FOLDER / INDEX).read_text() == index(found)
    assert {path.name for path in FOLDER.glob("layer-*")} == {INDEX, *(case.name for case in found)}
    assert all(case.name.endswith(".gz") or (FOLDER / case.name).read_bytes() == case.text for case in found)
    assert len({case.name for case in found}) == len(found) >= 40
