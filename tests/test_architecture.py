"""Imports point down by folder, in no circle, and the checker of certificates loads neither a finder nor a kernel."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import polyinj

ROOT = Path(polyinj.__file__).parent
ANYWHERE = {"errors", "_version"}
ENUMERATION = {"_core", "_cells", "_split", "_double_description", "_nearest_points", "_status"}
SUBJECTS = {
    "geometry",
    "theory",
    "networks",
    "injectivity",
    "deep",
    "lipschitz",
    "relaxation",
    "propagation",
    "information",
}
# What each folder may import beside itself and ANYWHERE: the table of docs/architecture.md.
BELOW = {
    "exact": set(),
    "theory": {"exact"},
    "fitting": set(),
    "results": set(),
    "plots": set(),
    "geometry": {"exact"} | ENUMERATION,
    "certificates": {"exact"},
    "networks": {"exact"},
    "injectivity": {"geometry", "certificates", "exact", "_status"},
    "deep": {"injectivity", "geometry", "certificates", "networks", "exact"},
    "lipschitz": {"injectivity", "networks", "geometry", "certificates", "exact", "_status"},
    "relaxation": {"networks", "geometry", "exact"},
    "propagation": {"networks", "theory", "exact", "results"},
    "information": {"deep", "relaxation", "networks", "certificates", "exact", "results"},
    "simulation": {"results"},
    "studies": SUBJECTS | {"exact", "certificates", "simulation", "fitting", "results"},
    "cli": SUBJECTS | {"exact", "certificates", "simulation", "fitting", "results", "studies", "plots"},
    "testing": {"geometry", "exact"},
}
# The one place where simulation meets the subjects: functions of a matrix that trials compute.
MEETING = "simulation.statistics"


def folder(name):
    return name.split(".")[0]


def imported(path, known):
    """Modules of polyinj that a file imports, those of types included; and which of them inside functions."""
    everywhere, in_functions = set(), set()

    def visit(node, inside):
        inside = inside or isinstance(node, ast.FunctionDef)
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.split(".")[0] != "polyinj":
                continue
            inner = name.removeprefix("polyinj").removeprefix(".")
            module = inner if inner in known else inner.rpartition(".")[0]
            assert module in known, f"{path} imports {name}, which is no module; polyinj itself is for users"
            everywhere.add(module)
            if inside:
                in_functions.add(module)
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse(path.read_text(encoding="utf-8")), False)
    return everywhere, in_functions


def modules():
    """Each module with what it imports."""
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for ending in ("*.py", "*.pyx")
        for path in sorted(ROOT.rglob(ending))
        if path.name != "__init__.py"
    }
    return {name: imported(path, set(files)) for name, path in files.items() if path.suffix == ".py"}


MODULES = modules()


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_point_down(name):
    allowed = BELOW[folder(name)] | {folder(name)} | ANYWHERE if folder(name) not in ANYWHERE else set()
    if name == MEETING:
        allowed |= SUBJECTS
    everywhere, in_functions = MODULES[name]
    for target in everywhere:
        # A result draws itself: plots is imported inside its method.
        drawn = folder(target) == "plots" and target in in_functions
        assert drawn or folder(target) in allowed, f"{name} imports {target}"


def test_every_folder_has_its_rule():
    folders = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert folders == {name for name in BELOW if name != "testing"}


def test_there_is_no_circle():
    order = TopologicalSorter({name: everywhere for name, (everywhere, _) in MODULES.items()})
    order.prepare()


def test_folders_are_empty_packages():
    assert all(path.read_text() == "" for path in ROOT.rglob("__init__.py") if path.parent != ROOT)


@pytest.mark.parametrize("reader", ["load_certificate", "load_network_certificate"])
def test_the_checker_loads_no_finder(reader):
    program = (
        f"import sys; import polyinj; from polyinj import {reader};"
        "print(*(name for name in sys.modules if name.startswith('polyinj.')))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert {name.split(".")[1] for name in loaded} <= {"certificates", "exact", *ANYWHERE}


def test_public_names_exist():
    stub = ast.parse((ROOT / "__init__.pyi").read_text(encoding="utf-8"))
    names = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert set(polyinj.__all__) == set(dir(polyinj)) == names
    for name in names:
        assert getattr(polyinj, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = polyinj.nothing


def test_the_page_names_files_that_exist():
    page = (ROOT.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`([\w/]+(?:/|\.pyx?i?))`", page))
    here = {str(path.relative_to(ROOT.parent)) for path in [*ROOT.rglob("*"), *(ROOT.parent / "tests").rglob("*")]}
    for name in names:
        assert any(f"/{path}".endswith("/" + name.rstrip("/")) for path in here), name
    for folder_name in BELOW:
        assert folder_name == "testing" or f"`{folder_name}`" in page, folder_name
