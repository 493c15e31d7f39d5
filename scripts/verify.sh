#!/usr/bin/env bash
# Runs every check that a change must pass, quick ones first, and says how long each took.
# Called by `make verify`, which sets CARGO_TARGET_DIR and has installed the tools.
set -euo pipefail
cd "$(dirname "$0")/.."

report=()

step() {
    local name=$1 started=$SECONDS
    shift
    printf '\n=== %s: %s\n' "$name" "$*"
    if ! "$@"; then
        printf '\n=== %s failed after %d s\n' "$name" $((SECONDS - started)) >&2
        exit 1
    fi
    report+=("$(printf '%-12s %5d s' "$name" $((SECONDS - started)))")
}

# Run as a program and not by `cargo xtask`: what `cargo run` sets in the environment would make the inner cargo
# rebuild some crates.
xtask() {
    "$CARGO_TARGET_DIR/debug/xtask" "$@"
}

licences() {
    cargo deny --workspace check bans licenses sources
}

# The advisories are a git repository; a build machine may be cut off from it, a developer's is not.
advisories() {
    if cargo deny --workspace fetch db; then
        cargo deny --workspace check advisories
    else
        echo "The advisory database is not reachable from here: NOT checked." >&2
    fi
}

step format cargo fmt --all --check
step xtask cargo build --quiet --package xtask
step arrows xtask arrows
step sizes xtask sizes
step codegen xtask codegen --check
step proto scripts/buf.sh lint
step licences licences
step advisories advisories
step clippy cargo clippy --workspace --all-targets -- -D warnings
step test make --no-print-directory test
step openapi xtask openapi --check
step errors xtask errors --check

printf '\n=== all checks passed in %d s\n' $SECONDS
printf '%s\n' "${report[@]}"
