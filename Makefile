# `make demo` and `make test` need nothing but Python 3.10 or newer and make: each sets everything up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
# Every process would compile every module anew: the environment is installed without compiled ones.
unexport PYTHONDONTWRITEBYTECODE

# Two workers share the cores with the few tests on several threads: none of these is to wait by spinning.
PYTEST := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n $(WORKERS) --doctest-modules tests lpsc_nd datamodules lightning_modules

.PHONY: help setup demo test test-all lint types bench bench-full bench-points bench-networks bench-gpu bench-threads bench-volumes calibrate figures clean

help:           ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(READY) ## make the virtual environment

# Torch goes first and alone: pip would otherwise be free to replace it by another build. Kernels are compiled with the rest.
$(READY): pyproject.toml constraints.txt $(wildcard lpsc_nd/native/c/*)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -r constraints.txt
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[train,test,dev]'
	touch $@

demo: $(READY)  ## train three small networks on digits; table and pictures in demo/
	$(BIN)/python -m lightning_modules.demo --output demo

test: lint types ## style, types and tests (four to five minutes on two fast cores)
	HYPOTHESIS_PROFILE=ci $(PYTEST) -m "not slow"

test-all: lint types ## the same with many more drawn cases, and the slow tests
	HYPOTHESIS_PROFILE=thorough $(PYTEST)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	MYPY_NUM_WORKERS=$(WORKERS) $(BIN)/mypy

bench: $(READY) ## time the short set of benchmarks (about two minutes)
	$(BIN)/python -m benchmarks

bench-full: $(READY) ## time all benchmarks (about ten minutes); results in benchmarks/results/
	$(BIN)/python -m benchmarks --full

bench-networks: $(READY) ## time whole networks beside conventional ones (about six minutes)
	$(BIN)/python -m benchmarks.networks

bench-points: $(READY) ## time point layers beside kernel-point convolutions (about two minutes)
	$(BIN)/python -m benchmarks.points

bench-gpu: $(READY) ## time layers on a GPU beside dense convolutions
	$(BIN)/python -m benchmarks.gpu

calibrate: $(READY) ## fit the rates of the cost model to this machine (about six minutes); prints them
	$(BIN)/python -m benchmarks.calibrate

bench-threads: $(READY) ## time one thread and two in turns (about a quarter of an hour)
	$(BIN)/python -m benchmarks.threads

bench-volumes: $(READY) ## time 3-D U-Nets and a long 1-D layer beside conventional ones (about eight minutes)
	$(BIN)/python -m benchmarks.volumes

figures: $(READY) ## draw the documentation's figures anew
	$(BIN)/python docs/figures.py docs/images

clean:          ## remove the virtual environment and everything made here
	rm -rf $(VENV) demo runs comparisons build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
