# Two commands for a new checkout: `make repro` and `make test`. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

export DO_NOT_TRACK := 1
export MLFLOW_DISABLE_TELEMETRY := true
export NO_ALBUMENTATIONS_UPDATE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: repro test test-around test-core test-services lint secrets audit ui clean

repro: $(VENV)/.installed
	$(BIN)/python -c "from pathlib import Path; from pipelines.stages.entry import check; check(Path('params.yaml'))"
	$(BIN)/python -m pipelines.dvc.locks
	$(BIN)/dvc repro

# Two halves side by side, for two cores; each prints when it is over, the coverage of both comes last.
test: $(VENV)/.installed-dev
	$(MAKE) --no-print-directory --jobs=2 $(WHOLE) test-around test-core
	$(BIN)/coverage combine --quiet .coverage.around .coverage.core
	$(BIN)/coverage report --skip-covered
	$(BIN)/coverage report --fail-under=100 --include='$(WHOLLY)' --show-missing

WHOLE := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
# What may lose nothing is covered whole, branches too.
WHOLLY := */registry/gate.py,*/registry/moves.py,*/training/checkpoint.py,*/runtime/atomic.py,*/tracking/spool.py
AROUND := tests/pipelines tests/registry tests/commands tests/drift
ONE_CORE := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE

test-around: $(VENV)/.installed-dev
	$(ONE_CORE) COVERAGE_FILE=.coverage.around $(BIN)/pytest $(AROUND) -m "not services" --cov --cov-report= --cov-fail-under=0

test-core: $(VENV)/.installed-dev
	$(ONE_CORE) COVERAGE_FILE=.coverage.core $(BIN)/pytest $(AROUND:%=--ignore=%) -m "not services" --cov --cov-report= --cov-fail-under=0

# Real servers on loopback, with Debian's postgresql and chromium; what is missing is skipped and named.
test-services: $(VENV)/.installed-services
	$(ONE_CORE) $(BIN)/pytest -m services $(AGAIN)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Checksums are no secrets; PASSWORD and "word" stand in a document and in a test.
secrets: $(VENV)/.installed-dev
	git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --no-verify --disable-plugin HexHighEntropyString \
		--exclude-secrets '^(PASSWORD|word)$$' --exclude-lines '/etc/passwd'

# Asks PyPI's advisories, so it needs the network; the tool has an environment of its own.
audit:
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/pip install --quiet pip-audit
	$(VENV)-audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip

ui: $(VENV)/.installed
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow ui --backend-store-uri sqlite:///$(CURDIR)/mlflow.db --workers 1

clean:
	rm -rf $(VENV) $(VENV)-audit build .checkpoints .tracking .retrain

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4) and "Python 3.11.4 or newer is needed, found %d.%d.%d" % sys.version_info[:3])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[pipeline]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet -c constraints.txt -e '.[pipeline,demo,export,cluster,dev]'
	touch $@

$(VENV)/.installed-services: $(VENV)/.installed-dev
	$(BIN)/pip install --quiet -c constraints.txt -e '.[pipeline,demo,export,cluster,dev,services]'
	touch $@
