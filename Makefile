# make run: the main job. make test: the test suite. Both set up what they need first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
KERNELS := $(wildcard polyinj/*.pyx polyinj/*.pxd polyinj/csrc/* polyinj/injectivity/*.pyx polyinj/injectivity/csrc/* \
	polyinj/lipschitz/*.pyx polyinj/lipschitz/csrc/*)

# What has depended on the kernels that OpenBLAS picks for a processor.
SUSPECTS := tests/lipschitz/test_interpolate.py tests/studies/test_robustness.py tests/injectivity/test_invert.py polyinj/lipschitz

.PHONY: run test test-quick test-kernels test-debug fuzz lint bench clean

run: $(READY)
	$(BIN)/polyinj transition --out results
	$(BIN)/python examples/trained_layers.py iris --save results
	$(BIN)/polyinj check results/iris-8n.npz --key weights --bias-key bias || test $$? -eq 1

# Tests run on all processors, each with one thread of OpenBLAS.
PARALLEL := OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

test: $(READY)
	$(PARALLEL)

# Without the tests marked slow: under a minute on two processors, for the way of working.
test-quick: $(READY)
	$(PARALLEL) -m "not slow"

# No result depends on the kernels of OpenBLAS: the oldest ones on two threads, and what this processor takes on one.
test-kernels: $(READY)
	OPENBLAS_CORETYPE=Prescott OPENBLAS_NUM_THREADS=2 $(BIN)/python -m pytest $(SUSPECTS)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest $(SUSPECTS)

# The tests of the kernels on kernels with bounds checks, assertions and sanitizers, built beside the fast ones. The runtime
# of the sanitizers has to be loaded first, and libstdc++ for the exceptions of others' C++; Python's leaks are its own.
RUNTIME = $(shell $(CC) -print-file-name=libasan.so) $(shell $(CC) -print-file-name=libstdc++.so)
DEBUGGED := tests/test_kernels.py tests/injectivity/test_branch_and_bound.py tests/injectivity/test_witness.py \
	tests/injectivity/test_depth_sweep.py tests/lipschitz/test_vertex_search.py \
	tests/geometry/test_sweep.py tests/geometry/test_arrangement.py \
	tests/fuzz/test_geometry_fuzz.py tests/fuzz/test_layers_fuzz.py

test-debug: $(READY)
	rm -rf build/debug
	POLYINJ_DEBUG=1 $(BIN)/pip install -q --no-deps --target build/debug .
	PYTHONPATH=build/debug LD_PRELOAD="$(RUNTIME)" ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
		OPENBLAS_NUM_THREADS=1 POLYINJ_FUZZ_CASES=10 \
		$(BIN)/pytest -p no:cacheprovider --capture=sys -m "not slow" $(DEBUGGED)

# More and other cases than those of `make test`, for as long as it takes: SEED is the first, CASES how many a test.
CASES ?= 100000
SEED ?= 1000000
fuzz: $(READY)
	POLYINJ_FUZZ_CASES=$(CASES) POLYINJ_FUZZ_SEED=$(SEED) $(PARALLEL) tests/fuzz

# What a tool can mend it mends, and the run fails all the same: look at it and commit it.
lint: $(READY)
	$(BIN)/pre-commit run --all-files --show-diff-on-failure

bench: $(READY)
	for case in benchmarks/*.py; do $(BIN)/python $$case || exit 1; done

$(READY): pyproject.toml setup.py $(KERNELS)
	PYTHON=$(PYTHON) scripts/system-packages.sh
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip
	$(BIN)/pip install -q -e '.[test,examples,lint]'
	touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info
	find polyinj -name '*.so' -delete -o -name '_*.c' -delete
