# make heart   train, on generated phantoms, a segmenter with frequency fusion
# make test    run the tests
# Both set up .venv first, if it is not there; every other target uses the same environment.

SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	$$name -c '$(SUITABLE)' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: heart test test-all lint types bench pictures bundles wheel clean

heart: .venv/.installed
	$(BIN)/python -m monai.bundle run --config_file bundles/heart_fd/configs/train.json

test: .venv/.developing
	$(BIN)/python -m pytest -n auto -m "not slow"

test-all: test
	$(BIN)/python -m pytest -n auto -m slow

lint: .venv/.developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.developing
	$(BIN)/mypy

bench: .venv/.developing
	for name in bands two_moons psd psd_handler photon_noise nonlocal_means throughput null_studies study; do \
		$(BIN)/python benchmarks/$$name.py || exit 1; \
	done

pictures: .venv/.installed
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/transform_pictures.py

bundles: .venv/.installed
	$(BIN)/python bundles/_source/render.py

wheel: .venv/.developing
	$(BIN)/python -m build --outdir dist .

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "monai_freq needs Python 3.11, 3.12 or 3.13: install one, or name it: make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; echo "Python's venv is incomplete (Debian: apt install python3-venv)"; exit 1; }

# torch first: asked for by another package, it could be resolved to another version
.venv/.installed: setup.cfg constraints.txt | .venv/bin/python
	$(INSTALL) torch
	$(INSTALL) --editable .
	@touch $@

.venv/.developing: .venv/.installed pyproject.toml
	$(INSTALL) --editable ".[dev]"
	@touch $@
