# Everything one does with Paravent. `make` lists it.

PORT    ?= 8000
DATA    ?= var
VENV    ?= .venv
# The arguments of pytest: `make test ARGS="tests/inbox -x"`.
ARGS    ?=

python   = $(VENV)/bin/python
manage   = $(python) manage.py
pip      = $(python) -m pip install --quiet --disable-pip-version-check --require-hashes
secret   = $(DATA)/secret.key
master   = $(DATA)/master.key
sources  = manage.py platform numbers messaging tests
languages  = fr es de ar
catalogues = $(shell find platform numbers messaging -name 'django*.po')

# What a shell has set for a real installation, its database above all, must not reach a demo or a tool.
unexport $(filter-out PARAVENT_TEST_%,$(filter PARAVENT_%,$(.VARIABLES)))

# A demo on this machine: SQLite, one process, the simulator in place of a carrier.
demo_environment = PARAVENT_DEMO=1 \
	PARAVENT_DATA_DIR=$(DATA) \
	PARAVENT_SECRET_KEY_FILE=$(secret) \
	PARAVENT_MASTER_KEY_FILE=$(master) \
	PARAVENT_PUBLIC_URL=http://127.0.0.1:$(PORT) \
	NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
# For commands that read the settings and no data.
tool_environment = PARAVENT_DEMO=1 PARAVENT_SECRET_KEY=only-for-tools-0123456789-abcdefghijklmnopqrstuvwxyz \
	PARAVENT_MASTER_KEY=b25seS1mb3ItdG9vbHMtbWFzdGVyLWtleS0zMmJ5dGU= PARAVENT_DATABASE_URL=sqlite://:memory:

.DEFAULT_GOAL = help
.PHONY: help run test acceptance model chaos raid tour faults lint format lock messages migrations bench openapi client fuzz screenshots clean
.DELETE_ON_ERROR:

help: ## List what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/base.stamp $(secret) $(master) ## Serve the demo: make run PORT=8000
	@$(demo_environment) $(manage) serve --port $(PORT) --probe
	@$(demo_environment) $(manage) migrate --verbosity 0
	@$(demo_environment) $(manage) demo
	@exec env $(demo_environment) $(manage) serve --port $(PORT)

test: $(VENV)/development.stamp ## Run the tests, on SQLite and PostgreSQL: make test ARGS="tests/inbox -x"
	@$(python) tests/run.py $(ARGS)

acceptance: $(VENV)/development.stamp ## Prove it whole: 200 senders, duplicates, processes killed; BREAK=limit must fail
	@$(python) -m tests.acceptance $(if $(BREAK),--break $(BREAK))

model: $(VENV)/development.stamp ## Visit every state of eleven ways to deliver: make model ARGS=--stories
	@$(python) -m tests.model $(ARGS)

chaos: $(VENV)/development.stamp ## 100,000 messages, everything killed, into docs/reliability.md; BREAK=retry must fail
	@$(python) -m tests.chaos $(if $(BREAK),--$(BREAK)-on-timeout --messages 20000,--write docs/reliability.md)

raid: $(VENV)/development.stamp ## Raids of 100,000 messages over ten seeds, into docs/shield.md: make raid SEEDS=3
	@$(tool_environment) $(python) -m tests.raid $(if $(SEEDS),--seeds $(SEEDS)) --write docs/shield.md

tour: $(VENV)/development.stamp ## Walk through every page in a browser, in all languages and ways to look at it
	@PARAVENT_TEST_FAULTS=1 $(python) -m pytest -q -n auto -m browser $(ARGS)

faults: $(VENV)/development.stamp ## Full and read-only disks, contention, Redis, migrations under load, for longer
	@PARAVENT_TEST_FAULTS=1 $(python) tests/services.py run -- $(python) -m pytest -q tests/faults tests/rehearsal tests/outbox/test_stateful.py tests/outbox/test_restored.py tests/outbox/test_workers.py tests/config/test_accessible.py tests/config/test_migrate.py tests/config/test_deployment_runs.py tests/chaos/test_chaos.py tests/privacy/test_stolen_dump.py tests/rights/test_erased.py $(ARGS)

lint: $(VENV)/development.stamp ## Check style, types, the direction of imports, migrations
	@$(VENV)/bin/ruff check $(sources)
	@$(VENV)/bin/ruff format --check $(sources)
	@$(tool_environment) $(VENV)/bin/mypy
	@$(tool_environment) PYTHONPATH=platform:numbers:messaging $(VENV)/bin/lint-imports --no-cache
	@$(tool_environment) $(manage) makemigrations --check --dry-run

format: $(VENV)/development.stamp ## Format the code, and mend what ruff can mend
	@$(VENV)/bin/ruff check --fix $(sources)
	@$(VENV)/bin/ruff format $(sources)

# Extras stay in the locks: pip takes a newer `name[extra]` for unpinned, and refuses it, where only `name` is pinned.
lock: $(VENV)/development.stamp ## Lock requirements/*.in with hashes, for every Python and platform
	@command -v uv >/dev/null || { echo "uv is needed: https://docs.astral.sh/uv/"; exit 1; }
	@for layer in base production development; do \
		UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile --quiet --universal --python-version 3.11 \
			--generate-hashes --no-annotate --no-strip-extras --no-emit-index-url --no-emit-find-links \
			requirements/$$layer.in --output-file requirements/$$layer.txt || exit 1; \
	done

messages: $(VENV)/development.stamp ## Collect texts to translate, and compile the translations
	@$(tool_environment) $(manage) makemessages --verbosity 0 $(addprefix --locale ,$(languages)) --no-obsolete --add-location file \
		--ignore $(VENV) --ignore var --ignore tests
	@# Without dates, so that nothing changes where no text did.
	@sed -i -e '/^"POT-Creation-Date:/d' -e '/^"Report-Msgid-Bugs-To:/d' $(catalogues)
	@$(tool_environment) $(manage) compilemessages --verbosity 0 --ignore $(VENV)

migrations: $(VENV)/development.stamp ## Write migrations for changed models
	@$(tool_environment) $(manage) makemigrations

bench: $(VENV)/development.stamp ## Measure requests per second, into docs/benchmarks.md: make bench PROFILE=1
	@$(python) -m tests.bench $(if $(PROFILE),--profile,--write docs/benchmarks.md)

openapi: $(VENV)/development.stamp ## Describe the API, into docs/partners/openapi.yaml
	@$(tool_environment) $(manage) spectacular --lang en --validate --fail-on-warn --file docs/partners/openapi.yaml

client: $(VENV)/development.stamp ## Generate a Python client of the API, into dist/paravent-client
	@mkdir -p dist && $(python) -m openapi_python_client generate --path docs/partners/openapi.yaml --output-path dist/paravent-client --overwrite

fuzz: $(VENV)/development.stamp ## Ask the API 2,000 times for each group of addresses, on both databases
	@PARAVENT_TEST_FUZZ=2000 $(python) -m pytest -q -n auto tests/partners/test_fuzz.py
	@PARAVENT_TEST_FUZZ=2000 $(python) tests/services.py run -- $(python) -m pytest -q -n auto tests/partners/test_fuzz.py

languages: $(VENV)/development.stamp ## Measure how often a message's language is seen, into docs/languages.md
	@$(tool_environment) PYTHONPATH=numbers:platform $(python) -m tests.replies.quality --write

screenshots: $(VENV)/development.stamp ## Photograph the pages with Chromium, into docs/pictures/
	@$(python) -m tests.tour.screenshots --only "$(ONLY)"

clean: ## Remove the virtual environment and caches; var/ stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# --- what the above stand on ----------------------------------------------------------------------------------------
# The newest Python that really starts (a shim may not) and has what a virtual environment and SQLite need.
$(VENV)/bin/python:
	@for candidate in python3.13 python3.12 python3.11 python3; do \
		if $$candidate -c 'import ensurepip, sqlite3, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Creating $(VENV) with $$($$candidate --version)"; \
			exec $$candidate -m venv --clear $(VENV); \
		fi; \
	done; \
	echo "Paravent needs Python 3.11 or newer with venv and sqlite3, and none was found."; \
	echo "On Debian and Ubuntu: apt install python3 python3-venv"; \
	exit 1

# A stamp is older than its lock when the lock changed; only then is anything installed.
$(VENV)/base.stamp: requirements/base.txt | $(VENV)/bin/python
	@echo "Installing requirements/base.txt"
	@$(pip) --requirement requirements/base.txt
	@touch $@

$(VENV)/development.stamp: requirements/development.txt | $(VENV)/bin/python
	@echo "Installing requirements/development.txt"
	@$(pip) --requirement requirements/development.txt
	@touch $@

$(secret): | $(VENV)/base.stamp
	@mkdir -p -m 700 $(DATA)
	@umask 077 && $(python) -c 'import secrets; print(secrets.token_urlsafe(50))' > $@

$(master): | $(VENV)/base.stamp $(secret)
	@$(tool_environment) $(manage) keys create --if-missing $@ >/dev/null
