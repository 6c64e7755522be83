# Two commands do all the set-up: `make compare` (the main job) and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
ARGS ?=

.PHONY: compare dev test test-cache test-drills test-faults test-workshop test-live lint format bench bench-million artefacts lock clean

compare: $(VENV)/.main
	$(BIN)/crossover compare $(ARGS)

# Everything the main job does not need: local models, the semantic cache, tests, lint.
dev: $(VENV)/.dev

test: $(VENV)/.dev
	$(BIN)/python -m pytest tests -n 2 --dist loadfile

test-live: $(VENV)/.dev
	$(BIN)/python -m pytest tests -m live

# A million fuzzed requests over the answer cache.
test-cache: $(VENV)/.dev
	CROSSOVER_FUZZED_REQUESTS=1000000 $(BIN)/python -m pytest tests/legacy/test_cache.py tests/legacy/test_cache_field.py

# Ten thousand seeded scenarios a pipeline, and two hundred killed servers: some minutes.
test-faults: $(VENV)/.dev
	$(BIN)/python -m pytest tests/faults -m "not live" -n 2

# Every change drill in both pipelines, and what each took.
test-drills: $(VENV)/.dev
	$(BIN)/crossover drills $(ARGS)

# Every exercise of docs/workshop.md, run: under a minute.
test-workshop: $(VENV)/.dev
	$(BIN)/python -m pytest tests/test_workshop.py -m workshop

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/crossover maintenance advisories --check

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	$(BIN)/python -m pytest benchmarks/micro -m ""

# A million requests in virtual time through both pipelines, in two processes, about five minutes.
bench-million: $(VENV)/.dev
	CROSSOVER_REQUESTS=1000000 $(BIN)/python -m pytest benchmarks/micro/test_virtual.py -m "" -k among

# The classifier's artefacts, from the recorded training answers alone, and the semantic cache's, from training pairs.
artefacts: $(VENV)/.dev
	$(BIN)/crossover classifier train --small qwen-0.5b --large qwen-1.5b
	$(BIN)/crossover classifier train --small smollm2-135m --large qwen-1.5b
	$(BIN)/crossover cache train

# The lock files are made again with uv: exact versions with hashes, no host names.
lock:
	uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --extra build pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --extra dev pyproject.toml \
		-c requirements.lock -o requirements-dev.lock

$(VENV)/.python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.main: $(VENV)/.python requirements.lock pyproject.toml
	if [ -e $(VENV)/.dev ]; then $(MAKE) $(VENV)/.dev; else \
		$(PIP) --require-hashes -r requirements.lock && $(PIP) --no-deps --no-build-isolation --editable .; fi
	touch $@

$(VENV)/.dev: $(VENV)/.python requirements-dev.lock pyproject.toml
	$(PIP) --require-hashes -r requirements-dev.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf $(VENV) results .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks .import_linter_cache
