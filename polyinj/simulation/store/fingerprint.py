"""Stable descriptions of ensembles and statistics: what a store compares before it adds trials.

A description is JSON with sorted keys: the qualified name, the parameters by name, and for code outside polyinj the
SHA-256 of its source, so that an edited function is not taken for the old one. Arrays appear by shape and SHA-256.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import pickle
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError

# The shape of an ensemble is no part of its family.
_SHAPE = ("m", "n")
# A store calls code by the module in which it first stood; what has moved since keeps that name.
_FIRST_MODULE = {
    "polyinj.certificates.domain": "polyinj.injectivity.domain",
    "polyinj.propagation.random_network": "polyinj.networks.propagation.random_network",
    "polyinj.relaxation.rules": "polyinj.networks.relaxation.rules",
    "polyinj.studies.deep_networks": "polyinj.networks.depth_study",
    "polyinj.studies.relaxation": "polyinj.networks.relaxation.study",
    "polyinj.studies.robustness": "polyinj.networks.lipschitz.robustness_study",
}


@dataclass(frozen=True, slots=True)
class Description:
    """What something is, as text, and the arrays that the text names by their SHA-256."""

    text: str
    arrays: Mapping[str, NDArray[Any]] = field(repr=False, default_factory=dict)


def describe_ensemble(ensemble: Any) -> Description:
    """The family of an ensemble: its class and its parameters without m and n."""
    return _describe(ensemble, "ensemble", left_out=_SHAPE)


def describe_statistic(statistic: Any) -> Description:
    """A function, a functools.partial with named arguments, or a callable dataclass."""
    return _describe(statistic, "statistic", left_out=())


def check_picklable(what: str, value: Any) -> None:
    """InputError unless other processes can get it."""
    try:
        pickle.dumps(value)
    except Exception as error:
        raise InputError(
            f"{what} {value!r} cannot be sent to other processes ({error}); expected a function, or an object of a "
            "class, at the top level of a module; or pass a ThreadPoolExecutor and no store"
        ) from None


def array_sha256(array: NDArray[Any]) -> str:
    """SHA-256 of dtype, shape and entries."""
    header = f"{array.dtype.str} {array.shape} ".encode()
    return hashlib.sha256(header + np.ascontiguousarray(array).tobytes()).hexdigest()


def _describe(value: Any, what: str, left_out: tuple[str, ...]) -> Description:
    arrays: dict[str, NDArray[Any]] = {}
    document: dict[str, Any]
    if isinstance(value, partial):
        if value.args:
            raise InputError(f"{what} {value!r} has arguments without a name; expected partial(function, name=value)")
        document = _named(value.func, what)
        arguments = value.keywords
    elif inspect.isroutine(value) or inspect.isclass(value):
        document, arguments = _named(value, what), {}
    else:
        document = _named(type(value), what)
        arguments = _parameters(value, what, left_out)
    document["arguments"] = {name: _plain(arguments[name], name, what, arrays) for name in arguments}
    return Description(json.dumps(document, sort_keys=True), arrays)


def _parameters(value: Any, what: str, left_out: tuple[str, ...]) -> dict[str, Any]:
    if isinstance(text := getattr(value, "description", None), str):
        return {"description": text}
    if not is_dataclass(value):
        raise InputError(
            f"{what} is a {type(value).__name__}, whose parameters are unknown; make it a dataclass, or give it an "
            "attribute `description`, a text with every parameter but the shape, so that a store can tell it apart"
        )
    return {entry.name: getattr(value, entry.name) for entry in fields(value) if entry.name not in left_out}


def _named(code: Any, what: str) -> dict[str, Any]:
    """The qualified name of a function or class that a new process can import, and its source's hash."""
    module, name = getattr(code, "__module__", None), getattr(code, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or "<" in name:
        raise InputError(
            f"{what} {name or code!r} is a lambda, local or nameless; expected a function or class at the top level "
            "of a module, which a store can name and other processes can import"
        )
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not code:
        raise InputError(f"{what} {module}.{name} is not what importing that name gives; use it under its own name")
    document = {"name": f"{_FIRST_MODULE.get(module, module)}.{name}"}
    if module.split(".")[0] != "polyinj" and (source := _source_sha256(code)) is not None:
        document["source"] = source
    return document


def _source_sha256(code: Any) -> str | None:
    try:
        source = textwrap.dedent(inspect.getsource(code))
    except (OSError, TypeError):
        return None
    return hashlib.sha256(source.encode()).hexdigest()


def _plain(value: Any, name: str, what: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """The value as JSON that tells it from every other value."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return _plain(value.item(), name, what, arrays)
    if isinstance(value, Fraction):
        return {"fraction": str(value)}
    if isinstance(value, tuple | list):
        return [_plain(entry, name, what, arrays) for entry in value]
    if isinstance(value, np.ndarray) and value.dtype != object:
        sha256 = array_sha256(value)
        arrays[sha256] = value
        return {"dtype": value.dtype.str, "shape": list(value.shape), "sha256": sha256}
    if is_dataclass(value) and not isinstance(value, type):
        inner = _describe(value, what, ())
        arrays.update(inner.arrays)
        document: dict[str, Any] = json.loads(inner.text)
        return document
    raise InputError(
        f"{what} has {name} = {value!r} of type {type(value).__name__}, which a store cannot describe; expected "
        "numbers, text, arrays, tuples of these, or an attribute `description` on the object"
    )


def readable(text: str) -> str:
    """A description for people: `GaussianEnsemble`, `decision(node_limit=1000)`."""
    document = json.loads(text)
    arguments = ", ".join(f"{name}={_short(value)}" for name, value in document["arguments"].items())
    name = document["name"].rsplit(".", 1)[-1] if document["name"].startswith("polyinj.") else document["name"]
    return f"{name}({arguments})" if arguments else str(name)


def _short(value: Any) -> str:
    if isinstance(value, dict) and "sha256" in value:
        return f"array {'x'.join(map(str, value['shape']))} {value['sha256'][:12]}"
    return readable(json.dumps(value)) if isinstance(value, dict) and "name" in value else str(value)
