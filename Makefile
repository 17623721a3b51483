# make heart   train, on generated phantoms, a segmenter with frequency fusion
# make test    run the tests
# Both set up .venv first, if it is not there; every other target uses the same environment. For another one:
# make test VENV=.venv-3.13 PYTHON=python3.13

SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	$$name -c '$(SUITABLE)' 2>/dev/null && echo $$name && break; done)
VENV := .venv
CONSTRAINTS := constraints.txt
AGAINST :=
BIN := $(VENV)/bin
NNUNET_OPTIONS := --doctest-modules --import-mode=importlib -ra --strict-markers --durations=5
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS)

.PHONY: heart test test-all test-lowest test-highest test-nnunet lint types bench pictures docs links tutorials bundles reliability \
	wheel clean

heart: $(VENV)/.installed
	$(BIN)/python -m monai_freq run --config_file bundles/heart_fd/configs/train.json

test: $(VENV)/.developing
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

test-all: test
	$(BIN)/python -m pytest -n auto --dist worksteal -m slow

# with the lowest versions that setup.cfg allows, in an environment of its own
test-lowest:
	$(MAKE) test VENV=.venv-lowest CONSTRAINTS=constraints-lowest.txt

# with the highest versions that there are today
test-highest:
	$(MAKE) test VENV=.venv-highest CONSTRAINTS=/dev/null

# with nnU-Net, which needs torchvision, in an environment of its own: some GB
test-nnunet: .venv-nnunet/.with-nnunet
	.venv-nnunet/bin/python -m pytest -o addopts="$(NNUNET_OPTIONS)" tests/nnunet monai_freq/nnunet

lint: $(VENV)/.developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.developing
	$(BIN)/mypy

# beside an earlier build: the one that the targets name, or AGAINST=<commit, or folder with a checkout>
bench: $(VENV)/.benching
	for name in import_time start_up first_call bands two_moons psd psd_handler photon_noise nonlocal_means throughput \
			null_studies audit_leaks audit_counterfactual audit_remedies study short_trainings; do \
		$(BIN)/python benchmarks/$$name.py --against $(AGAINST) || exit 1; \
	done
	$(BIN)/python benchmarks/readme.py
	$(BIN)/python benchmarks/results.py

pictures: $(VENV)/.installed
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/transform_pictures.py
	$(BIN)/python docs/explanation_pictures.py

docs: $(VENV)/.documenting
	$(BIN)/python -m sphinx --quiet --fresh-env --fail-on-warning --keep-going -c docs . docs/_build/html
	$(BIN)/python docs/check_site.py docs/_build/html

# of other sites, over the network; those between the pages are checked by docs
links: $(VENV)/.documenting
	$(BIN)/python -m sphinx --builder linkcheck --fresh-env --keep-going -c docs . docs/_build/links

bundles: $(VENV)/.installed
	$(BIN)/python bundles/_source/render.py

tutorials: $(VENV)/.developing
	$(BIN)/python tutorials/execute.py

reliability: $(VENV)/.developing
	$(BIN)/python tests/reliability/fuzz.py --files 17400
	$(BIN)/python tests/reliability/fuzz.py --files 2000 --dicom
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest tests/reliability -rs

wheel: $(VENV)/.developing
	$(BIN)/python -m build --outdir dist .

clean:
	rm -rf .venv .venv-* build dist docs/_build *.egg-info .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "monai_freq needs Python 3.11, 3.12 or 3.13: install one, or name it: make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv is incomplete (Debian: apt install python3-venv)"; exit 1; }

# torch first: asked for by another package, it could be resolved to another version
$(VENV)/.installed: setup.cfg $(CONSTRAINTS) | $(VENV)/bin/python
	$(INSTALL) torch
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.developing: $(VENV)/.installed pyproject.toml
	$(INSTALL) --editable ".[dev]"
	@touch $@

.venv-nnunet/.with-nnunet: setup.cfg constraints-nnunet.txt
	$(MAKE) VENV=.venv-nnunet CONSTRAINTS=constraints-nnunet.txt .venv-nnunet/.installed
	.venv-nnunet/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-nnunet.txt \
		--editable ".[nnunet]" pytest
	@touch $@

$(VENV)/.benching: $(VENV)/.developing
	$(INSTALL) --editable ".[bench]"
	@touch $@

$(VENV)/.documenting: $(VENV)/.installed
	$(INSTALL) --editable ".[docs]"
	@touch $@
