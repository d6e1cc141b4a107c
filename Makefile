# make run    install what is missing, run the pipeline on the phantom cohort
# make test   install what is missing, run the tests
# Both may be typed again at any time: what is done is not done twice.

PYTHON ?= $(firstword $(shell command -v python3.11 python3))
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed-$(shell cksum requirements.lock | cut -d' ' -f1)

# The longest files first, so that both processes end at about the same time.
SIDE_BY_SIDE := --numprocesses 2 --dist loadfile --no-loadscope-reorder
LONGEST := tests/flows/test_pipeline.py tests/test_pipeline.py tests/flows/test_deployments.py tests/flows/test_sweep.py

.PHONY: run test install prove clean
.DEFAULT_GOAL := run

run: $(INSTALLED)
	@echo "graft: running the pipeline (dvc repro); stages whose inputs did not change are skipped"
	PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro
	@echo "graft: done. The numbers are in metrics/metrics.json; compare runs with '$(BIN)/dvc exp show'"

test: $(INSTALLED)
	@echo "graft: running the tests"
	PATH="$(CURDIR)/$(BIN):$$PATH" OMP_NUM_THREADS=1 python -m pytest $(SIDE_BY_SIDE) $(LONGEST) tests

install: $(INSTALLED)

# The same bytes from two fresh clones.
prove: $(INSTALLED)
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m benchmarks.same_bytes

$(INSTALLED): requirements.lock
	@echo "graft: installing the packages of requirements.lock into $(VENV) (about 6 GB, most of it PyTorch)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "graft needs Python 3.11 or newer; name one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements.lock
	@rm -f $(VENV)/.installed-*
	@touch $@

clean:
	rm -rf $(VENV) .graft
