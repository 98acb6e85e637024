"""Build of the compiled core; everything else stands in pyproject.toml.

POLYINJ_DEBUG=1 builds with bounds checks, assertions, little optimisation and, where the compiler has them, the
sanitizers of addresses and of undefined behaviour: slow, for `make test-debug`, which loads the runtime they need.
"""

import os
import subprocess
import sysconfig
import tempfile
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("POLYINJ_DEBUG") == "1"


def sanitizers() -> list[str]:
    """The flags for them, if a program of no lines builds with them."""
    flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"]
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC")).split()
    with tempfile.TemporaryDirectory() as folder:
        build = [*compiler, *flags, "-shared", "-fPIC", "-x", "c", os.devnull, "-o", f"{folder}/nothing.so"]
        return flags if subprocess.run(build, capture_output=True, check=False).returncode == 0 else []


SANITIZE = sanitizers() if DEBUG else []
OPTIMISE = ["-O1", "-g", "-UNDEBUG", *SANITIZE] if DEBUG else ["-O3", "-DNDEBUG"]
# The error bounds of the kernels assume that every product is rounded: no fused multiply-add, no reassociation.
FLAGS = ["-std=c11", "-ffp-contract=off", "-Wno-unused-function", *OPTIMISE]
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "freethreading_compatible": True,
}

CSRC = ("polyinj/csrc", "polyinj/injectivity/csrc", "polyinj/lipschitz/csrc")


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
        extra_link_args=SANITIZE,
    )


setup(
    ext_modules=cythonize(
        [
            extension("_status"),
            extension("_core"),
            extension("_cells"),
            extension("_split"),
            extension("_double_description", "double_description.c", "wide_description.c"),
            extension("_nearest_points", "nearest_points.c"),
            extension("injectivity/_conditioning"),
            extension(
                "injectivity/_branch_and_bound",
                *("branch_and_bound.c", "node.c", "propagation.c", "circuit_search.c", "recording.c", "forgetting.c"),
                *("blocks.c", "circuits.c", "tableau.c", "flat.c", "dense.c"),
            ),
            extension("injectivity/_local_search", "local_search.c", "dense.c"),
            extension("injectivity/_annealing", "annealing.c"),
            extension("injectivity/_depth_sweep", "depth_sweep.c", "sweep_direction.c", "turn.c", "sort.c", "lines.c"),
            extension("injectivity/_spectral"),
            extension("lipschitz/_sign_search", "sign_search.c", "margin.c"),
        ],
        compiler_directives=DIRECTIVES,
        # What the debug build generates and compiles must not be taken for the other's.
        build_dir="build/debug-kernels" if DEBUG else None,
    ),
    options={"build": {"build_base": "build/debug-kernels"}} if DEBUG else {},
)
