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

SEARCH = ["search.c", "blocks.c", "flat.c", "circuits.c", "tableau.c", "dense.c", "witness.c", "portable.c"]


def extension(name: str, *sources: str) -> Extension:
    """A kernel polyinj/<name>.pyx with the C files it drives."""
    return Extension(
        f"polyinj.{name}",
        [f"polyinj/{name}.pyx", *(f"polyinj/csrc/{source}" for source in sources)],
        include_dirs=["polyinj/csrc"],
        depends=[str(path) for path in Path("polyinj/csrc").glob("*.h")],
        extra_compile_args=FLAGS,
    )


setup(
    ext_modules=cythonize(
        [
            extension("_core"),
            extension("_cells"),
            extension("_split"),
            extension("_spectral"),
            extension("_descent", "descent.c", "portable.c"),
            extension("_search", *SEARCH),
        ],
        compiler_directives=DIRECTIVES,
        force=DEBUG,
    )
)
