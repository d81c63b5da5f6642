# The two commands of the README are `make run` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
QUERY ?= Blue Dream
NEAR ?= Denver, CO
PORT ?= 8420
export PYTHONDONTWRITEBYTECODE ?= 1

.PHONY: help setup run test check lint types docs-check figures fuzz lock clean

help: ## say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): requirements.lock pyproject.toml scripts/setup
	@scripts/setup $(VENV)
	@touch $(STAMP)

# What may run side by side, and what needs the machine to itself: real processes that wait for each other.
APART = tests/unit tests/property tests/docs tests/contract
ALONE = tests/faults tests/e2e

setup: $(STAMP) ## install everything into .venv

run: $(STAMP) ## start a node with the sandbox, hunt once, stay up (ONCE=1: exit after the hunt)
	@QUERY="$(QUERY)" NEAR="$(NEAR)" PORT="$(PORT)" ONCE="$(ONCE)" scripts/run

test: $(STAMP) ## run all tests (small counts of everything)
	@scripts/test-setup
	@$(BIN)/python -m pytest -n auto --dist loadfile $(APART) $(PYTEST_ARGS)
	@$(BIN)/python -m pytest $(ALONE) $(PYTEST_ARGS)

lint: $(STAMP) ## check style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP) ## check types
	@$(BIN)/mypy

docs-check: $(STAMP) ## compare the docs with the code
	@$(BIN)/python -m pytest tests/docs

check: test lint types docs-check ## tests, style, types, docs

figures: $(STAMP) ## run the benchmarks at full size; writes docs/figures.md
	@$(BIN)/python benchmarks/run_all.py --out docs/figures.md --kept benchmarks/results.json

fuzz: $(STAMP) ## property tests with many more examples
	@HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest tests/property tests/faults/test_sql_kills.py --timeout 1200
	@$(BIN)/python fuzz/fuzz_codecs.py --seconds 300

lock: ## write requirements.lock anew (no index addresses)
	@$(BIN)/pip-compile --quiet --extra dev --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --upgrade --output-file requirements.lock pyproject.toml

clean: ## remove what was installed and built
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
