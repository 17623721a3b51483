# make heart   train, on generated phantoms, a segmenter with frequency fusion
# make test    run the tests
# Both set up .venv first, if it is not there; every other target uses the same environment.

SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	$$name -c '$(SUITABLE)' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: heart test test-all lint types bench pictures docs links tutorials bundles reliability wheel clean

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
	$(BIN)/python docs/explanation_pictures.py

docs: .venv/.documenting
	$(BIN)/python -m sphinx --quiet --fresh-env --fail-on-warning --keep-going -c docs . docs/_build/html
	$(BIN)/python docs/check_site.py docs/_build/html

# of other sites, over the network; those between the pages are checked by docs
links: .venv/.documenting
	$(BIN)/python -m sphinx --builder linkcheck --fresh-env --keep-going -c docs . docs/_build/links

bundles: .venv/.installed
	$(BIN)/python bundles/_source/render.py

tutorials: .venv/.developing
	$(BIN)/python tutorials/execute.py

reliability: .venv/.developing
	$(BIN)/python tests/reliability/fuzz.py --files 15600
	$(BIN)/python tests/reliability/fuzz.py --files 2000 --dicom
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest tests/reliability -rs

wheel: .venv/.developing
	$(BIN)/python -m build --outdir dist .

clean:
	rm -rf .venv build dist docs/_build *.egg-info .mypy_cache .pytest_cache .ruff_cache

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

.venv/.documenting: .venv/.installed
	$(INSTALL) --editable ".[docs]"
	@touch $@
