# Every target works from a fresh clone: what it needs is installed into .venv first. `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
PYTHONS ?= python3.10 python3.11 python3.12 python3.13
VENV ?= .venv
BIN := $(VENV)/bin
OUTPUT := output
AIRFLOW_2 ?= 2.11.2
AIRFLOW_3 ?= 3.3.2
AIRFLOWS := .venv-airflow-2/.installed-$(AIRFLOW_2) .venv-airflow-3/.installed-$(AIRFLOW_3)
AIRFLOW_CONSTRAINTS := https://raw.githubusercontent.com/apache/airflow/constraints-
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check
SOURCES := $(shell find datahub_aws_lineage -name '*.py' -o -name py.typed)

export DATAHUB_TELEMETRY_ENABLED := false

.PHONY: help demo test test-airflow test-executor test-natives test-pythons oracles lint bench bench-growth bench-million bench-athena bench-names format golden clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## Ingest the recorded account into output/demo.json and say what came out
	@mkdir -p $(OUTPUT)
	@echo "Running: datahub ingest -c recipes/demo.yml"
	@$(BIN)/datahub ingest -c recipes/demo.yml > $(OUTPUT)/demo.log 2>&1 \
		|| { tail -n 40 $(OUTPUT)/demo.log; echo "The run failed; the whole log is $(OUTPUT)/demo.log"; exit 1; }
	@$(BIN)/datahub-aws-lineage report $(OUTPUT)/demo.json --run $(OUTPUT)/demo-report.json

test: $(VENV)/.developed ## Run the tests (ARGS="-k glue" for some of them)
	@$(BIN)/python -m pytest $(ARGS)

test-executor: $(VENV)/.developed ## Run and test the source as DataHub's UI does, in environments that its executor makes (two minutes)
	@$(PIP) uv
	@TEST_EXECUTOR=1 $(BIN)/python -m pytest tests/executor $(ARGS)

test-airflow: $(VENV)/.developed $(AIRFLOWS) ## Run the example DAGs under Airflow 2 and 3 (about ten minutes)
	@TEST_AIRFLOW=1 $(BIN)/python -m pytest tests/airflow $(ARGS)

test-pythons: ## Install wheel and sdist with each Python and the oldest acryl-datahub, and run the demo (PYTHONS="python3.12")
	@tests/release/try_packages.sh $(PYTHONS)

test-natives: $(VENV)/.developed ## Compare with DataHub's own sources: glue, athena, redshift, s3, iceberg (installs 450 MB; two minutes)
	@$(BIN)/python -c "import pyathena, redshift_connector, pyiceberg" 2> /dev/null \
		|| { echo "Installing DataHub's own sources ..."; $(PIP) --editable '.[dev,natives]'; }
	@$(BIN)/python -m pytest tests/integration/test_beside_natives.py tests/integration/test_coexistence.py $(ARGS)

oracles: $(VENV)/.developed ## Ask PostgreSQL, DuckDB and Spark about thousands of queries (ARGS="-k spark"; about three quarters of an hour)
	@$(BIN)/python -c "import pyspark" 2> /dev/null || { echo "Installing PySpark ..."; $(PIP) --editable '.[oracles]'; }
	@ORACLE_QUERIES=$${ORACLE_QUERIES:-3000} $(BIN)/python -m pytest tests/oracles $(ARGS)

lint: $(VENV)/.developed ## Check style (ruff) and types (mypy)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.developed ## Measure the engine beside DataHub's aggregator (ARGS="--statements 1000")
	@$(BIN)/python -m benchmarks $(ARGS)

bench-growth: $(VENV)/.developed ## Measure what one statement costs as it gets wider, longer and deeper
	@$(BIN)/python -m benchmarks.growth

bench-million: $(VENV)/.developed ## Read a log of a million statements, and watch time and memory (some minutes)
	@$(BIN)/python -m benchmarks.million $(ARGS)

bench-athena: $(VENV)/.developed ## Read 100,000 queries of Athena through its API, under its quota (about nine minutes)
	@$(BIN)/python -m benchmarks.athena_history $(ARGS)

bench-names: $(VENV)/.developed ## Resolve names where the catalogs hold a million tables (a minute)
	@$(BIN)/python -m benchmarks.names $(ARGS)

format: $(VENV)/.developed ## Rewrite the code in the project's style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

golden: $(VENV)/.developed ## Write the golden files anew; read their diff before committing it
	@$(BIN)/python -m pytest --update-golden-files

clean: ## Remove .venv, output and caches
	@rm -rf $(VENV) .venv-airflow-* $(OUTPUT) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

# The demo runs what a user would install; the developer's editable install takes its place and serves the demo too.
$(VENV)/.installed: $(VENV)/bin/python setup.py $(SOURCES)
	@[ -e $(VENV)/.developed ] || { echo "Installing datahub-aws-lineage (a minute or two) ..."; $(PIP) .; }
	@touch $@

$(VENV)/.developed: $(VENV)/bin/python setup.py
	@echo "Installing datahub-aws-lineage with its development tools (a few minutes) ..."
	@$(PIP) --editable '.[dev]'
	@touch $@

# With the versions that Airflow was released with, where its constraints can be fetched; else with what pip finds.
$(AIRFLOWS):
	@rm -rf $(@D); $(PYTHON) -m venv $(@D)
	@version=$(patsubst .installed-%,%,$(@F)); python=$$($(PYTHON) -c "import sys; print('%d.%d' % sys.version_info[:2])"); \
		echo "Installing Airflow $$version (a minute or two) ..."; \
		curl --silent --fail --location --max-time 20 --output $(@D)/constraints.txt \
			$(AIRFLOW_CONSTRAINTS)$$version/constraints-$$python.txt \
			|| { echo "Its constraints cannot be fetched: installing what pip finds"; : > $(@D)/constraints.txt; }; \
		$(@D)/bin/python -m pip install --quiet --quiet --disable-pip-version-check \
			"apache-airflow[virtualenv]==$$version" --constraint $(@D)/constraints.txt
	@touch $@
