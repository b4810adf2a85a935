# Two commands do all set-up: `make demo` runs a recorded incident to its page, `make test` passes the tests.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help demo test check lab clean

help:  ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ —/'

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name it with make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $(STAMP)

demo: $(STAMP)  ## walk a recorded incident from its raw files to a page (a minute)
	$(BIN)/incident-kit run sample_incidents/pool_starved_by_slow_query --out cases/demo
	$(BIN)/incident-kit export cases/demo --to html --unredacted --out cases/demo/exports/pool_starved_by_slow_query.unredacted.html

test: $(STAMP)  ## every test; those whose server or browser is missing say so and skip
	$(BIN)/python -m pytest

check: $(STAMP)  ## style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

lab: $(STAMP)  ## the walk in JupyterLab
	$(BIN)/incident-kit lab cases/demo

clean:  ## remove the environment and what the demo made
	rm -rf .venv cases/demo
