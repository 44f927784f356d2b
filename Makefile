# Targets of tigerbush; `make` alone prints them.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null)
LOCK = uv pip compile --universal --generate-hashes --no-annotate --no-header --quiet

.DEFAULT_GOAL := help
.PHONY: help env demo test fuzz mutants prove same-numbers lint docs bench bench-jobs calibrate conclusions peers image lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

env: $(VENV)/.runtime $(VENV)/.plugins ## install the environment .venv from requirements.txt

demo: $(VENV)/.runtime $(VENV)/.plugins ## run the whole workflow on the embedded sample, then say where to look
	@echo "Running the workflow on a simulated ecosystem (config/config.yaml):"
	@if [ -t 1 ]; then progress="--logger rich"; else progress="--quiet rules"; fi; \
	$(BIN)/snakemake --profile profiles/local $$progress -- all records
	@$(BIN)/snakemake --cores 1 --quiet all --report results/report.html -- all records
	@echo "Look at:"
	@for file in niger/analysis/report.html records/drying/analysis/report.html records/steady/analysis/report.html \
	niger/results_summary.json niger/analysis/overview.png report.html; do echo "  $(CURDIR)/results/$$file"; done
	@echo "What the reports say of early warning:"
	@./tigerbush findings $(foreach site,records/drying records/steady niger,results/$(site)/analysis/analysis.json)

# compile the bytecode now; otherwise every job on a cluster would do it again
ifdef UV
CREATE = $(UV) venv --quiet --python $(PYTHON) $(VENV)
INSTALL = $(UV) pip install --python $(BIN)/python --require-hashes --compile-bytecode
else
CREATE = $(PYTHON) -m venv $(VENV)
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --require-hashes
endif

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "tigerbush needs Python 3.11 or later; set PYTHON=..." >&2; exit 1; }
	@PYTHONPATH=workflow/scripts $(PYTHON) -c 'import os, sys; from tigerbush.planning.paths import checkout_refusal; \
	sys.exit(checkout_refusal(os.getcwd()))'
	$(CREATE)

$(VENV)/.runtime: requirements.txt | $(BIN)/python
	$(INSTALL) --requirement requirements.txt
	@touch $@

# other tools at fixed versions, which have no lock: only `make peers` uses them
$(VENV)/.peers: bench/peers.txt $(VENV)/.runtime
	$(subst --require-hashes,,$(INSTALL)) --requirement bench/peers.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt | $(BIN)/python
	$(INSTALL) --requirement requirements-dev.txt
	@touch $@ $(VENV)/.runtime

# Snakemake finds plugins on Python's path; the path of the folder is relative to the environment
$(VENV)/.plugins: | $(BIN)/python
	@$(BIN)/python -c 'import os, site; place = site.getsitepackages()[0]; \
	open(os.path.join(place, "tigerbush.pth"), "w").write(os.path.relpath("plugins", place) + "\n")'
	@touch $@

test: $(VENV)/.dev $(VENV)/.plugins ## run every test (those on real data need ../shared/data)
	$(BIN)/python -m pytest --numprocesses auto --dist loadgroup --no-loadscope-reorder

fuzz: $(VENV)/.dev $(VENV)/.plugins ## two minutes of random damage to everything that comes from outside (SECONDS=120, SEED, ONLY=zip)
	PYTHONPATH=tests:tests/unit:workflow/scripts $(BIN)/python -m fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only "$(ONLY)")

prove: $(VENV)/.dev $(VENV)/.plugins ## run what takes too long for `make test`: tests without each fix, SLURM with every fault
	PYTHONPATH=tests:tests/services:tests/standins:workflow/scripts:plugins $(BIN)/python -m proof $(WHAT)

mutants: $(VENV)/.dev $(VENV)/.plugins ## mutation testing: list small faults that no unit test detects (MODULES="analysis/series report/findings" or SINCE=HEAD~1; SAMPLE, SEED, TESTS)
	PYTHONPATH=tests:tests/services:workflow/scripts $(BIN)/python -m mutants $(MODULES) $(if $(SINCE),--since $(SINCE)) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED)) $(if $(TESTS),--tests $(TESTS))

same-numbers: $(VENV)/.runtime ## after a change of code that changes no number: keep the results of SINCE=commit (except those of EXCEPT="rules")
	$(BIN)/python tests/same_numbers.py $(SINCE) $(if $(EXCEPT),--except $(EXCEPT))

lint: $(VENV)/.dev ## check format and style of Python, Snakefiles and the workflow
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check workflow
	$(BIN)/snakemake --lint

docs: $(VENV)/.runtime ## write the tables of config/README.md from the schema, and of docs/inputs.md from the tests
	PYTHONPATH=workflow/scripts $(BIN)/python docs/config_table.py
	$(BIN)/python docs/inputs_table.py

bench: $(VENV)/.dev ## measure speed and memory (minutes; ROWS=centrality,dag selects rows)
	PYTHONPATH=workflow/scripts OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m bench $(if $(ROWS),--rows $(ROWS))

bench-jobs: $(VENV)/.dev ## measure the resources of each job, for the model of ./tigerbush plan
	PYTHONPATH=workflow/scripts $(BIN)/python bench/jobs.py

conclusions: $(VENV)/.dev ## what is concluded about records whose truth is known, for docs/evidence.md (hours; ARGS="--records 20 --only step")
	PYTHONPATH=workflow/scripts OPENBLAS_NUM_THREADS=1 $(BIN)/python -m bench.conclusions $(ARGS)

peers: ## what ewstools, Rbeast and ruptures find in the same records, in the environment .venv-peers (an hour; ARGS="--records 20 --steps 5")
	@$(MAKE) --no-print-directory VENV=.venv-peers .venv-peers/.peers
	PYTHONPATH=workflow/scripts OMP_NUM_THREADS=1 .venv-peers/bin/python -m bench.peers $(ARGS)

calibrate: $(VENV)/.dev ## measure false alarms and power of the early-warning tests, for docs/evidence.md (over an hour; SMALL=1 only shows that it runs)
	PYTHONPATH=workflow/scripts OPENBLAS_NUM_THREADS=1 $(BIN)/python -m bench.calibrate $(if $(SMALL),--small)

image: ## build the container image of the Azure nodes (needs docker; IMAGE=registry/tigerbush:tag names it)
	docker build --tag $(or $(IMAGE),tigerbush:latest) .

lock: ## compile requirements*.txt from pyproject.toml (needs uv)
	$(LOCK) pyproject.toml --extra parquet --group workflow -o requirements.txt
	$(LOCK) pyproject.toml --extra parquet --group dev -c requirements.txt -o requirements-dev.txt
	$(LOCK) pyproject.toml --extra parquet --group snap -c requirements.txt -o requirements-snap.txt

clean: ## remove the environment and temporary files of tools; results are kept
	rm -rf $(VENV) .venv-peers .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
