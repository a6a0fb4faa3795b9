# `make` lists what there is. PYTHON and VENV choose another interpreter and where it is installed:
# `make test PYTHON=python3.13 VENV=.venv-3.13`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Many tests wait for servers: three processes keep two cores busy.
PROCESSES ?= 3
LOCK := $(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.txt

.DEFAULT_GOAL := help
.PHONY: help install demo dev test coverage chaos messages histories bench docs fmt lint types imports check lock upgrade

help: ## List the targets.
	@sed -n 's/^\([a-z]*\):.*## /\1 /p' Makefile | while read -r target text; do printf '%-10s %s\n' "$$target" "$$text"; done

install: $(VENV)/installed ## Install the engine and its tools into .venv.

$(VENV)/installed: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==0.13.*"
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

demo: install ## Run a whole referral lifecycle on a temporary system and print each step.
	$(BIN)/referrals demo

dev: install ## Run Temporal, a worker and the API on this machine until interrupted.
	$(BIN)/referrals dev

test: install ## Run all tests in PROCESSES processes. TESTS=tests/cli runs a part of them.
	$(BIN)/pytest -n $(PROCESSES) $(TESTS)

coverage: install ## Run the tests and report which lines they run, in the terminal and in htmlcov/.
	$(BIN)/pytest -n $(PROCESSES) --cov --cov-report=term:skip-covered --cov-report=html $(TESTS)

chaos: install ## Run the crash tests with more lifecycles and more rewards.
	CHAOS_LIFECYCLES=3000 CHAOS_GRANTS=3000 $(BIN)/pytest tests/chaos -s

messages: install ## Run the message load test with 10,000 messages.
	REFERRALS_TEST_MESSAGES=10000 $(BIN)/pytest -n 2 tests/store/messaging/test_fault_simulation.py

histories: install ## Run 10,000 random histories of orders and people on each database. SEED is a number.
	LIFE_HISTORIES=10000 $(BIN)/pytest -n 2 $(if $(SEED),--hypothesis-seed=$(SEED)) tests/store/life

bench: install ## Measure. CASE is a module of benchmarks/cases, SIZE is small, medium or full, SCALE a number.
	$(BIN)/python -m benchmarks $(CASE) $(if $(SIZE),--size $(SIZE)) $(if $(SCALE),--scale $(SCALE))

docs: install ## Generate docs/schema.md from the tables, and docs/campaign.md from the models of campaigns.
	$(BIN)/python -m referrals.store.schema.document
	$(BIN)/python -m referrals.campaign_document

fmt: install ## Format the code and fix what the linter can fix.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: install ## Check style and formatting.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install ## Check types.
	$(BIN)/mypy

imports: install ## Check that imports only go down. The tests check modules for cycles.
	$(BIN)/lint-imports

check: test lint types imports ## Run what .ci/run runs, on one version of Python.

lock: install ## Add new dependencies to requirements.txt and keep the other pins.
	$(LOCK)

upgrade: install ## Move every pin in requirements.txt to its newest version.
	$(LOCK) --upgrade
