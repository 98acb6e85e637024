"""The compiled kernels: every public object says what it is, and what C and Python both name has the same number."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import polyinj
from polyinj._status import Status
from polyinj.certificates import opcodes

SOURCES = Path(__file__).parent.parent / "polyinj"
ROOT = Path(polyinj.__file__).parent
KERNELS = [
    ".".join([*path.relative_to(ROOT.parent).parts[:-1], path.name.split(".")[0]])
    for path in sorted(ROOT.rglob("_*.so"))
]


def public(holder):
    return {name: value for name, value in vars(holder).items() if not name.startswith("_")}


def defined_in(module):
    """Classes and functions of a kernel; a class that others build on may be private."""
    for value in vars(module).values():
        own = callable(value) and getattr(value, "__module__", None) == module.__name__
        if own and (inspect.isclass(value) or not value.__name__.startswith("_")):
            yield value


@pytest.mark.parametrize("name", KERNELS)
def test_help_finds_every_docstring(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for thing in defined_in(module):
        assert thing.__doc__, thing
        for attribute, value in public(thing).items() if inspect.isclass(thing) else ():
            # Plain attributes have no docstring of their own: the class explains them.
            explained = any(attribute in (base.__doc__ or "") for base in thing.__mro__)
            assert getattr(value, "__doc__", None) or explained, f"{thing.__name__}.{attribute}"


def test_there_are_kernels():
    assert {"polyinj._core", "polyinj._status", "polyinj.injectivity._branch_and_bound"} <= set(KERNELS)


def test_the_steps_of_a_recording_have_the_codes_of_the_proof_format():
    header = (SOURCES / "injectivity" / "csrc" / "recording.h").read_text(encoding="utf-8")
    codes = {name: int(code) for name, code in re.findall(r"STEP_(\w+) = (\d+)", header)}
    assert codes.pop("GIVEN") not in range(opcodes.UNIT, opcodes.FLAT + 1)
    assert len(codes) == 6
    assert all(code == getattr(opcodes, name) for name, code in codes.items())


def test_there_is_one_status_for_all_kernels():
    assert [status.name for status in Status] == ["DONE", "RUNNING", "UNCERTAIN", "STUCK", "OUT_OF_MEMORY", "WITNESS"]
