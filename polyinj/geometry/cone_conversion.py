"""Convert a cone between inequalities and rays, exactly.

The conversion is done in integers (`polyinj.geometry.exact_cone`) where the input is exact. So it is for float64 input
where no ray is tight at more rows than it needs (`polyinj.geometry.wide_cone`). For other float64 input cddlib,
through the module `cdd` of pycddlib-standalone (GPLv2+, imported here and only on first use), proposes in floating
point which inequalities are tight on which ray; `polyinj.geometry.cone_check` recomputes every ray in integers and
proves the list complete, and where it cannot, the conversion is redone in integers.
"""

from __future__ import annotations

from collections.abc import Sequence

from polyinj.exact.algebra import IntegerRows
from polyinj.geometry.cone_check import certified_rays
from polyinj.geometry.cone_definition import ConeDefinition
from polyinj.geometry.exact_cone import DoubleDescription, PointedRows, double_description, extreme_rays
from polyinj.geometry.wide_cone import wide_rays

EXACT = "double description in integers"
FLOAT = "cddlib in float64, every ray recomputed and the list proven complete in integers"
REPAIRED = "double description in integers, after the float64 result of cddlib failed its check"


def describe_cone(definition: ConeDefinition, *, exact: bool) -> tuple[DoubleDescription, str]:
    """The description of a cone, and how it was found: EXACT, FLOAT or REPAIRED."""
    rows, equalities = ([list(row) for row in part] for part in (definition.rows, definition.equalities))
    if exact:
        described = double_description(rows, equalities, definition.dimension)
        return (described if definition.kind == "inequalities" else described.dual), EXACT
    pointed = PointedRows(rows, equalities, definition.dimension)
    if pointed.columns and (found := wide_rays(pointed.rows, pointed.columns)) is not None:
        described = pointed.describe(*found)
        return (described if definition.kind == "inequalities" else described.dual), EXACT
    rays: Sequence[Sequence[int]] | None = None
    method = EXACT
    if pointed.columns:
        rays = certified_rays(pointed.rows, pointed.columns, _cdd_tight_sets(pointed.rows))
        method = FLOAT if rays is not None else REPAIRED
    if rays is None:
        rays = extreme_rays(pointed.rows, pointed.columns)
    described = pointed.describe(rays)
    return (described if definition.kind == "inequalities" else described.dual), method


def _cdd_tight_sets(rows: IntegerRows) -> list[set[int]]:
    """For each ray that cddlib finds, in float64, the rows that it takes for tight; none where it gives up."""
    import cdd

    scaled = [[0.0, *(value / max(map(abs, row)) for value in row)] for row in rows]
    try:
        matrix = cdd.matrix_from_array(scaled, rep_type=cdd.RepType.INEQUALITY)
        return [{i for i in tight if i < len(rows)} for tight in cdd.copy_incidence(cdd.polyhedron_from_matrix(matrix))]
    except RuntimeError:
        return []
