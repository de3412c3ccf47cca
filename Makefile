# Every target sets up what it needs; `make` alone lists them.
# CONTRIBUTING.md tells when to use which.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
PIP_COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet \
	--generate-hashes --allow-unsafe --strip-extras --no-emit-options $(if $(UPGRADE),--upgrade)

# The seed of the tests' order. Another one: make test SEED=7
SEED ?= 20261122
PYTEST := $(BIN)/pytest -n 2 --dist worksteal

RUNTIME := $(VENV)/.runtime-installed
DEVELOPMENT := $(VENV)/.development-installed
BENCHMARKING := $(VENV)/.benchmarking-installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test fast soak bench check format lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(RUNTIME) ## make .venv from the locked requirements, with the commands tandem and tandem-emulators in it

demo: $(RUNTIME) ## both emulators, 5,000 people, the first copy, then live passes
	$(BIN)/tandem demo --people 5000

test: check ## everything that CI runs: lint, types and all tests, PostgreSQL included
	@tools/ensure-postgresql.sh
	@tools/ensure-node-clients.sh
	TANDEM_TESTS_REQUIRE_POSTGRESQL=1 TANDEM_TESTS_REQUIRE_NODE=1 \
		$(PYTEST) --randomly-seed=$(SEED) --durations=10

fast: $(DEVELOPMENT) ## the inner loop: core, laws, and conformance on memory and SQLite
	$(PYTEST) --randomly-seed=$(SEED) -m "not postgresql" $(wildcard tests/core tests/properties tests/conformance)

soak: SEED := $(shell od -An -N3 -tu4 /dev/urandom | tr -d ' ')
soak: $(DEVELOPMENT) ## the laws with fresh examples, the long fault tests, each rule switched off; SEED=N repeats a run
	$(PYTEST) --hypothesis-profile=soak --hypothesis-seed=$(SEED) --randomly-seed=$(SEED) --timeout=3600 \
		-m "soak or not soak" $(wildcard tests/properties tests/faults tests/scenarios/test_rules_switched_off.py)

bench: $(BENCHMARKING) ## costs beside their peers: rows, store, passes; then both connectors, which takes a while
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks growth
	$(BIN)/python -m benchmarks dynamics
	$(BIN)/python -m benchmarks marketo

check: $(DEVELOPMENT) ## lint, import rules and types, without the tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy --strict

format: $(DEVELOPMENT) ## put the code into its one form, and mend what ruff can mend
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

lock: $(DEVELOPMENT) ## write the lock files anew after a change of pyproject.toml; UPGRADE=1 moves to the newest versions
	$(PIP_COMPILE) --build-deps-for editable --output-file requirements.lock pyproject.toml
	$(PIP_COMPILE) --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	$(PIP_COMPILE) --extra bench --constraint requirements-dev.lock --output-file requirements-bench.lock pyproject.toml

clean: ## remove what the other targets made, .venv included
	rm -rf $(VENV) build dist .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache src/*.egg-info
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): requirements.lock pyproject.toml
	@echo "Installing the locked requirements into $(VENV)"
	@tools/make-venv.sh $(VENV)
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEVELOPMENT): requirements-dev.lock $(RUNTIME)
	@echo "Installing the development tools into $(VENV)"
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@touch $@

$(BENCHMARKING): requirements-bench.lock $(DEVELOPMENT)
	@echo "Installing the peers of the benchmarks into $(VENV)"
	@$(PIP) install --require-hashes --requirement requirements-bench.lock
	@touch $@
