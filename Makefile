# Two commands for a new checkout: `make repro` and `make test`. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

export DO_NOT_TRACK := 1
export MLFLOW_DISABLE_TELEMETRY := true
export NO_ALBUMENTATIONS_UPDATE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: repro test coverage test-around test-core test-services gpu gpu-wheels gpu-table3 lint secrets audit docs release ui clean

repro: $(VENV)/.installed
	@$(BIN)/python -c "from pathlib import Path; from pipelines.stages.entry import check; check(Path('params.yaml'))"
	@$(BIN)/python -m pipelines.dvc.locks
	@echo 'All stages take 11 minutes on two cores with the params.yaml that comes with the project; what nothing has changed is skipped.'
	@$(BIN)/dvc repro
	@echo 'How good it is, and compared with what: reports/report.html. The runs and the model: make ui.'
	@echo 'Which version serves, and why: $(BIN)/sftdec history. Photos: $(BIN)/sftdec deblur PHOTO -o out'

# Two halves side by side, for two cores; each prints when it is over.
test: $(VENV)/.installed-dev
	@echo 'Six minutes on two cores; each half prints when it is over.'
	@$(MAKE) --no-print-directory --jobs=2 $(WHOLE) test-around test-core

# The same, with what they cover, which takes a quarter longer: CI runs this one.
coverage:
	$(MAKE) --no-print-directory test COVER="--cov --cov-report= --cov-fail-under=0"
	$(BIN)/coverage combine --quiet .coverage.around .coverage.core
	$(BIN)/coverage report --skip-covered
	$(BIN)/coverage report --fail-under=100 --include='$(WHOLLY)' --show-missing

WHOLE := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
# What may lose nothing is covered whole, branches too.
WHOLLY := */registry/gate.py,*/registry/moves.py,*/training/checkpoint.py,*/runtime/atomic.py,*/tracking/spool.py
AROUND := tests/pipelines tests/registry tests/commands tests/drift tests/runtime tests/params tests/reporting tests/evaluation tests/demo
ONE_CORE := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE

test-around: $(VENV)/.installed-dev
	$(ONE_CORE) COVERAGE_FILE=.coverage.around $(BIN)/pytest $(AROUND) -m "not services" $(COVER)

test-core: $(VENV)/.installed-dev
	$(ONE_CORE) COVERAGE_FILE=.coverage.core $(BIN)/pytest $(AROUND:%=--ignore=%) -m "not services" $(COVER)

# Real servers on loopback, with Debian's postgresql and chromium; what is missing is skipped and named.
test-services: $(VENV)/.installed-services
	$(ONE_CORE) $(BIN)/pytest -m services $(AGAIN)

# On a machine with a GPU and PyTorch, for eight minutes; it needs no network, and what it lacks from gpu-wheels.
gpu:
	$(if $(wildcard gpu-wheels/*.whl),$(INTO_GPU) $(filter-out gpu-wheels/pandas-%,$(wildcard gpu-wheels/*.whl)))
	-$(PYTHON) -c 'import pandas, sys; sys.exit(int(pandas.__version__.split(".")[0]) < 3)' || $(INTO_GPU) gpu-wheels/pandas-*.whl
	PYTHONPATH=$(GPU_PACKAGES) $(PYTHON) benchmarks/gpu.py --out build/gpu $(GPU_OPTIONS)

# Table 3's cells that aren't in build/gpu/table3 yet, for minutes on such a machine; it needs data/builtin.
gpu-table3:
	$(PYTHON) -m experiments.table3.on_gpu prepare
	$(PYTHON) -m experiments.table3.on_gpu train --out build/gpu/table3 $(GPU_OPTIONS)

GPU_PACKAGES := $(CURDIR)/build/gpu/packages
INTO_GPU = $(PYTHON) -m pip install --quiet --no-index --no-deps --upgrade --target $(GPU_PACKAGES)

# What such a machine lacks beside PyTorch, NumPy, pandas, scikit-image, scikit-learn, OpenCV, safetensors and pytest.
gpu-wheels:
	$(PYTHON) -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
		--abi cp312 --abi abi3 --abi none --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 \
		--platform manylinux2014_x86_64 -c constraints.txt -d $@ $(GPU_LACKS) pandas

GPU_LACKS := pydantic pydantic-core annotated-types typing-inspection ruamel.yaml albumentations albucore stringzilla \
	simsimd pooch platformdirs pandera typeguard ImageHash PyYAML lazy-loader tqdm requests urllib3 idna certifi \
	charset-normalizer typing-inspect mypy-extensions matplotlib pyparsing cycler kiwisolver python-dateutil six

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

# The documentation as pages that load nothing from elsewhere. They open as files; their search needs a server (mkdocs serve).
docs: $(VENV)/.installed-docs
	@echo 'Building the pages, for some seconds.'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "open build/docs/index.html"

# dist/: the source of the last commit as an archive, and the wheel that pip makes of it.
release: $(VENV)/.installed-dev
	rm -rf dist build/release && mkdir -p build/release
	git archive HEAD | tar -x -C build/release
	$(BIN)/python -m build --outdir dist build/release

ui: $(VENV)/.installed
	-cd '$(CURDIR)' && $(BIN)/python -m sftdec.tracking
	@echo 'Ctrl-C ends it.'
	exec env MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow ui --backend-store-uri 'sqlite:///$(CURDIR)/mlflow.db' --workers 1

clean:
	rm -rf $(VENV) $(VENV)-audit build .checkpoints .tracking .retrain

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4) and "Python 3.11.4 or newer is needed, found %d.%d.%d" % sys.version_info[:3])'
	@echo 'Setting up $(VENV): 2.3 GB of packages, which takes some minutes the first time.'
	@$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[pipeline]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet -c constraints.txt -e '.[pipeline,demo,export,cluster,heic,dev]'
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/pip install --quiet -c constraints.txt -e '.[pipeline,docs]'
	touch $@

$(VENV)/.installed-services: $(VENV)/.installed-dev
	$(BIN)/pip install --quiet -c constraints.txt -e '.[pipeline,demo,export,cluster,heic,dev,services]'
	touch $@
