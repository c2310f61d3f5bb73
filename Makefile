# The front door. Every target sets up what it needs; nothing else has to be run before.
#
#   make run          node + demonstration PACS + sample study; stays up until Ctrl-C
#   make run ONCE=1   the same, ends by itself: exit 0 when the derived series is in the PACS
#   make run PACS=qrscp   the same with pynetdicom's small PACS, although Orthanc is installed
#   make test         everything: linters, types, all tests against real servers, WORKERS=3 at a time
#   make viewer       the demonstration's derived series in OHIF, tried in Chromium
#   make bench        figures beside named rivals, in one run; one of them: .venv/bin/python -m benchmarks NAME
#   make setup        only .venv/ with the pinned packages and the command .venv/bin/vscanner
#
# Another build of PyTorch than PyPI's, which brings CUDA (4 GB more than a CPU build):
#   make setup PIP_TORCH="--index-url URL"

PYTHON ?= python3
PIP_TORCH ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
WORKERS ?= 3
PARTS := orthanc orthanc-dicomweb dcmtk postgresql chromium

.PHONY: setup setup-dev parts run test lint viewer bench clean

setup: $(VENV)/.setup
setup-dev: $(VENV)/.setup-dev

$(VENV)/.setup: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"Python 3.11 or newer is needed, {v.major}.{v.minor} was found; name another with make PYTHON=...")'
	@echo "Setting up $(VENV)/ (a few minutes the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install $(PIP_TORCH) torch==2.13.0
	@$(PIP) install -c requirements.lock -e '.[models]'
	@touch $@

$(VENV)/.setup-dev: $(VENV)/.setup
	@$(PIP) install -c requirements.lock -e '.[models,train,dev]'
	@touch $@

# Real servers and validators from Debian / Ubuntu, for the tests.
parts:
	@for part in Orthanc:orthanc storescu:dcmtk chromium:chromium pg_ctlcluster:postgresql; do \
	  command -v $${part%%:*} >/dev/null 2>&1 || PATH=$$PATH:/usr/sbin command -v $${part%%:*} >/dev/null 2>&1 || missing="$$missing $${part##*:}"; \
	done; \
	ls /usr/share/orthanc/plugins/libOrthancDicomWeb.so* >/dev/null 2>&1 || missing="$$missing orthanc-dicomweb"; \
	test -z "$$missing" && exit 0; \
	echo "Installing$$missing ..."; \
	sudo=; test "$$(id -u)" = 0 || sudo=sudo; \
	$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null

run: setup
	@$(BIN)/python -m demo $(if $(ONCE),--once) $(if $(PACS),--pacs $(PACS))

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: setup-dev parts lint
	VSCANNER_REQUIRE_PARTS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

viewer: setup-dev parts
	@test -x /usr/sbin/nginx || { sudo=; test "$$(id -u)" = 0 || sudo=sudo; $$sudo apt-get install -y -qq --no-install-recommends nginx-light >/dev/null; }
	$(BIN)/python -c 'from demo.viewer import installed; print(installed())'
	VSCANNER_REQUIRE_PARTS=1 $(BIN)/python -m pytest tests/demo/test_viewer.py

bench: setup-dev parts
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
