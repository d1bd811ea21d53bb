# Every target sets up what it needs in .venv; nothing else on the machine is touched.

PYTHON ?= python3
CONSTRAINTS ?= -c constraints.txt
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.PHONY: demo test test-fast lint bench clean

demo: $(STAMP)-run
	$(RUN) generate.py examples/prompts/chorale.mid --bars 16 --end --candidates 8 --seed 0 \
		--out demo/chorale.mid --picture demo/chorale.png --force
	@echo "Listen to demo/chorale.mid and look at demo/chorale.png."

# pytest runs a process on every core; more threads in each would only wait for one another.
test test-fast: export OMP_NUM_THREADS = 1

test: $(STAMP)-test
	$(RUN) -m pytest -n auto

test-fast: $(STAMP)-test
	$(RUN) -m pytest -n auto -m "not slow"

lint: $(STAMP)-lint
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

bench: $(STAMP)-test
	for script in benchmarks/*.py; do $(RUN) $$script || exit 1; done

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache

$(STAMP)-run: pyproject.toml constraints.txt | $(VENV)
	$(RUN) -m pip install --quiet $(CONSTRAINTS) --editable .
	touch $@

$(STAMP)-test: pyproject.toml constraints.txt | $(VENV)
	$(RUN) -m pip install --quiet $(CONSTRAINTS) --editable .[test]
	touch $@

$(STAMP)-lint: pyproject.toml constraints.txt | $(VENV)
	$(RUN) -m pip install --quiet $(CONSTRAINTS) --editable .[test,lint]
	touch $@

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed; name it with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
