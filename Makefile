# Everything is installed into .venv; the stamp files in it make a second call cheap.
#
#   make install   the package with all it takes to develop it
#   make demo      the base package only (no torch), then a tour on examples/companies.csv
#   make test      the test suite              make lint    style, types and layers
#   make bench     the benchmarks on DATA      make ratios  hot paths beside bare operations
#   make lock      renew constraints.txt
#   make clean     remove all of it

PYTHON ?= python3
DATA ?= ../shared/data
BENCH ?= build/bench

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install --constraint constraints.txt --no-build-isolation
EXTRAS := train,postgres,test,lint
TORCH := torch==2.13.0

.PHONY: help install demo test lint ratios bench lock clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^#  //p' Makefile

install: .venv/.installed

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "neardup needs Python 3.11 or newer, and '$(PYTHON)' is not; name another: make PYTHON=python3.12 ..." >&2; \
	  exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) install --constraint constraints.txt hatchling
	@touch $@

.venv/.base: .venv/.created pyproject.toml constraints.txt
	$(INSTALL) --editable .
	@touch $@

# torch goes first and alone: its version decides which of its own (large) dependencies come with it.
.venv/.installed: .venv/.created pyproject.toml constraints.txt
	$(INSTALL) '$(TORCH)'
	$(INSTALL) --editable '.[$(EXTRAS)]'
	@touch .venv/.base $@

# One step of the tour: the command as one would type it, then what it prints.
define step
	@printf '\n$$ dedup %s\n' '$(1)'
	@$(BIN)/dedup $(1)
endef

demo: export DEDUP_WORKSPACE = .demo
demo: .venv/.base
	@rm -rf .demo demo-report
	@printf '\n$$ export DEDUP_WORKSPACE=.demo\n'
	$(call step,index examples/companies.csv)
	$(call step,query "international flavor and fragrances" --limit 3)
	$(call step,query "Blue Cross Blue Shield of N. Carolina" --limit 3 --explain)
	$(call step,compare "APOGEE MEDICAL GROUP IOWA PC" "APOGEE MEDICAL GROUP ILLINOIS PC")
	$(call step,report --output demo-report)
	$(call step,status)

test: .venv/.installed
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

ratios: .venv/.installed
	$(BIN)/python benchmarks/hot_paths.py

.venv/.bench: .venv/.installed
	$(INSTALL) --editable '.[$(EXTRAS),bench]'
	@touch $@

# Hours. What floors, peers and scaling measure is kept in BENCH, so that an interrupted run resumes, unless the code
# has changed. A missed bar is printed and does not stop the others.
MEASURED := --data '$(DATA)' --work $(BENCH)

bench: .venv/.bench
	@mkdir -p $(BENCH)
	-$(BIN)/python benchmarks/speed.py job start latency search floors $(MEASURED)
	-$(BIN)/python benchmarks/accuracy.py --data '$(DATA)'
	-$(BIN)/python benchmarks/peers.py $(MEASURED)
	-$(BIN)/python benchmarks/scaling.py $(MEASURED)

lock:
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet '$(TORCH)'
	build/lock/bin/pip install --quiet --editable '.[$(EXTRAS),bench]' hatchling
	grep '^#' constraints.txt > build/constraints.txt
	build/lock/bin/pip freeze --exclude-editable | grep -Ev '^(cuda|nvidia|triton)' | sed 's/+cpu$$//' \
	  >> build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/lock

clean:
	rm -rf .venv .demo demo-report build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
