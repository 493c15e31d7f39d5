# Every target says in one line what it does; `make` alone lists them.

# Outside of the checkout, so that a fresh clone finds what the last one has built.
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/brainops/target

# Homebrew keeps PostgreSQL's programs out of PATH; the build asks pg_config for the client library.
ifeq ($(shell uname -s),Darwin)
export PATH := $(shell brew --prefix postgresql@17 2>/dev/null)/bin:$(PATH)
endif

LOCALINFRA = $(CARGO_TARGET_DIR)/debug/localinfra

.DEFAULT_GOAL := help
.PHONY: help setup up test verify fmt lint bench chaos openapi events-doc clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-11s %s\n' "$$name" "$$text"; done

setup: ## Install what is missing: PostgreSQL, RabbitMQ, build tools
	@scripts/setup.sh

up: setup ## Start everything on this machine and say where it is; Ctrl-C stops it
	@scripts/fetch-models.sh
	@cargo run --package standalone --bin brainops -- up

# Not through `cargo run`: what it sets in the environment would make the inner cargo rebuild some crates.
test: setup ## Run all tests against private PostgreSQL and RabbitMQ servers
	@scripts/fetch-models.sh --bundled
	@cargo build --quiet --package localinfra
	@$(LOCALINFRA) run -- cargo nextest run --workspace $(NEXTEST_ARGS)

verify: ## Do all that CI does: format, lints, contracts, tests, licences
	@scripts/setup.sh --verify
	@scripts/verify.sh

fmt: ## Format the code
	@cargo fmt --all

lint: setup ## Run clippy on everything and check the arrows
	@cargo clippy --workspace --all-targets -- -D warnings
	@cargo xtask arrows

bench: ## Measure; each bench prints a table and writes bench/results/
	@scripts/setup.sh --bench
	@for bench in scripts/bench/*.sh; do "$$bench" || exit 1; done

chaos: setup ## Break the running system on purpose and compare a client's journal with what was recorded
	@for chaos in scripts/chaos/*.sh; do "$$chaos" || exit 1; done

openapi: setup ## Write each service's openapi.json from its code
	@cargo xtask openapi

events-doc: ## Write event types, docs/asyncapi.json and the catalogue in docs/events.md from proto/
	@cargo xtask codegen

clean: ## Remove what was built; the data of `make up` in .brainops/ stay
	@cargo clean
