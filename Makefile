# Everything that the project can do, each as one command. `make` alone explains them.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help setup system venvs run test matrix check format docs bench torture lock clean

VENV := .venv/bin
# Most tests wait for a process of theirs, so a third worker keeps two cores busy.
PYTEST := $(VENV)/python -m pytest --numprocesses 3 --dist loadfile
CLIENTS := hub-1.10 hub-0.36
# This one runs only the tests of Xet, which it speaks in the oldest way.
XET_CLIENT := hub-1.0
# These know neither a database nor a client.
PURE := $(addprefix --ignore=tests/,house git storage)
N ?= 200
HOST ?= 127.0.0.1
PORT ?= 8000
DATA ?= ./data

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

run: ## set up, load the demo through the real client, serve at http://127.0.0.1:8000
	@scripts/setup.sh run
	@exec $(VENV)/python scripts/run_demo.py --host $(HOST) --port $(PORT) --data $(DATA)

setup: ## make .venv with everything for development; quick when nothing changed
	@scripts/setup.sh dev
	@scripts/system.sh

system: ## install the programs that tests and benchmarks start (as root, with apt-get)
	@scripts/system.sh --strict

venvs: ## make the other clients' environments of the matrix
	@printf '%s\n' $(CLIENTS) $(XET_CLIENT) heavy npm | xargs -P 3 -n 1 scripts/setup.sh

test: setup ## the suite on SQLite with the current client
	$(PYTEST) -m "not heavy and not npm" $(ARGS)

matrix: setup venvs ## the suite on PostgreSQL with every client, and the heavy libraries
	HUTCH_TEST_DATABASE=postgres HUTCH_TEST_CLIENTS="current $(CLIENTS)" \
	HUTCH_TEST_XET_CLIENTS="current $(CLIENTS) $(XET_CLIENT)" \
	$(PYTEST) $(PURE) $(ARGS)

check: setup ## formatting, lint, types, import contract
	$(VENV)/ruff format --check .
	$(VENV)/ruff check .
	$(VENV)/lint-imports
	HUTCH_DATA=.mypy_cache/data $(VENV)/mypy

format: setup ## put the code into shape
	$(VENV)/ruff format .
	$(VENV)/ruff check --fix .

docs: setup ## write the generated pages of docs/
	$(VENV)/python scripts/docs.py

bench: setup ## measure against named peers, write docs/benchmarks.md, fail below target
	$(VENV)/python -m benchmarks.run $(ARGS)

torture: setup ## kill the server N times at seeded moments, then check what it had acknowledged
	$(VENV)/python -m benchmarks.torture --kills $(N) $(ARGS)

lock: ## resolve every environment anew and write the locks
	scripts/lock.sh

clean: ## remove what was made, the data folder excepted
	rm -rf .venv .venvs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
