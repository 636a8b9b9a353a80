# Two commands from a clean clone: `make demo` and `make test`. Each sets up its own environment in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# This folder itself on the path: the default, a finder asked last, loses to any folder named convert/ or verify/ nearby.
ON_PATH := --config-settings editable_mode=compat

PEERS := .venv-peers

.PHONY: help setup demo test test-all test-index lint bench lowering table int8-table int8-ablation ops coverage faults localisation localisation-pytorch verify-speed peers clean

help:
	@echo "make demo      train a LeNet on handwritten digits, convert it, and compare it with PyTorch"
	@echo "make test      the fast tests"
	@echo "make test-all  the fast and the slow tests (the list of networks; tens of minutes)"
	@echo "make test-index  rebuild the index of timm and compare it with the shipped one (20 minutes)"
	@echo "make lint      ruff, mypy --strict, import layering, and that every test can be collected"
	@echo "make bench     speed and memory against onnx2tf, side by side"
	@echo "make ops       ONNX's own node tests through the exact lowering and onnx2tf, docs/onnx_ops.md (hours)"
	@echo "make lowering  speed and memory of ONNX → SavedModel against onnx2tf"
	@echo "make table     convert the list of networks and write docs/networks.md"
	@echo "make int8-table  train eleven nets, quantize them by three engines and write docs/int8.md (goes on where it stood)"
	@echo "make int8-ablation  what each correction contributes on them, docs/int8_ablation.md"
	@echo "make coverage  convert every architecture of the zoos and write docs/coverage.md (hours; goes on where it stood)"
	@echo "make localisation  faults in single ops, and whether the op is named: docs/localisation.md"
	@echo "make localisation-pytorch  the same against PyTorch, and whether the module is right: docs/localisation_pytorch.md"
	@echo "make faults    faults of fifty kinds into converted nets, and nets without any: docs/faults.md (goes on where it stood)"
	@echo "make verify-speed  what verification costs beside the bare inference of its samples, docs/verify_speed.md"
	@echo "make peers     an environment with litert-torch, which make coverage then measures beside"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' $(ON_PATH)
	@touch $@

demo: $(STAMP)
	$(BIN)/python examples/digits/demo.py

test: $(STAMP)
	$(BIN)/python -m pytest

test-all: $(STAMP)
	$(BIN)/python -m pytest -m 'not rebuild'

test-index: $(STAMP)
	$(BIN)/python -m pytest -m rebuild

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@# Two test files of one name stop the whole run of the tests: known here in seconds.
	$(BIN)/python -m pytest --collect-only -qq >/dev/null || $(BIN)/python -m pytest --collect-only -qq

bench: $(STAMP)
	$(BIN)/python benchmarks/bench.py

verify-speed: $(STAMP)
	$(BIN)/python benchmarks/verify_speed.py

lowering: $(STAMP)
	$(BIN)/python benchmarks/lowering.py

table: $(STAMP)
	$(BIN)/python benchmarks/networks.py
	$(BIN)/python benchmarks/networks.py alexnet mobilenet_v2 densenet121 --lowering onnx2tf --out docs/networks_onnx2tf

int8-table: $(STAMP)
	$(BIN)/python benchmarks/int8_table.py

int8-ablation: $(STAMP)
	$(BIN)/python benchmarks/int8_table.py --ablation

# FILTER="--filter tag=quick" runs six small ones, RENDER="--render" only writes the page.
coverage: $(STAMP)
	$(BIN)/python benchmarks/coverage.py $(FILTER) $(RENDER)

localisation: $(STAMP)
	$(BIN)/python benchmarks/localisation.py

localisation-pytorch: $(STAMP)
	$(BIN)/python benchmarks/localisation_pytorch.py

faults: $(STAMP)
	$(BIN)/python benchmarks/faults.py

peers: $(PEERS)/.installed

$(PEERS)/.installed: benchmarks/peers/constraints.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check -c $< torch torchvision timm litert-torch
	@touch $@

ops: $(STAMP)
	$(BIN)/python benchmarks/onnx_ops.py

clean:
	rm -rf $(VENV) $(PEERS) build dist .mypy_cache .ruff_cache .pytest_cache
