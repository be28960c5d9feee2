# Nothing but Python ≥ 3.11 is needed beforehand: `make run` and `make test` make .venv themselves.
# Works with GNU make 3.81 (macOS) and later, and in a directory whose name contains spaces.

.DEFAULT_GOAL := help
.PHONY: help run test lint format lock bench faults clean bare runtime dev
.NOTPARALLEL:

# Given on the command line (make run PORT=9000) or in the environment (PORT=9000 make run).
PYTHON ?=
HOST ?=
PORT ?=
export PYTHON

PY := .venv/bin/python

help: ## list what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | while IFS='	' read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done

run: runtime ## start the service with demo content (PORT=8000 HOST=127.0.0.1; Ctrl-C ends it)
	@exec $(PY) -m bot serve --demo $(if $(HOST),--host '$(HOST)') $(if $(PORT),--port '$(PORT)')

test: lint ## everything CI checks: format, lint, types, imports, tests
	$(PY) -m pytest

lint: dev ## format, lint, types and imports, without the tests
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy
	$(PY) .venv/bin/lint-imports --no-logo

format: dev ## put every file into the house format
	$(PY) -m ruff check --fix --show-fixes
	$(PY) -m ruff format

faults: dev ## kill the service again and again (minutes)
	$(PY) -m pytest -m faults tests/faults

bench: dev ## measure speed and quality
	$(PY) -m benchmarks

# One set of versions for every Python and platform; UPGRADE=1 takes the newest within pyproject's ranges.
COMPILE = UV_CUSTOM_COMPILE_COMMAND='make lock' $(PY) -m uv pip compile --quiet --universal --python-version 3.11 \
	--fork-strategy fewest --generate-hashes --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)

lock: bare ## renew the lock files from pyproject.toml (UPGRADE=1 takes newer versions)
	$(PY) -m pip install --disable-pip-version-check --quiet 'uv>=0.9'
	$(COMPILE) pyproject.toml --output-file requirements.lock
	$(COMPILE) --constraints requirements.lock pyproject.toml --group dev --output-file requirements-dev.lock

clean: ## remove caches and builds (not .venv, not the data in var/)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info tests/browser/failures
	find . -path ./.venv -prune -o -path ./var -prune -o -type d -name __pycache__ -exec rm -rf {} +

bare:
	@sh .ci/venv bare

runtime:
	@sh .ci/venv runtime

dev:
	@sh .ci/venv dev
