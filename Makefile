# `make` alone says what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install lint test coverage conformance mutants fuzz demo run bench clean

BIN := .venv/bin
PYTEST_WORKERS ?= 2
PROTOCOL_TESTS := tests/unit/protocol tests/unit/test_vectors.py
# Tests start hundreds of commands, and each would compile all sources anew where the environment forbids to keep that.
export PYTHONDONTWRITEBYTECODE :=

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/.installed ## make .venv with the locked dependencies (PYTHON=… chooses the interpreter)

.venv/.installed: pyproject.toml requirements/build.txt requirements/dev.txt scripts/install.sh
	@scripts/install.sh

lint: install ## check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy protocol keys node tests
	$(BIN)/lint-imports

test: lint ## lint, then run all tests; those of the protocol must cover it whole, branches too
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) $(PROTOCOL_TESTS) \
	    --cov=hashpact_protocol --cov-report=term:skip-covered --cov-fail-under=100
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) $(PROTOCOL_TESTS:%=--ignore=%)

coverage: install ## run all tests, and show what they cover, package by package; commands that they start, too
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --cov --cov-report=
	@scripts/coverage.sh

conformance: install ## run the conformance suite on our own node, in all modes (ONLY='pair witness' chooses)
	@$(BIN)/python tests/conformance.py $(ONLY)

mutants: install ## take rules out of our node, and see the conformance suite notice (ONLY='notes' chooses)
	@$(BIN)/python tests/mutants.py $(if $(ONLY),-k "$(ONLY)")

fuzz: install ## fuzz every reader of a peer's bytes (SECONDS=20 each, ONLY='note card' chooses)
	@$(BIN)/python tests/fuzz/run.py $(if $(SECONDS),--seconds "$(SECONDS)") $(if $(ONLY),--only "$(ONLY)")

demo: install ## three nodes share a blocklist (PICTURES=folder takes yours, KEEP=1 leaves them running)
	@$(BIN)/hashpact demo $(if $(PICTURES),--pictures "$(PICTURES)") $(if $(KEEP),--keep)

run: install ## start one node for real use, in var/node or HASHPACT_HOME
	@HASHPACT_HOME="$${HASHPACT_HOME:-var/node}" exec $(BIN)/hashpact run

bench: install ## measure (N=1000000 sets the size, NODES=12 those of the crisis, ONLY='bootstrap.*' chooses)
	@$(BIN)/python tests/bench/run.py $(if $(N),--n "$(N)") $(if $(NODES),--nodes "$(NODES)") $(if $(ONLY),--only "$(ONLY)")

clean: ## remove .venv, caches and reports; never var/, where nodes live
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .fuzz .coverage .coverage.* build dist
