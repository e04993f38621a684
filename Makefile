# What there is to do here: `make` lists it. Holds the order of the steps; how each is done is in scripts/ or is cargo's own.
SHELL := /bin/bash -euo pipefail
.DEFAULT_GOAL := help
.PHONY: help setup component build run test simulate lint fmt deny bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## check what the machine must have, and install what is missing
	@scripts/setup.sh

component: setup ## dist/ledger.wasm, from source, when anything in it changed
	@scripts/component.sh

build: component ## target/release/hesabu
	cargo build --release --locked -p hesabu

run: build ## build, then serve
	target/release/hesabu serve

# The binary is built with everything else selected, as the tests are: otherwise every dependency would be compiled twice.
test: component lint ## everything that CI checks
	scripts/python.sh
	scripts/no-std.sh
	cargo build --locked --bins
	cargo test --locked --doc -p ledger-core
	scripts/postgres.sh run -- \
		$$(cargo nextest --version >/dev/null 2>&1 && echo cargo nextest run || echo cargo test --lib --bins --tests) --locked --no-fail-fast

simulate: component ## posting while everything fails: 10,000 seeds, or SEEDS= from SEED= on
	scripts/simulate.sh

lint: setup ## format and clippy, without changing anything
	cargo fmt --all --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --target-dir target/wasm --config 'profile.dev.package."*".opt-level=0' \
		-p ledger-component -p componentize -- -D warnings

fmt: ## format the code
	cargo fmt --all

deny: ## licences, duplicates and sources of all dependencies
	@cargo deny --version >/dev/null 2>&1 || { echo "Please install cargo-deny first: cargo install cargo-deny" >&2; exit 1; }
	cargo deny check licenses bans sources

# With nothing else running: figures that wait for the disk suffer most. A part is measured by `make bench BENCH="sqlite engine"`, quickly
# with --quick, and writes nothing; `make bench BENCH=--list` tells the parts.
bench: component ## measure everything against its targets, into benches/RESULTS.md
	cargo build --release --locked -p hesabu -p hesabu-benches
	scripts/postgres.sh run -- target/release/hesabu-benches $(or $(BENCH),--write benches/RESULTS.md)

clean: ## remove everything that was built
	cargo clean
	rm -rf dist
