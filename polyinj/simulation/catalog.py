"""The ensembles and statistics of polyinj by short names, and back from what a store says of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from polyinj.errors import InputError
from polyinj.simulation import ensembles, statistics
from polyinj.simulation.ensembles import Ensemble
from polyinj.simulation.store.fingerprint import readable
from polyinj.simulation.store.reader import StoreReader
from polyinj.simulation.trials import Statistic

ENSEMBLES: Mapping[str, type[Any]] = {
    "gaussian": ensembles.GaussianEnsemble,
    "rademacher": ensembles.RademacherEnsemble,
    "sphere": ensembles.SphereEnsemble,
    "sparse": ensembles.SparseGaussianEnsemble,
    "student": ensembles.StudentEnsemble,
    "orthonormal": ensembles.OrthonormalEnsemble,
    "rows": ensembles.ResampledRowsEnsemble,
}
STATISTICS: Mapping[str, Callable[..., Any]] = {
    "decision": statistics.decision,
    "decision-by-rank": statistics.decision_by_rank,
    "decision-and-chi": statistics.decision_and_euler_characteristic,
    "depth": statistics.depth,
    "chi": statistics.euler_characteristic,
    "betti": statistics.betti_numbers,
    "faces": statistics.face_counts,
    "components": statistics.component_count,
}


def make_ensemble(kind: type[Any], m: int, n: int, parameters: Mapping[str, Any]) -> Ensemble:
    """An ensemble of shape (m, n) with those parameters; n is left out where the class does not take it."""
    shape = {"m": m, "n": n} if "n" in {entry.name for entry in fields(kind)} else {"m": m}
    ensemble: Ensemble = kind(**shape, **parameters)
    return ensemble


def make_statistic(function: Callable[..., Any], parameters: Mapping[str, Any]) -> Statistic:
    """The function with those parameters set; the function itself when there are none."""
    return partial(function, **parameters) if parameters else function


def stored_family(store: StoreReader) -> Callable[[int, int], Ensemble]:
    """The ensemble of a store, as a function of (m, n).

    Raises
    ------
    InputError
        It is none of polyinj's.
    """
    kinds = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in ENSEMBLES.values()}
    kind, parameters = _found(store, store.design.ensemble, "ensemble", kinds)
    return partial(make_ensemble, kind, parameters=parameters)


def stored_statistic(store: StoreReader) -> Statistic:
    """The statistic of a store; InputError if it is none of polyinj's."""
    functions = {f"{function.__module__}.{function.__qualname__}": function for function in STATISTICS.values()}
    return make_statistic(*_found(store, store.design.statistic, "statistic", functions))


def _found(store: StoreReader, text: str, what: str, known: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    document = json.loads(text)
    if document["name"] not in known:
        raise InputError(
            f"{store.path} has the {what} {readable(text)}, which is not part of polyinj; resume it by running the "
            "program that made it again, with the same store"
        )
    arguments = {
        name: store.array(value["sha256"]) if isinstance(value, dict) else value
        for name, value in document["arguments"].items()
    }
    return known[document["name"]], arguments
