# Everything a person types. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup runtime run test test-long lint types arch bench openapi lock docs docs-check fmt clean

PORT ?= 8000
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
TESTS ?=

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  \033[1mmake %-10s\033[0m %s\n", $$1, $$2 }'

setup: ## make .venv with everything for development (Python 3.11+; quick the second time)
	@scripts/setup dev

runtime:
	@scripts/setup runtime

run: runtime ## serve a demo organisation at http://127.0.0.1:PORT (default 8000)
	@$(BIN)/anodyne demo load --if-empty
	@$(BIN)/anodyne serve --port $(PORT)

test: setup ## every test but the long ones (installs PostgreSQL and Chromium with apt-get when root and missing)
	@ANODYNE_TEST_PG_BIN=$$(scripts/find-postgres) CHROMIUM=$$(scripts/find-chromium) $(PYTEST) -n 2 --dist loadgroup -m "not long" $(TESTS)

test-long: setup ## the long ones: crash drills with many kills, large histories
	@ANODYNE_TEST_PG_BIN=$$(scripts/find-postgres) CHROMIUM=$$(scripts/find-chromium) $(PYTEST) -m long $(TESTS)

lint: setup ## ruff
	@$(BIN)/ruff check .

types: setup ## mypy --strict
	@$(BIN)/mypy

arch: setup ## import-linter: who may import whom
	@$(BIN)/lint-imports

bench: setup ## ratios against the library and a bare insert; writes docs/performance.md
	@ANODYNE_TEST_PG_BIN=$$(scripts/find-postgres) $(BIN)/python -m benchmarks

openapi: setup ## regenerate docs/openapi.json
	@$(BIN)/anodyne docs openapi > docs/openapi.json.new && mv docs/openapi.json.new docs/openapi.json

docs: setup ## regenerate docs/events.md from the event structs
	@$(BIN)/anodyne docs events > docs/events.md.new && mv docs/events.md.new docs/events.md

docs-check: setup ## fail when generated documents are older than the code
	@diff -u docs/events.md <($(BIN)/anodyne docs events) || { echo "docs/events.md is old: run 'make docs'"; exit 1; }
	@diff -u docs/openapi.json <($(BIN)/anodyne docs openapi) > /dev/null || { echo "docs/openapi.json is old: run 'make openapi'"; exit 1; }

lock: setup ## remake both hashed locks from pyproject.toml (UPGRADE=1 for newer versions)
	@scripts/lock $(if $(UPGRADE),--upgrade)

fmt: setup ## let ruff mend what it can
	@$(BIN)/ruff check --fix .

clean: ## remove caches and build output; data in var/ stays
	@rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
