# Everything sets itself up: `make help` lists what there is.

.DEFAULT_GOAL := help
.PHONY: simulation simulate help demo up test lint types contracts proto-check docs unit integration peer e2e versions chaos-quick chaos-cases scale scale-report chaos newest bench fuzz docs audit dist environment environments tools proto constraints format clean

# The first Python that is new enough; `make PYTHON=...` chooses another.
PYTHON ?= $(firstword $(foreach candidate,python3 python3.13 python3.12 python3.11 python3.14,$(shell \
	$(candidate) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(candidate))) python3)
VENV := .venv/bin
REPORTS := .cache/reports
# The environments of `make versions`: each Airflow on one Python, or with MATRIX=all on every Python that is here.
VERSIONS := $(if $(ONLY),airflow-$(ONLY),$(if $(filter all,$(MATRIX)),all-versions,versions))
# What `make e2e` and `make chaos-quick` run on: AIRFLOW=3.4, or what development runs on.
ON := $(if $(AIRFLOW),.venv-airflow/$(AIRFLOW),.venv)
NEWEST := 3.4
PYTEST := $(VENV)/python -m pytest --timeout=300
# Compiled bytecode halves the start of every Airflow process.
unexport PYTHONDONTWRITEBYTECODE
export ARMADA_PEER_PYTHON := $(CURDIR)/.venv-peer/bin/python
export PROTOBUF_PYTHONS := $(shell sed 's|.*==\(.*\)|$(CURDIR)/.venv-protobuf/\1/bin/python|' constraints/protobuf.txt | paste -sd: -)

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

demo: environment ## run an example DAG on a real Airflow, its jobs on the embedded Armada
	@$(VENV)/airflow-armada demo --home .demo $(DAGS)

up: environment ## Airflow with its UI, the examples and the embedded Armada, until Ctrl-C
	@$(VENV)/airflow-armada up --home .up

test: environments ## everything: lint, types, import contracts, generated code, docs, unit, integration, simulation, peer, end to end, every Airflow, chaos
	@rm -rf $(REPORTS)
	@for stage in lint types contracts proto-check docs unit integration simulation peer e2e versions chaos-quick scale; do \
		echo "=== $$stage"; $(MAKE) --no-print-directory $$stage || { echo "make test: FAILED in the stage '$$stage'"; exit 1; }; \
	done
	@$(VENV)/python -m scripts.summary $(REPORTS)

lint: environment ## ruff: rules and format
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .

format: environment ## let ruff mend what it can
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

types: environment ## mypy --strict
	$(VENV)/mypy

contracts: environment ## the direction of imports
	$(VENV)/lint-imports

proto: environment ## compile proto/ into airflow_armada/api
	$(VENV)/python scripts/generate_api.py

proto-check: environment ## is what is committed in airflow_armada/api what proto/ gives?
	$(VENV)/python scripts/generate_api.py --check

unit: environments ## pure functions
	$(PYTEST) tests/unit -n 2 --junit-xml=$(REPORTS)/unit.xml

integration: environments ## real sockets and processes, the embedded Armada
	$(PYTEST) tests/integration -n 4 --dist worksteal --junit-xml=$(REPORTS)/integration.xml

peer: environments ## against the published armada-client
	$(PYTEST) tests/peer --junit-xml=$(REPORTS)/peer.xml

e2e: environments ## a real scheduler, triggerer and API server; AIRFLOW=3.4 for another version
	@mkdir -p .cache
	$(ON)/bin/python -m pytest --timeout=300 tests/e2e --basetemp=.cache/e2e$(AIRFLOW) \
		--junit-xml=$(REPORTS)/e2e$(AIRFLOW).xml

# How Airflow takes triggers away differs from version to version.
TAKEN_AWAY := tests/unit/triggers tests/integration/triggers/test_taken_away.py
versions: environment ## every supported Airflow, each on one Python; MATRIX=all on every Python, ONLY=3.4
	@mkdir -p .cache
	@$(PYTHON) scripts/environment.py $(VERSIONS)
	@for folder in $$($(PYTHON) scripts/environment.py --list $(VERSIONS)); do \
		name=versions-$${folder#.venv-airflow/}; \
		echo "--- $$name"; \
		$$folder/bin/python -m pytest --timeout=300 tests/versions $(TAKEN_AWAY) --basetemp=.cache/$$name \
			--junit-xml=$(REPORTS)/$$name.xml || exit 1; \
	done

newest: ## the end-to-end, quick chaos and scale stages on the newest Airflow
	@$(MAKE) --no-print-directory e2e chaos-quick scale AIRFLOW=$(NEWEST)

# A chaos suite needs PostgreSQL's server; where it is missing the cases are skipped, but not in CI.
CHAOS := tests/chaos
chaos-quick: environments ## the quickest chaos cases: workers killed, tasks killed by users, answers lost; AIRFLOW=3.4
	@mkdir -p .cache
	$(ON)/bin/python -m pytest --timeout=300 $(CHAOS)/test_submits.py $(CHAOS)/test_worker_killed.py $(CHAOS)/test_killed_by_user.py \
		--basetemp=.cache/chaos-quick$(AIRFLOW) --junit-xml=$(REPORTS)/chaos$(AIRFLOW).xml

# Seeds what `defer` leaves, which takes Airflow a worker each; N=300 in `make test`.
scale: environment ## many deferred tasks killed, or ending, at once: N=1500, AIRFLOW=3.4, ONLY="killing or end_at_once"
	@mkdir -p .cache
	@$(if $(AIRFLOW),$(PYTHON) scripts/environment.py airflow-$(AIRFLOW))
	SCALE_N=$(or $(N),300) $(ON)/bin/python -m pytest --timeout=300 -s tests/scale $(if $(ONLY),-k "$(ONLY)") \
		--basetemp=.cache/scale$(AIRFLOW) -o junit_family=xunit1 --junit-xml=$(REPORTS)/scale$(AIRFLOW).xml

scale-report: environment ## put what the last `make scale` on each Airflow has measured into benchmarks/report.md
	$(VENV)/python -m benchmarks.scenarios.scale $(sort $(wildcard $(REPORTS)/scale*.xml))

chaos-cases: environment ## every named chaos case, TIMES=10 in a row; SHORT=many_short for 100 jobs of each length
	@mkdir -p .cache
	CHAOS_TIMES=$(or $(TIMES),1) CHAOS_SHORT_JOBS=$(or $(SHORT),short) $(PYTEST) $(CHAOS) \
		--basetemp=.cache/chaos-cases --ignore=$(CHAOS)/test_short_jobs.py
	CHAOS_TIMES=$(or $(TIMES),1) CHAOS_SHORT_JOBS=$(or $(SHORT),short) CHAOS_HEARTBEAT=5 $(PYTEST) \
		$(CHAOS)/test_short_jobs.py --basetemp=.cache/chaos-short

chaos: environment ## faults by chance while tasks run: SEED=7 MINUTES=20
	$(VENV)/python -m tests.chaos.random_mode $(if $(SEED),--seed $(SEED)) --minutes $(or $(MINUTES),20)

bench: environment ## benchmarks/report.md, beside the peer; 27 minutes, QUICK=1 for five minutes, ONLY="follow logs"
	$(VENV)/python -m benchmarks $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

simulation: environment ## lives of a task under virtual time, a minute of them from fresh seeds
	$(PYTEST) tests/simulation --junit-xml=$(REPORTS)/simulation.xml

simulate: environment ## more of them: LIVES=10000, or one of them as a table: SEED=7; WORKERS=1 leaves a core; MUTATIONS=1: lives that miss each rule
	$(VENV)/python -m tests.simulation $(if $(MUTATIONS),--mutations) $(if $(SEED),--seed $(SEED)) $(if $(LIVES),--lives $(LIVES)) $(if $(WORKERS),--workers $(WORKERS))

fuzz: environment ## random input for every reader of what comes from outside: MINUTES=10 for each, ONLY=tests/unit/jobs
	@$(VENV)/python -m scripts.fuzz --minutes $(or $(MINUTES),10) $(if $(BESIDE),--beside $(BESIDE)) $(ONLY)

docs: tools ## build the site into .cache/site: no warning, no dead link
	NO_MKDOCS_2_WARNING=1 .venv-tools/bin/mkdocs build --strict --clean

audit: environment tools ## look the pinned versions up in an index of vulnerabilities; AUDIT=--strict fails without one
	@$(VENV)/python -m scripts.audit $(AUDIT)

dist: environment tools ## build the package, check it, test the sdist, install the wheel beside Airflow
	@$(VENV)/python -m scripts.dist

environment:
	@$(PYTHON) scripts/environment.py dev

tools:
	@$(PYTHON) scripts/environment.py tools

environments:
	@$(PYTHON) scripts/environment.py dev versions peer protobuf statsd tools

constraints: ## pin the newest versions that go together in constraints/
	$(PYTHON) scripts/environment.py --compile-constraints

clean: ## remove the environments, the demo's home and all caches
	rm -rf .venv .venv-* .demo .up .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
