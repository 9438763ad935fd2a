# make demo   set up .venv, compare learning rules on XOR and Iris, simulate, draw: about 5 minutes
# make test   set up .venv with the development tools, lint, type-check, test
# make help   all targets
#
# Another Python: make PYTHON=python3.12 demo

.DEFAULT_GOAL := help
.PHONY: help demo ledger benchmarks test test-nojit lint readme clean

VENV := .venv
ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN := $(VENV)/Scripts
else
PYTHON ?= python3
BIN := $(VENV)/bin
endif

help:
	@echo "make demo        compare learning rules and simulate; then look at results/demo/report.html"
	@echo "make ledger      measure every claim of the ledger: half an hour; results/ledger/ledger.html"
	@echo "make benchmarks  measure speed and memory: a quarter of an hour; docs/benchmarks.md"
	@echo "                 (beside others with NEST_PYTHON=..., BRIAN_PYTHON=..., TORCH_PYTHON=... and"
	@echo "                 JAX_PYTHON=..., Pythons that have them)"
	@echo "make test        lint, type-check and test"
	@echo "make test-nojit  the tests once more as plain Python, without the compiler"
	@echo "make readme      renew the table and the pictures of the README"
	@echo "make clean       remove .venv and caches (results/ stays)"

# A stamp file for each finished step: a second run does not install again.
$(VENV)/made:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { \
	  echo "spikesim needs Python 3.11 or newer, and $(PYTHON) is not that;"; \
	  echo "name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments;"; \
	  echo "on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/installed: $(VENV)/made pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/developed: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@

demo: $(VENV)/installed
	$(BIN)/spikesim doctor
	$(BIN)/spikesim compare --quick --out results/demo
	$(BIN)/python experiments/tour.py --out results/tour
	@echo
	@echo "The report:   $(CURDIR)/results/demo/report.html (open it in a browser)"
	@echo "Its figures:  $(CURDIR)/results/demo/figures/"
	@echo "The tour:     $(CURDIR)/results/tour/"

# The page in the docs follows the results.
ledger: $(VENV)/installed
	$(BIN)/spikesim ledger --out results/ledger
	$(BIN)/python docs/build_ledger.py results/ledger

# Pythons with NEST, with Brian2, with snnTorch and Norse, and with JAX; without them, spikesim is
# measured alone.
NEST_PYTHON ?=
BRIAN_PYTHON ?=
TORCH_PYTHON ?=
JAX_PYTHON ?=
MEASURE := $(BIN)/python experiments/benchmarks
MEASURED := results/benchmarks
PEERS = $(MEASURE)/peers.py --peer-threads 2 $(if $(NEST_PYTHON),--nest-python $(NEST_PYTHON)) \
  $(if $(BRIAN_PYTHON),--brian-python $(BRIAN_PYTHON))

benchmarks: $(VENV)/installed
	$(MEASURE)/lif.py --json $(MEASURED)/lif.json
	$(MEASURE)/vogels_abbott.py --precision double compact --json $(MEASURED)/vogels_abbott.json
	$(MEASURE)/brunel.py --precision double compact --json $(MEASURED)/brunel.json
	$(MEASURE)/microcircuit.py --precision compact double --json $(MEASURED)/microcircuit.json
	$(MEASURE)/scaling.py --precision double compact --json $(MEASURED)/scaling.json
	$(MEASURE)/latency.py --json $(MEASURED)/latency.json
	$(MEASURE)/endurance.py --json $(MEASURED)/endurance.json
	$(BIN)/python experiments/same_bits.py --json $(MEASURED)/same_bits.json
	$(MEASURE)/training.py $(if $(TORCH_PYTHON),--torch-python $(TORCH_PYTHON)) \
	  $(if $(JAX_PYTHON),--jax-python $(JAX_PYTHON)) --json $(MEASURED)/training.json
ifneq ($(NEST_PYTHON)$(BRIAN_PYTHON),)
	$(PEERS) --workloads lif --simulators nest brian2-cython --json $(MEASURED)/peers_lif.json
	$(PEERS) --workloads vogels_abbott_current vogels_abbott_conductance \
	  --simulators nest brian2-cpp --json $(MEASURED)/peers_vogels_abbott.json
	$(PEERS) --workloads brunel --simulators nest brian2-cpp-openmp \
	  --json $(MEASURED)/peers_brunel.json
	$(PEERS) --workloads microcircuit --duration 10000 --repeats 5 \
	  --simulators nest brian2-cpp-openmp --json $(MEASURED)/peers_microcircuit.json
endif
	$(BIN)/python docs/build_benchmarks.py $(MEASURED)

lint: $(VENV)/developed
	$(BIN)/ruff check --output-format concise .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Two processes: half the time, even where both have to compile.
IN_TWO := --numprocesses 2 --dist worksteal

test: lint
	$(BIN)/python -m pytest $(IN_TWO)

test-nojit: $(VENV)/developed
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest $(IN_TWO)

readme: $(VENV)/installed
	$(BIN)/python experiments/readme.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
