# make run    install what is missing, run the pipeline on the phantom cohort
# make test   install what is missing, run the tests
# make lint   install what is missing, check format, style, types and dependencies between packages
# make bench  install what is missing, run the benchmarks, write their table in docs/benchmarks.md
# You can run them again at any time: finished work is not repeated.

PYTHON ?= $(firstword $(shell command -v python3.11 python3))
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed-$(shell cksum requirements.lock | cut -d' ' -f1)

# A process per core; tests/conftest.py puts the longest files first.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: run test lint bench install prove clean
.DEFAULT_GOAL := run

run: $(INSTALLED)
	@echo "graft: running the pipeline (dvc repro); stages whose inputs did not change are skipped"
	PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro
	@echo "graft: done. Open metrics/report.html; compare runs with '$(BIN)/dvc exp show'"

test: $(INSTALLED)
	@echo "graft: running the tests"
	PATH="$(CURDIR)/$(BIN):$$PATH" OMP_NUM_THREADS=1 python -m pytest $(PARALLEL)

lint: $(INSTALLED)
	@echo "graft: checking format, style, dependencies between packages, and types"
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	PATH="$(CURDIR)/$(BIN):$$PATH" lint-imports --no-cache
	$(BIN)/mypy

bench: $(INSTALLED)
	@echo "graft: running the benchmarks; run nothing else on this machine meanwhile"
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m benchmarks.all

install: $(INSTALLED)

# Two fresh clones give the same bytes.
prove: $(INSTALLED)
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m benchmarks.same_bytes

$(INSTALLED): requirements.lock
	@echo "graft: installing requirements.lock into $(VENV) (about 6 GB, most of it PyTorch)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"graft needs Python 3.11 or newer; name one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--requirement requirements.lock
	@rm -f $(VENV)/.installed-*
	@touch $@

clean:
	rm -rf $(VENV) .graft
