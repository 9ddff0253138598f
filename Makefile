# Every target first sets up what is missing; needs Python 3.11 or 3.12, Node.js 18 or later, and nothing else.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/.build/bin:$(CURDIR)/$(BIN):$(PATH)
export SOLCX_BINARY_PATH := $(CURDIR)/.build/solc

.PHONY: help setup demo test test-brownie symbolic mutants lint bench verify lock clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## install and build what is missing (a few minutes the first time, then under a second)
	@$(PYTHON) scripts/setup.py

demo: setup ## the bot on a local chain of real protocols; more: make demo ARGS="--blocks 20 --seed 7"
	@mev demo $(ARGS)

# The gas in tests/forge/snapshots must be what is measured: where a change is meant, `forge test` alone writes it anew.
test: setup ## the whole suite: contracts by forge, Python by pytest, the owner's scripts by ape, a trade by brownie
	@failed=0; \
	FORGE_SNAPSHOT_CHECK=true forge test || failed=1; \
	pytest || failed=1; \
	APE_DATA_FOLDER=$(CURDIR)/.build/ape ape test tests/contracts || failed=1; \
	$(PYTHON) scripts/setup.py --with brownie; \
	case $$? in 0) python tests/brownie/run.py || failed=1 ;; 3) ;; *) failed=1 ;; esac; \
	exit $$failed

# Status 3 of setup: there is no network to install brownie from, which it has said.
test-brownie: setup ## the executor compiled by brownie, and one trade of it on a fork; installs brownie if need be
	@$(PYTHON) scripts/setup.py --with brownie && python tests/brownie/run.py

symbolic: setup ## access and guard of the executor, proven for all calldata by halmos; installs it if need be
	@$(PYTHON) scripts/setup.py --with halmos && .build/halmos/venv/bin/halmos

mutants: setup ## faults put into the contracts, which the tests must notice; more: make mutants ARGS="--seconds 600"
	@python scripts/mutate.py $(ARGS)

lint: setup ## ruff, mypy --strict, forge fmt, slither
	@ruff check .
	@ruff format --check .
	@mypy
	@forge fmt --check
	@$(SLITHER_FORGE) slither contracts --foundry-out-directory .build/slither/out

# Slither builds anew, beside forge's own artifacts. Left out by slither.config.json: `assembly` (packed calldata,
# transient storage and scratch memory are the point), `naming-convention` (immutables in capitals, as constants are;
# WETH() is what routers call it), `pragma` (the ranges of OpenZeppelin and of the devnet's tokens are not ours to pin),
# `uninitialized-local` (zero is meant), `unused-return` (readers of fields also return where the next one begins).
SLITHER_FORGE = FOUNDRY_OUT=.build/slither/out FOUNDRY_CACHE_PATH=.build/slither/cache

# Status 3 of setup: no network, or no Python that is new enough for a peer; the benchmark beside it is left out.
bench: setup ## the benchmarks, each against a peer or a floor in the same run; writes bench/results.json
	@for peer in peers peers-degenbot; do $(PYTHON) scripts/setup.py --with $$peer || [ $$? -eq 3 ] || exit 1; done
	@mkdir -p bench
	@mev bench --out bench/results.json

verify: setup ## the long proofs; writes docs/verification.md; ARGS=--python where the contracts are as they were
	@python scripts/proofs.py $(ARGS)

lock: ## resolve again and write requirements/*.txt and package-lock.json; needs uv
	@command -v uv >/dev/null || { echo "make lock needs uv on PATH" >&2; exit 1; }
	uv pip compile $(UV_LOCK) -o requirements/dev.txt requirements/dev.in
	uv pip compile $(UV_LOCK) -o requirements/runtime.txt -c requirements/dev.txt requirements/runtime.in
	uv pip compile $(UV_LOCK) -o requirements/brownie.txt requirements/brownie.in
	uv pip compile $(UV_LOCK) -o requirements/halmos.txt requirements/halmos.in
	uv pip compile $(UV_LOCK) -o requirements/peers.txt requirements/peers.in
	uv pip compile $(UV_LOCK:3.11=3.13) -o requirements/peers-degenbot.txt requirements/peers-degenbot.in
	npm install --package-lock-only --ignore-scripts

# No host in a lock: everyone installs from where they usually do. `make lock UPGRADE=--upgrade` takes newer versions.
UV_LOCK = --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate $(UPGRADE)

clean: ## remove what setup built; the ledger in .mev stays
	rm -rf .venv node_modules out cache .build .mypy_cache .ruff_cache .pytest_cache .hypothesis
