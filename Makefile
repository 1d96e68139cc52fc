# Two commands a newcomer needs: make demo, make test.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Without bytecode on disk every process compiles the sources of numba and polars again, for a second or more.
unexport PYTHONDONTWRITEBYTECODE
CORE := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz check format docs notebooks bench accuracy paper learning release-check test-lowest lock clean kill soak mutants bombs engines

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Installs again only when pyproject.toml changes; the package itself is installed in place. The demo needs
# no development tools, so it does not wait for them.
define install
	@if command -v uv >/dev/null 2>&1; then \
	  test -x $(BIN)/python || uv venv --quiet --python 3.11 $(VENV) 2>/dev/null || uv venv --quiet $(VENV); \
	  uv pip install --quiet --python $(BIN)/python -e '.$(1)'; \
	else \
	  test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
	  $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -e '.$(1)'; \
	fi
	@touch $@
endef

$(CORE): pyproject.toml
	$(call install,)

$(DEV): pyproject.toml
	$(call install,[dev])
	@touch $(CORE)

demo: $(CORE)  ## log to report on the sample logs, in demo-out/
	@$(BIN)/workloadlab demo --out demo-out

# In the order of collection: xdist would leave files of few tests, which are the longest, for the end.
test: $(DEV)  ## run every test
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

fuzz: $(DEV)  ## run the property tests on new inputs
	@HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -n auto --dist loadfile tests/property

check: $(DEV)  ## lint, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(DEV)  ## rewrite the code in the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(DEV)  ## write docs/reference/ from the registries
	@$(BIN)/python -m workloadlab.handbook docs/reference

notebooks: $(DEV)  ## run the notebooks and keep their outputs, small
	@$(BIN)/python notebooks/run.py

bench: $(DEV)  ## measure speed; prints a table and writes bench.json
	@$(BIN)/python tests/bench/bench.py --out bench.json

kill: $(DEV)  ## kill 200 replays and ingests, and look for anything mixed, lost or left over
	@$(BIN)/python tests/bench/kill.py 200

soak: $(DEV)  ## 50 M requests through the chain, half an hour of lanes in flat memory
	@$(BIN)/python tests/bench/soak.py 50_000_000 1800

engines: $(DEV)  ## sweep on real Dask and Ray clusters; installs Ray (240 MB)
	@if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(BIN)/python -e '.[dask,ray]'; \
	  else $(BIN)/python -m pip install --quiet -e '.[dask,ray]'; fi
	@$(BIN)/python -m pytest tests/unit/execution/test_clusters.py tests/unit/execution/test_idle_clusters.py

mutants: $(DEV)  ## damage every artefact, and look for anything uncaught or believed
	@$(BIN)/python tests/bench/mutants.py 2000

bombs: $(DEV)  ## meet files that unfold, each in a process of its own
	@$(BIN)/python tests/bench/bombs.py

accuracy: $(DEV)  ## replay the real runs in reach and write docs/accuracy.md
	@PYTHONPATH=tests $(BIN)/python tests/bench/accuracy.py

paper: $(DEV)  ## simulate the founding paper's study and write docs/paper.md
	@PYTHONPATH=tests $(BIN)/python tests/bench/paper_table.py

learning: $(DEV)  ## train routers in every setting and write docs/learning.md; goes on where it stopped
	@PYTHONPATH=tests $(BIN)/python tests/bench/learning_table.py

test-lowest: $(DEV)  ## run the tests on the lowest versions that pyproject.toml allows
	@$(BIN)/python tests/packaging/lowest.py .venv-lowest

lock: $(DEV)  ## write the versions that the tests ran with to requirements.lock
	@$(BIN)/python tests/packaging/lock.py requirements.lock

release-check: $(DEV)  ## build wheel and sdist, install each alone, run the demo offline
	@$(BIN)/python tests/packaging/release_check.py

clean:  ## remove what the other targets made
	rm -rf $(VENV) .venv-lowest demo-out bench.json .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
