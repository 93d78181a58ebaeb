# `make demo` and `make test` need Python 3.11-3.13 and make, nothing else.
PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
JOBS ?= $(shell getconf _NPROCESSORS_ONLN)
BIN := .venv/bin
PROTOCOLS ?= ../shared/data/protocols
SMALL = $(findstring small,$(SIMULATED))
FULL = $(findstring full,$(SIMULATED))
QUALITY_SETS = $(if $(FULL),simulated=runs/simulated) $(if $(SMALL),'simulated small=runs/simulated-small') \
	$(foreach csv,$(wildcard $(PROTOCOLS)/*.csv),$(basename $(notdir $(csv)))=$(csv))
GROUP = import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['dependency-groups']['dev'])# pip before 25.1 has no --group
export OMP_NUM_THREADS ?= 1
export PYTHONDONTWRITEBYTECODE := # else every process compiles anew what it imports: 3 s of CPU for SciPy or torch

.PHONY: demo install lock docs test test-package coverage test-processors check format bench-simulated bench-quality bench-speed bench-choose choose-default clean help

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

demo: .venv/installed ## Simulate machines, train, score, tabulate, report
	$(BIN)/dgmix demo -o demo

install: .venv/installed ## Set up .venv with dgmix and what it needs

test: .venv/developing ## Run all tests
	$(BIN)/pytest -n $(JOBS) --dist worksteal --durations=10

coverage: .venv/developing ## Run all tests with coverage, which takes nearly twice as long
	$(BIN)/pytest -n $(JOBS) --dist worksteal --cov --cov-report=term

test-processors: .venv/developing ## What once failed on processors without AVX-512, as on these
	ONEDNN_MAX_CPU_ISA=AVX2 $(BIN)/pytest -q -n $(JOBS) tests/e2e/test_whole_clips.py tests/model/encoders/test_strided.py \
		tests/model/test_train.py::test_a_batch_can_be_learned_by_heart \
		"tests/test_config.py::test_every_setting_is_read[encoder.name]" \
		tests/evaluate/report/listening/test_command.py -k "not older_processors"

test-package: .venv/developing ## Wheel and sdist in a fresh environment, with the quick demonstration, outside of this folder
	DGMIX_TEST_PACKAGE=1 $(BIN)/pytest tests/test_package.py

lock: ## requirements.lock anew, with hashes, at the versions of constraints.txt; needs uv
	@uv lock --quiet $(foreach each,$(shell grep -v '^\#' $(CONSTRAINTS)),--upgrade-package $(each))
	uv export --quiet --frozen --all-extras --no-emit-project --no-annotate --no-header --format requirements-txt -o requirements.lock

docs: .venv/developing ## The documentation site, in build/site; a broken link is an error
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python docs/site.py

check: .venv/developing docs ## Formatting, lint, types, import layers, structure, documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/structure.py

format: .venv/developing ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench-simulated: .venv/installed ## How hard the simulated set is for raw views
	$(BIN)/python benchmarks/simulated_set.py

bench-quality: .venv/installed $(if $(FULL),runs/simulated) $(if $(SMALL),runs/simulated-small) ## Tables of every system; SIMULATED="small full", SETS="name=table.csv", QUALITY="--readme benchmarks/results/README.md"
	$(BIN)/python benchmarks/quality.py -o runs/quality $(QUALITY_SETS) $(SETS) $(QUALITY)

choose-default: .venv/installed runs/simulated-small ## Choose the default's views by the rule of docs/decisions/0025; CHOOSE="--pyod"
	$(BIN)/python benchmarks/choose_default.py $(PROTOCOLS) runs/simulated-small -o runs/choice $(CHOOSE)

bench-choose: .venv/installed runs/simulated-small ## What `dgmix choose` and `--sensitivity` are worth: benchmarks/results/choose.md
	$(BIN)/python benchmarks/chooser.py $(PROTOCOLS)/*.csv runs/simulated-small -o runs/chooser --page benchmarks/results/choose.md $(CHOOSER)
	$(BIN)/python benchmarks/sensitivity.py $(PROTOCOLS)/.. $(PROTOCOLS)/*.csv runs/simulated-small -o runs/chooser --page benchmarks/results/choose.md $(CHOOSER)

runs/simulated: .venv/installed
	test -e $@ || $(BIN)/dgmix simulate -d $@ --clips 200 --test-clips 25

runs/simulated-small: .venv/installed
	test -e $@ || $(BIN)/dgmix simulate -d $@ --sections 3 --clips 60 --test-clips 20

bench-speed: .venv/developing ## benchmarks/results: how fast, beside a straightforward training; SPEED="--full"
	$(BIN)/python benchmarks/speed.py $(SPEED)

clean: ## Remove the environment and what the demo wrote
	rm -rf .venv demo

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml $(CONSTRAINTS)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c $(CONSTRAINTS) -e .
	@touch $@

.venv/developing: .venv/installed
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c $(CONSTRAINTS) -e ".[all]" $$($(BIN)/python -c "$(GROUP)")
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps aisfx==0.1.2 # weights for a test; its pins are of 2022
	@touch $@
