# `make demo` shows what it does; `make dev` keeps it running; `make test` proves it.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo dev test chaos messages bench lint types imports check lock upgrade

install: .venv/installed

.venv/installed: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==0.13.*"
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

demo: install
	$(BIN)/referrals demo

dev: install
	$(BIN)/referrals dev

test: install
	$(BIN)/pytest -n auto --maxprocesses 4

# The crash tests in their long form.
chaos: install
	CHAOS_LIFECYCLES=3000 CHAOS_GRANTS=3000 $(BIN)/pytest tests/chaos -s

# The storm of messages in its long form.
messages: install
	REFERRALS_TEST_MESSAGES=10000 $(BIN)/pytest -n 2 tests/store/messaging/test_fault_simulation.py

# CASE is one of benchmarks/cases, SIZE small, medium or full, SCALE a number of its own.
bench: install
	$(BIN)/python -m benchmarks $(CASE) $(if $(SIZE),--size $(SIZE)) $(if $(SCALE),--scale $(SCALE))

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

imports: install
	$(BIN)/lint-imports

check: test lint types imports

# Add new dependencies to requirements.txt and keep the other pins.
LOCK := $(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.txt

lock: install
	$(LOCK)

# Move every pin in requirements.txt to its newest version.
upgrade: install
	$(LOCK) --upgrade
