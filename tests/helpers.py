"""What several tests share: layers and networks that are drawn, and a verdict that is checked twice."""

import json
import random
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from reference import injectivity as reference

from polyinj import InjectivityProof, NonspanningPoint, Verdict, decide_injectivity


def gaussian(m, n, seed=0):
    return np.random.default_rng(seed).standard_normal((m, n))


FOLD = [[[1, 0], [0, 1], [-1, 0], [0, -1]], [[0, 1, -1, 1], [1, 1, 1, 1], [1, 2, 1, 0]]]


def gaussian_network(n, m, depth, seed):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((m, k)) for k in (n, *[m] * (depth - 1))]


def small_network(seed, n):
    """Small integers, rich in zero, repeated and dependent rows; often [I; -I] first and nearly the identity later."""
    rng = random.Random(seed)
    depth = rng.choice([1, 2, 2, 3])
    bound = rng.choice([1, 1, 2])

    def matrix(rows, columns):
        return [[rng.randint(-bound, bound) for _ in range(columns)] for _ in range(rows)]

    def identity(size, sign=1):
        return [[sign * (i == j) for j in range(size)] for i in range(size)]

    weights = []
    columns = n
    for layer in range(depth):
        if layer == 0 and rng.random() < 0.7:
            rows = identity(n) + identity(n, -1) + matrix(rng.randint(0, 1), n)
        elif layer and rng.random() < 0.5:
            rows = identity(columns)
            for _ in range(rng.randint(0, 2)):
                rows[rng.randrange(columns)][rng.randrange(columns)] += rng.choice([-1, 1])
            rows += matrix(rng.randint(0, 1), columns)
        else:
            rows = matrix(rng.randint(2, 2 * n + 1), columns)
        weights.append(rows)
        columns = len(rows)
    if rng.random() < 0.65:
        return weights, None
    return weights, [[rng.randint(-bound, bound) for _ in rows] for rows in weights]


def exact(values):
    """Entries as Fractions, rows as lists."""
    return None if values is None else [exact(x) if np.ndim(x) else Fraction(x) for x in np.asarray(values).tolist()]


def document(certificate):
    """The parsed file of a certificate."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "certificate.json")
        certificate.save(path)
        return json.loads(path.read_text())


def check_verdict(injective, weights, bias=None, by_reference=True, **options):
    """Decide: the verdict is this one and assumes nothing; its certificate holds, by the checker and the reference."""
    decision = decide_injectivity(weights, bias, **options)
    assert decision.verdict is (Verdict.INJECTIVE if injective else Verdict.NOT_INJECTIVE)
    assert not decision.assumes_general_position
    certificate = decision.certificate
    assert isinstance(certificate, InjectivityProof) == injective
    decision.verify()
    if by_reference and injective:
        reference.verify_proof(document(certificate), exact(weights), exact(bias))
    elif by_reference:
        if isinstance(certificate, NonspanningPoint):
            reference.verify_point(document(certificate), exact(weights), exact(bias))
        pair = decision.collision()
        reference.verify_collision(pair.x, pair.y, exact(weights), exact(bias), options.get("domain"))
    return decision
