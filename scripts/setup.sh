#!/usr/bin/env bash
# Installs what this project needs and the machine lacks, and says so. Harmless to repeat; silent and quick when
# nothing is missing. With --verify also what only `make verify` needs, with --bench what only `make bench` does.
set -euo pipefail

# Pinned, so that they build with the toolchain of rust-toolchain.toml.
NEXTEST=0.9.143
DENY=0.20.2

purpose=${1:-}
case $purpose in
"" | --verify | --bench) ;;
*)
    echo "usage: scripts/setup.sh [--verify | --bench]" >&2
    exit 2
    ;;
esac

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }
# Whether any of the files exists; the arguments are patterns that the shell has expanded already.
any_file() {
    local file
    for file in "$@"; do [ -e "$file" ] && return 0; done
    return 1
}

has cargo || die "Rust is missing. Install it from https://rustup.rs (the toolchain is chosen by rust-toolchain.toml), then run this again."

# --- what is missing, as packages of Debian or formulas of Homebrew
need_debian=()
need_brew=()
need() { # reason, Debian packages, Homebrew formulas
    say "missing: $1"
    read -ra packages <<<"$2"
    need_debian+=("${packages[@]}")
    read -ra packages <<<"$3"
    need_brew+=("${packages[@]}")
}

brew=${HOMEBREW_PREFIX:-/opt/homebrew}
{ has initdb && has postgres; } ||
    any_file /usr/lib/postgresql/*/bin/initdb "$brew"/opt/postgresql*/bin/initdb /usr/local/opt/postgresql*/bin/initdb ||
    need "PostgreSQL server" "postgresql" "postgresql@17"
{ has psql || any_file /usr/lib/postgresql/*/bin/psql "$brew"/opt/postgresql*/bin/psql /usr/local/opt/postgresql*/bin/psql; } ||
    need "psql" "postgresql-client" "postgresql@17"
{ has pg_config || any_file "$brew"/opt/postgresql*/bin/pg_config /usr/local/opt/postgresql*/bin/pg_config; } &&
    { [ "$(uname -s)" != Linux ] || any_file /usr/include/postgresql/libpq-fe.h /usr/include/libpq-fe.h; } ||
    need "PostgreSQL client library (libpq)" "libpq-dev" "postgresql@17"
any_file /usr/lib/rabbitmq/bin/rabbitmq-server "$brew"/sbin/rabbitmq-server /usr/local/sbin/rabbitmq-server ||
    need "RabbitMQ" "rabbitmq-server" "rabbitmq"
{ has cc && has c++ && has make; } || need "C and C++ compilers" "build-essential" ""
# llama.cpp is built by CMake, and its bindings are made by bindgen, which loads libclang.
has cmake || need "CMake" "cmake" "cmake"
{ [ -n "${LIBCLANG_PATH:-}" ] || has llvm-config ||
    any_file /usr/lib/llvm-*/lib/libclang*.so* /usr/lib/*/libclang*.so* "$brew"/opt/llvm/lib/libclang.dylib \
        /Library/Developer/CommandLineTools/usr/lib/libclang.dylib; } ||
    need "libclang" "libclang-dev" "llvm"
has pkg-config || need "pkg-config" "pkg-config" "pkgconf"
has curl || need "curl" "curl" "curl"
has ps || need "ps" "procps" ""
python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || need "Python 3 with venv" "python3 python3-venv" "python"
if [ "$purpose" = --verify ]; then
    has npx || need "npx" "npm" "node"
elif [ "$purpose" = --bench ]; then
    PATH=$PATH:/usr/sbin # where Debian puts servers
    has wrk || need "wrk" "wrk" "wrk"
    has haproxy || need "HAProxy" "haproxy" "haproxy"
    has nginx || need "nginx" "nginx-light" "nginx"
    has openssl || need "openssl" "openssl" "openssl"
fi

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# A fresh RabbitMQ or PostgreSQL would start as a service of the machine at once. We only want the programs, so
# services are held back during the installation; what runs already is left alone.
install_debian() {
    local policy=/usr/sbin/policy-rc.d
    if [ "$(id -u)" != 0 ]; then
        has sudo || die "run this as root, or install by hand: apt-get install ${need_debian[*]}"
        say "using sudo for apt-get"
    fi
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod +x $policy
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    say "installing with apt-get: ${need_debian[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need_debian[@]}"
    if [ -n "$(trap -p EXIT)" ]; then
        trap - EXIT
        as_root rm -f $policy
    fi
}

if [ ${#need_debian[@]} -gt 0 ]; then
    if has apt-get; then
        install_debian
    elif has brew; then
        [ ${#need_brew[@]} -gt 0 ] || die "install the command line tools first: xcode-select --install"
        say "installing with Homebrew: ${need_brew[*]}"
        brew install "${need_brew[@]}"
    else
        die "neither apt-get nor brew is here; install by hand what is named above (Debian's names: ${need_debian[*]})"
    fi
fi

# --- tools that are built from source, into the build directory that the project uses anyway
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/brainops/target}
tool() { # crate, version
    cargo "${1#cargo-}" --version >/dev/null 2>&1 && return
    say "missing: $1; building it takes a few minutes, once"
    cargo install --locked --quiet --version "$2" "$1"
}
tool cargo-nextest $NEXTEST
if [ "$purpose" = --verify ]; then
    tool cargo-deny $DENY
fi
