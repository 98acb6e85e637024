"""Make the certificates of one layer in docs/conformance, valid ones and ones that are invalid in one way each.

    python tests/certificates/layer_conformance.py

writes `layer-*.json` and `layer-index.json` again; the tests compare them with what lies there.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from reference.prover import count_proof, rank_proof

from polyinj.certificates.clause_table import padded
from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.layer import LayerName, read_layer
from polyinj.certificates.layer_collision import Collision
from polyinj.certificates.layer_point import NonspanningPoint
from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.certificates.layer_spectral import SpectralProof

FOLDER = Path(__file__).parents[2] / "docs" / "conformance"
INDEX = "layer-index.json"

STAR = [[2, 0], [1, 2], [-2, 1], [-2, -1], [1, -2]]
PLUS_MINUS = [[1, 0], [0, 1], [-1, 0], [0, -1]]
AXES = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0], [0, -1, 0], [0, 0, -1]]
TRAP = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [1, 1, 0], [-1, -1, 0], [0, 0, 1]]
OCTAGON = [[3, 0], [2, 2], [0, 3], [-2, 2], [-3, 0], [-2, -2], [0, -3], [2, -2]]
MOMENT = [[(-1) ** t, (-1) ** t * t, (-1) ** t * t * t] for t in range(1, 9)]
SHIFTED, OFFSETS = [[1, 0], [0, 1], [-1, 0], [0, -1], [1, 1], [-1, 1]], [1, 0, Fraction(1, 2), 3, 1, 1]
BOX = Box([-1, Fraction(-1, 3)], [2, None])
BALL = Ball([2, 0], Fraction(13, 10))


@dataclass(frozen=True)
class Case:
    """A file: its text, the layer and the domain that a checker is asked about, and what it has to answer."""

    name: str
    text: bytes
    weights: list
    bias: list | None
    domain: dict | None
    proves: str | None
    reason: str

    def entry(self):
        """The line of the index."""
        return {
            "file": self.name,
            "weights": [[_number(entry) for entry in row] for row in self.weights],
            "bias": None if self.bias is None else [_number(entry) for entry in self.bias],
            "domain": self.domain,
            "valid": self.proves is not None,
            "proves": self.proves,
            "reason": self.reason,
        }


def _number(entry):
    return int(entry) if Fraction(entry).denominator == 1 else f"{Fraction(entry)}"


def document(certificate):
    """The fields that `save` writes."""
    with tempfile.TemporaryDirectory() as folder:
        certificate.save(Path(folder) / "certificate.json")
        return json.loads((Path(folder) / "certificate.json").read_text())


def text(fields):
    """One field a line."""
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in fields.items())
    return ("{" + ",\n ".join(lines) + "}\n").encode()


def spanning(weights, bias=None, domain=None, *, circuits, tree, cuts=()):
    layer = read_layer(weights, bias, domain).covered(cuts)
    parts = {
        "claim": "spanning",
        "budget": len(weights[0]) - 1,
        "blocks": [],
        "circuits": padded(circuits),
        "trees": [tree],
    }
    return InjectivityProof.of(layer, **parts)


def depth(weights, budget, blocks, circuits, trees):
    layer = read_layer(weights)
    return InjectivityProof.of(
        layer, claim="depth", budget=budget, blocks=blocks, circuits=padded(circuits), trees=trees
    )


class Cases:
    """The list as it grows."""

    def __init__(self):
        self.found = []

    def valid(self, name, certificate, weights, bias=None, *, proves, reason, fields=None, asked=..., raw=None):
        """A certificate that holds; returns what `tampered` changes."""
        fields = document(certificate) if fields is None else fields
        asked = fields["domain"] if asked is ... else asked
        self.found.append(Case(f"layer-{name}", raw or text(fields), weights, bias, asked, proves, reason))
        return fields, weights, bias, asked

    def tampered(self, name, start, reason, change=None, *, raw=None, asked=...):
        """The same in one way wrong: `change` alters the fields, `raw` the text."""
        fields, weights, bias, domain = start
        fields = json.loads(json.dumps(fields))
        if change is not None:
            change(fields)
        made = text(fields) if raw is None else raw(text(fields))
        asked = domain if asked is ... else asked
        self.found.append(Case(f"layer-{name}", made, weights, bias, asked, None, reason))


def put(key, value, *path):
    """A change: the entry at a path below a field gets another value."""

    def change(fields):
        place = fields
        for step in (key, *path)[:-1]:
            place = place[step]
        place[(key, *path)[-1]] = value

    return change


INJECTIVE, NOT_INJECTIVE = "injective", "not injective"
GENERAL = "injective if the rows are in general position"


def cases():
    """Every case, in the order of the index."""
    made = Cases()
    valid, tampered = made.valid, made.tampered

    star = valid(
        "spanning.json",
        spanning(STAR, circuits=[[1, 2, 4], [-1, 2, 5], [1, 3, 5]], tree=[3, 0, 7, 5, 1, 6, 2, 0, 2]),
        STAR,
        proves=INJECTIVE,
        reason="the first example of the page: branch, flat, contradiction, spanning",
    )
    count = valid(
        "depth.json",
        depth(
            STAR,
            1,
            [[0, 1, 2, 3, 4]],
            [[-1, -2, -4], [1, 2, 4], [-1, 2, 5], [1, 3, 5]],
            [[2, 1, 1, 1, 1, 3, 1, 2, 1, 0, 4, 1, 0]],
        ),
        STAR,
        proves=GENERAL,
        reason="the second example of the page: one block; fill, unit, packing",
    )
    corner = [[1, 0], [0, 1]]
    box = Box([-3, -3], [None, None])
    pair = valid(
        "collision.json",
        Collision.of(read_layer(corner, [0, 1], box), [Fraction(-1, 2), 2], [-3, 2]),
        corner,
        [0, 1],
        proves=NOT_INJECTIVE,
        reason="the third example of the page: y lies on the boundary of the box, which is closed",
    )
    axes = [[1, 0], [0, 1], [0, -1]]
    ball = valid(
        "ball.json",
        spanning(axes, None, BALL, circuits=[[2, 3], [1, -4, -5]], tree=[1, 1, 7, 5, 0], cuts=[[Fraction(-27, 20), 0]]),
        axes,
        proves=INJECTIVE,
        reason="the fourth example of the page: a cut of a ball, and the sides that follow",
    )
    blocks = valid(
        "two-blocks.json",
        depth(PLUS_MINUS, 1, [[0, 2], [1, 3]], [[1, 3], [2, 4]], [[4, 1, 1, 0], [4, 1, 1, 1]]),
        PLUS_MINUS,
        proves=GENERAL,
        reason="two blocks: the second tree may use the bound floor((K - 1) / 2)",
    )
    valid(
        "three-blocks.json",
        count_proof(MOMENT, blocks=3),
        MOMENT,
        proves=GENERAL,
        reason="three blocks and three trees, rows of one block far apart",
    )
    valid(
        "count-below.json",
        depth(PLUS_MINUS, 0, [[0, 1, 2, 3]], [[1, 3]], [[4, 1, 1, 0]]),
        PLUS_MINUS,
        proves="at least 1 row is active everywhere; no proof of injectivity",
        reason="K < n - 1: a valid lower bound of the count, and nothing else",
    )
    valid(
        "not-injective-deep.json",
        depth(TRAP, 2, [list(range(7))], [[1, 2], [3, 4], [5, 6]], [[4, 1, 3, 0, 1, 2]]),
        TRAP,
        proves=GENERAL,
        reason="K = n - 1 and the rows are not in general position: the count holds, and the layer is not injective",
    )
    bias = valid(
        "bias.json",
        rank_proof(SHIFTED, OFFSETS),
        SHIFTED,
        OFFSETS,
        proves=INJECTIVE,
        reason="affine form, N = n + 1, and a side literal -(m + 1)",
    )
    boxed = valid(
        "box.json",
        rank_proof(PLUS_MINUS, None, BOX),
        PLUS_MINUS,
        proves=INJECTIVE,
        reason="a box that is no cone: affine form without bias",
    )
    orthant = valid(
        "orthant.json",
        rank_proof([[1, 0], [1, 2]], None, Box.nonnegative(2)),
        [[1, 0], [1, 2]],
        proves=INJECTIVE,
        reason="a box whose sides are all 0 or absent: linear form, with two sides",
    )
    around = valid(
        "ball-around-0.json",
        rank_proof(PLUS_MINUS, None, Ball([Fraction(1, 2), 0], 1)),
        PLUS_MINUS,
        proves=INJECTIVE,
        reason="0 lies inside the ball: linear form, no sides, no cuts",
    )
    thirds = [[Fraction(1, 3), 0], [0, Fraction(1, 3)], [-1, 0], [0, -1]]
    valid(
        "ratios.json",
        spanning(thirds, circuits=[[1, 3], [2, 4]], tree=[6, 2, 0, 1]),
        thirds,
        proves=INJECTIVE,
        reason="entries that are no doubles: the hash is of ratios",
    )
    everything = Box([None, None], [None, None])
    plain = spanning(PLUS_MINUS, circuits=[[1, 3], [2, 4]], tree=[6, 2, 0, 1])
    nulls = {"lower": [None, None], "upper": [None, None]}
    valid(
        "box-of-nulls.json",
        plain,
        PLUS_MINUS,
        fields=document(plain) | {"domain": nulls},
        asked=None,
        proves=INJECTIVE,
        reason="a box without a finite side is R^n, and has its hash",
    )
    former = replace(LayerName.of(read_layer(PLUS_MINUS)), sha256=read_layer(PLUS_MINUS).former_sha256())
    valid(
        "box-of-nulls-former.json",
        plain,
        PLUS_MINUS,
        fields=document(plain) | {"domain": nulls, "sha256": former.sha256},
        asked=None,
        proves=INJECTIVE,
        reason=f"the same as older files have it, with the hash of '{everything.describe()}'",
    )
    compressed = gzip.compress(text(document(plain)), mtime=0)
    flat = valid("compressed.json.gz", plain, PLUS_MINUS, raw=compressed, proves=INJECTIVE, reason="one gzip member")
    valid(
        "order.json",
        plain,
        PLUS_MINUS,
        raw=json.dumps(dict(reversed(document(plain).items())), indent=3).encode(),
        proves=INJECTIVE,
        reason="fields in another order and other white space",
    )
    half = [[1, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 1]]
    opposite = [row for one in half for row in (one, [-x for x in one])]
    valid(
        "no-live-row.json",
        spanning(
            opposite,
            circuits=[[1, 2], [3, 4], [5, 6], [7, 8]],
            tree=[3, 0, 3, 4, 6, 1, 3, 3, 5, 6, 1, 3, 6, 2, 1, 2, 6, 3, 0, 2, 3],
        ),
        opposite,
        proves=INJECTIVE,
        reason="a clause of a spanning node has no live row: there is no transversal, and nothing is required",
    )
    valid(
        "zero-row.json",
        spanning([*PLUS_MINUS, [0, 0]], circuits=[[1, 3], [2, 4]], tree=[6, 2, 0, 1]),
        [*PLUS_MINUS, [0, 0]],
        proves=INJECTIVE,
        reason="a row whose weights are all zero is never named",
    )

    half_plane = valid(
        "point.json",
        NonspanningPoint.of(read_layer([[1, 0], [0, 1], [-1, -1]]), [1, Fraction(-1, 2)]),
        [[1, 0], [0, 1], [-1, -1]],
        proves=NOT_INJECTIVE,
        reason="a point at which one row is active, fewer than two",
    )
    turned = valid(
        "point-direction.json",
        NonspanningPoint.of(read_layer(TRAP), [1, 1, -1], [0, 0, 3]),
        TRAP,
        proves=NOT_INJECTIVE,
        reason="three rows are active, and all are orthogonal to the third axis",
    )
    inside = valid(
        "point-bias-box.json",
        NonspanningPoint.of(read_layer([*corner, [0, 0]], [0, 1, 5], box), [Fraction(-1, 2), 2]),
        [*corner, [0, 0]],
        [0, 1, 5],
        proves=NOT_INJECTIVE,
        reason="a constant row is active and counts for nothing; the third number of the bias is hashed",
    )
    rounded = valid(
        "point-ball.json",
        NonspanningPoint.of(read_layer(axes[:2], None, BALL), [2, -1]),
        axes[:2],
        proves=NOT_INJECTIVE,
        reason="a point inside the ball, at distance 1 from the centre",
    )

    moments = valid(
        "moments.json",
        SpectralProof.of(read_layer(OCTAGON), 1, [1] * 8, [], [[1, 0], [0, 1]]),
        OCTAGON,
        proves=GENERAL,
        reason="M = 34 times the identity, a = 9, e = 0: 2 K a = 18 < 34",
    )
    lifted = valid(
        "moments-bias.json",
        SpectralProof.of(
            read_layer([*PLUS_MINUS, [0, 0]], [1, 1, 1, 1, -7]),
            0,
            [1, 1, 1, 1, 0],
            [4],
            [[1, 0, 0], [0, 1, 0], [0, 0, Fraction(3, 4)]],
        ),
        [*PLUS_MINUS, [0, 0]],
        [1, 1, 1, 1, -7],
        proves="at least 1 row is active everywhere; no proof of injectivity",
        reason="4 S_0 takes the sum of the rows away; the constant row has the multiplier 0",
    )

    # Another layer or domain.
    tampered("hash.json", star, "the hash is not that of the layer", lambda d: d.update(sha256=d["sha256"][::-1]))
    tampered("shape.json", star, "the layer has 5 rows, not 6", put("rows", 6))
    tampered("unbiased.json", bias, "the layer in hand has a bias", put("bias", False))
    tampered("domain-not-asked.json", boxed, "about a box, and R^n is asked about", asked=None)
    tampered(
        "another-domain.json",
        star,
        "about R^n, and a ball is asked about: a checker does not guess",
        asked={"centre": ["0/1", "0/1"], "radius": "1/1"},
    )
    larger = {"centre": ["2/1", "0/1"], "radius": "3/2"}
    tampered("larger-ball.json", ball, "the hash is that of a smaller ball", put("domain", larger), asked=larger)
    # Collisions.
    tampered("same-point.json", pair, "x = y", put("y", ["-1/2", "2/1"]))
    tampered("images-differ.json", pair, "row 1 is positive at both points and differs", put("y", ["-3/1", "9/4"]))
    tampered("outside.json", pair, "y lies outside the box", put("y", ["-4/1", "2/1"]))
    tampered("short-point.json", pair, "x has one entry", put("x", ["-1/2"]))
    tampered("not-reduced.json", pair, "2/4 is not in lowest terms", put("x", ["-2/4", "2/1"]))
    tampered("minus-zero.json", pair, "zero is written 0/1", lambda d: d.update(x=["-0/1", "2/1"]))
    tampered("plus-sign.json", pair, "a plus sign", put("x", ["-1/2", "+2/1"]))
    tampered("leading-zero.json", pair, "a leading zero", put("x", ["-1/2", "02/1"]))
    tampered("no-denominator.json", pair, "an integer is written p/1", put("x", ["-1/2", "2"]))
    tampered("json-number.json", pair, "a number of JSON in place of a ratio", put("x", ["-1/2", 2]))
    # Points.
    tampered("point-active.json", half_plane, "two rows are active", put("point", ["1/1", "-2/1"]))
    tampered("point-hyperplane.json", half_plane, "a row whose value is 0 is active", put("point", ["1/1", "0/1"]))
    tampered("point-origin.json", half_plane, "at 0 every row is active", put("point", ["0/1", "0/1"]))
    tampered("point-short.json", half_plane, "the point has one entry", put("point", ["1/1"]))
    tampered("point-no-direction.json", half_plane, "the field direction is missing", lambda d: d.pop("direction"))
    tampered("point-direction-zero.json", turned, "the direction is 0", put("direction", ["0/1"] * 3))
    tampered("point-direction-off.json", turned, "row 0 is active", put("direction", ["1/1", "0/1", "3/1"]))
    tampered("point-direction-null.json", turned, "three rows are active, and signs do not do", put("direction", None))
    tampered("point-direction-short.json", turned, "the direction has two entries", put("direction", ["0/1", "3/1"]))
    tampered("point-boundary.json", inside, "the point lies on a side of the box", put("point", ["-3/1", "2/1"]))
    tampered("point-outside.json", inside, "the point lies outside of the box", put("point", ["-4/1", "2/1"]))
    tampered("point-sphere.json", rounded, "the point lies on the sphere", put("point", ["5/2", "-6/5"]))
    # Moments.
    tampered("moments-budget.json", moments, "2 K a = 36 > 34", put("budget", 2))
    tampered("moments-negative.json", moments, "a multiplier is negative", put("multipliers", "-1/1", 0))
    tampered("moments-unbalanced.json", moments, "the sum is 18 e_1, and e is too large", put("multipliers", "7/1", 0))
    tampered("moments-few.json", moments, "a multiplier is missing", lambda d: d["multipliers"].pop())
    tampered("moments-basis.json", moments, "B is singular, and l = 0", put("basis", [["1/1", "1/1"]] * 2))
    tampered("moments-basis-short.json", moments, "B has one row", lambda d: d["basis"].pop())
    tampered("moments-sides.json", moments, "there is no side", put("sides", ["1/1"]))
    tampered("moments-position.json", moments, "general position is assumed", put("assumes_general_position", False))
    tampered("moments-zero-row.json", lifted, "the constant row is named", put("multipliers", "1/1", 4))
    tampered("moments-side-negative.json", lifted, "the multiplier of S_0 is negative", put("sides", ["-4/1"]))
    tampered("moments-side-missing.json", lifted, "S_0 has no multiplier", put("sides", []))
    # Clauses.
    tampered("clause-sign.json", star, "the relation of clause 0 has a negative coefficient", put("circuits", -1, 0, 0))
    tampered("clause-short.json", star, "two vectors of clause 0 are independent", put("circuits", [1, 2], 0))
    tampered(
        "clause-two-relations.json",
        blocks,
        "the relations among e1, -e1, e2, -e2 form no line, and N + 1 = 3 members are the most",
        put("circuits", [1, 2, 3, 4], 0),
    )
    tampered("clause-zero-coefficient.json", blocks, "e2 has the coefficient 0", put("circuits", [1, 3, 2], 0))
    tampered("clause-empty.json", star, "a clause without members", lambda d: d["circuits"].append([]))
    tampered("clause-row-twice.json", star, "two literals of row 0", put("circuits", [1, -1], 2))
    tampered("clause-no-row.json", star, "there is no row 5, and no side", put("circuits", 6, 0, 2))
    tampered(
        "clause-side-positive.json",
        orthant,
        "a side is written -(m + k + 1), never as a positive number",
        lambda d: d["circuits"].append([3, -2]),
    )
    tampered(
        "clause-unused.json",
        star,
        "no tree names the last clause, and it does not hold",
        lambda d: d["circuits"].append([1, 2]),
    )
    tampered(
        "clause-zero-row.json",
        (
            {**document(spanning([*PLUS_MINUS, [0, 0]], circuits=[[1, 3], [2, 4], [5]], tree=[6, 2, 0, 1]))},
            [*PLUS_MINUS, [0, 0]],
            None,
            None,
        ),
        "the zero vector alone is a circuit, and such rows are never named",
    )
    # Trees.
    tampered("tree-ends.json", star, "the tree ends inside a node", lambda d: d["trees"][0].pop())
    tampered("tree-goes-on.json", star, "an entry follows the last node", lambda d: d["trees"][0].append(5))
    tampered("tree-code.json", star, "there is no code 8", put("trees", 8, 0, 2))
    tampered("tree-code-of-counts.json", star, "a packing in a rank proof", put("trees", [4, 1, 1, 0], 0))
    tampered("tree-empty.json", star, "an empty tree", put("trees", [], 0))
    tampered(
        "tree-not-free.json",
        star,
        "row 0 is POS and branched on again",
        lambda d: d["trees"][0].__setitem__(slice(2, 2), [3, 0]),
    )
    tampered("tree-flat.json", star, "L = {0} has not the rank n - 1", lambda d: d["trees"][0].insert(0, 7))
    tampered(
        "tree-unit.json",
        star,
        "clause 0 has three live literals",
        lambda d: d["trees"][0].__setitem__(slice(0, 0), [1, 0]),
    )
    tampered("tree-contradiction.json", star, "clause 0 has a true literal", put("trees", 0, 0, 4))
    tampered(
        "tree-spanning-few.json",
        star,
        "one clause where two dimensions are missing",
        put("trees", [3, 0, 7, 5, 1, 6, 1, 0], 0),
    )
    tampered("tree-spanning-rank.json", star, "a transversal takes row 1 twice", put("trees", 0, 0, 8))
    tampered(
        "tree-packing-overlap.json", count, "the clauses of a packing share live rows", put("trees", [4, 1, 2, 1, 3], 0)
    )
    tampered("tree-packing-small.json", blocks, "a packing of no clause shows 0 > 0 rows", put("trees", [4, 1, 0], 0))
    tampered("tree-no-budget.json", blocks, "there is no budget 3", put("trees", [4, 3, 1, 0], 0))
    # Counts.
    tampered(
        "trap.json",
        (document(count_as_rank()), TRAP, None, None),
        "a count is no rank: at (1, 1, -1) three active rows have rank 2",
    )
    tampered("block-empty.json", blocks, "a block is empty", put("blocks", [[0, 1, 2, 3], []]))
    tampered("blocks-shared.json", blocks, "row 2 lies in both blocks", put("blocks", [[0, 2], [1, 2, 3]]))
    tampered("block-row-twice.json", count, "row 0 stands twice in its block", lambda d: d["blocks"][0].append(0))
    tampered("block-no-row.json", count, "there is no row 5", put("blocks", 5, 0, 4))
    tampered(
        "blocks-many.json",
        blocks,
        "three blocks, and K + 1 = 2",
        lambda d: d.update(blocks=[[0, 2], [1], [3]], trees=[*d["trees"], [4, 1, 1, 1]]),
    )
    tampered("trees-few.json", blocks, "one tree for two blocks", lambda d: d["trees"].pop())
    tampered("budget-large.json", count, "K = 2: at some point two rows are active", put("budget", 2))
    tampered("budget-all.json", count, "K = 5 of 5 rows", put("budget", 5))
    tampered("budget-spanning.json", star, "a spanning proof has the budget n - 1", put("budget", 2))
    tampered("position.json", count, "a count assumes general position", put("assumes_general_position", False))
    # Balls.
    tampered("cut-short.json", ball, "the cut is shorter than the radius", put("cuts", [["-5/4", "0/1"]]))
    tampered("cut-turned.json", ball, "with this cut clause 1 does not hold", put("cuts", [["27/20", "0/1"]]))
    tampered("cut-linear.json", around, "a ball around 0 without bias has no cuts", put("cuts", [["2/1", "0/1"]]))
    tampered("cuts-missing.json", ball, "a proof on a ball has the field cuts", lambda d: d.pop("cuts"))
    tampered("cuts-without-ball.json", star, "only a ball has cuts", put("cuts", []))
    # Files.
    tampered("version.json", star, "another version", put("version", 2))
    tampered("field-unknown.json", star, "an unknown field", put("comment", "hello"))
    tampered("field-missing.json", star, "the field claim is missing", lambda d: d.pop("claim"))
    tampered("integer-decimal.json", star, "1.0 is no integer", put("budget", 1.0))
    tampered("integer-true.json", star, "true is no integer", put("budget", True))
    tampered("integer-large.json", star, "2^31 is not below 2^31", put("trees", 2**31, 0, 1))
    tampered("not-a-number.json", star, "NaN is not JSON", put("budget", float("nan")))
    tampered(
        "key-twice.json",
        star,
        "the field version stands there twice",
        raw=lambda t: t.replace(b'"version": 1', b'"version": 1, "version": 1'),
    )
    tampered("byte-order-mark.json", star, "a byte order mark", raw=lambda t: b"\xef\xbb\xbf" + t)
    tampered("text-behind.json", star, "something follows the object", raw=lambda t: t + b"{}\n")
    tampered("not-utf-8.json", star, "the file is not UTF-8", raw=lambda t: t.replace(b"spanning", b"sp\xe4nning"))
    tampered(
        "two-members.json.gz",
        flat,
        "two gzip members",
        raw=lambda t: gzip.compress(t[:40], mtime=0) + gzip.compress(t[40:], mtime=0),
    )
    tampered(
        "number-long.json",
        pair,
        "a number of 3000 digits, where the layer needs a few",
        put("y", ["-3/1", f"2{'0' * 2999}/1"]),
    )
    return made.found


def count_as_rank():
    """The trap with a tree that counts, called spanning."""
    return spanning(TRAP, circuits=[[1, 2], [3, 4], [5, 6]], tree=[6, 3, 0, 1, 2])


def index(found):
    """The text of the index: one case a line."""
    return f"[{(',' + chr(10) + ' ').join(json.dumps(case.entry()) for case in found)}]\n"


def write():
    """Write every file again."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("layer-*"):
        old.unlink()
    found = cases()
    for case in found:
        (FOLDER / case.name).write_bytes(case.text)
    (FOLDER / INDEX).write_text(index(found))


if __name__ == "__main__":
    write()
