# Everything a developer needs: `make demo` and `make test` work on a machine with only Python 3.11+ and make. What else a
# test wants and does not find it leaves out, and says so: a browser, nginx, PostgreSQL, Java, npm with Node.js, and the
# WordPress (with PHP and MariaDB) and Node-RED of examples/gateway. .ci/run installs all of them and leaves out nothing.

PORT ?= 8000
PYTHON := .venv/bin/python

# What makes the virtual environment: the first of these that is 3.11 or newer. Another: make PYTHONS=/path/to/python3
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11

# An environment the user's shell is in stays out of ours.
unexport VIRTUAL_ENV PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# An environment whose interpreter has gone, after an upgrade say, is made anew.
_ := $(shell test -x $(PYTHON) || rm -rf .venv)

.DEFAULT_GOAL := help
.PHONY: help demo test check format browser bench bench-browser venv clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

demo: .venv/.demo-ready ## Run the demo site (PORT=8000)
	$(PYTHON) -m examples.step_forward_luton --port $(PORT)

test: check browser .venv/.bench-ready ## Run every check and every test, in a real browser too
	$(PYTHON) -m pytest

check: .venv/.dev-ready ## Check format, lint and types
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy

format: .venv/.dev-ready ## Format the code and fix what ruff can fix
	$(PYTHON) -m ruff check --fix-only .
	$(PYTHON) -m ruff format .

browser: .venv/.dev-ready ## Find a browser for the tests, or get one, and what it is to show
	$(PYTHON) -m tests.browser --ensure
	$(PYTHON) -m tests.npm

bench: .venv/.bench-ready ## Measure what a request costs, beside others (needs wrk)
	$(PYTHON) -m benchmarks

bench-browser: .venv/.dev-ready ## Measure what a visitor's browser pays, beside other consent tools (needs npm)
	$(PYTHON) -m tests.browser --ensure
	$(PYTHON) -m benchmarks.browser

venv: .venv/.dev-ready ## Make .venv with all development tools

clean: ## Remove .venv, caches and build products
	rm -rf .venv build dist .coverage htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The demo installs little and starts soon; the development tools include what the demo needs.
.venv/.demo-ready: pyproject.toml .venv/.made
	@echo "Installing what the demo needs into .venv …"
	@$(PYTHON) -m pip install --quiet --editable '.[cli,records]'
	@touch $@

.venv/.dev-ready: pyproject.toml .venv/.made
	@echo "Installing the development tools into .venv …"
	@$(PYTHON) -m pip install --quiet --editable '.[dev]'
	@touch $@ .venv/.demo-ready

# Rivals fit beside the development tools: see the file.
.venv/.bench-ready: benchmarks/requirements-rivals.txt .venv/.dev-ready
	@$(PYTHON) -m pip install --quiet --requirement $<
	@touch $@

.venv/.made:
	@for python in $(PYTHONS); do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	        lacking="$${lacking:-$${python##*/}}"; \
	        continue; \
	    fi; \
	    "$$python" -m venv --clear .venv && touch $@; \
	    exit; \
	done; \
	if [ -n "$$lacking" ]; then \
	    echo "$$lacking cannot make virtual environments yet; run this, then make again: sudo apt install $$lacking-venv" >&2; \
	else \
	    echo "consentgate needs Python 3.11 or newer: please install it, then run make again." >&2; \
	fi; \
	exit 1
