# A fresh machine needs Python 3.11 or later and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REQUIREMENTS := requirements/dev.txt
# One process for each core; those that finish early take tests from the others.
PARALLEL := -n auto --dist worksteal
# Tests start hundreds of Python processes; without bytecode, each compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test quick proof check docs wheel bench format requirements clean
.DEFAULT_GOAL := test

# What the demo needs is little, and is there sooner than all that development needs.
demo: $(VENV)/.demo
	@$(BIN)/python examples/demo.py

# Everything, the long proofs as samples.
test: $(VENV)/.dev
	@echo "The whole suite takes about 20 minutes on two cores. \`make quick\` takes three; it starts no servers."
	@$(BIN)/python -m pytest $(PARALLEL)

# For every edit: memory and SQLite, no servers, few processes; three minutes on two cores.
quick: $(VENV)/.dev
	@$(BIN)/python -m pytest -n $$(( 1 + $$(getconf _NPROCESSORS_ONLN) )) --dist worksteal \
		-m "not server and not slow"

# The long proofs at full size.
proof: $(VENV)/.dev
	@echo "The proofs at full size take about half an hour on two cores."
	@TURNLOG_PROOF=1 $(BIN)/python -m pytest $(PARALLEL) -m proof --timeout=3600

# Style and types: mypy and pyright over the source, printed snippets and programs of tests/typing.
check: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/python -m tests.typing

# Builds the package as users install it, in dist/.
wheel: $(VENV)/.demo
	@$(BIN)/hatchling build -t wheel -d dist
	@echo "Install it with: pip install '$$(ls dist/turnlog-*.whl)[cli,openai]'"

bench: $(VENV)/.dev
	@$(BIN)/python -m bench
	@echo "Lists of up to 1,000,000 sessions, some minutes …"
	@$(BIN)/python -m bench.listing

# Builds the pages in site/. A link that leads nowhere or a page outside of the navigation fails; nothing is fetched.
docs: $(VENV)/.docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

format: $(VENV)/.dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# Writes the pinned requirements anew. They hold hashes and no addresses.
requirements: $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header \
		requirements/cli.in -o requirements/cli.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header \
		requirements/dev.in -o requirements/dev.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header \
		requirements/docs.in --constraint requirements/dev.txt -o requirements/docs.txt

clean:
	rm -rf $(VENV) dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis .typing_cache

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit("Turnlog needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Say which: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) lacks its module venv. On Debian and Ubuntu: apt install python3-venv" >&2; \
		exit 1; }
	@echo "Setting up $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.python requirements/cli.txt pyproject.toml
	@echo "Installing what the command line needs, which takes less than a minute …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/cli.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.python requirements/dev.txt pyproject.toml
	@echo "Installing what the tests and checks need, which takes a minute or two …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.docs: $(VENV)/.python requirements/docs.txt
	@echo "Installing what builds the pages …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.txt
	@touch $@
