# Two commands do everything a newcomer needs: `make demo` and `make test`. Each sets up first, and alone.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-system check format bench judge lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv with everything at locked versions (minutes the first time, instant after)
	@$(PYTHON) requirements/install.py

demo: setup ## the whole chain on real data, from feast apply to a verified report, into ./data
	@$(BIN)/provender demo

test: setup ## every test that needs only what pip provides
	@$(BIN)/python -m pytest -m "not system" -n 2 --dist loadfile

test-system: setup ## the tests that need Go, Redis, PostgreSQL, Chromium or Java; a missing part fails
	@$(BIN)/python -m pytest -m system

check: setup ## formatting, lint, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: setup ## let ruff format and mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## measure, on this machine
	@for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

judge: setup ## Feast's universal offline-store tests against our store; FEAST_CHECKOUT=path (docs/retrieval.md)
	$(BIN)/python tests/api/feast/universal/judge.py $(FEAST_CHECKOUT)

lock: ## resolve pyproject.toml anew, in an environment of its own, and write requirements/lock.txt
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/pip install --quiet "$$(grep '^torch==' requirements/lock.txt)" -e '.[dev]'
	grep '^#' requirements/lock.txt > .venv-lock/lock.txt
	.venv-lock/bin/pip freeze --all --exclude pip --exclude provender | sed 's/+.*//' | LC_ALL=C sort -f >> .venv-lock/lock.txt
	mv .venv-lock/lock.txt requirements/lock.txt
	rm -rf .venv-lock

clean: ## remove what was built and measured, but neither .venv nor data
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
