"""Build of the compiled core; everything else stands in pyproject.toml.

POLYINJ_DEBUG=1 builds with bounds checks, assertions and little optimisation: slow, for the tests.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("POLYINJ_DEBUG") == "1"

# The error bounds of the kernels assume that every product is rounded: no fused multiply-add, no reassociation.
OPTIMISE = ["-O1", "-g", "-UNDEBUG"] if DEBUG else ["-O3", "-DNDEBUG"]
FLAGS = ["-std=c11", "-ffp-contract=off", "-Wno-unused-function", *OPTIMISE]
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "freethreading_compatible": True,
}

CSRC = ("polyinj/csrc", "polyinj/injectivity/csrc")


def extension(name: str, *sources: str) -> Extension:
    """The kernel polyinj/<name>.pyx with the C files of its folder that it drives, which take memory by portable.c."""
    path = Path("polyinj", name)
    driven = [f"{path.parent}/csrc/{source}" for source in sources]
    return Extension(
        ".".join(path.parts),
        [f"{path}.pyx", *driven, *(["polyinj/csrc/portable.c"] if driven else [])],
        include_dirs=list(CSRC),
        depends=[str(header) for folder in CSRC for header in Path(folder).glob("*.h")],
        extra_compile_args=FLAGS,
    )


setup(
    ext_modules=cythonize(
        [
            extension("_status"),
            extension("_core"),
            extension("_cells"),
            extension("_split"),
            extension("injectivity/_conditioning"),
            extension(
                "injectivity/_branch_and_bound",
                *("branch_and_bound.c", "node.c", "propagation.c", "circuit_search.c", "recording.c"),
                *("blocks.c", "circuits.c", "tableau.c", "flat.c", "dense.c"),
            ),
            extension("injectivity/_local_search", "local_search.c", "dense.c"),
            extension("injectivity/_annealing", "annealing.c"),
            extension("injectivity/_spectral"),
        ],
        compiler_directives=DIRECTIVES,
        force=DEBUG,
    )
)
