# Every target sets up what it needs in .venv; nothing else on the machine is touched.

PYTHON ?= python3
CONSTRAINTS ?= -c constraints.txt
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.PHONY: demo test test-fast studio test-studio lint bench docs clean

demo: $(STAMP)-run
	$(RUN) -m musenet.cli.start demo

# pytest runs a process on every core; more threads in each would only wait for one another.
test test-fast: export OMP_NUM_THREADS = 1

test: $(STAMP)-test
	$(RUN) -m pytest -n auto

test-fast: $(STAMP)-test
	$(RUN) -m pytest -n auto -m "not slow"

# The studio with its sounds: where npm (node) is installed, a SoundFont synthesiser and a bank of General MIDI
# sounds are fetched by package-lock.json and bundled into the page; without, the page has a synthesiser of its own.
studio: $(STAMP)-studio
	@if command -v npm > /dev/null; then \
		cd musenet/studio/sound && npm ci --no-audit --no-fund --ignore-scripts && npm run --silent build; \
	else echo "npm (node) is not installed: the studio plays with its own small synthesiser"; fi
	@echo "Start it with: . $(VENV)/bin/activate && musenet studio my_song.mid"

# The studio's page in Chromium, which must be installed (or named: CHROMIUM=/path); PICTURES=docs/pictures
# draws those of the documentation too.
test-studio: $(STAMP)-test-studio
	$(RUN) -m pytest tests/musenet/studio

lint: $(STAMP)-lint
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	@if command -v npx > /dev/null; then \
		npx --yes --package typescript@5.9 tsc --project tests/musenet/studio/tsconfig.json; \
	else echo "the studio's page is not checked: npx (node) is not installed"; fi

bench: $(STAMP)-test
	for script in benchmarks/*.py; do $(RUN) $$script || exit 1; done

# The documentation as a site in site/, with the API page from docstrings; a dead link is an error.
docs: $(STAMP)-docs
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict

clean:
	rm -rf $(VENV) demo site .pytest_cache .mypy_cache .ruff_cache

$(STAMP)-run: pyproject.toml constraints.txt | $(VENV)
	$(RUN) -m pip install --quiet $(CONSTRAINTS) --editable .
	touch $@

$(STAMP)-test: pyproject.toml constraints.txt | $(VENV)
	$(RUN) -m pip install --quiet $(CONSTRAINTS) --editable .[test]
	touch $@

$(STAMP)-studio: pyproject.toml constraints.txt | $(VENV)
	$(RUN) -m pip install --quiet $(CONSTRAINTS) --editable .[studio,musicxml]
	touch $@

$(STAMP)-test-studio: pyproject.toml constraints.txt | $(VENV)
	$(RUN) -m pip install --quiet $(CONSTRAINTS) --editable .[test,test-studio]
	touch $@

$(STAMP)-docs: pyproject.toml constraints.txt | $(VENV)
	$(RUN) -m pip install --quiet $(CONSTRAINTS) --editable .[docs]
	touch $@

$(STAMP)-lint: pyproject.toml constraints.txt | $(VENV)
	$(RUN) -m pip install --quiet $(CONSTRAINTS) --editable .[test,lint]
	touch $@

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed; name it with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
