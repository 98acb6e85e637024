"""Imports point down (the table of CONTRIBUTING.md), and the checker loads no finder."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import polyinj

ROOT = Path(polyinj.__file__).parent
SHARED = {"polyinj", "polyinj.errors"}
CHECKER = {"certificate", "certificate_file", "circuit_check", "tree_check", "layer", "domain", "clock"}
NETWORK_CHECKER = {"certificate", "relu_chain", "region_check"}
SHARED_BY_CHECKERS = ("certificate", "certificate_file", "clock")
STRANDS = {"geometry", "injectivity", "theory", "simulation", "networks"}
KERNELS = {"_core", "_cells", "_split", "_search", "_spectral", "_descent"}
# What the modules of a room may import, beside SHARED and their own room.
ALLOWED = {
    "errors": set(),
    "theory": set(),
    "geometry": KERNELS | {"theory.intrinsic"},
    "injectivity": KERNELS | {"geometry"},
    "simulation": {"injectivity", "geometry", "theory"},
    "networks": {"injectivity", "geometry", "simulation", "theory"},
    "plots": set(),
    "testing": {"geometry"},
}
# Modules of a room that must stay free of some of it: what runs and keeps trials knows no strand.
MACHINERY = (
    "adaptive",
    "counts",
    "crossing",
    "describe",
    "ensembles",
    "estimate",
    "executors",
    "live",
    "export",
    "intervals",
    "links",
    "progress",
    "records",
    "result_file",
    "response",
    "scaling",
    "schedule",
    "sqlite_file",
    "store",
    "store_reader",
    "table_result",
    "trials",
)
STRICTER = {
    **{f"simulation.{name}": set() for name in MACHINERY},
    **{f"injectivity.{name}": {"geometry.exact"} for name in CHECKER},
    # A network's checker shares the checker's files, its clock and its rounded collision.
    **{
        f"networks.{name}": {"geometry.exact", *(f"injectivity.{part}" for part in SHARED_BY_CHECKERS)}
        for name in NETWORK_CHECKER
    },
}


def imports(path):
    """Names of polyinj modules imported at run time anywhere in a file (blocks under TYPE_CHECKING left out)."""
    found = set()

    def visit(node):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively"
            found.add(node.module)
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return {name for name in found if name.split(".")[0] == "polyinj"} - SHARED


def modules():
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if not name.startswith("cli") and not name.endswith("__init__"):
            yield pytest.param(name, path, id=name)


@pytest.mark.parametrize(("name", "path"), list(modules()))
def test_imports_point_down(name, path):
    room = name.split(".")[0]
    allowed = STRICTER.get(name, ALLOWED[room])
    for target in imports(path):
        inner = target.removeprefix("polyinj.")
        own = inner.split(".")[0] == room
        if own and room == "injectivity" and name.split(".")[1] in CHECKER:
            own = inner.split(".")[1] in CHECKER
        if own and room == "networks" and name.split(".")[1] in NETWORK_CHECKER:
            own = inner.split(".")[1] in NETWORK_CHECKER
        # A result draws itself: plots is imported inside its method.
        drawn = inner.startswith("plots") and room in STRANDS
        assert own or drawn or any(inner == a or inner.startswith(a + ".") for a in allowed), f"{name} imports {target}"


@pytest.mark.parametrize("room", sorted(STRANDS))
def test_rooms_are_empty_packages(room):
    assert all(path.read_text() == "" for path in (ROOT / room).rglob("__init__.py"))


CHECKING = {"polyinj", "polyinj.errors", "polyinj.geometry", "polyinj.exact.arrays", "polyinj.injectivity"} | {
    f"polyinj.injectivity.{name}" for name in CHECKER
}
CHECKING_NETWORKS = CHECKING | {"polyinj.networks", *(f"polyinj.networks.{name}" for name in NETWORK_CHECKER)}


@pytest.mark.parametrize(
    ("reader", "allowed"), [("load_certificate", CHECKING), ("load_network_certificate", CHECKING_NETWORKS)]
)
def test_the_checker_loads_no_finder(reader, allowed):
    program = (
        f"import sys; import polyinj; from polyinj import {reader};"
        "print(*(name for name in sys.modules if name.startswith('polyinj')))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) <= allowed


def test_public_names_exist():
    for name in polyinj.__all__:
        assert getattr(polyinj, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = polyinj.nothing
