# One virtual environment, made once and reused by every target.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
# `make test EXTRAS=dev` leaves torch out: everything but tests/lab/train runs without it.
EXTRAS ?= dev,train
READY  := $(VENV)/.ready

.PHONY: help web demo test test-full lint bench figures results results-search models clean

help:           ## list the targets
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/'

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@

# Node.js is needed for the page alone; without it everything else works and the tests of the page are skipped.
PAGE := src/samebody/service/capture/page/index.html
web: $(PAGE)    ## build the capture page with npm, into the package

$(PAGE): $(wildcard web/src/* web/*.json web/*.html web/*.ts)
	@if command -v npm >/dev/null; then cd web && npm ci --silent --no-audit --no-fund && npm run --silent build; \
	else echo "npm is not installed: the capture page is not built (apt-get install npm)"; fi

demo: $(READY)  ## pull weights and example photographs, verify a person against specimen documents, write reports
	$(BIN)/python -m samebody demo --out demo-out

test: $(READY) lint web ## lint, types, floors and every test that is not marked slow (under 15 minutes on 2 cores)
	$(BIN)/python -m samebody models pull --all --quiet
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow"

test-full: $(READY) lint web ## everything, with the long fault, fuzz and figure runs; result kept in docs/results
	$(BIN)/python -m samebody models pull --all --quiet
	$(BIN)/python -m benchmarks.test_full

lint: $(READY)  ## ruff, mypy strict on src, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(READY) ## time the main job against its peers in one run; prints ratios
	$(BIN)/python -m benchmarks

results: $(READY) ## measure the recogniser on public sets (SAMEBODY_DATA) and rewrite docs/results/evaluate-*.md, iris-*.md
	$(BIN)/python -m benchmarks.evaluation_results
	$(BIN)/python -m benchmarks.iris_results

results-search: $(READY) ## every table of the 1:N search: speed, gallery, FPIR, scale, a million irises and vectors (25 minutes)
	$(BIN)/python -m benchmarks.search_speed
	$(BIN)/python -m benchmarks.gallery_speed fill
	$(BIN)/python -m benchmarks.gallery_speed
	$(BIN)/python -m benchmarks.fpir
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.gallery_demo

models: $(READY) ## train every model of our own from its recipe: data, training, export, gates, record (SAMEBODY_DATA; hours)
	$(BIN)/python -m benchmarks.models

clean:          ## remove the virtual environment and what the demo wrote
	rm -rf $(VENV) demo-out
